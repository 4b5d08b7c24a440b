"""Signing in with an OpenID provider: authorization code with PKCE, state and nonce, by Authlib."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from joserfc.errors import JoseError

from triage.desk.web.desk import Person
from triage.desk.web.errors import RequestError
from triage.desk.web.identity import check_members, checked_name, is_loopback, networks, person_named
from triage.desk.web.sessions import Member, Sessions, named_groups
from triage.errors import SettingsError
from triage.settings import Settings

with warnings.catch_warnings():
    # Authlib announces, to everyone and always, that it will ask for another HTTP client one day.
    from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]

    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.starlette_client import OAuth, OAuthError  # type: ignore[import-untyped]

#: Signatures that are believed: those made with a key that only the provider has.
_SIGNATURES = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"})
_SECONDS = 10.0
_LEEWAY_SECONDS = 60


class OpenIdIdentity:
    """Lets people in whom an OpenID provider has signed in.

    Parameters
    ----------
    settings : Settings
        ``oidc_*``, ``public_url`` and ``role_members``.
    now : callable
        Gives the moment, aware.

    Raises
    ------
    SettingsError
        If a setting is missing or cannot be used; all are named at once.

    Notes
    -----
    Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3.7 (what is checked of an ID token); RFC 7636
    (PKCE).
    """

    doors: frozenset[str] = frozenset({"/sign-in", "/callback", "/sign-out", "/signed-out"})
    # The provider sends the browser back from another site: with `strict` the cookie would stay behind.
    same_site: Literal["lax", "strict"] = "lax"
    start = "/sign-in"
    how = "open the queue again: the sign-in starts by itself"

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        check_members(settings)
        networks(settings)
        self._settings = settings
        self.sessions: Sessions = Sessions(settings, now, "oidc")
        secret = _checked_secret(settings)
        self._provider = OAuth().register(
            name="provider",
            client_id=settings.oidc_client_id,
            client_secret=secret,
            server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile",
                "code_challenge_method": "S256",
                "timeout": _SECONDS,
                # Made once: it reads all the certificates of the system.
                "verify": ssl.create_default_context(),
            },
        )

    def person(self, request: Request) -> Person | None:
        """Return the person of the session, with the roles that the settings give today."""
        member = self.sessions.member(request.session)
        return person_named(member, self._settings) if member else None

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider.

        Raises
        ------
        RequestError
            If the provider cannot be reached.
        """
        back = f"{self._settings.public_url.rstrip('/')}/callback"
        try:
            await self._metadata()
            answer: Response = await self._provider.authorize_redirect(request, back)
        except (httpx.HTTPError, ValueError) as error:
            raise _unreachable(error) from error
        return answer

    async def finish(self, request: Request) -> Response:
        """Begin the session of whom the provider has sent back.

        Raises
        ------
        RequestError
            If its answer is not to this browser's question, or its ID token is not to be believed.
        """
        try:
            issuer = (await self._metadata())["issuer"]
            token: Mapping[str, Any] = await self._provider.authorize_access_token(
                request,
                leeway=_LEEWAY_SECONDS,
                claims_options={
                    "iss": {"essential": True, "value": issuer},
                    "aud": {"essential": True, "value": self._settings.oidc_client_id},
                    "nonce": {"essential": True},
                },
            )
        except (OAuthError, JoseError) as error:
            raise _not_believed(type(error).__name__) from error
        except (httpx.HTTPError, ValueError) as error:
            raise _unreachable(error) from error
        claims = token.get("userinfo")
        if not claims:
            raise _not_believed("no ID token")
        name = checked_name(claims.get(self._settings.oidc_name_claim))
        groups = claims.get(self._settings.oidc_groups_claim) or ()
        listed = [groups] if isinstance(groups, str) else [each for each in groups if isinstance(each, str)]
        self.sessions.begin(request.session, Member(name, named_groups(listed, self._settings)))
        return RedirectResponse("/queue", status_code=303)

    async def _metadata(self) -> Mapping[str, Any]:
        metadata: dict[str, Any] = await self._provider.load_server_metadata()
        if str(metadata.get("issuer", "")).rstrip("/") != self._settings.oidc_issuer.rstrip("/"):
            self._provider.server_metadata.clear()
            raise _not_believed("another issuer")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = sorted(_SIGNATURES.intersection(offered))
        return metadata


def _not_believed(reason: str) -> RequestError:
    return RequestError(
        401,
        "the sign-in did not succeed: what the provider sent cannot be believed, or it refused",
        where=reason,
        mend="open the queue again to sign in anew; if it fails again, tell whoever runs the sign-in",
    )


def _unreachable(error: Exception) -> RequestError:
    return RequestError(
        503,
        "the sign-in did not succeed: the provider does not answer as it should",
        where=type(error).__name__,
        mend="try again in a minute; then tell whoever runs the sign-in",
    )


def _checked_secret(settings: Settings) -> str:
    problems = [
        f"{name} is empty"
        for name in ("oidc_issuer", "oidc_client_id", "public_url", "oidc_client_secret_file")
        if not getattr(settings, name)
    ]
    for name in ("oidc_issuer", "public_url"):
        address = urlsplit(getattr(settings, name))
        if getattr(settings, name) and address.scheme != "https" and not is_loopback(address.hostname or ""):
            problems.append(f"{name} does not begin with https://")
    secret = ""
    if settings.oidc_client_secret_file is not None:
        try:
            secret = settings.oidc_client_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"oidc_client_secret_file cannot be read ({type(error).__name__})")
        else:
            if not secret:
                problems.append("oidc_client_secret_file holds nothing")
    if problems:
        raise SettingsError(
            "signing in with OpenID Connect needs more:\n"
            + "\n".join(f"    {problem}" for problem in problems),
            where="the settings",
            mend="set them as docs/serving.md shows",
        )
    return secret
