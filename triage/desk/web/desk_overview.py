"""What the registrar's desk shows first: what waits, tonight's progress, and agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from triage.desk.reading_view import harmless
from triage.desk.web.layout import source_words
from triage.review.agreement import Agreements, agreements
from triage.review.decisions import Review, ReviewRules, pairs
from triage.review.feedback import NOT_KNOWN
from triage.review.outcomes import item_fields
from triage.review.permissions import STATES
from triage.store import Item, Run, Store

#: How far back items are shown that nobody read, and how many of them.
EXPIRED_DAYS, EXPIRED_MOST = 30, 100
#: Doubted decisions shown, the most doubtful first.
DOUBTED_MOST = 50
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One item that waits for somebody, since when; ``holder`` has claimed it, empty for nobody.

    Who decided it before is not told: the registrar may be its second reader.
    """

    item_id: str
    reference: str
    source: str
    since: datetime
    holder: str
    events: int


@dataclass(frozen=True, slots=True)
class Doubted:
    """One closed item whose decision others contradict: what was answered, and what they suggest."""

    item_id: str
    reference: str
    source: str
    given: str
    suggested: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Tonight's queue: ``counts`` maps each arm, and all of them, to state and number of items."""

    run: Run
    states: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the registrar's desk shows.

    ``expired_count`` counts those of the last ``EXPIRED_DAYS`` days, of which ``expired`` are the latest;
    ``reasons`` maps the reasons of closed items to counts, highest first.
    """

    disputes: tuple[Waiting, ...]
    doubted: tuple[Doubted, ...]
    second_reviews: tuple[Waiting, ...]
    reopened: tuple[Waiting, ...]
    expired: tuple[Waiting, ...]
    expired_count: int
    progress: Progress | None
    agreement: Agreements
    reasons: Mapping[str, int]


def overview(
    store: Store, now: datetime, rules: ReviewRules, doubts: Iterable[tuple[str, str, str]] = ()
) -> Overview:
    """Return what stands at a moment.

    ``doubts`` are the decisions that the last monitoring doubted: item, answer given, answer suggested.
    """
    touched = store.reviews_touched(now, rules)
    expired = _expired(store, now, rules)
    return Overview(
        disputes=_waiting(store, touched.values(), "disputed"),
        doubted=_doubted(store, touched, doubts),
        second_reviews=_waiting(store, touched.values(), "second_review"),
        reopened=_waiting(store, touched.values(), "reopened"),
        expired=expired[:EXPIRED_MOST],
        expired_count=len(expired),
        progress=_progress(store, now, rules),
        agreement=agreements(pairs(tuple(touched.values()))),
        reasons=_reasons(touched.values()),
    )


def _waiting(store: Store, reviews: Iterable[Review], state: str) -> tuple[Waiting, ...]:
    """Return the items in a state, the longest waiting first."""
    found = [
        _entry(item, review)
        for review in reviews
        if review.state == state and (item := store.item(review.item_id)) is not None
    ]
    return tuple(sorted(found, key=lambda each: (each.since, each.item_id)))


def _entry(item: Item, review: Review) -> Waiting:
    last = review.second or review.first
    return Waiting(
        item_id=item.item_id,
        reference=harmless(item.record_ref),
        source=source_words(item.source),
        since=last.at if last else review.queued_at,
        holder=review.holder,
        events=review.events,
    )


def _doubted(
    store: Store, reviews: Mapping[str, Review], doubts: Iterable[tuple[str, str, str]]
) -> tuple[Doubted, ...]:
    """Return the doubted decisions on which nobody has ruled since, the most doubtful first."""
    standing = [
        (item, given, suggested)
        for item_id, given, suggested in doubts
        if (review := reviews.get(item_id)) is not None
        and review.ruling is None
        and review.outcome is not None
        and review.outcome.disclosed == given
        and (item := store.item(item_id)) is not None
    ]
    return tuple(
        Doubted(item.item_id, harmless(item.record_ref), source_words(item.source), given, suggested)
        for item, given, suggested in standing[:DOUBTED_MOST]
    )


def _expired(store: Store, now: datetime, rules: ReviewRules) -> tuple[Waiting, ...]:
    """Return the items that nobody read in time, the latest first."""
    earliest = now - timedelta(days=rules.carry_over_days + EXPIRED_DAYS)
    found: dict[str, Waiting] = {}
    for run in store.runs():
        if run.as_of < earliest:
            continue
        gone = {
            item_id: review
            for item_id, review in store.reviews_of_run(run.run_id, now, rules).items()
            if review.state == "expired" and review.queued_at >= earliest
        }
        if gone.keys() - found.keys():
            for row in store.queue(run.run_id):
                if row.item.item_id in gone:
                    found[row.item.item_id] = _entry(row.item, gone[row.item.item_id])
    return tuple(sorted(found.values(), key=lambda each: (each.since, each.item_id), reverse=True))


def _progress(store: Store, now: datetime, rules: ReviewRules) -> Progress | None:
    run = store.latest_run()
    if run is None:
        return None
    reviews = store.reviews_of_run(run.run_id, now, rules)
    counts: dict[str, Counter[str]] = {}
    for row in store.queue(run.run_id):
        for arm in (row.arm, _ALL):
            counts.setdefault(arm, Counter())[reviews[row.item.item_id].state] += 1
    every = counts.pop(_ALL, Counter())
    return Progress(
        run, tuple(state for state in STATES if every[state]), {**dict(sorted(counts.items())), _ALL: every}
    )


def _reasons(reviews: Iterable[Review]) -> dict[str, int]:
    labels = next(each for each in item_fields() if each.name == "reason_not_recorded").choices
    given = Counter(
        labels.get(review.outcome.values.get("reason_not_recorded", ""), NOT_KNOWN)
        for review in reviews
        if review.outcome is not None and review.outcome.disclosed == "yes"
    )
    return dict(sorted(given.items(), key=lambda each: (-each[1], each[0])))
