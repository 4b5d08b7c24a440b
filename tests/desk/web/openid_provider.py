"""An OpenID provider for the tests: discovery, keys, authorization code with PKCE, ID tokens by RS256.

It does its part as the standard says, and lies where a test tells it to.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "triage-pages", "secret-of-the-tests"


@dataclass
class Provider:
    """A provider that signs in whoever ``claims`` describe, without asking.

    ``forged`` replaces claims of the token (None leaves one out), ``algorithm`` and ``key`` sign it;
    ``signs`` are the signatures that it says it makes; ``codes`` holds what was granted and not yet redeemed.
    """

    issuer: str
    claims: dict[str, Any] = field(default_factory=lambda: {"preferred_username": "a.auditor"})
    forged: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    signs: list[str] = field(default_factory=lambda: ["RS256"])
    metadata: dict[str, Any] = field(default_factory=dict)
    own_key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    key: RSAKey | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        """Return its pages."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _configuration(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": self.signs,
                "code_challenge_methods_supported": ["S256"],
                **self.metadata,
            }
        )

    async def _keys(self, request: Request) -> Response:
        return JSONResponse({"keys": [self.own_key.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        wrong = [
            name
            for name, wanted in (
                ("client_id", CLIENT_ID),
                ("response_type", "code"),
                ("code_challenge_method", "S256"),
            )
            if asked.get(name) != wanted
        ] + [name for name in ("state", "nonce", "code_challenge", "redirect_uri") if not asked.get(name)]
        if wrong or "openid" not in asked.get("scope", "").split():
            return JSONResponse({"error": "invalid_request", "wrong": wrong}, 400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", 302)

    async def _token(self, request: Request) -> Response:
        sent = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(sent.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        problem = ""
        if request.headers.get("authorization") != f"Basic {basic}":
            problem = "invalid_client"
        elif asked is None or sent.get("redirect_uri") != asked["redirect_uri"]:
            problem = "invalid_grant"
        elif challenge(sent.get("code_verifier", "")) != asked["code_challenge"]:
            problem = "invalid_grant: code_verifier"
        if problem or asked is None:
            self.refused.append(problem)
            return JSONResponse({"error": problem.split(":")[0]}, 400)
        token = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 60}
        return JSONResponse({**token, "id_token": self._id_token(asked["nonce"])})

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "248289761001",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.claims,
            **self.forged,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one"}
        if self.algorithm == "RS256":
            return jwt.encode(header, kept, self.key or self.own_key)
        # What an attacker writes by hand: no signature, or one made with the public key that everybody has.
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, kept))
        known = self.own_key.as_pem(private=False)
        made = hmac.digest(known, signed.encode(), "sha256") if self.algorithm == "HS256" else b""
        return f"{signed}.{_encoded(made)}"


def challenge(verifier: str) -> str:
    """Return what a verifier must have been announced as (RFC 7636, section 4.2)."""
    return _encoded(hashlib.sha256(verifier.encode()).digest())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
