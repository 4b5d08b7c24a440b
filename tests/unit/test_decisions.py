"""Where an item stands after what was done to it, and what may be done next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from triage.errors import ConflictError, PermissionDeniedError, UsageError, UserError
from triage.review.decisions import Review, ReviewEvent, ReviewRules, may, next_event, pairs, review_of
from triage.review.outcomes import FoundCrime, Outcome
from triage.review.permissions import ACTS, PASSAGES, STATES

QUEUED_AT = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
RULES = ReviewRules(claim_minutes=45, correction_hours=24, carry_over_days=14, second_review_share=0.5)
NO, UNSURE = Outcome("no"), Outcome("cannot_say")
BURGLARY = Outcome("yes", (FoundCrime("burglary"),))
ROLES = {"ann": "auditor", "bob": "auditor", "reg": "registrar", "viv": "viewer", "adm": "administrator"}
KEPT, DRAWN = 0.5, 0.499


class Matter:
    """One item and what is done to it, minute by minute."""

    def __init__(self, rules: ReviewRules = RULES) -> None:
        self.events: list[ReviewEvent] = []
        self.now, self.rules = QUEUED_AT, rules

    def later(self, **time: float) -> Matter:
        self.now += timedelta(**time)
        return self

    def review(self) -> Review:
        return review_of("item", QUEUED_AT, self.events, self.now, self.rules, night=self.now)

    def do(self, actor: str, act: str, outcome: Outcome | None = None, **more: float | None) -> ReviewEvent:
        event = next_event(
            self.review(),
            act,
            actor=actor,
            roles={ROLES[actor]},
            at=self.now,
            token=f"{len(self.events)}",
            outcome=outcome,
            rules=self.rules,
            **{"seen": None, "chance": KEPT, **more},
        )
        self.events.append(event)
        return event

    def decided(self, actor: str, outcome: Outcome, **more: float) -> Matter:
        self.do(actor, "claim")
        self.do(actor, "decide", outcome, **more)
        return self

    @property
    def state(self) -> str:
        return self.review().state


def in_state(state: str) -> Matter:
    """Bring an item into a state, by ann, and by bob where it takes two."""
    matter = Matter()
    if state == "claimed":
        matter.do("ann", "claim")
    elif state == "expired":
        matter.later(days=14, microseconds=1)
    elif state == "decided":
        matter.decided("ann", NO)
    elif state in {"closed", "reopened"}:
        matter.decided("ann", NO).later(hours=24)
    elif state in {"second_review", "disputed"}:
        matter.decided("ann", NO, chance=DRAWN)
    if state == "reopened":
        matter.do("reg", "reopen")
    if state == "disputed":
        matter.decided("bob", BURGLARY)
    assert matter.state == state
    return matter


def outcomes_for(act: str) -> tuple[Outcome | None, ...]:
    return (NO, UNSURE, BURGLARY) if act in {"decide", "correct", "rule"} else (None,)


@pytest.mark.parametrize("state", STATES)
def test_every_move_of_the_table_is_reached_and_no_other(state: str) -> None:
    reached: dict[str, set[str]] = {}
    for act in ACTS:
        for actor in ROLES:
            for outcome in outcomes_for(act):
                for chance in (KEPT, DRAWN):
                    for held in (False, True):
                        matter = in_state(state)
                        if held and state == "second_review":
                            matter.do("bob", "claim")
                        try:
                            matter.do(actor, act, outcome, chance=chance)
                        except UserError:
                            continue
                        reached.setdefault(act, set()).add(matter.state)
                        assert ROLES[actor] in ACTS[act].roles
    if state == "claimed":  # one that was reopened goes back to where it was
        matter = in_state("reopened")
        matter.do("ann", "claim")
        matter.do("ann", "release")
        reached["release"].add(matter.state)
    expected = {act.name: set(act.moves[state]) for act in ACTS.values() if state in act.moves}
    assert reached == expected


def test_time_moves_an_item_as_the_table_says() -> None:
    claimed, decided, queued = in_state("claimed"), in_state("decided"), Matter()
    again = in_state("reopened")
    again.do("ann", "claim")
    moved = {
        "lapse": {"claimed": (claimed.later(minutes=45).state, again.later(minutes=45).state)},
        "close": {"decided": (decided.later(hours=24).state,)},
        "expire": {"queued": (queued.later(days=14, microseconds=1).state,)},
    }
    assert moved == {each.name: dict(each.moves) for each in PASSAGES.values()}


@pytest.mark.parametrize(
    ("state", "short_of", "then"),
    [
        ("claimed", timedelta(minutes=45), "queued"),
        ("decided", timedelta(hours=24), "closed"),
        # The night that is that much later still carries it.
        ("queued", timedelta(days=14, microseconds=1), "expired"),
    ],
)
def test_a_passage_happens_at_its_moment_and_not_before(state: str, short_of: timedelta, then: str) -> None:
    matter = in_state(state)
    matter.now += short_of - timedelta(microseconds=1)
    assert matter.state == state
    matter.now += timedelta(microseconds=1)
    assert matter.state == then


def test_a_claim_that_lapsed_lets_the_item_expire_and_a_claim_in_time_keeps_it() -> None:
    matter = Matter().later(days=13, hours=23, minutes=30)
    matter.do("ann", "claim")
    assert matter.later(minutes=44).state == "claimed"
    assert matter.later(minutes=1, microseconds=1).state == "expired"
    with pytest.raises(ConflictError, match="expired allows no claim"):
        matter.do("ann", "claim")


def test_what_waits_for_a_second_reader_or_a_ruling_never_expires() -> None:
    for state in ("second_review", "disputed", "reopened"):
        assert in_state(state).later(days=1000).state == state


def test_a_claim_keeps_the_length_that_it_was_given() -> None:
    matter = Matter()
    matter.do("ann", "claim")
    matter.rules = replace(RULES, claim_minutes=5)
    assert matter.later(minutes=44).review().holder == "ann"


def test_one_holder_at_a_time() -> None:
    matter = in_state("claimed")
    for other in ("ann", "bob", "reg"):
        with pytest.raises(ConflictError, match="claimed allows no claim") as refused:
            matter.do(other, "claim")
        assert refused.value.http_status == 409
    for other in ("bob", "reg"):
        with pytest.raises(PermissionDeniedError, match="decided by whoever has claimed"):
            matter.do(other, "decide", NO)
    with pytest.raises(PermissionDeniedError, match="someone else"):
        matter.do("bob", "release")
    matter.do("reg", "release")
    assert (matter.state, matter.review().holder) == ("queued", "")
    matter.do("bob", "claim")
    assert matter.review().holder == "bob"


def test_a_claim_that_lapsed_allows_no_decision() -> None:
    matter = in_state("claimed").later(minutes=45)
    with pytest.raises(ConflictError, match="queued allows no decide"):
        matter.do("ann", "decide", NO)


@pytest.mark.parametrize(("outcome", "chance", "state"), [
    (NO, KEPT, "decided"),
    (NO, DRAWN, "second_review"),
    (BURGLARY, DRAWN, "second_review"),
    (UNSURE, KEPT, "second_review"),
])  # fmt: skip
def test_a_share_and_every_cannot_say_are_read_twice(outcome: Outcome, chance: float, state: str) -> None:
    matter = Matter().decided("ann", outcome, chance=chance)
    assert matter.state == state
    assert matter.events[-1].drawn == (chance == DRAWN)
    assert matter.review().outcome is None


def test_the_share_of_second_reviews_may_be_none_or_all() -> None:
    for share, state in ((0.0, "decided"), (1.0, "second_review")):
        for chance in (0.0, 0.999999):
            matter = Matter(replace(RULES, second_review_share=share))
            assert matter.decided("ann", NO, chance=chance).state == state


def test_nobody_reviews_their_own_decision() -> None:
    matter = in_state("second_review")
    with pytest.raises(PermissionDeniedError, match="decided first"):
        matter.do("ann", "claim")
    with pytest.raises(PermissionDeniedError, match="whoever has claimed"):
        matter.do("bob", "decide", NO)
    matter.do("bob", "claim")
    with pytest.raises(PermissionDeniedError, match="someone else"):
        matter.do("reg", "claim")
    matter.do("bob", "decide", NO)
    review = matter.review()
    assert review.first is not None
    assert review.second is not None
    assert (review.first.actor, review.second.actor) == ("ann", "bob")
    assert review.decided_by("ann")
    assert review.decided_by("bob")
    assert not review.decided_by("reg")


def test_a_second_reader_may_let_go_or_lose_the_claim() -> None:
    for let_go in ("release", "lapse"):
        matter = in_state("second_review")
        matter.do("bob", "claim")
        if let_go == "release":
            matter.do("bob", "release")
        matter.later(minutes=45 if let_go == "lapse" else 0)
        assert (matter.state, matter.review().holder) == ("second_review", "")
        with pytest.raises(PermissionDeniedError):
            matter.do("bob", "release")
        matter.do("reg", "claim")


def test_two_who_agree_close_it_and_two_who_differ_dispute_it() -> None:
    agreed = in_state("second_review").decided("bob", Outcome("no", values={"notes": "civil"}))
    assert (agreed.state, agreed.review().outcome) == ("closed", NO)
    families = Matter().decided("ann", BURGLARY, chance=DRAWN)
    assert families.decided("bob", Outcome("yes", (FoundCrime("theft"),))).state == "disputed"
    assert families.review().outcome is None
    assert pairs([agreed.review(), families.review(), Matter().review()]) == [
        (agreed.events[1], agreed.events[3]),
        (families.events[1], families.events[3]),
    ]


def test_the_ruling_is_the_registrars_and_final() -> None:
    matter = in_state("disputed")
    for other in ("ann", "bob", "viv", "adm"):
        with pytest.raises(PermissionDeniedError, match="rule is for registrar"):
            matter.do(other, "rule", NO)
    ruling = matter.do("reg", "rule", BURGLARY)
    assert (matter.state, matter.review().outcome, matter.review().ruling) == ("closed", BURGLARY, ruling)
    with pytest.raises(ConflictError):
        matter.do("reg", "rule", NO)


def test_a_correction_is_a_new_event_by_whoever_decided() -> None:
    matter = in_state("decided")
    first = matter.events[-1]
    for other in ("bob", "reg"):
        with pytest.raises(PermissionDeniedError, match="corrected by whoever made it"):
            matter.do(other, "correct", BURGLARY)
    correction = matter.later(hours=23).do("ann", "correct", BURGLARY)
    assert matter.events[-2:] == [first, correction]
    assert matter.review().first == correction
    assert matter.later(hours=24).review().outcome == BURGLARY
    with pytest.raises(ConflictError, match="closed allows no correct"):
        matter.do("ann", "correct", NO)


def test_a_correction_to_cannot_say_is_read_twice_and_a_drawn_decision_stays_drawn() -> None:
    unsure = in_state("decided")
    assert not unsure.do("ann", "correct", UNSURE).drawn
    assert unsure.state == "second_review"
    unsure.do("ann", "correct", NO)
    assert unsure.state == "second_review"
    drawn = in_state("second_review")
    drawn.do("bob", "claim")
    assert drawn.do("ann", "correct", BURGLARY).drawn
    assert (drawn.state, drawn.review().holder) == ("second_review", "bob")
    drawn.do("bob", "decide", BURGLARY)
    assert drawn.state == "closed"


def test_a_reopened_item_is_read_as_if_anew() -> None:
    matter = in_state("disputed")
    matter.do("reg", "rule", NO)
    matter.do("reg", "reopen")
    review = matter.review()
    assert (review.state, review.first, review.second, review.ruling) == ("reopened", None, None, None)
    assert (review.reopened, review.events) == (True, len(matter.events))
    assert matter.decided("ann", BURGLARY).later(hours=24).review().outcome == BURGLARY


def test_a_page_that_is_behind_is_refused() -> None:
    matter = in_state("claimed")
    # Also one that was shown before anything was done, or that does not say.
    for seen in (2, 0):
        with pytest.raises(ConflictError, match="changed since the page was shown"):
            matter.do("ann", "decide", NO, seen=seen)
    matter.do("ann", "decide", NO, seen=1)


@pytest.mark.parametrize(
    ("act", "outcome"), [("claim", NO), ("reopen", NO), ("decide", None), ("rule", None)]
)
def test_an_outcome_belongs_to_a_decision(act: str, outcome: Outcome | None) -> None:
    state = {"claim": "queued", "reopen": "closed", "decide": "claimed", "rule": "disputed"}[act]
    with pytest.raises(UsageError, match=r"takes no outcome|needs outcome"):
        in_state(state).do("ann" if act in {"claim", "decide"} else "reg", act, outcome)


def test_an_unknown_act_lists_the_known() -> None:
    with pytest.raises(UsageError, match="'delete'") as refused:
        Matter().do("ann", "delete")
    assert "claim, release, decide" in refused.value.mend
    with pytest.raises(UsageError, match="'delete'"):
        may(Matter().review(), "delete", actor="ann", roles={"auditor"})


def test_may_says_what_next_event_does() -> None:
    for state in STATES:
        matter = in_state(state)
        for act in ACTS:
            for actor, role in ROLES.items():
                allowed = may(matter.review(), act, actor=actor, roles={role})
                before = list(matter.events)
                try:
                    matter.do(actor, act, outcomes_for(act)[0])
                    done = True
                except (PermissionDeniedError, ConflictError):
                    done = False
                matter.events = before
                assert allowed == done, (state, act, actor)
