"""The rows of an extract's files as they are: cells as text, number or moment, part by part."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from itertools import islice
from pathlib import Path

import polars as pl

from triage.errors import ExtractError

#: Rows of a part; a table larger than memory allows in Python's own objects is read part by part.
PART_ROWS = 1_000
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class NotText(Enum):
    """A cell that is neither text, number nor moment: bytes, a list, an object."""

    CELL = "not_text"


#: A float is an Excel number, which may be a date; numbers of other files are text by now.
Cell = str | float | datetime | NotText


@dataclass(frozen=True, slots=True)
class RawPart:
    """Some successive rows: their numbers from 1, and their cells by the file's own column names.

    ``faults`` are the numbers of rows between them that are none, with the rule that each breaks.
    """

    numbers: Sequence[int]
    cells: Mapping[str, Sequence[Cell]]
    faults: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True)
class RawTable:
    """One file as it is: its column names, its rows part by part, and what the run's note should say."""

    file: str
    columns: tuple[str, ...]
    parts: Iterable[RawPart]
    notes: tuple[str, ...] = ()


def storable(text: str) -> str:
    """Return the text with NULs and lone surrogates as U+FFFD, one for one, so that offsets stay.

    >>> storable("a\\0b") == "a\\ufffdb"
    True
    """
    return _UNSTORABLE.sub("\ufffd", text)


def parts_of(
    header: Sequence[str], rows: Iterable[Sequence[Cell] | str], wanted: Collection[str]
) -> Iterator[RawPart]:
    """Give the wanted columns of rows, part by part; a row that is none is the name of the rule it breaks."""
    used = [(name, place) for place, name in enumerate(header) if name in wanted]
    numbered = enumerate(rows, start=1)
    while block := list(islice(numbered, PART_ROWS)):
        faults = [(number, row) for number, row in block if isinstance(row, str)]
        good = [(number, row) for number, row in block if not isinstance(row, str)]
        columns = list(zip(*(row for _, row in good), strict=True)) or [()] * len(header)
        yield RawPart([number for number, _ in good], {name: columns[at] for name, at in used}, faults)


def _number(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def cell_of(value: object) -> Cell:
    """Return a value of a JSON object, a Parquet file or a database as a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < 1024 else NotText.CELL
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview | list | tuple | dict | timedelta | pl.Series):
        return NotText.CELL
    return storable(str(value))


def check_readable(path: Path, name: str) -> None:
    """Make sure that a path is a file with something in it.

    Raises
    ------
    ExtractError
        If it is no file, cannot be read, or is empty; the message calls it by its harmless ``name``.
    """
    if not path.is_file():
        raise ExtractError(
            f"what should be the file of a table is {_kind(path)}",
            where=name,
            mend="put the file itself into the extract",
        )
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ExtractError(
            f"the file cannot be read: {error.strerror}",
            where=name,
            mend="correct the file's permissions",
        ) from error
    if empty:
        raise ExtractError(
            "the file is empty (0 bytes)",
            where=name,
            mend="export it again, with a header line at least",
        )


def _kind(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return "a link to a file that is not there"
    return "a directory" if path.is_dir() else "no ordinary file"
