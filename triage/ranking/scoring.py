"""What a record discloses minus what is recorded: the probability of at least one unrecorded crime."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from triage.language.coverage import covered_families
from triage.language.offences import FAMILIES, family_of
from triage.ranking.classifier import Floats, logit, noisy_or, shift_prevalence
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record
from triage.settings import Settings

Bools = npt.NDArray[np.bool_]
#: Name under which an item keeps the probability that any family is disclosed, beside the families' own.
ANY = "any"
#: A family is named beside the likeliest one from this probability on, as learnt, at most `_NAMED_MOST`.
_NAMED_FROM, _NAMED_MOST = 0.2, 4
_EVIDENCE_MOST = 5
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a record says so: character offsets into its text, or a question of its form, best first."""

    family: str
    start: int | None = None
    end: int | None = None
    question: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in one record that speaks for a family; ``margin`` orders places, the larger the stronger."""

    family: int
    margin: float
    start: int
    end: int
    question: str = ""


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What records disclose: ``p_family`` (records, families), ``p_any`` (records,), marks per record."""

    p_family: Floats
    p_any: Floats
    marks: tuple[tuple[Mark, ...], ...]


class Ranker(Protocol):
    """What a recipe builds."""

    @property
    def learnt_prevalence(self) -> float:
        """The share of records with an unrecorded crime that the model was fitted at."""
        ...

    def disclose(self, records: Sequence[Record]) -> Disclosed:
        """Return what each record discloses."""
        ...

    def unrecorded(self, p_family: Floats, p_any: Floats, recorded: Bools) -> Floats:
        """Return the probability of an unrecorded crime, shape (records,), at the learnt prevalence."""
        ...


@dataclass(frozen=True, slots=True)
class RecordScore:
    """One record's score; ``p_family`` follows the order of ``triage.language.offences.FAMILIES``.

    ``score_01`` is a calibrated probability of at least one unrecorded crime at the stated prevalence;
    ``p_any`` the probability that anything is disclosed; ``tiebreak`` a hash of the reference that orders
    equal scores; ``unrecorded_families`` are likeliest first.
    """

    source: str
    record_ref: str
    score_01: float
    p_family: tuple[float, ...]
    p_any: float
    unrecorded_families: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    tiebreak: str


class UnrecordedLayer(BaseEstimator):  # type: ignore[misc]
    """Weighs what is disclosed against what is recorded, as a calibrated probability.

    A record whose disclosed family is recorded seldom holds another crime, however strongly it speaks of
    one: so "something is recorded" is an input beside the probabilities of the families that are not.
    """

    def fit(self, p_family: Floats, p_any: Floats, recorded: Bools, y: Bools) -> Self:
        """Fit on probabilities of records that their model had not seen; ``y`` of shape (records,)."""
        self.layer_ = LogisticRegression(C=1.0, max_iter=1000).fit(_inputs(p_family, p_any, recorded), y)
        return self

    def predict(self, p_family: Floats, p_any: Floats, recorded: Bools) -> Floats:
        """Return the probability of an unrecorded crime, shape (records,)."""
        return np.asarray(self.layer_.predict_proba(_inputs(p_family, p_any, recorded))[:, 1])


def _inputs(p_family: Floats, p_any: Floats, recorded: Bools) -> Floats:
    left = np.where(recorded, 0.0, p_family)
    something = recorded.any(axis=1).astype(float)
    disclosed = logit(p_any)
    return np.column_stack(
        [logit(noisy_or(left)), logit(left.max(axis=1)), disclosed, something, something * disclosed]
    )


def recorded_mask(crimes: Iterable[Crime]) -> Bools:
    """Return which families are recorded or covered by a recorded crime, shape (families,).

    Crimes that were cancelled or transferred, and codes that no family knows, cover nothing.
    """
    names = {
        family for crime in crimes if crime.status == "recorded" and (family := family_of(crime.offence_code))
    }
    covered = covered_families(names)
    return np.array([family in covered for family in FAMILIES])


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
        scores.extend(_score_batch(model, pairs[at : at + _BATCH], settings))
        if progress is not None:
            progress(len(scores), len(pairs))
    return tuple(sorted(scores, key=reading_order))


