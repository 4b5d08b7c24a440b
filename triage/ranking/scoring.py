"""What a record discloses minus what is recorded: the probability of at least one unrecorded crime."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import numpy as np

from triage.language.coverage import SINCE
from triage.language.disclosures import STATUSES
from triage.language.offences import FAMILIES
from triage.ranking.fitted import NEAREST, Bools, Floats
from triage.ranking.layers import Chances, Unrecorded, shift_prevalence
from triage.ranking.marks import NO_STATUS, Ints, Mark, Marks, lowering, shown
from triage.ranking.recorded import local_day, recorded_count, recorded_counts
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record
from triage.settings import Settings

__all__ = [
    "LOWERS",
    "Disclosed",
    "Evidence",
    "Mark",
    "Marks",
    "Ranker",
    "RecordScore",
    "Scores",
    "keep_probabilities",
    "rescore",
    "score_matters",
    "score_records",
    "tiebreak",
    "weigh",
]
#: Name under which an item keeps the probability that any family is disclosed, beside the families' own.
ANY = "any"
#: The same for the probability that the text is one of a crime nobody recorded, whatever the crimes hold.
OPEN = "open"
#: And beside a recorded crime for one of another family, and for another victim.
FURTHER, AGAIN = "further", "again"
#: A family is named beside the likeliest one from this probability on, as learnt, at most `_NAMED_MOST`.
_NAMED_FROM, _NAMED_MOST = 0.2, 4
#: A recorded family is named, for another victim, from this probability of one on, as learnt.
_AGAIN_FROM = 0.4
#: Status of evidence that speaks against a disclosure.
LOWERS = "lowers"
_BATCH = 500
#: Decimals of probabilities; the last bits of a product depend on how many records are scored at once.
DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a record says so: character offsets into its text, or a question of its form, best first.

    ``status``, of :data:`triage.language.disclosures.STATUSES`, is what the text says of an act named there,
    empty where no phrase names one; :data:`LOWERS` for a place that lowered the score, which has no family.
    """

    family: str
    start: int | None = None
    end: int | None = None
    question: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What records disclose, with the places that say so."""

    chances: Chances
    marks: Marks


class Ranker(Protocol):
    """What a recipe builds."""

    @property
    def learnt_prevalence(self) -> float:
        """The share of records with an unrecorded crime that the model was fitted at."""
        ...

    def disclose(self, records: Sequence[Record]) -> Disclosed:
        """Return what each record discloses."""
        ...

    def unrecorded(self, chances: Chances, recorded: Ints) -> Unrecorded:
        """Return the probability of an unrecorded crime at the learnt prevalence.

        ``recorded`` of shape (records, families) as :func:`triage.ranking.recorded.recorded_counts` gives it.
        """
        ...


@dataclass(frozen=True, slots=True)
class RecordScore:
    """One record's score; ``p_family`` follows the order of ``triage.language.offences.FAMILIES``.

    ``score_01`` is a calibrated probability of at least one unrecorded crime at the stated prevalence;
    the other probabilities are those of :class:`triage.ranking.layers.Chances`; ``tiebreak`` a hash of the
    reference that orders equal scores; ``unrecorded_families`` are likeliest first, a recorded one among
    them where another victim of it is told of.
    """

    source: str
    record_ref: str
    score_01: float
    p_family: tuple[float, ...]
    p_any: float
    p_open: float
    p_further: float
    p_again: float
    unrecorded_families: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    tiebreak: str


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of several records as arrays, in the order of their ``keys`` (table and reference).

    ``score_01`` has shape (records,); ``families`` of shape (records, 4) are the numbers of the families
    named, likeliest first, -1 where there are fewer. ``shown`` are the places of the evidence, best first,
    and ``against`` all that speak against any family.
    """

    keys: Sequence[tuple[str, str]]
    score_01: Floats
    chances: Chances
    families: Ints
    shown: Marks
    against: Marks

    def by_record(self) -> list[RecordScore]:
        """Return the score of each record."""
        evidence: list[list[Evidence]] = [[] for _ in self.keys]
        for marks in (self.shown, lowering(self.against, self.shown)):
            for owner, family, start, end, question, status in zip(
                marks.owners.tolist(),
                marks.families.tolist(),
                marks.starts.tolist(),
                marks.ends.tolist(),
                marks.questions.tolist(),
                marks.statuses.tolist(),
                strict=True,
            ):
                name = FAMILIES[family] if family >= 0 else ""
                says = LOWERS if family < 0 else "" if status == NO_STATUS else STATUSES[status]
                evidence[owner].append(
                    Evidence(name, question=f"q{question}", status=says)
                    if question
                    else Evidence(name, start, end, status=says)
                )
        said = self.chances
        others = (said.p_any, said.p_open, said.p_further, said.p_again)
        return [
            RecordScore(
                source,
                ref,
                score,
                tuple(p_family),
                p_any,
                p_open,
                p_further,
                p_again,
                _names(families),
                tuple(places),
                tiebreak(source, ref),
            )
            for (source, ref), score, p_family, p_any, p_open, p_further, p_again, families, places in zip(
                self.keys,
                self.score_01.tolist(),
                said.p_family.tolist(),
                *(each.tolist() for each in others),
                self.families.tolist(),
                evidence,
                strict=True,
            )
        ]


