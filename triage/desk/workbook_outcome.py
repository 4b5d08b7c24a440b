"""The outcome columns of a row as an outcome, with every problem named by its column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial
from typing import TypeGuard

from triage.desk.workbook_file import Value
from triage.desk.workbook_sheet import OutcomeColumn, choice_text, outcome_columns
from triage.errors import UsageError
from triage.language.offences import FAMILIES
from triage.reading.raw import storable
from triage.review.outcomes import FoundCrime, Outcome

#: Whole numbers from here on are no longer exact in a spreadsheet.
_EXACT_BELOW = 10**15


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the outcome of a row, and in which column."""

    column: str
    what: str


def read_outcome(cells: Mapping[str, Value]) -> tuple[Outcome | None, tuple[Problem, ...]]:
    """Return the outcome that a row holds, None where nothing was filled in, and all that is wrong with it.

    Parameters
    ----------
    cells : mapping of str to value
        Cells by heading; those of ``outcome_columns`` are read.
    """
    problems: list[Problem] = []
    given: dict[int, dict[str, str]] = {}
    for column in outcome_columns():
        value, what = _value(cells[column.heading], column)
        if what:
            problems.append(Problem(column.heading, what))
        if value or what:
            given.setdefault(column.crime, {})[column.field.name] = value
    if not given:
        return None, ()
    values = given.pop(0, {})
    disclosed = values.pop("crime_disclosed", None)
    if disclosed is None:
        problems.append(Problem(_heading("crime_disclosed"), "it is not answered"))
    crimes = []
    for number, answers in sorted(given.items()):
        family = answers.pop("family", None)
        if family is None:
            problems.append(Problem(_heading("family", number), "a crime needs its family"))
        elif family:
            answered = {name: value for name, value in answers.items() if value}
            crimes.append((number, FoundCrime(family, values=answered)))
    for number, crime in crimes:
        problems += _problems(partial(Outcome, "yes", (crime,)), number)
    if disclosed:
        some = (FoundCrime(FAMILIES[0]),) if disclosed == "yes" else ()
        for name, value in values.items():
            problems += _problems(partial(Outcome, disclosed, some, {name: value})) if value else []
    if problems or not disclosed:
        return None, tuple(dict.fromkeys(problems))
    found = tuple(crime for _, crime in crimes)
    problems += _problems(partial(Outcome, disclosed, found))
    return (None, tuple(problems)) if problems else (Outcome(disclosed, found, values), ())


def _problems(made: Callable[[], object], crime: int = 0) -> list[Problem]:
    try:
        made()
    except UsageError as error:
        name, number = ("family", 1) if error.where == "crimes" else (error.where, crime)
        return [Problem(_heading(name, number), error.what)]
    return []


@cache
def _columns() -> dict[tuple[str, int], OutcomeColumn]:
    return {(column.field.name, column.crime): column for column in outcome_columns()}


def _heading(name: str, crime: int = 0) -> str:
    return _columns()[name, crime].heading


@cache
def accepted_choices(name: str, crime: int) -> Mapping[str, str]:
    """Return what may be written for each choice of a column, in small letters, to its value."""
    choices = _columns()[name, crime].field.choices
    return {
        _folded(text): value
        for value, title in choices.items()
        for text in (title, value, choice_text(value, title))
    }


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def is_whole(cell: object) -> TypeGuard[int | float]:
    """Return whether a cell is a whole number that a spreadsheet keeps exactly.

    >>> is_whole(3.0), is_whole(3.5), is_whole(float("inf")), is_whole(True), is_whole("3")
    (True, False, False, False, False)
    """
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return False
    return float(cell).is_integer() and abs(cell) < _EXACT_BELOW


def _value(cell: Value, column: OutcomeColumn) -> tuple[str, str]:
    """Return a cell's answer, empty for none, and what is wrong with it."""
    kind = column.field.kind
    if isinstance(cell, datetime | date):
        if kind == "date":
            return cell.isoformat()[:10], ""
        return "", "the program made a date of it: format the cell as text and type it again"
    if is_whole(cell):
        cell = str(int(cell))
    if not isinstance(cell, str):
        return "", "a number with a fraction, a time, or TRUE or FALSE is no answer"
    text = storable(cell.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if kind != "choice" or not text:
        return text, ""
    value = accepted_choices(column.field.name, column.crime).get(_folded(text), "")
    return value, "" if value else "choose one from the list"
