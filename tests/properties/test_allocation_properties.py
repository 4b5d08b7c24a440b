"""What holds of every queue: the budget, the places, the arms, and the chances of the random draw."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.allocations import (
    KEY,
    NIGHT,
    Night,
    a_candidate,
    allocated,
    content_of,
    keys,
    nights,
    queued_in,
)
from triage.ranking.allocation import (
    Carried,
    Draw,
    allocate,
)
from triage.ranking.rules import RULES
from triage.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_file(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("nowhere"))


@given(nights())
@examples(max_examples=100, deadline=None)
def test_places_are_numbered_unique_and_within_the_budget(night: Night) -> None:
    allocation = allocated(night)
    places = allocation.places
    assert [place.position for place in places] == list(range(1, len(places) + 1))
    assert len(places) <= night[3].budget_items
    assert len(set(queued_in(allocation))) == len(places)
    assert all((place.candidate is None) != (place.carried is None) for place in places)
    assert all(place.candidate is None or place.candidate.eligible for place in places)
    for place in places:
        assert 0 < place.inclusion_probability <= 1
        assert place.arm == "control" or place.inclusion_probability == 1
        assert place.arm != "ranked" or place.candidate is None or place.candidate.stratum == "readable"
        if place.carried is not None:
            assert (place.arm == "control") == (place.carried.arm == "control")
            assert place.inclusion_probability == place.carried.inclusion_probability
        elif place.arm == "control" and place.candidate.drawn_with is not None:
            assert place.inclusion_probability == place.candidate.drawn_with
    arms = [place.arm for place in places]
    assert arms[: arms.count("rule")] == ["rule"] * arms.count("rule")


@given(nights())
@examples(max_examples=100, deadline=None)
def test_the_queue_is_full_when_there_is_enough_to_read(night: Night) -> None:
    candidates, carried, draws, settings = night
    allocation = allocated(night)
    queued = set(queued_in(allocation))
    left = [each for each in candidates if each.eligible and content_of(each) not in queued]
    if len(allocation.places) < settings.budget_items:
        assert all(each.stratum == "unreadable" and each.root in draws for each in left)
        assert {content_of(item) for item in carried} <= queued


@given(nights(), st.randoms(use_true_random=False))
@examples(max_examples=100, deadline=None)
def test_the_order_of_the_input_changes_nothing(night: Night, random: object) -> None:
    candidates, carried, draws, settings = night
    shuffled, moved = list(candidates), list(carried)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(moved)  # type: ignore[attr-defined]
    assert allocated((shuffled, moved, draws, settings)) == allocated(night)


@given(nights(), st.data())
@examples(max_examples=100, deadline=None)
def test_a_higher_score_never_loses_the_place(night: Night, data: st.DataObject) -> None:
    candidates, carried, draws, settings = night
    ranked = [
        place.candidate for place in allocated(night).places if place.arm == "ranked" and place.candidate
    ]
    assume(ranked)
    raised = data.draw(st.sampled_from(ranked))
    higher = replace(raised, score_01=data.draw(st.floats(raised.score_01, 1.0)))
    changed = [higher if each == raised else each for each in candidates]
    again = allocated((changed, carried, draws, settings))
    arms = ["ranked", *(["rule"] if raised.rules else []), *(["control"] if raised.drawn_with else [])]
    assert any(content_of(raised) in queued_in(again, arm) for arm in arms)


@given(nights())
@examples(max_examples=100, deadline=None)
def test_the_ranked_arm_is_the_best_by_score(night: Night) -> None:
    candidates, carried, _, _ = night
    allocation = allocated(night)
    ranked, rule = set(queued_in(allocation, "ranked")), set(queued_in(allocation, "rule"))
    scores = [
        (item.score_01, content_of(item) in ranked)
        for item in [*candidates, *carried]
        if content_of(item) not in rule | set(queued_in(allocation, "control"))
        and (
            item.arm != "control"
            if isinstance(item, Carried)
            else item.eligible and item.stratum == "readable"
        )
    ]
    worst = min((score for score, taken in scores if taken), default=1.0)
    assert all(score <= worst for score, taken in scores if not taken)


@given(nights())
@examples(max_examples=100, deadline=None)
def test_draws_are_the_whole_frame_with_its_true_chance(night: Night) -> None:
    candidates, _, draws_made, settings = night
    allocation = allocated(night)
    certain = set(queued_in(allocation, "rule")) | set(queued_in(allocation, "ranked"))
    drawn = {content_of(draw) for draw in allocation.draws if draw.drawn}
    new_control = {
        content_of(place.candidate)
        for place in allocation.places
        if place.arm == "control" and place.candidate and place.candidate.drawn_with is None
    }
    assert drawn == new_control
    for stratum in ("readable", "unreadable"):
        frame = {
            content_of(each)
            for each in candidates
            if each.eligible
            and each.stratum == stratum
            and content_of(each) not in certain
            and each.root not in draws_made
        }
        of_stratum = [draw for draw in allocation.draws if draw.stratum == stratum]
        assert {content_of(draw) for draw in of_stratum} in (frame, set())
        chances = {draw.inclusion_probability for draw in of_stratum}
        assert chances <= {len(frame & drawn) / len(frame) if frame else 1.0}
        assert 0.0 not in chances
        numbers = sorted(of_stratum, key=lambda draw: draw.random_number)
        assert [draw.drawn for draw in numbers] == sorted((draw.drawn for draw in numbers), reverse=True)
    assert len(drawn) <= settings.budget_items


@given(nights())
@examples(max_examples=100, deadline=None)
def test_rule_items_keep_to_their_share_and_order(night: Night) -> None:
    candidates, carried, _, settings = night
    allocation = allocated(night)
    rule = [place for place in allocation.places if place.arm == "rule"]
    assert len(rule) <= math.floor(settings.budget_items * settings.rule_share_max + 1e-9)
    first = [(place.candidate or place.carried) for place in rule]
    order = [list(RULES).index(each.rules[0]) for each in first if each]
    assert order == sorted(order)
    by_rule = [each for each in candidates if each.rules and each.eligible]
    by_rule += [item for item in carried if item.rules]
    assert allocation.counts["rule_overflow"] == len(by_rule) - len(rule)
    left = [
        list(RULES).index(each.rules[0]) for each in by_rule if content_of(each) not in queued_in(allocation)
    ]
    assert not rule or not left or max(order) <= min(left)


@given(nights())
@examples(max_examples=100, deadline=None)
def test_counts_add_up(night: Night) -> None:
    candidates, carried, _, _ = night
    allocation = allocated(night)
    counts = allocation.counts
    assert counts["eligible"] + counts["not_eligible"] == len(candidates)
    assert counts["rule"] + counts["ranked"] + counts["control"] == len(allocation.places)
    assert counts["carried"] + counts["carried_over_budget"] + counts["carried_outranked"] == len(carried)
    new = len(allocation.places) - counts["carried"]
    missed = counts["frame"] - sum(draw.drawn for draw in allocation.draws)
    assert counts["eligible"] == new + counts["drawn_earlier"] + counts["waiting"] + missed


def test_everyone_in_the_frame_is_drawn_as_often_as_stated() -> None:
    """2,000 keys: each member's share of draws lies within 4.5 standard errors of its stated chance.

    With 37 members a false alarm has a chance below 37 x 7e-6; the keys are fixed, so the result is too.
    """
    candidates = [a_candidate(number, number % 7 / 10) for number in range(40)]
    candidates += [a_candidate(100 + number, 0.0, stratum="unreadable") for number in range(5)]
    settings = Settings(budget_items=14, control_share=0.4, control_unreadable_items=2)
    times, frame = 2000, None
    drawn: Counter[tuple[str, str]] = Counter()
    joint: Counter[frozenset[tuple[str, str]]] = Counter()
    for key in keys(times):
        allocation = allocated((candidates, [], {}, settings), key)
        chances = {content_of(draw): draw.inclusion_probability for draw in allocation.draws}
        assert frame in (None, chances), "the frame depends on the key"
        frame = chances
        hit = [content_of(draw) for draw in allocation.draws if draw.drawn]
        drawn.update(hit)
        joint[frozenset(hit[:2])] += 1
    assert frame is not None
    assert len(frame) == 37
    for content, chance in frame.items():
        assert abs(drawn[content] / times - chance) < 4.5 * math.sqrt(chance * (1 - chance) / times)
    assert len(joint) > 100


def test_a_place_does_not_tell_the_arm() -> None:
    """1,500 keys: control items hold each place equally often, within 4.5 standard errors."""
    candidates = [a_candidate(number, number / 100) for number in range(40)]
    settings = Settings(budget_items=12, control_share=0.25)
    held: Counter[int] = Counter()
    times = 1500
    for key in keys(times):
        held.update(
            place.position
            for place in allocated((candidates, [], {}, settings), key).places
            if place.arm == "control"
        )
    bound = 4.5 * math.sqrt(0.25 * 0.75 / times)
    assert all(abs(held[position] / times - 0.25) < bound for position in range(1, 13))


@given(st.integers(0, 10**6), st.integers(2, 8), st.sampled_from([0.1, 0.3, 0.6]))
@examples(max_examples=30, deadline=None)
def test_no_content_takes_part_in_two_draws_or_is_queued_twice(seed: int, budget: int, share: float) -> None:
    """Several nights in a row, with unread items carried over and texts that change."""
    settings = Settings(budget_items=budget, control_share=share)
    draws: dict[str, Draw] = {}
    ever: set[tuple[str, str]] = set()
    unread: dict[str, Carried] = {}
    items = 0
    for night in range(6):
        pool = []
        for number in range(seed % 5 + 4 * night + 6):
            mixed = int(sha256(f"{seed} {number} {night // 2}".encode()).hexdigest()[:4], 16)
            content = sha256(f"{number} {night // 3 if mixed % 4 == 0 else 0}".encode()).hexdigest()
            made = a_candidate(
                number,
                mixed % 100 / 100,
                content_hash=content,
                stratum="unreadable" if number % 6 == 5 else "readable",
                rules=tuple(RULES)[:1] if number % 11 == 3 else (),
            )
            if content_of(made) not in ever:
                pool.append(made)
        allocation = allocate(
            pool,
            carried=list(unread.values()),
            draws_made=draws,
            key=KEY + bytes([seed % 251]),
            settings=settings,
        )
        assert not {draw.root for draw in allocation.draws} & set(draws)
        draws |= {draw.root: draw for draw in allocation.draws}
        for place in allocation.places:
            if place.candidate is not None:
                assert content_of(place.candidate) not in ever
                ever.add(content_of(place.candidate))
                items += 1
                each = place.candidate
                unread[f"i{items}"] = Carried(
                    f"i{items}",
                    place.arm,
                    each.record_ref,
                    each.content_hash,
                    NIGHT + timedelta(days=night),
                    each.score_01,
                    each.tiebreak,
                    place.inclusion_probability,
                    each.rules,
                )
        # The auditors read the first half of the queue.
        for place in allocation.places[: (len(allocation.places) + 1) // 2]:
            read = content_of(place.candidate or place.carried)
            unread = {name: item for name, item in unread.items() if content_of(item) != read}
    assert draws
