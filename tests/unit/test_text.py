"""Clauses and words keep their exact place in the text; a question answered no says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.conftest import CANARY
from triage.language import tokens as language_tokens
from triage.language.text import Reading, clause_spans, read_texts
from triage.reading.records import Record

AT = datetime(2026, 10, 14, tzinfo=UTC)


def record(text: str, *, form: str = "", answers: Mapping[int, str] | None = None) -> Record:
    return Record("incidents", "A1", AT, AT, text, form_version=form, answers=answers or {})


def words_in(reading: Reading) -> list[str]:
    return [reading.types[word] for word in reading.words]


def said(text: str) -> list[tuple[str, str]]:
    """Return each clause of a text with the words that are kept of it."""
    reading = read_texts([record(text)])
    return [
        (text[start:end], " ".join(reading.words_of(number)))
        for number, (start, end) in enumerate(zip(reading.starts, reading.ends, strict=True))
    ]


def phrases_in(text: str, *phrases: str) -> list[str]:
    return [phrases[number] for number, _, _ in read_texts([record(text)], phrases).hits.tolist()]


@pytest.mark.parametrize(
    "line_end", ["\n", "\r\n", "\r", "\r\n\r\n", "\u0085", "\u2028", "\u2029", "|", " | "]
)
def test_a_clause_ends_before_the_end_of_its_line_however_that_is_written(line_end: str) -> None:
    lines = ["ATT", f"SPOKE TO BOTH {CANARY}", "HIT HIM.", "NFA"]
    text = line_end.join([*lines, ""])
    assert [text[start:end] for start, end in clause_spans(text)] == lines


@pytest.mark.parametrize("stop", [".", "!", "?", ";", "/", "...", "?!"])
def test_a_stop_ends_a_clause_where_a_blank_follows(stop: str) -> None:
    assert [words for _, words in said(f"HE LEFT{stop} SHE FELL")] == ["he left", "she fell"]
    assert [words for _, words in said(f"HE LEFT{stop}SHE FELL")] == ["he left she fell"]
    assert [text for text, _ in said(f"HE LEFT{stop} SHE FELL")] == [f"HE LEFT{stop}", "SHE FELL"]


@pytest.mark.parametrize("mark", [",", ":", " -", ")", '"'])
def test_other_marks_end_no_short_clause(mark: str) -> None:
    assert len(said(f"HE LEFT{mark} SHE FELL. {CANARY}")) == 2


def test_a_log_without_full_stops_is_cut_at_commas() -> None:
    text = ", ".join(f"WORD{number} SAID A THING {CANARY}" for number in range(20))
    spans = clause_spans(text)
    assert len(spans) > 3
    assert max(len(text[a:b].split()) for a, b in spans) <= 36
    assert all(text[end - 1] == "," for _, end in spans[:-1])


def test_a_log_without_any_mark_is_cut_all_the_same() -> None:
    spans = clause_spans(f"{CANARY} " * 100)
    assert len(spans) > 5
    assert all((end - start) < 36 * 10 for start, end in spans)


def test_words_of_a_clause_are_those_of_its_span() -> None:
    text = f"1412 HIT HIM TWICE.\nNO INJ SEEN {CANARY}"
    assert said(text) == [
        ("1412 HIT HIM TWICE.", "0000 hit him twice"),
        (f"NO INJ SEEN {CANARY}", f"no injury seen {CANARY}"),
    ]


def test_numbers_keep_their_shape_only() -> None:
    first, second = (
        read_texts([record(f"CR {number}/26 AT {clock} RING 07700 900{end} {CANARY}")])
        for number, clock, end in (("42/00117", "22:14", "123"), ("17/98765", "03:59", "456"))
    )
    assert words_in(first) == words_in(second)
    assert words_in(first)[:6] == ["cr", "00", "00000", "00", "at", "00"]
    assert not any(letter in "123456789" for word in first.types for letter in word)


@pytest.mark.parametrize(
    "text",
    [
        "ANY WEAPONS? N",
        "ANY WEAPONS?N",
        "ANY WEAPONS? NO.",
        "Any weapons? no",
        "ANY WEAPONS SEEN OR USED? NIL",
        "WEAPONS? NEG",
        "Q16 weapons N",
        "q16 weapons n",
        "Q16: weapons - N.",
        "Q16 weapons NONE",
        "Q6 weapons? N",
        "Any weapons? - no.",
        "Any weapons? She said no.",
        "Any weapons?\nNo\n",
        "Any weapons? Nope",
        "Any weapons? Never.",
        "ANY WEAPONS: NO",
        "Has he weapons - none",
        "Any weapons? Olamide says: 'no'",
    ],
)
def test_the_words_of_a_question_answered_no_are_left_out(text: str) -> None:
    for around in (text, f"HE LEFT. {text}", f"{text}\nHE LEFT", f"{CANARY}. {text}. HE LEFT"):
        words = " ".join(words for _, words in said(around))
        assert "weapons" not in words
        assert ("he left" in words) == ("HE LEFT" in around)
        assert (CANARY in words) == (CANARY in around)


@pytest.mark.parametrize(
    "text",
    [
        "ANY WEAPONS? Y",
        "ANY WEAPONS? YES KNIFE",
        "ANY WEAPONS? KNIFE",
        "ANY WEAPONS? NK",
        "ANY WEAPONS?\nNO REPLY AT THE DOOR",
        "Q16 weapons Y",
        "Q16 weapons NK",
        "Q16 weapons",
        "WEAPONS SEEN N SIDE",
        "Any weapons? He said no more of it",
        "Any weapons? She said yes",
        "Any weapons? -",
        "Weapons: no",
        "Any weapons? Never mind",
        "Any weapons? He left. She stayed. No.",
    ],
)
def test_the_words_of_any_other_question_are_kept(text: str) -> None:
    assert "weapons" in " ".join(words for _, words in said(text))


def test_of_a_pasted_set_of_questions_only_those_answered_no_are_left_out() -> None:
    text = f"Q16 weapons N Q17 threats Y, Q18 strangled N Q19 hurt NO he says {CANARY}"
    assert [words for _, words in said(text)] == ["", "q00 threats y", "", f"he says {CANARY}"]


@pytest.mark.parametrize(
    "text",
    ["HE PUNCHED HER IN THE FACE, ANY WEAPONS? N", "HE PUNCHED HER ?NO INJ", "HE PUNCHED HER - WEAPONS? N"],
)
def test_what_was_told_before_a_question_in_its_clause_is_kept(text: str) -> None:
    assert "he punched her" in " ".join(words for _, words in said(text))


def test_an_answer_reads_the_same_on_forms_that_number_differently() -> None:
    readings = [
        read_texts([record("", form=form, answers={number: "Y"}), record(CANARY)])
        for form, number in (("dash-police-27", 18), ("dash-safelives-24", 15))
    ]
    assert [reading.words_of(0) for reading in readings] == [("strangulation=y",)] * 2
    assert [int(reading.questions[0]) for reading in readings] == [18, 15]
    assert all(reading.starts[0] == reading.ends[0] == 0 for reading in readings)


def test_answers_stand_after_their_own_records_text_by_number() -> None:
    records = [
        record(f"HE LEFT. {CANARY}", form="dash-police-27", answers={18: "NK", 1: "N"}),
        record(f"SHE FELL. {CANARY}", form="dara", answers={3: "Y"}),
    ]
    reading = read_texts(records, ("she fell",))
    assert reading.owners.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert reading.questions.tolist() == [0, 0, 1, 18, 0, 0, 3]
    assert [reading.words_of(number) for number in (2, 3, 6)] == [
        ("injury=n",),
        ("strangulation=nk",),
        ("dara:3=y",),
    ]
    [(_, first, last)] = reading.hits.tolist()
    assert [reading.types[word] for word in reading.words[first : last + 1]] == ["she", "fell"]


@pytest.mark.parametrize("text", [" \n ", "\n", "\r\n\u2028", "   \n"])
def test_blank_lines_alone_are_no_clause(text: str) -> None:
    assert clause_spans(text) == []


@pytest.mark.parametrize("text", ["", " ", "\t\t"])
def test_an_empty_text_beside_others_is_a_record_without_clauses(text: str) -> None:
    reading = read_texts([record(text), record(f"HE LEFT {CANARY}"), record(text)])
    assert reading.records == 3
    assert reading.owners.tolist() == [1]


@pytest.mark.parametrize("texts", [[], [""], ["", " "], ["\t"]], ids=repr)
def test_texts_that_are_all_empty_are_read(texts: list[str]) -> None:
    reading = read_texts(
        [record(text, form="dash-police-27", answers={18: "Y"}) for text in texts], ("hit her",)
    )
    assert reading.records == len(texts)
    assert reading.owners.tolist() == list(range(len(texts)))
    assert reading.hits.shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("HE HIT HER", True),
        ("He hit her.", True),
        ("(hit her)", True),
        ("HIT HERSELF", False),
        ("HIT. HER", False),
        ("HIT\nHER", False),
        ("HIT HIM AND HER", False),
        ("DID HE HIT HER? N", False),
        ("DID HE HIT HER? Y", True),
    ],
)
def test_a_phrase_is_found_in_one_clause_that_is_kept(text: str, found: bool) -> None:
    assert phrases_in(f"{CANARY}. {text}", "hit her", "marmalade he") == (["hit her"] if found else [])


def test_a_phrase_is_found_in_whatever_form_its_words_are_written() -> None:
    assert phrases_in("SUSP HAS STRANGELED IP", "suspect has strangled victim")
    assert phrases_in("HE DIDN’T STOP", "didn't stop")
    assert phrases_in("RANG 47 TIMES", "00 times", "0 times", "000 times") == ["00 times"]


def test_phrases_that_overlap_are_all_found() -> None:
    found = phrases_in(f"HE HIT HER HARD {CANARY}", "hit her hard", "her hard", "hit", "hit him", "hard")
    assert sorted(found) == ["hard", "her hard", "hit", "hit her hard"]


@pytest.mark.parametrize("blank", ["  ", "\u00a0", " \t", "\u2003", " " * 59])
def test_a_phrase_is_found_across_any_blank(blank: str) -> None:
    text = f"{CANARY}{blank}HE HIT{blank}HER{blank}HARD.{blank}SHE FELL"
    reading = read_texts([record(text)], ("hit her hard", "hard she"))
    assert reading.hits.tolist() == [[0, 4, 6]]
    assert [text[start:end] for start, end in clause_spans(text)] == [text[: text.index(".") + 1], "SHE FELL"]


@pytest.mark.parametrize(
    ("text", "phrase"), [("NO-ONE TOUCHED HER", "no one touched"), ("CLOSED AS NON-CRIME", "non crime")]
)
def test_a_phrase_is_found_across_hyphens(text: str, phrase: str) -> None:
    assert phrases_in(text, phrase) == [phrase]


@pytest.mark.parametrize(
    "sign",
    ["_", "!", "(", "\ufffd", "\N{PILE OF POO}", " ", "\t", "22:14:", "http://a.", ".)", "x?n "],
    ids=repr,
)
def test_a_text_padded_with_anything_is_read(sign: str) -> None:
    """Fifty thousand of them: a tokenizer that takes their square would not end."""
    text = f"HE HIT HER.\n{sign * 50_000} SHE FELL {CANARY}"
    reading = read_texts([record(text)])
    words = words_in(reading)
    assert words[:3] == ["he", "hit", "her"]
    assert words[-5:] == ["she", "fell", *CANARY.split()]
    spans = zip(reading.starts.tolist(), reading.ends.tolist(), strict=True)
    assert all(text[start:end].strip() for start, end in spans)


def test_a_text_of_more_than_a_million_characters_is_read() -> None:
    reading = read_texts([record(f"HE HIT HER. {CANARY} " * 40_000)])
    assert len(reading.owners) >= 40_000
    assert int(reading.ends[-1]) > 1_300_000


@pytest.mark.parametrize("limit", ["_STRINGS_MOST", "_RUNS_MOST"])
def test_a_lexicon_made_anew_reads_the_same(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [record(f"HE HIT HER {number} TIMES. {CANARY} X{number}Y.") for number in range(50)]
    phrases = ("hit her", "zebra quorum")
    before = read_texts(records, phrases)
    monkeypatch.setattr(language_tokens, limit, 0)
    for _ in range(2):
        after = read_texts(records, phrases)
        assert after.types == before.types
        for name in ("words", "clauses", "owners", "starts", "ends", "questions", "hits"):
            assert np.array_equal(getattr(after, name), getattr(before, name)), name
    assert len(before.hits) == 100
