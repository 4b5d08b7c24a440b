"""Acts that a text states, found by phrases and pairs of words, and what the text says of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from triage.language.offences import FAMILIES
from triage.language.text import Ints, Reading

#: What a text can say of an act it names, from what counts least for it; see ``context.toml``.
STATUSES = (
    "asserted",
    "historic",
    "conclusion",
    "not_supporting",
    "denied_by_suspect",
    "recorded",
    "question",
    "future",
    "hypothetical",
    "other_force",
    "denied_by_victim",
    "disproved",
)
#: Statuses that never cancel a disclosure.
# Source: domain.md 1.2 (cues that look like "no crime" and are marks of a missed one).
STANDING = STATUSES[:5]


@dataclass(frozen=True, slots=True)
class Stated:
    """Acts stated in a reading, in the order of their clauses.

    All of shape (acts,): ``families`` and ``statuses`` number :data:`FAMILIES` and :data:`STATUSES`,
    ``patterns`` the entries of ``disclosures.toml``, ``clauses`` the clauses of the reading; ``triggers`` of
    shape (triggers, 2) holds the clause and the status of every trigger of context.
    """

    families: Ints
    statuses: Ints
    patterns: Ints
    clauses: Ints
    triggers: Ints


@dataclass(frozen=True, slots=True)
class _Pattern:
    family: int
    near: frozenset[str]
    within: int
    but_not: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Trigger:
    status: int
    forward: bool
    backward: bool
    reach: int


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads(files("triage.language").joinpath(name).read_text(encoding="utf-8"))


_PATTERNS: list[_Pattern] = []
# What each phrase stands for: patterns that it states, patterns that it anchors, triggers, ends of scope.
_USES: dict[str, list[tuple[str, int]]] = {}
_TRIGGERS: list[_Trigger] = []


def _use(phrases: Sequence[str], kind: str, number: int) -> None:
    for phrase in phrases:
        _USES.setdefault(phrase, []).append((kind, number))


def _compile() -> None:
    for entry in _load("disclosures.toml")["pattern"]:
        _use(entry.get("phrases", ()), "states", len(_PATTERNS))
        _use(entry.get("anchors", ()), "anchors", len(_PATTERNS))
        _PATTERNS.append(
            _Pattern(
                FAMILIES.index(entry["family"]),
                frozenset(entry.get("near", ())),
                int(entry.get("within", 0)),
                frozenset(entry.get("but_not", ())),
            )
        )
    context: Mapping[str, Any] = _load("context.toml")
    for entry in context["trigger"]:
        _use(entry["phrases"], "triggers", len(_TRIGGERS))
        _TRIGGERS.append(
            _Trigger(
                STATUSES.index(entry["status"]),
                entry["direction"] in ("forward", "both"),
                entry["direction"] in ("backward", "both"),
                int(entry["reach"]),
            )
        )
    _use(context["terminate"]["phrases"], "ends", 0)
    _use(context["pseudo"]["phrases"], "pseudo", 0)


_compile()
#: Every phrase to look for while reading.
PHRASES: tuple[str, ...] = tuple(_USES)
_USES_OF = tuple(tuple(_USES[phrase]) for phrase in PHRASES)
_STATES = tuple(tuple(use for use in uses if use[0] in ("states", "anchors")) for uses in _USES_OF)
_ENDS = tuple(("ends", 0) in uses for uses in _USES_OF)
PATTERNS = len(_PATTERNS)


def find(reading: Reading) -> Stated:
    """Return the acts stated in a reading made with :data:`PHRASES`, each with its status.

    Source: ConText, Harkema, Dowling, Thornblade & Chapman 2009; negation, NegEx, Chapman and others 2001:
    a trigger reaches forwards or backwards within its sentence, not past a phrase that ends its scope; the
    longest phrase at a place counts.
    """
    acts: list[tuple[int, int, int, int]] = []
    seen: list[tuple[int, int]] = []
    clauses = reading.clauses[reading.hits[:, 1]].tolist()
    ends = np.searchsorted(reading.clauses, np.arange(len(reading.owners) + 1)).tolist()
    tokens = reading.words.tolist()
    rows = zip(clauses, *reading.hits.T.tolist(), strict=True)
    for clause, group in groupby(rows, key=itemgetter(0)):
        begin = ends[clause]
        # Places count from the first word of the clause.
        hits = [(number, first - begin, last - begin) for _, number, first, last in group]
        triggers = _counting_triggers(hits)
        seen.extend((clause, status) for status in sorted({each[0].status for each in triggers}))
        if not any(_STATES[number] for number, _, _ in hits):
            continue
        words = [reading.types[token] for token in tokens[begin : ends[clause + 1]]]
        stops = [first for number, first, _ in hits if _ENDS[number]]
        for pattern, first, last, is_pair in _acts(words, hits):
            status = _status(first, last, triggers, stops, inside=is_pair)
            acts.append((_PATTERNS[pattern].family, status, pattern, clause))
    table = np.array(acts, dtype=np.int64).reshape(-1, 4)
    families, statuses, patterns, where = table.T
    return Stated(families, statuses, patterns, where, np.array(seen, dtype=np.int64).reshape(-1, 2))


def trigger_phrases(status: str) -> tuple[str, ...]:
    """Return the phrases of every trigger of a status."""
    number = STATUSES.index(status)
    return tuple(
        phrase
        for phrase, uses in _USES.items()
        if any(kind == "triggers" and _TRIGGERS[at].status == number for kind, at in uses)
    )


def _acts(words: Sequence[str], hits: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, int, int, bool]]:
    """Give the patterns that a clause states, each once: its first and last word, whether it is a pair."""
    done = set()
    for number, first, last in hits:
        for kind, pattern in _STATES[number]:
            if pattern in done:
                continue
            extent = (first, last) if kind == "states" else _beside(words, _PATTERNS[pattern], first, last)
            if extent:
                done.add(pattern)
                yield pattern, *extent, kind == "anchors"


def _beside(words: Sequence[str], pattern: _Pattern, first: int, last: int) -> tuple[int, int] | None:
    """Return an anchor's extent with the nearest word that it needs beside it; None without it.

    None, too, where the clause has a word that it must not have.
    """
    low = max(0, first - pattern.within)
    near = [
        low + at
        for at, word in enumerate(words[low : last + pattern.within + 1])
        if word in pattern.near and not first <= low + at <= last
    ]
    if not near or not pattern.but_not.isdisjoint((*words[:first], *words[last + 1 :])):
        return None
    nearest = min(near, key=lambda at: max(first - at, at - last))
    return min(first, nearest), max(last, nearest)


def _counting_triggers(hits: Sequence[tuple[int, int, int]]) -> list[tuple[_Trigger, int, int]]:
    """Return the triggers that stand in no longer trigger and no phrase that only looks like one."""
    spans = [
        (first, last, kind, at)
        for number, first, last in hits
        for kind, at in _USES_OF[number]
        if kind in ("triggers", "pseudo")
    ]
    return [
        (_TRIGGERS[at], first, last)
        for first, last, kind, at in spans
        if kind == "triggers"
        and not any(
            a <= first and last <= b and (b - a > last - first or other == "pseudo")
            for a, b, other, _ in spans
        )
    ]


def _status(
    first: int,
    last: int,
    triggers: Sequence[tuple[_Trigger, int, int]],
    stops: Sequence[int],
    *,
    inside: bool,
) -> int:
    found = 0
    for trigger, begin, end in triggers:
        if trigger.forward and end < first:
            apart, between = first - end, (end, first)
        elif trigger.backward and begin > last:
            apart, between = begin - last, (last, begin)
        elif inside and trigger.forward and first < begin and end < last:
            apart, between = last - end, (end, last)
        else:
            continue
        if trigger.reach and apart > trigger.reach:
            continue
        if not any(between[0] < stop < between[1] for stop in stops):
            found = max(found, trigger.status)
    return found
