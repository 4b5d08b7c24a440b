"""The labels of the test on a real log, what its document says of them, and how the log is split."""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from triage.errors import UsageError
from triage.language.offences import FAMILIES

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "ucpd.md").read_text(encoding="utf-8")
HEADER = ["record_ref", "crime_a", "crime_b", "other_force_a", "other_force_b", "family_a", "family_b"]


def script() -> ModuleType:
    """Return the script as a module; the folder is no package."""
    spec = importlib.util.spec_from_file_location("benchmark_ucpd", ROOT / "benchmarks" / "ucpd.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


UCPD = script()


def rows() -> list[dict[str, str]]:
    with UCPD.LABELS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_file_holds_two_readings_of_two_hundred_references() -> None:
    table = rows()
    assert list(table[0]) == HEADER
    refs = [row["record_ref"] for row in table]
    assert len(refs) == len(set(refs)) == 200
    assert refs == sorted(refs)


@pytest.mark.parametrize("reader", ["a", "b"])
def test_every_answer_is_one_of_those_known(reader: str) -> None:
    for row in rows():
        assert {row[f"crime_{reader}"], row[f"other_force_{reader}"]} <= {"Y", "N"}, row["record_ref"]
        family = row[f"family_{reader}"]
        assert (family in FAMILIES) if row[f"crime_{reader}"] == "Y" else family == "", row["record_ref"]


def test_it_holds_references_and_no_text() -> None:
    for row in rows():
        assert re.fullmatch(r"[CDE]\d{5}", row["record_ref"])
        assert None not in row
        assert not any(" " in cell for cell in row.values())


def test_the_document_says_how_far_the_readings_agree() -> None:
    assert UCPD.agreement(UCPD.read_labels()) in DOCUMENT


def test_kappa_is_that_of_readings_that_differ() -> None:
    # On the crime they agree as often as two who draw lots; on the force always.
    labels = [
        UCPD.Label("C00001", (a, b), (other, other), ("theft" if a else "", "theft" if b else ""))
        for a in (True, False)
        for b in (True, False)
        for other in (True, False)
    ]
    table = UCPD.agreement(labels)
    assert re.search(r"crime, by the facts +\| 4 of 8 +\| 4 +\| 4 +\| 0\.00 ", table)
    assert re.search(r"another force has it +\| 8 of 8 +\| 4 +\| 4 +\| 1\.00 ", table)
    assert re.search(r"by the rule +\| 6 of 8 +\| 2 +\| 2 +\| 0\.33 ", table)


def test_another_force_cancels_and_both_readers_must_agree() -> None:
    label = UCPD.Label
    ours = label("C00001", (True, True), (False, False), ("theft", "theft"))
    theirs = label("C00002", (True, True), (True, True), ("theft", "theft"))
    doubtful = label("C00003", (True, True), (True, False), ("theft", "theft"))
    none = label("C00004", (True, False), (False, False), ("theft", ""))
    assert [each.positive for each in (ours, theirs, doubtful, none)] == [True, False, False, False]
    assert [each.elsewhere for each in (ours, theirs, doubtful, none)] == [False, True, True, False]


LOG = """\
Incident,Location,Reported,Occurred,Comments / Nature of Fire,Disposition,UCPDI#
Theft,Quad,12/31/12 11:30 PM,,{c} one,Open,B00001
Theft,Quad,1/1/13 12:30 AM,,{c} two,Open,C00001
Information,Quad,1/2/13 9:00 AM,,{c} three,Closed,C00002
Information,Quad,1/3/13 9:00 AM,,{c} four,Closed,C00003
Information,Quad,1/2/14 9:00 AM,,{c} five,Closed,D00004
Information,Quad,1/2/14 9:!0 AM,,{c} six,Closed,D00005
"""


def split(folder: Path, canary: str, until: int) -> Any:
    # Any name will do.
    log = folder / "log.csv"
    log.write_text(LOG.replace("{c}", canary), encoding="utf-8")
    yes, no = (True, True), (False, False)
    labels = (
        UCPD.Label("C00003", yes, no, ("theft", "theft")),
        UCPD.Label("D00004", yes, yes, ("theft", "theft")),
        UCPD.Label("D00005", no, no, ("", "")),
    )
    return UCPD.split_log(log, labels, until)


@pytest.mark.parametrize(
    ("until", "past", "later"),
    [
        # The year is that of the log's own time zone: in UTC B00001 lies in 2013.
        (2012, {"B00001": 1}, {"C00003": True, "D00004": True}),
        (2013, {"B00001": 1, "C00001": 1, "C00002": 0}, {"C00003": False, "D00004": True}),
    ],
)
def test_labelled_records_and_later_years_are_never_learnt_from(
    tmp_path: Path, canary: str, until: int, past: dict[str, int], later: dict[str, bool]
) -> None:
    found = split(tmp_path, canary, until)
    assert {matter.lead.record_ref: len(matter.crimes) for matter in found.past} == past
    refs = [matter.lead.record_ref for matter in found.judged]
    assert dict(zip(refs, found.later.tolist(), strict=True)) == later
    assert dict(zip(refs, found.positive.tolist(), strict=True)) == {"C00003": True, "D00004": False}
    assert found.unread == ("D00005",)


def test_a_title_is_never_text(tmp_path: Path, canary: str) -> None:
    found = split(tmp_path, canary, 2013)
    for matter in (*found.past, *found.judged):
        said = (matter.lead.text, matter.lead.opening_code, matter.lead.closing_code)
        assert not re.search("theft|information", " ".join(said), re.IGNORECASE)


def test_another_log_is_refused_without_its_text(tmp_path: Path, canary: str) -> None:
    log = tmp_path / "log.csv"
    log.write_text(LOG.replace("{c}", canary), encoding="utf-8")
    labels = (UCPD.Label("A00001", (True, True), (False, False), ("theft", "theft")),)
    with pytest.raises(UsageError, match="labelled records of both kinds") as refused:
        UCPD.split_log(log, labels, 2013)
    assert canary not in str(refused.value)


def test_the_figures_are_those_of_the_order() -> None:
    y = np.array([True, False, False, False, False, False, False, False, False, True])
    best, ones = np.arange(10.0)[::-1], np.ones(10)
    found = UCPD.figures(y, best, np.zeros(10), ones)
    assert found == pytest.approx((0.5, 0.0, 0.5, (1 + 2 / 10) / 2))
    # The first was drawn twice: it is more than the tenth that is read.
    twice = UCPD.figures(y, best, np.zeros(10), ones + y)
    assert twice == pytest.approx((0.5, 0.0, 0.0, (1 + 4 / 12) / 2))
