"""The words of police records: normal forms of abbreviations and misspellings, and classes of meaning."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Any

_DIGIT = re.compile(r"\d")
_TABLE: dict[str, Any] = tomllib.loads(
    files("triage.language").joinpath("words.toml").read_text(encoding="utf-8")
)
_NORMAL: dict[str, str] = {form: word for word, forms in _TABLE["normal"].items() for form in forms}
#: What a given name is read as.
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

    A given name becomes :data:`NAME`.

    >>> normal_form("42")
    '00'
    """
    plain = _DIGIT.sub("0", word.lower()).replace("’", "'")
    return _NORMAL.get(plain, plain)


def classes_of(word: str) -> tuple[int, ...]:
    """Return the numbers of the classes that a normal form belongs to."""
    return _CLASSES_OF.get(word, ())
