"""Acts that a text states, found by phrases and pairs of words, and what the text says of each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import chain
from typing import Any

import numpy as np

from triage.language.offences import FAMILIES
from triage.language.text import Bools, Reading
from triage.language.tokens import Ints
from triage.language.word_types import PerType

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
class _Uses:
    """What phrases stand for, as flat arrays in the order of the phrases.

    The uses of a phrase begin at its number in ``begins`` of shape (phrases,) and are as many as in
    ``counts``. ``numbers`` of shape (uses,) holds patterns or triggers, ``marked`` whether a use is an anchor
    of a pair or a phrase that only looks like a trigger.
    """

    begins: Ints
    counts: Ints
    numbers: Ints
    marked: Bools


@dataclass(frozen=True, slots=True)
class _Spans:
    """Uses of phrases found in a reading, in the order of the text.

    All of shape (spans,): the clause, the first and the last token, and what :class:`_Uses` says of the use.
    """

    clauses: Ints
    firsts: Ints
    lasts: Ints
    numbers: Ints
    marked: Bools

    def only(self, rows: Ints | Bools) -> _Spans:
        """Return some of the spans, chosen by their rows or a mask."""
        return _Spans(
            self.clauses[rows], self.firsts[rows], self.lasts[rows], self.numbers[rows], self.marked[rows]
        )


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads(files("triage.language").joinpath(name).read_text(encoding="utf-8"))


_DISCLOSURES: Sequence[Mapping[str, Any]] = _load("disclosures.toml")["pattern"]
_CONTEXT: Mapping[str, Any] = _load("context.toml")


def _uses() -> dict[str, list[tuple[str, int]]]:
    """Return what each phrase stands for: patterns it states or anchors, triggers, ends."""
    uses: dict[str, list[tuple[str, int]]] = {}

    def use(phrases: Sequence[str], kind: str, number: int) -> None:
        for phrase in phrases:
            uses.setdefault(phrase, []).append((kind, number))

    for number, entry in enumerate(_DISCLOSURES):
        use(entry.get("phrases", ()), "states", number)
        use(entry.get("anchors", ()), "anchors", number)
    for number, entry in enumerate(_CONTEXT["trigger"]):
        use(entry["phrases"], "triggers", number)
    use(_CONTEXT["terminate"]["phrases"], "ends", 0)
    use(_CONTEXT["pseudo"]["phrases"], "pseudo", 0)
    return uses


def _uses_as(kind: str, marked: str) -> _Uses:
    chosen = [[use for use in uses if use[0] == kind or use[0] == marked] for uses in _USES.values()]
    counts = np.fromiter(map(len, chosen), dtype=np.int64, count=len(chosen))
    flat = list(chain.from_iterable(chosen))
    return _Uses(
        np.cumsum(counts) - counts,
        counts,
        np.array([number for _, number in flat], dtype=np.int64),
        np.array([each == marked for each, _ in flat], dtype=bool),
    )


def _wanted_words(key: str) -> Bools:
    """Return which words each pattern lists under a key, shape (patterns, 1 + listed words)."""
    wanted = np.zeros((PATTERNS, len(_WORDS) + 1), dtype=bool)
    for number, entry in enumerate(_DISCLOSURES):
        wanted[number, [_WORDS[word] for word in entry.get(key, ())]] = True
    return wanted


_USES = _uses()
#: Every phrase to look for while reading.
PHRASES: tuple[str, ...] = tuple(_USES)
PATTERNS = len(_DISCLOSURES)
_STATES = _uses_as("states", marked="anchors")
_TRIGGERS = _uses_as("triggers", marked="pseudo")
_ENDS = np.array([("ends", 0) in uses for uses in _USES.values()])

_FAMILIES = np.array([FAMILIES.index(entry["family"]) for entry in _DISCLOSURES])
_WITHIN = np.array([int(entry.get("within", 0)) for entry in _DISCLOSURES])
# The words that a pair needs or rules out, numbered from 1; 0 stands for every other word.
_LISTED = (word for entry in _DISCLOSURES for key in ("near", "but_not") for word in entry.get(key, ()))
_WORDS = {word: number for number, word in enumerate(dict.fromkeys(_LISTED), start=1)}
_LISTED_NUMBERS = PerType(lambda names: np.array([_WORDS.get(each, 0) for each in names], dtype=np.int64))
_NEAR, _BUT_NOT = _wanted_words("near"), _wanted_words("but_not")

_STATUS_OF = np.array([STATUSES.index(entry["status"]) for entry in _CONTEXT["trigger"]])
_FORWARD, _BACKWARD = (
    np.array([entry["direction"] in (way, "both") for entry in _CONTEXT["trigger"]])
    for way in ("forward", "backward")
)
# A reach of 0 is as far as the clause goes.
_REACH = np.array([int(entry["reach"]) or np.iinfo(np.int64).max for entry in _CONTEXT["trigger"]])


def find(reading: Reading) -> Stated:
    """Return the acts stated in a reading made with :data:`PHRASES`, each with its status.

    Source: ConText, Harkema, Dowling, Thornblade & Chapman 2009; negation, NegEx, Chapman and others 2001:
    a trigger reaches forwards or backwards within its sentence, not past a phrase that ends its scope; the
    longest phrase at a place counts.
    """
    triggers = _counting(_found(reading, _TRIGGERS))
    acts = _acts(reading, _found(reading, _STATES))
    stops = reading.hits[_ENDS[reading.hits[:, 0]], 1]
    said = np.unique(triggers.clauses * len(STATUSES) + _STATUS_OF[triggers.numbers])
    return Stated(
        families=_FAMILIES[acts.numbers],
        statuses=_statuses(acts, triggers, stops),
        patterns=acts.numbers,
        clauses=acts.clauses,
        triggers=np.stack(np.divmod(said, len(STATUSES)), axis=1),
    )


def trigger_phrases(status: str) -> tuple[str, ...]:
    """Return the phrases of every trigger of a status."""
    number = STATUSES.index(status)
    return tuple(
        phrase
        for phrase, uses in _USES.items()
        if any(kind == "triggers" and _STATUS_OF[at] == number for kind, at in uses)
    )


def _spread(begins: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Return the run and the place of every item of runs that begin at places."""
    runs = np.repeat(np.arange(len(counts)), counts)
    return runs, np.arange(len(runs)) + (begins - np.cumsum(counts) + counts)[runs]


