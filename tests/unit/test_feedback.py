"""What a team is told: its own records, the missed crimes, and never who found them."""

from __future__ import annotations

from dataclasses import fields
from datetime import date

import pytest

from triage.review.feedback import (
    NOT_KNOWN,
    TOLD,
    Closed,
    Missed,
    PartRead,
    chosen,
    grouped,
    missed_crimes,
    reasons,
)
from triage.review.outcomes import FoundCrime, Outcome

LOG = PartRead("L-1", "incidents", "Response A", "S7")
REFERRAL = PartRead("R-1", "referrals", "Hub", "")
DAY = date(2026, 11, 2)


def closed(
    *crimes: FoundCrime, item: str = "i1", day: date = DAY, parts: tuple[PartRead, ...] = (LOG, REFERRAL)
) -> Closed:
    values = {"reason_not_recorded": "R7", "rationale_on_log": "none", "notes": "zebra quorum marmalade"}
    return Closed(
        item, parts, Outcome("yes" if crimes else "no", crimes, values if crimes else {"notes": "zebra"}), day
    )


def test_a_crime_belongs_to_the_record_in_which_it_was_found() -> None:
    found = missed_crimes(
        [closed(FoundCrime("rape", part=2), FoundCrime("theft", part=1), FoundCrime("burglary"))]
    )
    assert [(each.reference, each.team, each.families) for each in found] == [
        ("L-1", "Response A", ("theft", "burglary")),
        ("R-1", "Hub", ("rape",)),
    ]


def test_a_part_that_the_item_does_not_have_falls_to_the_lead() -> None:
    assert [each.reference for each in missed_crimes([closed(FoundCrime("rape", part=9))])] == ["L-1"]


def test_an_item_without_a_missed_crime_is_not_told() -> None:
    assert missed_crimes([closed()]) == ()


def test_answers_are_told_in_words_and_notes_never() -> None:
    (told,) = missed_crimes([closed(FoundCrime("rape", part=2))])
    assert told.answers == {
        "reason_not_recorded": "Crime in a referral or third-party report not noticed",
        "rationale_on_log": "None",
        "supervisor_check": NOT_KNOWN,
    }
    assert told.supervisor == NOT_KNOWN
    assert "notes" not in TOLD
    assert "zebra" not in repr(told)


def test_there_is_no_place_for_whoever_decided() -> None:
    names = {each.name for kind in (Closed, Missed) for each in fields(kind)}
    assert names.isdisjoint({"actor", "auditor", "first", "second", "ruling"})


def test_the_latest_comes_first() -> None:
    early = closed(FoundCrime("theft"), item="i0", day=date(2026, 10, 1), parts=(LOG,))
    late = closed(FoundCrime("theft"), item="i2", day=date(2026, 11, 9), parts=(LOG,))
    assert [each.item_id for each in missed_crimes([early, late])] == ["i2", "i0"]


def test_groups_by_name_with_those_without_one_last() -> None:
    other = closed(FoundCrime("theft"), item="i2", parts=(PartRead("L-9", "incidents", "custody", "S1"),))
    missed = missed_crimes([closed(FoundCrime("rape", part=2), FoundCrime("theft", part=1)), other])
    assert [group.name for group in grouped(missed, "team")] == ["custody", "Hub", "Response A"]
    assert [group.name for group in grouped(missed, "supervisor")] == ["S1", "S7", NOT_KNOWN]
    assert sum(len(group.missed) for group in grouped(missed, "team")) == len(missed)


def test_an_item_in_two_records_of_one_group_counts_its_reason_once() -> None:
    second = PartRead("L-2", "incidents", "Response A", "S7")
    missed = missed_crimes(
        [closed(FoundCrime("theft", part=1), FoundCrime("rape", part=2), parts=(LOG, second))]
    )
    assert len(missed) == 2
    assert reasons(missed) == {"Crime in a referral or third-party report not noticed": 1}


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({}, ["i2", "i1"]),
        ({"team": "Response A"}, ["i1"]),
        ({"supervisor": NOT_KNOWN}, ["i2"]),
        ({"since": date(2026, 11, 3)}, ["i2"]),
        ({"until": date(2026, 11, 2)}, ["i1"]),
        ({"since": DAY, "until": DAY}, ["i1"]),
        ({"team": "Hub", "supervisor": "S7"}, []),
    ],
)
def test_filters(wanted: dict[str, str | date], kept: list[str]) -> None:
    missed = missed_crimes(
        [
            closed(FoundCrime("theft"), parts=(LOG,)),
            closed(FoundCrime("rape"), item="i2", day=date(2026, 11, 3), parts=(REFERRAL,)),
        ]
    )
    assert [each.item_id for each in chosen(missed, **wanted)] == kept  # type: ignore[arg-type]
