"""The one-time link, the trusted proxy, and how long a session lasts."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from tests.desk.web.conftest import MEMBERS, OURS, Site
from tests.store.nights import event, night
from triage.desk.serve_command import add_serve
from triage.desk.web.identity import LinkIdentity, ProxyIdentity
from triage.desk.web.sessions import session_key
from triage.errors import SettingsError, UsageError
from triage.settings import Settings
from triage.store import open_store


@pytest.fixture
def alone(open_site: Callable[..., Site]) -> Site:
    """The pages of one person on this machine."""
    return open_site(access_mode="local", session_hours=10, session_idle_minutes=60)


@contextmanager
def entered(site: Site) -> Iterator[httpx.Client]:
    """A browser that has opened the link."""
    assert isinstance(site.identity, LinkIdentity)
    with site.client() as browser:
        assert browser.get("/enter", params={"key": site.identity.key}).headers["location"] == "/queue"
        yield browser


# The link


def test_the_link_lets_one_browser_in_once(alone: Site) -> None:
    with entered(alone) as browser, alone.client() as other:
        assert browser.get("/queue").status_code == 200
        assert browser.get("/desk").status_code == 200
        replayed = other.get("/enter", params={"key": alone.identity.key})
        assert replayed.status_code == 403
        assert "opened before" in replayed.text
        assert other.get("/queue").status_code == 401


@pytest.mark.parametrize("key", ["", "x", "ключ", "x" * 5000])
def test_another_key_opens_nothing_and_uses_nothing_up(alone: Site, key: str) -> None:
    with alone.client() as browser:
        assert browser.get("/enter", params={"key": key}).status_code == 403
        assert browser.get("/enter").status_code == 403
        assert browser.head("/enter", params={"key": alone.identity.key}).status_code == 405
    with entered(alone) as browser:
        assert browser.get("/queue").status_code == 200


def test_the_link_is_good_for_ten_minutes(alone: Site) -> None:
    alone.clock.forward(minutes=10)
    with alone.client() as browser:
        assert browser.get("/enter", params={"key": alone.identity.key}).status_code == 403


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.0.7", "2001:db8::1", ""])
def test_the_link_and_its_session_are_for_this_machine(alone: Site, address: str) -> None:
    async def asked() -> list[int]:
        transport = httpx.ASGITransport(alone.app, client=(address, 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as browser:
            paths = ("/enter", "/queue", "/health")
            return [(await browser.get(path, params={"key": key})).status_code for path in paths]

    key = alone.identity.key
    assert asyncio.run(asked()) == [403, 403, 403]
    with entered(alone) as browser:
        assert browser.get("/queue").status_code == 200


# The session


def test_the_cookie_is_strict_and_for_the_server_alone(alone: Site) -> None:
    with alone.client() as browser:
        answer = browser.get("/enter", params={"key": alone.identity.key})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie


def test_over_https_the_cookie_is_secure_and_of_this_host(open_site: Callable[..., Site]) -> None:
    site = open_site(access_mode="local", public_url="https://pages.example")
    with site.client(Host="pages.example") as browser:
        answer = browser.get("/enter", params={"key": site.identity.key})
    assert answer.headers["set-cookie"].startswith("__Host-triage=")
    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_a_session_ends_when_it_is_not_used(alone: Site) -> None:
    with entered(alone) as browser:
        alone.clock.forward(minutes=59)
        assert browser.get("/queue").status_code == 200
        alone.clock.forward(minutes=59)
        assert browser.get("/queue").status_code == 200
        alone.clock.forward(minutes=60)
        assert browser.get("/queue").status_code == 401
        alone.clock.forward(minutes=-30)
        assert browser.get("/queue").status_code == 401


def test_a_session_ends_however_much_it_is_used(alone: Site) -> None:
    with entered(alone) as browser:
        for _ in range(19):
            alone.clock.forward(minutes=30)
            assert browser.get("/queue").status_code == 200
        alone.clock.forward(minutes=30)
        assert browser.get("/queue").status_code == 401


def test_signing_out_ends_copies_of_the_cookie_too(alone: Site) -> None:
    with entered(alone) as browser, alone.client() as thief:
        thief.cookies.update(browser.cookies)
        assert thief.get("/queue").status_code == 200
        assert browser.get("/sign-out").status_code == 405
        left = browser.post("/sign-out")
        assert left.headers["location"] == "/signed-out"
        assert "expires=thu, 01 jan 1970" in left.headers["set-cookie"].lower()
        assert browser.get("/signed-out").status_code == 200
        assert browser.get("/queue").status_code == 401
        assert thief.get("/queue").status_code == 401


@pytest.mark.parametrize("change", ["a different payload", "a different signature"])
def test_an_altered_cookie_is_nobodys(alone: Site, change: str) -> None:
    with entered(alone) as browser:
        payload, *signed = browser.cookies["triage"].split(".")
        if change == "a different payload":
            payload = ("A" if payload[0] != "A" else "B") + payload[1:]
        else:
            signed[-1] = ("A" if signed[-1][0] != "A" else "B") + signed[-1][1:]
        with alone.client(Cookie=".".join(["triage=" + payload, *signed])) as forger:
            assert forger.get("/queue").status_code == 401


def test_a_session_begun_in_another_way_is_not_believed(alone: Site) -> None:
    with entered(alone) as browser, alone.client() as other:
        other.cookies.update(browser.cookies)
        alone.identity.sessions._way = "oidc"
        assert other.get("/queue").status_code == 401


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "session.key"
    key = session_key(path)
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert session_key(path) == key
    assert list(path.parent.iterdir()) == [path]
    for spoilt in ("", "short", key.upper() + "G"):
        path.write_text(spoilt)
        with pytest.raises(SettingsError) as raised:
            session_key(path)
        assert key not in str(raised.value)
    with pytest.raises(SettingsError):
        session_key(path / "session.key")


# The proxy


def test_the_proxys_name_and_groups_are_believed(site: Site) -> None:
    with site.client("a.viewer") as browser:
        assert browser.get("/queue").status_code == 200
        assert browser.get("/mine").status_code == 403
    with site.client("someone", **{"X-Forwarded-Groups": "others, registrars"}) as browser:
        assert browser.get("/desk").status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-User", "X-Forwarded-Groups", "x-forwarded-user"])
def test_a_header_from_elsewhere_is_refused_and_not_ignored(site: Site, header: str) -> None:
    with site.client(address="127.0.0.2", **{header: "registrars"}) as forger:
        for path in ("/queue", "/health", "/static/desk.css"):
            answer = forger.get(path)
            assert answer.status_code == 403, path
            assert "not the proxy" in answer.text
    with site.client(address="127.0.0.2") as stranger:
        assert stranger.get("/queue").status_code == 401


def test_headers_from_networks_other_than_the_set_ones_are_refused(open_site: Callable[..., Site]) -> None:
    site = open_site(proxy_networks=("127.0.0.2/32", "10.0.0.0/8"))
    with site.client("a.auditor", address="127.0.0.2") as browser:
        assert browser.get("/queue").status_code == 200
    with site.client("a.auditor") as browser:
        assert browser.get("/queue").status_code == 403


@pytest.mark.parametrize("name", [b"", b"x" * 101, b"x\xady", b"a.auditor, a.registrar"])
def test_what_is_no_name_signs_nobody_in(site: Site, name: bytes) -> None:
    with site.client() as browser:
        answer = browser.get("/queue", headers={b"X-Forwarded-User": name})
    assert answer.status_code == (403 if name else 401)


@pytest.mark.parametrize("header", ["X-Forwarded-User", "X-Forwarded-Groups"])
def test_a_header_that_stands_twice_is_refused(site: Site, header: str) -> None:
    headers = [("X-Forwarded-User", "a.viewer"), (header, "x"), (header, "registrars")]
    with site.client() as browser:
        assert browser.get("/queue", headers=headers).status_code == 403


def test_the_proxy_signs_out_not_the_pages(site: Site) -> None:
    with site.client("a.viewer") as browser:
        answer = browser.post("/sign-out")
        assert answer.status_code == 200
        assert "sign out there" in answer.text
        assert "set-cookie" not in browser.get("/queue").headers


def test_wrong_settings_of_the_proxy_are_said() -> None:
    for wrong in (
        {"role_members": {}},
        {"role_members": {"auditor": ()}},
        {"role_members": {"boss": ("x",)}},
        {"role_members": MEMBERS, "proxy_networks": ("10.0.0.0/40",)},
        {"role_members": MEMBERS, "proxy_networks": ("localhost",)},
    ):
        with pytest.raises(SettingsError):
            ProxyIdentity(Settings(access_mode="proxy", **wrong))


# Everyone


PAGES = ("/queue", "/items/x", "/mine", "/search", "/keys", "/desk", "/desk/disputes/x", "/desk/feedback")
MORE_PAGES = ("/audit", "/workbook", "/", "/no-such-page")
FORMS = ("/queue/next", "/search", "/workbook/export", "/workbook/import", "/desk/feedback/export")
ACTS = tuple(f"/items/x/{act}" for act in ("claim", "release", "decide", "correct", "rule", "reopen"))


def test_every_page_is_refused_to_whoever_is_not_signed_in(alone: Site) -> None:
    with alone.client() as browser:
        for path in (*PAGES, *MORE_PAGES):
            assert browser.get(path).status_code == 401, path
        for path in (*FORMS, *ACTS):
            assert browser.post(path, data={"token": "x"}).status_code == 401, path
        assert browser.get("/health").text == "ok"


def routes(among: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Method and path of every route, those of included routers too."""
    for route in among:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner.routes)
        for method in sorted((getattr(route, "methods", None) or set()) - {"HEAD"}):
            yield method, route.path


