"""Prefect at arm's length: its environment, its server for one night, and what it may be told.

Prefect keeps parameters, log lines and exception messages in its database in clear, and its database is a
convenience: a night whose Prefect cannot start runs without it.
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import logging
import os
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO
from uuid import UUID

from flows import server

API_URL = "PREFECT_API_URL"
START_SECONDS = 120.0
ANSWER_SECONDS = 10.0
DRAIN_SECONDS = 15.0
_SET_ASIDE = "Prefect cannot use its own database: set aside as prefect.unusable.db, a new one is begun"
#: What holds for every run: nothing leaves the machine, no result and no printed line is kept.
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(int(START_SECONDS)),
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_TASKS_DEFAULT_PERSIST_RESULT": "false",
    "PREFECT_LOGGING_LOG_PRINTS": "false",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_CLI_PROMPT": "false",
}


def prefect_home(data_dir: Path) -> Path:
    """Return the folder of Prefect's own data, inside the data folder."""
    return data_dir.absolute() / "prefect"


def set_environment(data_dir: Path) -> None:
    """Set what Prefect reads when it is first imported; what the user has set stays.

    Parameters
    ----------
    data_dir : Path
        The data folder of the settings.
    """
    for name, value in {"PREFECT_HOME": str(prefect_home(data_dir)), **ENVIRONMENT}.items():
        os.environ.setdefault(name, value)


class _OneLine(logging.Filter):
    """Takes tracebacks out of Prefect's log lines: a bug's message could hold text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the line without its traceback, unless it points at the server that ends with the night."""
        record.exc_info = None
        record.exc_text = None
        return not (record.getMessage().startswith("View at ") and NightServer.running)


_ONE_LINE = _OneLine()


def drop_tracebacks() -> None:
    """Keep Prefect's handlers from writing tracebacks to its database and to the terminal."""
    for name in ("", "prefect", "prefect.flow_runs", "prefect.task_runs"):
        for handler in logging.getLogger(name).handlers:
            if type(handler).__module__.startswith("prefect."):
                handler.addFilter(_ONE_LINE)


def healthy(api_url: str, *, seconds: float, alive: Callable[[], bool] = lambda: True) -> bool:
    """Tell whether a Prefect server answers within a time, as long as it is alive.

    Parameters
    ----------
    api_url : str
        Address such as ``http://127.0.0.1:4200/api``.
    seconds : float
        Longest wait in seconds.
    alive : callable, optional
        Tells whether waiting still makes sense.
    """
    if urllib.parse.urlsplit(api_url).scheme not in ("http", "https"):
        return False
    end = time.monotonic() + seconds
    while time.monotonic() < end and alive():
        try:
            # The scheme is checked above.
            with urllib.request.urlopen(f"{api_url}/health", timeout=seconds) as answer:  # noqa: S310
                if answer.status == http.HTTPStatus.OK:
                    return True
        except (urllib.error.URLError, OSError, http.client.HTTPException):
            # Not up yet: asked again until the time is over, and False says so to the caller.
            time.sleep(0.1)
    return False


