"""The rows of an extract that lies in a database: one query per table, through SQLAlchemy."""

from __future__ import annotations

import os

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from triage.errors import ExtractError, SettingsError
from triage.reading.mapping import Database
from triage.reading.raw import RawTable, cell_of, parts_of
from triage.reading.records import TABLES


def read_database(database: Database) -> dict[str, RawTable]:
    """Return the rows of each table that the mapping file has a query for.

    Raises
    ------
    SettingsError
        If the environment variable with the database's URL is not set.
    ExtractError
        If the database cannot be reached or a query fails. The driver's own message is left out: it may quote
        the address, the query or a value.
    """
    url = os.environ.get(database.url_env, "")
    if not url:
        raise SettingsError(
            "the environment variable with the URL of the extract's database is not set",
            where=database.url_env,
            mend=f"export {database.url_env}=<dialect>://<user>:<password>@<host>/<database>",
        )
    tables: dict[str, RawTable] = {}
    table, failure = "", ""
    try:
        engine = create_engine(url, hide_parameters=True)
        try:
            with engine.connect() as connection:
                for table in (name for name in TABLES if name in database.queries):
                    result = connection.execute(text(database.queries[table]))
                    columns = tuple(map(str, result.keys()))
                    rows = [list(map(cell_of, row)) for row in result]
                    tables[table] = RawTable(f"query {table}", columns, parts_of(columns, rows, columns))
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError, ValueError) as error:
        failure = type(error).__name__
    if failure:
        raise ExtractError(
            f"the extract's database cannot be read ({failure})",
            where=f"query {table}" if table else f"the URL in {database.url_env}",
            mend="try the query by hand with the same URL and user",
        )
    for name, found in tables.items():
        if len(set(found.columns)) != len(found.columns):
            raise ExtractError(
                "the query returns columns of the same name",
                where=f"query {name}",
                mend="rename them with AS",
            )
    return tables
