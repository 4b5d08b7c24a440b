"""Review of labelled tables played again: the order, the curve, the tables that are read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.text_learner import TextLearner
from tests.conftest import CANARY
from triage.errors import ExtractError, UsageError
from triage.learning.metrics import Bools, Floats, Ints
from triage.learning.replay import Curve, curve_of, first_rows, growing, mean_curve, replay
from triage.learning.replay_table import read_labelled

RELEVANT = np.arange(60) % 6 == 0


class Watched:
    """A learner that gives fixed margins and keeps what it was told."""

    def __init__(self, margins: Floats) -> None:
        self.fixed = margins
        self.told: list[tuple[list[int], list[bool], list[int]]] = []

    def margins(self, read: Ints, relevant: Bools, left: Ints) -> Floats:
        self.told.append((read.tolist(), relevant.tolist(), left.tolist()))
        return self.fixed[left]


def texts(n: int, relevant: Bools) -> list[str]:
    """Invented texts: the relevant ones speak of dogs, each in words of its own beside."""
    generator = np.random.default_rng(7)
    common = [f"word{each}" for each in range(40)]
    return [
        " ".join([*generator.choice(common, 12), *(["the dog barked"] if hit else ["the cat slept"])])
        for hit in relevant[:n].tolist()
    ]


def test_a_learner_is_told_of_what_was_read_and_of_nothing_else() -> None:
    learner = Watched(-np.arange(60.0))
    order = replay(RELEVANT, learner, np.array([30, 31]), seed=1, batch=lambda _: 7)
    assert sorted(order.tolist()) == list(range(60))
    assert order[:5].tolist() == [30, 31, 0, 1, 2]
    assert [len(read) for read, _, _ in learner.told] == [2, 9, 16, 23, 30, 37, 44, 51, 58]
    for read, said, left in learner.told:
        assert read == order[: len(read)].tolist()
        assert said == RELEVANT[read].tolist()
        assert sorted(read + left) == list(range(60))


def test_the_order_of_the_file_gives_nothing_away() -> None:
    sorted_by_label = np.arange(400) < 100
    found = []
    for seed in range(20):
        order = replay(sorted_by_label, Watched(np.zeros(400)), np.array([0]), seed=seed, batch=lambda _: 400)
        found.append(curve_of("", order, sorted_by_label).recall_after(100))
    assert 0.2 < np.mean(found) < 0.3


def test_same_seed_same_order() -> None:
    columns = (texts(60, RELEVANT),)
    first = first_rows(RELEVANT, 3)
    orders = [
        replay(RELEVANT, TextLearner(columns), first, seed=3, batch=lambda _: 12).tolist() for _ in range(2)
    ]
    assert orders[0] == orders[1]
    assert first_rows(RELEVANT, 3).tolist() == first.tolist() != first_rows(RELEVANT, 4).tolist()


def test_a_curve_says_how_many_reads_find_a_share() -> None:
    curve = curve_of("a", np.array([3, 0, 2, 1]), np.array([True, False, False, True]))
    assert curve.found.tolist() == [1, 2, 2, 2]
    assert [curve.reads_to(each) for each in (0.5, 0.51, 1.0)] == [1, 2, 2]
    assert [curve.recall_after(each) for each in (0, 1, 2, 9)] == [0.0, 0.5, 1.0, 1.0]
    # 0.95 of 20 is 19, whatever the last bit of the product says.
    assert Curve("", np.arange(1, 21), 20).reads_to(0.95) == 19
    assert Curve("", np.array([0, 1]), 2).reads_to(0.8) is None
    shares, found = mean_curve([curve, curve], points=4)
    assert found.tolist() == [0.0, 0.5, 1.0, 1.0, 1.0]
    assert shares.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_rows_to_begin_with_are_of_the_kinds_asked_for() -> None:
    first = first_rows(RELEVANT, 1, of_relevant=3, of_irrelevant=2)
    assert RELEVANT[first].tolist() == [True, True, True, False, False]
    with pytest.raises(UsageError, match="11 relevant records are to be read first, but there are 10"):
        first_rows(RELEVANT, 1, of_relevant=11)


def test_a_long_table_is_learnt_from_a_bounded_number_of_times() -> None:
    read, times = 2, 0
    while read < 1_000_000:
        read, times = read + growing(read), times + 1
    assert times < 1_500


def test_the_text_learner_finds_what_is_alike() -> None:
    relevant = np.arange(300) % 10 == 0
    learner = TextLearner((texts(300, relevant),))
    order = replay(relevant, learner, first_rows(relevant, 5), seed=5, batch=lambda _: 10)
    assert (curve_of("", order, relevant).reads_to(0.95) or 300) < 80


@pytest.mark.parametrize("start", [[0], [1], []])
def test_it_ranks_before_it_has_seen_both_kinds(start: list[int]) -> None:
    learner = TextLearner((texts(60, RELEVANT),))
    order = replay(RELEVANT, learner, np.array(start, dtype=np.int64), seed=1, batch=lambda _: 20)
    assert sorted(order.tolist()) == list(range(60))
    if start == [0]:
        assert RELEVANT[order[:8]].sum() >= 5


def test_rows_without_text_are_read_last() -> None:
    columns = texts(60, RELEVANT)
    for empty in (6, 7, 13):
        columns[empty] = "" if empty != 7 else " \n"
    titles = ["dog" if row == 13 else "" for row in range(60)]
    order = replay(
        RELEVANT, TextLearner((columns, titles)), np.array([0, 1]), seed=1, batch=lambda _: 5
    ).tolist()
    assert sorted(order[-2:]) == [6, 7]
    assert order.index(13) < 58


@pytest.mark.parametrize("rows", [["- -", "!"], ["same words", "same words"], ["one", "two"]])
def test_texts_that_tell_nothing_are_read_all_the_same(rows: list[str]) -> None:
    relevant = np.array([True, False, False, True])
    order = replay(relevant, TextLearner((rows * 2,)), np.array([0]), seed=1)
    assert sorted(order.tolist()) == [0, 1, 2, 3]


ROWS = [
    {"title": "The dog", "body": f"it barked, {CANARY}", "hit": "yes"},
    {"title": "The cat", "body": "", "hit": "no"},
    {"title": "A hen", "body": 'said "x"; left', "hit": "No"},
]


def written(folder: Path, ending: str) -> Path:
    path, frame = folder / f"table{ending}", pl.DataFrame(ROWS)
    if ending == ".csv":
        frame.write_csv(path)
    elif ending == ".parquet":
        frame.write_parquet(path)
    elif ending == ".xlsx":
        frame.write_excel(path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl", ".xlsx"])
def test_a_table_reads_the_same_in_each_format(tmp_path: Path, ending: str) -> None:
    read = read_labelled(written(tmp_path, ending), ("title", "body"), "hit")
    assert read.relevant.tolist() == [True, False, False]
    assert read.texts == (
        ("The dog", "The cat", "A hen"),
        (f"it barked, {CANARY}", "", 'said "x"; left'),
    )


@pytest.mark.parametrize(
    "words", [("1", "0"), ("TRUE", "false"), ("Yes", "NO"), (1, 0), (1.0, 0.0), (True, False)]
)
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl", ".xlsx"])
def test_labels_are_one_or_nought_true_or_false_yes_or_no(
    tmp_path: Path, words: tuple[object, object], ending: str
) -> None:
    frame, path = pl.DataFrame({"t": ["a", "b"], "y": list(words)}), tmp_path / f"t{ending}"
    writers = {
        ".csv": frame.write_csv,
        ".parquet": frame.write_parquet,
        ".jsonl": frame.write_ndjson,
        ".xlsx": frame.write_excel,
    }
    writers[ending](path)
    assert read_labelled(path, ("t",), "y").relevant.tolist() == [True, False]


@pytest.mark.parametrize(
    ("content", "text", "label", "error", "says"),
    [
        (f"t,y\n{CANARY},1\nb,\nc,perhaps\nd,0\n", "t", "y", ExtractError, "2 rows have no label .*row 2, 3"),
        (f"t,y\n{CANARY},1\nb,0,c\nd,0\n", "t", "y", ExtractError, "1 rows cannot be read.*: row 2"),
        (f"t,y\n{CANARY},1\nb,1\n", "t", "y", ExtractError, "all 2 rows are of one kind"),
        ("t,y\n,1\n ,0\n", "t", "y", ExtractError, "no row has any text"),
        ("t,y\n", "t", "y", ExtractError, "has no rows"),
        ("t,y\na,1\nb,0\n", "x", "y", UsageError, "no column 'x'; the file has t, y"),
        (f"{CANARY},1\nb,0\n", "t", "y", UsageError, "no column 't', 'y'; the file has 2 names, none"),
        ("t,y\na,1\nb,0\n", "y", "y", UsageError, "named twice"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_without_its_text(
    tmp_path: Path, content: str, text: str, label: str, error: type[UsageError], says: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(error, match=says) as raised:
        read_labelled(path, (text,), label)
    assert CANARY not in str(raised.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("t,y\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"known: \.csv, \.parquet, \.jsonl, \.xlsx"):
        read_labelled(tmp_path / "t.txt", ("t",), "y")
    with pytest.raises(ExtractError, match="is no ordinary file"):
        read_labelled(tmp_path / "absent.csv", ("t",), "y")
