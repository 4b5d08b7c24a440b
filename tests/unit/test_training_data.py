"""The corpus as a training table, and what is said of files that are not one."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CANARY
from training_data.build import CORPUS_DIR, corpus_files, corpus_table
from triage.errors import UsageError

PAIRED = {"w8", "w14", "w16", "w19", "w27"}
#: Who wrote of several victims of one offence.
SEVERAL = {f"w{number}" for number in (*range(85, 95), 101, 102)}
NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen",
)  # fmt: skip

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


@pytest.fixture(scope="module")
def corpus() -> list[dict[str, Any]]:
    lines = [line for path in corpus_files() for line in path.read_text(encoding="utf-8").split("\n")]
    return [json.loads(line) for line in lines if line]


@pytest.fixture(scope="module")
def pairs(corpus: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The contrast pairs by reference without its letter, each by letter."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for entry in corpus:
        if entry["id"][-1].isalpha():
            found.setdefault(entry["id"][:-1], {})[entry["id"][-1]] = entry
    return found


def writer(entry: dict[str, Any]) -> str:
    return str(entry["id"].split("-")[0])


def datasheet() -> str:
    """The datasheet as running text, its lines joined."""
    return " ".join((CORPUS_DIR / "DATASHEET.md").read_text(encoding="utf-8").split())


def test_the_corpus_that_ships_is_whole() -> None:
    table = corpus_table()
    assert len(table.examples) == 15288
    assert sum(example.missed for example in table.examples) == 6522
    for example in table.examples:
        assert len(example.evidence) == len(example.disclosed)
        for evidence in example.evidence:
            assert evidence in example.record.text or evidence.startswith("Q")


def test_each_file_holds_its_own_writer_and_no_reference_twice(corpus: list[dict[str, Any]]) -> None:
    assert {path.stem for path in corpus_files()} == {f"w{number}" for number in range(1, 114)}
    for path in corpus_files():
        references = re.findall(r'^\{"id": "(w\d+)-\d{3}[ab]?"', path.read_text(encoding="utf-8"), re.M)
        assert set(references) == {path.stem}
    assert len({entry["id"] for entry in corpus}) == len(corpus)


def test_kinds_follow_from_the_lists_of_families(corpus: list[dict[str, Any]]) -> None:
    for entry in corpus:
        open_families = {*entry["disclosed"]} - {*entry["recorded"]} | {*entry.get("again", ())}
        assert (entry["kind"] == "missed") == bool(open_families), entry["id"]
        assert (entry["kind"] in ("near_miss", "clean")) == (not entry["disclosed"]), entry["id"]
        assert len(set(entry["disclosed"])) == len(entry["disclosed"]), entry["id"]
        # A family stands twice where a crime is recorded for each of two victims.
        assert len(set(entry["recorded"])) == len(entry["recorded"]) or writer(entry) in SEVERAL, entry["id"]
        assert set(entry.get("again", ())) <= {*entry["disclosed"]} & {*entry["recorded"]}, entry["id"]
        assert "again" not in entry or writer(entry) in SEVERAL, entry["id"]


def test_what_cancels_stands_in_the_text_and_is_no_evidence(corpus: list[dict[str, Any]]) -> None:
    for entry in corpus:
        assert len(set(entry["cancels"])) == len(entry["cancels"]), entry["id"]
        for clause in entry["cancels"]:
            assert clause.strip(), entry["id"]
            assert clause in entry["text"], entry["id"]
            for evidence in entry["evidence"]:
                assert clause not in evidence, entry["id"]
                assert evidence not in clause, entry["id"]
        assert entry["kind"] != "clean" or not entry["cancels"], entry["id"]


def test_the_table_holds_what_cancels(corpus: list[dict[str, Any]]) -> None:
    read = {example.record.record_ref: example.cancels for example in corpus_table().examples}
    assert read == {entry["id"]: tuple(entry["cancels"]) for entry in corpus}


def test_pairs_share_all_but_the_answer(
    corpus: list[dict[str, Any]], pairs: dict[str, dict[str, dict[str, Any]]]
) -> None:
    assert {writer(entry) for entry in corpus if entry["id"][-1].isalpha()} == PAIRED
    assert {writer(entry) for entry in corpus if not entry["id"][-1].isalpha()}.isdisjoint(PAIRED)
    for reference, pair in pairs.items():
        assert set(pair) == {"a", "b"}, reference
        for field in ("source", "opening_code", "closing_code"):
            assert pair["a"][field] == pair["b"][field], reference
        assert pair["a"]["text"] != pair["b"]["text"], reference
        assert [entry["kind"] for entry in pair.values()].count("missed") == 1, reference


def test_the_datasheet_says_in_words_what_the_files_hold(
    corpus: list[dict[str, Any]], pairs: dict[str, dict[str, dict[str, Any]]]
) -> None:
    text = datasheet()
    kinds = Counter(entry["kind"] for entry in corpus)
    shares = (
        f"{100 * kinds[kind] / len(corpus):.0f} % `{kind}`"
        for kind in ("missed", "recorded", "near_miss", "clean")
    )
    cancelled = [entry for entry in corpus if entry["cancels"]]
    near = sum(entry["kind"] == "near_miss" for entry in cancelled)
    clauses = sum(len(entry["cancels"]) for entry in cancelled)
    several = Counter(len(entry["disclosed"]) for entry in corpus)
    odd = sum(bool(set(entry["recorded"]) - set(entry["disclosed"])) for entry in corpus)
    of_writer = Counter(reference.split("-")[0] for reference in pairs)
    for said in (
        f"{len(corpus):,} invented police records",
        f"study mix ({', '.join(shares)})",
        f"`cancels`: {clauses:,} of them in {len(cancelled):,} records, of which {near:,} are near misses",
        f"{several[0]:,} disclose none, {several[1]:,} one, {several[2]:,} two, {several[3]} three, "
        f"{several[4]} four, {several[5]} five.",
        f"{len(pairs)} contrast pairs (`…a`, `…b`; {of_writer['w8']} in `w8`, {of_writer['w27']} in `w27`, "
        f"{of_writer['w14']} in each other)",
        f"in {NUMBERS[odd]} records that list names a family",
    ):
        assert said in text
    assert of_writer["w14"] == of_writer["w16"] == of_writer["w19"]
    assert set(several) == {0, 1, 2, 3, 4, 5}


def test_a_file_of_labelled_records(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(LINE) + "\n\n")
    [example] = corpus_table([path]).examples
    assert example.missed
    assert example.cancels == ()
    assert (example.author, example.record.answers) == ("t1", {18: "Y"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"disclosed": ["murder"]}, "'murder' is unknown"),
        ({"source": "tweet"}, "source 'tweet' is unknown"),
        ({"text": None}, "`text` is no text"),
        ({"closing_code": 5}, "`closing_code` is no text"),
        ({"recorded": "theft"}, "`recorded` is no list of texts"),
        ({"cancels": [5]}, "`cancels` is no list of texts"),
        ({"dash": []}, "`dash` is no object"),
        ({"dash": {"99": "Y"}}, "questions are 1 to 27"),
        ({"dash": {"18": "yes"}}, "answers Y, N or NK"),
        ({"evidence": []}, "0 places for 1 families"),
        ({"evidence": [f"{CANARY} NEVER SAID"]}, "place 1 of `evidence`"),
        ({"cancels": [""]}, "place 1 of `cancels`"),
        ({"kind": "clean"}, "`kind` contradicts"),
        ({"again": ["murder"]}, "'murder' is unknown"),
        ({"again": ["violence_without_injury"]}, "not both disclosed and recorded"),
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


@pytest.mark.parametrize(
    ("line", "said"),
    [("{", "JSONDecodeError"), ("[]", "no JSON object"), ('{"id": "t1-001"}', "`source` is")],
)
def test_a_line_that_is_no_labelled_record(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UsageError, match=said):
        corpus_table([path])


def test_another_victims_crime_is_missed_beside_a_recorded_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    families = ["violence_without_injury"]
    path.write_text(json.dumps(LINE | {"recorded": families, "again": families}) + "\n")
    [example] = corpus_table([path]).examples
    assert example.missed
    assert example.lacking == ("violence_without_injury",)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        corpus_table([tmp_path / "nowhere.jsonl"])


def test_an_empty_file_is_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"no labelled records[\s\S]*mine\.jsonl"):
        corpus_table([tmp_path / "mine.jsonl"])
