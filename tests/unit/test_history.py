"""A force's past becomes examples: what was recorded is disclosed, and no text says how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import CANARY
from training_data.build import TrainingTable, corpus_table, with_history
from training_data.history import history_examples, mask_outcomes
from triage.errors import UsageError
from triage.language.disclosures import PHRASES, STATUSES, find, trigger_phrases
from triage.language.text import read_texts
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record

#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True)
AT = datetime(2024, 3, 1, tzinfo=UTC)
OUTCOMES = ("recorded", "conclusion")
SAID = [phrase for status in OUTCOMES for phrase in trigger_phrases(status)]


def matter(ref: str, *crimes: str, text: str = "", status: str = "recorded", days: int = 0) -> Matter:
    at = AT + timedelta(days=days)
    record = Record("incidents", ref, at, at, f"HE PUNCHED HER. {text} {CANARY}.")
    rows = (Crime(f"CR{n}-{ref}", ref, at, code, status) for n, code in enumerate(crimes))
    return Matter(ref, (record,), tuple(rows))


def disclosed(matters: Sequence[Matter]) -> dict[str, tuple[str, ...]]:
    return {each.record.record_ref: each.disclosed for each in history_examples(matters, 0)}


def test_families_of_recorded_crimes_are_what_the_record_discloses() -> None:
    found = disclosed([matter("A", "105/01"), matter("B"), matter("C", "034/01", "rape", "19C", "8/77")])
    assert found == {
        "A": ("violence_without_injury",),
        "B": (),
        "C": ("non_fatal_strangulation", "rape", "robbery"),
    }


@pytest.mark.parametrize("status", ["cancelled", "transferred"])
def test_crimes_that_did_not_stand_disclose_nothing(status: str) -> None:
    assert disclosed([matter("A", "105/01", status=status)]) == {"A": ()}


@pytest.mark.parametrize("code", ["999/99", "N100", "8", ""])
def test_a_code_of_no_family_discloses_nothing(code: str) -> None:
    assert disclosed([matter("A", code)]) == {"A": ()}


def test_examples_count_as_unrecorded_and_unmarked() -> None:
    [example] = history_examples([matter("A", "105/01")], 10)
    assert (example.recorded, example.evidence, example.cancels) == ((), (), ())
    assert not example.marked
    assert example.missed


def test_a_crime_that_only_the_text_names_from_the_past_is_not_this_records() -> None:
    old = matter("A", "rape")
    [example] = history_examples([replace(old, claimed=frozenset({old.crimes[0].crime_ref}))], 0)
    assert example.disclosed == ()


def test_every_record_of_a_matter_discloses_its_crimes() -> None:
    log, form = matter("A", "105/01"), matter("D")
    both = Matter("A", (*log.records, *form.records), log.crimes)
    assert disclosed([both]) == {"A": ("violence_without_injury",), "D": ("violence_without_injury",)}


@pytest.mark.parametrize(
    ("records", "labelled", "weight"), [(8, 2, 0.25), (8, 8, 1.0), (8, 80, 1.0), (8, 0, 1.0), (1, 1, 1.0)]
)
def test_together_they_weigh_no_more_than_the_labelled_records(
    records: int, labelled: int, weight: float
) -> None:
    examples = history_examples([matter(f"A{n}") for n in range(records)], labelled)
    assert [each.weight for each in examples] == [weight] * records


def test_no_history_gives_no_examples() -> None:
    assert history_examples([], 10) == ()


def test_blocks_of_time_hold_as_many_each_in_their_order() -> None:
    matters = [matter(f"A{n:02d}", days=n * 37 % 40) for n in range(40)]
    examples = history_examples(matters, 10)
    assert history_examples(matters[::-1], 10) == examples
    assert Counter(each.author for each in examples) == {f"history-{block}": 10 for block in range(4)}
    times = [each.record.opened_at for each in examples]
    assert times == sorted(times)
    assert [each.author for each in examples] == sorted(each.author for each in examples)


@pytest.mark.parametrize(
    "outcome",
    [
        "CRIMED",
        "crimed 42/70000/26",
        "CR 42/70000/26",
        "Crime number 14/05529",
        "ALREADY RECORDED",
        "SUBJECT OF CRIME",
        "NFA",
        "No further action",
        "NO  FURTHER  ACTION",
        "WORDS OF ADVICE",
        "SIX OF ONE",
        "VERBAL ONLY",
        "NO OFFENCES",
        "DUP OF LOG 117",
    ],
)
def test_an_outcome_is_masked_and_every_offset_kept(outcome: str) -> None:
    text = f"22:14 HE PUNCHED HER - {outcome} ({CANARY})\nCLOSED"
    masked = mask_outcomes(text)
    assert len(masked) == len(text)
    start = text.index(outcome)
    # A claim's leading word may stay ("DUP OF LOG"); its reference never does.
    kept = [at for at in range(len(text)) if masked[at] == text[at]]
    assert set(range(start)) | set(range(start + len(outcome), len(text))) <= set(kept)
    assert not any(letter.isdigit() for letter in masked[start : start + len(outcome)])
    assert masked[start : start + len(outcome)].split() in ([], ["LOG"], ["CR"])


@STEADY
@given(
    st.lists(st.sampled_from([*SAID[:40], "42/70000/26", "he hit her", CANARY, ". ", "\n", ", "]) | st.text())
)
def test_masking_keeps_the_length_and_changes_letters_to_blanks_only(pieces: list[str]) -> None:
    text = " ".join(pieces)
    masked = mask_outcomes(text)
    assert len(masked) == len(text)
    assert all(new in (old, " ") for old, new in zip(text, masked, strict=True))


def test_a_text_without_outcome_stays_as_it_is() -> None:
    text = f"HE PUNCHED HER IN THE FACE AT 22:14 AND TOOK 3 PHONES. {CANARY}"
    assert mask_outcomes(text) == text


def outcomes_read(texts: Sequence[str]) -> list[str]:
    """Return the texts of which a reading still knows an outcome after the masking."""
    masked = [Record("incidents", "A", AT, AT, mask_outcomes(text)) for text in texts]
    reading = read_texts(masked, PHRASES)
    owners = {
        int(reading.owners[clause])
        for clause, status in find(reading).triggers.tolist()
        if STATUSES[status] in OUTCOMES
    }
    return [text for row, text in enumerate(texts) if row in owners]


def test_no_phrase_of_an_outcome_is_read_any_more() -> None:
    plain = [phrase for phrase in SAID if "0" not in phrase]
    assert len(plain) > 400
    assert outcomes_read([f"{CANARY} {phrase.upper()} {CANARY}" for phrase in plain]) == []


@pytest.mark.parametrize(
    "outcome",
    ["6 OF 1", "GOT 18 MONTHS FOR", "VERBAL ARG", "NO OFFS", "ALREADY RPTD", "CAN’T BE PROVED"],
)
def test_no_outcome_is_read_any_more_however_it_is_written(outcome: str) -> None:
    assert outcomes_read([f"HE PUNCHED HER. {outcome} {CANARY}"]) == []


def test_history_is_added_to_the_labelled_records() -> None:
    table = corpus_table()
    labelled = TrainingTable(table.examples[:4], "0" * 64)
    matters = [matter(f"A{n}", *(["105/01"] if n % 2 else [])) for n in range(8)]
    both = with_history(labelled, matters, ["digest"])
    assert both.examples[:4] == labelled.examples
    assert [each.weight for each in both.examples[4:]] == [0.5] * 8
    assert all(mask_outcomes(each.record.text) == each.record.text for each in both.examples[4:])
    digests = {with_history(labelled, matters, list(names)).digest for names in ("", "a", "b", "ab", "ba")}
    assert len(digests | {labelled.digest}) == 6


@pytest.mark.parametrize("crimes", [(), ("999/99",), ("N100",)], ids=repr)
def test_a_history_without_crimes_is_refused_without_its_text(crimes: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="no record of the history has a recorded crime") as caught:
        with_history(TrainingTable((), ""), [matter("A", *crimes)], [])
    assert CANARY not in f"{caught.value} {vars(caught.value)}".lower()
    assert "1 past records" in str(caught.value) + caught.value.where
