"""The rows of an extract's files: where each table lies, and its cells as text, number or moment."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from pathlib import Path

import polars as pl
import python_calamine as calamine

from triage.errors import ExtractError
from triage.reading.delimited import decode, json_lines, read_rows, shown
from triage.reading.mapping import FILE_NAME, TableMapping, harmless, harmless_path
from triage.reading.mapping import Mapping as ForceMapping
from triage.reading.records import TABLES

FORMATS = (".csv", ".parquet", ".jsonl", ".xlsx")
#: Longest text that a cell of Excel holds, in characters. Source: Excel specifications and limits, Microsoft.
EXCEL_CELL_CHARACTERS = 32_767
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_EPOCH = datetime(1970, 1, 1)
#: Reads a Parquet file and nothing else; a core that it dumped would hold record text.
_TRIAL_READING = """
import io, pathlib, sys
try:
    import resource
except ImportError:
    pass
else:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import polars
polars.read_parquet(io.BytesIO(pathlib.Path(sys.argv[1]).read_bytes()))
"""
#: What one count of a Parquet time is; a nanosecond has no timedelta.
_UNITS = {"ms": timedelta(milliseconds=1), "us": timedelta(microseconds=1), "ns": None}


class NotText(Enum):
    """A cell that is neither text, number nor moment: bytes, a list, an object."""

    CELL = "not_text"


#: A float is an Excel number, which may be a date; numbers of other files are text by now.
Cell = str | float | datetime | NotText


@dataclass(frozen=True, slots=True)
class RawRow:
    """One data row: its number from 1, its cells by the file's own column names, or the rule it breaks."""

    number: int
    cells: Mapping[str, Cell]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class RawTable:
    """One file as it is: its column names, rows, and what the run's note should say of it."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[RawRow, ...]
    notes: tuple[str, ...] = ()


def storable(text: str) -> str:
    """Return the text with NULs and lone surrogates as U+FFFD, one for one, so that offsets stay.

    >>> storable("a\\0b") == "a\\ufffdb"
    True
    """
    return _UNSTORABLE.sub("\ufffd", text)


def find_tables(folder: Path, mapping: ForceMapping) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the file of each table that the folder holds, and the names of the files that are no table.

    Raises
    ------
    ExtractError
        If the folder is missing, two files hold one table, or a file that the mapping names is missing.
    """
    try:
        present = sorted(folder.iterdir())
    except OSError as error:
        raise ExtractError(
            f"the extract cannot be read: {error.strerror}",
            where=harmless_path(folder),
            mend="give a folder, or a mapping file with a [database] section",
        ) from error
    found: dict[str, Path] = {}
    for table in TABLES:
        named = mapping.of(table).file
        wanted = (named or table).casefold()
        files = [
            path
            for path in present
            if (named is not None and path.name.casefold() == wanted)
            or (path.stem.casefold() == wanted and path.suffix.casefold() in FORMATS)
        ]
        if len(files) > 1:
            raise ExtractError(
                f"{len(files)} files hold the table {table}: {_names(files)}",
                where=harmless_path(folder),
                mend='keep one of them, or name it with file = "..." in the mapping file',
            )
        if named is not None and not files:
            raise ExtractError(
                f"the mapping file says that {table} lies in {harmless(named)!r}, which is not there",
                where=harmless_path(folder),
                mend="export it, if need be with a header line only",
            )
        if files:
            found[table] = files[0]
    read = {*found.values(), folder / FILE_NAME}
    others = (path.name for path in present if path not in read and not path.name.startswith("."))
    return found, tuple(map(harmless, others))


def _names(files: Iterable[Path]) -> str:
    return ", ".join(harmless(path.name) for path in files)


