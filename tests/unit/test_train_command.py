"""``triage train --decisions`` learns from what the store held at a moment, and says how it weighed it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.store.nights import CANARY, FIRST_NIGHT, NO_CRIME, decide, event, night
from training_data.build import corpus_files
from triage.cli import app
from triage.ranking.allocation import Draw
from triage.review.outcomes import FoundCrime, Outcome, label_version
from triage.store import open_store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CORPUS = str(next(path for path in corpus_files() if path.stem == "w8"))
#: The invented sample night, taken for a past.
SAMPLE = Path(__file__).parents[2] / "training_data" / "sample_extract"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder whose store holds one night: two ranked items and a drawn one, decided day by day."""
    published = night()
    first, second, third = published.items
    third = replace(third, arm="control", inclusion_probability=0.05)
    drawn = Draw(third.root, third.content_hash, "readable", 0.01, 0.05, True)
    places = (*published.places[:2], replace(published.places[2], arm="control"))
    with open_store(f"sqlite:///{tmp_path / 'data' / 'triage.db'}") as store:
        store.prepare()
        store.publish(
            replace(published, items=(first, second, third), places=places, draws=(drawn,)), event()
        )
        decide(store, first.item_id, FIRST_NIGHT + HOUR, Outcome("yes", (FoundCrime("theft", 2),)))
        decide(store, second.item_id, FIRST_NIGHT + HOUR, NO_CRIME)
        decide(store, third.item_id, FIRST_NIGHT + 5 * DAY, NO_CRIME)
    return tmp_path / "data"


def train(data_dir: Path, *words: str, **more: str) -> Any:
    env = {"TRIAGE_DATA_DIR": str(data_dir), "TRIAGE_REGISTRY_DIR": str(data_dir / "registry"), **more}
    return CliRunner().invoke(app, ["train", "--recipe", "weighted_phrases", *words], env=env)


def summary(data_dir: Path, done: Any) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    manifest = data_dir / "registry" / done.stdout.strip() / "manifest.json"
    training: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["training"]
    return training


def test_decisions_are_learnt_from_as_of_a_moment(data_dir: Path) -> None:
    early = train(data_dir, "--decisions", "--corpus", CORPUS, "--as-of", "2026-03-03T12:00")
    assert "2 closed items of 3 queued" in early.stderr
    with open_store(f"sqlite:///{data_dir / 'triage.db'}") as store:
        last = store.events()[-1].event
    assert (last.action, last.subject, last.details) == (
        "combination",
        "training",
        {"closed": 2, "queued": 3, "groups": ()},
    )
    taught = summary(data_dir, early)
    assert taught["by_arm"] == {"ranked": 4}
    assert (taught["counts"]["decisions_used"], taught["counts"]["decided"]) == (2, 4)
    late = summary(data_dir, train(data_dir, "--decisions", "--corpus", CORPUS))
    assert late["by_arm"] == {"control": 2, "ranked": 4}
    assert late["by_label_version"] == {label_version(): 6}
    assert (late["weights"]["largest"], late["weights"]["cap"]) == (20.0, 20.0)
    assert late["sha256"] != taught["sha256"]
    assert CANARY not in early.stderr + early.stdout


