"""What every page needs: the settings, the store, the clock, who is asking, and how a page is made."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from triage.review.decisions import ReviewRules, review_rules
from triage.review.permissions import has, require
from triage.settings import Settings
from triage.store import Store


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, and as what."""

    name: str
    roles: frozenset[str]

    def has(self, permission: str) -> bool:
        """Return whether one of the roles has a permission of ``states.toml``."""
        return has(self.roles, permission)

    def require(self, permission: str) -> None:
        """Pass if one of the roles has a permission; raises ``PermissionDeniedError`` otherwise."""
        require(self.roles, permission)


def _templates() -> Jinja2Templates:
    environment = Environment(
        loader=PackageLoader("triage.desk.web"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return Jinja2Templates(env=environment)


@dataclass(frozen=True)
class Desk:
    """The parts that the pages share.

    Parameters
    ----------
    settings : Settings
        Of the force.
    store : Store
        Open; every request uses it.
    now : callable
        Gives the moment, aware.
    """

    settings: Settings
    store: Store
    now: Callable[[], datetime]
    templates: Jinja2Templates = field(default_factory=_templates)

    @property
    def rules(self) -> ReviewRules:
        """The rules of the review."""
        return review_rules(self.settings)

    @property
    def static_folder(self) -> Path:
        """Folder of style sheet and script."""
        return Path(__file__).with_name("static")

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page: a template of ``templates/`` with these values, who is asking, and the marking."""
        shown: Mapping[str, Any] = {
            "person": getattr(request.state, "person", None),
            "marking": self.settings.marking,
            "zone": self.settings.zone,
            **values,
        }
        return self.templates.TemplateResponse(request, template, dict(shown), status_code=status)


def person_of(request: Request) -> Person:
    """Return who is signed in; the guards let nobody else this far."""
    person: Person = request.state.person
    return person


def new_token() -> str:
    """Return a token for one form, so that it is done once however often it is sent."""
    return secrets.token_urlsafe(16)
