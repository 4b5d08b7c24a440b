"""Whatever a text holds: clauses lie where they say, hold its words in order, and read alone as together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from triage.language.text import Reading, clause_spans, read_texts
from triage.language.words import normal_form
from triage.reading.records import Record

#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True)
AT = datetime(2026, 10, 14, tzinfo=UTC)
#: A word, found without the tokenizer: letters and digits, with any apostrophe between two letters.
WORD = re.compile(r"[^\W_]+(?:(?<=[^\W\d_])['’](?=[^\W\d_])[^\W_]+)*")
LINE_ENDS = "\n\r\x85\u2028\u2029|"
#: What a log may hold; lone surrogates never come this far (``triage.reading.sources``).
PIECES = (
    "HE HIT HER|didn't|’s|'|42/117|22:14|Q16 |weapons|susp|? |?| N| no |Y|. |.|, |,|; |/|-|_| |  |\t|\r\n"
)
FRAGMENTS = st.sampled_from([" zebra quorum marmalade ", *PIECES.split("|"), *LINE_ENDS])
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TEXTS = st.lists(FRAGMENTS | ANY_TEXT, max_size=30).map("".join)
#: Texts in which nothing can be a question.
TOLD = TEXTS.map(lambda text: re.sub("[?Qq]", "", text))
PHRASES = ("hit her", "zebra quorum", "weapons", "suspect", "marmalade he")
ANSWERS = st.dictionaries(st.integers(1, 40), st.sampled_from(["Y", "N", "NK"]), max_size=4)


def a_record(text: str, answers: dict[int, str] | None = None) -> Record:
    return Record("incidents", "A1", AT, AT, text, form_version="dash-police-27", answers=answers or {})


def long_runs(text: str) -> bool:
    return any(len(run) >= 60 for run in text.split())


def read(text: str) -> tuple[list[tuple[int, int]], list[tuple[str, ...]]]:
    """Return spans and words of a text, which stands beside another as in a batch."""
    reading = read_texts([a_record(text), a_record("HE LEFT")])
    mine = [number for number, owner in enumerate(reading.owners.tolist()) if owner == 0]
    spans = [(int(reading.starts[number]), int(reading.ends[number])) for number in mine]
    return spans, [reading.words_of(number) for number in mine]


@settings(STEADY, max_examples=150)
@given(TEXTS)
def test_clauses_are_in_order_without_overlap_and_lose_no_letter(text: str) -> None:
    spans, _ = read(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    between = [text[end:start] for end, start in zip([0, *ends], [*starts, len(text)], strict=True)]
    assert not any(letter.isalnum() for letter in "".join(between))
    if not long_runs(text):
        assert not any(set(LINE_ENDS) & set(text[start:end]) for start, end in spans)


@settings(STEADY, max_examples=150)
@given(TOLD)
def test_the_words_of_a_clause_are_those_of_its_span_in_their_order(text: str) -> None:
    spans, words = read(text)
    for (start, end), found in zip(spans, words, strict=True):
        if not long_runs(text):
            assert found == tuple(normal_form(word) for word in WORD.findall(text[start:end]))


@settings(STEADY, max_examples=150)
@given(TEXTS)
def test_of_a_question_words_are_left_out_and_none_is_added(text: str) -> None:
    spans, words = read(text)
    for (start, end), found in zip(spans, words, strict=True):
        if not long_runs(text):
            told = iter(normal_form(word) for word in WORD.findall(text[start:end]))
            assert all(word in told for word in found)


@STEADY
@given(st.lists(st.sampled_from(["zz", "0", "|", ".", "_", "’", "-z"]), min_size=80, max_size=400))
def test_a_run_too_long_for_a_word_keeps_its_letters_in_order(pieces: list[str]) -> None:
    text = f"IT {''.join(pieces)} IT"
    spans, words = read(text)
    for (start, end), found in zip(spans, words, strict=True):
        assert "".join(found).replace("'", "") == re.sub(r"[\W_]", "", text[start:end]).lower()
        assert all(len(word) <= 60 for word in found)


def told(reading: Reading, row: int) -> list[tuple[object, ...]]:
    """Return all that a reading says of one of its records, counted from the record's own start."""
    clauses = [number for number, owner in enumerate(reading.owners.tolist()) if owner == row]
    first = int((reading.owners[reading.clauses] < row).sum())
    said: list[tuple[object, ...]] = [
        (
            reading.words_of(number),
            int(reading.starts[number]),
            int(reading.ends[number]),
            int(reading.questions[number]),
        )
        for number in clauses
    ]
    for phrase, begin, end in reading.hits.tolist():
        if reading.clauses[begin] in clauses:
            said.append((PHRASES[phrase], begin - first, end - first))
    return said


@settings(STEADY, max_examples=80)
@given(st.lists(st.tuples(TEXTS, ANSWERS), min_size=1, max_size=5))
def test_a_record_reads_the_same_alone_as_in_any_batch(batch: Sequence[tuple[str, dict[int, str]]]) -> None:
    records = [a_record(text, answers) for text, answers in batch]
    together = read_texts([*records, a_record("HE LEFT")], PHRASES)
    assert together.records == len(records) + 1
    for row, record in enumerate(records):
        alone = read_texts([a_record("HE HIT HER"), record], PHRASES)
        assert told(alone, 1) == told(together, row)


@settings(STEADY, max_examples=80)
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_hits_are_the_phrases_words_in_one_clause_and_in_the_order_of_the_text(texts: list[str]) -> None:
    reading = read_texts([a_record(text) for text in (*texts, "HE HIT HER")], PHRASES)
    for phrase, first, last in reading.hits.tolist():
        found = [reading.types[word] for word in reading.words[first : last + 1]]
        assert found == PHRASES[phrase].split()
        assert reading.clauses[first] == reading.clauses[last]
    places = [(first, last) for _, first, last in reading.hits.tolist()]
    assert places == sorted(places)
    assert places


@STEADY
@given(TEXTS)
def test_clause_spans_are_those_of_the_reading(text: str) -> None:
    spans = clause_spans(f"{text}\nHE LEFT")
    assert spans[:-1] == read(text)[0]
