"""What rows hold, checked column by column; a row that is not plainly right is left to its own model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from triage.reading.columns import EPOCH, MICROSECOND, NO_ANSWER, micros
from triage.reading.mapping import folded
from triage.reading.raw import Cell
from triage.reading.records import ANSWERS, CRIME_STATUSES, FORM_VERSIONS
from triage.reading.tables import REFERENCE_CHARACTERS_MAX, SAFELIVES_QUESTIONS, Reader

_OPENING = {
    "incidents": "opened_at",
    "domestic_noncrimes": "opened_at",
    "assessments": "completed_at",
    "referrals": "received_at",
    "cancelled_crimes": "cancelled_at",
}
#: Columns of a record where the table names them otherwise.
_NAMES = {"cancel_code": "closing_code"}
#: Printable ASCII without a blank at either end: a reference that is what it looks like.
_PLAIN_REFERENCE = re.compile(rf"[!-~](?:[ -~]{{0,{REFERENCE_CHARACTERS_MAX - 2}}}[!-~])?")
_QUESTION = re.compile(r"q\d+")
#: Moments of ISO 8601 with an offset, one a line, of years that any reader takes.
_PLAIN_MOMENTS = re.compile(
    r"(?:(?:19|20|21)\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{6})?(?:Z|[+-]\d\d:\d\d)(?:\n|\Z))*", re.ASCII
)


def plain_records(
    table: str, cells: Mapping[str, Sequence[Cell]], reader: Reader
) -> tuple[dict[str, Sequence[Any]], set[int]]:
    """Return the columns of a table's records, and the places of the rows that need to be checked by row.

    Parameters
    ----------
    table : str
        A table of records.
    cells : mapping
        By the contract's names; all columns of one length.
    reader : Reader
        What cells mean in this extract.
    """
    odd: set[int] = set()
    made: dict[str, Sequence[Any]] = {}
    questions: dict[int, Sequence[Cell]] = {}
    for name, given in cells.items():
        if name == "record_ref":
            made[name] = _references(given, reader, odd, needed=True)
        elif name == "incident_ref":
            made[name] = _references(given, reader, odd, needed=False)
        elif name == _OPENING[table]:
            made["opened_at"] = _moments(given, reader, odd)
        elif name == "text":
            made[name] = _texts(given, odd)
        elif name == "qualifiers":
            made[name] = _each(given, _qualifiers, odd)
        elif name == "form_version":
            made[name] = _each(given, _form_version, odd)
        elif _QUESTION.fullmatch(name):
            questions[int(name[1:])] = given
        elif name != "closed_at":
            made[_NAMES.get(name, name)] = [each.strip() for each in _texts(given, odd)]
    if "closed_at" in cells:
        made["closed_at"] = _closings(cells["closed_at"], made["opened_at"], reader, odd)
    elif _OPENING[table] != "opened_at":
        made["closed_at"] = made["opened_at"]
    if questions:
        made["answers"] = _answers(questions, made["form_version"], odd)
    return made, odd


def plain_crimes(
    cells: Mapping[str, Sequence[Cell]], reader: Reader
) -> tuple[dict[str, list[Any]], set[int]]:
    """Return the columns of crimes, and the places of the rows that need to be checked by row."""
    odd: set[int] = set()
    made: dict[str, list[Any]] = {
        "crime_ref": _references(cells["crime_ref"], reader, odd, needed=True),
        "record_ref": _references(cells["record_ref"], reader, odd, needed=True),
        "recorded_at": _moments(cells["recorded_at"], reader, odd),
        "offence_code": _each(cells["offence_code"], lambda text: text.strip() or None, odd),
        "status": _each(cells["status"], _status, odd) if "status" in cells else [],
    }
    return made, odd


def _texts(given: Sequence[Cell], odd: set[int]) -> Sequence[str]:
    """Return cells that are text as they are; the rows of others are odd."""
    if set(map(type, given)) <= {str}:
        return given  # type: ignore[return-value]
    odd.update(place for place, cell in enumerate(given) if type(cell) is not str)
    return [cell if type(cell) is str else "" for cell in given]


def _each(given: Sequence[Cell], meaning: Callable[[str], str | None], odd: set[int]) -> list[Any]:
    """Return what each cell means; its row is odd where it means nothing. Few values stand in many rows."""
    texts = _texts(given, odd)
    meanings = {text: meaning(text) for text in set(texts)}
    found = [meanings[text] for text in texts]
    if None in meanings.values():
        odd.update(place for place, value in enumerate(found) if value is None)
    return found


def _references(given: Sequence[Cell], reader: Reader, odd: set[int], *, needed: bool) -> list[str]:
    found = list(_texts(given, odd))
    plain, none = _PLAIN_REFERENCE.fullmatch, reader.placeholder_refs
    for place, reference in enumerate(found):
        if reference and not plain(reference):
            odd.add(place)
        elif not reference or (none and folded(reference) in none):
            found[place] = ""
            if needed:
                odd.add(place)
    return found


def _each_moment(given: Sequence[Cell], reader: Reader) -> list[int | None]:
    """Return the microseconds since 1970 of each cell, None for one that is no moment.

    `Reader.moment` says what is one. Where all cells say their offset and the force has no formats of its own
    it says the same as the standard library, which is asked ten times as quickly.
    """
    if not reader.time_formats and set(map(type, given)) <= {str}:
        texts: Sequence[str] = given  # type: ignore[assignment]
        try:
            if _PLAIN_MOMENTS.fullmatch("\n".join(texts)):
                return [(datetime.fromisoformat(text) - EPOCH) // MICROSECOND for text in texts]
        except ValueError:
            pass  # such as a thirtieth of February: one by one, below
    moments = map(reader.moment, given)
    return [None if moment is None else micros(moment) for moment in moments]


def _moments(given: Sequence[Cell], reader: Reader, odd: set[int]) -> list[int]:
    found = _each_moment(given, reader)
    odd.update(place for place, moment in enumerate(found) if moment is None)
    return [moment or 0 for moment in found]


def _closings(
    given: Sequence[Cell], opened: Sequence[int], reader: Reader, odd: set[int]
) -> list[int | None]:
    told = iter(_each_moment([cell for cell in given if cell != ""], reader))
    found: list[int | None] = []
    for place, cell in enumerate(given):
        closed = None if cell == "" else next(told)
        if cell != "" and (closed is None or closed < opened[place]):
            odd.add(place)
        found.append(closed)
    return found


def _qualifiers(text: str) -> str:
    return ";".join(part.strip() for part in text.split(";") if part.strip())


def _form_version(text: str) -> str | None:
    version = text.strip().lower()
    return version if version in FORM_VERSIONS else None


def _status(text: str) -> str | None:
    status = text.strip().lower() or CRIME_STATUSES[0]
    return status if status in CRIME_STATUSES else None


def _sign(text: str) -> str | None:
    answer = text.strip().upper()
    if not answer:
        return NO_ANSWER
    return answer[-1] if answer in ANSWERS else None


def _answers(
    questions: Mapping[int, Sequence[Cell]], versions: Sequence[str | None], odd: set[int]
) -> list[str]:
    """Return each form's answers as one sign a question."""
    count = len(versions)
    signs = {number: _each(given, _sign, odd) for number, given in questions.items()}
    for number in (each for each in questions if each > SAFELIVES_QUESTIONS):
        odd.update(
            place
            for place, sign in enumerate(signs[number])
            if sign != NO_ANSWER and versions[place] == "dash-safelives-24"
        )
    asked = [signs.get(number, [NO_ANSWER] * count) for number in range(1, max(questions) + 1)]
    return [
        "".join(sign or NO_ANSWER for sign in each).rstrip(NO_ANSWER) for each in zip(*asked, strict=True)
    ]
