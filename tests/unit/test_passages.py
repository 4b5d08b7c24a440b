"""Passages: a clause with those beside it is read as one, and never with another record's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.language.features import KINDS, Vocabulary
from triage.language.text import Reading, read_texts
from triage.ranking.fitted import Bools, Floats
from triage.ranking.passages import window_of
from triage.ranking.readers import UnitReader
from triage.reading.records import Record

AT = datetime(2026, 10, 14, tzinfo=UTC)
KETTLE, ARM, DULL = "He lifted the kettle off the hob", "Her arm was red", "The bus was late"
TOGETHER = [f"{KETTLE}. {ARM}. {DULL}."] * 6
APART = [f"{KETTLE}. {DULL}. {DULL}.", f"{ARM}. {DULL}. {DULL}."] * 6


def reading_of(texts: Sequence[str], answers: dict[int, str] | None = None) -> Reading:
    records = [
        Record("incidents", f"A{row}", AT, AT, text, form_version="dash-police-27", answers=answers or {})
        for row, text in enumerate(texts)
    ]
    return read_texts(records)


def fitted(reading: Reading, y: Bools, *, passages: bool) -> tuple[UnitReader, Vocabulary]:
    vocabulary = Vocabulary().fit(reading)
    known, spelt = vocabulary.known(reading.types), vocabulary.spelling(reading.types)
    window = window_of(reading) if passages else None
    units = vocabulary.units(reading).clauses
    return UnitReader(vocabulary, 1.0, KINDS).fit(units, known, spelt, y, window=window), vocabulary


def margins(reader: UnitReader, vocabulary: Vocabulary, texts: Sequence[str], *, passages: bool) -> Floats:
    reading = reading_of(texts)
    vectors = reader.type_vectors(vocabulary.known(reading.types), vocabulary.spelling(reading.types))
    window = window_of(reading) if passages else None
    return reader.margins(vocabulary.units(reading).clauses, vectors, window)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(min_value=0, max_value=5), min_size=1, max_size=8))
def test_a_passage_is_a_clause_and_its_neighbours_of_the_same_record(counts: list[int]) -> None:
    reading = reading_of(["He fell. " * count for count in counts])
    window = window_of(reading).toarray()
    clauses = np.arange(len(reading.owners))
    near = np.abs(clauses[:, None] - clauses[None, :]) <= 1
    same = reading.owners[:, None] == reading.owners[None, :]
    assert np.array_equal(window, (near & same).astype(float))


def test_answers_of_a_form_stand_in_no_passage_but_their_own() -> None:
    reading = reading_of(["He fell. She ran."], {1: "Y", 18: "Y"})
    assert reading.questions.tolist() == [0, 0, 1, 18]
    assert window_of(reading).toarray().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_what_two_clauses_tell_together_is_read_of_the_passage_alone() -> None:
    """Either clause stands in innocent texts twice as often as not; beside each other they tell."""
    reading = reading_of([*TOGETHER, *APART])
    told = reading.owners < len(TOGETHER)
    y = np.column_stack([told & np.isin(np.arange(len(told)) % 3, (0, 1)), np.zeros(len(told), dtype=bool)])
    apart = [f"{KETTLE}. {DULL}.", f"{ARM}. {DULL}."]
    for passages in (True, False):
        reader, vocabulary = fitted(reading, y, passages=passages)
        together = margins(reader, vocabulary, [f"{KETTLE}. {ARM}."], passages=passages)[:, 0]
        others = margins(reader, vocabulary, apart, passages=passages)[:, 0]
        assert (together.max() > 0 > others.max()) == passages


def test_clauses_of_a_passage_add_up_at_unit_length() -> None:
    """Said twice, the words add twice, and the length grows by the root as that of any two clauses does."""
    reading = reading_of([*TOGETHER, *APART])
    y = np.column_stack([reading.owners < len(TOGETHER), reading.owners % 2 == 0])
    reader, vocabulary = fitted(reading, y, passages=True)
    once, twice = (
        margins(reader, vocabulary, [text], passages=True)[0] - reader.intercept_
        for text in (f"{ARM}.", f"{ARM}. {ARM}.")
    )
    assert np.abs(once).min() > 0.01
    assert twice == pytest.approx(np.sqrt(2) * once)


def test_a_clause_by_itself_reads_the_same_as_a_passage() -> None:
    reading = reading_of([*TOGETHER, *APART])
    y = np.column_stack([reading.owners < len(TOGETHER), reading.owners % 2 == 0])
    reader, vocabulary = fitted(reading, y, passages=True)
    alone = margins(reader, vocabulary, [f"{KETTLE}.", f"{ARM}."], passages=True)
    assert alone == pytest.approx(margins(reader, vocabulary, [f"{KETTLE}.", f"{ARM}."], passages=False))
