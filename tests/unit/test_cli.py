"""The command as scripts call it: its files, its exit codes, its help, and silence about texts."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from triage.cli import app

Run = Callable[..., Any]
DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"
HEADER = ["record_ref", "opened_at", "closed_at", "text"]
TEXTS = (
    "SHE SAYS HE RAPED HER LAST YEAR",
    "LOST DOG RETURNED",
    "HE PUNCHED HER IN THE FACE",
    "RTC NO INJURY",
)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with the quickest recipe in it."""
    folder = tmp_path_factory.mktemp("models") / "registry"
    settings = {"TRIAGE_REGISTRY_DIR": str(folder)}
    built = CliRunner().invoke(app, ["train", "--recipe", "word_search"], env=settings)
    assert built.exit_code == 0, built.stderr
    assert [built.stdout.strip()] == [each.name for each in folder.glob("[!.]*")]
    return folder


@pytest.fixture
def run(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder, with the registry."""
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str | Path, **env: str) -> Any:
        settings = {"TRIAGE_REGISTRY_DIR": str(registry), "TRIAGE_RECIPE": "word_search", **env}
        return CliRunner().invoke(app, [str(word) for word in words], env=settings)

    return invoke


def write_extract(folder: Path, canary: str, *, seed: int = 0, bad: int = 0) -> Path:
    """Write an extract of 40 incidents and a crime; `bad` of them have no time; `seed` orders the rows."""
    rows = [
        [f"XX-{number}", "2026-10-13T10:00", "2026-10-13T12:00", f"{TEXTS[number % 4]} {number} {canary}"]
        for number in range(40)
    ]
    for row in rows[:bad]:
        row[1] = "yesterday"
    rows.sort(key=lambda row: sha256(f"{seed} {row[0]}".encode()).digest())
    folder.mkdir()
    crimes = [["crime_ref", "record_ref", "recorded_at", "offence_code"]]
    crimes.append(["42/1/26", "XX-4", "2026-10-13T20:00", "rape"])
    for name, table in (("incidents", [HEADER, *rows]), ("crimes", crimes)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows(table)
    return folder


def test_score_writes_one_row_per_record_and_touches_no_store(run: Run, tmp_path: Path, canary: str) -> None:
    extract = write_extract(tmp_path / "extract", canary)
    result = run("score", extract, "--out", "scores.csv")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert re.fullmatch(
        r"40 records scored, 0 rows rejected, model word_search-\S+, \d+\.\d seconds\n", result.stderr
    )
    frame = pl.read_csv("scores.csv")
    assert sorted(frame["record_ref"]) == sorted(f"XX-{number}" for number in range(40))
    assert frame["rank"].to_list() == list(range(1, 41))
    best = frame.row(0, named=True)
    number = int(best["record_ref"].removeprefix("XX-"))
    assert number % 4 == 0
    assert number != 4
    place = json.loads(best["evidence"])[0]
    assert (place["family"], TEXTS[0][place["start"] : place["end"]]) == ("rape", "RAPED")
    assert canary not in Path("scores.csv").read_text() + result.output
    assert sorted(each.name for each in tmp_path.iterdir()) == ["extract", "scores.csv"]


def test_score_says_which_rows_it_rejected_and_what_it_did_not_read(
    run: Run, tmp_path: Path, canary: str
) -> None:
    extract = write_extract(tmp_path / "extract", canary, bad=2)
    (extract / "crimes.csv").unlink()
    result = run("score", extract, "--out", "scores.csv")
    assert result.exit_code == 0, result.stderr
    assert "there is no table crimes: every crime that a text discloses counts as unrecorded" in result.stderr
    assert re.search(
        r"incidents: unreadable_time 2, first in incidents\.csv, row \d+, opened_at\n", result.stderr
    )
    assert "38 records scored, 2 rows rejected" in result.stderr
    assert canary not in result.output


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_same_twice_and_shuffled_gives_the_same_bytes(
    run: Run, tmp_path: Path, canary: str, ending: str
) -> None:
    contents = set()
    for number, seed in enumerate((1, 1, 2)):
        extract = write_extract(tmp_path / f"extract{number}", canary, seed=seed)
        assert run("score", extract, "--out", f"scores.{ending}").exit_code == 0
        contents.add(Path(f"scores.{ending}").read_bytes())
    assert len(contents) == 1


def test_a_crime_recorded_later_than_as_of_is_not_yet_known(run: Run, tmp_path: Path, canary: str) -> None:
    extract = write_extract(tmp_path / "extract", canary)

    def score(*words: str) -> float:
        assert run("score", extract, "--out", "scores.csv", *words).exit_code == 0
        frame = pl.read_csv("scores.csv")
        return float(frame.filter(pl.col("record_ref") == "XX-4")["score_01"].item())

    assert score("--as-of", "2026-10-13T20:59") == score() < score("--as-of", "2026-10-13T19:59")
    # 20:59 London time is before 20:00 at this offset.
    assert score("--as-of", "2026-10-13T19:30+00:00") == score()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("absent", "--out", "a.csv"), 11, "absent"),
        (("extract", "--out", "a.json"), 2, ".csv, .parquet"),
        (("extract", "--out", "absent/a.csv"), 2, "does not exist"),
        (("extract", "--out", "a.csv", "--as-of", "yesterday"), 2, "--as-of"),
        (("extract", "--out", "a.csv", "--as-of", "9999-12-30"), 2, "1901 to 2199"),
        (("extract", "--out", "extract/incidents.csv"), 2, "replace a table"),
        (("extract", "--out", "a.csv", "--model", "absent"), 12, "known: word_search-"),
        (("extract", "--out", "a.csv", "--mapping", "absent.toml"), 10, "absent.toml"),
        (("bad", "--out", "a.csv"), 11, "incidents"),
        (("extract",), 2, "--out"),
    ],
)
def test_what_goes_wrong_has_its_exit_code(
    run: Run, tmp_path: Path, canary: str, words: tuple[str, ...], code: int, says: str
) -> None:
    write_extract(tmp_path / "extract", canary)
    write_extract(tmp_path / "bad", canary, bad=10)
    result = run("score", *words)
    assert result.exit_code == code
    assert says in result.stderr
    assert canary not in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("a.*"))


@pytest.mark.parametrize("kept", ["INCIDENTS.CSV", "incidents.csv"])
@pytest.mark.parametrize("named", ["extract/INCIDENTS.CSV", "extract/Incidents.csv", "source/kept.csv"])
def test_no_table_of_the_extract_is_overwritten(
    run: Run, tmp_path: Path, canary: str, kept: str, named: str
) -> None:
    extract = write_extract(tmp_path / "extract", canary)
    (tmp_path / "source").mkdir()
    source = (extract / "incidents.csv").rename(tmp_path / "source" / "kept.csv")
    (extract / kept).symlink_to(source)
    before = source.read_bytes()
    result = run("score", "extract", "--out", named)
    assert result.exit_code == 2
    assert "replace a table" in result.stderr
    assert source.read_bytes() == before
    assert sorted(each.name for each in extract.iterdir()) == sorted([kept, "crimes.csv"])


def test_a_misspelt_recipe_lists_the_known(run: Run, tmp_path: Path, canary: str) -> None:
    write_extract(tmp_path / "extract", canary)
    result = run("score", "extract", "--out", "a.csv", TRIAGE_RECIPE="liner")
    assert result.exit_code == 12
    assert "known: dash_count, linear" in result.stderr


def test_an_altered_model_ends_with_12(run: Run, registry: Path, tmp_path: Path, canary: str) -> None:
    write_extract(tmp_path / "extract", canary)
    model = next(registry.glob("*/model.joblib"))
    kept = model.read_bytes()
    model.write_bytes(kept[:-1] + b"x")
    try:
        assert run("score", "extract", "--out", "a.csv").exit_code == 12
    finally:
        model.write_bytes(kept)


def test_a_recipe_without_a_model_is_built_once(run: Run, tmp_path: Path, canary: str) -> None:
    write_extract(tmp_path / "extract", canary)
    registry = str(tmp_path / "registry")
    first = run("score", "extract", "--out", "a.csv", TRIAGE_REGISTRY_DIR=registry)
    again = run("score", "extract", "--out", "b.csv", TRIAGE_REGISTRY_DIR=registry)
    assert "building one" in first.stderr
    assert "building one" not in again.stderr
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_train_takes_several_files_and_names_an_unreadable_one(run: Run, tmp_path: Path) -> None:
    corpus = sorted((DOCUMENT.parents[1] / "training_data" / "corpus").glob("*.jsonl"))
    registry = str(tmp_path / "registry")
    built = run("train", "--corpus", corpus[0], *corpus[1:3], TRIAGE_REGISTRY_DIR=registry)
    assert built.exit_code == 0, built.stderr
    manifest = json.loads((tmp_path / "registry" / built.stdout.strip() / "manifest.json").read_text())
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in corpus[:3])
    assert manifest["training"]["records"] == lines
    wrong = run("train", "--corpus", "absent.jsonl")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "absent.jsonl" in wrong.stderr
    assert run("train", "--recipe", "absent").exit_code == 12


def test_models_and_settings_are_listed_without_secrets(run: Run, registry: Path) -> None:
    assert next(registry.glob("[!.]*")).name in run("models").stdout
    shown = run("settings", TRIAGE_DATABASE_URL="postgresql://user:hunter2@host/triage").stdout
    assert re.search(r"recipe\s+word_search\s+linear", shown)
    assert re.search(r"database_url\s+\(set, not shown\)\s+\(empty\)", shown)
    assert "hunter2" not in shown
    wrong = run("settings", TRIAGE_BUDGET="3", TRIAGE_CONTROL_SHARE="2")
    assert wrong.exit_code == 10
    assert "budget" in wrong.stderr
    assert "control_share" in wrong.stderr


def test_the_real_command_ends_with_its_codes_and_starts_without_heavy_libraries(tmp_path: Path) -> None:
    heavy = ("sklearn", "spacy", "polars", "sqlalchemy", "prefect", "pydantic_settings", "rich.table")
    code = (
        "import sys; from triage.cli import main\n"
        "try: main()\n"
        f"finally: print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    command = Path(sys.executable).with_name("triage")
    done = subprocess.run(
        [command, "score", "absent", "--out", "a.csv"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert (done.returncode, done.stdout) == (11, "")
    assert "Traceback" not in done.stderr


def commands() -> list[str]:
    """Return every command, the program itself first."""
    names = re.findall(r"^## triage (.+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    return ["", *names]


@pytest.mark.parametrize("name", commands())
def test_the_document_shows_the_real_help(name: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split(f"\n## triage {name}\n")[1] if name else text
    shown = re.search(r"```text\n(.*?)\n```", section, re.DOTALL)
    result = CliRunner().invoke(app, [*name.split(), "--help"], prog_name="triage", env={"COLUMNS": "100"})
    assert shown is not None
    assert shown[1] == result.stdout.rstrip()


def test_the_document_leaves_no_command_out() -> None:
    listed: set[str] = set()
    groups = [""]
    for group in groups:
        result = CliRunner().invoke(app, [*group.split(), "--help"], prog_name="triage")
        section = io.StringIO(result.stdout.split("Commands:\n")[1])
        for line in section:
            name = f"{group} {line.split()[0]}".strip()
            if group == "" and name in {"queue", "workbook", "audit", "store", "models"}:
                groups.append(name)
            else:
                listed.add(name)
    assert listed == set(commands()) - {""}
