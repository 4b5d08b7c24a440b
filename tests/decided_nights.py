"""Nights that a model ranked and auditors decided, put into a real store from labelled records."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from triage.ranking.allocation import Draw
from triage.ranking.scoring import tiebreak
from triage.reading.records import Record
from triage.review.decisions import ReviewRules
from triage.review.outcomes import FoundCrime, Outcome
from triage.store import (
    AuditEvent,
    Item,
    ItemCrime,
    ItemText,
    Part,
    PlaceRow,
    Publication,
    Run,
    Store,
    item_id_of,
)

FIRST_NIGHT = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
RULES = ReviewRules(claim_minutes=45, correction_hours=24, carry_over_days=14, second_review_share=0.0)


@dataclass(frozen=True)
class Truth:
    """One record with the families that it discloses and those recorded for it, and the champion's score."""

    record: Record
    disclosed: tuple[str, ...]
    recorded: tuple[str, ...]
    score_01: float


def put_nights(
    store: Store,
    records: Sequence[Truth],
    *,
    nights: int,
    budget: int,
    control: int,
    rule: int = 0,
    first: datetime = FIRST_NIGHT,
    seed: int = 0,
) -> None:
    """Publish nights of like size from the records, read their budget and decide all of it the same day.

    Parameters
    ----------
    store : Store
        Prepared.
    records : sequence of Truth
        In the order of the nights.
    nights, budget, control, rule : int
        Nights; items read a night, of these drawn at random, and sent by a rule (the last of those ranked).
    first : datetime
        The first night.
    seed : int
        Seed of the draw.
    """
    generator = np.random.default_rng(seed)
    for number, part in enumerate(np.array_split(np.arange(len(records)), nights)):
        as_of = first + timedelta(days=number)
        ordered = sorted((records[at] for at in part.tolist()), key=lambda each: -each.score_01)
        certain, rest = ordered[: budget - control], ordered[budget - control :]
        chance = control / len(rest) if rest else 0.0
        drawn = set(generator.permutation(len(rest))[:control].tolist())
        arms = [("rule" if at >= len(certain) - rule else "ranked") for at in range(len(certain))]
        queued = [(each, arm, 1.0) for each, arm in zip(certain, arms, strict=True)]
        queued += [(each, "control", chance) for at, each in enumerate(rest) if at in drawn]
        _put(
            store, f"run-{as_of:%Y%m%d}", as_of, queued, [(each, at in drawn) for at, each in enumerate(rest)]
        )
        for each, _, _ in queued:
            _decide(store, _id_of(each.record), as_of + timedelta(hours=5), _outcome(each))


def _put(
    store: Store,
    run_id: str,
    as_of: datetime,
    queued: Sequence[tuple[Truth, str, float]],
    frame: Sequence[tuple[Truth, bool]],
) -> None:
    chance = next((each for _, arm, each in queued if arm == "control"), 0.0)
    publication = Publication(
        run=Run(
            run_id=run_id,
            published_at=as_of + timedelta(minutes=7),
            as_of=as_of,
            extract_digest="e" * 64,
            model_id="an earlier one",
            settings_digest="5" * 64,
            recipe="linear",
            budget_items=len(queued),
        ),
        items=tuple(_item(each, arm, p, run_id, as_of) for each, arm, p in queued),
        texts=tuple(_text(each.record, as_of) for each, _, _ in queued),
        places=tuple(
            PlaceRow(
                position,
                _id_of(each.record),
                arm,
                each.score_01,
                carried=False,
                crimes=tuple(
                    ItemCrime(f"{each.record.record_ref}/{family}", family, as_of.isoformat())
                    for family in each.recorded
                ),
            )
            for position, (each, arm, _) in enumerate(queued, 1)
        ),
        draws=tuple(
            Draw(each.record.record_ref, _content(each.record), "readable", 0.5, chance, drawn)
            for each, drawn in frame
            if chance
        ),
    )
    assert store.publish(publication, AuditEvent(as_of, "nightly", "combination", run_id, run_id))


def _item(truth: Truth, arm: str, p: float, run_id: str, as_of: datetime) -> Item:
    record = truth.record
    return Item(
        item_id=_id_of(record),
        run_id=run_id,
        source=record.source,
        record_ref=record.record_ref,
        root=record.record_ref,
        content_hash=_content(record),
        arm=arm,
        inclusion_probability=p,
        random_number=0.5 if arm == "control" else None,
        stratum="readable",
        score_01=truth.score_01,
        tiebreak=tiebreak(*record.key),
        opened_at=as_of - timedelta(days=1),
        queued_at=as_of,
        retain_until=as_of + timedelta(days=90),
        parts=(Part(record.source, record.record_ref),),
    )


def _text(record: Record, as_of: datetime) -> ItemText:
    return ItemText(
        item_id=_id_of(record),
        part=1,
        source=record.source,
        record_ref=record.record_ref,
        text=record.text,
        answers=dict(record.answers),
        claims=(),
        opened_at=as_of - timedelta(days=1),
        closed_at=None,
        retain_until=as_of + timedelta(days=90),
        form_version=record.form_version,
        content_hash=_content(record),
    )


def _decide(store: Store, item_id: str, at: datetime, outcome: Outcome) -> None:
    for act, decided in (("claim", None), ("decide", outcome)):
        store.act(
            item_id,
            act,
            actor="an.auditor",
            roles={"auditor"},
            at=at,
            token=f"{item_id} {act}",
            rules=RULES,
            outcome=decided,
            chance=1.0,
        )


def _outcome(truth: Truth) -> Outcome:
    found = [family for family in truth.disclosed if family not in truth.recorded]
    return Outcome("yes" if found else "no", tuple(FoundCrime(family) for family in found))


def _id_of(record: Record) -> str:
    return item_id_of(record.source, record.record_ref, _content(record))


def _content(record: Record) -> str:
    return hashlib.sha256(f"{record.record_ref}\n{record.text}".encode()).hexdigest()
