"""Which families a record discloses: read as a whole and clause by clause, then weighed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from triage.language.features import Counts, GramCounter, GramWeights
from triage.language.text import Document

Floats = npt.NDArray[np.float64]
_FLOOR = -6.0  # margin of a record without a single clause
#: A hundred times the default: the order is the same, the fit three times as fast.
_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True)
class Labels:
    """What a text discloses, as the corpus marks it.

    ``families`` is boolean of shape (records, families); ``clauses`` holds, per record, a boolean array of
    shape (clauses, families) that marks the clauses carrying the evidence; ``groups`` of shape (records,)
    names each record's author, so that what is weighed was never learnt from the same author.
    """

    families: npt.NDArray[np.bool_]
    clauses: tuple[npt.NDArray[np.bool_], ...]
    groups: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What records disclose.

    ``p_family`` has shape (records, families) and ``p_any`` shape (records,): probabilities that a family, or
    any family, is disclosed; ``clause_margins`` holds per record an array of shape (clauses, families).
    """

    p_family: Floats
    p_any: Floats
    clause_margins: tuple[Floats, ...]


@dataclass(frozen=True, slots=True)
class _Margins:
    whole: Floats
    best: Floats
    total: Floats
    clauses: tuple[Floats, ...]


class DisclosureClassifier(BaseEstimator):  # type: ignore[misc]
    """Probability that each family is disclosed, from the record and from its clauses.

    Two linear readers score every family and "any family": one reads the whole record, one each clause.
    A logistic layer, fitted on scores of authors that the readers had not seen (stacking), weighs the
    record against its best clause and the sum over its clauses, and calibrates.

    Parameters
    ----------
    record_C, clause_C : float
        Inverse regularisation of the two readers.
    n_jobs : int or None
        Processes used while fitting.

    Source: sentence-level relevance feedback, Zhang et al. 2018; stacked generalisation,
    Wolpert 1992; linear SVM on TF-IDF, ASReview ELAS u4.
    """

    def __init__(self, record_C: float = 0.3, clause_C: float = 0.1, n_jobs: int | None = None) -> None:
        self.record_C = record_C
        self.clause_C = clause_C
        self.n_jobs = n_jobs

    def fit(self, X: Sequence[Document], y: Labels) -> Self:
        """Fit the readers on all records and the logistic layer on scores across authors.

        Parameters
        ----------
        X : sequence of Document
            The records, tokenised.
        y : Labels
            What each discloses, where, and by whom it was written.
        """
        self.counter_ = GramCounter().fit(X)
        counts = self.counter_.count(X)
        groups = sorted(set(y.groups.tolist()))
        held_out = Parallel(n_jobs=self.n_jobs)(
            delayed(_score_held_out)(self._reader(), counts, y, y.groups == group) for group in groups
        )
        shape = (len(X), y.families.shape[1] + 1)
        whole, best, total = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for group, margins in zip(groups, held_out, strict=True):
            rows = y.groups == group
            whole[rows], best[rows], total[rows] = margins.whole, margins.best, margins.total
        across = _Margins(whole, best, total, ())
        self.family_layer_ = LogisticRegression(C=1.0, max_iter=1000).fit(
            _family_inputs(across), y.families.ravel()
        )
        #: Probabilities of authors unseen by the readers, for whoever fits a further layer.
        self.held_out_p_family_ = self._p_family(across)
        self.any_layer_ = LogisticRegression(C=1.0, max_iter=1000).fit(
            _any_inputs(across, self.held_out_p_family_), y.families.any(axis=1)
        )
        self.held_out_p_any_ = self._p_any(across, self.held_out_p_family_)
        self.reader_ = self._reader().fit(counts, y)
        return self

    def predict(self, X: Sequence[Document]) -> Disclosure:
        """Return what each record discloses."""
        margins = self.reader_.margins(self.counter_.count(X))
        p_family = self._p_family(margins)
        return Disclosure(
            p_family, self._p_any(margins, p_family), tuple(each[:, :-1] for each in margins.clauses)
        )

    def _reader(self) -> _Reader:
        return _Reader(self.counter_.is_characters, self.record_C, self.clause_C)

    def _p_family(self, margins: _Margins) -> Floats:
        flat = self.family_layer_.predict_proba(_family_inputs(margins))[:, 1]
        return np.asarray(flat.reshape(len(margins.whole), -1))

    def _p_any(self, margins: _Margins, p_family: Floats) -> Floats:
        return np.asarray(self.any_layer_.predict_proba(_any_inputs(margins, p_family))[:, 1])


