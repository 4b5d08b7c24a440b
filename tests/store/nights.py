"""Invented nights for the tests of the store; every text holds the canary phrase."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from triage.ranking.allocation import Draw
from triage.reading.linking import Claim
from triage.reading.records import RejectedRow
from triage.review.decisions import ReviewRules
from triage.review.outcomes import Outcome
from triage.store import (
    AuditEvent,
    Item,
    ItemCrime,
    ItemEvidence,
    ItemText,
    Part,
    PlaceRow,
    Publication,
    Run,
    Store,
    item_id_of,
)

CANARY = "zebra quorum marmalade"
FIRST_NIGHT = datetime(2026, 3, 1, 6, 30, 15, 123456, tzinfo=UTC)
RULES = ReviewRules(claim_minutes=45, correction_hours=24, carry_over_days=14, second_review_share=0.0)
NO_CRIME = Outcome("no")
CRIME = ItemCrime("42/1/26", "105/01", "2026-03-01T06:00:00+00:00")


def event(
    action: str = "collection", subject: str = "run", minute: int = 0, **details: int | str
) -> AuditEvent:
    """An audit event of an invented auditor."""
    return AuditEvent(
        FIRST_NIGHT + timedelta(minutes=minute), "auditor.one", action, subject, details=details
    )


def night(
    run_id: str = "run-1", items: int = 3, *, day: int = 0, carried: tuple[Item, ...] = (), words: str = ""
) -> Publication:
    """A night with new items, places for carried ones, one draw per item, and one rejected row."""
    as_of = FIRST_NIGHT + timedelta(days=day)
    new = tuple(_item(run_id, number, as_of) for number in range(1, items + 1))
    placed = [(item, True) for item in carried] + [(item, False) for item in new]
    return Publication(
        run=Run(
            run_id=run_id,
            published_at=as_of + timedelta(minutes=7),
            as_of=as_of,
            extract_digest="e" * 64,
            model_id="linear-2026-03-01-0a1b2c3d",
            settings_digest="5" * 64,
            recipe="linear",
            budget_items=40,
            counts={"records": 10, "arms": {"ranked": items}},
            notes=("incidents: column crew is not in the contract",),
        ),
        items=new,
        texts=tuple(text for item in new for text in _texts(item, words)),
        places=tuple(
            PlaceRow(
                position,
                item.item_id,
                item.arm,
                item.score_01 / 3,
                was_carried,
                families=("rape",) if was_carried else item.families,
                rules=() if was_carried else item.rules,
                crimes=(CRIME,) if was_carried else (),
            )
            for position, (item, was_carried) in enumerate(placed, 1)
        ),
        draws=tuple(
            Draw(item.root, item.content_hash, item.stratum, 0.1 + 0.2, 1 / 3, False) for item in new
        ),
        rejects=(RejectedRow("incidents.csv", "incidents", 7, "opened_at", "unreadable_time"),),
    )


def _item(run_id: str, number: int, as_of: datetime) -> Item:
    reference = f"{run_id}/L-{number}"
    content = hashlib.sha256(reference.encode()).hexdigest()
    return Item(
        item_id=item_id_of("incidents", reference, content),
        run_id=run_id,
        source="incidents",
        record_ref=reference,
        root=f"{run_id}/ROOT-{number}",
        content_hash=content,
        arm="ranked",
        inclusion_probability=1.0,
        random_number=0.1 + 0.2 if number % 2 else None,
        stratum="readable",
        score_01=1 / (number + 2),
        tiebreak=content[:16],
        opened_at=as_of - timedelta(days=2),
        queued_at=as_of,
        retain_until=as_of + timedelta(days=90),
        parts=(
            Part("incidents", reference),
            Part("assessments", f"{run_id}/DASH-{number}", "incident"),
        ),
        p_families={"violence_with_injury": 1 / 3, "burglary": 2e-17},
        families=("violence_with_injury",),
        evidence=(
            ItemEvidence("violence_with_injury", 3, 9),
            ItemEvidence("non_fatal_strangulation", question="q19", part=2),
        ),
        rules=("opening_code_of_a_crime",),
    )


def _texts(item: Item, words: str) -> tuple[ItemText, ...]:
    return tuple(
        ItemText(
            item_id=item.item_id,
            part=number,
            source=part.source,
            record_ref=part.record_ref,
            text=f"{CANARY} – née Ö 🦓\n{words}",
            answers={19: "Y", 2: "NK"} if part.source == "assessments" else {},
            claims=(Claim("crime", "42/123/26", 3, 9, "unknown"),),
            opened_at=item.opened_at,
            closed_at=None,
            retain_until=item.retain_until,
            opening_code="domestic",
            form_version="dash-police-27" if part.source == "assessments" else "",
            crimes=(CRIME,),
            content_hash=hashlib.sha256(
                f"{part.record_ref}{words}".encode(errors="surrogatepass")
            ).hexdigest(),
        )
        for number, part in enumerate(item.parts, 1)
    )


def decide(
    store: Store, item_id: str, at: datetime, outcome: Outcome = NO_CRIME, *, by: str = "an.auditor"
) -> None:
    """Let an auditor claim and decide an item."""
    for act, decided in (("claim", None), ("decide", outcome)):
        store.act(
            item_id,
            act,
            actor=by,
            roles={"auditor"},
            at=at,
            token=f"{item_id} {act} {by} {at}",
            rules=RULES,
            outcome=decided,
        )
