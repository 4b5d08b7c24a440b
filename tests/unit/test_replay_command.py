"""The command ``triage replay``: its curve, its figures, its errors, and silence about texts."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import CANARY
from triage.cli import app

Run = Callable[..., Any]
ROWS = 40


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Replay ``table.csv``: 40 rows, every fifth relevant and of its own words."""
    monkeypatch.chdir(tmp_path)
    with Path("table.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("title", "body", "hit"))
        for row in range(ROWS):
            said = "the dog barked at night" if row % 5 == 0 else "the cat slept all day"
            lines.writerow((f"note {row}", f"{said} {CANARY}", int(row % 5 == 0)))

    def invoke(*words: str) -> Any:
        columns = ("--text", "title", "--text", "body", "--label", "hit")
        return CliRunner().invoke(app, ["replay", "table.csv", *columns, *words])

    return invoke


def curve(name: str) -> list[tuple[int, int]]:
    with Path(name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == ["reads", "found"]
    return [(int(row["reads"]), int(row["found"])) for row in rows]


def test_it_writes_what_each_read_finds(run: Run) -> None:
    result = run("--seed", "3", "--out", "curve.csv")
    assert result.exit_code == 0, result.stderr
    found = curve("curve.csv")
    assert [reads for reads, _ in found] == list(range(1, ROWS + 1))
    assert found[0] == (1, 1)
    assert found[1] == (2, 1)
    assert found[-1] == (ROWS, 8)
    steps = {after - before for (_, before), (_, after) in pairwise(found)}
    assert steps == {0, 1}
    assert "40 rows, 8 of them relevant" in result.stdout
    reads = next(reads for reads, count in found if count == 8)
    assert re.search(rf"^ 95% of the relevant found after {reads} reads", result.stdout, re.MULTILINE)
    assert re.search(r"^read first: \d+, \d+; \d+\.\d seconds$", result.stderr, re.MULTILINE)
    assert CANARY not in result.output + Path("curve.csv").read_text(encoding="utf-8")
    # The relevant are alike: they come at once.
    assert reads < 12


def test_the_same_seed_gives_the_same_bytes_and_another_another_start(run: Run) -> None:
    starts = set()
    for seed, out in (("1", "a.csv"), ("1", "b.csv"), ("2", "c.csv"), ("3", "d.csv")):
        result = run("--seed", seed, "--out", out)
        starts.add(re.search(r"read first: [\d, ]+", result.stderr)[0])  # type: ignore[index]
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    assert len(starts) == 3


def test_it_begins_with_the_rows_that_are_named(run: Run) -> None:
    result = run("--start-with", "2,3,6", "--out", "curve.csv")
    assert result.exit_code == 0, result.stderr
    assert "read first: 2, 3, 6;" in result.stderr
    assert [found for _, found in curve("curve.csv")[:3]] == [0, 0, 1]


def test_it_learns_once_a_batch(run: Run) -> None:
    run("--seed", "1", "--batch", str(ROWS), "--start-relevant", "0", "--out", "once.csv")
    run("--seed", "1", "--batch", "1", "--start-relevant", "0", "--out", "each.csv")
    assert curve("once.csv")[0] == curve("each.csv")[0] == (1, 0)
    assert curve("once.csv")[-1] == curve("each.csv")[-1]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--out", "curve.txt"), 2, ".csv"),
        (("--out", "table.csv"), 2, "replace the table"),
        (("--out", "absent/curve.csv"), 2, "does not exist"),
        (("--out", "curve.csv", "--text", "absent"), 2, "no column 'absent'"),
        (("--out", "curve.csv", "--start-with", "1,x"), 2, "not all of it are row numbers"),
        (("--out", "curve.csv", "--start-with", "1,41"), 2, "is not there"),
        (("--out", "curve.csv", "--start-with", "2,2"), 2, "named twice"),
        (("--out", "curve.csv", "--start-relevant", "9"), 2, "there are 8"),
        (("--out", "curve.csv", "--batch", "0"), 2, "--batch"),
        ((), 2, "--out"),
    ],
)
def test_what_goes_wrong_is_said(run: Run, words: tuple[str, ...], code: int, says: str) -> None:
    result = run(*words)
    assert result.exit_code == code
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert CANARY not in result.output
    assert not Path("curve.csv").exists()


def test_a_table_that_is_not_there_is_named(run: Run) -> None:
    Path("table.csv").unlink()
    done = run("--out", "curve.csv")
    assert (done.exit_code, "no such file" in done.stderr) == (2, True)


def test_a_label_of_another_kind_is_an_unreadable_table(run: Run) -> None:
    path = Path("table.csv")
    path.write_text(path.read_text(encoding="utf-8") + "a,b,unsure\n", encoding="utf-8")
    result = run("--out", "curve.csv")
    assert result.exit_code == 11
    assert "row 41" in result.stderr
    assert not Path("curve.csv").exists()
