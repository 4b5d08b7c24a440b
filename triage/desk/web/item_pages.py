"""One item: its record, why it is here, and the form of a decision or of its correction."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from triage.desk.item_page import CLOSING_SENTENCE
from triage.desk.listing import moment
from triage.desk.web.desk import Desk, Person, new_token, person_of
from triage.desk.web.forms import (
    Draft,
    Sent,
    new_draft,
    outcome_lines,
    place_value,
    read_draft,
    seen_of,
    summary,
    taken,
    token_of,
    with_rows,
)
from triage.desk.web.layout import ItemView, consulted, item_or_404, item_view
from triage.desk.web.queue_pages import KEYS, highlights_of, opened, state_words
from triage.errors import ConflictError, PermissionDeniedError, UserError
from triage.language.offences import FAMILIES, TITLES
from triage.review.decisions import Review, ReviewEvent, check_act, may
from triage.review.outcomes import CRIMES_MOST, Outcome, crime_fields, item_fields
from triage.store import Item

#: States in which whoever may see arms sees the item's arm and score: nobody is to decide it any more.
_DECIDED = ("disputed", "closed")


def router(desk: Desk) -> APIRouter:
    """Return the pages of an item."""
    pages = APIRouter()

    @pages.get("/items/{item_id}")
    def show(request: Request, item_id: str) -> Response:
        person = person_of(request)
        person.require("see_record")
        return _page(desk, request, person, item_or_404(desk.store, item_id))

    @pages.post("/items/{item_id}/claim")
    def claim(request: Request, item_id: str, form: Sent) -> Response:
        person = person_of(request)
        item = item_or_404(desk.store, item_id)
        _act(desk, person, item, "claim", form)
        if "crime_disclosed" in form or "crimes-0-family" in form:
            # What was typed before the claim ended: it goes on under a token of its own.
            seen = desk.store.review(item_id, desk.now(), desk.rules).events
            draft = replace(read_draft(form), token=new_token(), seen=seen)
            return _page(desk, request, person, item, form=form, draft=with_rows(draft, 0))
        off = "?highlights=off" if highlights_of(form) == "off" else ""
        return RedirectResponse(f"/items/{item_id}{off}", 303)

    @pages.post("/items/{item_id}/release")
    def release(request: Request, item_id: str, form: Sent) -> Response:
        person = person_of(request)
        _act(desk, person, item_or_404(desk.store, item_id), "release", form)
        return RedirectResponse("/queue", 303)

    @pages.post("/items/{item_id}/decide")
    def decide(request: Request, item_id: str, form: Sent) -> Response:
        return _decide(desk, request, item_id, "decide", form)

    @pages.post("/items/{item_id}/correct")
    def correct(request: Request, item_id: str, form: Sent) -> Response:
        return _decide(desk, request, item_id, "correct", form)

    return pages


def own_decision(review: Review, person: Person) -> ReviewEvent | None:
    """Return the decision of an item that a person gave, None if they gave none; never another's."""
    made = (review.second, review.first)
    return next((each for each in made if each is not None and each.actor == person.name), None)


def _act(
    desk: Desk,
    person: Person,
    item: Item,
    act: str,
    form: Mapping[str, str],
    outcome: Outcome | None = None,
    seen: int | None = None,
) -> None:
    desk.store.act(
        item.item_id,
        act,
        actor=person.name,
        roles=person.roles,
        at=desk.now(),
        token=token_of(form),
        rules=desk.rules,
        # A claim or release that came late says so by the state: only an outcome rests on what was shown.
        seen=seen,
        outcome=outcome,
        chance=secrets.SystemRandom().random(),
    )


def _decide(desk: Desk, request: Request, item_id: str, act: str, form: Mapping[str, str]) -> Response:
    """Take a decision or a correction, or show the form again with all that is wrong with it."""
    person = person_of(request)
    item = item_or_404(desk.store, item_id)
    person.require("see_record")
    draft = read_draft(form)
    review = desk.store.review(item_id, desk.now(), desk.rules)
    if "more" in form:
        rows = with_rows(draft, len(draft.crimes) + 1)
        return _page(desk, request, person, item, form=form, draft=rows, act=act)
    outcome, checked = taken(draft, _offered(desk, item, review, person))
    try:
        if outcome is None:
            check_act(review, act, actor=person.name, roles=person.roles)
            shown = with_rows(checked, 0)
            return _page(desk, request, person, item, form=form, draft=shown, act=act, status=422)
        _act(desk, person, item, act, form, outcome, seen_of(form))
    except (ConflictError, PermissionDeniedError) as refused:
        shown = with_rows(checked, 0)
        return _page(desk, request, person, item, form=form, draft=shown, act=act, refused=refused)
    if form.get("then") == "next":
        return opened(desk, person, token=new_token(), after=item_id, highlights=highlights_of(form))
    return RedirectResponse("/queue", 303)


