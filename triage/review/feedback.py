"""What a team and its supervisor are told: the crimes in their records that nobody recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from triage.review.outcomes import Outcome, item_fields

#: Stands where a record names no team or supervisor, or an outcome no reason.
NOT_KNOWN = "not known"
#: The answers of an outcome that a team is told. Notes are not among them: they are the auditors' own.
TOLD = ("reason_not_recorded", "rationale_on_log", "supervisor_check")
Whom = Literal["team", "supervisor"]


@dataclass(frozen=True, slots=True)
class PartRead:
    """One record of an item that was read: its reference, table, team and supervisor."""

    reference: str
    source: str
    team: str
    supervisor: str


@dataclass(frozen=True, slots=True)
class Closed:
    """One closed item: its records, the lead first, what was decided of it, and on which day.

    It has no place for whoever decided: a team is told what was missed, not by whom it was found.
    """

    item_id: str
    parts: tuple[PartRead, ...]
    outcome: Outcome
    day: date


@dataclass(frozen=True, slots=True)
class Missed:
    """One record in which a crime was disclosed and not recorded, as its team is told.

    ``families`` are those of the crimes found in this record; ``answers`` maps the names of ``TOLD`` to the
    labels of what was answered.
    """

    item_id: str
    reference: str
    source: str
    team: str
    supervisor: str
    families: tuple[str, ...]
    day: date
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """What one team or supervisor is told; ``reasons`` maps labels to counts, highest first."""

    name: str
    missed: tuple[Missed, ...]
    reasons: Mapping[str, int]


def missed_crimes(closed: Iterable[Closed]) -> tuple[Missed, ...]:
    """Return the records with a crime that nobody recorded, the latest first.

    A crime belongs to the record in which it was found, and to the lead where no place was named: a referral
    and a log of one matter may be two teams'.
    """
    found = [
        Missed(
            item_id=each.item_id,
            reference=part.reference,
            source=part.source,
            team=part.team or NOT_KNOWN,
            supervisor=part.supervisor or NOT_KNOWN,
            families=families,
            day=each.day,
            answers=_told(each.outcome),
        )
        for each in closed
        for number, part in enumerate(each.parts, start=1)
        if (families := _families(each, number))
    ]
    return tuple(sorted(found, key=lambda each: (-each.day.toordinal(), each.reference, each.source)))


def chosen(
    missed: Iterable[Missed],
    *,
    team: str = "",
    supervisor: str = "",
    since: date | None = None,
    until: date | None = None,
) -> tuple[Missed, ...]:
    """Return those of a team, of a supervisor, and of a span of days; what is empty is any.

    ``since`` and ``until`` are both within the span.
    """
    return tuple(
        each
        for each in missed
        if team in ("", each.team)
        and supervisor in ("", each.supervisor)
        and (since is None or since <= each.day)
        and (until is None or each.day <= until)
    )


def grouped(missed: Sequence[Missed], by: Whom) -> tuple[Group, ...]:
    """Return what each team or supervisor is told, by name; records that name none come last."""
    names = sorted(
        {_name(each, by) for each in missed}, key=lambda name: (name == NOT_KNOWN, name.casefold(), name)
    )
    return tuple(
        Group(name, theirs, reasons(theirs))
        for name in names
        for theirs in [tuple(each for each in missed if _name(each, by) == name)]
    )


def reasons(missed: Iterable[Missed]) -> dict[str, int]:
    """Return how often each reason was given for not recording, the highest count first.

    An item is counted once, also where several of its records disclose.
    """
    given = {each.item_id: each.answers["reason_not_recorded"] for each in missed}
    return dict(sorted(Counter(given.values()).items(), key=lambda each: (-each[1], each[0])))


def _name(missed: Missed, by: Whom) -> str:
    return missed.team if by == "team" else missed.supervisor


def _families(closed: Closed, number: int) -> tuple[str, ...]:
    found = {
        crime.family: None
        for crime in closed.outcome.crimes
        if (crime.part if 0 < crime.part <= len(closed.parts) else 1) == number
    }
    return tuple(found)


def _told(outcome: Outcome) -> dict[str, str]:
    labels = {each.name: each.choices for each in item_fields()}
    answered = {name: outcome.values.get(name, "") for name in TOLD}
    return {name: labels[name].get(value, value) or NOT_KNOWN for name, value in answered.items()}
