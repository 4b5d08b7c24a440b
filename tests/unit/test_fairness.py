"""Figures by group: yield, what is left and missed, and cells that nobody can work out by subtracting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.learning.audited import Answer, Audited
from triage.learning.fairness import (
    ALL,
    NOT_GIVEN,
    Cell,
    Dimension,
    fairness,
    fairness_markdown,
    hidden_cells,
)

STEADY = settings(deadline=None, derandomize=True)


def items(
    count: int,
    yes: int,
    *,
    arm: str = "ranked",
    chance: float = 1.0,
    first: int = 0,
    source: str = "incidents",
) -> list[Audited]:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    answers: list[Answer] = ["yes"] * yes + ["no"] * (count - yes)
    return [
        Audited(f"i{number}", f"L-{number}", f"R-{number}", source, arm, chance, 0.1, at, answer=answer)
        for number, answer in enumerate(answers, first)
    ]


def cells(dimension: Dimension) -> dict[str, Cell]:
    return {each.name: each for each in dimension.cells}


def test_yield_and_misses_by_group() -> None:
    read = items(40, 20) + items(60, 15, first=100)
    control = items(30, 3, arm="control", chance=0.1, first=200) + items(
        20, 0, arm="control", chance=0.1, first=300
    )
    sex = {each.record_ref: "F" for each in (*read[:40], *control[:30])}
    sex |= {each.record_ref: "M" for each in (*read[40:], *control[30:])}
    source, by_sex = fairness([*read, *control], {"victim_sex": sex}, least=10)
    assert (source.name, by_sex.name) == ("source", "victim_sex")
    found = cells(by_sex)
    assert list(found) == [ALL, "F", "M"]
    assert (found["F"].read, found["F"].control) == (40, 30)
    assert found["F"].found_share.estimate == 0.5
    assert found["M"].found_share.estimate == 0.25
    assert found["F"].unread_share.estimate == pytest.approx(0.1)
    # 20 found, and three drawn finds that stand for ten each.
    assert found["F"].missed_share.estimate == pytest.approx(30 / 50)
    assert found["M"].missed_share.estimate == 0
    assert found["M"].missed_share.high is not None
    assert found["M"].missed_share.high > 0.5
    assert found[ALL].missed_share.estimate == pytest.approx(30 / 65)


def test_what_was_not_given_or_not_answered() -> None:
    read = items(30, 10)
    unsure = [
        Audited("u", "L-1000", "R", "incidents", "ranked", 1.0, 0.1, read[0].queued_at, answer="cannot_say")
    ]
    _, by_age = fairness(
        [*read, *unsure], {"age_band": {each.record_ref: "18-24" for each in read[:15]}}, least=5
    )
    found = cells(by_age)
    assert {name: each.read for name, each in found.items()} == {ALL: 30, "18-24": 15, NOT_GIVEN: 15}
    assert found["18-24"].control == 0
    assert "no record was read" in found["18-24"].unread_share.reason


def test_a_small_cell_is_hidden_with_the_next_so_that_nobody_can_subtract() -> None:
    read = items(4, 2) + items(12, 3, first=100) + items(50, 9, first=200)
    area = {
        each.record_ref: "North" if number < 4 else "East" if number < 16 else "West"
        for number, each in enumerate(read)
    }
    _, by_area = fairness(read, {"area": area}, least=10)
    found = cells(by_area)
    assert {name: each.read for name, each in found.items()} == {
        ALL: 66,
        "North": None,
        "East": None,
        "West": 50,
    }
    assert by_area.hidden == 2
    assert found["North"].found_share.estimate is None
    assert found["North"].missed_share.estimate is None
    page = fairness_markdown([by_area], least=10)
    assert "| North | hidden | hidden |" in page
    assert "| West | 50 | 18.0% (" in page
    assert "fewer than 10 records" in page


def test_read_and_control_are_hidden_apart() -> None:
    read = items(40, 10) + items(40, 10, first=100)
    control = items(3, 1, arm="control", chance=0.1, first=200) + items(
        30, 1, arm="control", chance=0.1, first=300
    )
    sex = {each.record_ref: "F" for each in (*read[:40], *control[:3])}
    sex |= {each.record_ref: "M" for each in (*read[40:], *control[3:])}
    found = cells(fairness([*read, *control], {"victim_sex": sex}, least=10)[1])
    assert (found["F"].read, found["F"].control, found["M"].control) == (40, None, None)
    assert found["F"].found_share.estimate == 0.25
    assert found["M"].unread_share.estimate is None
    assert found[ALL].unread_share.estimate is not None


def test_nothing_audited_gives_empty_figures() -> None:
    (by_source,) = fairness([], {}, least=10)
    assert [each.name for each in by_source.cells] == [ALL]
    assert by_source.cells[0].read is None
    assert "| all | hidden |" in fairness_markdown([by_source], least=10)


@STEADY
@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(0, 60), max_size=8),
    st.integers(2, 20),
)
def test_what_is_hidden_is_never_told_by_the_sum(counts: dict[str, int], least: int) -> None:
    hidden = hidden_cells(counts, least)
    shown = {name: count for name, count in counts.items() if name not in hidden}
    assert all(count == 0 or count >= least for count in shown.values())
    if hidden and sum(counts.values()) >= least:
        assert sum(counts[name] for name in hidden) >= least
        assert len(hidden) >= 2
    if all(count >= least for count in counts.values()):
        assert not hidden


def test_a_matter_that_others_stand_for_is_not_counted_twice() -> None:
    # Of 80 matters 40 hold a crime. Half are drawn; the other 20 with one are found by rank a night later.
    drawn = items(40, 20, arm="control", chance=0.5)
    late = [replace(each, entry_probability=None) for each in items(20, 20, first=100)]
    (by_source,) = fairness([*drawn, *late], {}, least=2)
    assert by_source.cells[0].missed_share.estimate == pytest.approx(20 / 40)


def test_items_that_nobody_decided_are_as_the_others_of_their_arm() -> None:
    queued = [*items(50, 25), *(replace(each, answer="") for each in items(50, 0, first=50))]
    drawn = items(20, 2, arm="control", chance=0.1, first=200)
    (by_source,) = fairness([*queued, *drawn], {}, least=2)
    assert by_source.cells[0].read == 50
    assert by_source.cells[0].missed_share.estimate == pytest.approx(20 / 70)


def test_a_version_of_a_matter_counts_once() -> None:
    read = items(10, 5)
    again = [replace(each, item_id=f"again-{each.item_id}") for each in read]
    drawn = items(20, 2, arm="control", chance=0.1, first=200)
    (once,), (twice,) = (fairness([*each, *drawn], {}, least=2) for each in (read, [*read, *again]))
    assert once.cells[0].missed_share == twice.cells[0].missed_share
