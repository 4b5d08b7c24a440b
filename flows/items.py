"""From matters and scores to candidates, and from places to what is published: pure, and without a clock."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from triage.ranking.allocation import Allocation, Candidate, Carried, Draw
from triage.ranking.rules import fired
from triage.ranking.scoring import Ranker, RecordScore, keep_probabilities, rescore, tiebreak
from triage.reading.linking import Linked, Matter
from triage.reading.records import Crime
from triage.settings import Settings
from triage.store import Item, ItemCrime, ItemEvidence, ItemText, Part, PlaceRow, item_id_of

Key = tuple[str, str]
#: Two letters in a row: a dash, a stamp or a lone initial is nothing to read.
_WORD = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True, slots=True)
class Weighed:
    """One matter with the scores of its records, the most probable first, and itself as a candidate."""

    matter: Matter
    scores: tuple[RecordScore, ...]
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Rescored:
    """An unread item of an earlier night as it stands against tonight's crimes."""

    item: Item
    carried: Carried
    families: tuple[str, ...]


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


def content_hash(matter: Matter) -> str:
    """Return the SHA-256 of what an auditor would read: texts and answers of all parts, in any order."""
    parts = sorted(
        [record.source, record.record_ref, record.text, sorted(record.answers.items())]
        for record in matter.records
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_eligible(matter: Matter, as_of: datetime, maturity_hours: float) -> bool:
    """Tell whether every part is closed, or old enough that it should have been recorded.

    Parameters
    ----------
    matter : Matter
        A matter.
    as_of : datetime
        The moment of the night.
    maturity_hours : float
        Age in hours at which a part that is still open counts.
    """
    matured = as_of - timedelta(hours=maturity_hours)
    return all(
        record.opened_at <= as_of
        and (record.opened_at <= matured or (record.closed_at is not None and record.closed_at <= as_of))
        for record in matter.records
    )


def is_readable(matter: Matter) -> bool:
    """Tell whether any part has a word to read or a question answered yes or no."""
    return any(
        _WORD.search(record.text) or set(record.answers.values()) & {"Y", "N"} for record in matter.records
    )


def weigh(
    linked: Linked, scores: Sequence[RecordScore], *, as_of: datetime, settings: Settings
) -> tuple[Weighed, ...]:
    """Return every matter as a candidate of the night: as probable as its most probable part."""
    by_key = {(score.source, score.record_ref): score for score in scores}
    weighed = []
    for matter in linked.matters:
        parts = tuple(
            sorted((by_key[record.key] for record in matter.records), key=lambda part: -part.score_01)
        )
        candidate = Candidate(
            source=matter.lead.source,
            record_ref=matter.lead.record_ref,
            root=matter.root,
            content_hash=content_hash(matter),
            opened_at=matter.lead.opened_at,
            eligible=is_eligible(matter, as_of, settings.maturity_hours),
            stratum="readable" if is_readable(matter) else "unreadable",
            score_01=parts[0].score_01,
            tiebreak=tiebreak(*matter.lead.key),
            rules=fired(matter),
        )
        weighed.append(Weighed(matter, parts, candidate))
    return tuple(weighed)


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
            orphans[crime.record_ref] = (*orphans.get(crime.record_ref, ()), crime)
        return cls(
            {record.key: each for each in weighed for record in each.matter.records},
            {each.matter.root: each for each in weighed},
            orphans,
        )

    def crimes_of(self, item: Item) -> tuple[Crime, ...]:
        """Return the crimes that tonight belong to one of an item's records."""
        keys = [(part.source, part.record_ref) for part in item.parts]
        matters = [self.by_record[key] for key in keys if key in self.by_record]
        if item.root in self.by_root:
            matters.append(self.by_root[item.root])
        names = dict.fromkeys((item.root, *(reference for _, reference in keys)))
        return (
            *(crime for each in matters for crime in each.matter.crimes),
            *(crime for name in names for crime in self.orphans.get(name, ())),
        )

    def supersedes(self, item: Item) -> bool:
        """Tell whether the same record is there with another content, ready to be read instead.

        A control item stays: it was drawn, and estimates rest on what was drawn.
        """
        now = self.by_record.get((item.source, item.record_ref))
        return (
            item.arm != "control"
            and now is not None
            and now.candidate.eligible
            and now.matter.lead.key == (item.source, item.record_ref)
            and now.candidate.content_hash != item.content_hash
        )


def rescored(
    item: Item, known: Sequence[Crime], tonight: Tonight, *, model: Ranker, settings: Settings
) -> Rescored:
    """Return an unread item against the crimes known when it was queued and those known tonight.

    Parameters
    ----------
    item : Item
        An item of an earlier night.
    known : sequence of Crime
        The crimes that stood on it when it was queued; tonight's word on the same crime replaces it.
    tonight : Tonight
        Tonight's matters.
    model : Ranker
        Tonight's model.
    settings : Settings
        The settings of the night.
    """
    crimes = {crime.crime_ref: crime for crime in (*known, *tonight.crimes_of(item))}
    score_01, families = rescore(
        model, item.p_families, tuple(crimes[reference] for reference in sorted(crimes)), settings
    )
    carried = Carried(
        item_id=item.item_id,
        arm=item.arm,
        record_ref=item.record_ref,
        content_hash=item.content_hash,
        queued_at=item.queued_at,
        score_01=score_01,
        tiebreak=item.tiebreak,
        inclusion_probability=item.inclusion_probability,
        rules=item.rules,
    )
    return Rescored(item, carried, families)


def stored_crimes(texts: Sequence[ItemText]) -> tuple[Crime, ...]:
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


def families_of(scores: Sequence[RecordScore]) -> tuple[str, ...]:
    """Return the unrecorded families of a matter, those of its most probable part first."""
    return tuple(dict.fromkeys(family for score in scores for family in score.unrecorded_families))


def new_item(
    weighed: Weighed,
    *,
    run_id: str,
    arm: str,
    inclusion_probability: float,
    draw: Draw | None,
    as_of: datetime,
    settings: Settings,
) -> tuple[Item, tuple[ItemText, ...]]:
    """Return a matter that is queued for the first time, and what its auditor will read."""
    matter, candidate = weighed.matter, weighed.candidate
    item_id = item_id_of(candidate.source, candidate.record_ref, candidate.content_hash)
    retain_until = as_of + timedelta(days=settings.retention_days)
    place = {record.key: number for number, record in enumerate(matter.records, start=1)}
    kept = [keep_probabilities(score) for score in weighed.scores]
    item = Item(
        item_id=item_id,
        run_id=run_id,
        source=candidate.source,
        record_ref=candidate.record_ref,
        root=candidate.root,
        content_hash=candidate.content_hash,
        arm=arm,
        inclusion_probability=inclusion_probability,
        random_number=draw.random_number if draw else None,
        stratum=candidate.stratum,
        score_01=candidate.score_01,
        tiebreak=candidate.tiebreak,
        opened_at=candidate.opened_at,
        queued_at=as_of,
        retain_until=retain_until,
        parts=tuple(
            Part(record.source, record.record_ref, matter.links.get(record.key, ""))
            for record in matter.records
        ),
        p_families={name: max(part[name] for part in kept) for name in kept[0]},
        families=families_of(weighed.scores),
        evidence=tuple(
            ItemEvidence(
                each.family, each.start, each.end, each.question, place[(score.source, score.record_ref)]
            )
            for score in weighed.scores
            for each in score.evidence
        ),
        rules=candidate.rules,
    )
    crimes = tuple(
        ItemCrime(crime.crime_ref, crime.offence_code, crime.recorded_at.isoformat(), crime.status)
        for crime in matter.crimes
    )
    texts = tuple(
        ItemText(
            item_id=item_id,
            part=place[record.key],
            source=record.source,
            record_ref=record.record_ref,
            text=record.text,
            answers=dict(record.answers),
            claims=tuple(matter.claims.get(record.key, ())),
            opened_at=record.opened_at,
            closed_at=record.closed_at,
            retain_until=retain_until,
            opening_code=record.opening_code,
            closing_code=record.closing_code,
            form_version=record.form_version,
            crimes=crimes,
        )
        for record in matter.records
    )
    return item, texts


def places_of(
    allocation: Allocation, items: Mapping[Key, Item], carried: Mapping[str, Rescored]
) -> tuple[tuple[PlaceRow, ...], tuple[QueueLine, ...]]:
    """Return the places of the queue as the store and as the run's queue file hold them.

    Parameters
    ----------
    allocation : Allocation
        Tonight's queue.
    items : mapping
        (reference, content hash) to the new item.
    carried : mapping
        Item id to the item of an earlier night.
    """
    rows, lines = [], []
    for place in allocation.places:
        if place.carried is not None:
            before = carried[place.carried.item_id]
            item, score_01, families = before.item, before.carried.score_01, before.families
        else:
            assert place.candidate is not None, "a place has a candidate or a carried item"
            item = items[(place.candidate.record_ref, place.candidate.content_hash)]
            score_01, families = item.score_01, item.families
        rows.append(
            PlaceRow(place.position, item.item_id, place.arm, score_01, carried=place.carried is not None)
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
                rules=item.rules,
                carried=place.carried is not None,
            )
        )
    return tuple(rows), tuple(lines)


def reading_counts(linked: Linked, weighed: Collection[Weighed]) -> dict[str, int]:
    """Return how many matters the records make, and how many of these can be read tonight at all."""
    return {
        "matters": len(weighed),
        "linked_records": sum(len(each.matter.records) - 1 for each in weighed),
        "orphan_crimes": len(linked.orphan_crimes),
        "eligible_matters": sum(each.candidate.eligible for each in weighed),
    }
