"""Which records are about one matter, which crimes belong to it, and what its texts claim was recorded."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta

from triage.reading.claims import Claim, canonical, check_claims, find_claims, tail_parts
from triage.reading.records import RECORD_TABLES, Crime, Extract, Record
from triage.reading.repeats import find_repeats
from triage.settings import Settings

__all__ = ["Claim", "Linked", "Matter", "comparable", "link"]

Key = tuple[str, str]
#: Why a further record belongs to a matter; the first that holds is named.
LINKS = ("incident", "same_reference", "duplicate_claim", "repeat")
#: A log may be closed as a duplicate of one opened up to this many times ``repeat_hours`` before it.
DUPLICATE_CLAIM_WINDOWS = 14


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
    def lead(self) -> Record:
        """The record under whose reference the matter is queued."""
        return self.records[0]


@dataclass(frozen=True, slots=True)
class Linked:
    """An extract's records as matters; ``orphan_crimes`` were raised from no record of this extract."""

    matters: tuple[Matter, ...]
    orphan_crimes: tuple[Crime, ...]
    counts: Mapping[str, int]


class _Sets:
    """Union-find over record keys, whose representative is always the smallest key."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._parent = {key: key for key in keys}
        self.reasons: dict[Key, set[str]] = defaultdict(set)

    def find(self, key: Key) -> Key:
        root = key
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[key] != root:
            self._parent[key], key = root, self._parent[key]
        return root

    def join(self, one: Key, other: Key, reason: str) -> None:
        self.reasons[one].add(reason)
        self.reasons[other].add(reason)
        first, second = sorted((self.find(one), self.find(other)))
        self._parent[second] = first


def comparable(reference: str) -> str:
    """Return a record's or incident's reference as linking compares it, whatever its case and spaces.

    >>> comparable(" XX-0417 ") == comparable("xx-0417")
    True
    """
    return " ".join(reference.split()).casefold()


def _join_by_reference(records: Iterable[Record], sets: _Sets) -> dict[str, Key]:
    """Join the records that share a reference; return one record's key for every reference they name."""
    own: dict[str, list[Key]] = defaultdict(list)
    naming: dict[str, list[Key]] = defaultdict(list)
    for record in records:
        own[comparable(record.record_ref)].append(record.key)
        if comparable(record.incident_ref):
            naming[comparable(record.incident_ref)].append(record.key)
    for reference in sorted({*own, *naming}):
        holders, namers = own[reference], naming[reference]
        for key in holders[1:]:
            sets.join(holders[0], key, "same_reference")
        for key in namers:
            first = (holders or namers)[0]
            if key != first:
                sets.join(first, key, "incident")
    return {reference: (own[reference] or naming[reference])[0] for reference in {*own, *naming}}


class _Logs:
    """Finds the one record that a log number in a text means."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._by_tail: dict[tuple[str, ...], list[tuple[datetime, str, Key]]] = defaultdict(list)
        for record in records:
            parts = tail_parts(record.record_ref)
            for length in range(1, len(parts) + 1):
                self._by_tail[parts[-length:]].append((record.opened_at, record.record_ref, record.key))
        for candidates in self._by_tail.values():
            candidates.sort()

    def named(self, number: str, asking: Record, window: timedelta) -> tuple[str, Key] | None:
        """Return reference and key of the one record opened in the window before, None if not exactly one."""
        candidates = self._by_tail.get(tail_parts(number), [])
        found: dict[str, Key] = {}
        for opened_at, reference, key in candidates[bisect_left(candidates, (asking.opened_at - window,)) :]:
            if opened_at > asking.opened_at or len(found) > 1:
                break
            if comparable(reference) != comparable(asking.record_ref):
                found.setdefault(reference, key)
        return next(iter(found.items())) if len(found) == 1 else None


def _check_all(
    records: tuple[Record, ...], crimes: tuple[Crime, ...], sets: _Sets, settings: Settings
) -> dict[Key, tuple[Claim, ...]]:
    """Return every record's checked claims, and join a record to the log it verifiably duplicates."""
    by_reference: dict[str, str] = {}
    for crime in crimes:
        by_reference.setdefault(canonical(crime.crime_ref), crime.crime_ref)
    known = {canonical(record.record_ref) for record in records}
    logs = _Logs(records)
    window = timedelta(hours=settings.repeat_hours) * DUPLICATE_CLAIM_WINDOWS
    checked: dict[Key, tuple[Claim, ...]] = {}
    for record in records:
        raw = find_claims(record.text)
        if not raw:
            continue
        targets: dict[str, Key] = {}

        def log_named(number: str, asking: Record = record, targets: dict[str, Key] = targets) -> str | None:
            found = logs.named(number, asking, window)
            if found is None:
                return None
            targets[found[0]] = found[1]
            return found[0]

        claims = check_claims(
            raw,
            record.text,
            crimes=by_reference,
            records=known,
            log_named=log_named,
            own_force_prefixes=settings.own_force_prefixes,
        )
        if claims:
            checked[record.key] = claims
        for target in sorted(targets.values()):
            sets.join(record.key, target, "duplicate_claim")
    return checked


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


