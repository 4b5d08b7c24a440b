"""What holds of every queue: the budget, the places, the arms, and the chances of the random draw."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from triage.ranking.allocation import (
    Allocation,
    Candidate,
    Carried,
    Draw,
    allocate,
    permanent_random_number,
)
from triage.ranking.rules import RULES
from triage.settings import Settings

NIGHT = datetime(2026, 11, 3, tzinfo=UTC)
KEY = b"zebra quorum marmalade"


@pytest.fixture(autouse=True)
def _no_settings_file(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("nowhere"))


def _candidate(number: int, score: float = 0.1, **fields: object) -> Candidate:
    reference = f"XX-{number:05d}"
    made = Candidate(
        source="incidents",
        record_ref=reference,
        root=reference,
        content_hash=sha256(reference.encode()).hexdigest(),
        opened_at=NIGHT,
        eligible=True,
        stratum="readable",
        score_01=score,
        tiebreak=sha256(b"tie" + reference.encode()).hexdigest(),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def _carried(number: int, arm: str, score: float, queued_at: datetime, chance: float = 1.0) -> Carried:
    made = _candidate(number, score)
    return Carried(
        f"item-{number}", arm, made.record_ref, made.content_hash, queued_at, score, made.tiebreak, chance
    )


@st.composite
def nights(draw: st.DrawFn) -> tuple[list[Candidate], list[Carried], dict[tuple[str, str], Draw], Settings]:
    scores = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.5, 0.9, 1.0])
    candidates, draws = [], {}
    for number in range(draw(st.integers(0, 25))):
        rules = draw(st.sampled_from([(), (), (), tuple(RULES)[:1], tuple(RULES)[2:]]))
        stratum = draw(st.sampled_from(["readable", "readable", "readable", "unreadable"]))
        eligible = draw(st.integers(0, 5)) > 0
        made = _candidate(number, draw(scores), rules=rules, stratum=stratum, eligible=eligible)
        candidates.append(made)
        if draw(st.integers(0, 3)) == 0:
            content = (made.record_ref, made.content_hash)
            draws[content] = Draw(*content, stratum, 0.5, 0.2, False)
    carried = [
        _carried(
            1000 + number,
            arm := draw(st.sampled_from(["rule", "ranked", "control"])),
            draw(scores),
            NIGHT - timedelta(days=draw(st.integers(1, 5))),
            draw(st.sampled_from([0.01, 0.3])) if arm == "control" else 1.0,
        )
        for number in range(draw(st.integers(0, 10)))
    ]
    settings = Settings(
        budget_items=draw(st.integers(1, 20)),
        rule_share_max=draw(st.sampled_from([0.0, 0.3, 0.5, 1.0])),
        control_share=draw(st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0])),
        control_unreadable_items=draw(st.integers(0, 4)),
    )
    return candidates, carried, draws, settings


Night = tuple[list[Candidate], list[Carried], dict[tuple[str, str], Draw], Settings]


def _allocate(night: Night, key: bytes = KEY) -> Allocation:
    candidates, carried, draws, settings = night
    return allocate(candidates, carried=carried, draws_made=draws, key=key, settings=settings)


def _content(item: Candidate | Carried | Draw | None) -> tuple[str, str]:
    assert item is not None
    return (item.record_ref, item.content_hash)


def _queued(allocation: Allocation, arm: str | None = None) -> list[tuple[str, str]]:
    return [
        _content(place.candidate or place.carried)
        for place in allocation.places
        if arm is None or place.arm == arm
    ]


@given(nights())
@examples(max_examples=100, deadline=None)
def test_places_are_numbered_unique_and_within_the_budget(night: Night) -> None:
    allocation = _allocate(night)
    places = allocation.places
    assert [place.position for place in places] == list(range(1, len(places) + 1))
    assert len(places) <= night[3].budget_items
    assert len(set(_queued(allocation))) == len(places)
    assert all((place.candidate is None) != (place.carried is None) for place in places)
    assert all(place.candidate is None or place.candidate.eligible for place in places)
    for place in places:
        assert 0 < place.inclusion_probability <= 1
        assert place.arm == "control" or place.inclusion_probability == 1
        assert place.arm != "ranked" or place.candidate is None or place.candidate.stratum == "readable"
        if place.carried is not None:
            assert (place.arm, place.inclusion_probability) == (
                place.carried.arm,
                place.carried.inclusion_probability,
            )
    arms = [place.arm for place in places]
    assert arms[: arms.count("rule")] == ["rule"] * arms.count("rule")


@given(nights())
@examples(max_examples=100, deadline=None)
def test_the_queue_is_full_when_there_is_enough_to_read(night: Night) -> None:
    candidates, carried, draws, settings = night
    allocation = _allocate(night)
    queued = set(_queued(allocation))
    left = [each for each in candidates if each.eligible and _content(each) not in queued]
    if len(allocation.places) < settings.budget_items:
        assert all(each.stratum == "unreadable" and _content(each) in draws for each in left)
        assert {_content(item) for item in carried} <= queued


@given(nights(), st.randoms(use_true_random=False))
@examples(max_examples=100, deadline=None)
def test_the_order_of_the_input_changes_nothing(night: Night, random: object) -> None:
    candidates, carried, draws, settings = night
    shuffled, moved = list(candidates), list(carried)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(moved)  # type: ignore[attr-defined]
    assert _allocate((shuffled, moved, draws, settings)) == _allocate(night)


@given(nights(), st.data())
@examples(max_examples=100, deadline=None)
def test_a_higher_score_never_loses_the_place(night: Night, data: st.DataObject) -> None:
    candidates, carried, draws, settings = night
    ranked = [
        place.candidate for place in _allocate(night).places if place.arm == "ranked" and place.candidate
    ]
    assume(ranked)
    raised = data.draw(st.sampled_from(ranked))
    higher = replace(raised, score_01=data.draw(st.floats(raised.score_01, 1.0)))
    changed = [higher if each == raised else each for each in candidates]
    again = _allocate((changed, carried, draws, settings))
    assert _content(raised) in _queued(again, "ranked") + (_queued(again, "rule") if raised.rules else [])


@given(nights())
@examples(max_examples=100, deadline=None)
def test_the_ranked_arm_is_the_best_by_score(night: Night) -> None:
    candidates, carried, _, _ = night
    allocation = _allocate(night)
    ranked, rule = set(_queued(allocation, "ranked")), set(_queued(allocation, "rule"))
    scores = [
        (item.score_01, _content(item) in ranked)
        for item in [*candidates, *carried]
        if _content(item) not in rule
        and (
            item.arm == "ranked"
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
    allocation = _allocate(night)
    certain = set(_queued(allocation, "rule")) | set(_queued(allocation, "ranked"))
    drawn = {_content(draw) for draw in allocation.draws if draw.drawn}
    new_control = {
        _content(place.candidate) for place in allocation.places if place.arm == "control" and place.candidate
    }
    assert drawn == new_control
    for stratum in ("readable", "unreadable"):
        frame = {
            _content(each)
            for each in candidates
            if each.eligible
            and each.stratum == stratum
            and _content(each) not in certain
            and _content(each) not in draws_made
        }
        of_stratum = [draw for draw in allocation.draws if draw.stratum == stratum]
        assert {_content(draw) for draw in of_stratum} in (frame, set())
        chances = {draw.inclusion_probability for draw in of_stratum}
        assert chances <= {len(frame & drawn) / len(frame) if frame else 1.0}
        assert 0.0 not in chances
        numbers = sorted(of_stratum, key=lambda draw: draw.random_number)
        assert [draw.drawn for draw in numbers] == sorted((draw.drawn for draw in numbers), reverse=True)
    assert len(drawn) <= settings.budget_items


@given(nights())
@examples(max_examples=100, deadline=None)
def test_rule_items_keep_to_their_share_and_order(night: Night) -> None:
    candidates, _, _, settings = night
    allocation = _allocate(night)
    rule = [place for place in allocation.places if place.arm == "rule"]
    most = math.floor(settings.budget_items * settings.rule_share_max + 1e-9)
    from_before = sum(place.carried is not None for place in rule)
    assert len(rule) - from_before <= max(most - from_before, 0)
    new = [place.candidate for place in rule if place.candidate]
    assert [each.rules[0] for each in new] == sorted((each.rules[0] for each in new), key=list(RULES).index)
    assert allocation.counts["rule_overflow"] == sum(
        bool(each.rules) and each.eligible for each in candidates
    ) - len(new)


@given(nights())
@examples(max_examples=100, deadline=None)
def test_counts_add_up(night: Night) -> None:
    candidates, carried, _, _ = night
    allocation = _allocate(night)
    counts = allocation.counts
    assert counts["eligible"] + counts["not_eligible"] == len(candidates)
    assert counts["rule"] + counts["ranked"] + counts["control"] == len(allocation.places)
    assert counts["carried"] + counts["carried_over_budget"] + counts["carried_outranked"] == len(carried)
    new = len(allocation.places) - counts["carried"]
    missed = counts["frame"] - sum(draw.drawn for draw in allocation.draws)
    assert counts["eligible"] == new + counts["drawn_earlier"] + counts["waiting"] + missed


def test_carried_items_beyond_the_budget_go_oldest_first() -> None:
    carried = [_carried(number, "control", 0.5, NIGHT - timedelta(days=number), 0.1) for number in range(9)]
    allocation = _allocate(([_candidate(50, 0.9)], carried, {}, Settings(budget_items=5)))
    assert {place.carried.item_id for place in allocation.places if place.carried} == {
        f"item-{number}" for number in range(4, 9)
    }
    assert (allocation.counts["carried_over_budget"], allocation.counts["waiting"]) == (4, 1)
    assert allocation.draws == ()


def test_both_strata_have_their_share_and_lend_the_rest() -> None:
    readable = [_candidate(number, number / 100) for number in range(60)]
    unreadable = [_candidate(100 + number, 0.0, stratum="unreadable") for number in range(10)]
    settings = Settings(budget_items=20, control_share=0.2, control_unreadable_items=1)

    def drawn(*candidates: Candidate, **changed: int) -> Counter[str]:
        allocation = _allocate((list(candidates), [], {}, settings.model_copy(update=changed)))
        return Counter(draw.stratum for draw in allocation.draws if draw.drawn)

    assert drawn(*readable, *unreadable) == {"readable": 3, "unreadable": 1}
    assert drawn(*readable, *unreadable, control_unreadable_items=9) == {"readable": 1, "unreadable": 3}
    assert drawn(*readable) == {"readable": 4}
    assert drawn(*readable[:18], *unreadable) == {"readable": 2, "unreadable": 2}
    assert drawn(*unreadable) == {"unreadable": 10}
    assert drawn(*readable, *unreadable, budget_items=6) == {"readable": 1}


def _keys(number: int) -> Iterable[bytes]:
    return (sha256(b"key %d" % each).digest() for each in range(number))


def test_everyone_in_the_frame_is_drawn_as_often_as_stated() -> None:
    """2,000 keys: each member's share of draws lies within 4.5 standard errors of its stated chance.

    With 37 members a false alarm has a chance below 37 x 7e-6; the keys are fixed, so the result is too.
    """
    candidates = [_candidate(number, number % 7 / 10) for number in range(40)]
    candidates += [_candidate(100 + number, 0.0, stratum="unreadable") for number in range(5)]
    settings = Settings(budget_items=14, control_share=0.4, control_unreadable_items=2)
    times, frame = 2000, None
    drawn: Counter[tuple[str, str]] = Counter()
    joint: Counter[frozenset[tuple[str, str]]] = Counter()
    for key in _keys(times):
        allocation = _allocate((candidates, [], {}, settings), key)
        chances = {_content(draw): draw.inclusion_probability for draw in allocation.draws}
        assert frame in (None, chances), "the frame depends on the key"
        frame = chances
        hit = [_content(draw) for draw in allocation.draws if draw.drawn]
        drawn.update(hit)
        joint[frozenset(hit[:2])] += 1
    assert frame is not None
    assert len(frame) == 37
    for content, chance in frame.items():
        assert abs(drawn[content] / times - chance) < 4.5 * math.sqrt(chance * (1 - chance) / times)
    assert len(joint) > 100


def test_a_place_does_not_tell_the_arm() -> None:
    """1,500 keys: control items hold each place equally often, within 4.5 standard errors."""
    candidates = [_candidate(number, number / 100) for number in range(40)]
    settings = Settings(budget_items=12, control_share=0.25)
    held: Counter[int] = Counter()
    times = 1500
    for key in _keys(times):
        held.update(
            place.position
            for place in _allocate((candidates, [], {}, settings), key).places
            if place.arm == "control"
        )
    bound = 4.5 * math.sqrt(0.25 * 0.75 / times)
    assert all(abs(held[position] / times - 0.25) < bound for position in range(1, 13))


@given(st.integers(0, 10**6), st.integers(2, 8), st.sampled_from([0.1, 0.3, 0.6]))
@examples(max_examples=30, deadline=None)
def test_no_content_takes_part_in_two_draws_or_is_queued_twice(seed: int, budget: int, share: float) -> None:
    """Several nights in a row, with unread items carried over and texts that change."""
    settings = Settings(budget_items=budget, control_share=share)
    draws: dict[tuple[str, str], Draw] = {}
    ever: set[tuple[str, str]] = set()
    unread: dict[str, Carried] = {}
    items = 0
    for night in range(6):
        pool = []
        for number in range(seed % 5 + 4 * night + 6):
            mixed = int(sha256(f"{seed} {number} {night // 2}".encode()).hexdigest()[:4], 16)
            content = sha256(f"{number} {night // 3 if mixed % 4 == 0 else 0}".encode()).hexdigest()
            made = _candidate(
                number,
                mixed % 100 / 100,
                content_hash=content,
                stratum="unreadable" if number % 6 == 5 else "readable",
                rules=tuple(RULES)[:1] if number % 11 == 3 else (),
            )
            if _content(made) not in ever:
                pool.append(made)
        allocation = allocate(
            pool,
            carried=list(unread.values()),
            draws_made=draws,
            key=KEY + bytes([seed % 251]),
            settings=settings,
        )
        assert not {_content(draw) for draw in allocation.draws} & set(draws)
        draws |= {_content(draw): draw for draw in allocation.draws}
        for place in allocation.places:
            if place.candidate is not None:
                assert _content(place.candidate) not in ever
                ever.add(_content(place.candidate))
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
                )
        # The auditors read the first half of the queue.
        for place in allocation.places[: (len(allocation.places) + 1) // 2]:
            read = _content(place.candidate or place.carried)
            unread = {name: item for name, item in unread.items() if _content(item) != read}
    assert draws or round(budget * share) == 0


def test_the_random_number_is_permanent_secret_and_below_one() -> None:
    numbers = [permanent_random_number(KEY, f"XX-{number}") for number in range(4000)]
    assert numbers == [permanent_random_number(KEY, f"XX-{number}") for number in range(4000)]
    assert all(0 <= number < 1 for number in numbers)
    assert len(set(numbers)) == 4000
    assert abs(sum(numbers) / 4000 - 0.5) < 4.5 * math.sqrt(1 / 12 / 4000)
    assert permanent_random_number(b"another", "XX-1") != permanent_random_number(KEY, "XX-1")


def test_bugs_of_the_caller_are_refused() -> None:
    twice = _candidate(1)
    with pytest.raises(ValueError, match="twice"):
        _allocate(([twice, twice], [], {}, Settings()))
    with pytest.raises(ValueError, match="twice"):
        _allocate(([twice], [_carried(1, "ranked", 0.1, NIGHT)], {}, Settings()))
    with pytest.raises(ValueError, match="stratum"):
        _allocate(([_candidate(1, stratum="dark")], [], {}, Settings()))
