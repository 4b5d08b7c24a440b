"""How the store reaches its server: addresses, connections, locks, errors in plain words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from triage.errors import StoreError

#: Longest wait for another writer.
BUSY_SECONDS = 30
EXTRA = "crime-recording-triage[postgresql]"
_POSTGRESQL = {"postgres", "postgresql", "postgresql+psycopg"}
_SQLITE = {"sqlite", "sqlite+pysqlite"}
# First halves of the two-number advisory locks of PostgreSQL; the second is the schema, so that two stores in
# one database do not wait for each other.
_WRITE_LOCK, _NIGHT_LOCK = 0x74726961, 0x74726962
_SCHEMA = "FROM pg_catalog.pg_namespace WHERE nspname = current_schema()"


def parsed(url: str) -> URL:
    """Return the address of the store, with the driver that we use.

    Raises
    ------
    StoreError
        If it is no address of SQLite or PostgreSQL; the message never repeats it, as it may hold a password.
    """
    mend = "write `sqlite:///path/to/triage.db` or `postgresql://user@host/database`"
    failure = StoreError("the address of the store is not readable", where="setting database_url", mend=mend)
    address: URL | None = None
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        failure.add_note(type(error).__name__)
    if address is None:
        raise failure
    if address.drivername in _POSTGRESQL:
        return address.set(drivername="postgresql+psycopg")
    if address.drivername not in _SQLITE:
        raise StoreError(
            f"{address.drivername!r} is no server that the store knows; known: sqlite, postgresql",
            where="setting database_url",
            mend=mend,
        )
    if not address.database or address.database == ":memory:" or address.database.startswith("file:"):
        raise StoreError("the store needs a database file", where="setting database_url", mend=mend)
    return address.set(drivername="sqlite", database=str(Path(address.database).expanduser().resolve()))


def shown(url: URL) -> str:
    """Return the address for people: no password, and no options, which may hold one.

    >>> shown(make_url("postgresql://kay:secret@db:5432/triage?password=secret"))
    'postgresql://kay@db:5432/triage'
    """
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    host = url.host or url.query.get("host") or ""
    plain_url = URL.create("postgresql", url.username, None, str(host) or None, url.port, url.database)
    return plain_url.render_as_string(hide_password=True)


def engine_for(url: URL) -> Engine:
    """Return the engine, which connects on first use.

    Raises
    ------
    StoreError
        If the driver of PostgreSQL is not installed.
    """
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    missing = ""
    try:
        return create_engine(url, pool_pre_ping=True, **options)
    except ImportError as error:
        missing = error.name or "psycopg"
    raise StoreError(
        f"the driver of PostgreSQL is not installed ({missing})",
        where=shown(url),
        mend=f"pip install '{EXTRA}'",
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself, or none could begin with IMMEDIATE.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "foreign_keys=ON",
        "recursive_triggers=ON",  # without it INSERT OR REPLACE deletes behind the triggers' back
        "secure_delete=ON",  # a purged text must not stay in free pages
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("store_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def lock_for_writing(connection: Connection) -> None:
    """Let one writer in at a time; SQLite has done so when the transaction began.

    Raises
    ------
    StoreError
        If the database has no schema to write to.
    """
    if connection.dialect.name == "sqlite":
        return
    connection.execute(text(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'"))
    taken = connection.execute(
        text(f"SELECT pg_advisory_xact_lock(:lock, oid::int4) {_SCHEMA}"),
        {"lock": _WRITE_LOCK},
    )
    if len(taken.all()) != 1:
        raise StoreError(
            "the database has no schema to write to",
            where=shown(connection.engine.url),
            mend="create the schema that the search path names",
        )


def create_file(url: URL) -> None:
    """Create SQLite's file unless it is there: for its owner alone, in WAL mode."""
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Turning WAL on does not wait for others, so only one process at a time may try.
    with FileLock(f"{path}.lock", timeout=BUSY_SECONDS, mode=0o600):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode=WAL").close()


def take_night(engine: Engine) -> Callable[[], None]:
    """Take the night and return how to let go of it; a process that dies lets go too.

    Raises
    ------
    StoreError
        If another process holds it, or the folder of the store cannot be written.
    """
    failure = StoreError(
        "another night is running on this store",
        where=shown(engine.url),
        mend="wait until it ends; a killed night frees the store by itself",
    )
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        lock = FileLock(f"{path}.night.lock", mode=0o600)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except Timeout as error:
            raise failure from error
        except OSError as error:
            raise StoreError(
                f"the folder of the store cannot be written ({type(error).__name__})",
                where=str(path.parent),
                mend="make it writable for the user who runs the night, or set `data_dir` to another one",
            ) from None
        return lock.release
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    # Out of the pool: a session that went back to it would keep the lock.
    connection.detach()
    held = connection.execute(
        text(f"SELECT pg_try_advisory_lock(:lock, oid::int4) {_SCHEMA}"),
        {"lock": _NIGHT_LOCK},
    ).scalar()
    if not held:
        connection.close()
        raise failure

    def let_go() -> None:
        # Not by closing alone: the server ends a session a moment after its client has gone on.
        with closing(connection), suppress(DBAPIError):  # a session that is lost holds no lock
            connection.execute(text("SELECT pg_advisory_unlock_all()"))

    return let_go


def wipe_free_space(engine: Engine) -> None:
    """Clear what a purge left behind: SQLite's write-ahead log, PostgreSQL's dead rows."""
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM item_texts, queue_items, review_events"))


def explained(error: DBAPIError, url: URL) -> StoreError:
    """Return a server's error without its message, into which PostgreSQL puts the failing row.

    Only an error at connecting, before any statement, shows the first line of its reason.
    """
    where = shown(url)
    reason = error.orig
    code = getattr(reason, "sqlstate", None) or getattr(reason, "sqlite_errorname", None)
    kind = f"{type(reason).__name__}{f' {code}' if code else ''}"
    if error.statement is None:
        first = (str(reason).splitlines() or [""])[0]
        for secret in (url.password, url.query.get("password")):
            first = first.replace(str(secret), "***") if secret else first
        return StoreError(
            f"the store cannot be reached: {first} ({kind})",
            where=where,
            mend="check the setting database_url, and that the server runs and lets this user in",
        )
    if isinstance(error, IntegrityError):
        return StoreError(
            f"the store holds something that contradicts this write; nothing was written ({kind})",
            where=where,
            mend="run it again: it plans from what the store holds by then",
        )
    if code in {"SQLITE_BUSY", "55P03", "SQLITE_LOCKED"}:
        return StoreError(
            f"the store was busy for {BUSY_SECONDS} seconds; nothing was written ({kind})",
            where=where,
            mend="run it again when the other command has ended",
        )
    return StoreError(
        f"the store refused; nothing was written ({kind})",
        where=where,
        mend="check that the store's disk has room and that `triage store upgrade` has run",
    )
