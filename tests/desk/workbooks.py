"""Workbooks as another program would hand them back: the same cells, written anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import xlsxwriter
from python_calamine import CalamineWorkbook

from triage.desk.workbook import Exported, export_workbook
from triage.desk.workbook_import import Imported, import_workbook
from triage.desk.workbook_sheet import DECISIONS, choice_text, outcome_columns
from triage.review.decisions import ReviewRules
from triage.review.outcomes import Outcome
from triage.settings import Settings
from triage.store import Store

Grids = dict[str, list[list[Any]]]
#: No second review is drawn, so that a test says when there is one.
RULES = ReviewRules(claim_minutes=45, correction_hours=24, carry_over_days=14, second_review_share=0.0)
AUDITOR = frozenset({"auditor"})
FIRST_QUESTION = outcome_columns()[0].heading
NO_CRIME = Outcome("no")


def take_away(
    store: Store,
    settings: Settings,
    folder: Path,
    at: datetime,
    *,
    by: str = "an.auditor",
    name: str = "away.xlsx",
    roles: Collection[str] = AUDITOR,
    **more: Any,
) -> Exported:
    """Export a workbook."""
    return export_workbook(store, settings, folder / name, actor=by, roles=roles, at=at, rules=RULES, **more)


def bring_back(
    store: Store,
    settings: Settings,
    path: Path,
    at: datetime,
    *,
    by: str = "an.auditor",
    roles: Collection[str] = AUDITOR,
    check: bool = False,
    chance: float = 1.0,
    rules: ReviewRules = RULES,
) -> Imported:
    """Import a workbook."""
    return import_workbook(
        store,
        settings,
        path.read_bytes(),
        actor=by,
        roles=roles,
        at=at,
        rules=rules,
        chance=lambda: chance,
        check=check,
    )


def kinds(imported: Imported) -> list[str]:
    """What the rows came to, in their order."""
    return [fate.kind for fate in imported.fates]


def read(path: Path) -> Grids:
    """The cells of every sheet."""
    book = CalamineWorkbook.from_path(str(path))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def save(grids: Mapping[str, list[list[Any]]], path: Path) -> Path:
    """Write cells as plain sheets."""
    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, grid in grids.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(grid):
                for index, cell in enumerate(row):
                    if isinstance(cell, date):
                        sheet.write_datetime(number, index, datetime(cell.year, cell.month, cell.day), day)
                    elif isinstance(cell, bool):
                        sheet.write_boolean(number, index, cell)
                    elif isinstance(cell, str):
                        sheet.write_string(number, index, cell)
                    else:
                        sheet.write_number(number, index, cell)
    return path


def changed(path: Path, change: Callable[[Grids], None], name: str = "back.xlsx") -> Path:
    """Save a workbook after a change to its cells."""
    grids = read(path)
    change(grids)
    return save(grids, path.with_name(name))


def put(grids: Grids, row: int, cells: Mapping[str, Any]) -> None:
    """Write cells into a row of the items, counted from 1, by heading."""
    grid = grids[DECISIONS]
    for heading, cell in cells.items():
        grid[row][grid[0].index(heading)] = cell


def answered(path: Path, *rows: Mapping[str, Any], name: str = "back.xlsx") -> Path:
    """Save a workbook with these cells filled in, row by row."""

    def change(grids: Grids) -> None:
        for number, cells in enumerate(rows, start=1):
            put(grids, number, cells)

    return changed(path, change, name)


def cells_of(outcome: Outcome) -> dict[str, Any]:
    """What someone would type for an outcome, by heading: words of the lists, numbers and days."""
    cells: dict[str, Any] = {}
    for column in outcome_columns():
        field = column.field
        if not column.crime:
            value = {**outcome.values, "crime_disclosed": outcome.disclosed}.get(field.name, "")
        elif column.crime <= len(outcome.crimes):
            crime = outcome.crimes[column.crime - 1]
            value = {**crime.values, "family": crime.family}.get(field.name, "")
        else:
            value = ""
        if field.kind == "choice" and value:
            cells[column.heading] = choice_text(value, field.choices[value])
        elif field.kind == "number" and value:
            cells[column.heading] = int(value)
        elif field.kind == "date" and value:
            cells[column.heading] = date.fromisoformat(value)
        else:
            cells[column.heading] = value
    return cells


def later(at: datetime, **much: float) -> datetime:
    """A moment after another."""
    return at + timedelta(**much)