def test_the_card_says_what_was_found_and_missed_by_group(data_dir: Path, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{data_dir / 'triage.db'}") as store:
        arms = {each.record_ref: each.arm for each in store.queued(FIRST_NIGHT + 9 * DAY)}
    first, second = (reference for reference, arm in arms.items() if arm == "ranked")
    groups = tmp_path / "groups.csv"
    groups.write_text(f"record_ref,area\n{first},North\n{second},North\n", encoding="utf-8")
    words = ("--decisions", "--corpus", CORPUS, "--groups", str(groups))

    def card(**more: str) -> str:
        done = train(data_dir, *words, **more)
        assert done.exit_code == 0, done.stderr
        return (data_dir / "registry" / done.stdout.strip() / "card.md").read_text(encoding="utf-8")

    shown = card(TRIAGE_SMALL_CELL_ITEMS="2").partition("### By area")[2]
    # Of the two that were read one holds a crime; the one drawn at random holds none and is of no area.
    rows = [line.split(" | ")[:3] for line in shown.splitlines() if line.startswith("| ")][1:]
    assert [[cell.strip("| ") for cell in row] for row in rows] == [
        ["all", "2", "50.0% (9.5% to 90.5%)"],
        ["North", "2", "50.0% (9.5% to 90.5%)"],
        ["not given", "0", "–"],
    ]
    assert "| North | hidden | hidden |" in card()
    with open_store(f"sqlite:///{data_dir / 'triage.db'}") as store:
        assert store.events()[-1].event.details["groups"] == ("area",)


def test_groups_without_decisions_are_refused(data_dir: Path, tmp_path: Path) -> None:
    alone = train(data_dir, "--corpus", CORPUS, "--groups", str(tmp_path / "groups.csv"))
    assert alone.exit_code == 2
    assert "--decisions" in alone.stderr


def test_decisions_alone_are_enough_and_none_at_all_is_refused(data_dir: Path) -> None:
    alone = summary(data_dir, train(data_dir, "--decisions", "--no-corpus"))
    assert alone["records"] == 6
    none = train(data_dir, "--decisions", "--no-corpus", "--as-of", "2026-03-01T12:00")
    assert none.exit_code == 2
    assert "0 closed items of 3 queued" in none.stderr
    assert "nothing to learn from" in none.stderr
    for words in (["--no-corpus"], ["--no-corpus", "--corpus", CORPUS, "--decisions"]):
        refused = train(data_dir, *words)
        assert refused.exit_code == 2
        assert "--no-corpus" in refused.stderr


def test_few_past_records_alone_are_said_to_teach_little(data_dir: Path) -> None:
    words = ("--history", str(SAMPLE))
    alone = train(data_dir, *words, "--no-corpus")
    assert alone.exit_code == 0, alone.stderr
    [said] = [line for line in alone.stderr.splitlines() if line.startswith("note: ")]
    assert "past records alone teach little" in said
    assert "without --no-corpus" in said
    for more in (("--corpus", CORPUS), ("--no-corpus", "--decisions")):
        assert "teach little" not in train(data_dir, *words, *more).stderr


@pytest.mark.parametrize("recipe", ["linear", "plain"])
def test_the_same_build_is_the_same_file_in_every_process(recipe: str, tmp_path: Path) -> None:
    found = []
    for seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "TRIAGE_DATA_DIR": str(tmp_path),
            "TRIAGE_REGISTRY_DIR": str(tmp_path / seed),
        }
        words = ["train", "--recipe", recipe, "--corpus", CORPUS, "--as-of", "2026-03-01T12:00"]
        command = [sys.executable, "-m", "triage", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        artefact = tmp_path / seed / done.stdout.strip() / "model.joblib"
        found.append((done.stdout, hashlib.sha256(artefact.read_bytes()).hexdigest()))
    assert found[0] == found[1]


def test_a_moment_to_come_is_refused(data_dir: Path) -> None:
    done = train(data_dir, "--corpus", CORPUS, "--as-of", "2199-01-01")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "in the future" in done.stderr


def test_decisions_of_one_kind_alone_are_nothing_to_learn_from(tmp_path: Path) -> None:
    published = night()
    with open_store(f"sqlite:///{tmp_path / 'data' / 'triage.db'}") as store:
        store.prepare()
        store.publish(published, event())
        for each in published.items:
            decide(store, each.item_id, FIRST_NIGHT + HOUR, NO_CRIME)
    done = train(tmp_path / "data", "--decisions", "--no-corpus")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "nothing to tell apart: none of the records" in done.stderr


def test_what_auditors_decided_is_not_counted_by_source(data_dir: Path) -> None:
    taught = summary(data_dir, train(data_dir, "--decisions", "--no-corpus"))
    assert (taught["not_decided"], taught["decided"]) == ({"missed": 0, "by_source": {}}, 6)
    assert not {"missed", "by_source"} & set(taught)


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = train(tmp_path / "nowhere", "--decisions", "--corpus", CORPUS)
    assert (done.exit_code, done.stdout) == (13, "")
    assert "triage.db" in done.stderr
