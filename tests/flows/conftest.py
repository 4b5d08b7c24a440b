"""What the tests of the flow share: a quick model, settings in a folder of their own, a Prefect server."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from flows.identity import Request
from flows.steps import Night
from models import build_and_register
from tests.flows.extracts import CUT
from tests.store_servers import fresh_store_url, store_url
from triage.settings import Settings
from triage.store import Store, open_store

__all__ = ["fresh_store_url", "store_url"]

RECIPE = "weighted_phrases"
#: The clock of the tests, after every moment of their extracts.
NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def quick_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with one model that is built in no time."""
    folder = tmp_path_factory.mktemp("quick-registry")
    build_and_register(RECIPE, Settings(registry_dir=folder), as_of=CUT)
    return folder


@pytest.fixture
def settings(tmp_path: Path, quick_registry: Path) -> Settings:
    """Settings of a small audit team, whose data stand in the test's own folder."""
    return Settings(
        data_dir=tmp_path / "data",
        registry_dir=quick_registry,
        recipe=RECIPE,
        budget_items=5,
        control_share=0.2,
        control_unreadable_items=0,
    )


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A prepared, empty store, on both servers."""
    with open_store(store_url) as opened:
        opened.prepare()
        yield opened


def run_night(extract: Path, settings: Settings, store: Store, *, as_of: datetime | None = None) -> Night:
    """Run a night step by step, without Prefect."""
    request = Request(extract, as_of.isoformat() if as_of else None)
    night = Night(request, settings, store, clock=lambda: NOW)
    night.read(_unheard)
    night.identify()
    if not night.was_published:
        night.score(_unheard)
        night.publish()
    return night


def _unheard(done: int, total: int | None, what: str) -> None:
    assert done >= 0
    assert what
    assert total is None or done <= total


@pytest.fixture(scope="module")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Prefect's folder with its server running; it began with a database that is none."""
    from flows import runtime

    data_dir = tmp_path_factory.mktemp("with-prefect")
    home = runtime.prefect_home(data_dir)
    home.mkdir()
    (home / "prefect.db").write_bytes(b"this is no database" * 1000)
    before = dict(os.environ)
    os.environ.pop(runtime.API_URL, None)
    said: list[str] = []
    assert runtime.start_prefect(data_dir, said.append)
    assert len(said) == 1
    assert "set aside" in said[0]
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    _print_where_the_process_prints()
    assert (home / "prefect.unusable.db").read_bytes().startswith(b"this is no database")
    yield home
    # Its connection draws from the global random numbers, which Hypothesis takes for a test's doing.
    EventsWorker.drain_all(timeout=10)
    APILogWorker.drain_all(timeout=10)
    for name in set(os.environ) - set(before):
        del os.environ[name]


def _print_where_the_process_prints() -> None:
    import flows.nightly

    assert flows.nightly
    for name in ("", "prefect"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(getattr(handler, "console", None), Console):
                # What pytest put in the place of stderr is closed after the test that imported Prefect.
                handler.console.file = sys.__stderr__  # type: ignore[attr-defined]


@pytest.fixture
def night_command(
    prefect_home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """The command in this process, on the settings of the test and the session's Prefect server."""
    from flows.command import main

    assert prefect_home.exists()
    for name in ("data_dir", "registry_dir", "recipe", "budget_items"):
        monkeypatch.setenv(f"TRIAGE_{name.upper()}", str(getattr(settings, name)))

    def command(*arguments: str | Path) -> int:
        return main([str(argument) for argument in arguments])

    return command