class _Reader:
    """Linear margins of every family and of "any family", for whole records and for clauses."""

    def __init__(self, is_characters: npt.NDArray[np.bool_], record_C: float, clause_C: float) -> None:
        self.is_characters = is_characters
        self.record_C = record_C
        self.clause_C = clause_C

    def fit(self, counts: Counts, y: Labels) -> Self:
        """Fit both readers; one linear SVM a family each."""
        whole = counts.by_record()
        marked = np.vstack([np.zeros((0, y.families.shape[1]), dtype=bool), *y.clauses])
        self.record_grams_ = GramWeights().fit(whole, self.is_characters)
        self.clause_grams_ = GramWeights().fit(counts.clauses, self.is_characters)
        self.record_line_ = _fit_columns(
            self.record_grams_.transform(whole), _with_any(y.families), self.record_C
        )
        self.clause_line_ = _fit_columns(
            self.clause_grams_.transform(counts.clauses), _with_any(marked), self.clause_C
        )
        return self

    def margins(self, counts: Counts) -> _Margins:
        """Return the margins of records and clauses; a record without clauses has the floor."""
        weights, bias = self.record_line_
        whole = self.record_grams_.transform(counts.by_record()) @ weights + bias
        weights, bias = self.clause_line_
        flat = self.clause_grams_.transform(counts.clauses) @ weights + bias
        best, total = np.full(whole.shape, _FLOOR), np.zeros(whole.shape)
        np.maximum.at(best, counts.owners, flat)
        np.add.at(total, counts.owners, np.logaddexp(0.0, flat))
        ends = np.cumsum(np.bincount(counts.owners, minlength=counts.records))[:-1]
        return _Margins(whole, best, total, tuple(np.split(flat, ends)))


def _score_held_out(reader: _Reader, counts: Counts, y: Labels, held: npt.NDArray[np.bool_]) -> _Margins:
    seen = ~held
    part = Labels(y.families[seen], tuple(compress(y.clauses, seen)), y.groups[seen])
    return reader.fit(counts.of(seen), part).margins(counts.of(held))


def _with_any(families: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return np.column_stack([families, families.any(axis=1)])


def _fit_columns(X: Any, y: npt.NDArray[np.bool_], C: float) -> tuple[Floats, Floats]:
    """Fit one linear SVM a column; weights of shape (n-grams, columns), bias of shape (columns,)."""
    weights, bias = np.zeros((X.shape[1], y.shape[1])), np.full(y.shape[1], _FLOOR)
    for column in range(y.shape[1]):
        if y[:, column].any() and not y[:, column].all():
            reader = LinearSVC(C=C, class_weight="balanced", tol=_TOLERANCE, random_state=0).fit(
                X, y[:, column]
            )
            weights[:, column], bias[column] = reader.coef_[0], reader.intercept_[0]
    return weights, bias


def _family_inputs(margins: _Margins) -> Floats:
    """Return the logistic layer's inputs, of shape (records x families, 5)."""
    families = margins.whole.shape[1] - 1
    return np.stack(
        [
            margins.whole[:, :-1],
            margins.best[:, :-1],
            margins.total[:, :-1],
            np.repeat(margins.whole[:, -1:], families, axis=1),
            np.repeat(margins.best[:, -1:], families, axis=1),
        ],
        axis=2,
    ).reshape(-1, 5)


def _any_inputs(margins: _Margins, p_family: Floats) -> Floats:
    return np.column_stack(
        [margins.whole[:, -1], margins.best[:, -1], margins.total[:, -1], logit(noisy_or(p_family))]
    )


def noisy_or(p: Floats) -> Floats:
    """Return the probability of at least one of independent events, shape (records,) of (records, events).

    >>> noisy_or(np.array([[0.5, 0.5]])).tolist()
    [0.75]
    """
    return np.asarray(-np.expm1(np.log1p(-np.minimum(p, 1 - 1e-9)).sum(axis=1)))


def logit(p: Floats) -> Floats:
    """Return the log-odds of probabilities, held away from 0 and 1 by a millionth."""
    held = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(held) - np.log1p(-held))


def shift_prevalence(p: Floats, learnt: float, stated: float) -> Floats:
    """Return probabilities learnt at one prevalence as they are at another.

    Source: prior correction of the intercept, King & Zeng 2001.

    >>> round(float(shift_prevalence(np.array([0.5]), 0.5, 0.05)[0]), 9)
    0.05
    """
    moved = logit(p) + (np.log(stated) - np.log1p(-stated)) - (np.log(learnt) - np.log1p(-learnt))
    return np.asarray(1.0 / (1.0 + np.exp(-moved)))
