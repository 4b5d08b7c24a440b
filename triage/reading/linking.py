"""Which records are about one matter, which crimes belong to it, and what its texts claim was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from triage.reading.claims import Claim
from triage.reading.columns import Records
from triage.reading.grouping import LINKS, Groups, Keys, comparable, group
from triage.reading.records import RECORD_TABLES, Crime, Extract, Record
from triage.settings import Settings

__all__ = ["Claim", "Linked", "Matter", "comparable", "counting", "is_long_past", "link"]
#: A crime recorded so long before a matter opened, and known by a text's claim alone, is not of the matter.
_LONG_PAST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Matter:
    """The records about one matter, read together as one item, with the crimes recorded for it.

    ``records`` are in reading order with the lead record first; ``root`` is the reference that stays the same
    from night to night (the incident's reference where one is known); ``crimes`` holds every crime, of any
    status, raised from one of the records or from their incident, cancelled by one of them, or named by a
    verified claim; ``claims`` maps a record's ``key`` to its claims; ``links`` says why each further record
    is here (``incident``, ``same_reference``, ``duplicate_claim``, ``repeat``). ``claimed`` names the crimes
    that are here by a claim only and were recorded before the first record opened: what a text says of the
    past, not what was recorded for this matter.
    """

    root: str
    records: tuple[Record, ...]
    crimes: tuple[Crime, ...] = ()
    claims: Mapping[tuple[str, str], tuple[Claim, ...]] = field(default_factory=dict)
    links: Mapping[tuple[str, str], str] = field(default_factory=dict)
    claimed: frozenset[str] = frozenset()

    @property
    def recorded(self) -> tuple[Crime, ...]:
        """The crimes that count as recorded for it: not those long past that its texts merely name."""
        return counting(self.crimes, self.claimed, min(record.opened_at for record in self.records))

    @property
    def lead(self) -> Record:
        """The record under whose reference the matter is queued."""
        return self.records[0]


@dataclass(frozen=True, slots=True)
class Linked:
    """An extract's records as matters; ``orphan_crimes`` were raised from no record of this extract."""

    matters: tuple[Matter, ...]
    orphan_crimes: tuple[Crime, ...]
    counts: Mapping[str, int]


def is_long_past(crime: Crime, opened_at: datetime) -> bool:
    """Tell whether a crime was recorded long before a matter opened: a text which names it tells of the past.

    A follow-up names the crime of the days before; "previous crime 42/01111/19 refers" is of another matter.
    """
    return crime.recorded_at < opened_at - _LONG_PAST


def counting(crimes: Iterable[Crime], claimed: Collection[str], opened_at: datetime) -> tuple[Crime, ...]:
    """Return the crimes that count as recorded for a matter, of which some are there by a claim alone."""
    return tuple(
        crime for crime in crimes if crime.crime_ref not in claimed or not is_long_past(crime, opened_at)
    )


def _reading_order(record: Record) -> tuple[bool, datetime, int, str]:
    return (
        record.source != "incidents",
        record.opened_at,
        RECORD_TABLES.index(record.source),
        record.record_ref,
    )


def _root(ordered: list[Record]) -> str:
    if ordered[0].source == "incidents":
        return ordered[0].record_ref
    named = [record for record in ordered if record.incident_ref.strip()]
    if named:
        return min(named, key=lambda record: (record.opened_at, record.incident_ref)).incident_ref.strip()
    return min(ordered, key=lambda record: (record.opened_at, record.record_ref)).record_ref


def _recorded_before(crime: Crime, opened_at: datetime, settings: Settings) -> bool:
    # Many crimes tables hold dates only, which read as midnight: such a crime is of the end of its day.
    local = crime.recorded_at.astimezone(settings.zone)
    if local.time() == time():
        return local + timedelta(days=1) <= opened_at
    return crime.recorded_at < opened_at


def _matter(places: Sequence[int], records: Sequence[Record], groups: Groups, settings: Settings) -> Matter:
    lead = groups.leads[places[0]]
    crimes = groups.crimes_of.get(lead, {})
    ordered = sorted((records[place] for place in places), key=_reading_order)
    opened_at = min(record.opened_at for record in ordered)
    reasons = {records[place].key: groups.reasons.get(place, ()) for place in places}
    claims = {records[place].key: groups.claims[place] for place in places if place in groups.claims}
    return Matter(
        root=_root(ordered),
        records=tuple(ordered),
        crimes=tuple(crimes[reference] for reference in sorted(crimes)),
        claims={record.key: claims[record.key] for record in ordered if record.key in claims},
        links={
            record.key: next(reason for reason in LINKS if reason in reasons[record.key])
            for record in ordered[1:]
        },
        claimed=frozenset(
            reference
            for reference in groups.only_claimed.get(lead, ())
            if _recorded_before(crimes[reference], opened_at, settings)
        ),
    )


def link(extract: Extract, settings: Settings) -> Linked:
    """Return the extract's records as matters with their crimes; each record is in exactly one matter.

    Records are of one matter if they share an incident reference (even where the log is not in the extract)
    or a reference, if one verifiably claims to duplicate the other, or if one repeats the other
    (``find_repeats``). A crime belongs to the matter of the record or incident that it was raised from, and
    besides to every matter whose text names it or whose record cancelled it. A crime whose own reference a
    record of ``cancelled_crimes`` bears is ``cancelled``, whatever its own row says; one that was merely
    raised from such a record keeps its status. The order of rows never matters.

    Parameters
    ----------
    extract : Extract
        The night's records and crimes.
    settings : Settings
        ``own_force_prefixes``, ``repeat_hours``, ``repeat_similarity``, ``repeat_min_words``; ``timezone``,
        since a crime recorded at midnight there has a date and no time: it counts as of the end of that day.

    Returns
    -------
    Linked
        Matters sorted by root; ``counts`` has ``records``, ``matters``, ``linked_<reason>`` for records
        beyond a matter's lead, ``crimes``, ``crimes_linked``, ``crimes_orphan``, ``crimes_orphan_claimed``
        (of the orphans, those that a text names or a record cancels), ``crimes_cancelled_by_record`` and
        ``claims_<status>``.

    Source: domain.md 9, points 2 and 9 (join to crime records first; repeat calls are one thread), 1.4, 1.7.
    """
    groups = group(Keys.of(Records.of(extract.records)), extract.crimes, settings)
    records = sorted(extract.records, key=lambda record: record.key)
    members: dict[int, list[int]] = {}
    for place, lead in enumerate(groups.leads):
        members.setdefault(lead, []).append(place)
    matters = sorted(
        (_matter(places, records, groups, settings) for places in members.values()),
        key=lambda matter: (matter.root, matter.lead.key),
    )
    return Linked(tuple(matters), groups.orphans, _counts(matters, groups))


def _counts(matters: list[Matter], groups: Groups) -> dict[str, int]:
    reasons = Counter(reason for matter in matters for reason in matter.links.values())
    statuses = Counter(
        claim.status for matter in matters for claims in matter.claims.values() for claim in claims
    )
    return {
        "records": len(groups.leads),
        "matters": len(matters),
        **{f"linked_{reason}": reasons[reason] for reason in LINKS},
        "crimes": len(groups.crimes),
        "crimes_linked": len(groups.crimes) - len(groups.orphans),
        "crimes_orphan": len(groups.orphans),
        "crimes_orphan_claimed": sum(crime.crime_ref in groups.named for crime in groups.orphans),
        "crimes_cancelled_by_record": groups.cancelled,
        **{
            f"claims_{status}": statuses[status]
            for status in ("verified", "unknown", "other_force", "other_occasion")
        },
    }
