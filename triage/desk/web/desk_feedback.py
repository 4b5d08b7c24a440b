"""The feedback list: crimes that nobody recorded, for the teams whose records they were."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from triage.desk.export import Column, Sheet, write_csv
from triage.desk.reading_view import harmless
from triage.desk.web.desk import Desk, person_of
from triage.desk.web.forms import Sent
from triage.errors import UsageError
from triage.language.offences import TITLES
from triage.review.decisions import Review
from triage.review.feedback import Closed, Missed, PartRead, chosen, grouped, missed_crimes, reasons
from triage.store import AuditEvent
from triage.store.rows import Detail

#: Days shown where no day is asked for.
USUAL_DAYS = 28
_MARKED = re.compile(r"[^A-Za-z0-9]+")
COLUMNS = (
    Column("marking", 20, "Security marking of this row."),
    Column("team", 20, "Team of the record."),
    Column("supervisor", 20, "Supervisor of the record."),
    Column("reference", 24, "Reference of the record."),
    Column("source", 18, "Table of the extract that the record came from."),
    Column("families", 34, "Offence families disclosed in it and not recorded."),
    Column("reason not recorded", 40, "Why it was not recorded, as the auditors see it."),
    Column("rationale on the log", 18, "Whether the log says why."),
    Column("supervisor's check", 18, "Whether a supervisor's check is evident."),
    Column("decided", 12, "Day of the decision."),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; empty is any."""

    team: str = ""
    supervisor: str = ""
    since: date | None = None
    until: date | None = None

    @classmethod
    def read(cls, asked: Mapping[str, str], today: date) -> Wanted:
        """Return what a form or a query asks for.

        Raises
        ------
        UsageError
            If a day is none.
        """
        since = _day(asked, "from") if "from" in asked else today - timedelta(days=USUAL_DAYS)
        return cls(_text(asked, "team"), _text(asked, "supervisor"), since, _day(asked, "to"))


def router(desk: Desk) -> APIRouter:
    """Return the feedback pages."""
    pages = APIRouter()

    @pages.get("/desk/feedback")
    def feedback(request: Request) -> HTMLResponse:
        person_of(request).require("see_feedback")
        wanted = Wanted.read(request.query_params, _today(desk))
        every = _missed(desk)
        missed = _chosen(every, wanted)
        return desk.page(
            request,
            "desk_feedback.html",
            wanted=wanted,
            teams=sorted({each.team for each in every}),
            supervisors=sorted({each.supervisor for each in every}),
            missed=missed,
            by_team=grouped(missed, "team"),
            by_supervisor=grouped(missed, "supervisor"),
            reasons=reasons(missed),
            titles=TITLES,
        )

    @pages.post("/desk/feedback/export")
    def export(request: Request, form: Sent) -> Response:
        person = person_of(request)
        person.require("see_feedback")
        wanted = Wanted.read(form, _today(desk))
        missed = _chosen(_missed(desk), wanted)
        now = desk.now()
        content = _csv(missed, desk)
        details: dict[str, Detail] = {
            "rows": len(missed),
            "items": len({each.item_id for each in missed}),
            "format": "csv",
        }
        # Logged before the file leaves: a file without its event must not be.
        desk.store.record(AuditEvent(now, person.name, "disclosure", "feedback", details=details))
        name = f"{_MARKED.sub('-', desk.settings.marking).strip('-')}-feedback-{_today(desk)}.csv"
        return Response(
            content,
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return pages


def _today(desk: Desk) -> date:
    return desk.now().astimezone(desk.settings.zone).date()


def _chosen(missed: tuple[Missed, ...], wanted: Wanted) -> tuple[Missed, ...]:
    return chosen(
        missed, team=wanted.team, supervisor=wanted.supervisor, since=wanted.since, until=wanted.until
    )


def _missed(desk: Desk) -> tuple[Missed, ...]:
    touched = desk.store.reviews_touched(desk.now(), desk.rules)
    return missed_crimes(
        closed for review in touched.values() if (closed := _closed(desk, review)) is not None
    )


def _closed(desk: Desk, review: Review) -> Closed | None:
    """Return a closed item with a missed crime as feedback takes it, None for any other."""
    last = review.ruling or review.second or review.first
    if review.outcome is None or last is None or not review.outcome.crimes:
        return None
    parts = tuple(
        PartRead(harmless(part.record_ref), part.source, harmless(part.team), harmless(part.supervisor_ref))
        for part in desk.store.texts(review.item_id)
    )
    day = last.at.astimezone(desk.settings.zone).date()
    return Closed(review.item_id, parts, review.outcome, day)


def _csv(missed: tuple[Missed, ...], desk: Desk) -> bytes:
    marking = desk.settings.marking
    sheet = Sheet(
        title="Feedback on crimes not recorded",
        marking=marking,
        as_of=desk.now(),
        columns=COLUMNS,
        rows=tuple(
            (
                marking,
                each.team,
                each.supervisor,
                each.reference,
                each.source,
                "; ".join(TITLES[family] for family in each.families),
                *each.answers.values(),
                each.day.isoformat(),
            )
            for each in missed
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feedback.csv"
        write_csv(sheet, path)
        return path.read_bytes()


def _text(asked: Mapping[str, str], name: str) -> str:
    return asked.get(name, "").strip()


def _day(asked: Mapping[str, str], name: str) -> date | None:
    value = _text(asked, name)
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise UsageError("this is no day", where=name, mend="write a day such as 2026-10-31") from None
