"""Runs of characters are found where they stand, and known again by number whatever they are."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import CANARY
from triage.language.runs import HashTable, hashed, split_runs

STEADY = settings(deadline=None, derandomize=True)
LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
BREAK = re.compile(r"[\n\r\x85\u2028\u2029]")


def by_pattern(text: str) -> list[tuple[int, int]]:
    """Return where runs stand: a line break by itself, and what stands between blanks."""
    return [match.span() for match in re.finditer(r"[\n\r\x85\u2028\u2029]|\S+", text)]


@settings(STEADY, max_examples=300)
@given(st.lists(LETTERS, max_size=4))
def test_runs_stand_between_blanks(texts: Sequence[str]) -> None:
    runs = split_runs(texts)
    written = runs.written(np.arange(len(runs.begins)))
    found = [
        (text, start, start + len(run))
        for text, start, run in zip(runs.texts.tolist(), runs.starts.tolist(), written, strict=True)
    ]
    assert found == [(row, *span) for row, text in enumerate(texts) for span in by_pattern(text)]
    for (row, start, stop), run in zip(found, written, strict=True):
        piece = texts[row][start:stop]
        assert run == ("\n" if BREAK.fullmatch(piece) else re.sub(r"[0-9]", "0", piece))


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 17, 255, 256, 257, 3000])
def test_two_runs_have_one_hash_only_if_they_are_the_same(length: int) -> None:
    run = (CANARY.replace(" ", "") * 200)[:length]
    others = [f"{run[:at]}é{run[at + 1 :]}" for at in range(0, length, max(1, length // 40))]
    texts = [run, *others, f"{run}x", f"x{run}", run.upper(), run]
    hashes = split_runs([f" {text}  " for text in texts]).hashes
    assert len(set(hashes.tolist())) == len(texts) - 1
    assert hashes[-1] == hashes[0]


def test_short_runs_of_different_length_are_never_taken_for_one() -> None:
    runs = ["x" * length for length in range(1, 9)] + [
        "xe:db,'",
        ")ze<%~t=",
        "é",
        "ééé",
        "éééé",
        "\0",
        "\0\0",
    ]
    assert len(set(split_runs([" ".join(runs)]).hashes.tolist())) == len(runs)


@settings(STEADY, max_examples=200)
@given(st.lists(st.lists(st.integers(0, 2**20), max_size=30), max_size=6), st.integers(0, 40))
def test_a_table_numbers_hashes_as_a_dictionary_would(batches: Sequence[Sequence[int]], alike: int) -> None:
    # Hashes that share their lowest bits stand in each other's way.
    table, known = HashTable(), dict[int, int]()
    for batch in batches:
        keys = np.array([each << alike for each in batch], dtype=np.uint64)
        assert table.find(keys).tolist() == [known.get(key, -1) for key in keys.tolist()]
        new = [key for key in dict.fromkeys(keys.tolist()) if key not in known]
        table.add(np.array(new, dtype=np.uint64))
        known.update(zip(new, range(len(known), len(known) + len(new)), strict=True))
        assert len(table) == len(known)
    everything = np.array(list(known), dtype=np.uint64)
    assert table.find(everything).tolist() == list(known.values())


def test_a_table_grows_and_keeps_its_numbers() -> None:
    table, keys = HashTable(), hashed(np.arange(300_000))
    assert len(set(keys.tolist())) == len(keys)
    for at in range(0, len(keys), 25_000):
        table.add(keys[at : at + 25_000])
    assert (table.find(keys) == np.arange(len(keys))).all()
    assert (table.find(hashed(np.arange(300_000, 300_100))) == -1).all()
