"""A recorded crime accounts for another family only as the rules of its day say."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from importlib.resources import files

import pytest

from triage.language.coverage import RULES, SINCE, covered_families
from triage.language.offences import FAMILIES

ENTRIES = tomllib.loads(files("triage.language").joinpath("coverage.toml").read_text(encoding="utf-8"))[
    "rule"
]
NOW = date(2026, 10, 14)
#: First day of the offence of its own (domain.md 5 F3, 9.12).
STRANGULATION = date(2022, 6, 7)


@pytest.mark.parametrize("on", [date.min, date(2017, 1, 1), STRANGULATION, NOW, date(9999, 12, 30)])
def test_a_robbery_accounts_for_its_theft_at_any_time(on: date) -> None:
    assert covered_families(["robbery"], on) == {"robbery", "theft"}
    assert covered_families(["theft"], on) == {"theft"}


@pytest.mark.parametrize("assault", ["violence_with_injury", "violence_without_injury"])
def test_an_assault_accounts_for_strangulation_until_it_was_an_offence_of_its_own(assault: str) -> None:
    day_before = STRANGULATION - timedelta(days=1)
    assert covered_families([assault], day_before) == {assault, "non_fatal_strangulation"}
    assert covered_families([assault], STRANGULATION) == {assault}
    assert covered_families([assault], NOW) == {assault}
    assert covered_families(["non_fatal_strangulation"], day_before) == {"non_fatal_strangulation"}


def test_rules_that_are_not_in_effect_cover_nothing() -> None:
    assert [entry for entry in ENTRIES if not entry.get("in_effect", True)]
    assert covered_families(["rape", "stalking_harassment"], NOW) == {"rape", "stalking_harassment"}
    assert len(RULES) == len([entry for entry in ENTRIES if entry.get("in_effect", True)])


def test_several_crimes_account_for_what_each_does_and_none_for_none() -> None:
    crimes = ["robbery", "violence_with_injury", "rape"]
    assert covered_families(crimes, NOW) == {*crimes, "theft"}
    assert covered_families(crimes, date(2020, 1, 1)) == {*crimes, "theft", "non_fatal_strangulation"}
    assert covered_families([], NOW) == frozenset()
    assert covered_families(iter(["robbery"]), NOW) == {"robbery", "theft"}


def test_whatever_is_recorded_accounts_for_itself() -> None:
    for family in FAMILIES:
        assert family in covered_families([family], NOW)
        assert covered_families([family], NOW) <= set(FAMILIES)


def test_every_rule_is_whole() -> None:
    for entry in ENTRIES:
        assert set(entry) <= {"recorded", "covers", "from", "until", "in_effect", "source"}
        assert entry["source"].strip()
        assert set(entry["recorded"]) | set(entry["covers"]) <= set(FAMILIES)
        assert entry["recorded"]
        assert entry["covers"]
        assert not set(entry["recorded"]) & set(entry["covers"])
        assert entry.get("from", date.min) < entry.get("until", date.max)


def test_every_offence_that_is_one_since_a_day_was_part_of_another() -> None:
    for since in SINCE:
        assert {since.family, since.before} <= set(FAMILIES)
        assert since.family != since.before
    assert [(each.family, each.day) for each in SINCE] == [("non_fatal_strangulation", STRANGULATION)]
