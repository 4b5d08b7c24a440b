"""Who is signed in, kept in a signed cookie: when it began, when it was last used, when it ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from triage.errors import SettingsError
from triage.key_file import secret_key
from triage.settings import Settings


@dataclass(frozen=True, slots=True)
class Member:
    """Who someone is, before roles: a name, and the groups that it came with."""

    name: str
    groups: tuple[str, ...] = ()


class Sessions:
    """Begins, checks and ends sessions by stamps of the house's own clock.

    Parameters
    ----------
    settings : Settings
        ``session_hours`` and ``session_idle_minutes``.
    now : callable
        Gives the moment, aware.
    way : str
        How people sign in; a session begun in another way is not believed.
    """

    def __init__(self, settings: Settings, now: Callable[[], datetime], way: str) -> None:
        self._longest = settings.session_hours * 3600
        self._idle = settings.session_idle_minutes * 60
        self._now, self._way = now, way
        self._ended: dict[str, float] = {}

    def begin(self, session: MutableMapping[str, Any], member: Member) -> None:
        """Begin anew: nothing of what the cookie held before stays."""
        at = self._now().timestamp()
        session.clear()
        session.update(
            way=self._way,
            id=secrets.token_hex(16),
            name=member.name,
            groups=list(member.groups),
            began=at,
            used=at,
        )

    def member(self, session: MutableMapping[str, Any]) -> Member | None:
        """Return who is signed in and note the use; None, and an empty session, if it is over."""
        if session.get("way") != self._way:
            return None
        at = self._now().timestamp()
        over = at >= session["began"] + self._longest or at >= session["used"] + self._idle
        if over or session["id"] in self._ended:
            session.clear()
            return None
        session["used"] = at
        return Member(session["name"], tuple(session["groups"]))

    def end(self, session: MutableMapping[str, Any]) -> None:
        """End a session, and any copy of its cookie for as long as this program runs."""
        at = self._now().timestamp()
        self._ended = {key: until for key, until in self._ended.items() if until > at}
        if "id" in session:
            self._ended[session["id"]] = at + self._longest
        session.clear()


@dataclass(frozen=True, slots=True)
class Cookie:
    """How the session's cookie is set; ``secure`` wherever people come over https."""

    key: str
    secure: bool
    same_site: Literal["lax", "strict"]
    seconds: int

    @property
    def name(self) -> str:
        """Its name; over https with the prefix by which a browser lets no other host set it."""
        return "__Host-triage" if self.secure else "triage"


def cookie_of(settings: Settings, same_site: Literal["lax", "strict"]) -> Cookie:
    """Return the cookie of a force's settings, with the key that signs it."""
    return Cookie(
        key=session_key(settings.data_dir / "session.key"),
        secure=settings.public_url.startswith("https://"),
        same_site=same_site,
        seconds=int(settings.session_hours * 3600) + 1,
    )


def named_groups(groups: Collection[str], settings: Settings) -> tuple[str, ...]:
    """Return those groups that a role is given to, so that a cookie stays small."""
    wanted = {member for members in settings.role_members.values() for member in members}
    return tuple(sorted(wanted.intersection(groups)))


def session_key(path: Path) -> str:
    """Return the key that signs sessions; made on first use, readable by its owner alone.

    Parameters
    ----------
    path : Path
        The file, 64 hexadecimal digits.

    Raises
    ------
    SettingsError
        If the file cannot be read or made, or holds something else.
    """
    key = secret_key(
        path,
        name="the sessions",
        user="who serves the pages",
        lost="remove it: a new one is made, and everybody signs in again",
        error=SettingsError,
    )
    return key.hex()
