"""The registrar's desk: what waits, disputes side by side, rulings, items read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from triage.desk.doubts import doubted_items
from triage.desk.listing import moment
from triage.desk.reading_view import harmless
from triage.desk.web import desk_audit, desk_feedback
from triage.desk.web.desk import Desk, Person, new_token, person_of
from triage.desk.web.desk_overview import EXPIRED_DAYS, overview
from triage.desk.web.forms import (
    Draft,
    Sent,
    new_draft,
    place_value,
    read_draft,
    seen_of,
    summary,
    taken,
    token_of,
    with_rows,
)
from triage.desk.web.item_pages import form_values
from triage.desk.web.layout import consulted, item_or_404, item_view
from triage.errors import ConflictError, UsageError, known_names
from triage.language.offences import FAMILIES, TITLES
from triage.review.agreement import PAIR_ITEMS_LEAST
from triage.review.decisions import Review, ReviewEvent, check_act, may
from triage.review.outcomes import Outcome, crime_fields, item_fields
from triage.store import Item

#: Why a registrar wants an item read again: the code that the audit event keeps, and what it means.
REOPEN_REASONS: Mapping[str, str] = {
    "never_read": "Nobody read it in time",
    "new_information": "Something became known that was not when it was decided",
    "mistake": "It was decided by mistake",
    "challenged": "The team or its supervisor challenges the outcome",
    "quality_check": "A check of how items are decided",
}
NOT_ANSWERED = "Not answered"


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of decisions side by side; ``differs`` says whether they are not all the same."""

    label: str
    answers: tuple[str, ...]
    differs: bool


def router(desk: Desk) -> APIRouter:
    """Return the registrar's pages: the desk, disputes, rulings, feedback and the audit events."""
    pages = APIRouter()
    pages.include_router(desk_feedback.router(desk))
    pages.include_router(desk_audit.router(desk))

    @pages.get("/desk")
    def overview_page(request: Request) -> Response:
        person = person_of(request)
        person.require("see_desk")
        return desk.page(
            request,
            "desk.html",
            shown=overview(desk.store, desk.now(), desk.rules, doubted_items(desk.settings)),
            reasons_to_reopen=REOPEN_REASONS,
            new_token=new_token,
            moment=moment,
            titles=TITLES,
            answers=item_fields()[0].choices,
            expired_days=EXPIRED_DAYS,
            pair_items_least=PAIR_ITEMS_LEAST,
        )

    @pages.get("/desk/disputes/{item_id}")
    def dispute(request: Request, item_id: str) -> Response:
        person = person_of(request)
        person.require("see_desk")
        item = item_or_404(desk.store, item_id)
        review = desk.store.review(item_id, desk.now(), desk.rules)
        start = {"first": review.first, "second": review.second}.get(request.query_params.get("take", ""))
        draft = new_draft(review.events, start.outcome if start else None)
        return _dispute_page(desk, request, person, item, review, draft)

    @pages.post("/items/{item_id}/rule")
    def rule(request: Request, item_id: str, form: Sent) -> Response:
        person = person_of(request)
        person.require("see_desk")
        item = item_or_404(desk.store, item_id)
        draft = read_draft(form)
        review = desk.store.review(item_id, desk.now(), desk.rules)
        if "more" in form:
            return _dispute_page(desk, request, person, item, review, with_rows(draft, len(draft.crimes) + 1))
        texts, row = desk.store.texts(item_id), desk.store.place_of(item_id)
        view = item_view(item, texts, row, zone=desk.settings.zone, now=desk.now())
        outcome, draft = taken(draft, view.offered | _named(review))
        if outcome is None:
            return _dispute_page(desk, request, person, item, review, draft, status=422)
        desk.store.act(
            item_id,
            "rule",
            actor=person.name,
            roles=person.roles,
            at=desk.now(),
            token=draft.token,
            seen=draft.seen,
            outcome=outcome,
            rules=desk.rules,
        )
        return RedirectResponse("/desk", 303)

    @pages.post("/items/{item_id}/reopen")
    def reopen(request: Request, item_id: str, form: Sent) -> Response:
        person = person_of(request)
        item_or_404(desk.store, item_id)
        token, seen, reason = token_of(form), seen_of(form), form.get("reason", "")
        if reason not in REOPEN_REASONS:
            review = desk.store.review(item_id, desk.now(), desk.rules)
            check_act(review, "reopen", actor=person.name, roles=person.roles)
            raise UsageError(
                known_names(harmless(reason)[:40], REOPEN_REASONS) if reason else "a reason is needed",
                where="reason",
                mend="go back and choose why it is to be read again",
            )
        desk.store.act(
            item_id,
            "reopen",
            actor=person.name,
            roles=person.roles,
            at=desk.now(),
            token=token,
            seen=seen,
            rules=desk.rules,
            details={"reason": reason},
        )
        return RedirectResponse("/desk", 303)

    return pages


