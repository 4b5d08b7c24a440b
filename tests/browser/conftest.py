"""The real pages over a real store, in Debian's Chromium: one server and one browser for the folder."""

from __future__ import annotations

import itertools
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    sync_playwright,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.browser.invented import AS_OF, invented_night
from triage.desk.web.app import create_app, identity_for
from triage.review.decisions import ReviewRules, review_rules
from triage.settings import Settings
from triage.store import AuditEvent, Store, open_store

ROLE_MEMBERS = {
    "viewer": ("looking",),
    "auditor": ("auditing",),
    "registrar": ("deciding",),
    "administrator": ("keeping",),
}
#: Who is who, and in which group the proxy says they are.
GROUPS = {
    "val.viewer": "looking",
    "ann.auditor": "auditing",
    "ben.auditor": "auditing",
    "rae.registrar": "deciding",
    "ada.administrator": "keeping",
    "sam.stranger": "visiting",
}
_NO_RESOURCE = "Failed to load resource"


class Doorway:
    """Hands every request to the application of the test that runs."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self.app(scope, receive, send)


@dataclass
class Watch:
    """What went wrong in a browser that no assertion asks for: errors, refused content, foreign requests."""

    url: str
    problems: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch every page of a context."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.problems.append(f"error: {error.error}"))
        context.on("request", self._request)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # That a page itself was refused is what some tests are about; parts of a page are judged below.
        if message.type in {"error", "warning"} and not message.text.startswith(_NO_RESOURCE):
            self.problems.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith(f"{self.url}/"):
            self.problems.append(f"request to {request.url}")

    def _response(self, response: Response) -> None:
        part = not response.request.is_navigation_request()
        if response.status >= 500 or (part and response.status >= 400):
            self.problems.append(f"{response.status} for {response.url}")


@dataclass
class Clock:
    """Tells the pages the time: a second later at each look, and later still by ``pass_by``."""

    started: datetime
    passed: timedelta = timedelta()
    looks: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.started + self.passed + timedelta(seconds=next(self.looks))

    def pass_by(self, **lengths: float) -> None:
        """Let time go by."""
        self.passed += timedelta(**lengths)


@dataclass
class House:
    """The pages of one night: their address, the store behind them, and a browser for each person."""

    url: str
    store: Store
    settings: Settings
    clock: Clock
    browser: Browser
    watch: Watch
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def rules(self) -> ReviewRules:
        """The rules that the pages go by."""
        return review_rules(self.settings)

    def sign_in(self, name: str, *, script: bool = True, **options: Any) -> Page:
        """Return a page of a browser in which the proxy says who somebody is; nobody, for an empty name."""
        said = {
            self.settings.proxy_user_header: name,
            self.settings.proxy_groups_header: GROUPS.get(name, ""),
        }
        context = self.browser.new_context(
            base_url=self.url,
            java_script_enabled=script,
            extra_http_headers=said if name else {},
            **{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **options},
        )
        context.set_default_timeout(10_000)
        self.watch.over(context)
        self.contexts.append(context)
        return context.new_page()


def follow(control: Locator) -> None:
    """Click what leads to a page, and wait until the whole of that page stands, its script with it."""
    with control.page.expect_navigation():
        control.click()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="package")
def doorway(browser: Browser) -> Iterator[tuple[Doorway, str]]:
    """A server on loopback, and its address."""
    door = Doorway()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(door, log_level="warning", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield door, f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="package")
def template(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Path:
    """A store with the night published, to be copied."""
    path = tmp_path_factory.mktemp("night") / "triage.db"
    with open_store(f"sqlite:///{path}") as store:
        store.prepare()
        night = invented_night()
        run = night.run
        store.publish(night, AuditEvent(run.published_at, "nightly", "combination", run.run_id, run.run_id))
    return path


@pytest.fixture
def open_house(
    doorway: tuple[Doorway, str], browser: Browser, template: Path, tmp_path: Path
) -> Iterator[Callable[..., House]]:
    """A function that opens the pages over a fresh copy of the night, with settings of the test's choice."""
    door, url = doorway
    opened: list[House] = []

    def open_with(**chosen: Any) -> House:
        shutil.copy(template, tmp_path / "triage.db")
        settings = Settings(
            **{
                "data_dir": tmp_path,
                "access_mode": "proxy",
                "role_members": ROLE_MEMBERS,
                "public_url": url,
                "second_review_share": 0.0,
                "requests_per_minute": 100_000,
                **chosen,
            }
        )
        store = open_store(settings.store_url)
        clock = Clock(AS_OF + timedelta(hours=5))
        house = House(url, store, settings, clock, browser, Watch(url))
        door.app = create_app(settings, store, identity=identity_for(settings, clock), now=clock)
        opened.append(house)
        return house

    yield open_with
    for house in opened:
        for context in house.contexts:
            context.close()
        house.store.close()
    assert [problem for house in opened for problem in house.watch.problems] == []


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    """The pages of the night with the settings that most tests want: no second review by lot."""
    return open_house()
