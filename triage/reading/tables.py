"""What a row of each table must hold to become a record: one pydantic model per table."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, ClassVar, LiteralString
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationInfo, create_model, model_validator
from pydantic_core import PydanticCustomError

from triage.reading.mapping import folded
from triage.reading.raw import NotText, storable
from triage.reading.records import ANSWERS, CRIME_STATUSES, FORM_VERSIONS, Crime, Record

REFERENCE_CHARACTERS_MAX = 64
YEARS = range(1900, 2201)
#: Questions of the SafeLives list: the police form's but for three on children. Source: domain.md section 4.
SAFELIVES_QUESTIONS = 24
_EXCEL_DAY_NOUGHT = datetime(1899, 12, 30)
_ISO = re.compile(r"\d{4}-?(?:\d{2}-?\d{2}|W\d{2}-?\d)(?:[T ][\d:.,]+(?:Z|[+-][\d:]+)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reader:
    """What cells mean in this extract: its time formats and zone, and references that stand for none."""

    zone: ZoneInfo
    time_formats: tuple[str, ...] = ()
    placeholder_refs: frozenset[str] = frozenset()

    def moment(self, cell: object, fold: int = 0) -> datetime | None:
        """Return a cell's moment in UTC, or None if it is no moment between 1900 and 2200.

        A time without an offset is local; one that the clock change in spring skips is read as if the clocks
        had not changed, one that comes twice in autumn as the first. With ``fold=1`` both are read the other
        way, as of PEP 495.
        """
        found: datetime | None = None
        if isinstance(cell, datetime):
            found = cell
        elif isinstance(cell, float):
            found = _of_excel(cell)
        elif isinstance(cell, str):
            found = self._of_text(" ".join(cell.split()))
        if found is None or found.year not in YEARS:
            return None
        if found.tzinfo is None:
            found = found.replace(tzinfo=self.zone, fold=fold)
        return found.astimezone(UTC)

    def in_order(self, opened_cell: object, closed_cell: object) -> tuple[datetime, datetime] | None:
        """Return the moments of opening and closing that another reading at a clock change puts in order.

        None if they are in order as they are, in no reading, or not both moments.
        """
        opened, closed = self.moment(opened_cell), self.moment(closed_cell)
        if opened is None or closed is None or opened <= closed:
            return None
        other_opened, other_closed = self.moment(opened_cell, 1), self.moment(closed_cell, 1)
        assert other_opened is not None
        assert other_closed is not None
        if opened <= other_closed:
            return opened, other_closed
        # A closing time that spring skips as well, or from before the change, is earlier on any clock.
        changed = self._offset(closed) == self._offset(opened)
        if other_opened <= closed == other_closed and changed:
            return other_opened, closed
        return None

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self.zone).utcoffset()

    def _of_text(self, text: str) -> datetime | None:
        for each in self.time_formats:
            try:
                return datetime.strptime(text, each)
            except ValueError:
                continue
        if not _ISO.fullmatch(text):
            return None
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None


def _of_excel(days: float) -> datetime | None:
    # Excel counts days; below 1 is a time of day without a date. The fraction is only good to the second.
    if not 1 <= days < 200_000:
        return None
    return _EXCEL_DAY_NOUGHT + timedelta(seconds=round(days * 86_400))


def _fault(rule: LiteralString) -> PydanticCustomError:
    return PydanticCustomError(rule, rule)


def as_text(cell: object) -> str | None:
    """Return a cell as text, None if it is neither text nor a number nor a moment.

    >>> as_text(117.0), as_text(datetime(2024, 3, 14)), as_text(datetime(2024, 3, 14, 9, 5))
    ('117', '2024-03-14', '2024-03-14 09:05:00')
    """
    if isinstance(cell, str):
        return storable(cell)
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        day_only = cell.tzinfo is None and cell.time() == time.min
        return cell.date().isoformat() if day_only else cell.isoformat(" ")
    return None


def _text(cell: Any) -> str:
    text = as_text(cell)
    if text is None:
        raise _fault("not_text")
    return text


def _short(cell: Any) -> str:
    return _text(cell).strip()


def _reference_or_none(cell: Any, info: ValidationInfo) -> str:
    reference = _short(cell)
    if len(reference) > REFERENCE_CHARACTERS_MAX or any(map(_unreadable, reference)):
        raise _fault("unreadable_reference")
    return "" if folded(reference) in _reader(info).placeholder_refs else reference


def _unreadable(character: str) -> bool:
    # Controls, line breaks and invisible marks: two references that look alike must be alike.
    return character == "\ufffd" or unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}


def _reference(cell: Any, info: ValidationInfo) -> str:
    reference = _reference_or_none(cell, info)
    if not reference:
        raise _fault("missing_reference")
    return reference


def _reader(info: ValidationInfo) -> Reader:
    reader = info.context
    assert isinstance(reader, Reader)
    return reader


def _moment(cell: Any, info: ValidationInfo) -> datetime:
    if isinstance(cell, str) and not cell.strip():
        raise _fault("missing_time")
    moment = _reader(info).moment(cell)
    if moment is None:
        raise _fault("unreadable_time")
    return moment


def _closing(cell: Any, info: ValidationInfo) -> datetime | None:
    if isinstance(cell, str) and not cell.strip():
        return None
    closed = _moment(cell, info)
    opened = info.data.get("opened_at")
    if opened is not None and closed < opened:
        raise _fault("closed_before_opened")
    return closed


def _form_version(cell: Any) -> str:
    version = _short(cell).lower()
    if version not in FORM_VERSIONS:
        raise _fault("unknown_form_version")
    return version


def _answer(cell: Any) -> str:
    if isinstance(cell, NotText):
        raise _fault("wrong_answer_value")
    answer = _short(cell).upper()
    if answer and answer not in ANSWERS:
        raise _fault("wrong_answer_value")
    return answer


def _is_answer(name: str) -> bool:
    return name[0] == "q" and name[1:].isdigit()


def _late_answer(cell: Any, info: ValidationInfo) -> str:
    answer = _answer(cell)
    if answer and info.data.get("form_version") == "dash-safelives-24":
        raise _fault("answer_not_on_form")
    return answer


def _offence_code(cell: Any) -> str:
    code = _short(cell)
    if not code:
        raise _fault("missing_offence_code")
    return code


def _status(cell: Any) -> str:
    status = _short(cell).lower() or CRIME_STATUSES[0]
    if status not in CRIME_STATUSES:
        raise _fault("unknown_status")
    return status


def _qualifiers(cell: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in _text(cell).split(";") if part.strip())


Reference = Annotated[str, PlainValidator(_reference)]
OtherReference = Annotated[str, PlainValidator(_reference_or_none)]
Moment = Annotated[datetime, PlainValidator(_moment)]
Closing = Annotated[datetime | None, PlainValidator(_closing)]
Short = Annotated[str, PlainValidator(_short)]
Text = Annotated[str, PlainValidator(_text)]
Answer = Annotated[str, PlainValidator(_answer)]
LateAnswer = Annotated[str, PlainValidator(_late_answer)]


_RECORD_FIELDS = frozenset(field.name for field in fields(Record))


class Row(BaseModel):
    """A checked row; its error types are the names of the rules in ``triage.reading.rejects.RULES``."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    table: ClassVar[str]


