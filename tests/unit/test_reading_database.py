"""An extract that lies in a database: one query per table, and errors that quote neither URL nor value."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from triage.errors import ExtractError, SettingsError
from triage.reading import read_extract
from triage.settings import Settings

VARIABLE = "EXSHIRE_TEST_URL"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: str) -> Path:
    """Make a SQLite database with two tables and a mapping file for it."""
    database = tmp_path / "force.db"
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("CREATE TABLE logs (no TEXT, opened TEXT, closed TEXT, body, kind TEXT)")
        connection.executemany(
            "INSERT INTO logs VALUES (?, ?, ?, ?, ?)",
            [
                ("L2", "2026-07-01 09:00", None, canary, "LOG"),
                ("L1", "2026-07-01 09:00", "2026-07-01 08:00", canary, "LOG"),
                ("L3", "2026-07-01 09:00", None, b"\xff", "LOG"),
                ("X1", "2026-07-01 10:00", None, "", "CRIME"),
            ],
        )
    connection.close()
    monkeypatch.setenv(VARIABLE, f"sqlite:///{database.as_posix()}")
    path = tmp_path / "warehouse.toml"
    path.write_text(
        f"""
[database]
url_env = "{VARIABLE}"
[database.queries]
incidents = "SELECT no AS record_ref, opened AS opened_at, closed AS closed_at, body, kind FROM logs"
crimes = "SELECT no, 'L2' AS record_ref, opened AS recorded_at, 39 AS offence_code, kind FROM logs"
[incidents.columns]
text = "body"
[incidents.only]
column = "kind"
is_one_of = ["log"]
[crimes.columns]
crime_ref = "no"
[crimes.only]
column = "kind"
is_one_of = ["crime"]
""",
        encoding="utf-8",
    )
    return path


def test_tables_are_read_by_their_queries(source: Path, canary: str) -> None:
    extract = read_extract(source, Settings())
    assert [(record.record_ref, record.text) for record in extract.records] == [("L2", canary)]
    assert [(crime.crime_ref, crime.offence_code) for crime in extract.crimes] == [("X1", "39")]
    assert [(row.file, row.row_number, row.rule) for row in extract.rejects] == [
        ("query incidents", 2, "closed_before_opened"),
        ("query incidents", 3, "not_text"),
    ]
    count = extract.counts["incidents"]
    assert (count.rows, count.accepted, count.rejected, count.left_out) == (3, 1, 2, 1)


@pytest.mark.parametrize(
    "url",
    ["sqlite:////nowhere/at/all.db", "nonsense", "nodialect://x:secret@h/d", "postgresql://u:secret@h:x/d"],
)
def test_an_unreachable_database_is_a_plain_error(
    url: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(ExtractError, match="cannot be read") as caught:
        read_extract(source, Settings())
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_wrong_query_is_a_plain_error(source: Path, canary: str) -> None:
    source.write_text(source.read_text().replace("FROM logs", f"FROM logs WHERE '{canary}' = nothing", 1))
    with pytest.raises(ExtractError, match="query incidents") as caught:
        read_extract(source, Settings())
    assert canary not in str(caught.value)


def test_columns_of_the_same_name_are_an_error(source: Path) -> None:
    source.write_text(source.read_text().replace("body, kind", "body, kind, kind", 1))
    with pytest.raises(ExtractError, match="same name"):
        read_extract(source, Settings())


def test_the_url_stands_in_the_environment(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SettingsError, match=VARIABLE):
        read_extract(source, Settings())
