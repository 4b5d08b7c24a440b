"""The state of an item's review, folded from what was done, and what may be done next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from triage.errors import ConflictError, PermissionDeniedError, UsageError
from triage.review.outcomes import Outcome, agree, label_version
from triage.review.permissions import ACTS, roles_that_may
from triage.settings import Settings

#: Acts that carry an outcome.
DECIDING = ("decide", "correct", "rule")


@dataclass(frozen=True, slots=True)
class ReviewRules:
    """How long things last, and how much is read twice.

    ``claim_minutes`` is how long a claim holds without a decision, ``correction_hours`` how long a decision
    may be corrected, ``carry_over_days`` how long an item waits, ``second_review_share`` in [0, 1] the share
    of decisions that a second auditor reads blind; "cannot say" always is.
    """

    claim_minutes: float
    correction_hours: float
    carry_over_days: float
    second_review_share: float


def review_rules(settings: Settings) -> ReviewRules:
    """Return the rules of the review that a force has set."""
    return ReviewRules(
        claim_minutes=settings.claim_minutes,
        correction_hours=settings.correction_hours,
        carry_over_days=settings.carry_over_days,
        second_review_share=settings.second_review_share,
    )


@dataclass(frozen=True, slots=True)
class ReviewEvent:
    """One act on one item, as it is kept for good.

    ``number`` counts the item's events from 1. ``drawn`` says that a first decision was drawn for a second
    review; ``hold_minutes`` is how long a claim holds. ``token`` is unique: the same form sent twice is one
    act. ``label_version`` is that of the code book of its outcome, empty where it has none.
    """

    item_id: str
    number: int
    at: datetime
    actor: str
    act: str
    token: str
    outcome: Outcome | None = None
    drawn: bool = False
    hold_minutes: float = 0.0
    label_version: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """Where an item stands.

    ``holder`` has claimed it, empty for nobody, until ``held_until``. ``first`` and ``second`` are the
    decisions that count (of several by one person the last), ``ruling`` the registrar's; ``events`` is how
    many events there are. ``reopened`` says that it was closed or expired before.
    """

    item_id: str
    queued_at: datetime
    state: str = "queued"
    holder: str = ""
    held_until: datetime | None = None
    first: ReviewEvent | None = None
    second: ReviewEvent | None = None
    ruling: ReviewEvent | None = None
    reopened: bool = False
    events: int = 0

    @property
    def outcome(self) -> Outcome | None:
        """The outcome that counts: the ruling, else what the readers agree on, None until it is closed."""
        if self.state != "closed":
            return None
        last = self.ruling or self.first
        return last.outcome if last else None

    def decided_by(self, actor: str) -> bool:
        """Return whether a person gave one of the decisions that count."""
        return any(each is not None and each.actor == actor for each in (self.first, self.second))


def review_of(
    item_id: str,
    queued_at: datetime,
    events: Iterable[ReviewEvent],
    now: datetime,
    rules: ReviewRules,
    *,
    night: datetime,
) -> Review:
    """Return where an item stands at a moment, from all that was done to it, in order.

    ``night`` is the as-of moment of the queue that stands: an item leaves when a later queue leaves it out,
    not while nobody has published another.
    """
    review = Review(item_id, queued_at)
    for event in events:
        review = _after(_passed(review, event.at, rules), event)
    review = _passed(review, now, rules)
    if review.state == "queued" and night > review.queued_at + timedelta(days=rules.carry_over_days):
        return replace(review, state="expired")
    return review


def next_event(
    review: Review,
    act: str,
    *,
    actor: str,
    roles: Collection[str],
    at: datetime,
    token: str,
    seen: int | None = None,
    outcome: Outcome | None = None,
    chance: float = 1.0,
    rules: ReviewRules,
) -> ReviewEvent:
    """Return the event of an act, if it may be done.

    Parameters
    ----------
    review : Review
        Where the item stands at ``at``.
    act : str
        A name of ``states.toml``.
    actor, roles : str, collection of str
        Who acts, and as what.
    at : datetime
        The moment, aware.
    token : str
        Unique to the form that was sent.
    seen : int, optional
        How many events the actor's page showed; None to act on whatever stands.
    outcome : Outcome, optional
        For a decision, a correction or a ruling.
    chance : float
        A random number in [0, 1); below the share a first decision is drawn for a second review.
    rules : ReviewRules
        Of the force.

    Raises
    ------
    PermissionDeniedError
        If the role, or this person, may not do it.
    ConflictError
        If the item's state does not allow it, or it has changed since the page was shown.
    UsageError
        If the act is unknown, or its outcome missing or not wanted.
    """
    check_act(review, act, actor=actor, roles=roles)
    if seen is not None and seen != review.events:
        raise ConflictError(
            "the item has changed since the page was shown", where=review.item_id, mend="open it again"
        )
    if (outcome is not None) != (act in DECIDING):
        raise UsageError(
            f"{act} {'needs' if act in DECIDING else 'takes no'} outcome",
            where=review.item_id,
            mend="send it so",
        )
    first = act == "decide" and review.state == "claimed"
    drawn_before = act == "correct" and review.first is not None and review.first.drawn
    return ReviewEvent(
        item_id=review.item_id,
        number=review.events + 1,
        at=at,
        actor=actor,
        act=act,
        token=token,
        outcome=outcome,
        drawn=drawn_before or (first and chance < rules.second_review_share),
        hold_minutes=rules.claim_minutes if act == "claim" else 0.0,
        label_version=label_version() if outcome is not None else "",
    )


def check_act(review: Review, act: str, *, actor: str, roles: Collection[str]) -> None:
    """Pass if an act may be done to an item as it stands; see ``next_event``."""
    if act not in ACTS:
        raise UsageError(f"no act is named {act!r}", where=review.item_id, mend=f"known: {', '.join(ACTS)}")
    if set(roles).isdisjoint(ACTS[act].roles):
        raise PermissionDeniedError(
            f"{act} is for {' and '.join(roles_that_may(act))}", where=review.item_id, mend="ask one of them"
        )
    if review.state not in ACTS[act].moves:
        raise ConflictError(
            f"an item that is {review.state.replace('_', ' ')} allows no {act}",
            where=review.item_id,
            mend="open it again to see where it stands",
        )
    problem = _not_for(review, act, actor, roles)
    if problem:
        raise PermissionDeniedError(
            problem, where=review.item_id, mend="leave it to them, or ask the registrar"
        )


def may(review: Review, act: str, *, actor: str, roles: Collection[str]) -> bool:
    """Return whether an act may be done to an item as it stands."""
    try:
        check_act(review, act, actor=actor, roles=roles)
    except (PermissionDeniedError, ConflictError):
        return False
    return True


def _not_for(review: Review, act: str, actor: str, roles: Collection[str]) -> str:
    """Return why this person, whatever the role, may not do it; empty if they may."""
    first = review.first.actor if review.first else ""
    if act == "claim" and review.state == "second_review":
        if actor == first:
            return "whoever decided first does not review it"
        if review.holder and review.holder != actor:
            return "someone else has claimed it"
    if act == "release" and review.holder != actor and "registrar" not in roles:
        return "someone else has claimed it"
    if act == "release" and not review.holder:
        return "nobody has claimed it"
    if act == "decide" and review.holder != actor:
        return "it is decided by whoever has claimed it"
    if act == "correct" and first != actor:
        return "a decision is corrected by whoever made it"
    return ""


def _passed(review: Review, now: datetime, rules: ReviewRules) -> Review:
    """Return the review after what happens by itself with time."""
    if review.holder and review.held_until is not None and now >= review.held_until:
        review = _let_go(review)
    stands_after = timedelta(hours=rules.correction_hours)
    if review.state == "decided" and review.first is not None and now >= review.first.at + stands_after:
        review = replace(review, state="closed")
    return review


def _let_go(review: Review) -> Review:
    waiting = "reopened" if review.reopened else "queued"
    state = waiting if review.state == "claimed" else review.state
    return replace(review, state=state, holder="", held_until=None)


def _after(review: Review, event: ReviewEvent) -> Review:
    """Return the review after an event that was allowed when it was written."""
    review = replace(review, events=event.number)
    if event.act == "claim":
        state = "second_review" if review.state == "second_review" else "claimed"
        until = event.at + timedelta(minutes=event.hold_minutes)
        return replace(review, state=state, holder=event.actor, held_until=until)
    if event.act == "release":
        return _let_go(review)
    if event.act == "reopen":
        return replace(
            Review(review.item_id, review.queued_at, events=event.number), state="reopened", reopened=True
        )
    if event.act == "rule":
        return replace(review, state="closed", ruling=event)
    if event.act == "decide" and review.first is not None:
        same = _agree(review.first, event)
        return replace(_let_go(review), state="closed" if same else "disputed", second=event)
    read_twice = event.drawn or (event.outcome is not None and event.outcome.disclosed == "cannot_say")
    state = "second_review" if read_twice or review.state == "second_review" else "decided"
    held = review if event.act == "correct" else replace(review, holder="", held_until=None)
    return replace(held, state=state, first=event)


def _agree(one: ReviewEvent, other: ReviewEvent) -> bool:
    return one.outcome is not None and other.outcome is not None and agree(one.outcome, other.outcome)


def pairs(reviews: Sequence[Review]) -> list[tuple[ReviewEvent, ReviewEvent]]:
    """Return first and second decisions of the items that two people read."""
    return [(each.first, each.second) for each in reviews if each.first and each.second]