def _dispute_page(
    desk: Desk, request: Request, person: Person, item: Item, review: Review, draft: Draft, status: int = 200
) -> Response:
    """Return the page of a dispute or a closed item; one that is still read blind is refused."""
    if review.state not in ("disputed", "closed"):
        raise ConflictError(
            f"an item that is {review.state.replace('_', ' ')} has no decisions to compare",
            where=item.item_id,
            mend="it appears here when two people have decided it differently, or when it is closed",
        )
    given = [each for each in (review.first, review.second, review.ruling) if each is not None]
    view = consulted(desk, person, item, "dispute")
    words = {clause.value: clause.label for part in view.parts for clause in part.clauses}
    words |= {place.value: place.words for place in view.places}
    return desk.page(
        request,
        "desk_dispute.html",
        status,
        view=view,
        review=review,
        heads=[_head(each, review, desk) for each in given],
        compared=compared(given, words),
        own=review.decided_by(person.name),
        draft=with_rows(draft, 0),
        problems=summary(draft),
        may_rule=may(review, "rule", actor=person.name, roles=person.roles),
        may_reopen=may(review, "reopen", actor=person.name, roles=person.roles),
        reasons_to_reopen=REOPEN_REASONS,
        reopen_token=new_token(),
        **form_values(view, extra=_named(review)),
    )


def _named(review: Review) -> frozenset[str]:
    """Return the places that the two readers named, as a form names them."""
    return frozenset(
        place_value(crime)
        for each in (review.first, review.second)
        if each is not None and each.outcome is not None
        for crime in each.outcome.crimes
        if crime.part
    )


def _head(event: ReviewEvent, review: Review, desk: Desk) -> tuple[str, str, str]:
    turn = "First decision" if event is review.first else "Second decision"
    return (
        "Ruling" if event is review.ruling else turn,
        harmless(event.actor),
        moment(event.at, desk.settings.zone),
    )


def compared(
    events: Sequence[ReviewEvent], words: Mapping[str, str] = MappingProxyType({})
) -> tuple[Compared, ...]:
    """Return decisions side by side: one line for each thing that any of them answered.

    Crimes are compared family by family, in whatever order they were entered.

    Parameters
    ----------
    events : sequence of ReviewEvent
        Decisions, one a column.
    words : mapping of str to str
        How a form names a place, to the words that stand there.

    >>> from datetime import UTC, datetime
    >>> one, two = (ReviewEvent("i", 1, datetime.now(UTC), "a", "decide", "t", Outcome(said))
    ...             for said in ("no", "cannot_say"))
    >>> compared([one, two])[0].answers, compared([one, two])[0].differs
    (('No', 'Cannot say'), True)
    """
    outcomes = [each.outcome for each in events if each.outcome is not None]
    first, *others = item_fields()
    lines = [(first.label, tuple(first.choices[each.disclosed] for each in outcomes))]
    named = frozenset().union(*(each.families for each in outcomes))
    for family in (each for each in FAMILIES if each in named):
        lines.append((f"Crime: {TITLES[family]}", tuple(_crimes(each, family, words) for each in outcomes)))
    for asked in others:
        answers = tuple(each.values.get(asked.name, "") for each in outcomes)
        if any(answers):
            shown = tuple(asked.choices.get(each, each) or NOT_ANSWERED for each in answers)
            lines.append((asked.label, shown))
    return tuple(Compared(label, answers, len(set(answers)) > 1) for label, answers in lines)


def _crimes(outcome: Outcome, family: str, words: Mapping[str, str]) -> str:
    """Return the crimes of one family that an outcome holds, for reading."""
    told = []
    for crime in outcome.crimes:
        if crime.family != family:
            continue
        details = [
            f"{asked.label}: {asked.choices.get(value, value)}"
            for asked in crime_fields()
            if (value := crime.values.get(asked.name))
        ]
        if crime.part:
            place = words.get(place_value(crime), "")
            details.append(f"Part {crime.part}" + (f": “{place}”" if place else ""))
        told.append("; ".join(details) or "Yes")
    return " · ".join(told) or "Not named"
