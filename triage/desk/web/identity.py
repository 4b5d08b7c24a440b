"""Who is asking: a person that the proxy names, or whoever opened the one-time link."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, Protocol

from fastapi import Request

from triage.desk.web.desk import Person
from triage.desk.web.errors import RequestError
from triage.desk.web.sessions import Member, Sessions
from triage.errors import SettingsError, known_names
from triage.review.permissions import ROLES
from triage.settings import Settings

#: What the one person on this machine is.
LOCAL_ROLES = frozenset({"auditor", "registrar", "administrator"})
#: How long the one-time link can be opened.
LINK_LASTS = timedelta(minutes=10)
#: Longest name, as the command line takes it: it stands in the audit trail.
NAME_CHARACTERS_MAX = 100

Network = IPv4Network | IPv6Network


class Identity(Protocol):
    """A way in.

    ``doors`` are the paths that are open to whoever is not signed in yet; ``sessions`` is None where each
    request names its person; ``start`` is the path that starts the sign-in, empty where none does; ``how``
    says how to sign in.
    """

    @property
    def doors(self) -> frozenset[str]: ...

    @property
    def sessions(self) -> Sessions | None: ...

    @property
    def same_site(self) -> Literal["lax", "strict"]: ...

    @property
    def start(self) -> str: ...

    @property
    def how(self) -> str: ...

    def person(self, request: Request) -> Person | None:
        """Return who is asking, None for nobody; roles may be empty."""


class ProxyIdentity:
    """Believes the headers of a reverse proxy, from its networks alone.

    Raises
    ------
    SettingsError
        If ``proxy_networks`` or ``role_members`` cannot be used.
    """

    doors: frozenset[str] = frozenset()
    sessions: Sessions | None = None
    same_site: Literal["lax", "strict"] = "strict"
    start = ""
    how = "open the pages at the address of the proxy that signs people in"

    def __init__(self, settings: Settings) -> None:
        check_members(settings)
        self._settings, self._networks = settings, networks(settings)

    def person(self, request: Request) -> Person | None:
        """Return whom the proxy names.

        Raises
        ------
        RequestError
            If the headers come from elsewhere, stand twice, or hold no name.
        """
        names = request.headers.getlist(self._settings.proxy_user_header)
        groups = request.headers.getlist(self._settings.proxy_groups_header)
        if not within(peer(request), self._networks):
            if names or groups:
                raise RequestError(
                    403,
                    "a name was sent from an address that is not the proxy's",
                    mend="open the pages through the proxy; proxy_networks says where it stands",
                )
            return None
        if len(names) > 1 or len(groups) > 1:
            raise RequestError(
                403, "the proxy has sent a name twice", mend="let it replace the headers, not add to them"
            )
        if not names or not names[0].strip():
            return None
        listed = tuple(each.strip() for each in ",".join(groups).split(",") if each.strip())
        return person_named(Member(checked_name(names[0]), listed), self._settings)


class LinkIdentity:
    """Lets one person in, on this machine, by a link that is opened once.

    Parameters
    ----------
    name : str
        Of the operating system's user.
    settings : Settings
        How long a session lasts.
    now : callable
        Gives the moment, aware.
    """

    doors: frozenset[str] = frozenset({"/enter", "/sign-out", "/signed-out"})
    same_site: Literal["lax", "strict"] = "strict"
    start = ""
    how = "run `triage serve` again and open the link that it prints"

    def __init__(self, name: str, settings: Settings, now: Callable[[], datetime]) -> None:
        self._member = Member(checked_name(name))
        self._now, self._until = now, now() + LINK_LASTS
        self.key = secrets.token_urlsafe(32)
        self._used = False
        self.sessions: Sessions = Sessions(settings, now, "local")

    def person(self, request: Request) -> Person | None:
        """Return the person of this machine, if the request holds the session that the link began.

        Raises
        ------
        RequestError
            If the request comes from another machine.
        """
        address = peer(request)
        if not address or not is_loopback(address):
            raise RequestError(
                403, "these pages are for this machine alone", mend="see docs/serving.md for several people"
            )
        member = self.sessions.member(request.session)
        return Person(member.name, LOCAL_ROLES) if member else None

    def enter(self, request: Request, key: str) -> None:
        """Begin the session if this is the key, it is in time, and it was never used.

        Raises
        ------
        RequestError
            Otherwise.
        """
        right = hmac.compare_digest(key.encode(), self.key.encode())
        if not right or self._used or self._now() >= self._until:
            raise RequestError(
                403,
                "the link is not valid, or was opened before, or is older than ten minutes",
                mend=self.how,
            )
        self._used = True
        self.sessions.begin(request.session, self._member)


def person_named(member: Member, settings: Settings) -> Person:
    """Return a person with the roles that the settings give to the name or to one of the groups."""
    known = {member.name, *member.groups}
    roles = {role for role, members in settings.role_members.items() if not known.isdisjoint(members)}
    return Person(member.name, frozenset(roles))


def checked_name(name: object) -> str:
    """Return a name without the space around it, if it can stand in the audit trail.

    Raises
    ------
    RequestError
        If it is empty, too long or not printable; the message does not show it.
    """
    stripped = name.strip() if isinstance(name, str) else ""
    if not stripped or not stripped.isprintable() or len(stripped) > NAME_CHARACTERS_MAX:
        raise RequestError(
            403,
            f"a name of 1 to {NAME_CHARACTERS_MAX} printable characters is needed",
            mend="ask whoever runs the sign-in",
        )
    return stripped


def check_members(settings: Settings) -> None:
    """Pass if roles are given, and only known ones.

    Raises
    ------
    SettingsError
        Otherwise.
    """
    unknown = sorted(set(settings.role_members) - set(ROLES))
    if unknown or not any(settings.role_members.values()):
        raise SettingsError(
            "; ".join(known_names(role, ROLES) for role in unknown) or "nobody has a role",
            where="role_members",
            mend="name for each role the people or groups that have it, as docs/serving.md shows",
        )


def networks(settings: Settings) -> tuple[Network, ...]:
    """Return the networks of the proxy.

    Raises
    ------
    SettingsError
        If one is no network.
    """
    try:
        return tuple(ip_network(each) for each in settings.proxy_networks)
    except ValueError as error:
        raise SettingsError(
            "an entry is no network", where="proxy_networks", mend="write each like 10.1.2.0/24 or ::1/128"
        ) from error


def peer(request: Request) -> str:
    """Return the address at the other end of the connection, empty where there is none."""
    return request.client.host if request.client else ""


def client_address(request: Request, proxies: Collection[Network]) -> str:
    """Return the client's address: the peer, or the last that a proxy of ours names and is none of ours."""
    address = peer(request)
    if not within(address, proxies):
        return address
    listed = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    outside = [each.strip() for each in listed if each.strip() and not within(each.strip(), proxies)]
    return outside[-1] if outside else address


def within(address: str, among: Collection[Network]) -> bool:
    """Return whether an address belongs to one of these networks; an IPv4 one written as IPv6, too."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in among)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("10.1.2.3")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    return within(host, (ip_network("127.0.0.0/8"), ip_network("::1/128")))
