"""The things read from an extract: records with their entries, crimes, and the extract as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

#: Tables of an extract that hold records, in the order of the contract.
RECORD_TABLES = ("incidents", "domestic_noncrimes", "assessments", "referrals", "cancelled_crimes")
TABLES = (*RECORD_TABLES, "crimes")
#: Columns of each table, as the contract names them.
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "incidents": (
            "record_ref", "opened_at", "closed_at", "opening_code", "closing_code", "qualifiers", "channel",
            "team", "supervisor_ref", "area", "text",
        ),
        "domestic_noncrimes": (
            "record_ref", "incident_ref", "opened_at", "closed_at", "closing_code", "team", "supervisor_ref",
            "text",
        ),
        "assessments": (
            "record_ref", "incident_ref", "completed_at", "form_version", "grade",
            *(f"q{number}" for number in range(1, 28)), "text",
        ),
        "referrals": ("record_ref", "incident_ref", "received_at", "agency", "reporter_role", "text"),
        "cancelled_crimes": (
            "record_ref", "incident_ref", "cancelled_at", "offence_code", "cancel_code", "text",
        ),
        "crimes": ("crime_ref", "record_ref", "recorded_at", "offence_code", "status"),
    }
)  # fmt: skip
#: Columns without which a table cannot be read.
REQUIRED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "incidents": ("record_ref", "opened_at", "text"),
        "domestic_noncrimes": ("record_ref", "opened_at", "text"),
        "assessments": ("record_ref", "completed_at", "form_version"),
        "referrals": ("record_ref", "received_at", "text"),
        "cancelled_crimes": ("record_ref", "cancelled_at", "text"),
        "crimes": ("crime_ref", "record_ref", "recorded_at", "offence_code"),
    }
)
FORM_VERSIONS = ("dash-police-27", "dash-safelives-24", "dara")
ANSWERS = ("Y", "N", "NK")
CRIME_STATUSES = ("recorded", "cancelled", "transferred")


@dataclass(frozen=True, slots=True)
class Entry:
    """One time-stamped line of a log, as character offsets into the record's text.

    ``clock`` is the time as written (``22:14``), empty for text before the first stamp; ``author`` is the
    call-taker, unit or type that the line names after its stamp, empty where it names none.
    """

    start: int
    end: int
    clock: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One log, form or referral. Times are aware and in UTC.

    ``opened_at`` is ``completed_at`` of an assessment, ``received_at`` of a referral and ``cancelled_at`` of
    a cancelled crime; for these three ``closed_at`` is the same moment. ``answers`` maps a question number of
    the form's own numbering to ``Y``, ``N`` or ``NK``. ``team``, ``supervisor_ref`` and ``area`` are for
    feedback and reports, never features. ``triage.reading.split_entries`` finds the entries of its text.
    """

    source: str
    record_ref: str
    opened_at: datetime
    closed_at: datetime | None
    text: str
    incident_ref: str = ""
    opening_code: str = ""
    closing_code: str = ""
    qualifiers: tuple[str, ...] = ()
    channel: str = ""
    team: str = ""
    supervisor_ref: str = ""
    area: str = ""
    form_version: str = ""
    grade: str = ""
    answers: Mapping[int, str] = field(default_factory=dict)
    agency: str = ""
    reporter_role: str = ""
    offence_code: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells this record from every other: its table and its reference."""
        return (self.source, self.record_ref)


@dataclass(frozen=True, slots=True)
class Crime:
    """One recorded crime, linked to the record or incident that it was raised from."""

    crime_ref: str
    record_ref: str
    recorded_at: datetime
    offence_code: str
    status: str = "recorded"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row that could not become a record: data, never an exception, and never its content.

    ``row_number`` counts data rows from 1, without the header line; ``column`` is the contract's name, empty
    where the row as a whole is at fault; ``rule`` is a name in ``triage.reading.rejects.RULES``.
    """

    file: str
    table: str
    row_number: int
    column: str
    rule: str


@dataclass(frozen=True, slots=True)
class TableCount:
    """What became of the rows of one table: ``rows == accepted + rejected``; ``left_out`` were never rows.

    ``left_out`` counts rows of the file that the mapping's ``only`` condition does not give to this table.
    """

    rows: int
    accepted: int
    rejected: int
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Extract:
    """The files of one night, read and checked.

    ``records`` are sorted by table and reference and ``crimes`` by reference, so that the order of rows in
    the files never matters; the records that were read lie in columns, and each is made when it is asked for.
    ``digest`` is the SHA-256 of the content (records, crimes, counts of rejects), if it was asked for.
    ``notes`` are sentences for the run's note: unknown columns, encodings, codes.
    """

    records: Sequence[Record]
    crimes: tuple[Crime, ...]
    rejects: tuple[RejectedRow, ...]
    counts: Mapping[str, TableCount]
    notes: tuple[str, ...]
    digest: str

    @property
    def moments(self) -> tuple[datetime, ...]:
        """Every moment that a record or crime of the extract names."""
        spans = ((record.opened_at, record.closed_at) for record in self.records)
        return (
            *(moment for span in spans for moment in span if moment is not None),
            *(crime.recorded_at for crime in self.crimes),
        )
