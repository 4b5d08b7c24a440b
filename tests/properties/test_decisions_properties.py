"""Whatever people try with an item, and in whatever order: nobody decides what they may not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from tests.store.nights import FIRST_NIGHT, night
from tests.store.nights import event as audit_event
from triage.errors import ConflictError, PermissionDeniedError, UsageError
from triage.review.decisions import DECIDING, Review, ReviewEvent, ReviewRules, may, next_event, review_of
from triage.review.outcomes import FoundCrime, Outcome, agree
from triage.review.permissions import ACTS, PASSAGES, STATES
from triage.store import Store, open_store

RULES = ReviewRules(claim_minutes=45, correction_hours=24, carry_over_days=14, second_review_share=0.4)
PEOPLE = {"ann": "auditor", "bob": "auditor", "cat": "auditor", "reg": "registrar", "viv": "viewer"}
OUTCOMES = (Outcome("no"), Outcome("cannot_say"), Outcome("yes", (FoundCrime("theft"),)))
REFUSALS = (ConflictError, PermissionDeniedError, UsageError)


@dataclass(frozen=True)
class Try:
    """What somebody tries; ``minutes`` have passed since the last try."""

    actor: str
    act: str
    outcome: Outcome | None
    minutes: int
    chance: float
    behind: int
    token: int


TRIES = st.lists(
    st.builds(
        Try,
        actor=st.sampled_from(list(PEOPLE)),
        act=st.sampled_from([*ACTS, "claim", "decide", "decide"]),
        outcome=st.one_of(st.sampled_from(OUTCOMES), st.none()),
        minutes=st.sampled_from([0, 0, 0, 1, 44, 45, 24 * 60, 14 * 24 * 60]),
        chance=st.floats(0, 1, exclude_max=True),
        behind=st.sampled_from([0, 0, 0, 1]),
        token=st.integers(0, 40),
    ),
    min_size=1,
    max_size=30,
)
# Guided tries get far; free ones are mostly refused.
GUIDED = st.lists(
    st.tuples(
        st.integers(0, 7), st.sampled_from(OUTCOMES), st.sampled_from([0, 0, 1, 45, 1440]), st.booleans()
    ),
    min_size=5,
    max_size=40,
)


def folded(events: list[ReviewEvent], now: object) -> Review:
    return review_of("item", FIRST_NIGHT, events, now, RULES, night=now)


def allowed(review: Review) -> list[tuple[str, str]]:
    """Return who may do what to an item as it stands."""
    return [
        (actor, act)
        for actor, role in PEOPLE.items()
        for act in ACTS
        if may(review, act, actor=actor, roles={role})
    ]


def check(before: Review, done: ReviewEvent, after: Review, events: list[ReviewEvent]) -> None:
    """Hold an act that was done against what the review promises."""
    assert done.number == before.events + 1 == after.events == len(events)
    assert [each.number for each in events] == list(range(1, len(events) + 1))
    if after.state == "expired":
        # Given back when its time in the queue is over, it is not queued again.
        assert done.act == "release"
        assert "queued" in ACTS[done.act].moves[before.state]
        assert done.at >= before.queued_at + timedelta(days=RULES.carry_over_days)
    else:
        assert after.state in ACTS[done.act].moves[before.state]
    assert PEOPLE[done.actor] in ACTS[done.act].roles
    assert (done.outcome is not None) == (done.act in DECIDING)
    if done.act == "decide":
        assert before.holder == done.actor
        claims = [each for each in events if each.act == "claim" and each.actor == done.actor]
        assert claims, "a decision follows a claim by the same person"
        assert done.at < claims[-1].at + timedelta(minutes=claims[-1].hold_minutes)
    if done.act == "claim":
        assert before.holder in {"", done.actor}
        assert after.holder == done.actor
    if done.act == "correct":
        assert before.first is not None
        assert before.first.actor == done.actor
    check_standing(after)


def check_standing(review: Review) -> None:
    """Hold where an item stands against what the review promises at every moment."""
    assert review.state in STATES
    assert bool(review.holder) == (review.held_until is not None)
    assert bool(review.holder) <= (review.state in {"claimed", "second_review"})
    assert (review.state == "claimed") <= bool(review.holder)
    if review.first and review.second:
        assert review.first.actor != review.second.actor
    assert (review.second is not None) <= (review.state in {"closed", "disputed"})
    assert (review.state == "closed") == (review.outcome is not None)
    if review.state == "closed" and review.second and not review.ruling:
        assert agree(review.first.outcome, review.second.outcome)
    if review.state == "disputed":
        assert not agree(review.first.outcome, review.second.outcome)
    if review.state in {"queued", "expired", "reopened"}:
        assert (review.first, review.second, review.ruling) == (None, None, None)


@settings(max_examples=300, deadline=None)
@given(tries=TRIES)
@example(
    tries=[Try("bob", "claim", None, 14 * 24 * 60, 0.0, 0, 0), Try("bob", "release", None, 1, 0.0, 0, 0)]
)
def test_no_order_of_tries_breaks_what_the_review_promises(tries: list[Try]) -> None:
    events: list[ReviewEvent] = []
    now = FIRST_NIGHT
    for number, one in enumerate(tries):
        standing = folded(events, now)
        now += timedelta(minutes=one.minutes)
        before = folded(events, now)
        passed = [state for act in PASSAGES.values() for state in act.moves.get(standing.state, ())]
        assert before.state in {standing.state, *passed, *(["expired"] if "queued" in passed else [])}
        try:
            done = next_event(
                before,
                one.act,
                actor=one.actor,
                roles={PEOPLE[one.actor]},
                at=now,
                token=str(number),
                seen=max(0, before.events - one.behind),
                outcome=one.outcome,
                chance=one.chance,
                rules=RULES,
            )
        except REFUSALS:
            assert folded(events, now) == before
            continue
        events.append(done)
        check(before, done, folded(events, now), events)


@settings(max_examples=200, deadline=None)
@given(steps=GUIDED)
def test_who_always_does_what_is_allowed_never_gets_stuck(
    steps: list[tuple[int, Outcome, int, bool]],
) -> None:
    events: list[ReviewEvent] = []
    now = FIRST_NIGHT
    for which, outcome, minutes, drawn in steps:
        now += timedelta(minutes=minutes)
        before = folded(events, now)
        check_standing(before)
        choices = allowed(before)
        assert choices, f"nobody may do anything to an item that is {before.state}"
        actor, act = choices[which % len(choices)]
        events.append(
            next_event(
                before,
                act,
                actor=actor,
                roles={PEOPLE[actor]},
                at=now,
                token=str(len(events)),
                seen=before.events,
                outcome=outcome if act in DECIDING else None,
                chance=0.0 if drawn else 0.9,
                rules=RULES,
            )
        )
        after = folded(events, now)
        check(before, events[-1], after, events)
        assert folded(list(events), now) == after
        event(f"reached {after.state}")
        assert folded(events[:-1], now) == before, "an event changes nothing of what was before it"


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    """A function that opens another prepared store each time."""
    folder = tmp_path_factory.mktemp("decisions")
    numbers = iter(range(1000))

    def opened() -> Store:
        store = open_store(f"sqlite:///{folder / f'{next(numbers)}.db'}")
        store.prepare()
        store.publish(night(items=1), audit_event())
        return store

    return opened


@settings(max_examples=25, deadline=None)
@given(tries=TRIES)
def test_the_store_keeps_each_act_once_with_its_audit_event(
    empty_store: Callable[[], Store], tries: list[Try]
) -> None:
    with empty_store() as store:
        (item,) = night(items=1).items
        now = FIRST_NIGHT
        done: dict[str, ReviewEvent] = {}
        for one in tries:
            now += timedelta(minutes=one.minutes)
            with suppress(*REFUSALS):
                written = store.act(
                    item.item_id,
                    one.act,
                    actor=one.actor,
                    roles={PEOPLE[one.actor]},
                    at=now,
                    token=str(one.token),
                    outcome=one.outcome if one.act in DECIDING else None,
                    chance=one.chance,
                    rules=RULES,
                )
                assert done.setdefault(str(one.token), written) == written
            history = store.history(item.item_id)
            assert sorted(history, key=lambda each: each.number) == list(history) == list(done.values())
            assert [each.number for each in history] == list(range(1, len(done) + 1))
            logged = [each.event for each in store.events() if each.event.action == "alteration"]
            assert [(each.actor, each.details["act"], each.details["event"]) for each in logged] == [
                (each.actor, each.act, each.number) for each in history
            ]
            review = store.review(item.item_id, now, RULES)
            assert review == review_of(item.item_id, item.queued_at, history, now, RULES, night=FIRST_NIGHT)
            check_standing(review)
        assert store.verify_chain().broken_at is None
