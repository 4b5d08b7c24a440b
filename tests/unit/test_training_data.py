"""The corpus as a training table, and what is said of files that are not one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import CANARY
from training_data.build import corpus_table
from triage.errors import UsageError

LINE = {
    "id": "t1-001",
    "source": "incident",
    "opening_code": "",
    "closing_code": "",
    "text": f"HE HIT HIM. {CANARY}",
    "dash": {"18": "Y"},
    "recorded": [],
    "disclosed": ["violence_without_injury"],
    "evidence": ["HE HIT HIM"],
    "kind": "missed",
    "note": "",
}


def test_the_corpus_that_ships_is_whole() -> None:
    table = corpus_table()
    assert len(table.examples) == 1440
    assert sum(example.missed for example in table.examples) == 539
    for example in table.examples:
        for evidence in example.evidence:
            assert evidence in example.record.text or evidence.startswith("Q")


def test_a_file_of_labelled_records(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(LINE) + "\n\n")
    [example] = corpus_table([path]).examples
    assert example.missed
    assert (example.author, example.record.answers) == ("t1", {18: "Y"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"disclosed": ["murder"]}, "'murder' is unknown"),
        ({"source": "tweet"}, "KeyError"),
        ({"dash": []}, "AttributeError"),
    ],
)
def test_a_wrong_line_is_named_without_its_text(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(LINE) + "\n" + json.dumps(LINE | change) + "\n")
    with pytest.raises(UsageError) as caught:
        corpus_table([path])
    assert said in str(caught.value)
    assert "mine.jsonl, line 2" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        corpus_table([tmp_path / "nowhere.jsonl"])


def test_an_empty_file_is_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("")
    with pytest.raises(UsageError, match="no labelled records"):
        corpus_table([tmp_path / "mine.jsonl"])
