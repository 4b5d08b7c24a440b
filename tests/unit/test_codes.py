"""Codes and forms: neutral groups of opening codes, closing codes that claim a crime, question numbers."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from triage.language.codes import CRIME_GROUPS, GROUPS, group_of
from triage.language.forms import FORMS, answer, question, question_numbered
from triage.language.offences import FAMILIES, family_of, unknown_codes
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


@pytest.mark.parametrize(
    ("codes", "family"),
    [
        ("19/8 019/08 19/16 19C 019C 19C/08 19c 19H 019/08 19", "rape"),
        ("028/01 28E 28H/01 29A 30C 30D 030/01 31A 31", "burglary"),
        ("37/2 37.2 037/02 39 40 41 42 44 45/10 46 47 48 49 49A 126 126/01", "theft"),
        ("17A 17B 20A 21 22A 22B/01 23 70 71/16 73 88A 88C 88E 088/09 8/71", "other_sexual_offence"),
        ("34A 34B 34/02 034/01", "robbery"),
        ("56A 56B 58A 58J 58/03 59 59/11 149/00", "criminal_damage"),
        ("2 002/01 5D 5E 8N 8P 8N/06 8/6 8/1 5/1 8/21", "violence_with_injury"),
        ("104 104/23 104/99 105A 105B 105/01", "violence_without_injury"),
        ("8L 8M 8Q 8R 008R 8/55 8/65 8/66 8/72 195/12", "stalking_harassment"),
        ("3B 3/1", "threats_to_kill"),
        ("8/77 008/77", "non_fatal_strangulation"),
        ("66/39 8/31 8/29", "stalking_harassment"),
        ("8/67 8U/67", "controlling_coercive_behaviour"),
        ("65 065/00 66/1 125/9 125/11", "public_order"),
        ("11A 11/3 13 13/01", "child_cruelty"),
        ("35 35/00 36/01 36 72 106", "other_notifiable"),
        ("N100 n100/1", "n100"),
        ("8 008 8/2 8U 8Z 3 3A 5 5C 66 66/02 37 37/01 195 125/12 149 1 99 999/99 0 A /", None),
        ("19/8/1 19CC 1900 19/008 C19 19- 019/ ²8/1", None),
    ],
)
def test_family_of_a_code_or_else_of_its_class(codes: str, family: str | None) -> None:
    assert {code: family_of(code) for code in codes.split()} == dict.fromkeys(codes.split(), family)


def test_every_family_has_a_code_or_class_and_no_class_stands_twice() -> None:
    table = tomllib.loads(
        Path(__file__).parents[2].joinpath("triage/language/offences.toml").read_text(encoding="utf-8")
    )["families"]
    assert [name for name, entry in table.items() if not entry["codes"] and not entry.get("classes")] == []
    listed = [each for entry in table.values() for each in (*entry["codes"], *entry.get("classes", ()))]
    assert [each for each, times in Counter(listed).items() if times > 1] == []
    assert [each for each in listed if not re.fullmatch(r"\d{3}([A-Z]|/\d\d)?", each)] == []


def test_codes_that_nothing_knows_are_named_and_texts_are_not(canary: str) -> None:
    codes = ["999/99", "19C", " 8 ", "8", "rape", "", f"{canary} hit him", "8\u202e9", "x" * 20, "y" * 21]
    assert unknown_codes(codes) == ("8", "999/99", "unprintable", "x" * 20)
    assert unknown_codes(iter(["105/01", "N100"])) == ()


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
    assert asked.families == ("non_fatal_strangulation",)
