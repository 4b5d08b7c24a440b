"""The records of an extract as columns, from which each record is made when somebody asks for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any, overload

import numpy as np
import polars as pl

from triage.reading.records import RECORD_TABLES, Record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
#: Signs of a form's answers, one a question, and what each stands for.
ANSWER_SIGNS = {"Y": "Y", "N": "N", "K": "NK"}
NO_ANSWER = "."
#: Records made at a time, so that iterating holds few of them.
_AT_ONCE = 500
_HASHED_AT_ONCE = 5_000
_NO_TIME = -(2**63)
_ALL_BYTES = 2**62
#: Columns other than of text; ``answers`` and ``qualifiers`` are texts here.
_TIMES = ("opened_at", "closed_at")
_COLUMNS = (
    "record_ref", "opened_at", "closed_at", "text", "incident_ref", "opening_code", "closing_code",
    "qualifiers", "channel", "team", "supervisor_ref", "area", "form_version", "grade", "answers", "agency",
    "reporter_role", "offence_code",
)  # fmt: skip
SCHEMA: Mapping[str, pl.DataType] = {name: pl.Int64() if name in _TIMES else pl.String() for name in _COLUMNS}


def micros(moment: datetime) -> int:
    """Return a moment as microseconds since 1970.

    >>> micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (moment - EPOCH) // MICROSECOND


def as_columns(record: Record) -> dict[str, Any]:
    """Return a record's values as the columns hold them."""
    values: dict[str, Any] = {name: getattr(record, name) for name in _COLUMNS}
    last = max(record.answers, default=0)
    values["opened_at"] = micros(record.opened_at)
    values["closed_at"] = None if record.closed_at is None else micros(record.closed_at)
    values["qualifiers"] = ";".join(record.qualifiers)
    values["answers"] = "".join(record.answers.get(n, NO_ANSWER)[-1] for n in range(1, last + 1))
    return values


class Records(Sequence[Record]):
    """Records in the order of table and reference, held as columns: many of them take little memory.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        For each table columns of ``SCHEMA``, sorted by ``record_ref``; a column that is left out is empty.
    """

    def __init__(self, tables: Mapping[str, pl.DataFrame]) -> None:
        self.tables = {name: tables[name] for name in RECORD_TABLES if name in tables}
        self._length = sum(frame.height for frame in self.tables.values())

    @classmethod
    def of(cls, records: Sequence[Record]) -> Records:
        """Return records of any order as columns."""
        if isinstance(records, cls):
            return records
        rows: dict[str, list[dict[str, Any]]] = {}
        for record in sorted(records, key=lambda each: each.record_ref):
            rows.setdefault(record.source, []).append(as_columns(record))
        return cls({source: pl.DataFrame(found, schema=SCHEMA) for source, found in rows.items()})

    def parts(self, most: int, most_bytes: int = _ALL_BYTES) -> Iterator[Records]:
        """Give the records in order, at most so many of one table at a time.

        The texts of a part have at most so many bytes together, unless it is a single record's.
        """
        for source, frame in self.tables.items():
            text = frame.get_column("text", default=pl.Series([""]).new_from_index(0, frame.height))
            ends = text.str.len_bytes().cast(pl.Int64).cum_sum().to_numpy()
            at = 0
            while at < frame.height:
                before = ends[at - 1] if at else 0
                fitting = int(np.searchsorted(ends, before + most_bytes, side="right")) - at
                count = min(most, max(fitting, 1))
                yield Records({source: frame.slice(at, count)})
                at += count

    def texts(self) -> list[str]:
        """Return the text of each record."""
        return [text for frame in self.tables.values() for text in _strings(frame, "text")]

    def answered(self) -> Iterator[tuple[int, str, Mapping[int, str]]]:
        """Give the place of each form with answers, its version and its answers by question."""
        first = 0
        for frame in self.tables.values():
            if "answers" in frame.columns:
                columns = zip(_strings(frame, "form_version"), _strings(frame, "answers"), strict=True)
                for place, (version, signs) in enumerate(columns, start=first):
                    if signs:
                        yield place, version, _answers(signs)
            first += frame.height

    def opened_after(self, moment: datetime) -> int:
        """Return how many records were opened after a moment."""
        return sum(int((frame["opened_at"] > micros(moment)).sum()) for frame in self.tables.values())

    def digest(self) -> str:
        """Return the SHA-256 of the records."""
        digest = hashlib.sha256()
        for source, frame in self.tables.items():
            for name in _COLUMNS:
                column = frame.get_column(name, default=None)
                # What no row fills is as if it were not there.
                if column is None or column.is_null().all() or (name not in _TIMES and (column == "").all()):
                    continue
                digest.update(f"{source} {name} {frame.height}\n".encode())
                for at in range(0, frame.height, _HASHED_AT_ONCE):
                    _add(digest, column.slice(at, _HASHED_AT_ONCE))
        return digest.hexdigest()

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Record]:
        for part in self.parts(_AT_ONCE):
            for source, frame in part.tables.items():
                yield from _made(source, frame)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Record, ...]: ...
    def __getitem__(self, index: int | slice) -> Record | tuple[Record, ...]:
        if isinstance(index, slice):
            return tuple(self[at] for at in range(*index.indices(self._length)))
        at = index + self._length if index < 0 else index
        for source, frame in self.tables.items():
            if 0 <= at < frame.height:
                return next(_made(source, frame.slice(at, 1)))
            at -= frame.height
        raise IndexError(f"there are {self._length} records, none of number {index}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self._length} records>"


def _strings(frame: pl.DataFrame, name: str) -> list[str]:
    return frame.get_column(name).to_list() if name in frame.columns else [""] * frame.height


def _same(one: object, other: object) -> bool:
    return one == other


def _add(digest: Any, column: pl.Series) -> None:
    """Add values to a hash so that no other values give the same bytes: their lengths go first."""
    if column.dtype == pl.String:
        digest.update(column.str.len_bytes().to_numpy().tobytes())
        digest.update(str(column.str.join("")[0]).encode())
    else:
        digest.update(column.fill_null(_NO_TIME).to_numpy().tobytes())


def _made(source: str, frame: pl.DataFrame) -> Iterator[Record]:
    given = {name: frame.get_column(name).to_list() for name in frame.columns if name in SCHEMA}
    empty = repeat("")
    opened = map(_moment, given["opened_at"])
    closed = map(_moment, given["closed_at"]) if "closed_at" in given else repeat(None)
    qualifiers = given.get("qualifiers")
    answers = given.get("answers")
    for values in zip(
        repeat(source),
        given["record_ref"],
        opened,
        closed,
        given.get("text", empty),
        given.get("incident_ref", empty),
        given.get("opening_code", empty),
        given.get("closing_code", empty),
        map(_split, qualifiers) if qualifiers else repeat(()),
        given.get("channel", empty),
        given.get("team", empty),
        given.get("supervisor_ref", empty),
        given.get("area", empty),
        given.get("form_version", empty),
        given.get("grade", empty),
        map(_answers, answers) if answers else map(_answers, empty),
        given.get("agency", empty),
        given.get("reporter_role", empty),
        given.get("offence_code", empty),
        strict=False,
    ):
        yield Record(*values)


def _moment(at: int | None) -> datetime | None:
    return None if at is None else EPOCH + timedelta(0, 0, at)


def _split(qualifiers: str) -> tuple[str, ...]:
    return tuple(qualifiers.split(";")) if qualifiers else ()


def _answers(signs: str) -> dict[int, str]:
    return {number: ANSWER_SIGNS[sign] for number, sign in enumerate(signs, start=1) if sign != NO_ANSWER}
