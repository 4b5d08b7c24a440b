"""Card and transparency record: the committed examples are what the generator gives."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from triage.learning.cards import atrs_record, card
from triage.learning.fairness import Cell, Dimension, fairness_json
from triage.review.agreement import Figure

DOCS = Path(__file__).parents[2] / "docs"
MANIFEST: dict[str, Any] = json.loads((DOCS / "example_manifest.json").read_text(encoding="utf-8"))
FIELDS = tomllib.loads(files("triage.learning").joinpath("atrs.toml").read_text(encoding="utf-8"))["field"]
MAKE = {"example_card.md": card, "example_atrs.md": atrs_record}


@pytest.mark.parametrize("name", MAKE)
def test_the_committed_example_is_what_the_generator_gives(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == MAKE[name](MANIFEST)


def test_the_example_is_said_to_be_invented() -> None:
    for make in MAKE.values():
        assert "no figure that rests on it is accuracy on police data" in make(MANIFEST)


def test_every_field_is_there_once_in_order_and_answered_or_left_to_the_force() -> None:
    record = atrs_record(MANIFEST)
    shown = re.findall(r"^\| ([\d.]+) \| (.*?) \| (.*) \|$", record, re.MULTILINE)
    assert [(number, name) for number, name, _ in shown] == [
        (each["number"], each["name"]) for each in FIELDS
    ]
    numbers = [tuple(map(int, each["number"].split("."))) for each in FIELDS]
    assert numbers == sorted(set(numbers))
    assert all(answer.strip() for *_, answer in shown)
    left = [answer for *_, answer in shown if "ompleted by the force" in answer]
    assert len(left) > 15
    assert "{" not in record


def test_the_fields_that_the_machine_knows_come_from_the_manifest() -> None:
    record = atrs_record(MANIFEST)
    for value in (
        MANIFEST["model_id"],
        MANIFEST["git_commit"],
        MANIFEST["as_of"],
        MANIFEST["training"]["sha256"],
        MANIFEST["libraries"]["scikit-learn"],
        str(MANIFEST["training"]["records"]),
    ):
        assert value in record, value


@pytest.mark.parametrize(
    ("kind", "said"), [("local", "no person vouches"), ("registrar", "Signed with the key fcir")]
)
def test_card_and_record_say_who_signed(kind: str, said: str) -> None:
    manifest = MANIFEST | {"signed_by": {"key_id": "0123456789abcdef", "kind": kind, "name": "fcir"}}
    for make in MAKE.values():
        assert said in make(manifest)
        assert "0123456789abcdef" in make(manifest)


def test_the_card_says_what_is_known_by_group() -> None:
    assert "Nothing is known of yield and misses by group" in card(MANIFEST)
    hidden, nobody = Figure(None, reason="hidden: too few records"), Figure(None, reason="no record was read")
    cell = Cell("all", 40, None, Figure(0.25, 0.1, 0.5), hidden, nobody)
    kept = fairness_json((Dimension("victim_sex", (cell,), 1),), least=10)
    shown = card(MANIFEST | {"fairness": json.loads(json.dumps(kept))})
    assert "### By victim sex" in shown
    assert "| all | 40 | 25.0% (10.0% to 50.0%) | hidden | hidden | – |" in shown
    assert "Nothing is known of yield" not in shown


def test_figures_stand_with_their_intervals_and_their_absence_is_said() -> None:
    assert "No figures were given" in card(MANIFEST | {"metrics": {}})
    figures = {
        "recall at 40": {"estimate": 0.51234, "low": 0.25, "high": 0.75},
        "by family": {"rape": 1, "theft": None},
        "verdict": "not | enough\nevidence",
        "nights": [1, 2],
    }
    text = card(MANIFEST | {"metrics": figures})
    for line in (
        "| recall at 40 | 0.5123 (0.25 to 0.75) |",
        "| by family, rape | 1 |",
        "| by family, theft | not known |",
        "| verdict | not \\| enough evidence |",
        "| nights | 1, 2 |",
    ):
        assert line in text
