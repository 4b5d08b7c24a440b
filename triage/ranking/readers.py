"""Linear readers: what a unit of text (a clause, a passage, a record) says of each label, as margins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from triage.language.features import Units, Vocabulary
from triage.language.text import Reading
from triage.language.word_types import PerType
from triage.ranking.fitted import FLOOR, Bools, Floats

#: What features add: half the memory, and half the time of fetching it, for differences of a ten-millionth.
Singles = npt.NDArray[np.float32]


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
        self,
        units: Units,
        known: sp.csr_matrix,
        spelt: sp.csr_matrix,
        y: Bools,
        weight: Floats | None = None,
        unknown: Bools | None = None,
        window: sp.csr_matrix | None = None,
    ) -> Self:
        """Fit on units, the known words and the spelling of the reading's types, ``y`` (units, labels).

        With a ``window`` of shape (passages, units) what is read are passages, and ``y`` is of theirs: a
        feature counts as often as units of the passage hold it, and the squares of their lengths are added.

        ``coef_`` then holds an array for each kind, of shape (features, labels + 1): what a feature adds to
        the margin of each label before lengths are divided by, and what it adds to the squared length.
        ``unknown`` as :meth:`triage.ranking.linear_reader.LinearReader.fit` takes it.
        """
        from triage.ranking.linear_reader import LinearReader

        blocks = self._blocks(units, known, spelt)
        rarities, columns, slices, at = {}, [], {}, 0
        for kind in self.kinds:
            block = blocks[kind]
            frequency = np.bincount(block.indices, minlength=block.shape[1])
            idf = np.log((1 + block.shape[0]) / (1 + frequency)) + 1.0
            idf[frequency == 0] = 0.0
            rarities[kind] = idf
            weighed = block @ sp.diags(idf)
            squares = (
                units.words @ _squares(spelt @ sp.diags(idf)) if kind == "characters" else _squares(weighed)
            )
            if window is not None:
                weighed, squares = window @ weighed, window @ squares
            columns.append(sp.diags(1.0 / np.sqrt(np.maximum(squares, 1e-12))) @ weighed)
            slices[kind] = slice(at, at + block.shape[1])
            at += block.shape[1]
        matrix = sp.hstack(columns, format="csr")
        if not matrix.shape[0]:  # a history of long records alone marks no clause
            nothing = np.zeros((at, y.shape[1]))
            self.coef_ = {kind: _wide(nothing[part], rarities[kind]) for kind, part in slices.items()}
            self.intercept_ = np.full(y.shape[1], FLOOR)
            return self
        reader = LinearReader(self.C).fit(matrix, y, sample_weight=weight, unknown=unknown)
        self.coef_ = {
            kind: _wide(reader.coef_[:, part].T * rarities[kind][:, None], rarities[kind])
            for kind, part in slices.items()
        }
        self.intercept_ = reader.intercept_
        return self

    def _blocks(self, units: Units, known: sp.csr_matrix, spelt: sp.csr_matrix) -> dict[str, sp.csr_matrix]:
        made = {
            "words": lambda: units.words @ known,
            "pairs": lambda: units.pairs,
            "characters": lambda: units.words @ spelt,
            "classes": lambda: units.classes,
        }
        return {kind: made[kind]().tocsr() for kind in self.kinds}

    def type_vectors(self, known: sp.csr_matrix, spelt: sp.csr_matrix) -> Singles:
        """Return what each type adds, shape (types, 2 labels + 2): as in ``coef_``, as word and as spelt."""
        return np.column_stack(
            [
                matrix @ self.coef_[kind]
                if kind in self.kinds
                else np.zeros((matrix.shape[0], len(self.intercept_) + 1), dtype=np.float32)
                for kind, matrix in (("words", known), ("characters", spelt))
            ]
        )

    @property
    def width(self) -> int:
        """How many values a type adds."""
        return 2 * len(self.intercept_) + 2

    def margins(self, units: Units, vectors: Singles, window: sp.csr_matrix | None = None) -> Floats:
        """Return margins of shape (units, labels), given the vectors of the reading's types.

        With a ``window``, those of its passages; see :meth:`fit`.
        """
        sums = np.split(units.words @ vectors, 2, axis=1)
        sums += [
            getattr(units, kind) @ self.coef_[kind] for kind in ("pairs", "classes") if kind in self.kinds
        ]
        margins = np.tile(self.intercept_, (len(sums[0]) if window is None else window.shape[0], 1))
        for part in sums:
            margins += _at_unit_length(part if window is None else window @ part)
        return margins


def _wide(coef: Floats, rarities: Floats) -> Singles:
    """Return what a feature adds to each label and to the squared length, row by row in memory."""
    return np.ascontiguousarray(np.column_stack([coef, rarities**2]), dtype=np.float32)


def _at_unit_length(sums: Singles) -> Singles:
    """Return sums over features by length, (units, labels) of (units, labels + 1); its square stands last."""
    return np.asarray(sums[:, :-1] / np.sqrt(np.maximum(sums[:, -1:], 1e-12)))


class TypeTable:
    """The vectors of words met so far, for several readers at once; worked out once a word."""

    def __init__(self, vocabulary: Vocabulary, readers: Sequence[UnitReader]) -> None:
        self.vocabulary = vocabulary
        self.readers = tuple(readers)
        self._vectors = PerType(self._work_out)

    def of(self, reading: Reading) -> list[Singles]:
        """Return one array of shape (types of the reading, values) for each reader."""
        found = self._vectors.of(reading.types)
        edges = np.cumsum([reader.width for reader in self.readers])[:-1]
        return np.split(found, edges, axis=1)

    def _work_out(self, names: Sequence[str]) -> Singles:
        known, spelt = self.vocabulary.known(names), self.vocabulary.spelling(names)
        return np.column_stack([reader.type_vectors(known, spelt) for reader in self.readers])


def _squares(matrix: sp.csr_matrix) -> Floats:
    return np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()
