"""Invented closed items for the tests of training tables and weights; every text holds the canary phrase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from tests.conftest import CANARY
from triage.reading.records import Record
from triage.review.labels import Decided, Kept, Label, Queued
from triage.review.outcomes import FoundCrime, Outcome

FIRST_NIGHT = datetime(2026, 3, 1, 6, tzinfo=UTC)


def said(number: int, words: int = 40) -> str:
    """Return a text of its own for each number, too unlike the others to be taken for a near-duplicate."""
    letters = np.random.default_rng(number).choice(list("abcdefghij"), size=(words, 4))
    own = map("".join, letters.tolist())
    case = chr(97 + number // 26) + chr(97 + number % 26)
    return f"The officer spoke of case {case}: {' '.join(own)}. {CANARY}."


def decided(
    number: int,
    outcome: str | Outcome = "no",
    *,
    arm: str = "ranked",
    p: float = 1.0,
    entry: float | None = 1.0,
    root: str = "",
    texts: Sequence[str] = (),
    recorded: tuple[str, ...] = (),
    kept: Kept = "kept",
    day: int | None = None,
) -> Decided:
    """Return one closed item; by default a ranked one with a log of its own and nothing found."""
    at = FIRST_NIGHT + timedelta(days=number if day is None else day)
    if isinstance(outcome, str):
        outcome = Outcome(outcome, (FoundCrime("burglary", 1),) if outcome == "yes" else ())
    sources = ("incidents", "assessments", "referrals")
    records = tuple(
        Record(source, f"F-{number}-{part}", at, at, text)
        for part, (source, text) in enumerate(zip(sources, texts or (said(number),), strict=False), 1)
    )
    return Decided(
        queued=Queued(f"{number:016x}", root or f"R-{number}", "run", arm, "readable", p, entry, 0.5, at),
        parts=tuple(record.key for record in records),
        records=records if kept == "kept" else (),
        recorded=recorded,
        label=Label(outcome, "one", at + timedelta(hours=3), at + timedelta(hours=27), "2026-11-0a1b2c3d"),
        text=kept,
    )


def of_version(first: Decided, number: int, text: str) -> Decided:
    """Return a later item of the same record, with another text."""
    record = replace(first.records[0], text=text)
    queued = replace(
        first.queued, item_id=f"{number:016x}", queued_at=first.queued.queued_at + timedelta(days=1)
    )
    return replace(first, queued=queued, records=(record,), label=replace(first.label))
