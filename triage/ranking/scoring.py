"""What a record discloses minus what is recorded: the probability of at least one unrecorded crime."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol

import numpy as np

from triage.language.coverage import covered_families
from triage.language.disclosures import STATUSES
from triage.language.offences import FAMILIES, family_of
from triage.ranking.fitted import Bools, Floats
from triage.ranking.layers import shift_prevalence
from triage.ranking.marks import NO_STATUS, Ints, Mark, Marks, lowering, shown
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
    "recorded_mask",
    "recorded_masks",
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
#: A family is named beside the likeliest one from this probability on, as learnt, at most `_NAMED_MOST`.
_NAMED_FROM, _NAMED_MOST = 0.2, 4
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
    """What records disclose, with the places that say so.

    ``p_family`` of shape (records, families) and ``p_any`` of shape (records,) are probabilities that a
    family, or any, is disclosed; ``p_open`` of shape (records,) that the text is one of a crime nobody
    recorded.
    """

    p_family: Floats
    p_any: Floats
    p_open: Floats
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

    def unrecorded(self, p_family: Floats, p_any: Floats, p_open: Floats, recorded: Bools) -> Floats:
        """Return the probability of an unrecorded crime, shape (records,), at the learnt prevalence."""
        ...


@dataclass(frozen=True, slots=True)
class RecordScore:
    """One record's score; ``p_family`` follows the order of ``triage.language.offences.FAMILIES``.

    ``score_01`` is a calibrated probability of at least one unrecorded crime at the stated prevalence;
    ``p_any`` the probability that anything is disclosed and ``p_open`` that the text is one of a crime nobody
    recorded; ``tiebreak`` a hash of the reference that orders
    equal scores; ``unrecorded_families`` are likeliest first.
    """

    source: str
    record_ref: str
    score_01: float
    p_family: tuple[float, ...]
    p_any: float
    p_open: float
    unrecorded_families: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    tiebreak: str


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of several records as arrays, in the order of their ``keys`` (table and reference).

    ``score_01``, ``p_any`` and ``p_open`` have shape (records,) and ``p_family`` shape (records, families),
    as in :class:`RecordScore`; ``families`` of shape (records, 4) are the numbers of the families named,
    likeliest first, -1 where there are fewer. ``shown`` are the places of the evidence, best first, and
    ``against`` all that speak against any family.
    """

    keys: Sequence[tuple[str, str]]
    score_01: Floats
    p_family: Floats
    p_any: Floats
    p_open: Floats
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
        return [
            RecordScore(
                source,
                reference,
                score,
                tuple(p_family),
                p_any,
                p_open,
                _names(families),
                tuple(places),
                tiebreak(source, reference),
            )
            for (source, reference), score, p_family, p_any, p_open, families, places in zip(
                self.keys,
                self.score_01.tolist(),
                self.p_family.tolist(),
                self.p_any.tolist(),
                self.p_open.tolist(),
                self.families.tolist(),
                evidence,
                strict=True,
            )
        ]


def _names(families: Sequence[int]) -> tuple[str, ...]:
    return tuple(FAMILIES[family] for family in families if family >= 0)


def recorded_mask(crimes: Iterable[Crime], on: date) -> Bools:
    """Return which families are recorded or covered by a recorded crime on a day, shape (families,).

    Crimes that were cancelled or transferred, and codes that no family knows, cover nothing.
    """
    return np.asarray(recorded_masks([tuple(crimes)], [on])[0])


def recorded_masks(crimes: Sequence[Collection[Crime]], days: Sequence[date]) -> Bools:
    """Return which families are recorded for each record, shape (records, families).

    Parameters
    ----------
    crimes : sequence of collection of Crime
        The crimes of each record's matter.
    days : sequence of date
        The day of each record's report, as :func:`recorded_mask` takes it.
    """
    masks = np.zeros((len(crimes), len(FAMILIES)), dtype=bool)
    for row, (found, on) in enumerate(zip(crimes, days, strict=True)):
        if found:
            codes = frozenset(crime.offence_code for crime in found if crime.status == "recorded")
            masks[row] = _mask(codes, on)
    return masks


