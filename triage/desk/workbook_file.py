"""The cells of a workbook that somebody hands in: only values are read, and nothing in it can act or grow."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from xml.parsers import expat

import python_calamine as calamine

from triage.errors import UserError
from triage.reading.workbook_extent import Extent, FarCellError, Grid

#: What a cell may hold as the file says it; the stored result of a formula, never the formula.
Value = int | float | str | bool | time | date | datetime | timedelta
#: How often the size of the largest file its parts may fill once unpacked; text shrinks to about a fifth.
UNPACKED_TIMES, PARTS_MOST = 5, 500
#: Far more than any queue needs. A sheet is held as a full rectangle up to its last cell.
EXTENT = Extent(rows_most=120_000, columns_most=1_000, cells_most=2_000_000)
_CHUNK = 65_536


class WorkbookError(UserError):
    """The file is no workbook that this program wrote, or is too large; nothing of it was taken."""

    http_status = 422


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: its headings, and its other rows that are not blank, by their number in the sheet.

    ``rows`` pairs that number with the cells by heading; a column without a heading is not read.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, Value]], ...]


def read_sheets(data: bytes, names: Sequence[str], *, bytes_max: int) -> dict[str, Sheet]:
    """Return sheets of a workbook by name.

    Parameters
    ----------
    data : bytes
        The file, from anybody.
    names : sequence of str
        The sheets to read.
    bytes_max : int
        Largest file taken, in bytes; unpacked it may be five times as large.

    Raises
    ------
    WorkbookError
        If it is no .xlsx workbook, or too large, or holds macros, or a sheet is missing or has a heading
        twice.
    """
    packed = _repacked(data, bytes_max)
    try:
        book = calamine.CalamineWorkbook.from_filelike(packed)
        missing = [name for name in names if name not in book.sheet_names]
        if missing:
            raise _refused(f"the sheet {missing[0]} is missing", "export the workbook again")
        return {
            name: _sheet(name, book.get_sheet_by_name(name).to_python(skip_empty_area=False))
            for name in names
        }
    except (
        calamine.CalamineError,
        calamine.PasswordError,
        calamine.XmlError,
        calamine.ZipError,
        calamine.WorksheetNotFound,
        OSError,
        ValueError,
    ):
        raise _no_workbook() from None


def is_blank(value: Value) -> bool:
    """Return whether a cell holds nothing that can be seen."""
    return isinstance(value, str) and not value.strip()


def _sheet(name: str, grid: Sequence[Sequence[Value]]) -> Sheet:
    filled = [
        (number, row) for number, row in enumerate(grid, start=1) if not all(is_blank(cell) for cell in row)
    ]
    if not filled:
        raise _refused(f"the sheet {name} is empty", "export the workbook again")
    headings = [" ".join(str(cell).split()) for cell in filled[0][1]]
    known = [heading for heading in headings if heading]
    if len(set(known)) != len(known):
        raise _refused(f"two columns of the sheet {name} have the same heading", "remove the added one")
    return Sheet(
        tuple(known),
        tuple(
            (number, {heading: cell for heading, cell in zip(headings, row, strict=False) if heading})
            for number, row in filled[1:]
        ),
    )


def _repacked(data: bytes, bytes_max: int) -> io.BytesIO:
    """Return the workbook with only its XML parts, unpacked and measured.

    The reader would unpack whatever a part holds, and lay out a sheet up to the last cell that a part names:
    a file of five kilobytes could ask for all memory. Here no more is unpacked than the directory promises.
    """
    if len(data) > bytes_max:
        raise _refused(
            f"the file is larger than {bytes_max:,} bytes", "export fewer items, or raise upload_bytes_max"
        )
    packed = io.BytesIO()
    try:
        with (
            zipfile.ZipFile(io.BytesIO(data)) as parts,
            zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as kept,
        ):
            listed = parts.infolist()
            names = [part.filename for part in listed]
            if len(names) > PARTS_MOST or sum(part.file_size for part in listed) > UNPACKED_TIMES * bytes_max:
                raise _refused("the file unpacks to more than a workbook holds", "export it again")
            if any(name.casefold().endswith("vbaproject.bin") for name in names):
                raise _refused("the file holds macros", "save it as .xlsx, without macros")
            known = all(part.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for part in listed)
            if not known or "xl/workbook.xml" not in names or len(set(names)) != len(names):
                raise _no_workbook()
            for part in listed:
                if part.filename.casefold().endswith((".xml", ".rels")):
                    content = _unpacked(parts, part)
                    _measure(content)
                    kept.writestr(part.filename, content)
    except FarCellError as error:
        raise _refused(str(error), "empty the cells around the table, or export the workbook again") from None
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, OSError, ValueError, EOFError, RuntimeError):
        # A part that needs a password, or a newer way to unpack, is a RuntimeError of zipfile.
        raise _no_workbook() from None
    packed.seek(0)
    return packed


def _unpacked(parts: zipfile.ZipFile, part: zipfile.ZipInfo) -> bytes:
    """Return a part, no more of it than the directory says: read as one it would be unpacked whole first."""
    with parts.open(part) as opened:
        return b"".join(iter(lambda: opened.read(_CHUNK), b""))


def _measure(content: bytes) -> None:
    """Pass if a part is plain XML in UTF-8 that fills no cell beyond what a workbook needs."""
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise _no_workbook()
    grid = Grid(EXTENT)
    parser = expat.ParserCreate()
    parser.XmlDeclHandler = _check_declaration
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = grid.element
    parser.Parse(content, True)


def _check_declaration(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.casefold() not in {"utf-8", "utf8", "us-ascii"}:
        raise _no_workbook()


def _refuse_doctype(*_about: object) -> None:
    raise _no_workbook()


def _no_workbook() -> WorkbookError:
    return _refused(
        "the file is no readable .xlsx workbook: cut, damaged, of another kind or with a password",
        "save it as .xlsx (Excel workbook) without a password",
    )


def _refused(what: str, mend: str) -> WorkbookError:
    return WorkbookError(what, where="the workbook", mend=mend)