def reading_order(score: RecordScore) -> tuple[float, str]:
    """Return the key that sorts scores by who is read first; the reference's hash breaks ties."""
    return (-score.score_01, score.tiebreak)


def rescore(
    model: Ranker, p_families: Mapping[str, float], crimes: Sequence[Crime], settings: Settings
) -> tuple[float, tuple[str, ...]]:
    """Return score and unrecorded families of an item queued earlier, against the crimes known tonight.

    Parameters
    ----------
    model : Ranker
        Tonight's model; only its weighing of recorded crimes is used.
    p_families : mapping
        The item's probabilities by family, with ``any``, as :func:`keep_probabilities` kept them.
    crimes : sequence of Crime
        Crimes recorded for the item's matter.
    settings : Settings
        For the prevalence that scores assume.
    """
    p_family = np.array([[p_families[family] for family in FAMILIES]])
    p_any = np.array([p_families[ANY]])
    learnt, stated = model.learnt_prevalence, settings.assumed_prevalence
    p_family, p_any = shift_prevalence(p_family, stated, learnt), shift_prevalence(p_any, stated, learnt)
    recorded = recorded_mask(crimes)
    score = shift_prevalence(model.unrecorded(p_family, p_any, recorded[None, :]), learnt, stated)
    return round(float(score[0]), 9), _named(p_family[0], recorded)


def keep_probabilities(score: RecordScore) -> dict[str, float]:
    """Return the probabilities that an item keeps, by family name and ``any``."""
    return {**dict(zip(FAMILIES, score.p_family, strict=True)), ANY: score.p_any}


def _score_batch(
    model: Ranker, pairs: Sequence[tuple[Record, Matter]], settings: Settings
) -> list[RecordScore]:
    disclosed = model.disclose([record for record, _ in pairs])
    recorded = np.array([recorded_mask(matter.crimes) for _, matter in pairs])
    learnt, stated = model.learnt_prevalence, settings.assumed_prevalence
    p = model.unrecorded(disclosed.p_family, disclosed.p_any, recorded)
    score_01 = shift_prevalence(p, learnt, stated)
    p_family = shift_prevalence(disclosed.p_family, learnt, stated)
    p_any = shift_prevalence(disclosed.p_any, learnt, stated)
    scores = []
    for row, (record, _) in enumerate(pairs):
        families = _named(disclosed.p_family[row], recorded[row])
        scores.append(
            RecordScore(
                source=record.source,
                record_ref=record.record_ref,
                # Nine decimals: the last bits of a product depend on how many records are scored at once.
                score_01=round(float(score_01[row]), 9),
                p_family=tuple(round(float(each), 9) for each in p_family[row]),
                p_any=round(float(p_any[row]), 9),
                unrecorded_families=families,
                evidence=_evidence(disclosed.marks[row], disclosed.p_family[row], families),
                tiebreak=tiebreak(*record.key),
            )
        )
    return scores


def _named(p_family: Floats, recorded: Bools) -> tuple[str, ...]:
    left = np.where(recorded, -1.0, np.round(p_family, 9))
    order = [int(at) for at in np.argsort(-left, kind="stable") if left[at] >= 0]
    return tuple(
        FAMILIES[at] for place, at in enumerate(order[:_NAMED_MOST]) if place == 0 or left[at] >= _NAMED_FROM
    )


def _evidence(marks: Sequence[Mark], p_family: Floats, families: Sequence[str]) -> tuple[Evidence, ...]:
    """Return the strongest places first, each place once, for the families that are not recorded."""
    weight = {FAMILIES.index(name): float(logit(p_family[FAMILIES.index(name)])) for name in families}
    fitting = sorted(
        (mark for mark in marks if mark.family in weight),
        key=lambda mark: (-(mark.margin + weight[mark.family]), mark.start, mark.question, mark.family),
    )
    places: dict[tuple[int, int, str], Evidence] = {}
    for mark in fitting:
        family = FAMILIES[mark.family]
        place = (mark.start, mark.end, mark.question)
        if place not in places and len(places) < _EVIDENCE_MOST:
            places[place] = (
                Evidence(family, question=mark.question)
                if mark.question
                else Evidence(family, mark.start, mark.end)
            )
    return tuple(places.values())
