"""The files of an extract: where each table lies, and the rows of each format."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

import python_calamine as calamine

from triage.errors import ExtractError
from triage.reading.delimited import decode, encoding_of, file_lines, json_lines, read_rows, shown
from triage.reading.mapping import FILE_NAME, TableMapping, harmless, harmless_path
from triage.reading.mapping import Mapping as ForceMapping
from triage.reading.parquet import read_parquet
from triage.reading.raw import Cell, RawTable, cell_of, check_readable, parts_of, storable
from triage.reading.records import TABLES
from triage.reading.workbook_extent import Extent, FarCellError, check_extent

FORMATS = (".csv", ".parquet", ".jsonl", ".xlsx")
#: Far more than any extract needs. A sheet is held as a full rectangle up to its last filled cell.
EXTENT = Extent(rows_most=1_048_576, columns_most=1_000, cells_most=50_000_000)
#: Longest text that a cell of Excel holds, in characters. Source: Excel specifications and limits, Microsoft.
EXCEL_CELL_CHARACTERS = 32_767


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

    Parquet files need to have passed ``check_parquet``.

    Raises
    ------
    ExtractError
        If the file is none, empty, truncated, corrupt, not text in its encoding, or has a column name twice.
    """
    name = harmless(path.name)
    check_readable(path, name)
    kind = path.suffix.casefold()
    if kind == ".parquet":
        return read_parquet(path.read_bytes(), name, wanted)
    if kind == ".xlsx":
        return _read_xlsx(path.read_bytes(), name, how, wanted)
    if kind == ".jsonl":
        text, encoding = decode(path.read_bytes(), how.encoding, name)
        return _read_jsonl(text, name, wanted, _read_as(encoding, name))
    encoding = encoding_of(path, how.encoding, name)
    header, rows = read_rows(partial(file_lines, path, encoding), how.delimiter, wanted, name)
    return _table(name, header, rows, wanted, _read_as(encoding, name))


def _read_as(encoding: str, name: str) -> tuple[str, ...]:
    return () if encoding in {"utf-8", "utf-8-sig"} else (f"{name}: read as {encoding}",)


def _table(
    file: str,
    header: list[str],
    rows: Iterable[Sequence[Cell] | str],
    wanted: Collection[str],
    notes: tuple[str, ...] = (),
) -> RawTable:
    _no_name_twice(file, header, wanted)
    nameless = header.count("")
    if nameless:
        notes = (*notes, f"{file}: {nameless} columns have no name and are not read")
    return RawTable(file, tuple(name for name in header if name), parts_of(header, rows, wanted), notes)


def _no_name_twice(file: str, header: list[str], wanted: Collection[str]) -> None:
    twice = sorted(name for name, count in Counter(header).items() if name and count > 1)
    if twice:
        raise ExtractError(
            f"columns of the same name: {shown(twice, wanted)}",
            where=file,
            mend="export the table with a header line of distinct names",
        )


class _TwiceError(ValueError):
    """A JSON object has a key twice."""


def _read_jsonl(text: str, file: str, wanted: Collection[str], notes: tuple[str, ...]) -> RawTable:
    rows = [_json_cells(line) for line in json_lines(text, file)]
    columns = tuple(dict.fromkeys(name for row in rows if row is not None for name in row))
    cells = ("unreadable_json" if row is None else [row.get(name, "") for name in columns] for row in rows)
    return RawTable(file, columns, parts_of(columns, cells, wanted), notes)


def _json_cells(line: str) -> dict[str, Cell] | None:
    try:
        row = json.loads(line, object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    return {storable(name): cell_of(value) for name, value in row.items()}


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _TwiceError
    return made


def _read_xlsx(data: bytes, file: str, how: TableMapping, wanted: Collection[str]) -> RawTable:
    try:
        check_extent(io.BytesIO(data), EXTENT)
    except FarCellError as error:
        raise ExtractError(
            str(error), where=file, mend="empty the cells around the table, or export it again"
        ) from None
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
    return cell_of(value)
