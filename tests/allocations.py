"""Candidates and carried items for the tests of allocation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from hypothesis import strategies as st

from triage.ranking.allocation import (
    Allocation,
    Candidate,
    Carried,
    Draw,
    allocate,
)
from triage.ranking.rules import RULES
from triage.settings import Settings

NIGHT = datetime(2026, 11, 3, tzinfo=UTC)
KEY = b"zebra quorum marmalade"


def a_candidate(number: int, score: float = 0.1, **fields: object) -> Candidate:
    reference = f"XX-{number:05d}"
    made = Candidate(
        source="incidents",
        record_ref=reference,
        root=reference,
        content_hash=sha256(reference.encode()).hexdigest(),
        opened_at=NIGHT,
        eligible=True,
        stratum="readable",
        score_01=score,
        tiebreak=sha256(b"tie" + reference.encode()).hexdigest(),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def an_item(number: int, arm: str, score: float, queued_at: datetime, chance: float = 1.0) -> Carried:
    made = a_candidate(number, score)
    rules = tuple(RULES)[number % 3 : number % 3 + 1] if arm == "rule" else ()
    return Carried(
        f"item-{number}",
        arm,
        made.record_ref,
        made.content_hash,
        queued_at,
        score,
        made.tiebreak,
        chance,
        rules,
    )


@st.composite
def nights(draw: st.DrawFn) -> tuple[list[Candidate], list[Carried], dict[str, Draw], Settings]:
    scores = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.5, 0.9, 1.0])
    candidates, draws = [], {}
    for number in range(draw(st.integers(0, 25))):
        rules = draw(st.sampled_from([(), (), (), tuple(RULES)[:1], tuple(RULES)[2:]]))
        stratum = draw(st.sampled_from(["readable", "readable", "readable", "unreadable"]))
        eligible = draw(st.integers(0, 5)) > 0
        made = a_candidate(number, draw(scores), rules=rules, stratum=stratum, eligible=eligible)
        if draw(st.integers(0, 6)) == 0:
            made = replace(made, drawn_with=0.25)
            draws[made.root] = Draw(made.root, "before", stratum, 0.01, 0.25, True)
        candidates.append(made)
        if made.drawn_with is None and draw(st.integers(0, 3)) == 0:
            draws[made.root] = Draw(made.root, made.content_hash, stratum, 0.5, 0.2, False)
    carried = [
        an_item(
            1000 + number,
            arm := draw(st.sampled_from(["rule", "ranked", "control"])),
            draw(scores),
            NIGHT - timedelta(days=draw(st.integers(1, 5))),
            draw(st.sampled_from([0.01, 0.3])) if arm == "control" else 1.0,
        )
        for number in range(draw(st.integers(0, 10)))
    ]
    settings = Settings(
        budget_items=draw(st.integers(1, 20)),
        rule_share_max=draw(st.sampled_from([0.0, 0.3, 0.5, 1.0])),
        control_share=draw(st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0])),
        control_unreadable_items=draw(st.integers(0, 4)),
    )
    return candidates, carried, draws, settings


Night = tuple[list[Candidate], list[Carried], dict[str, Draw], Settings]


def allocated(night: Night, key: bytes = KEY) -> Allocation:
    candidates, carried, draws, settings = night
    return allocate(candidates, carried=carried, draws_made=draws, key=key, settings=settings)


def content_of(item: Candidate | Carried | Draw | None) -> tuple[str, str]:
    assert item is not None
    # In these tests the root of a candidate is its reference.
    return (item.root if isinstance(item, Draw) else item.record_ref, item.content_hash)


def queued_in(allocation: Allocation, arm: str | None = None) -> list[tuple[str, str]]:
    return [
        content_of(place.candidate or place.carried)
        for place in allocation.places
        if arm is None or place.arm == arm
    ]


def keys(number: int) -> Iterable[bytes]:
    return (sha256(b"key %d" % each).digest() for each in range(number))
