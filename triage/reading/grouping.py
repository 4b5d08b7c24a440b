"""Which records of an extract are about one matter, and which crimes are its own, found over columns."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from triage.reading.claims import (
    Claim,
    canonical,
    canonical_all,
    check_claims,
    find_all_claims,
    largest_numbers,
    tail_parts,
)
from triage.reading.columns import Records
from triage.reading.records import Crime
from triage.reading.repeats import Narratives, find_repeats
from triage.settings import Settings

#: Why a further record belongs to a matter; the first that holds is named.
LINKS = ("incident", "same_reference", "duplicate_claim", "repeat")
#: A log may be closed as a duplicate of one opened up to this many times ``repeat_hours`` before it.
DUPLICATE_CLAIM_WINDOWS = 14
#: Texts looked through at a time.
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Keys:
    """The columns of records that linking reads, in the order of their keys.

    A record is its place in these columns. ``opened_at`` is in microseconds.
    """

    sources: Sequence[str]
    references: Sequence[str]
    incident_refs: Sequence[str]
    opened_at: Sequence[int]
    areas: Sequence[str]
    texts: pl.Series

    @classmethod
    def of(cls, records: Records) -> Keys:
        """Return the columns of records."""
        tables = [(source, records.tables[source]) for source in sorted(records.tables)]

        def column(name: str) -> pl.Series:
            found = [
                frame.get_column(name) if name in frame.columns else pl.repeat("", frame.height, eager=True)
                for _, frame in tables
            ]
            return pl.concat(found) if found else pl.Series([], dtype=pl.String)

        return cls(
            sources=[source for source, frame in tables for _ in range(frame.height)],
            references=column("record_ref").to_list(),
            incident_refs=column("incident_ref").to_list(),
            opened_at=column("opened_at").to_list(),
            areas=column("area").to_list(),
            texts=column("text"),
        )


@dataclass(frozen=True, slots=True)
class Groups:
    """Records about one matter, with its crimes.

    ``leads`` gives for each record the first one of its matter, by which the matter is known in
    ``crimes_of`` (crimes by reference) and ``only_claimed`` (crimes that are here by a claim alone).
    ``reasons`` says why a record is linked to another, ``claims`` what it claims. ``orphans`` were raised
    from no record here; ``named`` are references of crimes that a text names or a record cancelled.
    """

    leads: Sequence[int]
    crimes: tuple[Crime, ...]
    crimes_of: Mapping[int, Mapping[str, Crime]]
    only_claimed: Mapping[int, Collection[str]]
    reasons: Mapping[int, Collection[str]]
    claims: Mapping[int, tuple[Claim, ...]]
    orphans: tuple[Crime, ...]
    named: Collection[str]
    cancelled: int


@dataclass(slots=True)
class _Sets:
    """Union-find over places, whose representative is always the smallest one."""

    parents: list[int]
    reasons: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def find(self, place: int) -> int:
        root = place
        while self.parents[root] != root:
            root = self.parents[root]
        while self.parents[place] != root:
            self.parents[place], place = root, self.parents[place]
        return root

    def join(self, one: int, other: int, reason: str) -> None:
        self.reasons[one].add(reason)
        self.reasons[other].add(reason)
        first, second = sorted((self.find(one), self.find(other)))
        self.parents[second] = first


def comparable(reference: str) -> str:
    """Return a record's or incident's reference as linking compares it, whatever its case and spaces.

    >>> comparable(" XX-0417 ") == comparable("xx-0417")
    True
    """
    return " ".join(reference.split()).casefold()


def group(keys: Keys, crimes: Iterable[Crime], settings: Settings, *, borne_out: bool = False) -> Groups:
    """Return which records are about one matter, and its crimes; see ``triage.reading.linking.link``.

    With ``borne_out`` only such claims are looked for as a crime or record of the extract bears out: they
    alone link anything, and most texts need not be searched.
    """
    known, cancelled = _cancelled_by_record(keys, sorted(crimes, key=lambda crime: crime.crime_ref))
    sets = _Sets(list(range(len(keys.references))))
    places = _join_by_reference(keys, sets)
    by_canonical: dict[str, Crime] = {}
    for crime, reference in zip(known, canonical_all([crime.crime_ref for crime in known]), strict=True):
        by_canonical.setdefault(reference, crime)
    claims = _check_all(keys, by_canonical, sets, settings, borne_out=borne_out)
    for later, earlier in find_repeats(Narratives(keys.texts, keys.opened_at, keys.areas), settings):
        sets.join(earlier, later, "repeat")

    by_reference = {crime.crime_ref: crime for crime in known}
    crimes_of: dict[int, dict[str, Crime]] = defaultdict(dict)
    only_claimed: dict[int, set[str]] = defaultdict(set)
    orphans = []
    for crime in known:
        place = places.get(comparable(crime.record_ref))
        if place is None:
            orphans.append(crime)
        else:
            crimes_of[sets.find(place)][crime.crime_ref] = crime
    named: set[str] = set()
    by_canonical.pop("", None)
    for place, source in enumerate(keys.sources):
        cancels = (
            by_canonical.get(canonical(keys.references[place])) if source == "cancelled_crimes" else None
        )
        if cancels is not None:
            crimes_of[sets.find(place)][cancels.crime_ref] = cancels
            named.add(cancels.crime_ref)
    for place in sorted(claims):
        matter = sets.find(place)
        for claim in claims[place]:
            if claim.status != "verified" or claim.kind == "duplicate":
                continue
            if claim.reference not in crimes_of[matter]:
                crimes_of[matter][claim.reference] = by_reference[claim.reference]
                only_claimed[matter].add(claim.reference)
            named.add(claim.reference)
    return Groups(
        leads=[sets.find(place) for place in range(len(keys.references))],
        crimes=tuple(known),
        crimes_of=crimes_of,
        only_claimed=only_claimed,
        reasons=sets.reasons,
        claims=claims,
        orphans=tuple(orphans),
        named=named,
        cancelled=cancelled,
    )


def _cancelled_by_record(keys: Keys, crimes: Sequence[Crime]) -> tuple[list[Crime], int]:
    """Return the crimes, cancelled where a record of the cancellation bears their reference; and how many."""
    bearing = [
        reference
        for reference, source in zip(keys.references, keys.sources, strict=True)
        if source == "cancelled_crimes"
    ]
    # A reference of signs only compares as nothing, and must not cancel another such one.
    cancelled = set(canonical_all(bearing)) - {""}
    borne = [each in cancelled for each in canonical_all([crime.crime_ref for crime in crimes])]
    as_known = [
        replace(crime, status="cancelled") if its else crime for crime, its in zip(crimes, borne, strict=True)
    ]
    return as_known, sum(borne)


def _join_by_reference(keys: Keys, sets: _Sets) -> dict[str, int]:
    """Join the records that share a reference; return one record for every reference they name."""
    own: dict[str, int] = {}
    for place, reference in enumerate(map(comparable, keys.references)):
        first = own.setdefault(reference, place)
        if first != place:
            sets.join(first, place, "same_reference")
    naming: dict[str, int] = {}
    for place, reference in enumerate(keys.incident_refs):
        incident = comparable(reference) if reference else ""
        if not incident:
            continue
        first = own[incident] if incident in own else naming.setdefault(incident, place)
        if first != place:
            sets.join(first, place, "incident")
    for incident, place in naming.items():
        own.setdefault(incident, place)
    return own


class _Logs:
    """Finds the one record that a log number in a text means."""

    def __init__(self, keys: Keys, numbers: Iterable[str]) -> None:
        self._keys = keys
        self._by_tail: dict[tuple[str, ...], list[tuple[int, str, int]]] = defaultdict(list)
        ends = {tail_parts(number)[-1:] for number in numbers}
        for place in _ending(keys.references, {end[0] for end in ends if end}):
            parts = tail_parts(keys.references[place])
            if parts[-1:] in ends:
                for length in range(1, len(parts) + 1):
                    self._by_tail[parts[-length:]].append(
                        (keys.opened_at[place], keys.references[place], place)
                    )
        for candidates in self._by_tail.values():
            candidates.sort()

    def named(self, number: str, asking: int, window: int) -> tuple[str, int] | None:
        """Return reference and place of the one record opened in the window before, if exactly one."""
        opened_at, own = self._keys.opened_at[asking], comparable(self._keys.references[asking])
        candidates = self._by_tail.get(tail_parts(number), [])
        found: dict[str, int] = {}
        begin = bisect_left(candidates, (opened_at - window,))
        for opened, reference, place in (candidates[at] for at in range(begin, len(candidates))):
            if opened > opened_at or len(found) > 1:
                break
            if comparable(reference) != own:
                found.setdefault(reference, place)
        return next(iter(found.items())) if len(found) == 1 else None


def _ending(references: Sequence[str], ends: Collection[str]) -> list[int]:
    """Return the places of the references whose last run of letters or digits may be one of some."""
    column = pl.Series(references, dtype=pl.String)
    last = column.str.to_uppercase().str.extract(r"([A-Z]+|[0-9]+)[^A-Z0-9]*$").str.strip_chars_start("0")
    wanted = pl.Series([end.lstrip("0") for end in ends], dtype=pl.String)
    beyond_ascii = column.str.contains(r"[^\x00-\x7f]")
    return (last.is_in(wanted.implode()).fill_null(False) | beyond_ascii).arg_true().to_list()


def _check_all(
    keys: Keys, crimes: Mapping[str, Crime], sets: _Sets, settings: Settings, *, borne_out: bool
) -> dict[int, tuple[Claim, ...]]:
    """Return every record's checked claims, and join a record to the log it verifiably duplicates."""
    found: dict[int, tuple[Claim, ...]] = {}
    only = largest_numbers(crimes) if borne_out else None
    for at in range(0, len(keys.texts), _AT_ONCE):
        for place, raw in find_all_claims(keys.texts.slice(at, _AT_ONCE), only):
            found[at + place] = raw
    if not found:
        return {}
    by_reference = {reference: crime.crime_ref for reference, crime in crimes.items()}
    # A claim that is only a record's own reference is none, and is not borne out either.
    records = frozenset(() if borne_out else canonical_all(keys.references))
    duplicates = [claim for raw in found.values() for claim in raw if claim.kind == "duplicate"]
    logs = _Logs(keys, [claim.reference for claim in duplicates])
    window = int(settings.repeat_hours * 3_600_000_000) * DUPLICATE_CLAIM_WINDOWS
    checked: dict[int, tuple[Claim, ...]] = {}
    for place, raw in found.items():
        targets: dict[str, int] = {}
        claims = check_claims(
            raw,
            keys.texts[place],
            crimes=by_reference,
            records=records,
            log_named=_asking(logs, place, window, targets),
            own_force_prefixes=settings.own_force_prefixes,
        )
        if borne_out:
            claims = tuple(claim for claim in claims if claim.status == "verified")
        if claims:
            checked[place] = claims
        for target in sorted(targets.values()):
            sets.join(place, target, "duplicate_claim")
    return checked


def _asking(logs: _Logs, place: int, window: int, targets: dict[str, int]) -> Callable[[str], str | None]:
    """Return what finds the reference of the log that a number in a record means, and notes its place."""

    def log_named(number: str) -> str | None:
        found = logs.named(number, place, window)
        if found is None:
            return None
        targets[found[0]] = found[1]
        return found[0]

    return log_named
