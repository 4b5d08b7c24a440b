"""The doors: entering by the one-time link or from the provider, and signing out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from triage.desk.web.desk import Desk
from triage.desk.web.errors import plain_page
from triage.desk.web.identity import Identity, LinkIdentity
from triage.desk.web.openid import OpenIdIdentity


def router(desk: Desk, identity: Identity) -> APIRouter:
    """Return the doors of a way in."""
    doors = APIRouter()
    if isinstance(identity, LinkIdentity):
        _add_link(doors, identity)
    if isinstance(identity, OpenIdIdentity):
        _add_openid(doors, identity)

    @doors.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        if identity.sessions is None:
            return plain_page(
                desk,
                request,
                200,
                "you are signed in by the proxy, and these pages cannot end that",
                mend="sign out there, or close the browser",
            )
        identity.sessions.end(request.session)
        return RedirectResponse("/signed-out", status_code=303)

    @doors.get("/signed-out")
    async def signed_out(request: Request) -> Response:
        return plain_page(desk, request, 200, "you are signed out", mend=f"to come back, {identity.how}")

    return doors


def _add_link(doors: APIRouter, identity: LinkIdentity) -> None:
    @doors.get("/enter")
    async def enter(request: Request, key: str = "") -> Response:
        identity.enter(request, key)
        return RedirectResponse("/queue", status_code=303)


def _add_openid(doors: APIRouter, identity: OpenIdIdentity) -> None:
    @doors.get("/sign-in")
    async def sign_in(request: Request) -> Response:
        return await identity.begin(request)

    @doors.get("/callback")
    async def callback(request: Request) -> Response:
        return await identity.finish(request)