def test_every_route_is_guarded(site: Site) -> None:
    tried = 0
    with site.client() as browser:
        for method, path in routes(site.app.routes):
            answer = browser.request(method, re.sub(r"\{[^}]*\}", "x", path))
            assert answer.status_code == (200 if path == "/health" else 401), (method, path)
            tried += 1
    assert tried > 20


# The command

SERVE = "import typer; from triage.desk.serve_command import add_serve as a; p = typer.Typer(); a(p); p()"


def test_the_command_serves_by_a_link_that_the_log_does_not_hold(tmp_path: Path) -> None:
    environment = {"TRIAGE_DATA_DIR": str(tmp_path), "LOGNAME": "an.auditor", "PATH": ""}
    with open_store(f"sqlite:///{tmp_path / 'triage.db'}") as store:
        store.prepare()
        store.publish(night(), event())
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SERVE, "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as command:
        assert command.stdout is not None
        said = [command.stdout.readline(), command.stdout.readline()]
        link = said[1].strip()
        assert link.startswith("http://127.0.0.1:"), said
        with httpx.Client(headers=OURS, follow_redirects=True, trust_env=False) as browser:
            page = browser.get(link)
            assert page.status_code == 200
            assert page.url.path == "/queue"
            assert "server" not in page.headers
        command.send_signal(signal.SIGINT)
        logged = command.stdout.read()
    assert "GET /enter" in logged
    assert link.split("key=")[1] not in logged
    assert "Traceback" not in logged
    assert command.returncode == 0


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run the command in this process, with a store in a folder of its own."""
    monkeypatch.setenv("TRIAGE_DATA_DIR", str(tmp_path))
    with open_store(f"sqlite:///{tmp_path / 'triage.db'}") as store:
        store.prepare()
    program = typer.Typer()
    add_serve(program)
    return lambda *words: program(list(words), standalone_mode=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "pages.example"])  # noqa: S104
def test_alone_the_command_listens_on_this_machine_only(command: Callable[..., None], host: str) -> None:
    with pytest.raises(SettingsError, match="this machine alone"):
        command("--host", host)


def test_an_address_in_use_is_said_plainly(command: Callable[..., None]) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UsageError, match="cannot be listened on"),
    ):
        command("--port", str(taken.getsockname()[1]))
