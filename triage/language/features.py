"""Word, word-pair, character and word-class features of clauses and records, from words read once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from triage.language.runs import HashTable, hashed
from triage.language.text import Reading
from triage.language.tokens import Ints
from triage.language.word_types import PerType
from triage.language.words import CLASSES, classes_of

Floats = npt.NDArray[np.float64]
#: Length of the character n-grams, which carry misspellings across (PARNTER, STRANGELED).
_CHARACTERS = 4
#: Fewest texts that a feature must stand in.
_LEAST = 2
_LEAST_CHARACTERS = 3
#: A word that stands in so many clauses is known well enough: its characters would add work and nothing else.
_COMMON = 100
#: Classes of two words are paired up to this many words apart, in order.
_CLASS_REACH = 4
#: The kinds of features; each is brought to unit length by itself.
KINDS = ("words", "pairs", "characters", "classes")


@dataclass(frozen=True, slots=True)
class Units:
    """Which features stand in which unit of text (a clause or a record), one boolean matrix a kind.

    ``words`` has shape (units, types of the reading); ``pairs`` and ``classes`` have the shapes
    (units, pairs known) and (units, pairs of classes).
    """

    words: sp.csr_matrix
    pairs: sp.csr_matrix
    classes: sp.csr_matrix

    def rows(self, kept: npt.NDArray[np.bool_] | Ints) -> Units:
        """Return some of the units."""
        return Units(self.words[kept], self.pairs[kept], self.classes[kept])


class ByUnit(NamedTuple):
    """The features of a reading's records and of its clauses."""

    records: Units
    clauses: Units


class Vocabulary:
    """Which features there are: learnt from one reading, found again in any other.

    Source: character n-grams within words against misspellings, ``char_wb`` of scikit-learn.
    """

    def fit(self, reading: Reading) -> Self:
        """Learn the words, pairs of words and characters that stand in enough clauses."""
        clauses = len(reading.owners)
        words = _presence(reading.clauses, reading.words, (clauses, len(reading.types)))
        often = np.flatnonzero(words.getnnz(axis=0) >= _LEAST)
        self.words_ = _numbered(reading.types[at] for at in often.tolist())
        keys, rows = self._pair_keys(reading, self._known(reading.types))
        distinct, columns = np.unique(keys, return_inverse=True)
        pairs = _presence(rows, columns.ravel(), (clauses, len(distinct)))
        self.pairs_ = distinct[pairs.getnnz(axis=0) >= _LEAST]
        common = np.flatnonzero(words.getnnz(axis=0) >= _COMMON)
        # No set: it would be stored in another order by each process.
        self.common_ = _numbered(reading.types[at] for at in common.tolist())
        self.characters_: dict[str, int] = {}
        within = words @ self._spelt(reading.types, grow=True)
        kept = np.flatnonzero(within.getnnz(axis=0) >= _LEAST_CHARACTERS)
        names = list(self.characters_)
        self.characters_ = _numbered(names[at] for at in kept.tolist())
        self.__dict__.pop("_index", None)
        return self

    def units(self, reading: Reading) -> ByUnit:
        """Return the features of the reading's records and clauses; pairs never cross clauses."""
        if not hasattr(self, "_index"):
            table = HashTable()
            table.add(hashed(self.pairs_))
            self._index = (PerType(self._known), table)
        known, pairs = self._index
        keys, clauses = self._pair_keys(reading, known.of(reading.types))
        place = pairs.find(hashed(keys))
        found = place >= 0
        rows, columns = _class_pairs(reading)
        of_kind = (
            (reading.clauses, reading.words, len(reading.types)),
            (clauses[found], place[found], len(self.pairs_)),
            (rows, columns, len(CLASSES) ** 2),
        )
        count = len(reading.owners)
        of_clauses = [_presence(at, found, (count, most)) for at, found, most in of_kind]
        return ByUnit(
            Units(*(_in_records(each, reading) for each in of_clauses)),
            Units(*of_clauses),
        )

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in self.__dict__.items() if name != "_index"}
        # One text is unpacked in a fraction of the time that tens of thousands of words take.
        packed = {name: json.dumps(list(value)) for name, value in kept.items() if isinstance(value, dict)}
        return kept | packed

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if isinstance(value, str):
                self.__dict__[name] = _numbered(json.loads(value))
            else:
                self.__dict__[name] = value

    def spelling(self, types: Sequence[str]) -> sp.csr_matrix:
        """Return which known characters each type is spelt with, shape (types, characters)."""
        return self._spelt(types, grow=False)

    def known(self, types: Sequence[str]) -> sp.csr_matrix:
        """Return which known word each type is, shape (types, words)."""
        columns = self._known(types)
        rows = np.flatnonzero(columns >= 0)
        return sp.csr_matrix(
            (np.ones(len(rows), dtype=np.float32), (rows, columns[rows])),
            shape=(len(types), len(self.words_)),
        )

    def _known(self, types: Sequence[str]) -> Ints:
        return np.array([self.words_.get(each, -1) for each in types], dtype=np.int64)

    def _pair_keys(self, reading: Reading, known: Ints) -> tuple[Ints, Ints]:
        words = known[reading.words]
        beside = (reading.clauses[1:] == reading.clauses[:-1]) & (words[1:] >= 0) & (words[:-1] >= 0)
        keys = words[:-1][beside] * len(self.words_) + words[1:][beside]
        return keys, reading.clauses[1:][beside]

    def _spelt(self, types: Sequence[str], *, grow: bool) -> sp.csr_matrix:
        index, rows, columns = self.characters_, [], []
        for row, word in enumerate(types):
            if word in self.common_:
                continue
            padded = f" {word} "
            grams = (padded[at : at + _CHARACTERS] for at in range(max(1, len(padded) - _CHARACTERS + 1)))
            # In the order of the word: that of a set differs from process to process, and with it the fit.
            for gram in dict.fromkeys(grams):
                column = index.setdefault(gram, len(index)) if grow else index.get(gram, -1)
                if column >= 0:
                    rows.append(row)
                    columns.append(column)
        ones = np.ones(len(rows), dtype=np.float32)
        return sp.csr_matrix((ones, (rows, columns)), shape=(len(types), len(index)))


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _presence(rows: Ints, columns: Ints, shape: tuple[int, int]) -> sp.csr_matrix:
    # Sorted numbers are several times as fast as scipy's way from coordinates, which sums duplicates.
    keys = np.sort(rows * shape[1] + columns)
    if len(keys):
        keys = keys[np.append(True, keys[1:] != keys[:-1])]
    begins = np.searchsorted(keys, np.arange(shape[0] + 1) * shape[1])
    within = keys - np.repeat(np.arange(shape[0]) * shape[1], np.diff(begins))
    ones = np.ones(len(keys), dtype=np.float32)
    return sp.csr_matrix((ones, within.astype(np.int32), begins.astype(np.int32)), shape=shape)


