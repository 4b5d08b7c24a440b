"""From matters and scores to candidates, and from places to what is published: pure, and without a clock."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from triage.ranking.allocation import Candidate, Draw
from triage.ranking.rules import fired
from triage.ranking.scoring import RecordScore, keep_probabilities, tiebreak
from triage.reading.linking import Linked, Matter
from triage.reading.records import Crime, Record
from triage.settings import Settings
from triage.store import Item, ItemCrime, ItemEvidence, ItemText, Part, item_id_of

Key = tuple[str, str]
#: Two letters in a row: a dash, a stamp or a lone initial is nothing to read.
_WORD = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True, slots=True)
class Weighed:
    """One matter with the scores of its records, the most probable first, and itself as a candidate."""

    matter: Matter
    scores: tuple[RecordScore, ...]
    candidate: Candidate


def part_hash(record: Record) -> str:
    """Return the SHA-256 of what an auditor would read of one record: its text and its answers."""
    content = [record.source, record.record_ref, record.text, sorted(record.answers.items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def content_hash(matter: Matter) -> str:
    """Return the SHA-256 of what an auditor would read of a matter, whatever the order of its parts."""
    parts = sorted(map(part_hash, matter.records))
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


def item_crime(crime: Crime) -> ItemCrime:
    """Return a crime as an item or a place keeps it."""
    return ItemCrime(crime.crime_ref, crime.offence_code, crime.recorded_at.isoformat(), crime.status)


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
                each.family,
                each.start,
                each.end,
                each.question,
                place[(score.source, score.record_ref)],
                each.status,
            )
            for score in weighed.scores
            for each in score.evidence
        ),
        rules=candidate.rules,
    )
    crimes = tuple(map(item_crime, matter.crimes))
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
            content_hash=part_hash(record),
            team=record.team,
            supervisor_ref=record.supervisor_ref,
        )
        for record in matter.records
    )
    return item, texts


def reading_counts(linked: Linked, weighed: Collection[Weighed]) -> dict[str, int]:
    """Return how many matters the records make, and how many of these can be read tonight at all."""
    return {
        "matters": len(weighed),
        "linked_records": sum(len(each.matter.records) - 1 for each in weighed),
        "orphan_crimes": len(linked.orphan_crimes),
        "eligible_matters": sum(each.candidate.eligible for each in weighed),
    }
