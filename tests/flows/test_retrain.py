"""Retraining on a real store: who learns from what, the report, the flow; and that nothing is promoted."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.runtime import prefect_home
from models import build_and_register
from models.challengers import nights_to_judge
from models.retraining import champion_of, retrain
from tests.conftest import CANARY
from tests.decided_nights import FIRST_NIGHT, RULES, Truth, put_nights
from training_data.build import corpus_files, corpus_table
from triage.cli import app
from triage.errors import ModelError
from triage.learning.registry import load, serving
from triage.learning.retrain_report import lines
from triage.learning.signing import trusted_by
from triage.learning.temporal import Material
from triage.settings import Settings
from triage.store import open_store

ROOT = Path(__file__).resolve().parents[2]
NIGHTS, BUDGET, CONTROL = 10, 8, 2
#: Ten nights from FIRST_NIGHT, all of whose decisions are known.
NOW = FIRST_NIGHT + timedelta(days=NIGHTS + 10)
STUDENTS = tuple(path for path in corpus_files() if path.stem in ("w1", "w7"))
STRANGER = next(path for path in corpus_files() if path.stem == "w25")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A store of decided nights, and a registry whose champion searches for one word."""
    folder = tmp_path_factory.mktemp("retrain")
    found = Settings(
        data_dir=folder / "data",
        registry_dir=folder / "registry",
        recipe="word_search",
        retrain_recipes=("weighted_phrases",),
        retrain_nights=6,
        label_lag_days=2.0,
        retrain_missed_min=5,
        small_cell_items=4,
    )
    build_and_register("word_search", found, as_of=NOW, corpus=())
    examples = corpus_table([STRANGER]).examples[:120]
    chance = np.random.default_rng(5).random(len(examples))
    records = [
        Truth(
            replace(each.record, text=f"{each.record.text} {CANARY} {number}."),
            each.disclosed,
            each.recorded,
            float(chance[number]),
        )
        for number, each in enumerate(examples)
    ]
    with open_store(found.store_url) as store:
        store.prepare()
        put_nights(store, records, nights=NIGHTS, budget=BUDGET, control=CONTROL, rule=1)
    return found


@pytest.fixture(scope="module")
def material(settings: Settings) -> Iterator[Material]:
    with open_store(settings.store_url) as store:
        yield Material(
            decided=lambda moment: store.decided(moment, RULES), queued=store.queued, corpus=STUDENTS
        )


def test_only_later_nights_judge_and_only_what_was_known_is_learnt(
    settings: Settings, material: Material
) -> None:
    test = nights_to_judge(material, champion_of(settings), settings, NOW)
    assert test is not None
    (window,) = test.windows
    assert window.nights == tuple(FIRST_NIGHT + timedelta(days=day) for day in range(4, 10))
    assert {each.queued.queued_at for each in test.items} <= set(window.nights)
    report = retrain(material, settings, as_of=NOW)
    (judged,) = report.judgements
    # Closed a day after they were decided, two days before night 4: of the nights only the first.
    assert judged.learnt["decided"] == BUDGET
    manifest = load(settings.registry_dir, judged.model_id, trusted=trusted_by(settings)).manifest
    assert manifest["as_of"] == window.cut_off.isoformat()
    assert manifest["metrics"]["beside_champion"] == report.champion
    assert manifest["metrics"]["verdict"] == judged.verdict.word


def test_what_the_champion_knew_judges_nobody(settings: Settings, material: Material) -> None:
    champion = champion_of(settings)
    assert champion.knew is None
    informed = replace(champion, knew=FIRST_NIGHT + timedelta(days=7))
    test = nights_to_judge(material, informed, settings, NOW)
    assert test is not None
    assert test.windows[0].cut_off == FIRST_NIGHT + timedelta(days=8)
    assert nights_to_judge(material, replace(champion, knew=NOW), settings, NOW) is None


def test_weights_stand_for_all_matters_of_the_nights(settings: Settings, material: Material) -> None:
    test = nights_to_judge(material, champion_of(settings), settings, NOW)
    assert test is not None
    # 120 records in 10 nights of 12: all of a night's certain ones, and the two drawn for the other six.
    assert test.judged.weights.sum() == pytest.approx(6 * 12)
    assert test.judged.certain.sum() == 6 * (BUDGET - CONTROL)
    assert test.judged.first.sum() == 6


def test_an_item_whose_kin_was_decided_before_judges_nobody(tmp_path: Path, settings: Settings) -> None:
    own = settings.model_copy(update={"data_dir": tmp_path})
    example = corpus_table([STRANGER]).examples[0]
    others = corpus_table([STRANGER]).examples[1:20]
    twice = [
        Truth(replace(example.record, record_ref=name), example.disclosed, (), 0.9) for name in ("A", "B")
    ]
    rest = [Truth(each.record, each.disclosed, each.recorded, 0.1) for each in others]
    with open_store(own.store_url) as store:
        store.prepare()
        put_nights(store, [twice[0], *rest[:9]], nights=1, budget=10, control=0)
        later = FIRST_NIGHT + timedelta(days=5)
        put_nights(store, [twice[1], *rest[9:]], nights=1, budget=11, control=0, first=later)
        found = Material(decided=lambda moment: store.decided(moment, RULES), queued=store.queued)
        near = own.model_copy(update={"retrain_nights": 1})
        test = nights_to_judge(found, champion_of(settings), near, NOW)
        both = nights_to_judge(found, champion_of(settings), own, NOW)
    assert test is not None
    assert both is not None
    assert test.left_out["group_known_before"] == 1
    assert "B" not in {each.queued.root for each in test.items}
    # Where both nights judge, nothing of the group was learnt from; the two are drawn as one.
    groups = {each.queued.root: group for each, group in zip(both.items, both.judged.groups, strict=True)}
    assert groups["A"] == groups["B"]


