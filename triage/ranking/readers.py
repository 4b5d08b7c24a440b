"""Linear readers: what a unit of text (a clause, a record) says of each label, as margins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import LinearSVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from triage.language.features import Units, Vocabulary
from triage.language.text import Reading
from triage.language.word_types import PerType

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
#: Margin of a label that no example bears.
FLOOR = -6.0
#: A hundred times the default: the order is the same, the fit three times as fast.
_TOLERANCE = 1e-2


class LinearReader(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One linear support vector machine a label; rare labels weigh more, by the root of how rare they are.

    Parameters
    ----------
    C : float
        Inverse regularisation.

    Source: linear SVM on TF-IDF for screening, ASReview ELAS u4; weights by rarity, King & Zeng 2001.
    """

    def __init__(self, C: float = 0.3) -> None:
        self.C = C

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit on ``X`` of shape (texts, features) and ``y`` of shape (texts,) or (texts, labels)."""
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64, multi_output=True)
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X)
        X, y, weight = X[weight > 0], np.asarray(y)[weight > 0], weight[weight > 0]
        self.multilabel_ = np.ndim(y) == 2 and y.shape[1] > 1
        if self.multilabel_:
            self.classes_ = np.arange(y.shape[1])
            columns = np.asarray(y, dtype=bool)
        else:
            self.classes_, numbers = np.unique(column_or_1d(y, warn=True), return_inverse=True)
            if len(self.classes_) < 2:
                raise ValueError("the labels hold 1 class; at least 2 classes are needed")
            first = 1 if len(self.classes_) == 2 else 0
            columns = numbers[:, None] == np.arange(first, len(self.classes_))[None, :]
        lines = [self._line(X, column, weight) for column in columns.T]
        self.coef_ = np.array([each[0] for each in lines])
        self.intercept_ = np.array([each[1] for each in lines])
        return self

    def _line(self, X: Any, y: Bools, weight: Floats) -> tuple[Floats, float]:
        if y.all() or not y.any():
            return np.zeros(X.shape[1]), -FLOOR if y.all() else FLOOR
        # The root of `class_weight="balanced"`, which counts texts instead of adding up their weights: whole,
        # a clause of a rare label would weigh as much as hundreds that look like it and are none.
        share = weight[y].sum() / weight.sum()
        balanced = weight * np.sqrt(np.where(y, 0.5 / share, 0.5 / (1.0 - share)))
        line = LinearSVC(C=self.C, tol=_TOLERANCE, random_state=0).fit(X, y, sample_weight=balanced)
        return line.coef_[0], float(line.intercept_[0])

    def decision_function(self, X: Any) -> Floats:
        """Return margins, shape (texts, labels); (texts,) if there are two classes."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        margins = np.asarray(X @ self.coef_.T) + self.intercept_
        return np.asarray(margins if self.multilabel_ or margins.shape[1] > 1 else margins[:, 0])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the class of each text, or which labels it bears."""
        margins = self.decision_function(X)
        if self.multilabel_:
            return (margins > 0).astype(int)
        if margins.ndim == 1:
            return np.asarray(self.classes_[(margins > 0).astype(int)])
        return np.asarray(self.classes_[margins.argmax(axis=1)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags


class UnitReader:
    """A linear reader over the features of one kind of unit, each kind of feature at unit length.

    Source: inverse document frequency, Salton & Buckley 1988. The length of the characters of a unit is taken
    from the lengths of its words, so that a word adds the same wherever it stands and is worked out once.
    """

    def __init__(self, vocabulary: Vocabulary, C: float, kinds: Sequence[str]) -> None:
        self.vocabulary = vocabulary
        self.C = C
        self.kinds = tuple(kinds)

    def fit(
        self, units: Units, known: sp.csr_matrix, spelt: sp.csr_matrix, y: Bools, weight: Floats | None = None
    ) -> Self:
        """Fit on units, the known words and the spelling of the reading's types, ``y`` (units, labels)."""
        blocks = self._blocks(units, known, spelt)
        self.idf_, columns, at = {}, [], 0
        self.slices_ = {}
        for kind in self.kinds:
            block = blocks[kind]
            frequency = np.bincount(block.indices, minlength=block.shape[1])
            idf = np.log((1 + block.shape[0]) / (1 + frequency)) + 1.0
            idf[frequency == 0] = 0.0
            self.idf_[kind] = idf
            weighed = block @ sp.diags(idf)
            squares = (
                units.words @ _squares(spelt @ sp.diags(idf)) if kind == "characters" else _squares(weighed)
            )
            columns.append(sp.diags(1.0 / np.sqrt(np.maximum(squares, 1e-12))) @ weighed)
            self.slices_[kind] = slice(at, at + block.shape[1])
            at += block.shape[1]
        matrix = sp.hstack(columns, format="csr")
        if not matrix.shape[0]:  # a history of long records alone marks no clause
            self.coef_ = {kind: np.zeros((len(self.idf_[kind]), y.shape[1])) for kind in self.kinds}
            self.intercept_ = np.full(y.shape[1], FLOOR)
            return self
        reader = LinearReader(self.C).fit(matrix, y, sample_weight=weight)
        self.coef_ = {
            kind: reader.coef_[:, part].T * self.idf_[kind][:, None] for kind, part in self.slices_.items()
        }
        self.intercept_ = reader.intercept_
        del self.slices_
        return self

    def _blocks(self, units: Units, known: sp.csr_matrix, spelt: sp.csr_matrix) -> dict[str, sp.csr_matrix]:
        made = {
            "words": lambda: units.words @ known,
            "pairs": lambda: units.pairs,
            "characters": lambda: units.words @ spelt,
            "classes": lambda: units.classes,
        }
        return {kind: made[kind]().tocsr() for kind in self.kinds}

    def type_vectors(self, known: sp.csr_matrix, spelt: sp.csr_matrix) -> Floats:
        """Return what each type adds: word and character sums a label, and their squared lengths."""
        sums, squares = [], []
        for kind, matrix in (("words", known), ("characters", spelt)):
            if kind in self.kinds:
                sums.append(matrix @ self.coef_[kind])
                squares.append(_squares(matrix @ sp.diags(self.idf_[kind])))
            else:
                sums.append(np.zeros((matrix.shape[0], len(self.intercept_))))
                squares.append(np.zeros(matrix.shape[0]))
        return np.column_stack([*sums, *squares])

    @property
    def width(self) -> int:
        """How many values a type adds."""
        return 2 * len(self.intercept_) + 2

    def margins(self, units: Units, vectors: Floats) -> Floats:
        """Return margins of shape (units, labels), given the vectors of the reading's types."""
        labels = len(self.intercept_)
        sums = units.words @ vectors
        length = np.sqrt(np.maximum(sums[:, 2 * labels :], 1e-12))
        margins = sums[:, :labels] / length[:, :1] + sums[:, labels : 2 * labels] / length[:, 1:]
        for kind in ("pairs", "classes"):
            if kind in self.kinds:
                block = getattr(units, kind)
                squares = np.asarray(block @ self.idf_[kind] ** 2)
                margins += (block @ self.coef_[kind]) / np.sqrt(np.maximum(squares, 1e-12))[:, None]
        return np.asarray(margins + self.intercept_)


class TypeTable:
    """The vectors of words met so far, for several readers at once; worked out once a word."""

    def __init__(self, vocabulary: Vocabulary, readers: Sequence[UnitReader]) -> None:
        self.vocabulary = vocabulary
        self.readers = tuple(readers)
        self._vectors = PerType(self._work_out)

    def of(self, reading: Reading) -> list[Floats]:
        """Return one array of shape (types of the reading, values) for each reader."""
        found = self._vectors.of(reading.types)
        edges = np.cumsum([reader.width for reader in self.readers])[:-1]
        return np.split(found, edges, axis=1)

    def _work_out(self, names: Sequence[str]) -> Floats:
        known, spelt = self.vocabulary.known(names), self.vocabulary.spelling(names)
        return np.column_stack([reader.type_vectors(known, spelt) for reader in self.readers])


def _squares(matrix: sp.csr_matrix) -> Floats:
    return np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()
