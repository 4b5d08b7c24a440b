"""My decisions, and the search by reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from triage.desk.listing import moment
from triage.desk.reading_view import harmless
from triage.desk.web.desk import Desk, Person, person_of
from triage.desk.web.forms import Sent, outcome_lines
from triage.desk.web.layout import source_words
from triage.desk.web.queue_pages import state_words
from triage.errors import UsageError
from triage.review.decisions import ReviewEvent, may
from triage.store import Item

_PAGE_ROWS = 50
_REFERENCE_CHARACTERS_MAX = 200
#: What a decision is called in the list.
_ACTS = {"decide": "decided", "correct": "corrected", "rule": "ruled"}


@dataclass(frozen=True, slots=True)
class Made:
    """One decision of mine; ``undo`` says that it may still be corrected."""

    item_id: str
    record_ref: str
    source: str
    at: str
    act: str
    said: tuple[tuple[str, str], ...]
    state: str
    undo: bool


@dataclass(frozen=True, slots=True)
class Found:
    """One item with the reference that was looked for."""

    item_id: str
    record_ref: str
    source: str
    opened: str
    queued: str
    state: str


def router(desk: Desk) -> APIRouter:
    """Return the pages of one's own decisions and of the search."""
    pages = APIRouter()

    @pages.get("/mine")
    def mine(request: Request) -> Response:
        person = person_of(request)
        person.require("see_own_decisions")
        made = desk.store.decisions_of(person.name)
        last = max(1, -(-len(made) // _PAGE_ROWS))
        page = _page_number(request.query_params.get("page", "1"), last)
        shown = made[(page - 1) * _PAGE_ROWS : page * _PAGE_ROWS]
        rows = list(_made(desk, person, shown, newest=_newest(made)))
        return desk.page(request, "mine.html", rows=rows, decisions=len(made), number=page, last=last)

    @pages.get("/search")
    def search(request: Request) -> Response:
        person_of(request).require("search")
        return desk.page(request, "search.html", looked=False, reference="", problem="", found=())

    @pages.post("/search")
    def find(request: Request, form: Sent) -> Response:
        person_of(request).require("search")
        reference = form.get("reference", "").strip()
        problem = ""
        if not reference:
            problem = "Enter a reference."
        elif len(reference) > _REFERENCE_CHARACTERS_MAX or not reference.isprintable():
            problem = "Enter a reference as a record has it, on one line."
        found = () if problem else tuple(_found(desk, desk.store.items_of(reference)))
        return desk.page(
            request,
            "search.html",
            422 if problem else 200,
            looked=not problem,
            reference=harmless(reference),
            problem=problem,
            found=found,
        )

    return pages


def _page_number(asked: str, last: int) -> int:
    pages = {str(number) for number in range(1, last + 1)}
    if asked not in pages:
        raise UsageError("there is no such page", where="page", mend=f"pages go from 1 to {last}")
    return int(asked)


def _newest(made: Iterable[ReviewEvent]) -> dict[str, int]:
    """Return the number of the newest decision of each item: the one that a correction replaces."""
    newest: dict[str, int] = {}
    for each in made:
        newest[each.item_id] = max(each.number, newest.get(each.item_id, 0))
    return newest


def _made(
    desk: Desk, person: Person, shown: Iterable[ReviewEvent], *, newest: dict[str, int]
) -> Iterable[Made]:
    for each in shown:
        item = desk.store.item(each.item_id)
        review = desk.store.review(each.item_id, desk.now(), desk.rules)
        if item is None or each.outcome is None:
            continue
        standing = each.number == newest[each.item_id]
        yield Made(
            item_id=each.item_id,
            record_ref=harmless(item.record_ref),
            source=source_words(item.source),
            at=moment(each.at, desk.settings.zone),
            act=_ACTS[each.act],
            said=outcome_lines(each.outcome)[: 1 + len(each.outcome.crimes)],
            state=state_words(review),
            undo=standing and may(review, "correct", actor=person.name, roles=person.roles),
        )


def _found(desk: Desk, items: Iterable[Item]) -> Iterable[Found]:
    zone = desk.settings.zone
    for item in items:
        review = desk.store.review(item.item_id, desk.now(), desk.rules)
        yield Found(
            item_id=item.item_id,
            record_ref=harmless(item.record_ref),
            source=source_words(item.source),
            opened=moment(item.opened_at, zone),
            queued=moment(item.queued_at, zone),
            state=state_words(review),
        )