def test_the_command_reports_registers_and_stops(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("data_dir", "registry_dir", "recipe", "retrain_nights", "label_lag_days"):
        monkeypatch.setenv(f"TRIAGE_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("TRIAGE_RETRAIN_MISSED_MIN", "5")
    groups = tmp_path / "groups.csv"
    groups.write_text("record_ref,age_band\nw25-001,18 to 24\n")
    words = ["retrain", "--recipe", "dash_count", "--as-of", NOW.isoformat(), "--actor", "a.person"]
    words += [word for path in STUDENTS for word in ("--corpus", str(path))]
    past = tmp_path / "past"
    shutil.copytree(ROOT / "training_data" / "sample_extract", past)
    files = sorted(past.iterdir())
    before = serving(settings.registry_dir, settings.recipe, trusted_by(settings))
    told = CliRunner().invoke(app, [*words, "--groups", str(groups), "--history", str(past)])
    assert told.exit_code == 0, told.output
    assert f"{past}: 147 past records, " in told.output
    assert " 3 rows rejected" in told.output
    assert sorted(past.iterdir()) == files
    assert "recall at budget" in told.stdout
    assert "Nothing was promoted" in told.stdout
    assert CANARY not in told.output.lower()
    assert serving(settings.registry_dir, settings.recipe, trusted_by(settings)) == before
    kept = settings.data_dir / "retrain" / f"{NOW:%Y%m%dT%H%M%SZ}" / "report.json"
    report = json.loads(kept.read_text())
    assert report["judgements"][0]["verdict"]["word"] in told.stdout
    assert CANARY not in kept.read_text().lower()
    assert "w25-0" not in kept.read_text()
    with open_store(settings.store_url) as store:
        noted = [each.event for each in store.events() if each.event.actor == "a.person"]
        assert [each.action for each in noted] == ["combination", "combination"]
        assert noted[1].subject == report["judgements"][0]["model_id"]
        assert store.verify_chain().broken_at is None

    assert CliRunner().invoke(app, ["retrain", "--recipe", "linaer"]).exit_code == 12
    assert CliRunner().invoke(app, ["retrain", "--no-corpus", "--corpus", str(STRANGER)]).exit_code == 2
    monkeypatch.setenv("TRIAGE_REGISTRY_DIR", str(tmp_path / "empty"))
    none = CliRunner().invoke(app, ["retrain"])
    assert none.exit_code == 12
    assert "nothing to compare with" in none.output


def test_without_nights_nothing_is_built(settings: Settings, material: Material) -> None:
    report = retrain(material, settings, as_of=FIRST_NIGHT)
    assert report.judgements == ()
    assert "not enough evidence" in "\n".join(lines(report))
    json.dumps(report.as_json())


def test_several_windows_are_judged_by_challengers_of_their_own(
    settings: Settings, material: Material
) -> None:
    own = settings.model_copy(update={"retrain_windows": 3, "retrain_recipes": ("weighted_phrases",)})
    report = retrain(material, own, as_of=NOW)
    assert report.cut_offs == tuple(FIRST_NIGHT + timedelta(days=day) for day in (4, 6, 8))
    manifest = load(own.registry_dir, report.judgements[0].model_id, trusted=trusted_by(own)).manifest
    assert manifest["as_of"] == report.cut_offs[-1].isoformat()


def test_an_unknown_recipe_is_refused_before_anything_is_built(
    settings: Settings, material: Material
) -> None:
    with pytest.raises(ModelError, match="linaer"):
        retrain(material, settings.model_copy(update={"retrain_recipes": ("linaer",)}), as_of=NOW)


def run_flow(settings: Settings, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the flow's command in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    for name in ("data_dir", "registry_dir", "recipe", "retrain_nights", "label_lag_days"):
        environment[f"TRIAGE_{name.upper()}"] = str(getattr(settings, name))
    environment |= {"TRIAGE_RETRAIN_RECIPES": '["weighted_phrases"]', "PYTHONPATH": str(ROOT), **more}
    command = [sys.executable, "-m", "flows.retrain", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)


def test_through_prefect(settings: Settings) -> None:
    ended = run_flow(settings, "--as-of", NOW.isoformat())
    assert ended.returncode == 0, ended.stderr
    assert "Nothing was promoted" in ended.stdout
    home = prefect_home(settings.data_dir)
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        kept = database.execute("SELECT data FROM artifact WHERE key = 'retraining'").fetchall()
        states = database.execute("SELECT state_type FROM flow_run").fetchall()
    assert len(kept) == 1
    assert "weighted_phrases-" in str(kept)
    assert states == [("COMPLETED",)]
    assert CANARY not in (ended.stdout + ended.stderr).lower()
    holding = [path for path in home.rglob("*") if path.is_file() and CANARY in _content(path)]
    assert holding == []


def _content(path: Path) -> str:
    return path.read_bytes().decode(errors="replace").lower()


def test_without_prefect_it_is_done_all_the_same(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    ended = run_flow(settings, "--as-of", NOW.isoformat(), PREFECT_HOME=str(tmp_path / "file" / "prefect"))
    assert ended.returncode == 0, ended.stderr
    assert "without Prefect" in ended.stderr
    assert "weighted_phrases-" in ended.stdout
