"""Word and character n-grams of clauses, counted once and weighed for records and for clauses alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from triage.language.text import Document

#: Length of the character n-grams, which carry misspellings across (PARNTER, STRANGELED).
_CHARACTERS = 4
#: Fewest texts that an n-gram must stand in: words and pairs of words, characters.
_MIN_WORDS, _MIN_CHARACTERS = 2, 3
# A control character tells the two kinds apart: spaCy's tokens never hold one.
_KIND = "\x00"


@dataclass(frozen=True, slots=True)
class Counts:
    """N-gram counts: ``clauses`` of shape (clauses, n-grams), ``owners`` of shape (clauses,) names each one's
    record by its row, ``records`` is the number of records."""

    clauses: sp.csr_matrix
    owners: npt.NDArray[np.intp]
    records: int

    def by_record(self) -> sp.csr_matrix:
        """Return the counts of whole records, shape (records, n-grams); pairs never cross clauses."""
        rows = len(self.owners)
        members = sp.csr_matrix(
            (np.ones(rows, dtype=np.float32), (self.owners, np.arange(rows))), shape=(self.records, rows)
        )
        return members @ self.clauses

    def of(self, records: npt.NDArray[np.bool_]) -> Counts:
        """Return the counts of some records, numbered anew in their order."""
        kept = records[self.owners]
        renumbered = np.cumsum(records) - 1
        return Counts(self.clauses[kept], renumbered[self.owners[kept]], int(records.sum()))


def _grams(words: Sequence[str]) -> Iterator[str]:
    yield from words
    for first, second in pairwise(words):
        yield f"{first} {second}"
    for word in words:
        padded = f" {word} "
        for start in range(max(1, len(padded) - _CHARACTERS + 1)):
            yield _KIND + padded[start : start + _CHARACTERS]


class GramCounter:
    """Counts words, pairs of words and characters within words of documents.

    Source: character n-grams within words against misspellings, ``char_wb`` of scikit-learn.
    """

    def fit(self, documents: Sequence[Document]) -> Self:
        """Learn which n-grams there are; those that stand in one clause only are left out."""
        self.vectorizer_ = CountVectorizer(analyzer=_grams, min_df=_MIN_WORDS, dtype=np.float32)
        self.vectorizer_.fit([clause.words for document in documents for clause in document.clauses])
        return self

    @property
    def is_characters(self) -> npt.NDArray[np.bool_]:
        """Which n-grams are characters, shape (n-grams,)."""
        return np.array([gram.startswith(_KIND) for gram in self.vectorizer_.get_feature_names_out()])

    def count(self, documents: Sequence[Document]) -> Counts:
        """Return the counts of the documents' clauses."""
        clauses = [clause.words for document in documents for clause in document.clauses]
        owners = np.repeat(np.arange(len(documents)), [len(document.clauses) for document in documents])
        if not clauses:
            empty = sp.csr_matrix((0, len(self.vectorizer_.vocabulary_)), dtype=np.float32)
            return Counts(empty, owners, len(documents))
        return Counts(self.vectorizer_.transform(clauses), owners, len(documents))


class GramWeights:
    """TF-IDF of counted n-grams, words and characters each brought to unit length.

    Source: sublinear term frequency and inverse document frequency, Salton & Buckley 1988.
    """

    def fit(self, counts: sp.csr_matrix, is_characters: npt.NDArray[np.bool_]) -> Self:
        """Learn which n-grams are frequent enough, and their weights, from shape (texts, n-grams)."""
        frequency = counts.getnnz(axis=0)
        self.blocks_ = []
        for block, least in ((~is_characters, _MIN_WORDS), (is_characters, _MIN_CHARACTERS)):
            columns = np.flatnonzero(block & (frequency >= least))
            self.blocks_.append((columns, TfidfTransformer(sublinear_tf=True).fit(counts[:, columns])))
        return self

    def transform(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Return weighted n-grams of shape (texts, n-grams kept)."""
        if not counts.shape[0]:
            return sp.csr_matrix((0, sum(len(columns) for columns, _ in self.blocks_)), dtype=np.float32)
        return sp.hstack(
            [weights.transform(counts[:, columns]) for columns, weights in self.blocks_], format="csr"
        )
