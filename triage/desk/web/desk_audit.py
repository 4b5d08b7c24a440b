"""The list of what was done with personal data, and whether it is as it was written."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from triage.desk.listing import moment
from triage.desk.reading_view import harmless
from triage.desk.web.desk import Desk, person_of
from triage.errors import UsageError
from triage.store import ACTIONS, Chained

PAGE_EVENTS = 100
FILTERS = ("actor", "action", "subject")


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it is shown."""

    number: int
    at: str
    actor: str
    action: str
    subject: str
    run_id: str
    details: str


def router(desk: Desk) -> APIRouter:
    """Return the page of the audit events."""
    pages = APIRouter()

    @pages.get("/audit")
    def audit(request: Request) -> HTMLResponse:
        person_of(request).require("see_audit")
        wanted = {name: request.query_params.get(name, "").strip() for name in FILTERS}
        found = [each for each in reversed(desk.store.events()) if _fits(each, wanted)]
        last = max(1, -(-len(found) // PAGE_EVENTS))
        number = _number(request.query_params.get("page", "1"), last)
        shown = found[(number - 1) * PAGE_EVENTS : number * PAGE_EVENTS]

        def link(page: int) -> str:
            kept = {name: value for name, value in wanted.items() if value}
            return f"/audit?{urlencode({**kept, 'page': page})}"

        return desk.page(
            request,
            "audit.html",
            lines=[_line(each, desk) for each in shown],
            found=len(found),
            number=number,
            last=last,
            newer=link(number - 1) if number > 1 else "",
            older=link(number + 1) if number < last else "",
            wanted=wanted,
            actions=ACTIONS,
            chain=desk.store.verify_chain(),
        )

    return pages


def _number(asked: str, last: int) -> int:
    # Not by int(): it reads digits of every script, and as many as there are.
    if asked not in {str(number) for number in range(1, last + 1)}:
        raise UsageError("there is no such page", where="page", mend=f"pages go from 1 to {last}")
    return int(asked)


def _fits(chained: Chained, wanted: dict[str, str]) -> bool:
    event = chained.event
    return (
        wanted["actor"] in ("", event.actor)
        and wanted["action"] in ("", event.action)
        and wanted["subject"] in ("", event.subject)
    )


def _line(chained: Chained, desk: Desk) -> Line:
    event = chained.event
    return Line(
        number=chained.number,
        at=moment(event.at, desk.settings.zone),
        actor=harmless(event.actor),
        action=event.action,
        subject=harmless(event.subject),
        run_id=harmless(event.run_id),
        details=harmless(
            ", ".join(
                f"{name}: {', '.join(value) if isinstance(value, tuple) else value}"
                for name, value in sorted(event.details.items())
            )
        ),
    )
