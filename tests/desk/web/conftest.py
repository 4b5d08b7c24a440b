"""The real pages over HTTP: a store with a night, a clock that the test sets, a server in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from tests.store.nights import FIRST_NIGHT, event, night
from triage.desk.web.app import create_app, identity_for
from triage.desk.web.identity import Identity
from triage.settings import Settings
from triage.store import Store, open_store

OURS = {"Sec-Fetch-Site": "same-origin"}
MEMBERS = {role: (f"a.{role}", f"{role}s") for role in ("viewer", "auditor", "registrar", "administrator")}


@dataclass
class Clock:
    """A moment that stands until the test moves it."""

    at: datetime = FIRST_NIGHT + timedelta(hours=2)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **much: float) -> None:
        self.at += timedelta(**much)


@dataclass
class Site:
    """The pages as they are served."""

    url: str
    app: FastAPI
    store: Store
    clock: Clock
    settings: Settings
    identity: Identity

    def client(self, name: str = "", *, address: str = "127.0.0.1", **headers: str) -> httpx.Client:
        """A browser at an address of this machine; with a name, as the proxy would send it on."""
        sent = {**OURS, **({"X-Forwarded-User": name} if name else {}), **headers}
        transport = httpx.HTTPTransport(local_address=address)
        return httpx.Client(base_url=self.url, headers=sent, transport=transport, trust_env=False)


@contextmanager
def served(app: Any, listener: socket.socket) -> Iterator[None]:
    """Serve an application from a thread while the block runs."""
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, proxy_headers=False, lifespan="off", ws="none")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., None]]:
    """Serve an application on a listening socket until the test ends."""
    with ExitStack() as until:
        yield lambda app, listener: until.enter_context(served(app, listener))


@pytest.fixture
def open_site(tmp_path: Path, serve: Callable[..., None]) -> Iterator[Callable[..., Site]]:
    """A function that serves the pages with these settings; behind a proxy by default."""
    with ExitStack() as until:

        def opened(*, items: int = 3, public: bool = False, **given: Any) -> Site:
            clock = Clock()
            listener = socket.create_server(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            own = {"public_url": url} if public else {}
            usual = {"access_mode": "proxy", "role_members": MEMBERS, "requests_per_minute": 100_000}
            settings = Settings(**{"data_dir": tmp_path / "var", **usual, **own, **given})
            settings.data_dir.mkdir(exist_ok=True)
            store = until.enter_context(open_store(settings.store_url))
            store.prepare()
            store.publish(night(items=items), event())
            identity = identity_for(settings, clock)
            app = create_app(settings, store, identity=identity, now=clock)
            serve(app, listener)
            return Site(url, app, store, clock, settings, identity)

        yield opened


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    """The pages behind a proxy on this machine."""
    return open_site()
