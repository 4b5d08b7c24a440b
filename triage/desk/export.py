"""A table as a CSV or XLSX file that a spreadsheet program can open without acting on what is in it."""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from triage.desk.files import checked_target, replacing
from triage.desk.reading_view import harmless

ENDINGS = (".csv", ".xlsx")
#: Source: OWASP, "CSV Injection" (= + - @ tab carriage return line feed, and full-width forms of the signs).
_TRIGGERS = frozenset("=+-@")
_BLANK_CATEGORIES = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
#: Source: "Excel specifications and limits" (characters that a cell can contain).
_CELL_CHARACTERS = 32_767
Cell = str | int | float


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, its width in characters, and what it means (for the sheet of notes)."""

    heading: str
    width: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table to export. Numbers are the program's own; every text is treated as written by a stranger.

    ``marking`` is the security marking of every printed page; ``as_of`` stands as the file's date, so
    that the same run gives the same bytes; ``notes`` are pairs of a subject and a sentence.
    """

    title: str
    marking: str
    as_of: datetime
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[tuple[str, str], ...] = field(default=())


def guarded(text: str) -> str:
    r"""Return the text as a spreadsheet cell that cannot be taken for a formula.

    A cell whose first visible character is one of ``= + - @``, in any width, or that begins with a tab or a
    line break, gets an apostrophe in front. Control characters are shown as symbols.

    Source: OWASP, "CSV Injection".

    >>> guarded("=1+1"), guarded("  ＝1+1"), guarded("\t1"), guarded("22:14 CALL")
    ("'=1+1", "'  ＝1+1", "'\t1", '22:14 CALL')
    """
    shown = harmless(text)
    first = next((c for c in text if unicodedata.category(c) not in _BLANK_CATEGORIES), "")
    folded = unicodedata.normalize("NFKC", first)[:1]
    risky = folded in _TRIGGERS or first == "−" if first else False
    return f"'{shown}" if risky or text[:1] in {"\t", "\r", "\n"} else shown


def write_csv(sheet: Sheet, path: Path) -> None:
    """Write the table as CSV that Excel reads: UTF-8 with a byte order mark, every cell quoted, CRLF.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerow([column.heading for column in sheet.columns])
        for row in sheet.rows:
            writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in row])


def write_xlsx(sheet: Sheet, path: Path) -> None:
    """Write the table as a workbook: first its sheet, then a sheet of notes; no cell is a formula.

    The first row is frozen, repeated on every page and filtered; the marking is printed on every page.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    import xlsxwriter

    with replacing(path) as temporary:
        book = xlsxwriter.Workbook(
            str(temporary),
            {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
        )
        # Excel keeps no zone: the date is written as UTC.
        created = sheet.as_of.astimezone(UTC).replace(tzinfo=None)
        book.set_properties(
            {"title": sheet.title, "subject": sheet.marking, "category": sheet.marking, "created": created}
        )
        heading = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        body = book.add_format({"text_wrap": True, "valign": "top"})
        table = book.add_worksheet("Queue")
        for index, column in enumerate(sheet.columns):
            table.set_column(index, index, column.width)
            table.write_string(0, index, column.heading, heading)
        for number, row in enumerate(sheet.rows, start=1):
            for index, cell in enumerate(row):
                if isinstance(cell, str):
                    table.write_string(number, index, guarded(cell)[:_CELL_CHARACTERS], body)
                else:
                    table.write_number(number, index, cell, body)
        table.freeze_panes(1, 0)
        table.autofilter(0, 0, len(sheet.rows), len(sheet.columns) - 1)
        table.repeat_rows(0)
        notes = book.add_worksheet("Notes")
        notes.set_column(0, 0, 28)
        notes.set_column(1, 1, 100)
        meanings = tuple((column.heading, column.meaning) for column in sheet.columns)
        lines = (("Marking", sheet.marking), *sheet.notes, *meanings)
        for index, text in enumerate(("Subject or column", "What it says")):
            notes.write_string(0, index, text, heading)
        for number, line in enumerate(lines, start=1):
            for index, text in enumerate(line):
                notes.write_string(number, index, guarded(text), body)
        notes.freeze_panes(1, 0)
        printed = f"&C{sheet.marking.replace('&', '&&')}"
        for page in (table, notes):
            page.set_landscape()
            page.set_paper(9)
            page.fit_to_pages(1, 0)
            page.set_header(printed)
            page.set_footer(f"{printed}&R&P / &N")
        book.close()


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Write the table as CSV or XLSX by the name's ending, whole or not at all, readable by its owner only.

    Raises
    ------
    UsageError
        If the ending is neither `.csv` nor `.xlsx`, or the file cannot be written.
    """
    checked_target(path, ENDINGS)
    (write_csv if path.suffix.lower() == ".csv" else write_xlsx)(sheet, path)
