"""What every request passes before a page sees it, and the headers that every answer carries."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.desk.web.desk import Desk
from triage.desk.web.errors import RequestError
from triage.desk.web.identity import Identity, client_address, is_loopback, networks
from triage.errors import PermissionDeniedError, UserError
from triage.settings import Settings

#: Largest body of any form but the workbook's, in bytes.
FORM_BYTES_MAX = 256 * 1024
#: Most tries of one client address at one door, a minute.
SIGN_INS_PER_MINUTE = 10
WORKBOOK = "/workbook/import"
_READING = ("GET", "HEAD")
_OPEN = ("/static/", "/health")

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "connect-src 'none'",
    )
)


def answer_headers(settings: Settings) -> Mapping[str, str]:
    """Return the headers of every answer.

    The referrer policy is ``same-origin``: with ``no-referrer`` browsers call the origin of our own forms
    ``null``, and those that send no ``Sec-Fetch-Site`` could then send no form at all.

    Source: Fetch standard, "append a request Origin header".
    """
    headers = {
        "Content-Security-Policy": CONTENT_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if settings.public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


class Headers:
    """Sets the headers of every answer; a page is never kept by the browser, a static file asked for anew."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._headers = app, answer_headers(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        kept = "no-cache" if scope["path"].startswith("/static/") else "no-store"

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**self._headers, "Cache-Control": kept})
            await send(message)

        await self._app(scope, receive, with_headers)


class Guards:
    """Refuses unknown hosts and methods, requests that another site caused, and bodies that are too large."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._public = urlsplit(settings.public_url) if settings.public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        self._check_host(request)
        if request.method not in (*_READING, "POST"):
            raise RequestError(
                405,
                "these pages take no such request",
                mend="start from the queue",
                headers={"Allow": "GET, HEAD, POST"},
            )
        if request.method == "POST":
            self._check_sender(request)
        else:
            _check_not_embedded(request)
        await self._app(scope, self._limited(request, receive), send)

    def _check_host(self, request: Request) -> None:
        named = request.headers.getlist("host")
        host = named[0].lower() if len(named) == 1 else ""
        if (self._public and host == self._public.netloc.lower()) or is_loopback(_hostname(host)):
            return
        raise RequestError(
            400,
            "these pages are not served under this host's name",
            mend="open them at their own address; public_url says which it is",
        )

    def _check_sender(self, request: Request) -> None:
        """Pass if the browser says that one of our own pages has sent the form."""
        site = request.headers.get("sec-fetch-site")
        if site == "same-origin":
            return
        sender = request.headers.get("origin")
        if sender is None and site is None:
            referrer = urlsplit(request.headers.get("referer", ""))
            sender = f"{referrer.scheme}://{referrer.netloc}"
        if site not in (None, "none") or (sender or "").lower() != self._own_origin(request):
            raise RequestError(
                403,
                "the form was not sent from these pages",
                mend="open the item again here, and send the form from there",
            )

    def _own_origin(self, request: Request) -> str:
        host = request.headers["host"].lower()
        if self._public and host == self._public.netloc.lower():
            return f"{self._public.scheme}://{self._public.netloc}".lower()
        return f"{request.scope['scheme']}://{host}"

    def _limited(self, request: Request, receive: Receive) -> Receive:
        most = self._settings.upload_bytes_max if request.url.path == WORKBOOK else FORM_BYTES_MAX
        announced = request.headers.get("content-length", "0")
        if not announced.isascii() or not announced.isdecimal() or len(announced) > 15:
            raise RequestError(400, "the request cannot be read", mend="load the page again and repeat it")
        if int(announced) > most:
            raise RequestError(
                413,
                f"more was sent than is taken: at most {most} bytes",
                mend="send less; upload_bytes_max sets the limit of a workbook",
            )
        taken = 0

        async def counting() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                # Of this kind, since the framework turns any other error while a form is read into a 400.
                raise HTTPException(413)
            return message

        return counting


def _check_not_embedded(request: Request) -> None:
    """Pass unless another site shows a page of ours inside its own: reading a record leaves a trace."""
    site = request.headers.get("sec-fetch-site", "none")
    opened = (
        request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest", "document") == "document"
    )
    if site in ("cross-site", "same-site") and not opened:
        raise RequestError(
            403, "another site asked for this, not a person", mend="open the page in a window of its own"
        )


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class SignedIn:
    """Lets only people with a role past the doors, and nobody faster than the settings say.

    What a person asks for counts against the person; what nobody signed in for, against the client's address.
    """

    def __init__(self, app: ASGIApp, desk: Desk, identity: Identity) -> None:
        self._app, self._identity = app, identity
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limit = RateLimitItemPerMinute(desk.settings.requests_per_minute)
        self._door_limit = RateLimitItemPerMinute(SIGN_INS_PER_MINUTE)
        # Alone on this machine nobody stands between: a header that says so is not believed.
        alone = desk.settings.access_mode == "local"
        self._proxies = () if alone else networks(desk.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        path = request.url.path
        address = client_address(request, self._proxies)
        door = path in self._identity.doors
        if door:
            self._count(self._door_limit, "door", f"{path} {address}")
        try:
            person = self._identity.person(request)
        except UserError:
            self._count(self._limit, "address", address)
            raise
        if person is None:
            self._count(self._limit, "address", address)
        else:
            self._count(self._limit, "person", person.name)
            request.state.person = person
        if not door and not path.startswith(_OPEN):
            if person is None:
                if self._identity.start and request.method in _READING:
                    await RedirectResponse(self._identity.start, status_code=303)(scope, receive, send)
                    return
                raise RequestError(401, "you are not signed in", mend=self._identity.how)
            if not person.roles:
                raise PermissionDeniedError(
                    "you are signed in, but no role was given to you",
                    mend="ask the administrator of these pages for one: it is a line of role_members",
                )
        await self._app(scope, receive, send)

    def _count(self, limit: RateLimitItemPerMinute, kind: str, name: str) -> None:
        if self._limiter.hit(limit, kind, name):
            return
        wait = self._limiter.get_window_stats(limit, kind, name).reset_time - time.time()
        seconds = max(1, math.ceil(wait))
        raise RequestError(
            429,
            f"too many requests: at most {limit.amount} a minute",
            mend=f"wait {seconds} seconds",
            headers={"Retry-After": str(seconds)},
        )
