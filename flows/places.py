"""From an allocation to the places of the published queue: pure, and without a clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flows.carried import Rescored
from flows.items import Key
from triage.ranking.allocation import Allocation
from triage.store import Item, ItemCrime, PlaceRow


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One line of the run's queue file."""

    position: int
    record_ref: str
    source: str
    arm: str
    inclusion_probability: float
    score_01: float
    families: tuple[str, ...]
    rules: tuple[str, ...]
    carried: bool


def places_of(
    allocation: Allocation,
    items: Mapping[Key, tuple[Item, tuple[ItemCrime, ...]]],
    carried: Mapping[str, Rescored],
) -> tuple[tuple[PlaceRow, ...], tuple[QueueLine, ...]]:
    """Return the places of the queue as the store and as the run's queue file hold them.

    Parameters
    ----------
    allocation : Allocation
        Tonight's queue.
    items : mapping
        (reference, content hash) to the new item and the crimes of its matter.
    carried : mapping
        Item id to the item of an earlier night.
    """
    rows, lines = [], []
    for place in allocation.places:
        if place.carried is not None:
            before = carried[place.carried.item_id]
            item, crimes = before.item, before.crimes
            score_01, families, rules = before.carried.score_01, before.families, before.carried.rules
        else:
            assert place.candidate is not None, "a place has a candidate or a carried item"
            item, crimes = items[(place.candidate.record_ref, place.candidate.content_hash)]
            score_01, families, rules = item.score_01, item.families, item.rules
        again = place.carried is not None
        rows.append(
            PlaceRow(
                place.position,
                item.item_id,
                place.arm,
                score_01,
                carried=again,
                families=families,
                rules=rules,
                crimes=crimes,
            )
        )
        lines.append(
            QueueLine(
                position=place.position,
                record_ref=item.record_ref,
                source=item.source,
                arm=place.arm,
                inclusion_probability=place.inclusion_probability,
                score_01=score_01,
                families=families,
                rules=rules,
                carried=again,
            )
        )
    return tuple(rows), tuple(lines)
