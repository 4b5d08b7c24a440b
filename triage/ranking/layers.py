"""The layers above the readers: probabilities from signals, and from what is recorded."""

from __future__ import annotations

from typing import Self

import numpy as np
import scipy.sparse as sp

from triage.language.tokens import Ints
from triage.ranking.fitted import NEAREST, Bools, Floats, Line, expit, logit, noisy_or

_SURE = float(np.log(1 - NEAREST) - np.log(NEAREST))


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
    they are read alone and beside the recorded ones.
    """

    def fit(
        self,
        p_family: Floats,
        p_any: Floats,
        p_open: Floats,
        recorded: Bools,
        disclosed: Bools,
        y: Bools,
        sample_weight: Floats | None = None,
    ) -> Self:
        """Fit on probabilities of records that their model had not seen; ``y`` of shape (records,).

        The layer of families beside recorded ones is fitted on the same records as what weighs its results;
        it has few weights, and authors left out whole rank as well as in ``docs/ranker.md``.
        """
        from triage.ranking.fitting import fit_line

        self.beside_ = BesideLayer().fit(p_family, recorded, disclosed, sample_weight)
        self.line_ = fit_line(self._inputs(p_family, p_any, p_open, recorded), y, sample_weight)
        return self

    def predict(self, p_family: Floats, p_any: Floats, p_open: Floats, recorded: Bools) -> Floats:
        """Return the probability of an unrecorded crime, shape (records,)."""
        return expit(self.line_.margins(self._inputs(p_family, p_any, p_open, recorded)))

    def _inputs(self, p_family: Floats, p_any: Floats, p_open: Floats, recorded: Bools) -> Floats:
        alone = _inputs(p_family, p_any, p_open, recorded)
        weighed = np.column_stack(_left(self.beside_.predict(p_family, recorded), recorded))
        something = np.asarray(recorded.any(axis=1))
        return np.column_stack([alone, something[:, None] * weighed])


def _inputs(p_family: Floats, p_any: Floats, p_open: Floats, recorded: Bools) -> Floats:
    something = recorded.any(axis=1).astype(float)
    one_of, likeliest, second = _left(p_family, recorded)
    weighed = np.column_stack([one_of, likeliest, logit(p_any), logit(p_open)])
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
