"""A unit's features and margins are its own: the same alone, in any batch, in training and afterwards."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import pytest

from models.linear import labels_of
from tests.conftest import CANARY
from training_data.build import CORPUS_DIR, corpus_table
from triage.language import tokens as language_tokens
from triage.language.features import KINDS, Units, Vocabulary
from triage.language.text import Reading, read_texts
from triage.language.words import CLASSES, classes_of
from triage.ranking import linear_reader
from triage.ranking.fitted import FLOOR, Bools, Floats
from triage.ranking.linear_reader import LinearReader
from triage.ranking.readers import TypeTable, UnitReader
from triage.reading.records import Record

AT = datetime(2026, 10, 14, tzinfo=UTC)
#: What two ways of adding up the same numbers may differ by.
CLOSE = 1e-9


def read(*texts: str) -> Reading:
    return read_texts([Record("incidents", "A1", AT, AT, text) for text in texts])


@pytest.fixture(scope="module")
def records() -> tuple[Record, ...]:
    """Some records of the corpus, forms among them, the last without a narrative."""
    examples = corpus_table([CORPUS_DIR / "w1.jsonl", CORPUS_DIR / "w8.jsonl"]).examples[::4]
    return (*(each.record for each in examples), Record("incidents", "A1", AT, AT, ""))


@pytest.fixture(scope="module")
def reading(records: Sequence[Record]) -> Reading:
    return read_texts(records)


@pytest.fixture(scope="module")
def vocabulary(reading: Reading) -> Vocabulary:
    return Vocabulary().fit(reading)


@pytest.fixture(scope="module")
def labels() -> Bools:
    examples = corpus_table([CORPUS_DIR / "w1.jsonl", CORPUS_DIR / "w8.jsonl"]).examples[::4]
    families = labels_of(read_texts([each.record for each in examples]), examples).families
    return np.vstack([families, np.zeros((1, families.shape[1]), dtype=bool)])


@pytest.fixture(scope="module")
def reader(reading: Reading, vocabulary: Vocabulary, labels: Bools) -> UnitReader:
    known, spelt = vocabulary.known(reading.types), vocabulary.spelling(reading.types)
    return UnitReader(vocabulary, 0.3, KINDS).fit(vocabulary.units(reading).records, known, spelt, labels)


def margins(reader: UnitReader, reading: Reading) -> Floats:
    vocabulary = reader.vocabulary
    vectors = reader.type_vectors(vocabulary.known(reading.types), vocabulary.spelling(reading.types))
    return reader.margins(vocabulary.units(reading).records, vectors)


def test_a_vocabulary_knows_what_stands_in_enough_clauses() -> None:
    vocabulary = Vocabulary().fit(read(f"HE HIT HER. {CANARY}", "HE HIT HIM. SHE FELL.", "HE LEFT"))
    assert set(vocabulary.words_) == {"he", "hit"}
    assert len(vocabulary.pairs_) == 1
    assert set(vocabulary.characters_) == {" he "}


def test_only_known_pairs_of_neighbours_in_one_clause_are_features() -> None:
    vocabulary = Vocabulary().fit(read("HE HIT HER", "HE HIT HER", "HER HE"))
    units = vocabulary.units(read("HE HIT HER", "HE HIT. HER", "HIT HE", "HE ZEBRA HIT", CANARY)).clauses
    assert units.pairs.toarray().sum(axis=1).tolist() == [2, 1, 0, 0, 0, 0]
    records = vocabulary.units(read("HE HIT HER", "HE HIT. HER", "HE HIT. HE HIT.")).records
    assert records.pairs.toarray().sum(axis=1).tolist() == [2, 1, 1]


def test_classes_pair_in_order_across_small_words_of_one_clause() -> None:
    vocabulary = Vocabulary().fit(read("HE HIT HER", "HE HIT HER"))
    [hit], [neck] = ([classes_of(word)] for word in ("punched", "neck"))
    pair = hit[0] * len(CLASSES) + neck[0]
    texts = ("PUNCHED NECK", "PUNCHED ZEBRA QUORUM NECK", "NECK PUNCHED", "PUNCHED. NECK")
    classes = vocabulary.units(read(*texts)).clauses.classes
    assert classes[:, [pair]].toarray().ravel().tolist() == [1, 1, 0, 0, 0]
    far = vocabulary.units(read(f"PUNCHED {'ZEBRA ' * 4}NECK", f"PUNCHED {'ZEBRA ' * 3}NECK")).clauses.classes
    assert far[:, [pair]].toarray().ravel().tolist() == [0, 1]


def test_features_count_once_a_unit() -> None:
    vocabulary = Vocabulary().fit(read("HE HIT HER", "HE HIT HER"))
    for units in (
        vocabulary.units(read("HE HIT HE HIT HE HIT")).clauses,
        vocabulary.units(read("HE HIT. HE HIT")).records,
    ):
        for block in (units.words, units.pairs, units.classes):
            assert set(block.data) <= {1.0}


def test_a_slip_of_the_pen_shares_characters_with_its_word() -> None:
    vocabulary = Vocabulary().fit(read("STRANGULATED HER", "STRANGULATED HIM", "STRANGULATED IT"))
    right, wrong, other = vocabulary.spelling(["strangulated", "strangulatted", "zebra"])
    assert right.multiply(wrong).sum() >= 8
    assert right.multiply(other).sum() == 0
    assert vocabulary.known(["strangulatted", "strangulated"]).toarray().sum(axis=1).tolist() == [0, 1]


def test_units_are_the_same_in_any_batch(vocabulary: Vocabulary, records: Sequence[Record]) -> None:
    together = read_texts(records)
    beside = Record("incidents", "A2", AT, AT, f"HE LEFT. {CANARY}")
    known = vocabulary.known(together.types)
    for row in (0, 7, len(records) - 1):
        alone = read_texts([beside, records[row]])
        mine, theirs = vocabulary.units(alone).records, vocabulary.units(together).records
        for name in ("pairs", "classes"):
            assert (getattr(mine, name)[1] != getattr(theirs, name)[row]).nnz == 0
        assert (mine.words[1] @ vocabulary.known(alone.types) != theirs.words[row] @ known).nnz == 0


def test_margins_are_the_same_in_any_batch(
    reader: UnitReader, reading: Reading, records: Sequence[Record]
) -> None:
    together = margins(reader, reading)
    assert together.shape == (len(records), len(reader.intercept_))
    assert len(np.unique(together[:, 0].round(6))) > 50
    beside = Record("incidents", "A2", AT, AT, f"HE LEFT. {CANARY}")
    for row in range(0, len(records), 9):
        assert np.array_equal(margins(reader, read_texts([records[row], beside]))[0], together[row])
    assert np.array_equal(margins(reader, read_texts(records[::-1]))[::-1], together)


def test_a_record_without_words_has_the_intercept(reader: UnitReader, reading: Reading) -> None:
    assert margins(reader, reading)[-1] == pytest.approx(reader.intercept_, abs=CLOSE)


def test_training_and_prediction_see_the_same_features(
    monkeypatch: pytest.MonkeyPatch, reading: Reading, vocabulary: Vocabulary, labels: Bools
) -> None:
    seen: list[tuple[Any, Floats]] = []

    class Watched(LinearReader):
        def fit(self, X: Any, y: Any, *more: Any, **named: Any) -> Self:
            super().fit(X, y, *more, **named)
            seen.append((X, self.decision_function(X)))
            return self

    monkeypatch.setattr(linear_reader, "LinearReader", Watched)
    known, spelt = vocabulary.known(reading.types), vocabulary.spelling(reading.types)
    clause_labels = labels[reading.owners]
    for units, y in (
        (vocabulary.units(reading).records, labels),
        (vocabulary.units(reading).clauses, clause_labels),
    ):
        fitted = UnitReader(vocabulary, 0.3, KINDS).fit(units, known, spelt, y)
        found = fitted.margins(units, fitted.type_vectors(known, spelt))
        matrix, at_training = seen.pop()
        # What features add is kept to seven digits, and some dozens of them are added up.
        assert found == pytest.approx(at_training, abs=2e-6)
        assert np.ptp(found, axis=0).max() > 0.1
        assert_unit_length(matrix, fitted)


def assert_unit_length(matrix: Any, fitted: UnitReader) -> None:
    """Every kind of feature but characters, whose length is that of its words, weighs the same in a unit."""
    at = 0
    for kind in fitted.kinds:
        block = matrix[:, at : at + len(fitted.coef_[kind])]
        at += block.shape[1]
        lengths = np.sqrt(block.multiply(block).sum(axis=1)).ravel()
        assert lengths.max() > 0.5
        if kind != "characters":
            assert set(np.asarray(lengths).ravel().round(9).tolist()) <= {0.0, 1.0}
    assert at == matrix.shape[1]


def test_the_table_of_types_gives_the_same_after_it_was_emptied(
    monkeypatch: pytest.MonkeyPatch, reader: UnitReader, records: Sequence[Record]
) -> None:
    vocabulary, table = reader.vocabulary, TypeTable(reader.vocabulary, (reader, reader))
    for runs in (10**9, 50, 0):
        monkeypatch.setattr(language_tokens, "_RUNS_MOST", runs)
        books = []
        for at in range(0, len(records) - 1, 40):
            part = read_texts(records[at : at + 40])
            books.append(part.types.book)
            wanted = reader.type_vectors(vocabulary.known(part.types), vocabulary.spelling(part.types))
            for found in table.of(part):
                assert found == pytest.approx(wanted, abs=CLOSE)
        assert all(book is books[0] for book in books) == (runs == 10**9)


def test_units_can_be_taken_by_row(reading: Reading, vocabulary: Vocabulary) -> None:
    units = vocabulary.units(reading).records
    kept = np.arange(reading.records) % 3 == 0
    assert isinstance(units.rows(kept), Units)
    assert (units.rows(kept).words != units.words[kept]).nnz == 0


def test_a_label_that_none_or_all_bear_has_a_fixed_margin(reading: Reading, vocabulary: Vocabulary) -> None:
    known, spelt = vocabulary.known(reading.types), vocabulary.spelling(reading.types)
    y = np.zeros((reading.records, 3), dtype=bool)
    y[:, 1], y[::2, 2] = True, True
    fitted = UnitReader(vocabulary, 0.3, KINDS).fit(vocabulary.units(reading).records, known, spelt, y)
    found = fitted.margins(vocabulary.units(reading).records, fitted.type_vectors(known, spelt))
    assert np.allclose(found[:, 0], FLOOR)
    assert np.allclose(found[:, 1], -FLOOR)
    assert np.ptp(found[:, 2]) > 0


def test_without_units_every_margin_is_the_floor(reading: Reading, vocabulary: Vocabulary) -> None:
    known, spelt = vocabulary.known(reading.types), vocabulary.spelling(reading.types)
    units, none = vocabulary.units(reading).clauses, np.zeros(len(reading.owners), dtype=bool)
    fitted = UnitReader(vocabulary, 0.3, KINDS).fit(
        units.rows(none), known, spelt, np.zeros((0, 4), dtype=bool)
    )
    assert np.all(fitted.margins(units, fitted.type_vectors(known, spelt)) == FLOOR)


@pytest.mark.parametrize(
    "kinds", [("words", "characters"), ("words", "pairs"), ("characters",), ("classes", "pairs")], ids=repr
)
def test_any_kind_can_be_left_out(
    kinds: tuple[str, ...], reading: Reading, vocabulary: Vocabulary, labels: Bools
) -> None:
    known, spelt = vocabulary.known(reading.types), vocabulary.spelling(reading.types)
    fitted = UnitReader(vocabulary, 0.3, kinds).fit(vocabulary.units(reading).records, known, spelt, labels)
    found = margins(fitted, reading)
    assert set(fitted.coef_) == set(kinds)
    assert np.isfinite(found).all()
    assert np.ptp(found, axis=0).max() > 0.1


def test_a_stored_vocabulary_knows_the_same_words_in_the_same_order() -> None:
    texts = ["He \x00 hit her\nhard", "\u2028 he hit é her", '"hit" her \\ she said'] * 3
    reading = read(*texts)
    vocabulary = Vocabulary().fit(reading)
    stored = pickle.loads(pickle.dumps(vocabulary))  # noqa: S301 (what this test has just written)
    for name in ("words_", "characters_", "common_"):
        assert list(getattr(stored, name).items()) == list(getattr(vocabulary, name).items())
    assert len(stored.words_) > 3
    before = Vocabulary()
    before.__setstate__({**vocabulary.__dict__, "words_": dict(vocabulary.words_)})
    assert before.words_ == vocabulary.words_
    for mine, its in zip(stored.units(reading), vocabulary.units(reading), strict=True):
        assert (mine.words != its.words).nnz == (mine.pairs != its.pairs).nnz == 0
