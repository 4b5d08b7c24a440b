"""Linear readers: what a unit of text (a clause, a record) says of each label, as margins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from triage.language.features import Units, Vocabulary
from triage.language.text import Reading
from triage.language.word_types import PerType
from triage.ranking.fitted import FLOOR

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


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
        from triage.ranking.linear_reader import LinearReader

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
