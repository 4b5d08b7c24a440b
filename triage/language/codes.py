"""What an opening or closing code says, in the neutral groups of ``codes.toml``."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files

_TABLE = tomllib.loads(files("triage.language").joinpath("codes.toml").read_text(encoding="utf-8"))

#: Names of the groups; ``unknown`` is last and stands for a code that no phrase matches.
GROUPS: tuple[str, ...] = tuple(_TABLE["groups"])
#: Groups of codes under which a crime was reported.
CRIME_GROUPS: frozenset[str] = frozenset(group for group in GROUPS if group.startswith("crime_"))


def words_of(code: str) -> str:
    """Return the words of a code in capitals, single spaces between and around them.

    >>> words_of("Domestic - ex-partner")
    ' DOMESTIC EX PARTNER '
    """
    return " " + " ".join(re.findall(r"[A-Z0-9]+", code.upper())) + " "


def _pattern(phrases: list[str]) -> re.Pattern[str]:
    parts = []
    for phrase in phrases:
        words = [re.escape(word).replace(r"\*", r"\w*") for word in phrase.upper().split()]
        parts.append(" ".join(words))
    # A look-ahead, so that overlapping phrases are all found: "NON CRIME LINKED TO CRIME".
    return re.compile("(?= (?:" + "|".join(parts) + ") )")


_RULES = [(str(rule["group"]), _pattern(rule["phrases"])) for rule in _TABLE["rules"]]
_CRIMED = _pattern(_TABLE["crimed"]["phrases"])
_NOT_CRIMED = re.compile(" (?:" + "|".join(map(re.escape, _TABLE["crimed"]["not_after"])) + ")$")


@lru_cache(maxsize=4096)
def group_of(code: str) -> str:
    """Return the neutral group of an opening or closing code, ``unknown`` where no phrase matches.

    Parameters
    ----------
    code : str
        The code as exported or as mapped, or the name of a group (which a mapping file may use).

    Source: domain.md 3.3; the phrases and their order are in ``codes.toml``.

    >>> group_of("DOMESTIC ASSAULT"), group_of("DOMESTIC - VERBAL"), group_of("RTC - DAMAGE ONLY")
    ('crime_violence', 'domestic_noncrime', 'transport')
    """
    name = re.sub(r"[\s-]+", "_", code.strip().lower())
    if name in GROUPS:
        return name
    words = words_of(code)
    return next((group for group, pattern in _RULES if pattern.search(words)), "unknown")


@lru_cache(maxsize=4096)
def says_crimed(code: str) -> bool:
    """Return whether a closing code claims that a crime was recorded for this record.

    It is a claim, to be compared with the crimes table: never evidence that a crime exists.

    Source: closing codes of training_data/corpus; domain.md 9, point 2.

    >>> says_crimed("STANDARD - CRIMED"), says_crimed("NON-CRIME"), says_crimed("NO CRIMES DISCLOSED")
    (True, False, False)
    """
    words = words_of(code)
    return any(not _NOT_CRIMED.search(words[: found.start()]) for found in _CRIMED.finditer(words))