def read_file(path: Path, how: TableMapping, wanted: Collection[str]) -> RawTable:
    """Return the rows of one file; ``wanted`` are the names of the columns that the table needs or may have.

    Raises
    ------
    ExtractError
        If the file is none, empty, truncated, corrupt, not text in its encoding, or has a column name twice.
    """
    name = harmless(path.name)
    if not path.is_file():
        raise ExtractError(
            f"what should be the file of a table is {_kind(path)}",
            where=name,
            mend="put the file itself into the extract",
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExtractError(
            f"the file cannot be read: {error.strerror}",
            where=name,
            mend="correct the file's permissions",
        ) from error
    if not data:
        raise ExtractError(
            "the file is empty (0 bytes)",
            where=name,
            mend="export it again, with a header line at least",
        )
    kind = path.suffix.casefold()
    if kind == ".parquet":
        _try_parquet(path, name)
        return _read_parquet(data, name)
    if kind == ".xlsx":
        return _read_xlsx(data, name, how, wanted)
    text, encoding = decode(data, how.encoding, name)
    notes = (f"{name}: read as {encoding}",) if encoding not in {"utf-8", "utf-8-sig"} else ()
    if kind == ".jsonl":
        return _read_jsonl(text, name, notes)
    header, rows = read_rows(text, how.delimiter, wanted, name)
    return _table(name, header, rows, wanted, notes)


def _kind(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return "a link to a file that is not there"
    return "a directory" if path.is_dir() else "no ordinary file"


def _table(
    file: str,
    header: list[str],
    rows: Iterable[list[str] | list[Cell] | str],
    wanted: Collection[str],
    notes: tuple[str, ...] = (),
) -> RawTable:
    _no_name_twice(file, header, wanted)
    nameless = header.count("")
    if nameless:
        notes = (*notes, f"{file}: {nameless} columns have no name and are not read")
    made = []
    for number, row in enumerate(rows, start=1):
        if isinstance(row, str):
            made.append(RawRow(number, {}, row))
        else:
            made.append(RawRow(number, {name: cell for name, cell in zip(header, row, strict=True) if name}))
    return RawTable(file, tuple(name for name in header if name), tuple(made), notes)


def _no_name_twice(file: str, header: list[str], wanted: Collection[str]) -> None:
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ExtractError(
            f"columns of the same name: {shown(twice, wanted)}",
            where=file,
            mend="export the table with a header line of distinct names",
        )


class _TwiceError(ValueError):
    """A JSON object has a key twice."""


def _read_jsonl(text: str, file: str, notes: tuple[str, ...]) -> RawTable:
    rows: list[RawRow] = []
    columns: dict[str, None] = {}
    for line in json_lines(text, file):
        cells = _json_cells(line)
        if cells is None:
            rows.append(RawRow(len(rows) + 1, {}, "unreadable_json"))
        else:
            columns.update(dict.fromkeys(cells))
            rows.append(RawRow(len(rows) + 1, cells))
    return RawTable(file, tuple(columns), tuple(rows), notes)


def _json_cells(line: str) -> dict[str, Cell] | None:
    try:
        row = json.loads(line, object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    return {storable(name): _cell(value) for name, value in row.items()}


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _TwiceError
    return made


def _number(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _cell(value: object) -> Cell:
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


cell_of = _cell


def _read_xlsx(data: bytes, file: str, how: TableMapping, wanted: Collection[str]) -> RawTable:
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = workbook.sheet_names
        chosen = next((name for name in names if name.casefold() == how.table), names[0] if names else "")
        if how.sheet is not None and how.sheet not in names:
            present = ", ".join(map(harmless, names))
            raise ExtractError(
                f"the workbook has no sheet {harmless(how.sheet)!r}; it has: {present}",
                where=file,
                mend='correct sheet = "..." in the mapping file',
            )
        grid = workbook.get_sheet_by_name(how.sheet or chosen).to_python(skip_empty_area=False)
    except (
        calamine.CalamineError,
        calamine.PasswordError,
        calamine.XmlError,
        calamine.ZipError,
        calamine.WorksheetNotFound,
        OSError,
        ValueError,
    ) as error:
        raise ExtractError(
            f"the file is no readable Excel workbook ({type(error).__name__}): cut, corrupt or protected",
            where=file,
            mend="save it again as .xlsx without a password",
        ) from None
    filled = [row for row in grid if any(cell != "" for cell in row)]
    if not filled:
        raise ExtractError(
            "the sheet is empty, without even a header line", where=file, mend="export it again"
        )
    header = [str(_excel_cell(cell)).strip() for cell in filled[0]]
    rows = [[_excel_cell(cell) for cell in row] for row in filled[1:]]
    cut = sum(isinstance(cell, str) and len(cell) == EXCEL_CELL_CHARACTERS for row in rows for cell in row)
    notes = (
        (f"{file}: {cut} texts end at Excel's limit of {EXCEL_CELL_CHARACTERS:,} characters",) if cut else ()
    )
    return _table(file, header, rows, wanted, notes)


def _excel_cell(value: object) -> Cell:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return float(value)
    return _cell(value)


def _try_parquet(path: Path, file: str) -> None:
    # A damaged file can end the process that reads it, past any exception: a child reads it first.
    tried = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _TRIAL_READING, str(path.absolute())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if tried.returncode != 0:
        raise ExtractError(
            "the Parquet file is damaged: truncated, corrupt or of another format",
            where=file,
            mend="export it again",
        )


def _read_parquet(data: bytes, file: str) -> RawTable:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
        columns = {name: _column(frame.get_column(name)) for name in frame.columns}
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        OSError,
        ValueError,
        OverflowError,
    ) as error:
        raise ExtractError(
            f"the Parquet file is damaged ({type(error).__name__}): truncated or corrupt",
            where=file,
            mend="export it again",
        ) from None
    rows = [
        RawRow(number, dict(zip(columns, cells, strict=True)))
        for number, cells in enumerate(zip(*columns.values(), strict=True), start=1)
    ]
    return RawTable(file, tuple(columns), tuple(rows))


def _column(series: pl.Series) -> list[Cell]:
    kind = series.dtype
    if isinstance(kind, pl.Datetime | pl.Date):
        # Counted in Python, because a moment beyond year 9999 has no datetime.
        unit = timedelta(days=1) if isinstance(kind, pl.Date) else _UNITS[kind.time_unit]
        aware = isinstance(kind, pl.Datetime) and kind.time_zone is not None
        return [_moment(value, unit, aware) for value in series.to_physical().to_list()]
    if isinstance(kind, pl.Categorical | pl.Enum | pl.Decimal):
        series = series.cast(pl.String)
    elif kind.is_nested() or isinstance(kind, pl.Binary | pl.Object | pl.Duration):
        return ["" if missing else NotText.CELL for missing in series.is_null().to_list()]
    return [_cell(value) for value in series.to_list()]


def _moment(count: int | None, unit: timedelta | None, aware: bool) -> Cell:
    if count is None:
        return ""
    try:
        moment = _EPOCH + (timedelta(microseconds=count // 1000) if unit is None else count * unit)
    except OverflowError:
        return NotText.CELL
    return moment.replace(tzinfo=UTC) if aware else moment
