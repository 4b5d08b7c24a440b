"""The layers above the readers: probabilities from signals, and from what is recorded."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import scipy.sparse as sp

from triage.language.tokens import Ints
from triage.ranking.fitted import NEAREST, Bools, Floats, Line, expit, logit, noisy_or

_SURE = float(np.log(1 - NEAREST) - np.log(NEAREST))
#: How much a record of a further victim counts: the corpus holds far more of them than life.
_AGAIN_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Chances:
    """Probabilities of what records disclose.

    ``p_family`` of shape (records, families), all others of shape (records,): that a family, or any, is
    disclosed; ``p_open`` that the text is one of a crime nobody recorded; and, where a crime is recorded,
    ``p_further`` that a crime of another family is told of, too, and ``p_again`` that another victim of a
    recorded one is.
    """

    p_family: Floats
    p_any: Floats
    p_open: Floats
    p_further: Floats
    p_again: Floats

    @classmethod
    def plain(cls, p_family: Floats, p_any: Floats) -> Self:
        """Return those of a model that knows of no more than what is disclosed."""
        return cls(p_family, p_any, p_any, p_any, np.zeros(len(p_any)))

    def shifted(self, learnt: float, stated: float) -> Chances:
        """Return the same as they are at another prevalence; see :func:`shift_prevalence`."""
        return Chances(
            *(shift_prevalence(getattr(self, each.name), learnt, stated) for each in fields(Chances))
        )

    def rounded(self, decimals: int) -> Chances:
        """Return the same to so many decimals."""
        return Chances(*(np.round(getattr(self, each.name), decimals) for each in fields(Chances)))

    def rows(self, kept: Bools) -> Chances:
        """Return those of some of the records."""
        return Chances(*(getattr(self, each.name)[kept] for each in fields(Chances)))


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Probabilities of shape (records,): of an unrecorded crime, and of one of a family that is recorded.

    ``again`` is the part that another victim has in ``p``.
    """

    p: Floats
    again: Floats

    @classmethod
    def plain(cls, p: Floats) -> Self:
        """Return that of a model which knows of no other victims."""
        return cls(p, np.zeros(len(p)))


class BlendedLayer:
    """A probability from signals: the mean, in log-odds, of a logistic and a boosted-tree layer.

    The one is sure where signals add up, the other where one undoes another; together they rank better than
    either (the ablation in docs/ranker.md).

    Parameters
    ----------
    alone : int
        So many of the first signals are weighed by a logistic layer of their own, too, which has an equal
        part in the mean: signals that hold where the others, learnt beside them, mislead.

    Source: stacked generalisation, Wolpert 1992.
    """

    def __init__(self, alone: int = 0) -> None:
        self.alone = alone

    def fit(self, X: Floats, y: Bools, sample_weight: Floats | None = None) -> Self:
        """Fit on ``X`` of shape (rows, signals) and ``y`` of shape (rows,)."""
        from triage.ranking.fitting import fit_line, fit_trees

        if sample_weight is not None and (sample_weight == 1.0).all():
            sample_weight = None
        self.line_ = fit_line(X, y, sample_weight)
        self.trees_ = fit_trees(X, y, sample_weight)
        self.alone_ = fit_line(X[:, : self.alone], y, sample_weight) if self.alone else None
        return self

    def predict(self, X: Floats, shared: Floats | None = None) -> Floats:
        """Return the probability, shape (rows,).

        Further signals that every k rows, one after the other, have in common may stand in ``shared``, shape
        (rows / k, signals).
        """
        voices = [self.line_.margins(X, shared), self.trees_.margins(X, shared)]
        if self.alone_ is not None:
            voices.append(self.alone_.margins(X[:, : self.alone]))
        return expit(np.mean([np.clip(each, -_SURE, _SURE) for each in voices], axis=0))


class BesideLayer:
    """The probability of each family beside the families recorded, which it may be mistaken for.

    An injury that is recorded makes an assault without injury look disclosed; damage beside a burglary may
    well be a second crime. So each family has a weight for every one that is recorded or accounted for.

    Source: errors of one label learnt from the others, classifier chains, Read and others 2011.
    """

    def fit(
        self, p_family: Floats, recorded: Bools, disclosed: Bools, sample_weight: Floats | None = None
    ) -> Self:
        """Fit on the records of which something is recorded; all of shape (records, families)."""
        from triage.ranking.fitting import fit_line

        rows, families = np.nonzero(~recorded & np.any(recorded, axis=1, keepdims=True))
        y = disclosed[rows, families]
        self.line_: Line | None = None
        if y.any() and not y.all():
            weights = None if sample_weight is None else sample_weight[rows]
            inputs = _beside_inputs(p_family, recorded, rows, families)
            self.line_ = fit_line(inputs, y, weights, scaled=False)
        return self

    def predict(self, p_family: Floats, recorded: Bools) -> Floats:
        """Return the probabilities, shape (records, families), as they were where nothing is recorded."""
        rows, families = np.nonzero(~recorded & np.any(recorded, axis=1, keepdims=True))
        if self.line_ is None or not len(rows):
            return p_family
        found = p_family.copy()
        inputs = _beside_inputs(p_family, recorded, rows, families)
        found[rows, families] = expit(self.line_.margins(inputs))
        return found


