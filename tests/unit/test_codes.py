"""Codes and forms: neutral groups of opening codes, closing codes that claim a crime, question numbers."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from triage.language.codes import CRIME_GROUPS, GROUPS, group_of, says_crimed
from triage.language.forms import FORMS, answer, families_answered, question, question_numbered
from triage.language.offences import FAMILIES
from triage.reading.records import FORM_VERSIONS, Record

CORPUS = Path(__file__).parents[2] / "training_data" / "corpus"


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("DOMESTIC ASSAULT", "crime_violence"),
        ("domestic - threats", "crime_violence"),
        ("DOMESTIC INCIDENT", "domestic_noncrime"),
        ("DOMESTIC - VERBAL", "domestic_noncrime"),
        ("DOMESTIC - DAMAGE", "crime_damage"),
        ("RTC - DAMAGE ONLY", "transport"),
        ("THREATS TO DAMAGE", "crime_damage"),
        ("RAPE - FEMALE OVER 16", "crime_sexual"),
        ("BURGLARY - DUPLICATE", "duplicate"),
        ("BURGLARY - UPDATE REQUEST", "admin"),
        ("BURGLARY DWELLING", "crime_acquisitive"),
        ("AFFRAY", "crime_other"),
        ("FIREARMS LICENSING", "admin"),
        ("212 ASB PERSONAL", "asb_personal"),
        ("ASB - ROWDY", "asb_other"),
        ("PO1 CHILD", "welfare"),
        ("CHILD - NEGLECT CONCERN", "welfare"),
        ("TRANSFERRED - OTHER FORCE", "other_force"),
        ("RESULTED NON-CRIME DOMESTIC", "domestic_noncrime"),
        ("crime_violence", "crime_violence"),
        ("14/11290", "unknown"),
        ("", "unknown"),
    ],
)
def test_group_of(code: str, group: str) -> None:
    assert group_of(code) == group


def test_every_opening_code_of_the_corpus_has_a_group() -> None:
    codes: Counter[str] = Counter()
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if record["source"] != "cancelled_crime" and record["opening_code"]:
                codes[record["opening_code"]] += 1
    assert codes
    assert {code for code in codes if group_of(code) == "unknown"} == set()
    assert set(GROUPS) > CRIME_GROUPS


@pytest.mark.parametrize(
    ("code", "crimed"),
    [
        ("CRIMED", True),
        ("STANDARD - CRIMED", True),
        ("NCD + CRIME", True),
        ("NON-CRIME - LINKED TO CRIME", True),
        ("S47 - CRIME ALREADY RAISED", True),
        ("NON-CRIME", False),
        ("NO CRIMES DISCLOSED", False),
        ("NOT CRIMED", False),
        ("CANCELLED - NO CRIME", False),
        ("", False),
    ],
)
def test_says_crimed(code: str, crimed: bool) -> None:
    assert says_crimed(code) is crimed


def test_numbers_of_the_two_forms() -> None:
    numbers = {
        form: [
            (question(form, name) or pytest.fail(name)).number
            for name in ("threat_to_kill", "strangulation", "sexual", "weapons")
        ]
        for form in ("dash-police-27", "dash-safelives-24")
    }
    assert numbers == {"dash-police-27": [17, 18, 19, 16], "dash-safelives-24": [14, 15, 16, 13]}
    assert question("dash-safelives-24", "hurt_children") is None
    assert question("dara", "strangulation") is None


def test_forms_are_complete_and_name_known_families() -> None:
    assert set(FORMS) == set(FORM_VERSIONS)
    assert [each.number for each in FORMS["dash-police-27"]] == list(range(1, 28))
    assert [each.number for each in FORMS["dash-safelives-24"]] == list(range(1, 25))
    families = {family for questions in FORMS.values() for each in questions for family in each.families}
    assert families <= set(FAMILIES)


def test_answers_by_name(canary: str) -> None:
    moment = datetime(2026, 11, 3, tzinfo=UTC)
    record = Record(
        "assessments",
        "D1",
        moment,
        moment,
        canary,
        form_version="dash-safelives-24",
        answers={15: "Y", 16: "N"},
    )
    assert (answer(record, "strangulation"), answer(record, "sexual"), answer(record, "injury")) == (
        "Y",
        "N",
        "",
    )
    asked = question_numbered("dash-safelives-24", 15)
    assert asked is not None
    assert families_answered(record) == ((asked, "non_fatal_strangulation"),)
