"""The invented night is what its README says, and the corpus is what its datasheet says."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest

from triage.language.offences import FAMILIES, family_of
from triage.reading import Extract, Record, check_rejected_share, read_extract
from triage.reading.linking import Linked, link
from triage.settings import Settings

TRAINING_DATA = Path(__file__).parents[2] / "training_data"
SAMPLE = TRAINING_DATA / "sample_extract"
CORPUS = TRAINING_DATA / "corpus"
CUT = datetime(2026, 10, 14, 3, tzinfo=UTC)
KINDS = ("missed", "recorded", "near_miss", "clean")
RUN_WORDS = 6


@pytest.fixture(scope="module")
def night() -> Extract:
    return read_extract(SAMPLE, Settings())


@pytest.fixture(scope="module")
def linked(night: Extract) -> Linked:
    return link(night, Settings(own_force_prefixes=("42",)))


@pytest.fixture(scope="module")
def truth() -> dict[str, tuple[str, ...]]:
    with (SAMPLE / "truth.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["record_ref"], row["unrecorded_families"]) for row in csv.DictReader(file)]
    assert len(rows) == len(dict(rows)), "a reference stands twice"
    return {reference: tuple(families.split(";")) if families else () for reference, families in rows}


@pytest.fixture(scope="module")
def corpus() -> list[dict]:
    return entries_of(CORPUS.glob("w*.jsonl"))


@pytest.fixture(scope="module")
def clauses() -> list[dict]:
    return entries_of(CORPUS.glob("clauses/*.jsonl"))


def entries_of(paths: Iterable[Path]) -> list[dict]:
    """The lines of JSON Lines files."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(paths)]
    return [json.loads(line) for text in texts for line in text.split("\n") if line]


def runs_of(text: str) -> set[str]:
    """Every run of six words of a text, in lower case."""
    words = re.findall(r"[a-z0-9£']+", text.lower())
    return {" ".join(words[place : place + RUN_WORDS]) for place in range(len(words) - RUN_WORDS + 1)}


def shared_runs(records: Iterable[Record], corpus: Iterable[Mapping]) -> Counter[str]:
    """How many runs of six words each record shares with the corpus, by reference."""
    known = set().union(*(runs_of(entry["text"]) for entry in corpus))
    counts = Counter({record.record_ref: len(runs_of(record.text) & known) for record in records})
    return +counts


def test_every_row_is_a_record_or_one_of_three_rejects(night: Extract) -> None:
    assert {table: count.rows for table, count in night.counts.items()} == {
        "incidents": 94,
        "domestic_noncrimes": 20,
        "assessments": 21,
        "referrals": 10,
        "cancelled_crimes": 5,
        "crimes": 45,
    }
    assert sorted((reject.table, reject.column, reject.rule) for reject in night.rejects) == [
        ("assessments", "q7", "wrong_answer_value"),
        ("incidents", "opened_at", "unreadable_time"),
        ("incidents", "record_ref", "missing_reference"),
    ]
    assert len(night.records) == 147
    check_rejected_share(night, Settings())


def test_nothing_is_later_than_the_cut(night: Extract) -> None:
    assert max(night.moments) <= CUT
    assert min(record.opened_at for record in night.records) > CUT - timedelta(days=4)


def test_files_are_utf8_with_line_feeds() -> None:
    for path in sorted(SAMPLE.iterdir()):
        data = path.read_bytes()
        data.decode("utf-8")
        assert not data.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in data


def test_truth_names_every_readable_record_and_known_families(
    night: Extract, truth: dict[str, tuple[str, ...]]
) -> None:
    assert sorted(truth) == sorted(record.record_ref for record in night.records)
    assert {family for families in truth.values() for family in families} <= set(FAMILIES)
    assert sum(bool(families) for families in truth.values()) == 17


def test_what_truth_calls_unrecorded_is_recorded_nowhere_in_its_matter(
    linked: Linked, truth: dict[str, tuple[str, ...]]
) -> None:
    for matter in linked.matters:
        recorded = {family_of(crime.offence_code) for crime in matter.crimes if crime.status != "cancelled"}
        for record in matter.records:
            assert not recorded & set(truth[record.record_ref]), record.record_ref


def test_every_crime_has_a_known_offence_and_one_has_no_record(linked: Linked, night: Extract) -> None:
    assert [crime.crime_ref for crime in night.crimes if family_of(crime.offence_code) is None] == []
    assert len(linked.orphan_crimes) == 1
    assert Counter(crime.status for crime in night.crimes) == {
        "recorded": 39,
        "cancelled": 5,
        "transferred": 1,
    }


def test_every_own_crime_reference_in_a_text_is_in_the_crimes_table(night: Extract) -> None:
    named = {found for record in night.records for found in re.findall(r"42/\d{5}/26", record.text)}
    assert len(named) > 30
    assert named <= {crime.crime_ref for crime in night.crimes}


def test_log_form_and_assessment_of_one_incident_share_its_crimes(linked: Linked) -> None:
    together = [
        matter
        for matter in linked.matters
        if {"incidents", "domestic_noncrimes", "assessments"} <= {record.source for record in matter.records}
    ]
    assert any(len(matter.crimes) == 2 for matter in together)
    reasons = Counter(reason for matter in linked.matters for reason in matter.links.values())
    assert reasons["duplicate_claim"] == 2
    assert reasons["repeat"] == 1