def _beside_inputs(p_family: Floats, recorded: Bools, rows: Ints, families: Ints) -> sp.csr_matrix:
    """Return inputs of some families of records: two likelihoods, which family, and which are recorded.

    The likelihoods are its own and that of the likeliest recorded one.
    """
    count = recorded.shape[1]
    strength = logit(p_family)
    strongest = np.where(recorded, strength, -_SURE).max(axis=1)
    at, beside = np.nonzero(recorded[rows])
    pairs = sp.csr_matrix(
        (np.ones(len(at)), (at, families[at] * count + beside)), shape=(len(rows), count * count)
    )
    own = sp.csr_matrix((np.ones(len(rows)), (np.arange(len(rows)), families)), shape=(len(rows), count))
    values = np.column_stack([strength[rows, families], strongest[rows]])
    return sp.hstack([sp.csr_matrix(values), own, pairs], format="csr")


class UnrecordedLayer:
    """Weighs what is disclosed against what is recorded, as a calibrated probability.

    A record whose disclosed family is recorded seldom holds another crime, however strongly it speaks of
    one: so "something is recorded" is an input beside the probabilities of the families that are not, as
    they are read alone and beside the recorded ones. Whether another victim of a recorded family is told of
    is asked apart, since nothing of a family that is recorded counts for the rest; where several crimes of a
    family are recorded, another victim may well have one.
    """

    def fit(
        self,
        chances: Chances,
        recorded: Ints,
        disclosed: Bools,
        y: Bools,
        again: Bools,
        sample_weight: Floats | None = None,
    ) -> Self:
        """Fit on probabilities of records that their model had not seen.

        ``recorded`` counts crimes and ``disclosed`` tells families, both of shape (records, families); ``y``
        of shape (records,) says which hold an unrecorded crime, and ``again`` of which that is another
        victim's of a recorded family.

        The layer of families beside recorded ones is fitted on the same records as what weighs its results;
        it has few weights, and authors left out whole rank as well as in ``docs/ranker.md``.
        """
        from triage.ranking.fitting import fit_line

        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        known, others = recorded > 0, ~again
        self.beside_ = BesideLayer().fit(
            chances.p_family[others], known[others], disclosed[others], weight[others]
        )
        self.line_ = fit_line(self._inputs(chances.rows(others), known[others]), y[others], weight[others])
        self.again_line_: Line | None = None
        beside = np.asarray(known.any(axis=1))
        if again[beside].any() and not again[beside].all():
            inputs = _again_inputs(chances, recorded, self._others(chances, known))[beside]
            weight = np.where(again, _AGAIN_WEIGHT, 1.0) * weight
            self.again_line_ = fit_line(inputs, again[beside], weight[beside])
        return self

    def predict(self, chances: Chances, recorded: Ints) -> Unrecorded:
        """Return the probabilities of an unrecorded crime; ``recorded`` as for :meth:`fit`."""
        known = recorded > 0
        p = self._others(chances, known)
        again = np.zeros(len(p))
        if self.again_line_ is not None:
            said = expit(self.again_line_.margins(_again_inputs(chances, recorded, p)))
            again = np.where(known.any(axis=1), said, 0.0)
        return Unrecorded(np.asarray(1.0 - (1.0 - p) * (1.0 - again)), again)

    def _others(self, chances: Chances, known: Bools) -> Floats:
        """Return the probability of a crime of a family that is not recorded, shape (records,)."""
        return expit(self.line_.margins(self._inputs(chances, known)))

    def _inputs(self, chances: Chances, known: Bools) -> Floats:
        alone = _inputs(chances, known)
        weighed = np.column_stack(_left(self.beside_.predict(chances.p_family, known), known))
        something = np.asarray(known.any(axis=1))
        weighed = np.column_stack([weighed, logit(chances.p_further)])
        return np.column_stack([alone, something[:, None] * weighed])


def _again_inputs(chances: Chances, recorded: Ints, p: Floats) -> Floats:
    """Return what tells of another victim: the text, the likeliest recorded family twice, others' crimes."""
    likeliest = np.where(recorded > 0, chances.p_family, -1.0).argmax(axis=1)
    several = recorded[np.arange(len(recorded)), likeliest] > 1
    return np.column_stack([logit(chances.p_again), several.astype(float), logit(p)])


def _inputs(chances: Chances, known: Bools) -> Floats:
    something = known.any(axis=1).astype(float)
    one_of, likeliest, second = _left(chances.p_family, known)
    weighed = np.column_stack([one_of, likeliest, logit(chances.p_any), logit(chances.p_open)])
    return np.column_stack([weighed, second, something, something[:, None] * weighed])


def _left(p_family: Floats, recorded: Bools) -> tuple[Floats, Floats, Floats]:
    """Return the log-odds of any family that is not recorded, of the likeliest and of the second."""
    left = np.sort(np.where(recorded, 0.0, p_family), axis=1)
    return logit(noisy_or(left)), logit(left[:, -1]), logit(left[:, -2])


def shift_prevalence(p: Floats, learnt: float, stated: float) -> Floats:
    """Return probabilities learnt at one prevalence as they are at another.

    Source: prior correction of the intercept, King & Zeng 2001.

    >>> round(float(shift_prevalence(np.array([0.5]), 0.5, 0.05)[0]), 9)
    0.05
    """
    moved = logit(p) + (np.log(stated) - np.log1p(-stated)) - (np.log(learnt) - np.log1p(-learnt))
    return np.asarray(1.0 / (1.0 + np.exp(-moved)))
