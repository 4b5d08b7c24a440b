"""The workbook page: take a part of the queue away to be decided offline, and bring it back."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from triage.desk.reading_view import harmless
from triage.desk.web.desk import Desk, person_of
from triage.desk.web.forms import Sent
from triage.desk.workbook import export_workbook
from triage.desk.workbook_file import WorkbookError
from triage.desk.workbook_import import import_workbook
from triage.errors import UsageError

_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MOST_DIGITS = 4


async def uploaded(request: Request) -> tuple[bytes, Mapping[str, str]]:
    """Return the file and the fields of a form with one file; how much is sent the guards have checked."""
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        content = await file.read() if isinstance(file, UploadFile) else b""
        return content, {name: value for name, value in form.items() if isinstance(value, str)}


Uploaded = Annotated[tuple[bytes, Mapping[str, str]], Depends(uploaded)]


def router(desk: Desk) -> APIRouter:
    """Return the pages of the workbook."""
    pages = APIRouter()

    @pages.get("/workbook")
    def workbook(request: Request) -> Response:
        person_of(request).require("export_queue")
        return desk.page(request, "workbook.html", hours=desk.settings.workbook_hours, imported=None, rows=())

    @pages.post("/workbook/export")
    def export(request: Request, form: Sent) -> Response:
        person = person_of(request)
        person.require("export_queue")
        at = desk.now()
        with tempfile.TemporaryDirectory() as folder:
            made = export_workbook(
                desk.store,
                desk.settings,
                Path(folder) / f"audit {at.astimezone(desk.settings.zone):%Y-%m-%d %H%M}.xlsx",
                actor=person.name,
                roles=person.roles,
                at=at,
                rules=desk.rules,
                mine=bool(form.get("mine")),
                limit=_limit(form.get("limit", "")),
            )
            content = made.path.read_bytes()
        return Response(
            content,
            media_type=_TYPE,
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(made.path.name)}"},
        )

    @pages.post("/workbook/import")
    def take_back(request: Request, sent: Uploaded) -> Response:
        person = person_of(request)
        person.require("import_decisions")
        content, form = sent
        if not content:
            raise WorkbookError("no file was chosen", where="the workbook", mend="choose the workbook's file")
        imported = import_workbook(
            desk.store,
            desk.settings,
            content,
            actor=person.name,
            roles=person.roles,
            at=desk.now(),
            rules=desk.rules,
            chance=secrets.SystemRandom().random,
            check=bool(form.get("check")),
        )
        rows = [(fate, harmless(fate.reference)) for fate in imported.fates]
        return desk.page(
            request,
            "workbook.html",
            422 if imported.refused else 200,
            hours=desk.settings.workbook_hours,
            imported=imported,
            rows=rows,
        )

    return pages


def _limit(asked: str) -> int | None:
    asked = asked.strip()
    if not asked:
        return None
    if not asked.isascii() or not asked.isdecimal() or len(asked) > _MOST_DIGITS or not int(asked):
        raise UsageError(
            "the number of items is none", where="limit", mend="give a whole number such as 20, or leave it"
        )
    return int(asked)