def test_the_night_holds_the_cases_its_readme_lists(
    night: Extract, linked: Linked, truth: dict[str, tuple[str, ...]]
) -> None:
    records = {record.record_ref: record for record in night.records}
    incidents = [record for record in night.records if record.source == "incidents"]
    crimes_of = {
        record.record_ref: [family_of(crime.offence_code) for crime in matter.crimes]
        for matter in linked.matters
        for record in matter.records
    }
    still_open = [record for record in incidents if record.closed_at is None]
    assert len(still_open) == 4
    assert all(CUT - record.opened_at < timedelta(hours=24) for record in still_open)
    assert sum(not record.text.strip() for record in incidents) == 2
    assert any(record.text.startswith("=") for record in incidents)
    assert any('"' in record.text and "\n" in record.text for record in incidents)

    raped = [ref for ref, record in records.items() if re.search(r"\braped?\b", record.text, re.I)]
    uncovered = [ref for ref in raped if not {"rape", "n100"} & set(crimes_of[ref])]
    assert [ref for ref in uncovered if truth[ref]] == ["XX-20261013-0072"]
    assert any("n100" in crimes_of[ref] for ref in raped)

    robberies = [record for record in incidents if record.opening_code == "ROBBERY"]
    assert [record.record_ref for record in robberies if not crimes_of[record.record_ref]] == [
        "XX-20261013-0029",
        "XX-20261013-0299",
    ]
    assert truth["XX-20261013-0029"] == ("robbery",)
    assert truth["XX-20261013-0299"] == ()

    forms = Counter(record.form_version for record in night.records if record.form_version)
    assert forms == {"dash-police-27": 15, "dash-safelives-24": 3, "dara": 2}
    choked = [ref for ref, record in records.items() if record.answers.get(18) == "Y" and not crimes_of[ref]]
    assert {records[ref].form_version: truth[ref] for ref in choked} == {
        "dash-police-27": ("non_fatal_strangulation",),
        "dash-safelives-24": (),
    }


def test_no_sample_text_repeats_six_words_of_the_corpus(
    night: Extract, corpus: list[dict], clauses: list[dict]
) -> None:
    assert shared_runs(night.records, corpus) == {}
    assert shared_runs(night.records, clauses) == {}


def test_a_repeated_run_of_words_would_be_found(night: Extract, canary: str) -> None:
    told = f"he said {canary} and left at once"
    record = Record("incidents", "XX-1", CUT, CUT, f"10:00 CALL: {told.upper()}, NFA.")
    assert shared_runs([*night.records, record], [{"text": told}]) == {"XX-1": 4}


def table_under(heading: str) -> list[list[str]]:
    """The body of the first table under a heading of the datasheet, as cells."""
    after = (CORPUS / "DATASHEET.md").read_text(encoding="utf-8").split(f"### {heading}\n", 1)[1]
    rows = re.findall(r"^\|(.+)\|$", after.split("\n#", 1)[0], re.M)
    return [[cell.strip().strip("`") for cell in row.split("|")] for row in rows[2:]]


def kind_counts(entries: list[dict]) -> list[str]:
    """Counts by kind in the order of the datasheet, and their sum, as written there."""
    counts = Counter(entry["kind"] for entry in entries)
    return [str(counts[kind]) for kind in KINDS] + [str(len(entries))]


def test_datasheet_counts_writers_and_words_as_the_files_do(corpus: list[dict]) -> None:
    expected = []
    writers = sorted({entry["id"].split("-")[0] for entry in corpus})
    for writer in (*writers, "all"):
        entries = [entry for entry in corpus if writer in ("all", entry["id"].split("-")[0])]
        words = [len(entry["text"].split()) for entry in entries]
        expected.append([writer, *kind_counts(entries), f"{min(words)}, {median(words):g}, {max(words)}"])
    assert table_under("By writer") == expected


def test_datasheet_counts_sources_as_the_files_do(corpus: list[dict]) -> None:
    for source, *cells in table_under("By source"):
        assert cells == kind_counts([entry for entry in corpus if source in ("all", entry["source"])]), source
    assert {row[0] for row in table_under("By source")} == {entry["source"] for entry in corpus} | {"all"}


def test_datasheet_counts_families_as_the_files_do(corpus: list[dict]) -> None:
    expected = []
    for family in FAMILIES:
        disclosing = [entry for entry in corpus if family in entry["disclosed"]]
        recorded = sum(
            family in entry["recorded"] and family not in entry.get("again", ()) for entry in disclosing
        )
        expected.append([family, *map(str, (len(disclosing) - recorded, recorded, len(disclosing)))])
    assert table_under("By family") == expected


def test_codebook_describes_every_field_kind_and_family(corpus: list[dict], clauses: list[dict]) -> None:
    codebook = (CORPUS / "codebook.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", codebook, re.M))
    assert named == {*corpus[0], "again", *clauses[0], *KINDS, *FAMILIES}
    of_clauses = codebook.split("## Single clauses", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", of_clauses, re.M) == [*clauses[0]]


def test_corpus_follows_its_codebook(corpus: list[dict]) -> None:
    for entry in corpus:
        disclosed, recorded = set(entry["disclosed"]), set(entry["recorded"])
        if disclosed:
            expected = {"recorded" if disclosed <= recorded and "again" not in entry else "missed"}
        else:
            expected = {"near_miss", "clean"}
        assert entry["kind"] in expected, entry["id"]
        assert len(entry["evidence"]) == len(entry["disclosed"]), entry["id"]
        for evidence in entry["evidence"]:
            answer = re.fullmatch(r"Q(\d+)=(Y|NK)", evidence)
            holds = entry["dash"].get(answer[1]) == answer[2] if answer else evidence in entry["text"]
            assert holds, entry["id"]
