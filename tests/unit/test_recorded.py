"""How many crimes of each family count as recorded for a matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from triage.language.offences import FAMILIES
from triage.ranking.recorded import recorded_count
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record

AT = datetime(2026, 10, 14, tzinfo=UTC)


def named(crimes: Sequence[Crime], on: date) -> set[str]:
    mask = recorded_count(crimes, on)
    return {name for name, hit in zip(FAMILIES, mask, strict=True) if hit}


def test_covered_families_count_as_recorded() -> None:
    crime = Crime("C1", "A1", AT, "034/01")
    assert named([crime], AT.date()) == {"robbery", "theft"}
    for other in ({"status": "transferred"}, {"status": "cancelled"}, {"offence_code": "999/99"}):
        assert named([replace(crime, **other)], AT.date()) == set()
    assert named([replace(crime, offence_code="N100")], AT.date()) == set()
    assert recorded_count([], AT.date()).tolist() == [0] * len(FAMILIES)


def test_coverage_is_that_of_the_day_of_the_report() -> None:
    crime = Crime("C1", "A1", AT, "8/6")
    assert named([crime], date(2022, 6, 6)) == {"violence_with_injury", "non_fatal_strangulation"}
    assert named([crime], date(2022, 6, 7)) == {"violence_with_injury"}


def test_each_crime_counts_once_for_its_own_family() -> None:
    one = Crime("42/00700/26", "A1", AT, "8/6")
    theft = Crime("CR9", "A1", AT, "49/10")

    def count(family: str, *crimes: Crime) -> int:
        return int(recorded_count(crimes, AT.date())[FAMILIES.index(family)])

    assert count("violence_with_injury", one, replace(one, crime_ref="42/700/26")) == 1
    assert count("violence_with_injury", one, replace(one, crime_ref="CR8"), theft) == 2
    assert count("theft", one, theft, replace(theft, crime_ref="cr9")) == 1
    assert count("theft", one, replace(theft, offence_code="34/1")) == 1


def test_a_crime_long_past_that_a_text_names_is_not_of_the_matter() -> None:
    crime = Crime("C1", "A1", AT, "8/6")
    now = Matter("A1", (Record("incidents", "A1", AT, AT, "Previous crime C1 refers."),), (crime,))
    for days, counts in ((400, False), (31, False), (29, True)):
        old = replace(crime, recorded_at=AT - timedelta(days=days))
        assert replace(now, crimes=(old,), claimed=frozenset([old.crime_ref])).recorded == (old,) * counts
        assert replace(now, crimes=(old,)).recorded == (old,)