def _offered(desk: Desk, item: Item, review: Review, person: Person) -> Collection[str]:
    """Return the places that a form of this item may name: those shown, and those named before."""
    row = desk.store.place_of(item.item_id)
    texts = desk.store.texts(item.item_id)
    view = item_view(item, texts, row, zone=desk.settings.zone, now=desk.now())
    return view.offered | _named_before(review, person)


def _named_before(review: Review, person: Person) -> frozenset[str]:
    own = own_decision(review, person)
    crimes = own.outcome.crimes if own is not None and own.outcome is not None else ()
    return frozenset(value for value in map(place_value, crimes) if value)


def _page(
    desk: Desk,
    request: Request,
    person: Person,
    item: Item,
    *,
    form: Mapping[str, str] | None = None,
    draft: Draft | None = None,
    act: str = "",
    status: int = 200,
    refused: UserError | None = None,
) -> Response:
    """Return the page of an item; with ``form``, again after it was sent."""
    asked = request.query_params if form is None else form
    view = consulted(desk, person, item, "item" if form is None else "form")
    now = desk.now()
    review = desk.store.review(item.item_id, now, desk.rules)
    acts = {
        name: may(review, name, actor=person.name, roles=person.roles)
        for name in ("claim", "release", "decide", "correct")
    }
    own = own_decision(review, person)
    correcting = acts["correct"] and (act == "correct" or ("correct" in asked and form is None))
    if draft is None and correcting and own is not None:
        draft = new_draft(review.events, own.outcome)
    elif draft is None and acts["decide"]:
        draft = new_draft(review.events)
    told = refused.what if refused else ""
    settled = review.state in _DECIDED or own is not None
    return desk.page(
        request,
        "item.html",
        refused.http_status if refused else status,
        view=view,
        review=review,
        state=state_words(review),
        held_until=moment(review.held_until, desk.settings.zone) if review.held_until else "",
        acts=acts,
        act="correct" if act == "correct" or correcting else "decide",
        draft=draft,
        told=told,
        summary=summary(draft) if draft is not None else (),
        own=outcome_lines(own.outcome) if own is not None and own.outcome is not None else (),
        stands=_outcome_that_stands(review, person, own),
        arm=(item.arm, f"{item.score_01:.3f}") if settled and person.has("see_arms") else None,
        highlights=_highlights(desk, item, asked),
        said_highlights=highlights_of(asked),
        tokens={name: new_token() for name in ("claim", "release", "next")},
        closing=CLOSING_SENTENCE,
        keys=KEYS,
        **form_values(view, extra=_named_before(review, person)),
    )


def form_values(view: ItemView, extra: Collection[str] = ()) -> dict[str, object]:
    """Return what the template of an outcome's form needs beside its draft."""
    return {
        "item_fields": item_fields(),
        "crime_fields": crime_fields(),
        "families": [(name, TITLES[name]) for name in FAMILIES],
        "crimes_most": CRIMES_MOST,
        "places": view.places,
        "clauses": [(part, part.clauses) for part in view.parts if part.clauses],
        "before": sorted(set(extra) - view.offered),
    }


def _outcome_that_stands(
    review: Review, person: Person, own: ReviewEvent | None
) -> tuple[tuple[str, str], ...]:
    """Return the outcome of a closed item, for those who gave one of its decisions, and the registrar."""
    shown = review.outcome if own is not None or person.has("see_desk") else None
    return outcome_lines(shown) if shown is not None else ()


def _highlights(desk: Desk, item: Item, asked: Mapping[str, str]) -> bool:
    said = highlights_of(asked)
    if said:
        return said == "on"
    return item.arm != "control" or desk.settings.control_highlights
