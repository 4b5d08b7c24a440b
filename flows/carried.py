"""Unread items of earlier nights as they stand against what is known tonight: pure, and without a clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flows.items import Key, Weighed, item_crime
from triage.ranking.allocation import Carried
from triage.ranking.recorded import local_day
from triage.ranking.rules import fired
from triage.ranking.scoring import Ranker, rescore
from triage.reading.linking import Linked, Matter, comparable, counting
from triage.reading.records import Crime, Record
from triage.settings import Settings
from triage.store import Item, ItemCrime, ItemText


@dataclass(frozen=True, slots=True)
class Rescored:
    """An unread item of an earlier night as it stands against tonight's crimes."""

    item: Item
    carried: Carried
    families: tuple[str, ...]
    crimes: tuple[ItemCrime, ...]


@dataclass(frozen=True, slots=True)
class Tonight:
    """Tonight's matters by the records and references that items of earlier nights know them by."""

    by_record: Mapping[Key, Weighed]
    by_root: Mapping[str, Weighed]
    orphans: Mapping[str, tuple[Crime, ...]]

    @classmethod
    def of(cls, linked: Linked, weighed: Sequence[Weighed]) -> Tonight:
        """Index the matters of a night."""
        orphans: dict[str, tuple[Crime, ...]] = {}
        for crime in linked.orphan_crimes:
            raised_from = comparable(crime.record_ref)
            orphans[raised_from] = (*orphans.get(raised_from, ()), crime)
        return cls(
            {record.key: each for each in weighed for record in each.matter.records},
            {comparable(each.matter.root): each for each in weighed},
            orphans,
        )

    def matters_of(self, item: Item) -> tuple[Matter, ...]:
        """Return tonight's matters that hold a record of an item, or that are the item's by their root."""
        found = [self.by_record.get((part.source, part.record_ref)) for part in item.parts]
        found.append(self.by_root.get(comparable(item.root)))
        return tuple({each.matter.root: each.matter for each in found if each is not None}.values())

    def crimes_of(self, item: Item) -> tuple[Crime, ...]:
        """Return the crimes that tonight belong to one of an item's records."""
        names = dict.fromkeys(
            comparable(name) for name in (item.root, *(part.record_ref for part in item.parts))
        )
        return (
            *(crime for matter in self.matters_of(item) for crime in matter.crimes),
            *(crime for name in names for crime in self.orphans.get(name, ())),
        )

    def in_the_stead_of(self, item: Item, new: Collection[str]) -> Weighed | None:
        """Return tonight's matter that is read instead of an unread item, None if the item stands.

        It holds every record of the item, can be read, and has something that nobody was given to read.

        Parameters
        ----------
        item : Item
            An unread item of an earlier night.
        new : collection of str
            Roots of tonight's matters with a content that was never queued.
        """
        found = {
            id(each): each
            for part in item.parts
            if (each := self.by_record.get((part.source, part.record_ref))) is not None
        }
        here = sum((part.source, part.record_ref) in self.by_record for part in item.parts)
        if len(found) != 1 or here != len(item.parts):
            return None
        [now] = found.values()
        return now if now.candidate.eligible and now.matter.root in new else None


def rescored(
    item: Item, texts: Sequence[ItemText], tonight: Tonight, *, model: Ranker, settings: Settings
) -> Rescored:
    """Return an unread item as it stands against the crimes known when it was queued and those known tonight.

    Parameters
    ----------
    item : Item
        An item of an earlier night.
    texts : sequence of ItemText
        Its parts; tonight's word on a crime replaces what they say of it.
    tonight : Tonight
        Tonight's matters.
    model : Ranker
        Tonight's model.
    settings : Settings
        The settings of the night.
    """
    crimes = {crime.crime_ref: crime for crime in (*_stored_crimes(texts), *tonight.crimes_of(item))}
    known = tuple(crimes[reference] for reference in sorted(crimes))
    recorded = counting(known, _by_claim(item, texts, known, tonight, item.opened_at), item.opened_at)
    day = local_day(item.opened_at, settings)
    score_01, families = rescore(model, item.p_families, recorded, settings, day)
    carried = Carried(
        item_id=item.item_id,
        arm=item.arm,
        record_ref=item.record_ref,
        content_hash=item.content_hash,
        queued_at=item.queued_at,
        score_01=score_01,
        tiebreak=item.tiebreak,
        inclusion_probability=item.inclusion_probability,
        rules=_rules_now(item, texts, known, tonight),
    )
    return Rescored(item, carried, families, tuple(map(item_crime, known)))


def _rules_now(
    item: Item, texts: Sequence[ItemText], crimes: tuple[Crime, ...], tonight: Tonight
) -> tuple[str, ...]:
    """Return the rules that still send an item to the top, now that these crimes are recorded."""
    if any(part.text is None for part in texts):  # purged: what fired then is all that is known
        return item.rules
    records = tuple(
        Record(
            source=part.source,
            record_ref=part.record_ref,
            opened_at=part.opened_at,
            closed_at=part.closed_at,
            text=part.text or "",
            opening_code=part.opening_code,
            closing_code=part.closing_code,
            form_version=part.form_version,
            answers=dict(part.answers or {}),
        )
        for part in texts
    )
    opened = min(record.opened_at for record in records)
    claims = {(part.source, part.record_ref): tuple(part.claims or ()) for part in texts}
    by_claim = _by_claim(item, texts, crimes, tonight, opened)
    return fired(Matter(item.root, records, crimes, claims, claimed=by_claim))


def _by_claim(
    item: Item, texts: Sequence[ItemText], crimes: Sequence[Crime], tonight: Tonight, opened: datetime
) -> frozenset[str]:
    """Return the crimes of an item that are there since a text names them, and were recorded before."""
    stored = {crime.crime_ref for crime in _stored_crimes(texts)}
    by_claim = {reference for matter in tonight.matters_of(item) for reference in matter.claimed}
    # What the store keeps of a crime does not say how it came to the matter; an older one came by a claim.
    by_claim |= {
        crime.crime_ref for crime in crimes if crime.crime_ref in stored and crime.recorded_at < opened
    }
    return frozenset(by_claim)


def _stored_crimes(texts: Sequence[ItemText]) -> tuple[Crime, ...]:
    """Return the crimes that stood on an item when it was queued."""
    found = {crime.crime_ref: crime for text in texts for crime in text.crimes}
    return tuple(
        Crime(
            crime_ref=crime.crime_ref,
            record_ref="",
            recorded_at=datetime.fromisoformat(crime.recorded_at),
            offence_code=crime.offence_code,
            status=crime.status,
        )
        for crime in found.values()
    )
