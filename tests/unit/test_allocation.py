"""Allocation, case by case."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta

import pytest

from tests.allocations import (
    KEY,
    NIGHT,
    a_candidate,
    allocated,
    an_item,
    content_of,
    queued_in,
)
from triage.ranking.allocation import (
    Candidate,
    Carried,
    Draw,
    permanent_random_number,
)
from triage.ranking.rules import RULES
from triage.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_file(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("nowhere"))


def test_carried_control_items_keep_one_nights_share_oldest_first() -> None:
    carried = [an_item(number, "control", 0.5, NIGHT - timedelta(days=number), 0.1) for number in range(9)]
    many = [a_candidate(50 + number, 0.9) for number in range(20)]
    allocation = allocated((many, carried, {}, Settings(budget_items=10, control_share=0.2)))
    kept = {place.carried.item_id for place in allocation.places if place.carried}
    assert kept == {"item-7", "item-8"}
    assert sum(draw.drawn for draw in allocation.draws) == 2
    assert (allocation.counts["carried_over_budget"], allocation.counts["ranked"]) == (7, 6)


def test_carried_control_items_fill_what_nothing_new_fills() -> None:
    carried = [an_item(number, "control", 0.5, NIGHT - timedelta(days=number), 0.1) for number in range(9)]
    allocation = allocated(([a_candidate(50, 0.9)], carried, {}, Settings(budget_items=5)))
    assert len(allocation.places) == 5
    assert sum(place.carried is None for place in allocation.places) == 1


def test_unread_items_never_keep_a_worse_crime_out() -> None:
    """Ten nights on which nobody reads: each night's rape is still queued, and a new draw made."""
    settings = Settings(budget_items=20)
    unread: dict[str, Carried] = {}
    draws: dict[str, Draw] = {}
    for night in range(10):
        first = 100 * night
        pool = [a_candidate(first, 0.2, rules=tuple(RULES)[:1])]
        pool += [a_candidate(first + 1 + number, 0.1, rules=tuple(RULES)[3:]) for number in range(8)]
        pool += [a_candidate(first + 20 + number, number / 100) for number in range(30)]
        allocation = allocated((pool, list(unread.values()), draws, settings))
        queued = queued_in(allocation)
        assert content_of(pool[0]) in queued
        assert sum(draw.drawn for draw in allocation.draws) == 2
        draws |= {draw.root: draw for draw in allocation.draws}
        for place in allocation.places:
            if (each := place.candidate) is not None:
                unread[each.record_ref] = Carried(
                    each.record_ref,
                    place.arm,
                    each.record_ref,
                    each.content_hash,
                    NIGHT + timedelta(days=night),
                    each.score_01,
                    each.tiebreak,
                    place.inclusion_probability,
                    each.rules,
                )
        unread = {
            name: item for name, item in unread.items() if item.queued_at > NIGHT + timedelta(days=night - 14)
        }


def test_a_control_item_whose_text_changed_is_read_in_its_new_form() -> None:
    changed = a_candidate(1, 0.0, drawn_with=0.05)
    draws = {changed.root: Draw(changed.root, "before", "readable", 0.01, 0.05, True)}
    others = [a_candidate(10 + number, 0.5) for number in range(20)]
    allocation = allocated(([changed, *others], [], draws, Settings(budget_items=10)))
    [place] = [place for place in allocation.places if place.candidate == changed]
    assert (place.arm, place.inclusion_probability) == ("control", 0.05)
    assert changed.root not in {draw.root for draw in allocation.draws}


def test_a_small_budget_still_has_a_control_item() -> None:
    pool = [a_candidate(number, 0.5) for number in range(20)]
    for budget in (2, 3, 5):
        assert allocated((pool, [], {}, Settings(budget_items=budget))).counts["control"] == 1
    assert allocated((pool, [], {}, Settings(budget_items=1))).counts["control"] == 0


def test_both_strata_have_their_share_and_lend_the_rest() -> None:
    readable = [a_candidate(number, number / 100) for number in range(60)]
    unreadable = [a_candidate(100 + number, 0.0, stratum="unreadable") for number in range(10)]
    settings = Settings(budget_items=20, control_share=0.2, control_unreadable_items=1)

    def drawn(*candidates: Candidate, **changed: int) -> Counter[str]:
        allocation = allocated((list(candidates), [], {}, settings.model_copy(update=changed)))
        return Counter(draw.stratum for draw in allocation.draws if draw.drawn)

    assert drawn(*readable, *unreadable) == {"readable": 3, "unreadable": 1}
    assert drawn(*readable, *unreadable, control_unreadable_items=9) == {"readable": 1, "unreadable": 3}
    assert drawn(*readable) == {"readable": 4}
    assert drawn(*readable[:18], *unreadable) == {"readable": 2, "unreadable": 2}
    assert drawn(*unreadable) == {"unreadable": 10}
    assert drawn(*readable, *unreadable, budget_items=6) == {"readable": 1}


def test_the_random_number_is_permanent_secret_and_below_one() -> None:
    numbers = [permanent_random_number(KEY, f"XX-{number}") for number in range(4000)]
    assert numbers == [permanent_random_number(KEY, f"XX-{number}") for number in range(4000)]
    assert all(0 <= number < 1 for number in numbers)
    assert len(set(numbers)) == 4000
    assert abs(sum(numbers) / 4000 - 0.5) < 4.5 * math.sqrt(1 / 12 / 4000)
    assert permanent_random_number(b"another", "XX-1") != permanent_random_number(KEY, "XX-1")


def test_bugs_of_the_caller_are_refused() -> None:
    twice = a_candidate(1)
    with pytest.raises(ValueError, match="twice"):
        allocated(([twice, twice], [], {}, Settings()))
    with pytest.raises(ValueError, match="twice"):
        allocated(([twice], [an_item(1, "ranked", 0.1, NIGHT)], {}, Settings()))
    with pytest.raises(ValueError, match="stratum"):
        allocated(([a_candidate(1, stratum="dark")], [], {}, Settings()))
