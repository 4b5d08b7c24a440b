"""What the law and the counting rules of a day make of families, from ``coverage.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: any family of ``recorded`` accounts for those of ``covers``, within its dates."""

    recorded: frozenset[str]
    covers: frozenset[str]
    since: date
    until: date


@dataclass(frozen=True, slots=True)
class Since:
    """A family that is an offence of its own since a day, and the family that it was part of before."""

    family: str
    day: date
    before: str


_DATA: dict[str, Any] = tomllib.loads(
    files("triage.language").joinpath("coverage.toml").read_text(encoding="utf-8")
)


def _rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(
            frozenset(entry["recorded"]),
            frozenset(entry["covers"]),
            entry.get("from", date.min),
            entry.get("until", date.max),
        )
        for entry in _DATA["rule"]
        if entry.get("in_effect", True)
    )


RULES = _rules()
SINCE = tuple(Since(entry["family"], entry["from"], entry["before"]) for entry in _DATA["offence"])


def covered_families(recorded: Iterable[str], on: date) -> frozenset[str]:
    """Return the recorded families and those that they account for in a report of that day.

    Source: domain.md 1.4 and 9.12, as ``coverage.toml`` says.

    >>> sorted(covered_families(["robbery"], date(2026, 11, 1)))
    ['robbery', 'theft']
    >>> sorted(covered_families(["rape"], date(2020, 11, 1)))
    ['rape']
    """
    names = frozenset(recorded)
    return names.union(
        *(rule.covers for rule in RULES if names & rule.recorded and rule.since <= on < rule.until)
    )