def _names(families: Sequence[int]) -> tuple[str, ...]:
    return tuple(FAMILIES[family] for family in families if family >= 0)


def tiebreak(source: str, record_ref: str) -> str:
    """Return the hash that orders records of equal score, the same every night.

    >>> tiebreak("incidents", "A1") == tiebreak("incidents", "A1") != tiebreak("referrals", "A1")
    True
    """
    return hashlib.sha256(f"{source}\0{record_ref}".encode()).hexdigest()[:16]


def score_matters(
    model: Ranker,
    matters: Sequence[Matter],
    *,
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[RecordScore, ...]:
    """Return one score for each record of the matters, read first to last.

    Parameters
    ----------
    model : Ranker
        A model of the registry.
    matters : sequence of Matter
        Records with the crimes recorded for their matter, which count for each of its records.
    settings : Settings
        For the prevalence that scores assume.
    progress : callable, optional
        Told the number of records done and the number in all, after each batch.
    """
    pairs = sorted(
        ((record, matter) for matter in matters for record in matter.records), key=lambda pair: pair[0].key
    )
    scores: list[RecordScore] = []
    for at in range(0, len(pairs), _BATCH):
        batch = pairs[at : at + _BATCH]
        recorded = recorded_counts(
            [matter.recorded for _, matter in batch],
            [local_day(record.opened_at, settings) for record, _ in batch],
        )
        scores += score_records(model, [record for record, _ in batch], recorded, settings).by_record()
        if progress is not None:
            progress(len(scores), len(pairs))
    return tuple(sorted(scores, key=reading_order))


def score_records(model: Ranker, records: Sequence[Record], recorded: Ints, settings: Settings) -> Scores:
    """Return the scores of records; ``recorded`` of shape (records, families) as by `recorded_counts`."""
    keys = [record.key for record in records]
    days = [local_day(record.opened_at, settings) for record in records]
    return weigh(model, model.disclose(records), keys, days, recorded, settings)


def weigh(
    model: Ranker,
    disclosed: Disclosed,
    keys: Sequence[tuple[str, str]],
    days: Sequence[date],
    recorded: Ints,
    settings: Settings,
) -> Scores:
    """Return the scores of records, by their tables and references, of what they disclose.

    ``days`` are those of their reports: what was no offence of its own then is named as what it was.
    """
    disclosed = _in_law(disclosed, days, recorded)
    learnt, stated = model.learnt_prevalence, settings.assumed_prevalence
    found, marks = model.unrecorded(disclosed.chances, recorded), disclosed.marks
    families = _named(disclosed.chances.p_family, recorded > 0, found)
    named = np.zeros((len(keys), len(FAMILIES) + 1), dtype=bool)
    np.put_along_axis(named, families, True, axis=1)  # what names no family is -1, the column too many
    return Scores(
        keys=keys,
        score_01=np.round(shift_prevalence(found.p, learnt, stated), DECIMALS),
        chances=disclosed.chances.shifted(learnt, stated).rounded(DECIMALS),
        families=families,
        shown=shown(marks, disclosed.chances.p_family, named[:, :-1]),
        against=marks.rows(marks.families < 0),
    )


def _in_law(disclosed: Disclosed, days: Sequence[date], recorded: Ints) -> Disclosed:
    """Return what is disclosed with the families that the law knew on the day of each report.

    Where a recorded crime accounts for it, it is read as the likeliest recorded family.
    """
    for since in SINCE:
        family = FAMILIES.index(since.family)
        before = np.array([day < since.day for day in days], dtype=bool)
        if not before.any():
            continue
        p_family, marks = disclosed.chances.p_family.copy(), disclosed.marks
        others = np.where(recorded > 0, p_family, -1.0)
        others[:, family] = -1.0
        known, beside = recorded[:, family] > 0, others.max(axis=1) >= 0
        before &= beside | ~known  # what is recorded under its own name keeps it
        covered = known & beside
        was = np.where(covered, others.argmax(axis=1), FAMILIES.index(since.before))
        rows = np.flatnonzero(before)
        p_family[rows, was[rows]] = np.maximum(p_family[rows, was[rows]], p_family[rows, family])
        p_family[rows, family] = 0.0
        moved = before[marks.owners] & (marks.families == family)
        families = np.where(moved, was[marks.owners], marks.families)
        chances = replace(disclosed.chances, p_family=p_family)
        disclosed = Disclosed(chances, replace(marks, families=families))
    return disclosed


def reading_order(score: RecordScore) -> tuple[float, str]:
    """Return the key that sorts scores by who is read first; the reference's hash breaks ties."""
    return (-score.score_01, score.tiebreak)


def rescore(
    model: Ranker,
    p_families: Mapping[str, float],
    crimes: Sequence[Crime],
    settings: Settings,
    on: date,
) -> tuple[float, tuple[str, ...]]:
    """Return score and unrecorded families of an item queued earlier, against the crimes known tonight.

    Parameters
    ----------
    model : Ranker
        Tonight's model; only its weighing of recorded crimes is used.
    p_families : mapping
        The item's probabilities by family, with ``any`` and ``open``, as :func:`keep_probabilities` kept.
    crimes : sequence of Crime
        Crimes recorded for the item's matter.
    settings : Settings
        For the prevalence that scores assume.
    on : date
        The day of the report, for what a recorded crime accounts for.
    """
    learnt, stated = model.learnt_prevalence, settings.assumed_prevalence
    # Items of earlier versions have no chance that the text is one of a crime nobody recorded, nor of crimes
    # beside a recorded one.
    kept = {OPEN: p_families[ANY], AGAIN: 0.0, **p_families}
    kept.setdefault(FURTHER, kept[OPEN])
    others = (np.array([kept[name]]) for name in (ANY, OPEN, FURTHER, AGAIN))
    chances = Chances(np.array([[kept[family] for family in FAMILIES]]), *others).shifted(stated, learnt)
    recorded = recorded_count(crimes, on)[None, :]
    found = model.unrecorded(chances, recorded)
    score = shift_prevalence(found.p, learnt, stated)
    families = _named(chances.p_family, recorded > 0, found)
    return round(float(score[0]), DECIMALS), _names(families[0].tolist())


def keep_probabilities(score: RecordScore) -> dict[str, float]:
    """Return the probabilities that an item keeps, by family name, ``any`` and ``open``."""
    named = {ANY: score.p_any, OPEN: score.p_open, FURTHER: score.p_further, AGAIN: score.p_again}
    return {**dict(zip(FAMILIES, score.p_family, strict=True)), **named}


def _named(p_family: Floats, known: Bools, found: Unrecorded) -> Ints:
    """Return the likeliest unrecorded families, -1 where there are fewer, shape (records, 4).

    A recorded one is among them where another victim is the likelier reason for the record's score.
    """
    others = 1.0 - (1.0 - found.p) / np.maximum(1.0 - found.again, NEAREST)
    another = np.where(found.again > np.maximum(others, _AGAIN_FROM), found.again, -1.0)
    left = np.where(known, another[:, None] * p_family, np.round(p_family, DECIMALS))
    order = np.argsort(-left, axis=1, kind="stable")[:, :_NAMED_MOST]
    left = np.take_along_axis(left, order, axis=1)
    left[:, 1:] = np.where(left[:, 1:] >= _NAMED_FROM, left[:, 1:], -1.0)
    return np.where(left >= 0, order, -1)
