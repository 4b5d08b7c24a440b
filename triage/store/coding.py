"""Frozen rows to table rows and back; refuses beforehand what no server can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, insert

from triage.errors import StoreError
from triage.ranking.allocation import Draw
from triage.reading.linking import Claim
from triage.store.rows import Item, ItemCrime, ItemEvidence, ItemText, Part, PlaceRow, QueueRow, Run

#: PostgreSQL text holds neither NUL nor half a surrogate pair; SQLite would cut or refuse them.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def plain(value: Any) -> Any:
    """Return a frozen row as dicts, lists and scalars; moments stay moments."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    return value


def add(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows.

    Raises
    ------
    StoreError
        If a string holds a character that not every server can store; it names table and column only.
    """
    listed = [dict(row) for row in rows]
    for row in listed:
        for column, value in row.items():
            if isinstance(value, str) and _UNSTORABLE.search(value):
                raise StoreError(
                    "a string holds a character that the store cannot keep (NUL or half of a surrogate pair)",
                    where=f"table {table.name}, column {column}",
                    mend="read the extract with `triage.reading`, which replaces such characters",
                )
    if listed:
        connection.execute(insert(table), listed)


def run_of(row: Row[Any]) -> Run:
    """Read a run."""
    values = dict(row._mapping)
    values.pop("number")
    return Run(**(values | {"notes": tuple(values["notes"])}))


def item_of(values: Mapping[Any, Any]) -> Item:
    """Read an item."""
    return Item(
        **(
            dict(values)
            | {
                "families": tuple(values["families"]),
                "rules": tuple(values["rules"]),
                "evidence": tuple(ItemEvidence(**each) for each in values["evidence"]),
                "parts": tuple(Part(**each) for each in values["parts"]),
            }
        )
    )


def queue_row_of(row: Row[Any], item_columns: Iterable[str]) -> QueueRow:
    """Read a place joined with its item, whose columns carry the prefix ``item_``."""
    values = row._mapping
    return QueueRow(
        run_id=values["run_id"],
        position=values["position"],
        arm=values["arm"],
        score_01=values["score_01"],
        carried=values["carried"],
        item=item_of({name: values[f"item_{name}"] for name in item_columns}),
        families=tuple(values["families"]),
        rules=tuple(values["rules"]),
        crimes=tuple(ItemCrime(**each) for each in values["crimes"]),
    )


def text_of(row: Row[Any]) -> ItemText:
    """Read a part of an item."""
    values = dict(row._mapping)
    answers, claims = values["answers"], values["claims"]
    values["answers"] = None if answers is None else {int(key): value for key, value in answers.items()}
    values["claims"] = None if claims is None else tuple(Claim(**each) for each in claims)
    values["crimes"] = tuple(ItemCrime(**each) for each in values["crimes"])
    # Nights before revision 0002 kept neither.
    values["team"], values["supervisor_ref"] = values["team"] or "", values["supervisor_ref"] or ""
    return ItemText(**values)


def place_values(run_id: str, places: Iterable[PlaceRow]) -> list[dict[str, Any]]:
    """Write the places of a run."""
    return [{"run_id": run_id, **plain(place)} for place in places]


def draw_of(row: Row[Any]) -> Draw:
    """Read a draw."""
    values = dict(row._mapping)
    values.pop("run_id")
    return Draw(**values)
