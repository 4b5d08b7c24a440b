"""Scoring with several processes: the same file as with one, whatever comes first, and the same errors."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from triage.cli import app
from triage.desk.score_extract import PART_RECORDS
from triage.ranking.recorded import recorded_count
from triage.reading import read_extract
from triage.reading.linking import link
from triage.settings import Settings

NIGHT = date(2026, 10, 14)

Run = Callable[..., Any]
SAID = ("SHE SAYS HE RAPED HER LAST YEAR", "LOST DOG RETURNED", "HE PUNCHED HER IN THE FACE", "RTC NO INJURY")
#: Of every table more than one part, and last the first of the names.
ROWS = {"incidents": PART_RECORDS + 300, "referrals": 2 * PART_RECORDS + 1, "assessments": 40}
#: A crime is recorded of these, and none of the records 28 places further, which say the same.
RECORDED = (
    "assessments-4",
    "incidents-4",
    f"incidents-{PART_RECORDS + 40}",
    f"referrals-{PART_RECORDS + 40}",
)
TIMES = {"incidents": "opened_at", "referrals": "received_at", "assessments": "completed_at"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, canary: str) -> Path:
    """An extract of several tables, and one whose last table cannot be read."""
    folder = tmp_path_factory.mktemp("scored")
    for name in ("extract", "torn"):
        (folder / name).mkdir()
        for table, count in ROWS.items():
            with (folder / name / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
                form = [["form_version", "q1"], ["dara", "Y"]] if table == "assessments" else [[], []]
                rows = csv.writer(file)
                rows.writerow(["record_ref", TIMES[table], "text", *form[0]])
                for number in range(count):
                    text = f"{SAID[number % 4]} {'AGAIN ' * (number % 7)}{number} {canary}"
                    rows.writerow([f"{table}-{number}", f"2026-10-13T10:{number % 60:02}", text, *form[1]])
    crimes = "".join(f"42/{number}/26,{ref},2026-10-13T20:00,rape\n" for number, ref in enumerate(RECORDED))
    (folder / "extract" / "crimes.csv").write_text(f"crime_ref,record_ref,recorded_at,offence_code\n{crimes}")
    (folder / "torn" / "referrals.csv").write_text("record_ref,text\nR1,TOLD\n")
    built = CliRunner().invoke(app, ["train", "--recipe", "word_search"], env=_settings(folder))
    assert built.exit_code == 0, built.stderr
    return folder


def _settings(folder: Path) -> dict[str, str]:
    return {"TRIAGE_REGISTRY_DIR": str(folder / "registry"), "TRIAGE_RECIPE": "word_search"}


def score(folder: Path, out: Path, *words: str, extract: str = "extract", **env: str) -> Any:
    given = ["score", str(folder / extract), "--out", str(out), *words]
    return CliRunner().invoke(app, given, env={**_settings(folder), **env})


def test_two_processes_write_what_one_does(folder: Path, tmp_path: Path) -> None:
    written = []
    for jobs in ("1", "2", "3"):
        result = score(folder, tmp_path / f"{jobs}.csv", "--jobs", jobs)
        assert result.exit_code == 0, result.stderr
        written.append((tmp_path / f"{jobs}.csv").read_bytes())
    assert written[0] == written[1] == written[2]
    frame = pl.read_csv(tmp_path / "1.csv")
    assert dict(frame.group_by("source").len().rows()) == ROWS
    scores = dict(frame.select("record_ref", "score_01").rows())
    for reference in RECORDED:
        table, number = reference.split("-")
        assert scores[reference] < scores[f"{table}-{int(number) + 28}"]


def test_a_crime_counts_as_it_does_for_matters(folder: Path, tmp_path: Path) -> None:
    """One long past that a text merely names counts for nothing, and one written twice counts once."""
    extract, out = tmp_path / "named", tmp_path / "scores.csv"
    extract.mkdir()
    at = "2026-10-13T09:00+01:00"
    texts = {
        "L1": "",
        "L2": "Previous crime 42/01111/19 refers.",
        "L3": "Crime 42/02222/26 refers.",
        "L4": "",
    }
    rows = [f"{name},{at},He raped her. {text}" for name, text in texts.items()]
    (extract / "incidents.csv").write_text("\n".join(["record_ref,opened_at,text", *rows]) + "\n")
    crimes = [
        "42/01111/19,Z1,2019-03-01T09:00+00:00,rape,recorded",
        "42/02222/26,Z2,2026-10-12T09:00+01:00,rape,recorded",
        f"42/00700/26,L4,{at},rape,recorded",
        f"42/700/26,L4,{at},rape,recorded",
    ]
    heads = "crime_ref,record_ref,recorded_at,offence_code,status"
    (extract / "crimes.csv").write_text("\n".join([heads, *crimes]) + "\n")
    done = score(folder, out, extract=str(extract))
    assert done.exit_code == 0, done.stderr
    found = {row["record_ref"]: row["score_01"] for row in pl.read_csv(out).iter_rows(named=True)}
    assert found["L1"] == found["L2"] > found["L3"] == found["L4"]
    matters = link(read_extract(extract, Settings()), Settings()).matters
    counted = {each.root: recorded_count(each.recorded, NIGHT) for each in matters}
    assert {name: int(counts.sum()) for name, counts in counted.items()} == {
        "L1": 0,
        "L2": 0,
        "L3": 1,
        "L4": 1,
    }


def test_a_model_that_is_built_first_serves_helpers_too(folder: Path, tmp_path: Path) -> None:
    own = {"TRIAGE_REGISTRY_DIR": str(tmp_path / "registry")}
    result = score(folder, tmp_path / "built.csv", "--jobs", "2", **own)
    assert "building one" in result.stderr
    assert score(folder, tmp_path / "known.csv", "--jobs", "2").exit_code == 0
    assert (tmp_path / "built.csv").read_bytes() == (tmp_path / "known.csv").read_bytes()


def test_a_table_torn_after_helpers_began_ends_with_11(folder: Path, tmp_path: Path, canary: str) -> None:
    result = score(folder, tmp_path / "a.csv", "--jobs", "2", extract="torn")
    assert result.exit_code == 11
    assert "referrals" in result.stderr
    assert canary not in result.output
    assert not (tmp_path / "a.csv").exists()


def test_an_altered_model_ends_with_12_whoever_loads_it(folder: Path, tmp_path: Path) -> None:
    model = next((folder / "registry").glob("*/model.joblib"))
    kept = model.read_bytes()
    model.write_bytes(kept[:-1] + b"x")
    try:
        result = score(folder, tmp_path / "a.csv", "--jobs", "2")
    finally:
        model.write_bytes(kept)
    assert result.exit_code == 12
    assert "Traceback" not in result.output


@contextmanager
def at_work(folder: Path, out: Path, extract: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command with two helpers, as a shell would."""
    words = [sys.executable, "-m", "triage", "score", str(folder / extract), "--out", str(out), "--jobs", "3"]
    with subprocess.Popen(
        words,
        env={**os.environ, **_settings(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def helpers_of(started: subprocess.Popen[str]) -> list[int]:
    """Return the helpers, once both are there."""
    for _ in range(1_800):
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
        found = [int(child) for child in children if b"--process-name" in _words(child)]
        if len(found) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError("no helpers were started")


def _words(process: str) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def many(folder: Path, canary: str) -> str:
    """An extract that takes a while."""
    (folder / "many").mkdir()
    lines = [f"R{number},2026-10-13T10:00,{SAID[number % 4]} {number} {canary}" for number in range(40_000)]
    table = "\n".join(["record_ref,received_at,text", *lines, ""])
    (folder / "many" / "referrals.csv").write_text(table)
    return "many"


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks Linux who is whose child")


@needs_proc
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_helpers_end_with_whoever_started_them(folder: Path, tmp_path: Path, many: str, sent: int) -> None:
    with at_work(folder, tmp_path / "a.csv", many) as started:
        helpers = helpers_of(started)
        started.send_signal(sent)
        # Whoever reads what the command says gets to its end: nobody is left who might say more.
        started.communicate(timeout=60)
    assert started.returncode == -sent
    assert not any(b"--process-name" in _words(str(helper)) for helper in helpers)
    assert not list(tmp_path.iterdir())


@needs_proc
def test_a_helper_that_is_killed_ends_the_run_in_plain_words(
    folder: Path, tmp_path: Path, many: str, canary: str
) -> None:
    with at_work(folder, tmp_path / "a.csv", many) as started:
        os.kill(helpers_of(started)[0], signal.SIGKILL)
        said, _ = started.communicate(timeout=120)
    assert started.returncode == 2
    assert "a helper was ended from outside" in said
    assert "Traceback" not in said
    assert canary not in said
    assert not list(tmp_path.iterdir())


def test_an_extract_without_tables_is_refused_without_a_word_of_threads(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with at_work(tmp_path, tmp_path / "a.csv", "none") as started:
        said, _ = started.communicate(timeout=120)
    assert started.returncode == 11
    assert said.startswith("the extract has no table of records")
    assert "Exception" not in said