def _in_records(presence: sp.csr_matrix, reading: Reading) -> sp.csr_matrix:
    """Return what stands in the records of clauses."""
    owners = np.repeat(reading.owners, np.diff(presence.indptr))
    return _presence(owners, presence.indices.astype(np.int64), (reading.records, presence.shape[1]))


def _first_classes(types: Sequence[str]) -> Ints:
    """Return up to three classes of each type, -1 where there are fewer, shape (types, 3)."""
    table = np.full((len(types), 3), -1, dtype=np.int64)
    for row, word in enumerate(types):
        found = classes_of(word)[:3]
        table[row, : len(found)] = found
    return table


_CLASSES = PerType(_first_classes)


def _class_pairs(reading: Reading) -> tuple[Ints, Ints]:
    """Return clause and number of every ordered pair of classes that stand near each other."""
    table = _CLASSES.of(reading.types)
    classed = np.flatnonzero(table[reading.words, 0] >= 0)
    numbers, clauses = table[reading.words[classed]], reading.clauses[classed]
    # Few words have a second class, fewer a third.
    having = [numbers[:, at] >= 0 for at in range(3)]
    rows, columns = [], []
    # Beside each other among the words that have a class, so that small words between them do not part them.
    for apart in range(1, _CLASS_REACH + 1):
        near = np.flatnonzero(
            (clauses[apart:] == clauses[:-apart]) & (classed[apart:] - classed[:-apart] <= _CLASS_REACH)
        )
        for first in range(3):
            left = near[having[first][near]] if first else near
            for second in range(3):
                both = left[having[second][left + apart]] if second else left
                rows.append(clauses[both])
                columns.append(numbers[both, first] * len(CLASSES) + numbers[both + apart, second])
    return np.concatenate(rows), np.concatenate(columns)