class NightServer:
    """Prefect's server as a child of this process.

    Parameters
    ----------
    home : Path
        Folder of Prefect's data; the server's own messages go to ``server.log`` there.
    """

    #: Whether this process has one.
    running = False

    def __init__(self, home: Path) -> None:
        self.home = home
        self._child: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def log(self) -> Path:
        """The server's own messages, of the last night only."""
        return self.home / "server.log"

    @property
    def api_url(self) -> str:
        """Where the server answers."""
        return f"http://{server.ADDRESS}:{self.port}/api"

    def writable(self) -> bool:
        """Make the folder; False if that is not possible."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return os.access(self.home, os.W_OK | os.X_OK)

    def start(self) -> None:
        """Start the server without waiting for it; the port is known on return."""
        environment = {name: value for name, value in os.environ.items() if name != API_URL}
        environment |= {
            "PREFECT_HOME": str(self.home),
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
        }
        with self.log.open("wb") as log:
            # Its own session, so that Ctrl-C in a terminal does not end it before the night has reported.
            # The words are this interpreter and a module of ours.
            self._child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "flows.server", str(self.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
                cwd=Path(__file__).parent.parent,
            )
        NightServer.running = True
        told = _pipe(self._child.stdout).readline()
        self.port = int(told) if told.strip() else 0

    def wait(self, seconds: float = START_SECONDS) -> bool:
        """Wait until the server answers; False when it ended or did not answer in time."""
        child = self._child
        if child is None or not self.port:
            return False
        return healthy(self.api_url, seconds=seconds, alive=lambda: child.poll() is None)

    def stop(self) -> None:
        """End the server and wait until it is gone."""
        if self._child is None:
            return
        with contextlib.suppress(BrokenPipeError):
            _pipe(self._child.stdin).close()
        _pipe(self._child.stdout).close()
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None
        NightServer.running = False


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None, "the server is started with pipes"
    return end


def set_aside(home: Path) -> None:
    """Rename a database that Prefect cannot open, so that it starts with a new one."""
    for name in ("prefect.db", "prefect.db-wal", "prefect.db-shm"):
        if (home / name).exists():
            os.replace(home / name, home / name.replace("prefect.db", "prefect.unusable.db"))


def damaged(home: Path) -> bool:
    """Tell whether Prefect's database is there and is none, before a server is started on it in vain."""
    if not (home / "prefect.db").exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(home / "prefect.db", timeout=1)) as database:
            database.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
    return False


def start_prefect(
    data_dir: Path, say: Callable[[str], None], *, meanwhile: Callable[[], None] = lambda: None
) -> bool:
    """Have a Prefect server until this process ends; False when there is none to be had.

    Parameters
    ----------
    data_dir : Path
        The data folder of the settings.
    say : callable
        Told in one sentence when Prefect's records are lost or missing.
    meanwhile : callable, optional
        Done while the server starts, such as imports.
    """
    set_environment(data_dir)
    if os.environ.get(API_URL):
        up = healthy(os.environ[API_URL], seconds=ANSWER_SECONDS)
        if not up:
            say(f"the Prefect server that {API_URL} names does not answer: the night runs without it")
        return up
    own = NightServer(Path(os.environ["PREFECT_HOME"]))
    if not own.writable():
        say(f"Prefect's folder {own.home} cannot be written: the night runs without Prefect")
        return False
    # Registered before Prefect's own last acts, therefore done after them: they still need the server.
    atexit.register(own.stop)
    if damaged(own.home):
        say(_SET_ASIDE)
        set_aside(own.home)
    own.start()
    os.environ[API_URL] = own.api_url
    meanwhile()
    up = own.wait()
    if not up and own.port:
        own.stop()
        say(_SET_ASIDE)
        set_aside(own.home)
        own.start()
        up = own.wait()
    if not up:
        own.stop()
        say(f"Prefect does not start (see {own.log}): the night runs without it")
    return up


def drain(flow_run_id: UUID, task_runs: int) -> bool:
    """Wait until Prefect's database holds every task run of the night in a final state.

    Task runs reach the server as events, after the flow has ended: a process that exits at once loses them.

    Parameters
    ----------
    flow_run_id : UUID
        The flow run.
    task_runs : int
        How many task runs it made.

    Returns
    -------
    bool
        False when they had not all arrived within 15 seconds; nothing of the night depends on it.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    of_this_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    end = time.monotonic() + DRAIN_SECONDS
    with get_client(sync_client=True) as client:
        while time.monotonic() < end:
            found = client.read_task_runs(flow_run_filter=of_this_run)
            if sum(run.state is not None and run.state.is_final() for run in found) >= task_runs:
                return True
            time.sleep(0.1)
    return False
