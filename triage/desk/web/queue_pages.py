"""Tonight's queue: what waits, who has it, how far it is, and the way to the next item."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from triage.desk.listing import age, moment
from triage.desk.reading_view import harmless
from triage.desk.web.desk import Desk, Person, new_token, person_of
from triage.desk.web.forms import Sent, token_of
from triage.desk.web.layout import source_words
from triage.errors import ConflictError, PermissionDeniedError, UsageError, known_names
from triage.language.offences import FAMILIES, TITLES
from triage.ranking.allocation import ARMS
from triage.reading.records import RECORD_TABLES
from triage.review.decisions import Review, may
from triage.review.permissions import STATES
from triage.store import Item, QueueRow

#: Ages to choose from: name to its words, and days from and to.
AGES: Mapping[str, tuple[str, float, float]] = {
    "new": ("up to 2 days", 0, 2),
    "week": ("2 to 7 days", 2, 7),
    "older": ("more than 7 days", 7, float("inf")),
}
#: What the keys do; the script holds the same.
KEYS = (
    ("j", "next place"),
    ("k", "previous place"),
    ("1 to 9", "this family is disclosed and not recorded; again: take it back"),
    ("c", "clear: no crime"),
    ("u", "cannot say"),
    ("Enter", "save and go to the next item"),
    ("n", "next item, without a decision"),
    ("r", "release the item"),
    ("?", "show or hide this list"),
)
#: States of items of earlier nights that still wait for somebody.
_WAITING = ("claimed", "second_review", "reopened")
_DONE = ("decided", "second_review", "disputed", "closed")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the queue; ``row`` is its place tonight, None for an item of an earlier night."""

    item: Item
    review: Review
    row: QueueRow | None
    now: datetime
    place: str
    record_ref: str
    source: str
    opened: str
    age: str
    families: tuple[str, ...]
    state: str
    holder: str
    mine: bool


def state_words(review: Review) -> str:
    """Return the state of an item as people read it.

    >>> from datetime import UTC, datetime
    >>> state_words(Review("0", datetime(2026, 10, 14, tzinfo=UTC), state="second_review"))
    'second review'
    """
    return review.state.replace("_", " ")


def router(desk: Desk) -> APIRouter:
    """Return the pages of the queue."""
    pages = APIRouter()

    @pages.get("/queue")
    def queue(request: Request) -> Response:
        person = person_of(request)
        person.require("see_queue")
        chosen = _chosen(person, request.query_params)
        run = desk.store.latest_run()
        rows, earlier = _rows(desk, person)
        reviews = [each.review for each in rows]
        return desk.page(
            request,
            "queue.html",
            run=run,
            as_of=moment(run.as_of, desk.settings.zone) if run else "",
            rows=[each for each in rows if _fits(each, chosen)],
            earlier=[each for each in earlier if _fits(each, chosen)],
            items=len(rows),
            decided=sum(review.state in _DONE for review in reviews),
            today=_decided_today(desk, person) if person.has("see_own_decisions") else None,
            chosen=chosen,
            filters=_filters(person),
            arms=person.has("see_arms"),
            works=_works(person),
            finished="finished" in request.query_params,
            token=new_token(),
            highlights=highlights_of(request.query_params),
        )

    @pages.post("/queue/next")
    def start(request: Request, form: Sent) -> Response:
        person = person_of(request)
        person.require("see_queue")
        if not _works(person):
            raise PermissionDeniedError("claim is for auditor and registrar", mend="ask one of them")
        return opened(
            desk, person, token=token_of(form), after=form.get("after", ""), highlights=highlights_of(form)
        )

    @pages.get("/keys")
    def keys(request: Request) -> Response:
        return desk.page(request, "keys.html", keys=KEYS, families=[TITLES[name] for name in FAMILIES])

    return pages


def highlights_of(values: Mapping[str, str]) -> str:
    """Return what a request says of highlights: ``on``, ``off``, or nothing.

    >>> highlights_of({"highlights": "off"}), highlights_of({"highlights": "perhaps"})
    ('off', '')
    """
    said = values.get("highlights", "")
    return said if said in ("on", "off") else ""


def opened(desk: Desk, person: Person, *, token: str, after: str, highlights: str) -> Response:
    """Claim the next open item and open it; the queue, if nothing is open for this person.

    ``after`` is the item that the person leaves: the search goes on behind it. Highlights switched off stay
    so; switched on they count for one item, since items of the control arm begin without them.
    """
    found = next_item(desk, person, token=token, after=after)
    if found is None:
        return RedirectResponse("/queue?finished=1", 303)
    return RedirectResponse(f"/items/{found}{'?highlights=off' if highlights == 'off' else ''}", 303)


def next_item(desk: Desk, person: Person, *, token: str, after: str = "") -> str | None:
    """Claim the next open item for a person and return its id, None if there is none.

    First come tonight's items in their order, beginning behind ``after``, then those of earlier nights that
    wait for a reader. An item that the person has claimed here already counts as open; one that stands in a
    workbook does not.
    """
    now, rules = desk.now(), desk.rules
    run, known = desk.store.latest_run(), set[str]()
    if run is not None:
        reviews = desk.store.reviews_open(run.run_id, now, rules)
        order = desk.store.order(run.run_id)
        start = order.index(after) + 1 if after in order else 0
        known = set(order)
        behind = (*order[start:], *order[:start])
        tonight = [reviews[item_id] for item_id in behind if item_id in reviews and item_id != after]
        found = _claimed(desk, person, tonight, token)
        if found is not None:
            return found
    earlier = [each for each in _earlier(desk, known) if each.item_id != after]
    return _claimed(desk, person, earlier, token)


