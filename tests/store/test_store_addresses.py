"""An address that leads nowhere is said in plain words, and never with its password."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import psycopg
import pytest

from tests.store.nights import event, night
from tests.store_servers import fresh_postgresql
from triage.errors import StoreError
from triage.store import open_store
from triage.store.servers import parsed, shown

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("", "not readable"),
        ("not an address", "not readable"),
        (f"postgresql://kay:{SECRET}@host:port/triage", "not readable"),
        (f"mysql://kay:{SECRET}@host/triage", "no server that the store knows"),
        (f"postgresql+asyncpg://kay:{SECRET}@host/triage", "no server that the store knows"),
        ("sqlite://", "needs a database file"),
        ("sqlite:///:memory:", "needs a database file"),
    ],
)
def test_an_address_of_another_kind_is_refused(url: str, what: str) -> None:
    with pytest.raises(StoreError, match=what) as caught:
        open_store(url)
    assert SECRET not in _everything(caught.value)
    assert caught.value.mend


@pytest.mark.parametrize("options", ["", "&sslmode=disable"])
def test_a_server_that_is_not_there_is_named_without_password(options: str) -> None:
    url = f"postgresql://kay:{SECRET}@127.0.0.1:1/triage?connect_timeout=3{options}"
    with open_store(url) as store:
        for act in (store.check, store.prepare, store.queue, lambda: store.night_lock().__enter__()):
            with pytest.raises(StoreError, match="cannot be reached") as caught:
                act()
            assert caught.value.where == "postgresql://kay@127.0.0.1:1/triage"
            assert SECRET not in _everything(caught.value)


def test_the_password_among_the_options_is_not_shown() -> None:
    assert SECRET not in shown(parsed(f"postgresql://kay@host/triage?password={SECRET}"))
    assert shown(parsed("postgres://kay@/triage?host=/run/pg")) == "postgresql://kay@/run/pg/triage"


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError) as caught:
        open_store("postgresql://host/triage")
    assert "crime-recording-triage[postgresql]" in caught.value.mend


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    file = tmp_path / "triage.db"
    file.write_text("a letter, not a database\n" * 100, encoding="utf-8")
    with open_store(f"sqlite:///{file}") as store, pytest.raises(StoreError) as caught:
        store.check()
    assert str(file) in str(caught.value)


def test_what_sqlite_says_while_a_store_is_made_is_no_bug(tmp_path: Path) -> None:
    file = tmp_path / "triage.db"
    file.write_text("a letter, not a database\n" * 100, encoding="utf-8")
    with open_store(f"sqlite:///{file}") as store, pytest.raises(StoreError, match="SQLITE_NOTADB") as caught:
        store.prepare()
    assert str(file) in str(caught.value)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        open_store(f"sqlite:///{tmp_path / 'file' / 'triage.db'}") as store,
        pytest.raises(StoreError, match="cannot be created"),
    ):
        store.prepare()


def test_two_schemas_of_one_postgresql_database_are_two_stores() -> None:
    url = fresh_postgresql()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA north")
        connection.execute("CREATE SCHEMA south")
    with (
        open_store(f"{url}&options=-csearch_path%3Dnorth") as north,
        open_store(f"{url}&options=-csearch_path%3Dsouth") as south,
    ):
        north.prepare()
        south.prepare()
        with north.night_lock(), south.night_lock():
            assert north.publish(night(), event())
            assert south.queue() == ()
            assert south.publish(night(), event())
            assert south.queue() == north.queue()


def test_a_schema_that_is_not_there_is_said() -> None:
    with (
        open_store(f"{fresh_postgresql()}&options=-csearch_path%3Dnowhere") as store,
        pytest.raises(StoreError, match="no schema"),
    ):
        store.prepare()


def test_a_relative_path_is_taken_from_where_the_store_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///triage.db") as store:
        os.chdir("/")
        store.prepare()
    assert (tmp_path / "triage.db").exists()


def _everything(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    address = f"sqlite:///{tmp_path / 'file' / 'triage.db'}"
    with (
        open_store(address) as store,
        pytest.raises(StoreError, match="cannot be written"),
        store.night_lock(),
    ):
        pass
