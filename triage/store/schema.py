"""Which revision of the tables a database holds, and the way to this release's."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from triage.errors import StoreError
from triage.store.servers import shown

#: Name of Alembic's own table: not the usual one, so that the store can never be taken for another program's.
VERSION_TABLE = "store_revision"
EMPTY = ""
_UPGRADE = "run `triage store upgrade`"


def _config() -> Config:
    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head() -> str:
    """Return the revision that this release needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def known(current: str) -> bool:
    """Return whether this release knows a revision."""
    revisions = ScriptDirectory.from_config(_config()).walk_revisions()
    return current in {each.revision for each in revisions}


def revision(connection: Connection) -> str:
    """Return the revision of the database, ``EMPTY`` if it holds no tables at all.

    Raises
    ------
    StoreError
        If it holds tables of something else.
    """
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    current = context.get_current_revision()
    if current is None and inspect(connection).get_table_names():
        raise StoreError(
            "the database holds tables that are not the store's",
            where=shown(connection.engine.url),
            mend="give the store a database, or on PostgreSQL a schema, of its own",
        )
    return EMPTY if current is None else str(current)


def check(current: str, where: str) -> None:
    """Pass if the revision of the store at an address is the one that this release needs.

    Raises
    ------
    StoreError
        If the tables are missing, older or newer.
    """
    if current == head():
        return
    if current == EMPTY:
        raise StoreError("the store is empty", where=where, mend=f"run a night, or {_UPGRADE}")
    if not known(current):
        raise StoreError(
            f"the store is of revision {current}, which this release does not know",
            where=where,
            mend="install the release that wrote it",
        )
    raise StoreError(
        f"the store is of revision {current}; this release needs {head()}", where=where, mend=_UPGRADE
    )


def upgrade(connection: Connection) -> None:
    """Bring the tables to the revision of this release, within the caller's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
