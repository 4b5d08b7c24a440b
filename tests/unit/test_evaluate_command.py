"""The command ``triage evaluate``: its table, files, warnings and errors, and silence about texts."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import CANARY
from training_data.build import corpus_files
from triage.cli import app
from triage.desk.evaluate_command import BASELINES

Run = Callable[..., Any]
HEADER = ("record_ref", "opened_at", "closed_at", "text")
SAYS = ("SHE SAYS HE RAPED HER LAST YEAR", "LOST DOG RETURNED", "HE PUNCHED HER IN THE FACE", "RTC NO INJURY")
FAMILIES = (["rape"], [], ["violence_with_injury"], [])


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of the baselines, built from one file of the corpus, which takes no time."""
    folder = tmp_path_factory.mktemp("models") / "registry"
    for recipe in BASELINES:
        words = ["train", "--recipe", recipe, "--corpus", str(corpus_files()[0])]
        built = CliRunner().invoke(app, words, env={"TRIAGE_REGISTRY_DIR": str(folder)})
        assert built.exit_code == 0, built.stderr
    return folder


@pytest.fixture
def run(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Evaluate the folder ``extract``, of 22 incidents, against ``truth.jsonl``, which labels 20 of them."""
    monkeypatch.chdir(tmp_path)
    numbers = range(22)
    texts = [f"{SAYS[number % 4]} {number} {CANARY}" for number in numbers]
    Path("extract").mkdir()
    at = ("2026-10-13T10:00", "2026-10-13T12:00")
    write_table("incidents", [HEADER, *((f"XX-{n}", *at, texts[n]) for n in numbers)])
    crimes = ("crime_ref", "record_ref", "recorded_at", "offence_code")
    write_table("crimes", [crimes, ("42/1/26", "XX-4", "2026-10-13T20:00", "rape")])
    lines = [
        {
            "id": f"XX-{number}",
            "source": "incident",
            "opening_code": "",
            "closing_code": "",
            "text": texts[number],
            "dash": {},
            "recorded": ["rape"] if number == 4 else [],
            "disclosed": FAMILIES[number % 4],
            "evidence": [SAYS[number % 4]] if FAMILIES[number % 4] else [],
        }
        for number in range(20)
    ]
    Path("truth.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")

    def invoke(*words: str) -> Any:
        settings = {"TRIAGE_REGISTRY_DIR": str(registry), "TRIAGE_RECIPE": "word_search"}
        return CliRunner().invoke(app, ["evaluate", *words], env=settings)

    return invoke


def write_table(name: str, rows: list[tuple[str, ...]]) -> None:
    with Path(f"extract/{name}.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(rows)


def test_it_prints_what_a_ranking_is_worth(run: Run) -> None:
    result = run("extract", "--truth", "truth.jsonl")
    assert result.exit_code == 0, result.stderr
    assert "20 labelled records, 9 of them missed, 2 unlabelled" in result.stdout
    assert re.search(r"^  rape \(4\) +\d\.\d{3}$", result.stdout, re.MULTILINE)
    assert re.search(r"^word_search by family$", result.stdout, re.MULTILINE)
    assert re.search(r"^word_search: model word_search-\d{8}-\w{8}$", result.stderr, re.MULTILINE)
    assert re.search(r"^22 records scored by 1 models, \d+\.\d seconds$", result.stderr, re.MULTILINE)
    assert CANARY not in result.output
    assert sorted(each.name for each in Path().iterdir()) == ["extract", "truth.jsonl"]


def test_every_figure_goes_into_the_file(run: Run) -> None:
    result = run("extract", "--truth", "truth.jsonl", "--json", "figures.json")
    assert result.exit_code == 0, result.stderr
    content = Path("figures.json").read_text(encoding="utf-8")
    [report] = json.loads(content)["rankings"]
    assert re.search(rf"^ROC-AUC +{report['roc_auc']:.3f}$", result.stdout, re.MULTILINE)
    assert report["model_id"].startswith("word_search-")
    assert len(report["curve"]) == 101
    assert report["intervals"]["roc_auc"][0] <= report["roc_auc"] <= report["intervals"]["roc_auc"][1]
    # Two missed crimes that nobody labelled would change what is found.
    assert report["recall"][2]["worst"] < report["recall"][2]["best"]
    assert CANARY not in content
    run("extract", "--truth", "truth.jsonl", "--json", "again.json")
    assert Path("again.json").read_text(encoding="utf-8") == content


def test_several_models_and_the_baselines_stand_in_one_table(run: Run) -> None:
    result = run("extract", "--truth", "truth.jsonl", "--model", "dash_count", "--baselines")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^ +dash_count +word_search +weighted_phrases +plain$", result.stdout, re.MULTILINE)
    assert re.search(r"^ROC-AUC( +\d\.\d{3}){4}$", result.stdout, re.MULTILINE)
    assert "22 records scored by 4 models" in result.stderr
    assert CANARY not in result.output


def test_truth_of_several_files_is_one(run: Run) -> None:
    lines = Path("truth.jsonl").read_text(encoding="utf-8").splitlines()
    Path("one.jsonl").write_text("\n".join(lines[:7]), encoding="utf-8")
    Path("two.jsonl").write_text("\n".join(lines[7:]), encoding="utf-8")
    parts = run("extract", "--truth", "one.jsonl", "--truth", "two.jsonl")
    whole = run("extract", "--truth", "truth.jsonl")
    assert parts.stdout == whole.stdout != ""


def test_records_that_models_learn_from_are_pointed_out(run: Run) -> None:
    assert "learn" not in run("extract", "--truth", "truth.jsonl").stderr
    shipped = [json.loads(line) for line in corpus_files()[0].read_text(encoding="utf-8").splitlines()]
    known = [each for each in shipped if each["source"] == "incident"][:20]
    at = ("2026-10-13T10:00", "2026-10-13T12:00")
    write_table("incidents", [HEADER, *((each["id"], *at, each["text"]) for each in known)])
    Path("truth.jsonl").write_text("\n".join(json.dumps(each) for each in known), encoding="utf-8")
    result = run("extract", "--truth", "truth.jsonl")
    assert result.exit_code == 0, result.stderr
    assert "20 of the 20 labelled records stand in the corpus that ships" in result.stderr


def test_labels_of_other_texts_are_pointed_out(run: Run) -> None:
    assert "another text" not in run("extract", "--truth", "truth.jsonl").stderr
    labels = Path("truth.jsonl").read_text(encoding="utf-8")
    Path("truth.jsonl").write_text(labels.replace("DOG RETURNED 5", "DOG SEEN 5"), encoding="utf-8")
    result = run("extract", "--truth", "truth.jsonl")
    assert result.exit_code == 0, result.stderr
    assert "1 of the 20 labelled records have another text in the extract, XX-5 first" in result.stderr
    assert CANARY not in result.output


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("absent", "--truth", "truth.jsonl"), 11, "absent"),
        (("extract", "--truth", "absent.jsonl"), 2, "absent.jsonl"),
        (("extract",), 2, "--truth"),
        (("extract", "--truth", "truth.jsonl", "--model", "absent"), 12, "absent"),
        (("extract", "--truth", "truth.jsonl", "--plot", "a.png"), 2, ".svg"),
        (("extract", "--truth", "truth.jsonl", "--json", "absent/a.json"), 2, "does not exist"),
        (("extract", "--truth", "truth.jsonl", "--mapping", "absent.toml"), 10, "absent.toml"),
        (
            ("extract", "--truth", str(corpus_files()[0])),
            2,
            "150 of 150 labelled records have no score: w1-0",
        ),
    ],
)
def test_what_goes_wrong_has_its_exit_code(run: Run, words: tuple[str, ...], code: int, says: str) -> None:
    result = run(*words)
    assert result.exit_code == code, result.stderr
    assert says in result.stderr
    assert result.stdout == ""
    assert CANARY not in result.output
    assert "Traceback" not in result.output


def test_the_truth_is_never_overwritten(run: Run) -> None:
    kept = Path("truth.jsonl").rename("truth.json").read_bytes()
    result = run("extract", "--truth", "truth.json", "--json", "./truth.json")
    assert result.exit_code == 2
    assert "replace the labelled records" in result.stderr
    assert Path("truth.json").read_bytes() == kept


def test_the_picture_is_the_same_every_time_and_holds_no_text(run: Run) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra `plots`")
    for name in ("one.svg", "two.svg"):
        result = run("extract", "--truth", "truth.jsonl", "--plot", name)
        assert result.exit_code == 0, result.stderr
    content = Path("one.svg").read_text(encoding="utf-8")
    assert Path("two.svg").read_text(encoding="utf-8") == content
    assert re.search(r"word_search \(ROC-AUC 0\.\d\d\)", content)
    assert "share of the stream read" in content
    assert CANARY not in content


def test_without_the_library_that_draws_it_says_so_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("extract", "--truth", "truth.jsonl", "--plot", "a.svg")
    assert result.exit_code == 2
    assert "crime-recording-triage[plots]" in result.stderr
    assert result.stdout == ""
