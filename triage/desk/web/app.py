"""The web application: its pages, and what stands before them."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles

from triage.desk.web import (
    desk_pages,
    item_pages,
    mine_pages,
    queue_pages,
    sign_in_pages,
    workbook_pages,
)
from triage.desk.web.desk import Desk
from triage.desk.web.errors import Errors, add_pages
from triage.desk.web.guards import Guards, Headers, SignedIn
from triage.desk.web.identity import Identity, LinkIdentity, ProxyIdentity
from triage.desk.web.openid import OpenIdIdentity
from triage.desk.web.sessions import cookie_of
from triage.errors import SettingsError, StoreError
from triage.settings import Settings
from triage.store import Store


def utc_now() -> datetime:
    """Return the moment."""
    return datetime.now(UTC)


def identity_for(settings: Settings, now: Callable[[], datetime] = utc_now) -> Identity:
    """Return the way in that a force has set.

    Raises
    ------
    SettingsError
        If a setting of it is missing or cannot be used.
    """
    if settings.access_mode == "proxy":
        return ProxyIdentity(settings)
    if settings.access_mode == "oidc":
        return OpenIdIdentity(settings, now)
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise SettingsError(
            "it is not known who you are, and it is to be logged",
            where="access_mode = local",
            mend="set LOGNAME to your name",
        ) from error
    return LinkIdentity(name, settings, now)


def create_app(
    settings: Settings, store: Store, *, identity: Identity, now: Callable[[], datetime] = utc_now
) -> FastAPI:
    """Return the pages of a force, with all that guards them.

    Parameters
    ----------
    settings : Settings
        Of the force.
    store : Store
        Open; the caller closes it.
    identity : Identity
        How people sign in: see ``identity_for``.
    now : callable
        Gives the moment, aware.

    Raises
    ------
    SettingsError
        If the key of the sessions cannot be read or made, or ``proxy_networks`` cannot be used.
    """
    desk = Desk(settings, store, now)
    # The first is the outermost. Errors stand within the headers, so that no page of an error lacks them, and
    # within the session too, so that one that an error has ended leaves the browser.
    before = [Middleware(Headers, settings=settings), Middleware(Errors, desk=desk)]
    before.append(Middleware(Guards, settings=settings))
    if identity.sessions is not None:
        cookie = cookie_of(settings, identity.same_site)
        before.append(
            Middleware(
                SessionMiddleware,
                secret_key=cookie.key,
                session_cookie=cookie.name,
                max_age=cookie.seconds,
                same_site=cookie.same_site,
                https_only=cookie.secure,
            )
        )
    before += [Middleware(Errors, desk=desk), Middleware(SignedIn, desk=desk, identity=identity)]
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, middleware=before)
    add_pages(app, desk)
    app.mount("/static", StaticFiles(directory=desk.static_folder), name="static")

    @app.get("/")
    def first() -> RedirectResponse:
        return RedirectResponse("/queue", status_code=303)

    @app.api_route("/health", methods=["GET", "HEAD"])
    def health() -> PlainTextResponse:
        try:
            store.check()
        except StoreError:
            return PlainTextResponse("unavailable", status_code=503)
        return PlainTextResponse("ok")

    app.include_router(sign_in_pages.router(desk, identity))
    for pages in (queue_pages, item_pages, mine_pages, desk_pages, workbook_pages):
        app.include_router(pages.router(desk))
    return app
