"""How far the filled cells of a workbook reach: whoever reads a sheet holds it up to its last cell."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from typing import BinaryIO
from xml.parsers import expat

_CELL = re.compile(r"([A-Za-z]{0,3})([0-9]{1,7})")


class FarCellError(Exception):
    """A filled cell lies farther out than any table reaches."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a sheet may be, up to its last filled cell."""

    rows_most: int
    columns_most: int
    cells_most: int


class Grid:
    """How far the filled cells of a part reach; one that names no place stands after the one before."""

    def __init__(self, most: Extent) -> None:
        self._most = most
        self._row = self._column = self._last_row = self._last_column = 0

    def element(self, name: str, attributes: dict[str, str]) -> None:
        """Take the next element as it opens.

        Raises
        ------
        FarCellError
            If a filled cell lies beyond what a sheet may hold.
        ValueError
            If a cell names no place of a sheet.
        """
        kind = name.rpartition(":")[2]
        if kind == "row":
            self._row, self._column = _place(attributes, self._row + 1, 0)
        elif kind == "c":
            self._row, self._column = _place(attributes, self._row, self._column + 1)
        elif kind in {"v", "is"}:
            self._last_row = max(self._last_row, self._row)
            self._last_column = max(self._last_column, self._column)
            if (
                self._last_row > self._most.rows_most
                or self._last_column > self._most.columns_most
                or self._last_row * self._last_column > self._most.cells_most
            ):
                raise FarCellError("a cell far outside the table is filled")


def check_extent(workbook: BinaryIO, most: Extent) -> None:
    """Pass if no sheet of a workbook reaches farther than it may, without holding any of it.

    A part that cannot be read is left to whoever reads it next.

    Parameters
    ----------
    workbook : file
        An .xlsx file.
    most : Extent
        How large a sheet may be.

    Raises
    ------
    FarCellError
        If a filled cell lies farther out.
    """
    try:
        with zipfile.ZipFile(workbook) as parts:
            for part in parts.namelist():
                if part.casefold().startswith("xl/worksheets/") and part.casefold().endswith(".xml"):
                    parser = expat.ParserCreate()
                    parser.StartElementHandler = Grid(most).element
                    with parts.open(part) as opened:
                        parser.ParseFile(opened)
    except (zipfile.BadZipFile, expat.ExpatError, OSError, ValueError, EOFError, RuntimeError):
        return


def _place(attributes: dict[str, str], row: int, column: int) -> tuple[int, int]:
    if "r" not in attributes:
        return row, column
    found = _CELL.fullmatch(attributes["r"])
    if found is None:
        raise ValueError("a cell names no place of a sheet")
    return int(found[2]), _column_number(found[1])


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
