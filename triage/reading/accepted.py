"""The rows of a table that became records or crimes, each reference once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import polars as pl
from pydantic import ValidationError

from triage.reading.checks import plain_crimes, plain_records
from triage.reading.columns import EPOCH, MICROSECOND, SCHEMA, Records, as_columns
from triage.reading.raw import Cell, storable
from triage.reading.records import REQUIRED, Crime, Record
from triage.reading.rejects import RULES
from triage.reading.tables import RECORD_ROWS, CrimeRow, Reader, RecordRow

_ROW = "row"
_RULE_OF_MISSING = {
    "record_ref": "missing_reference",
    "crime_ref": "missing_reference",
    "form_version": "unknown_form_version",
    "offence_code": "missing_offence_code",
}


class Accepted:
    """Gathers the rows of one table that are what they should be.

    Whole columns are checked at once; only a row that they do not show to be right is checked by its own
    model, which alone decides and names every fault.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._frames: list[pl.DataFrame] = []
        self._crimes: list[tuple[int, Crime]] = []

    def add(
        self, numbers: Sequence[int], cells: Mapping[str, Sequence[Cell]], reader: Reader
    ) -> list[tuple[int, str, str]]:
        """Take in some rows; return the faults of the others as (row number, column, rule).

        Parameters
        ----------
        numbers : sequence of int
            Numbers of the rows in their file.
        cells : mapping
            The cells of each column, by the contract's names.
        reader : Reader
            What cells mean in this extract.
        """
        made: Mapping[str, Sequence[Any]]
        if not cells.keys() >= set(REQUIRED[self._table]):
            made, odd = {}, set(range(len(numbers)))  # a JSONL file may lack a key altogether
        elif self._table == "crimes":
            made, odd = plain_crimes(cells, reader)
        else:
            made, odd = plain_records(self._table, cells, reader)
        faults: list[tuple[int, str, str]] = []
        checked: list[tuple[int, Record | Crime]] = []
        for place in sorted(odd):
            row = {name: column[place] for name, column in cells.items()}
            found = _checked(self._table, row, reader)
            if isinstance(found, list):
                faults += [(numbers[place], column, rule) for column, rule in found]
            else:
                checked.append((numbers[place], found))
        plain = [place for place in range(len(numbers)) if place not in odd]
        if self._table == "crimes":
            self._crimes += [(numbers[place], _crime(made, place)) for place in plain]
            self._crimes += [(number, crime) for number, crime in checked if isinstance(crime, Crime)]
        else:
            rows = {_ROW: numbers, **made}
            if odd:
                rows = {name: [column[place] for place in plain] for name, column in rows.items()}
            self._frames += [_frame(rows)] if plain else []
            for number, record in checked:
                assert isinstance(record, Record)
                values = {_ROW: number, **as_columns(record)}
                self._frames.append(_frame({name: [values[name]] for name in rows}))
        return faults

    def first_of_each(self) -> tuple[pl.DataFrame, tuple[Crime, ...], list[int]]:
        """Return the earliest record or crime of each reference, and the numbers of the other rows.

        Which rows stay never depends on the order in which they were added.
        """
        counts = Counter(crime.crime_ref for _, crime in self._crimes)
        twice: list[tuple[int, Record | Crime]] = [
            (number, crime) for number, crime in self._crimes if counts[crime.crime_ref] > 1
        ]
        frame = pl.concat(self._frames) if self._frames else pl.DataFrame(schema={_ROW: pl.Int64(), **SCHEMA})
        again = frame.filter(pl.col("record_ref").is_duplicated())
        twice += zip(again[_ROW].to_list(), Records({self._table: again}), strict=True)
        later = _all_but_first(twice)
        crimes = sorted(
            (crime for number, crime in self._crimes if number not in later),
            key=lambda crime: crime.crime_ref,
        )
        if again.height:
            frame = frame.filter(~pl.col(_ROW).is_in(list(later)))
        return frame.drop(_ROW).sort("record_ref"), tuple(crimes), sorted(later)


def _frame(columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    return pl.DataFrame([_series(name, columns[name]) for name in (_ROW, *SCHEMA) if name in columns])


def _series(name: str, values: Sequence[Any]) -> pl.Series:
    kind = pl.Int64() if name == _ROW else SCHEMA[name]
    try:
        return pl.Series(name, values, dtype=kind)
    except UnicodeEncodeError:
        return pl.Series(name, list(map(storable, values)), dtype=kind)


def _crime(made: Mapping[str, Sequence[Any]], place: int) -> Crime:
    return Crime(
        made["crime_ref"][place],
        made["record_ref"][place],
        EPOCH + made["recorded_at"][place] * MICROSECOND,
        made["offence_code"][place],
        *(made["status"][place : place + 1]),
    )


def _checked(table: str, cells: Mapping[str, Cell], reader: Reader) -> Record | Crime | list[tuple[str, str]]:
    """Return the row as a record or crime, or its faults as (column, rule)."""
    kind: type[RecordRow] | type[CrimeRow] = RECORD_ROWS.get(table, CrimeRow)
    try:
        checked = kind.model_validate(cells, context=reader)
    except ValidationError as error:
        faults = []
        for each in error.errors(include_url=False, include_input=False, include_context=False):
            column, rule = str(each["loc"][0]), each["type"]
            rule = _RULE_OF_MISSING.get(column, "missing_time") if rule == "missing" else rule
            assert rule in RULES, rule
            faults.append((column, rule))
        return faults
    return checked.record() if isinstance(checked, RecordRow) else checked.crime()


def _all_but_first(accepted: Sequence[tuple[int, Record | Crime]]) -> set[int]:
    """Return the numbers of all rows but the earliest of each reference."""
    same: dict[str, list[tuple[int, Record | Crime]]] = {}
    for each in accepted:
        reference = each[1].crime_ref if isinstance(each[1], Crime) else each[1].record_ref
        same.setdefault(reference, []).append(each)
    later: set[int] = set()
    for group in same.values():
        group.sort(key=lambda each: (_moment(each[1]), _canonical(each[1]), each[0]))
        later.update(number for number, _ in group[1:])
    return later


def _moment(thing: Record | Crime) -> datetime:
    return thing.recorded_at if isinstance(thing, Crime) else thing.opened_at


def _canonical(thing: Record | Crime) -> str:
    """Return what a record or crime holds as one line, the same for the same content."""
    return json.dumps([getattr(thing, field.name) for field in fields(thing)], default=datetime.isoformat)