def _joined(clauses: Ints, others: Ints) -> tuple[Ints, Ints]:
    """Return the rows on either side of all pairs in the same clause; ``others`` are sorted.

    Clauses are short (``triage.language.text`` cuts those that run on), so pairs are few.
    """
    begins = np.searchsorted(others, clauses)
    return _spread(begins, np.searchsorted(others, clauses, side="right") - begins)


def _found(reading: Reading, uses: _Uses) -> _Spans:
    """Return the uses of the phrases found, in the order of the hits."""
    phrases, firsts, lasts = reading.hits.T
    hits, each = _spread(uses.begins[phrases], uses.counts[phrases])
    first = firsts[hits]
    return _Spans(reading.clauses[first], first, lasts[hits], uses.numbers[each], uses.marked[each])


def _acts(reading: Reading, spans: _Spans) -> _Spans:
    """Return the patterns that clauses state, each once a clause, a pair as far as its words."""
    listed = _LISTED_NUMBERS.of(reading.types)[reading.words]
    nearest = _nearest(reading, listed, spans)
    stated = np.flatnonzero(nearest >= 0)
    stated = stated[~_ruled_out(reading, listed, spans.only(stated))]
    once = np.unique(spans.clauses[stated] * PATTERNS + spans.numbers[stated], return_index=True)[1]
    stated = stated[np.sort(once)]
    acts, beside = spans.only(stated), nearest[stated]
    return replace(acts, firsts=np.minimum(acts.firsts, beside), lasts=np.maximum(acts.lasts, beside))


def _nearest(reading: Reading, listed: Ints, spans: _Spans) -> Ints:
    """Return the nearest word that each anchor needs beside it, of two as near the first.

    Shape (spans,), as a place among all words, -1 without one; a phrase that is no anchor needs only itself.
    """
    nearest = np.where(spans.marked, -1, spans.firsts)
    bounds = np.searchsorted(reading.clauses, np.arange(len(reading.owners) + 1))
    within = _WITHIN[spans.numbers]
    before = np.minimum(within, spans.firsts - bounds[spans.clauses])
    after = np.minimum(within, bounds[spans.clauses + 1] - 1 - spans.lasts)
    for apart in range(1, int(_WITHIN.max()) + 1):
        for room, places in ((before, spans.firsts - apart), (after, spans.lasts + apart)):
            rows = np.flatnonzero((room >= apart) & (nearest < 0))
            at = places[rows]
            near = _NEAR[spans.numbers[rows], listed[at]]
            nearest[rows[near]] = at[near]
    return nearest


def _ruled_out(reading: Reading, listed: Ints, spans: _Spans) -> Bools:
    """Return which anchors have a word in their clause, beside themselves, that rules them out."""
    rows, places = _joined(spans.clauses, reading.clauses)
    beside = (places < spans.firsts[rows]) | (places > spans.lasts[rows])
    ruled_out = np.zeros(len(spans.clauses), dtype=bool)
    ruled_out[rows[beside & _BUT_NOT[spans.numbers[rows], listed[places]]]] = True
    return ruled_out


def _counting(spans: _Spans) -> _Spans:
    """Return the triggers that stand in no longer one and no phrase that only looks like one."""
    rows, others = _joined(spans.clauses, spans.clauses)
    size = spans.lasts - spans.firsts
    within = (spans.firsts[others] <= spans.firsts[rows]) & (spans.lasts[rows] <= spans.lasts[others])
    counting = ~spans.marked
    counting[rows[within & ((size[others] > size[rows]) | spans.marked[others])]] = False
    return spans.only(counting)


def _statuses(acts: _Spans, triggers: _Spans, stops: Ints) -> Ints:
    """Return the strongest status that the triggers of its clause give each act, shape (acts,)."""
    rows, others = _joined(acts.clauses, triggers.clauses)
    first, last, is_pair = acts.firsts[rows], acts.lasts[rows], acts.marked[rows]
    begin, end, number = triggers.firsts[others], triggers.lasts[others], triggers.numbers[others]
    forward = _FORWARD[number] & (end < first)
    backward = _BACKWARD[number] & (begin > last)
    inside = is_pair & _FORWARD[number] & (first < begin) & (end < last)
    # A trigger reaches from the nearer end of an act backwards; between the words of a pair, to its last.
    start = np.where(backward, last, end)
    stop = np.select([forward, backward], [first, begin], last)
    reached = (forward | backward | inside) & (stop - start <= _REACH[number])
    # The first phrase that ends a scope after the start stands no earlier than the other end.
    reached &= np.searchsorted(stops, start, side="right") >= np.searchsorted(stops, stop)
    statuses = np.zeros(len(acts.clauses), dtype=np.int64)
    np.maximum.at(statuses, rows[reached], _STATUS_OF[number[reached]])
    return statuses
