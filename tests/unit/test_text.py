"""Clauses and words keep their exact place in the text."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import CANARY
from triage.language.text import clause_spans, read_documents
from triage.reading.records import Record

AT = datetime(2026, 10, 14, tzinfo=UTC)


def record(text: str, **fields: object) -> Record:
    return Record(source="incidents", record_ref="A1", opened_at=AT, closed_at=AT, text=text, **fields)  # type: ignore[arg-type]


@given(st.text(alphabet="AB c.,!?|\r\n\u0085\u2028-12", max_size=400))
def test_clauses_are_in_order_without_overlap_and_lose_no_letter(text: str) -> None:
    spans = clause_spans(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    outside = "".join(
        text[a:b]
        for a, b in zip([0, *(e for _, e in spans)], [*(s for s, _ in spans), len(text)], strict=True)
    )
    assert not any(letter.isalnum() for letter in outside)
    assert not any(set("\r\n\u0085\u2028") & set(text[start:end]) for start, end in spans)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\r\n\r\n", "\u0085", "\u2028", "\u2029"])
def test_a_clause_ends_before_the_end_of_its_line_however_that_is_written(line_end: str) -> None:
    lines = ["ATT", f"SPOKE TO BOTH {CANARY}", "HIT HIM.", "NFA"]
    text = line_end.join([*lines, ""])
    assert [text[start:end] for start, end in clause_spans(text)] == lines


def test_a_log_without_full_stops_is_cut_at_commas() -> None:
    text = ", ".join(f"WORD{number} SAID A THING {CANARY}" for number in range(20))
    spans = clause_spans(text)
    assert len(spans) > 3
    assert max(len(text[a:b].split()) for a, b in spans) <= 36


def test_words_of_a_clause_are_those_of_its_span() -> None:
    text = f"1412 HIT HIM TWICE.\nNO INJ SEEN {CANARY}"
    [document] = read_documents([record(text)])
    first = document.clauses[0]
    assert text[first.start : first.end] == "1412 HIT HIM TWICE."
    assert first.words == ("0000", "hit", "him", "twice", ".")
    assert document.words[-3:] == tuple(CANARY.split())


def test_an_answer_reads_the_same_on_forms_that_number_differently() -> None:
    words = [
        read_documents([record("", form_version=form, answers={number: "Y"})])[0].clauses[0]
        for form, number in (("dash-police-27", 18), ("dash-safelives-24", 15))
    ]
    assert words[0].words == words[1].words == ("strangulation=y",)
    assert [clause.question for clause in words] == ["q18", "q15"]


def test_an_empty_text_is_a_document_without_clauses() -> None:
    assert [document.clauses for document in read_documents([record(" \n ")])] == [()]


@pytest.mark.parametrize(
    "sign", ["_", "!", "(", "\ufffd", "\N{PILE OF POO}", " ", "\t", "22:14:", "http://a.", ".)"], ids=repr
)
def test_a_text_padded_with_anything_is_read(sign: str) -> None:
    """Two hundred thousand of them: a tokenizer that takes their square would not end."""
    text = f"HE HIT HER {sign * 200_000} SHE FELL {CANARY}"
    [document] = read_documents([record(text)])
    assert document.words[:3] == ("he", "hit", "her")
    assert document.words[-5:] == ("she", "fell", *CANARY.split())
    assert all(text[c.start : c.end].strip() for c in document.clauses)


def test_a_text_of_more_than_a_million_characters_is_read() -> None:
    [document] = read_documents([record(f"HE HIT HER. {CANARY} " * 40_000)])
    assert len(document.clauses) >= 40_000