@lru_cache(maxsize=4096)
def _mask(codes: frozenset[str], on: date) -> tuple[bool, ...]:
    covered = covered_families({family for code in codes if (family := family_of(code))}, on)
    return tuple(family in covered for family in FAMILIES)


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
        recorded = recorded_masks(
            [matter.crimes for _, matter in batch], [record.opened_at.date() for record, _ in batch]
        )
        scores += score_records(model, [record for record, _ in batch], recorded, settings).by_record()
        if progress is not None:
            progress(len(scores), len(pairs))
    return tuple(sorted(scores, key=reading_order))


def score_records(model: Ranker, records: Sequence[Record], recorded: Bools, settings: Settings) -> Scores:
    """Return the scores of records; ``recorded`` of shape (records, families) as by `recorded_masks`."""
    keys = [record.key for record in records]
    return weigh(model, model.disclose(records), keys, recorded, settings)


def weigh(
    model: Ranker,
    disclosed: Disclosed,
    keys: Sequence[tuple[str, str]],
    recorded: Bools,
    settings: Settings,
) -> Scores:
    """Return the scores of records, by their tables and references, of what they disclose."""
    learnt, stated = model.learnt_prevalence, settings.assumed_prevalence
    p = model.unrecorded(disclosed.p_family, disclosed.p_any, disclosed.p_open, recorded)
    marks = disclosed.marks
    families = _named(disclosed.p_family, recorded)
    named = np.zeros((len(keys), len(FAMILIES) + 1), dtype=bool)
    np.put_along_axis(named, families, True, axis=1)  # what names no family is -1, the column too many

    def rounded(p: Floats) -> Floats:
        return np.round(shift_prevalence(p, learnt, stated), DECIMALS)

    return Scores(
        keys=keys,
        score_01=rounded(p),
        p_family=rounded(disclosed.p_family),
        p_any=rounded(disclosed.p_any),
        p_open=rounded(disclosed.p_open),
        families=families,
        shown=shown(marks, disclosed.p_family, named[:, :-1]),
        against=marks.rows(marks.families < 0),
    )


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
    p_family = np.array([[p_families[family] for family in FAMILIES]])
    p_any = np.array([p_families[ANY]])
    learnt, stated = model.learnt_prevalence, settings.assumed_prevalence
    p_open = np.array([p_families.get(OPEN, p_families[ANY])])  # items of earlier versions have none
    p_family, p_any, p_open = (shift_prevalence(p, stated, learnt) for p in (p_family, p_any, p_open))
    recorded = recorded_mask(crimes, on)
    score = shift_prevalence(model.unrecorded(p_family, p_any, p_open, recorded[None, :]), learnt, stated)
    return round(float(score[0]), DECIMALS), _names(_named(p_family, recorded[None, :])[0].tolist())


def keep_probabilities(score: RecordScore) -> dict[str, float]:
    """Return the probabilities that an item keeps, by family name, ``any`` and ``open``."""
    return {**dict(zip(FAMILIES, score.p_family, strict=True)), ANY: score.p_any, OPEN: score.p_open}


def _named(p_family: Floats, recorded: Bools) -> Ints:
    """Return the likeliest families that are not recorded, -1 where there are fewer, shape (records, 4)."""
    left = np.where(recorded, -1.0, np.round(p_family, DECIMALS))
    order = np.argsort(-left, axis=1, kind="stable")[:, :_NAMED_MOST]
    left = np.take_along_axis(left, order, axis=1)
    left[:, 1:] = np.where(left[:, 1:] >= _NAMED_FROM, left[:, 1:], -1.0)
    return np.where(left >= 0, order, -1)
