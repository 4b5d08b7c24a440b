"""The words of police records: normal forms of abbreviations and misspellings, and classes of meaning."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from importlib.resources import files
from typing import Any

_DIGIT = re.compile(r"\d")
_CAPITALISED = re.compile(r"(?:Mc|Mac|[OD]')?[A-Z][a-z]{2,}(?:'s)?")
#: Ends of words that no list need hold: "Garrotted by ..." begins a sentence and names nobody.
_WORD_ENDS = ("ed", "ing", "ly", "tion", "ment", "ness", "able")
#: Words that the corpus writes in small letters, those of `words.toml`, days, peoples, faiths, common brands:
#: what is none of them and begins with a capital is taken for a name.
_ORDINARY = frozenset(
    files("triage.language").joinpath("ordinary_words.txt").read_text(encoding="utf-8").split()
)
_TABLE: dict[str, Any] = tomllib.loads(
    files("triage.language").joinpath("words.toml").read_text(encoding="utf-8")
)
_NORMAL: dict[str, str] = {form: word for word, forms in _TABLE["normal"].items() for form in forms}
#: What a name is read as.
NAME = "someone's-name"
#: Answers written beside a question in a text.
ANSWERS = {
    **dict.fromkeys(("n", "no", "none", "nil", "neg", "negative"), "n"),
    **dict.fromkeys(("y", "yes", "pos"), "y"),
}
#: Names of the classes, in the order of the table.
CLASSES: tuple[str, ...] = tuple(_TABLE["classes"])
_CLASSES_OF: dict[str, tuple[int, ...]] = {}
for _number, _name in enumerate(CLASSES):
    for _word in _TABLE["classes"][_name]["words"]:
        _CLASSES_OF[_word] = (*_CLASSES_OF.get(_word, ()), _number)


# But a word that has a class stays: "adam's apple".
_NORMAL |= {
    form: NAME for name in _TABLE["names"]["given"] for form in (name, f"{name}'s") if form not in _CLASSES_OF
}


def normal_form(word: str) -> str:
    """Return the plain word for a written one: lower case, digits as 0, abbreviations and slips resolved.

    Accents are left out. A name becomes :data:`NAME`: a given name of ``words.toml`` however it is written,
    any other by its capital, where ``ordinary_words.txt`` does not hold the word. So nobody's name counts,
    whether the tables hold it or not.

    >>> normal_form("42"), normal_form("Siân") == normal_form("SIAN") == normal_form("Olamide") == NAME
    ('00', True)
    """
    written = word.replace("’", "'")
    if not written.isascii():
        written = _unaccented(written)
    plain = _DIGIT.sub("0", written.lower())
    return _NORMAL.get(plain) or (NAME if _is_name(written, plain) else plain)


def _unaccented(word: str) -> str:
    """Return a word without accents, full-width letters as usual ones; as it was if none of it is left."""
    parts = unicodedata.normalize("NFKD", word)
    kept = "".join(part for part in parts if not unicodedata.combining(part))
    return kept if kept and not any(map(str.isspace, kept)) else word


def _is_name(written: str, plain: str) -> bool:
    if plain in _CLASSES_OF or not _CAPITALISED.fullmatch(written):
        return False
    word = plain.removesuffix("'s")
    return word not in _ORDINARY and not word.endswith(_WORD_ENDS)


def classes_of(word: str) -> tuple[int, ...]:
    """Return the numbers of the classes that a normal form belongs to."""
    return _CLASSES_OF.get(word, ())
