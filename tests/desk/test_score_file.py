"""The file of scores: the contract's columns, one row per record, the same bytes for the same scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.desk.score_file import part_frame, ranked_frame, score_frame, write_scores
from triage.errors import UsageError
from triage.language.offences import FAMILIES
from triage.ranking.layers import Chances
from triage.ranking.scoring import LOWERS, Evidence, Mark, Marks, RecordScore, Scores, tiebreak

#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True)


def a_score(reference: str, score_01: float, source: str = "incidents") -> RecordScore:
    return RecordScore(
        source=source,
        record_ref=reference,
        score_01=score_01,
        p_family=tuple(index / 100 for index in range(len(FAMILIES))),
        p_any=0.5,
        p_open=0.4,
        p_further=0.3,
        p_again=0.2,
        unrecorded_families=("rape", "theft"),
        evidence=(
            Evidence("rape", 3, 9, status="denied_by_suspect"),
            Evidence("theft", question="q23"),
            Evidence("", 20, 31, status=LOWERS),
        ),
        tiebreak=tiebreak(source, reference),
    )


SCORES = tuple(a_score(f"=R{number}", number % 4 / 4) for number in range(20))


def some_scores(numbers: range) -> Scores:
    """Scores of records, every fourth of which is equal."""
    count = len(numbers)
    return Scores(
        keys=[("referrals" if number % 3 else "incidents", f"R{number}") for number in numbers],
        score_01=np.array([number % 4 / 4 for number in numbers]),
        chances=Chances.plain(np.tile(np.array(numbers)[:, None] / 100, (1, len(FAMILIES))), np.zeros(count)),
        families=np.tile([2, 1, -1, -1], (count, 1)),
        shown=Marks.of([[Mark(2, 1.0, number, number + 3)] for number in numbers]),
        against=Marks.of([()] * count),
    )


def test_parts_are_ranked_as_all_records_at_once() -> None:
    whole = some_scores(range(50))
    parts = [part_frame(some_scores(range(at, min(at + 15, 50)))) for at in range(0, 50, 15)]
    ranked = ranked_frame(parts)
    assert parts == []
    assert ranked.equals(score_frame(whole.by_record()))
    assert ranked_frame([]).equals(score_frame(()))


def test_columns_are_those_of_the_contract() -> None:
    frame = score_frame(SCORES)
    families = [f"p_{family}" for family in FAMILIES]
    assert frame.columns == [
        "record_ref",
        "source",
        "rank",
        "score_01",
        *families,
        "unrecorded_families",
        "evidence",
    ]
    row = frame.row(0, named=True)
    assert row["unrecorded_families"] == "rape;theft"
    assert json.loads(row["evidence"]) == [
        {"family": "rape", "start": 3, "end": 9},
        {"family": "theft", "question": "q23"},
    ]
    assert [row[name] for name in families] == [index / 100 for index in range(len(FAMILIES))]


@STEADY
@given(st.lists(st.sampled_from(["rape", "theft", ""]), max_size=6))
def test_what_lowered_a_score_is_never_in_the_file(families: list[str]) -> None:
    evidence = tuple(
        Evidence(family, number, number + 1, status="" if family else LOWERS)
        for number, family in enumerate(families)
    )
    row = score_frame([replace(a_score("A", 0.5), evidence=evidence)]).row(0, named=True)
    assert [each["family"] for each in json.loads(row["evidence"])] == [name for name in families if name]
    assert LOWERS not in row["evidence"]
    assert all(set(each) == {"family", "start", "end"} for each in json.loads(row["evidence"]))


def test_an_extract_without_records_gives_a_header() -> None:
    frame = score_frame(())
    assert frame.height == 0
    assert frame.schema["rank"] == pl.Int64


@STEADY
@given(st.permutations(SCORES))
def test_any_order_gives_the_same_rows(scores: list[RecordScore]) -> None:
    assert score_frame(scores).equals(score_frame(SCORES))


@STEADY
@given(st.lists(st.floats(0, 1), max_size=30))
def test_ranks_count_from_1_and_scores_fall(values: list[float]) -> None:
    frame = score_frame([a_score(f"R{number}", value) for number, value in enumerate(values)])
    assert frame["rank"].to_list() == list(range(1, len(values) + 1))
    assert frame["score_01"].is_sorted(descending=True)


def test_the_hash_orders_equal_scores_and_the_table_equal_hashes() -> None:
    low, high = sorted((a_score("A", 0.5), a_score("B", 0.5)), key=lambda each: each.tiebreak)
    assert score_frame((high, low))["record_ref"].to_list() == [low.record_ref, high.record_ref]
    same = (a_score("A", 0.5, "referrals"), replace(a_score("A", 0.5), tiebreak=tiebreak("referrals", "A")))
    assert score_frame(same)["source"].to_list() == ["incidents", "referrals"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_both_formats_hold_the_same_and_are_the_same_every_time(tmp_path: Path, ending: str) -> None:
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    write_scores(SCORES, first)
    write_scores(SCORES[::-1], second)
    assert first.read_bytes() == second.read_bytes()
    read = pl.read_csv(first) if ending == "csv" else pl.read_parquet(first)
    assert read.equals(score_frame(SCORES))
    assert sorted(each.name for each in tmp_path.iterdir()) == [first.name, second.name]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old")
    broken = replace(SCORES[0], p_family=())
    with pytest.raises(IndexError):
        write_scores((broken,), path)
    assert path.read_text() == "old"
    with pytest.raises(UsageError, match=r"known: \.csv, \.parquet"):
        write_scores(SCORES, tmp_path / "scores.xlsx")
    assert [each.name for each in tmp_path.iterdir()] == ["scores.csv"]
