"""The tables of the database, of the code and of the document are the same; only a command upgrades them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from tests.store.nights import event, night
from triage.errors import StoreError
from triage.store import Store, open_store, schema
from triage.store.tables import described, metadata

DOCUMENT = Path(__file__).parents[2] / "docs" / "store.md"


def test_the_migrations_make_the_tables_of_the_code(store: Store) -> None:
    with store._engine.connect() as connection:
        options = {"version_table": schema.VERSION_TABLE, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_the_document_lists_every_table_and_column() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert described().strip() in document
    for table in metadata.sorted_tables:
        assert f"### `{table.name}`" in document
        for column in table.columns:
            assert f"| `{column.name}` | {column.doc} |" in document


def test_preparing_creates_once_and_changes_nothing_after(store_url: str) -> None:
    with open_store(store_url) as store:
        with pytest.raises(StoreError, match=r"does not exist yet|is empty"):
            store.check()
        store.prepare()
        store.check()
        store.publish(night(), event())
        store.prepare()
        assert len(store.queue()) == 3


def test_an_upgrade_is_logged_and_happens_once(store_url: str) -> None:
    with open_store(store_url) as store:
        assert store.upgrade(event("alteration", "store"))
        assert not store.upgrade(event("alteration", "store"))
        store.check()
        assert [each.event.subject for each in store.events()] == ["store"]


def test_a_store_of_another_release_is_left_alone(store: Store) -> None:
    with store._engine.begin() as connection:
        connection.execute(text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'"))
    for act in (store.check, store.prepare, lambda: store.upgrade(event("alteration", "store"))):
        with pytest.raises(StoreError, match="revision 9999, which this release does not know") as caught:
            act()
        assert caught.value.where == store.where
    assert store.events() == ()


def test_a_database_of_something_else_is_left_alone(store_url: str) -> None:
    with open_store(store_url) as store:
        if store._file is not None:
            store._file.touch()
        with store._engine.begin() as connection:
            connection.execute(text("CREATE TABLE theirs (id integer)"))
        for act in (store.check, store.prepare, lambda: store.upgrade(event("alteration", "store"))):
            with pytest.raises(StoreError, match="not the store's"):
                act()


def test_reading_a_store_without_tables_says_so(store_url: str) -> None:
    with open_store(store_url) as store, pytest.raises(StoreError, match="upgrade"):
        store.queue()


def test_the_file_is_its_owners_alone_and_in_wal_mode(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'new' / 'triage.db'}") as store:
        store.prepare()
        store.publish(night(), event())
        for file in (tmp_path / "new").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
        with store._engine.connect() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "foreign_keys", "busy_timeout", "secure_delete")
            }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000, "secure_delete": 1}