class RecordRow(Row):
    """A checked row that becomes a record."""

    record_ref: Reference
    text: Text = ""

    def record(self) -> Record:
        """Return the record."""
        given: dict[str, Any] = {name: value for name, value in self if name in _RECORD_FIELDS}
        given |= self.times()
        return Record(source=self.table, **given)

    def times(self) -> dict[str, Any]:
        """Return what the record's fields are called where the table names them otherwise."""
        return {}


class _Span(RecordRow):
    """A checked row with an opening and a closing time."""

    opened_at: Moment
    closed_at: Closing = None

    @model_validator(mode="before")
    @classmethod
    def _read_in_order(cls, cells: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        found = _reader(info).in_order(cells.get("opened_at"), cells.get("closed_at"))
        return cells | {"opened_at": found[0], "closed_at": found[1]} if found else cells


class IncidentRow(_Span):
    """A row of ``incidents``."""

    table = "incidents"
    opening_code: Short = ""
    closing_code: Short = ""
    qualifiers: Annotated[tuple[str, ...], PlainValidator(_qualifiers)] = ()
    channel: Short = ""
    team: Short = ""
    supervisor_ref: Short = ""
    area: Short = ""


class DomesticNoncrimeRow(_Span):
    """A row of ``domestic_noncrimes``."""

    table = "domestic_noncrimes"
    incident_ref: OtherReference = ""
    closing_code: Short = ""
    team: Short = ""
    supervisor_ref: Short = ""


class _Form(RecordRow):
    table = "assessments"
    incident_ref: OtherReference = ""
    completed_at: Moment
    form_version: Annotated[str, PlainValidator(_form_version)]
    grade: Short = ""

    def times(self) -> dict[str, Any]:
        """Return the moment of completion as opening and closing, and the answers by number."""
        answers = {int(name[1:]): value for name, value in self if _is_answer(name) and value}
        return {"opened_at": self.completed_at, "closed_at": self.completed_at, "answers": answers}


_QUESTIONS: dict[str, Any] = {
    f"q{number}": (Answer if number <= SAFELIVES_QUESTIONS else LateAnswer, "") for number in range(1, 28)
}
#: A row of ``assessments``; every answer is a field, so that a row names all of its wrong ones.
AssessmentRow: type[_Form] = create_model("AssessmentRow", __base__=_Form, **_QUESTIONS)


class ReferralRow(RecordRow):
    """A row of ``referrals``."""

    table = "referrals"
    incident_ref: OtherReference = ""
    received_at: Moment
    agency: Short = ""
    reporter_role: Short = ""

    def times(self) -> dict[str, Any]:
        """Return the moment of receipt as opening and closing."""
        return {"opened_at": self.received_at, "closed_at": self.received_at}


class CancelledCrimeRow(RecordRow):
    """A row of ``cancelled_crimes``; its cancel code is the record's closing code."""

    table = "cancelled_crimes"
    incident_ref: OtherReference = ""
    cancelled_at: Moment
    offence_code: Short = ""
    cancel_code: Short = ""

    def times(self) -> dict[str, Any]:
        """Return the moment of cancelling as opening and closing, and the cancel code."""
        return {
            "opened_at": self.cancelled_at,
            "closed_at": self.cancelled_at,
            "closing_code": self.cancel_code,
        }


class CrimeRow(Row):
    """A row of ``crimes``."""

    table = "crimes"
    crime_ref: Reference
    record_ref: Reference
    recorded_at: Moment
    offence_code: Annotated[str, PlainValidator(_offence_code)]
    status: Annotated[str, PlainValidator(_status)] = CRIME_STATUSES[0]

    def crime(self) -> Crime:
        """Return the crime."""
        return Crime(self.crime_ref, self.record_ref, self.recorded_at, self.offence_code, self.status)


RECORD_ROWS: dict[str, type[RecordRow]] = {
    kind.table: kind
    for kind in (IncidentRow, DomesticNoncrimeRow, AssessmentRow, ReferralRow, CancelledCrimeRow)
}
