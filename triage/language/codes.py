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
    return re.compile(" (?:" + "|".join(parts) + ") ")


_RULES = [(str(rule["group"]), _pattern(rule["phrases"])) for rule in _TABLE["rules"]]


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
