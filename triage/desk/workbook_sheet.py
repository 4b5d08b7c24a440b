"""The workbook's sheets: one row an item, locked but for its outcome, which drop-downs help to fill in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.desk.export import Cell, Column, guarded
from triage.desk.files import replacing
from triage.language.offences import TITLES
from triage.review.outcomes import (
    NOTES_CHARACTERS_MAX,
    REFERENCE_CHARACTERS_MAX,
    VICTIMS_MOST,
    Field,
    crime_fields,
    item_fields,
)

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

DECISIONS, NOTES, LISTS, KEYS = "Decisions", "Notes", "Lists", "Keys"
#: Crimes that fit into a row; an item with more is decided on its page.
CRIMES = 3
ITEM = "item"
LOCKED = (
    Column("place", 7, "Place in the queue; 1 is read first."),
    Column("reference", 20, "Reference of the record, or of the first of several about one matter."),
    Column(ITEM, 19, "Number of the item in the store."),
    Column("source", 16, "Table of the extract that the record came from."),
    Column("opened", 18, "When the record was opened, in the force's time zone."),
    Column("text", 100, "The records of the matter, entry by entry; a long one goes on in text 2, text 3."),
    Column(
        "families suggested",
        28,
        "Offence families that seem disclosed and not recorded, or not for every victim.",
    ),
    Column("why it is here", 34, "Rules that the item met, and likely families."),
    Column("places that say so", 60, "Words of the text, in ⟦ ⟧, with family and how they are meant."),
    Column("recorded crimes", 32, "Crimes recorded for the matter on the night of this queue."),
)
_FAMILY = Field("family", "Family", "choice", TITLES, (), False)
_WIDTHS = {"choice": 14, "reference": 20, "number": 9, "date": 13, "text": 50}
_LIST_WIDTH_MOST = 40
_NOTES_WIDTHS = (34, 110)
#: Points of a line of text; of a row, the most that Excel shows. Source: "Excel specifications and limits".
_LINE_POINTS, _ROW_POINTS_MOST = 15, 409
_FORMATS = {"number": "0", "date": "yyyy-mm-dd"}
_HOW = {
    "number": f"Type a whole number from 1 to {VICTIMS_MOST}, or leave it empty.",
    "date": "Type a day such as 2026-10-31, or leave it empty.",
    "reference": f"Type at most {REFERENCE_CHARACTERS_MAX} letters, digits and . / : - or leave it empty.",
    "text": f"Type at most {NOTES_CHARACTERS_MAX:,} characters, or leave it empty.",
    "choice": "Choose from the list, or leave it empty.",
}
_NOT_IN_NAMES = re.compile(r"[^\w-]+")


@dataclass(frozen=True, slots=True)
class OutcomeColumn:
    """One column to fill in: its heading, what it asks, and of which crime from 1, 0 for the item."""

    heading: str
    field: Field
    crime: int = 0


@dataclass(frozen=True, slots=True)
class Book:
    """What a workbook holds: the locked cells of each item by heading, and the table of keys."""

    title: str
    marking: str
    made_at: datetime
    author: str
    rows: Sequence[Mapping[str, Cell]]
    keys: Sequence[Sequence[Cell]]
    notes: Sequence[tuple[str, str]]


@cache
def outcome_columns() -> tuple[OutcomeColumn, ...]:
    """Return the columns to fill in: the first question, the crimes, then the rest of the form."""
    first, *others = item_fields()
    crimes = [
        OutcomeColumn(f"Crime {number}: {field.label}", field, number)
        for number in range(1, CRIMES + 1)
        for field in (_FAMILY, *crime_fields())
    ]
    return (
        OutcomeColumn(first.label, first),
        *crimes,
        *(OutcomeColumn(field.label, field) for field in others),
    )


def choice_text(value: str, title: str) -> str:
    """Return how a choice stands in its list; a code goes before its meaning.

    >>> choice_text("R4", "Victim not supportive"), choice_text("cannot_say", "Cannot say")
    ('R4 Victim not supportive', 'Cannot say')
    """
    return title if value.islower() else f"{value} {title}"


def described() -> str:
    """Return the Markdown table of columns that docs/workbook.md shows."""
    lines = ["| column | what it holds |", "|---|---|"]
    lines += [f"| {column.heading} | {column.meaning} |" for column in LOCKED]
    lines += [f"| **{heading}** | {how} |" for heading, how in _asked()]
    return "\n".join(lines)


def _asked() -> list[tuple[str, str]]:
    """Return the headings to fill in, those of the crimes once, and how."""
    return [
        (
            column.heading.replace("Crime 1:", f"Crime 1 to {CRIMES}:"),
            _HOW[column.field.kind] + _only_with(column.field),
        )
        for column in outcome_columns()
        if column.crime <= 1
    ]


def text_heading(number: int) -> str:
    """Return the heading of a column of text, by its number from 1."""
    return "text" if number == 1 else f"text {number}"


def name_with_marking(path: Path, marking: str) -> Path:
    """Return the file's path with the marking in its name, which nobody should have to remember.

    >>> name_with_marking(Path("out/monday.xlsx"), "OFFICIAL-SENSITIVE").name
    'monday OFFICIAL-SENSITIVE.xlsx'
    >>> name_with_marking(Path("Official-Sensitive monday.xlsx"), "OFFICIAL-SENSITIVE").name
    'Official-Sensitive monday.xlsx'
    """
    shown = _NOT_IN_NAMES.sub("-", marking).strip("-")
    named = shown.casefold() in path.stem.casefold()
    return path if named else path.with_name(f"{path.stem} {shown}{path.suffix}")


def write_book(book: Book, path: Path) -> None:
    """Write the workbook, whole or not at all, readable by its owner only.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    import xlsxwriter

    with replacing(path) as temporary:
        written = xlsxwriter.Workbook(
            str(temporary),
            {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
        )
        written.set_properties(
            {
                "title": book.title,
                "subject": book.marking,
                "author": book.author,
                "category": book.marking,
                "keywords": book.marking,
                "created": book.made_at.astimezone(UTC).replace(tzinfo=None),
            }
        )
        heading = written.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        body = written.add_format({"text_wrap": True, "valign": "top", "align": "left"})
        table, notes, lists, keys = map(written.add_worksheet, (DECISIONS, NOTES, LISTS, KEYS))
        _fill_notes(notes, book.notes, heading, body)
        ranges = _fill_lists(lists, heading)
        unlocked = {
            kind: written.add_format(
                {
                    "text_wrap": True,
                    "valign": "top",
                    "locked": False,
                    "border": 1,
                    "num_format": _FORMATS.get(kind, "@"),
                }
            )
            for kind in _WIDTHS
        }
        _fill_decisions(table, book.rows, ranges, heading, body, unlocked)
        for number, row in enumerate(book.keys):
            for index, cell in enumerate(row):
                _write(keys, number, index, cell, body)
        lists.hide()
        keys.very_hidden()
        printed = f"&C{book.marking.replace('&', '&&')}"
        for page in (table, notes):
            page.set_landscape()
            page.set_paper(8)
            page.set_header(printed)
            page.set_footer(f"{printed}&R&P / &N")
        for page in (notes, lists, keys):
            page.protect()
        written.close()


def _write(page: Worksheet, number: int, index: int, cell: Cell, look: Format) -> None:
    if isinstance(cell, str):
        page.write_string(number, index, cell, look)
    else:
        page.write_number(number, index, cell, look)


def _height(cells: Sequence[Cell], widths: Sequence[int]) -> float:
    """Return the height of a row in points; LibreOffice does not find it by itself."""
    lines = [
        sum(1 + max(0, len(line) - 1) // width for line in str(cell).split("\n"))
        for cell, width in zip(cells, widths, strict=True)
    ]
    return min(_ROW_POINTS_MOST, _LINE_POINTS * max(lines) + 3)


def _width(column: OutcomeColumn) -> int:
    texts = [choice_text(*choice) for choice in column.field.choices.items()]
    wanted = max((len(text) + 4 for text in texts), default=0)
    return min(_LIST_WIDTH_MOST, max(_WIDTHS[column.field.kind], wanted))


def _fill_notes(page: Worksheet, notes: Sequence[tuple[str, str]], heading: Format, body: Format) -> None:
    for index, width in enumerate(_NOTES_WIDTHS):
        page.set_column(index, index, width)
    meanings = [(column.heading, column.meaning) for column in LOCKED]
    meanings += _asked()
    for column in outcome_columns():
        if column.crime <= 1 and column.field.choices:
            texts = [choice_text(*choice) for choice in column.field.choices.items()]
            meanings.append((f"{column.field.label}: choices", "; ".join(texts)))
    for number, line in enumerate((("Subject or column", "What it says"), *notes, *meanings)):
        page.set_row(number, _height(line, _NOTES_WIDTHS))
        for index, text in enumerate(line):
            page.write_string(number, index, guarded(text), body if number else heading)
    page.freeze_panes(1, 0)


def _only_with(field: Field) -> str:
    if not field.needs:
        return ""
    answers = item_fields()[0].choices
    return f" Only where the first answer is {' or '.join(answers[each] for each in field.needs)}."


def _fill_lists(page: Worksheet, heading: Format) -> dict[str, str]:
    """Write each list of choices once, and return where that of each field name stands."""
    ranges = {}
    choosing = {column.field.name: column.field for column in outcome_columns() if column.field.choices}
    for index, (name, field) in enumerate(choosing.items()):
        page.set_column(index, index, 40)
        page.write_string(0, index, field.label, heading)
        for number, choice in enumerate(field.choices.items(), start=1):
            page.write_string(number, index, guarded(choice_text(*choice)))
        ranges[name] = f"={LISTS}!{_cell(1, index)}:{_cell(len(field.choices), index)}"
    return ranges


def _cell(number: int, index: int) -> str:
    from xlsxwriter.utility import xl_rowcol_to_cell

    return str(xl_rowcol_to_cell(number, index, row_abs=True, col_abs=True))


def _fill_decisions(
    page: Worksheet,
    rows: Sequence[Mapping[str, Cell]],
    ranges: Mapping[str, str],
    heading: Format,
    body: Format,
    unlocked: Mapping[str, Format],
) -> None:
    locked = headings(rows)
    known = {column.heading: column.width for column in LOCKED}
    widths = [known.get(name, known["text"]) for name in locked]
    asked = outcome_columns()
    names = [*locked, *(column.heading for column in asked)]
    page.add_table(
        0,
        0,
        len(rows),
        len(names) - 1,
        {
            "name": "Items",
            "style": None,
            "title": "Items to decide",
            "description": "One row an item. The last columns are to be filled in; the Notes sheet says how.",
            "columns": [{"header": name, "header_format": heading} for name in names],
        },
    )
    page.set_row(0, _height(names, [*widths, *map(_width, asked)]))
    for index, width in enumerate(widths):
        page.set_column(index, index, width)
    for number, row in enumerate(rows, start=1):
        cells = [row.get(name, "") for name in locked]
        page.set_row(number, _height(cells, widths))
        for index, cell in enumerate(cells):
            _write(page, number, index, cell, body)
    for index, column in enumerate(asked, start=len(locked)):
        kind = column.field.kind
        page.set_column(index, index, _width(column))
        for number in range(1, len(rows) + 1):
            page.write_blank(number, index, None, unlocked[kind])
        page.data_validation(1, index, len(rows), index, _validation(column, ranges))
    page.freeze_panes(1, 2)
    page.repeat_rows(0)
    page.repeat_columns(0, 1)
    page.print_across()
    # No sorting: it could part the answers from their items.
    page.protect("", {"autofilter": True, "format_columns": True, "format_rows": True})


def headings(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    """Return the headings of the locked columns, with as many columns of text as the longest needs."""
    most = max((sum(text_heading(at) in row for at in range(1, len(row) + 1)) for row in rows), default=1)
    names = []
    for column in LOCKED:
        names += (
            [text_heading(at) for at in range(1, most + 1)] if column.heading == "text" else [column.heading]
        )
    return names


def _validation(column: OutcomeColumn, ranges: Mapping[str, str]) -> dict[str, Any]:
    field = column.field
    checks: dict[str, dict[str, Any]] = {
        "number": {"validate": "integer", "criteria": "between", "minimum": 1, "maximum": VICTIMS_MOST},
        "date": {
            "validate": "date",
            "criteria": "between",
            "minimum": date(1900, 1, 1),
            "maximum": date(2199, 12, 31),
        },
        "reference": {"validate": "length", "criteria": "<=", "value": REFERENCE_CHARACTERS_MAX},
        "text": {"validate": "length", "criteria": "<=", "value": NOTES_CHARACTERS_MAX},
        "choice": {"validate": "list", "source": ranges.get(field.name)},
    }
    return checks[field.kind] | {
        "input_title": column.heading[:32],
        "input_message": _HOW[field.kind] + _only_with(field),
        "error_title": "Not taken",
        "error_message": _HOW[field.kind],
    }