def _claimed(desk: Desk, person: Person, reviews: Sequence[Review], token: str) -> str | None:
    for review in reviews:
        if _held_here(desk, person, review):
            return review.item_id
        if not may(review, "claim", actor=person.name, roles=person.roles):
            continue
        try:
            desk.store.act(
                review.item_id,
                "claim",
                actor=person.name,
                roles=person.roles,
                at=desk.now(),
                token=token,
                rules=desk.rules,
            )
        except (ConflictError, PermissionDeniedError):
            # Somebody was quicker: the same person, with a form sent twice, or another: then try the next.
            if not _held_here(desk, person, desk.store.review(review.item_id, desk.now(), desk.rules)):
                continue
        return review.item_id
    return None


def _held_here(desk: Desk, person: Person, review: Review) -> bool:
    if review.holder != person.name or review.held_until is None:
        return False
    # A workbook holds its items for days, a page for no longer than this.
    return review.held_until - desk.now() <= timedelta(minutes=desk.settings.claim_minutes)


def _earlier(desk: Desk, tonight: Collection[str]) -> list[Review]:
    """Return items of earlier nights that wait for somebody, the longest waiting first."""
    unsettled = desk.store.reviews_unsettled(desk.now(), desk.rules)
    waiting = [each for each in unsettled.values() if each.state in _WAITING and each.item_id not in tonight]
    return sorted(waiting, key=lambda each: (each.queued_at, each.item_id))


def _works(person: Person) -> bool:
    return not person.roles.isdisjoint(("auditor", "registrar"))


def _rows(desk: Desk, person: Person) -> tuple[list[Row], list[Row]]:
    """Return tonight's lines, and those of earlier nights that wait for somebody."""
    run = desk.store.latest_run()
    if run is None:
        return [], []
    reviews = desk.store.reviews_of_run(run.run_id, desk.now(), desk.rules)
    tonight = [
        _row(desk, person, row.item, reviews[row.item.item_id], row) for row in desk.store.queue(run.run_id)
    ]
    waiting = ((each, desk.store.item(each.item_id)) for each in _earlier(desk, reviews.keys()))
    return tonight, [_row(desk, person, item, review, None) for review, item in waiting if item is not None]


def _row(desk: Desk, person: Person, item: Item, review: Review, row: QueueRow | None) -> Row:
    return Row(
        item=item,
        review=review,
        row=row,
        now=desk.now(),
        place=str(row.position) if row else "",
        record_ref=harmless(item.record_ref),
        source=source_words(item.source),
        opened=moment(item.opened_at, desk.settings.zone),
        age=age(item.opened_at, desk.now()),
        families=tuple(TITLES.get(name, name) for name in (row.families if row else item.families)),
        state=state_words(review),
        holder=review.holder,
        mine=review.holder == person.name or review.decided_by(person.name),
    )


def _decided_today(desk: Desk, person: Person) -> int:
    zone = desk.settings.zone
    today = desk.now().astimezone(zone).date()
    made = desk.store.decisions_of(person.name)
    return len({each.item_id for each in made if each.at.astimezone(zone).date() == today})


def _filters(person: Person) -> dict[str, dict[str, str]]:
    """Return what can be filtered: a parameter's name to its values and their words."""
    filters = {
        "source": {name: source_words(name) for name in RECORD_TABLES},
        "family": {name: TITLES[name] for name in FAMILIES},
        "age": {name: words for name, (words, _, _) in AGES.items()},
        "state": {name: name.replace("_", " ") for name in STATES},
        "mine": {"1": "only mine"},
    }
    return filters | ({"arm": {name: name for name in ARMS}} if person.has("see_arms") else {})


def _chosen(person: Person, asked: Mapping[str, str]) -> dict[str, str]:
    """Return the filters of an address; one that is not offered, or not to this person, is refused."""
    if "arm" in asked:
        person.require("see_arms")
    chosen = {name: asked.get(name, "") for name in _filters(person)}
    for name, known in _filters(person).items():
        if chosen[name] and chosen[name] not in known:
            raise UsageError(
                f"{name}: {known_names(chosen[name], known)}", where=name, mend="choose one of these"
            )
    return chosen


def _fits(each: Row, chosen: Mapping[str, str]) -> bool:
    """Return whether a line has everything that was chosen."""
    source = each.row or each.item
    days = (each.now - each.item.opened_at) / timedelta(days=1)
    has: dict[str, Collection[str]] = {
        "source": (each.item.source,),
        "family": source.families,
        "state": (each.review.state,),
        "arm": (source.arm,),
        "mine": ("1",) if each.mine else (),
        "age": [name for name, (_, low, high) in AGES.items() if low <= days < high],
    }
    return all(value in has[name] for name, value in chosen.items() if value)
