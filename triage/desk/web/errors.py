"""Pages for what goes wrong: plain words for a person's mistake, a number for ours, never a value."""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.desk.web.desk import Desk
from triage.errors import UserError

_log = logging.getLogger("triage.desk.web")

_WORDS = {
    400: ("the request cannot be read", "go back, load the page again and repeat it"),
    404: ("there is no such page", "start from the queue"),
    405: ("this address does not take such a request", "start from the queue"),
    413: ("more was sent than is taken", "send less: the limits stand in docs/serving.md"),
    422: ("the request does not hold what this page needs", "go back, load the page again and repeat it"),
}


class RequestError(UserError):
    """A request is refused before any page sees it.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : mapping, optional
        Of the answer.
    """

    def __init__(
        self,
        status: int,
        what: str,
        *,
        where: str = "",
        mend: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what, where=where, mend=mend)
        self.http_status = status
        self.headers = dict(headers or {})


def plain_page(
    desk: Desk, request: Request, status: int, what: str, *, where: str = "", mend: str = ""
) -> Response:
    """Return a page that says what, where, and what can be done."""
    return desk.page(request, "error.html", status, what=what, where=where, mend=mend)


def error_page(desk: Desk, request: Request, error: UserError) -> Response:
    """Return the page of a user's error, with its status."""
    page = plain_page(desk, request, error.http_status, error.what, where=error.where, mend=error.mend)
    if isinstance(error, RequestError):
        page.headers.update(error.headers)
    return page


class Errors:
    """Turns every error below it into a page; what a bug leaves in the log holds no value.

    A traceback is logged as places in the source and names of errors: their messages may quote a row.
    """

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app, self._desk = app, desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        request = Request(scope)
        try:
            await self._app(scope, receive, noting)
            return
        except UserError as error:
            page = error_page(self._desk, request, error)
        except Exception as error:
            number = secrets.token_hex(4)
            _log.error("error %s\n%s", number, places_of(error))
            page = plain_page(
                self._desk,
                request,
                500,
                "the program has failed",
                where=f"error {number}",
                mend="repeat it; if it fails again, give the number to whoever looks after these pages",
            )
        # An answer that has begun cannot be taken back: the server then closes the connection.
        if not started:
            await page(scope, receive, send)


def places_of(error: BaseException) -> str:
    """Return where an error arose and what kinds of errors led to it, without their messages."""
    lines: list[str] = []
    known: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in known:
        known.add(id(each))
        lines.append(f"{type(each).__module__}.{type(each).__qualname__}")
        for frame in traceback.extract_tb(each.__traceback__):
            lines.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
        each = each.__cause__ or each.__context__
    return "\n".join(lines)


def add_pages(app: FastAPI, desk: Desk) -> None:
    """Let what the framework refuses by itself be answered by a page, without what was sent."""

    def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 422
        what, mend = _WORDS.get(status, ("the request is refused", "start from the queue"))
        page = plain_page(desk, request, status, what, mend=mend)
        if isinstance(error, HTTPException):
            page.headers.update(error.headers or {})
        return page

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, refused)
