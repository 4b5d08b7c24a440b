"""A store's connection: reaching it, preparing its tables, and one transaction per act."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from triage.errors import StoreError
from triage.store import audit as trail
from triage.store import schema
from triage.store.rows import AuditEvent
from triage.store.servers import create_file, explained, lock_for_writing, shown, take_night

T = TypeVar("T")


class Connected:
    """An engine with the store's rules: plain errors, one writer, tables of one revision."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(store_writes=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @property
    def where(self) -> str:
        """The address for people, without a password."""
        return shown(self._engine.url)

    # Preparing

    def check(self) -> None:
        """Pass if the tables are those that this release needs; changes nothing.

        Raises
        ------
        StoreError
            If the store is missing, empty, older or newer, or the database is something else's.
        """
        if self._file and not self._file.exists():
            raise StoreError(
                "the store does not exist yet",
                where=self.where,
                mend="run a night, or `triage store upgrade`",
            )
        self._read(lambda connection: schema.check(schema.revision(connection), self.where))

    def prepare(self) -> None:
        """Create file and tables where there are none; on any other store only ``check``.

        Raises
        ------
        StoreError
            If the store is older or newer than this release, or the database is something else's.
        """
        self._create_file()

        def work(connection: Connection) -> None:
            current = schema.revision(connection)
            if current == schema.EMPTY:
                schema.upgrade(connection)
            else:
                schema.check(current, self.where)

        self._write(work)

    def upgrade(self, audit: AuditEvent) -> bool:
        """Bring the tables to this release's revision, on explicit command only; False if they were.

        Raises
        ------
        StoreError
            If the store is newer than this release, or the database is something else's.
        """
        self._create_file()

        def work(connection: Connection) -> bool:
            current = schema.revision(connection)
            if current == schema.head():
                return False
            if current != schema.EMPTY and not schema.known(current):
                schema.check(current, self.where)
            schema.upgrade(connection)
            trail.append(connection, audit)
            return True

        return self._write(work)

    @contextmanager
    def night_lock(self) -> Iterator[None]:
        """Hold the night while the block runs, so that one night runs at a time.

        Raises
        ------
        StoreError
            At once, if another night is running.
        """
        release = self._plainly(lambda: take_night(self._engine))
        try:
            yield
        finally:
            release()

    # Transactions

    @property
    def _file(self) -> Path | None:
        return Path(str(self._engine.url.database)) if self._engine.dialect.name == "sqlite" else None

    def _create_file(self) -> None:
        if self._file is None:
            return
        try:
            create_file(self._engine.url)
        except (OSError, sqlite3.Error) as error:
            why = getattr(error, "strerror", None) or getattr(error, "sqlite_errorname", type(error).__name__)
            raise StoreError(
                f"the store cannot be created: {why}",
                where=self.where,
                mend="check that the folder can be written to, or set database_url",
            ) from error

    def _read(self, work: Callable[[Connection], T]) -> T:
        def within() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return self._plainly(within)

    def _write(self, work: Callable[[Connection], T]) -> T:
        def within() -> T:
            with self._writer.begin() as connection:
                lock_for_writing(connection)
                return work(connection)

        return self._plainly(within)

    def _plainly(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except DBAPIError as error:
            failure = explained(error, self._engine.url)
        # Outside the handler, so that the server's message, which may quote a row, is not even its context.
        raise failure
