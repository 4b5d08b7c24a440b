"""Weeks of invented nights in a store, with files of scores and decisions, for the monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from tests.conftest import CANARY
from triage.review.decisions import ReviewEvent
from triage.review.outcomes import FoundCrime, Outcome
from triage.store import AuditEvent, Item, ItemText, Part, PlaceRow, Publication, Run, Store, item_id_of
from triage.store.coding import add
from triage.store.reviews import _row_of
from triage.store.tables import review_events

LAST = datetime(2026, 10, 26, 3, tzinfo=UTC)
#: Days of each window; a night a week.
DAYS = 28
WEEKS = 8
#: Items a night, of which the last few are drawn.
ITEMS, DRAWN = 20, 4
CHANCE = 0.05
RECORDS = 60
MODEL = "linear-20260901-0a1b2c3d"
FOUND = Outcome("yes", (FoundCrime("violence_with_injury"),))
SIDES = ("NORTH", "SOUTH", "EAST", "WEST")
READERS = ("a.first", "b.second")


def text_of(number: int) -> str:
    """Return an invented log; every other one tells of an assault."""
    told = (
        "HE PUNCHED HER IN THE FACE, BRUISING SEEN"
        if number % 2
        else "BINS OVERTURNED BY FOXES, ALL IN ORDER"
    )
    return f"22:{number % 60:02d} CALL FROM {SIDES[number % 4]} SIDE, {told}. {CANARY}"


def is_assault(number: int) -> bool:
    """Return whether the log tells of an assault."""
    return bool(number % 2)


def publish_weeks(
    store: Store,
    data_dir: Path,
    *,
    decided: bool = True,
    text: Callable[[int, int], str] = lambda week, number: text_of(number),
    said: Callable[[int, int], bool] = lambda week, number: is_assault(number),
    closing_code: Callable[[int, int], str] = lambda week, number: ("ADVICE", "NO TRACE")[number % 2],
) -> None:
    """Publish a night a week up to ``LAST``; functions are given the week from 0 and the item's number."""
    for week in range(WEEKS):
        as_of = LAST - timedelta(days=7 * (WEEKS - 1 - week))
        night = _night(week, as_of, text)
        store.publish(night, AuditEvent(as_of, "nightly", "combination", night.run.run_id))
        _write_scores(data_dir / "runs" / night.run.run_id, week, closing_code)
        events = []
        for number, item in enumerate(night.items if decided else ()):
            unsure = number == week
            outcome = Outcome("cannot_say") if unsure else FOUND if said(week, number) else Outcome("no")
            for reader in READERS if unsure else READERS[:1]:
                events += _read(item.item_id, len(events), as_of + timedelta(hours=6), reader, outcome)
        # In one transaction, since hundreds by themselves would take minutes on a busy disk.
        rows = [_row_of(replace(each, number=number)) for number, each in _numbered(events)]
        store._write(lambda connection, rows=rows: add(connection, review_events, rows))


def _read(item_id: str, at: int, when: datetime, reader: str, outcome: Outcome) -> list[ReviewEvent]:
    claim = ReviewEvent(item_id, 0, when, reader, "claim", f"{item_id} {at}", hold_minutes=45.0)
    decision = ReviewEvent(item_id, 0, when, reader, "decide", f"{item_id} {at + 1}", outcome)
    return [claim, decision]


def _numbered(events: list[ReviewEvent]) -> Iterator[tuple[int, ReviewEvent]]:
    done: Counter[str] = Counter()
    for each in events:
        done[each.item_id] += 1
        yield done[each.item_id], each


def _night(week: int, as_of: datetime, text: Callable[[int, int], str]) -> Publication:
    run_id = f"{as_of:%Y%m%dT%H%MZ}-0123abcd"
    items, texts = [], []
    for number in range(ITEMS):
        reference = f"L-{week}-{number:03d}"
        drawn = number >= ITEMS - DRAWN
        item = Item(
            item_id=item_id_of("incidents", reference, "content"),
            run_id=run_id,
            source="incidents",
            record_ref=reference,
            root=reference,
            content_hash="content",
            arm="control" if drawn else "ranked",
            inclusion_probability=CHANCE if drawn else 1.0,
            random_number=0.5,
            stratum="readable",
            score_01=0.3 + 0.4 * (number // 2 % 2),
            tiebreak="00",
            opened_at=as_of - timedelta(days=2),
            queued_at=as_of,
            retain_until=as_of + timedelta(days=90),
            parts=(Part("incidents", reference),),
            p_families={"any": 0.5},
        )
        items.append(item)
        texts.append(
            ItemText(
                item_id=item.item_id,
                part=1,
                source="incidents",
                record_ref=reference,
                text=text(week, number),
                answers={},
                claims=(),
                opened_at=item.opened_at,
                closed_at=None,
                retain_until=item.retain_until,
                content_hash=reference,
            )
        )
    run = Run(run_id, as_of, as_of, "e" * 64, MODEL, "5" * 64, "linear", ITEMS)
    places = tuple(
        PlaceRow(at, item.item_id, item.arm, item.score_01, False) for at, item in enumerate(items, 1)
    )
    return Publication(run=run, items=tuple(items), texts=tuple(texts), places=places)


def _write_scores(folder: Path, week: int, closing_code: Callable[[int, int], str]) -> None:
    folder.mkdir(parents=True)
    numbers = range(RECORDS)
    pl.DataFrame(
        {
            "record_ref": [f"S-{week}-{number}" for number in numbers],
            "source": ["incidents" if number % 3 else "referrals" for number in numbers],
            "score_01": [((number * 7) % 60) / 100 for number in numbers],
            "eligible": [True] * RECORDS,
            "characters": [100 + 13 * ((number * 11) % 60) for number in numbers],
            "opening_code": ["DISPUTE"] * RECORDS,
            "closing_code": [closing_code(week, number) for number in numbers],
        }
    ).write_parquet(folder / "scores.parquet")