def _cancelled_by_record(
    records: Iterable[Record], crimes: tuple[Crime, ...]
) -> tuple[tuple[Crime, ...], int]:
    """Return the crimes, cancelled where a record of the cancellation bears their reference; and how many."""
    bearing = (record for record in records if record.source == "cancelled_crimes")
    # A reference of signs only compares as nothing, and must not cancel another such one.
    cancelled = {canonical(record.record_ref) for record in bearing} - {""}
    borne = [canonical(crime.crime_ref) in cancelled for crime in crimes]
    as_known = (
        replace(crime, status="cancelled") if its else crime for crime, its in zip(crimes, borne, strict=True)
    )
    return tuple(as_known), sum(borne)


def _matter(
    group: list[Record],
    crimes: Mapping[str, Crime],
    only_claimed: Collection[str],
    claims: Mapping[Key, tuple[Claim, ...]],
    reasons: Mapping[Key, set[str]],
    settings: Settings,
) -> Matter:
    ordered = sorted(group, key=_reading_order)
    opened_at = min(record.opened_at for record in group)
    links = {}
    for record in ordered[1:]:
        held = reasons.get(record.key, set())
        links[record.key] = next(reason for reason in LINKS if reason in held)
    return Matter(
        root=_root(ordered),
        records=tuple(ordered),
        crimes=tuple(crimes[reference] for reference in sorted(crimes)),
        claims={record.key: claims[record.key] for record in ordered if record.key in claims},
        links=links,
        claimed=frozenset(
            reference
            for reference in only_claimed
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
    records = tuple(sorted(extract.records, key=lambda record: record.key))
    crimes, cancelled = _cancelled_by_record(
        records, tuple(sorted(extract.crimes, key=lambda crime: crime.crime_ref))
    )
    by_key = {record.key: record for record in records}
    sets = _Sets(by_key)
    places = _join_by_reference(records, sets)
    claims = _check_all(records, crimes, sets, settings)
    for later, earlier in find_repeats(records, settings):
        sets.join(earlier, later, "repeat")

    by_crime_ref = {crime.crime_ref: crime for crime in crimes}
    crimes_of: dict[Key, dict[str, Crime]] = defaultdict(dict)
    only_claimed: dict[Key, set[str]] = defaultdict(set)
    orphans = []
    for crime in crimes:
        place = places.get(comparable(crime.record_ref))
        if place is None:
            orphans.append(crime)
        else:
            crimes_of[sets.find(place)][crime.crime_ref] = crime
    named: set[str] = set()
    by_canonical = {canonical(crime.crime_ref): crime for crime in reversed(crimes)}
    by_canonical.pop("", None)
    for record in records:
        cancels = by_canonical.get(canonical(record.record_ref))
        if record.source == "cancelled_crimes" and cancels is not None:
            crimes_of[sets.find(record.key)][cancels.crime_ref] = cancels
            named.add(cancels.crime_ref)
    for record in records:
        place = sets.find(record.key)
        for claim in claims.get(record.key, ()):
            if claim.status != "verified" or claim.kind == "duplicate":
                continue
            if claim.reference not in crimes_of[place]:
                crimes_of[place][claim.reference] = by_crime_ref[claim.reference]
                only_claimed[place].add(claim.reference)
            named.add(claim.reference)

    groups: dict[Key, list[Record]] = defaultdict(list)
    for record in records:
        groups[sets.find(record.key)].append(record)
    matters = sorted(
        (
            _matter(group, crimes_of[key], only_claimed[key], claims, sets.reasons, settings)
            for key, group in groups.items()
        ),
        key=lambda matter: (matter.root, matter.lead.key),
    )
    counts = _counts(matters, crimes, orphans, named) | {"crimes_cancelled_by_record": cancelled}
    return Linked(tuple(matters), tuple(orphans), counts)


def _counts(
    matters: list[Matter], crimes: tuple[Crime, ...], orphans: list[Crime], named: set[str]
) -> dict[str, int]:
    reasons = Counter(reason for matter in matters for reason in matter.links.values())
    statuses = Counter(
        claim.status for matter in matters for claims in matter.claims.values() for claim in claims
    )
    return {
        "records": sum(len(matter.records) for matter in matters),
        "matters": len(matters),
        **{f"linked_{reason}": reasons[reason] for reason in LINKS},
        "crimes": len(crimes),
        "crimes_linked": len(crimes) - len(orphans),
        "crimes_orphan": len(orphans),
        "crimes_orphan_claimed": sum(crime.crime_ref in named for crime in orphans),
        **{f"claims_{status}": statuses[status] for status in ("verified", "unknown", "other_force")},
    }
