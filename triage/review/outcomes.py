"""What an auditor writes of an item: coded fields from ``outcomes.toml``, checked."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Self

from triage.errors import UsageError, known_names
from triage.language.offences import FAMILIES, family_of

#: Longest notes and references.
NOTES_CHARACTERS_MAX, REFERENCE_CHARACTERS_MAX = 4_000, 60
VICTIMS_MOST, CRIMES_MOST = 99, 20
_REFERENCE = re.compile(r"[\w ./:-]*")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is asked, of the item or of each crime.

    ``kind`` is ``choice``, ``reference``, ``number``, ``date`` or ``text``; ``choices`` maps values to
    labels; ``needs`` are the answers to ``crime_disclosed`` with which it may be filled, empty for any.
    """

    name: str
    label: str
    kind: str
    choices: Mapping[str, str]
    needs: tuple[str, ...]
    required: bool


@cache
def item_fields() -> tuple[Field, ...]:
    """Return what is asked of an item, in the order of the form."""
    return _fields("field")


@cache
def crime_fields() -> tuple[Field, ...]:
    """Return what is asked of each crime, beside its family and where the text says so."""
    return _fields("crime_field")


@cache
def label_version() -> str:
    """Return the edition of the code book, with a digest of it and of the names of families."""
    book = _book()
    content = "\n".join((book, *FAMILIES))
    return f"{tomllib.loads(book)['edition']}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _book() -> str:
    return files("triage.review").joinpath("outcomes.toml").read_text(encoding="utf-8")


def _fields(table: str) -> tuple[Field, ...]:
    read = tomllib.loads(_book())
    return tuple(
        Field(
            name=entry["name"],
            label=entry["label"],
            kind=entry.get("kind", "choice"),
            choices=dict(entry.get("choices", ())),
            needs=tuple(entry.get("needs", ())),
            required=entry.get("required", False),
        )
        for entry in read[table]
    )


@dataclass(frozen=True, slots=True)
class FoundCrime:
    """One crime that a text discloses and nobody recorded.

    ``part`` counts the item's parts from 1, 0 where no place is named; ``start`` and ``end`` are character
    offsets into its text, ``question`` the number of an answer of its form, 0 for none. ``values`` holds the
    fields of ``outcomes.toml`` by name; one that is not answered is left out.
    """

    family: str
    part: int = 0
    start: int = 0
    end: int = 0
    question: int = 0
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one person decided of one item.

    ``disclosed`` is ``yes``, ``no`` or ``cannot_say``; ``crimes`` holds those not recorded, at least one for
    ``yes`` and none otherwise; ``values`` the other fields by name.

    Raises
    ------
    UsageError
        If a value is unknown or of the wrong kind, or the parts contradict each other; the message names the
        field and never quotes notes.
    """

    disclosed: str
    crimes: tuple[FoundCrime, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        asked = {each.name: each for each in item_fields()}
        first = asked.pop("crime_disclosed")
        if self.disclosed not in first.choices:
            raise _wrong("crime_disclosed", f"one of {', '.join(first.choices)} is needed")
        _check(self.values, asked, self.disclosed)
        if (self.disclosed == "yes") != bool(self.crimes):
            raise _wrong(
                "crimes", "a disclosed crime needs its family, and no crime may stand beside another answer"
            )
        if len(self.crimes) > CRIMES_MOST:
            raise _wrong("crimes", f"at most {CRIMES_MOST} can be entered")
        for crime in self.crimes:
            _check_crime(crime)

    @property
    def families(self) -> frozenset[str]:
        """The families of its crimes."""
        return frozenset(crime.family for crime in self.crimes)

    def as_json(self) -> dict[str, Any]:
        """Return what the store keeps."""
        return {
            "disclosed": self.disclosed,
            "crimes": [
                {
                    "family": crime.family,
                    "part": crime.part,
                    "start": crime.start,
                    "end": crime.end,
                    "question": crime.question,
                    "values": dict(crime.values),
                }
                for crime in self.crimes
            ],
            "values": dict(self.values),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the outcome that ``as_json`` gave."""
        crimes = tuple(FoundCrime(**crime) for crime in kept["crimes"])
        return cls(kept["disclosed"], crimes, kept["values"])


def agree(one: Outcome, other: Outcome) -> bool:
    """Return whether two outcomes say the same of the recording: the answer, and the families.

    >>> agree(Outcome("no"), Outcome("no", values={"notes": "civil"}))
    True
    """
    return one.disclosed == other.disclosed and one.families == other.families


def _check(values: Mapping[str, str], asked: Mapping[str, Field], disclosed: str = "") -> None:
    for name, value in values.items():
        if name not in asked:
            raise UsageError(known_names(name, set(asked)), where=name, mend="leave the field out")
        wanted = asked[name]
        if disclosed and wanted.needs and disclosed not in wanted.needs:
            raise _wrong(name, f"it is answered only with {' or '.join(wanted.needs)}")
        problem = _problem(value, wanted)
        if problem:
            raise _wrong(name, problem)


def _problem(value: str, wanted: Field) -> str:
    if not value:
        return "an empty answer is left out"
    if wanted.kind == "choice":
        return "" if value in wanted.choices else f"one of {', '.join(wanted.choices)} is needed"
    if wanted.kind == "number":
        fits = (
            value.isascii() and value.isdecimal() and 1 <= int(value[:4]) <= VICTIMS_MOST and len(value) < 4
        )
        return "" if fits else f"a whole number from 1 to {VICTIMS_MOST} is needed"
    if wanted.kind == "date":
        return "" if _is_day(value) else "a day such as 2026-10-31 is needed"
    if wanted.kind == "reference":
        fits = len(value) <= REFERENCE_CHARACTERS_MAX and _REFERENCE.fullmatch(value) is not None
        return "" if fits else f"at most {REFERENCE_CHARACTERS_MAX} letters, digits and . / : - are needed"
    return "" if len(value) <= NOTES_CHARACTERS_MAX else f"at most {NOTES_CHARACTERS_MAX} characters fit"


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _check_crime(crime: FoundCrime) -> None:
    if crime.family not in FAMILIES:
        raise UsageError(known_names(crime.family, set(FAMILIES)), where="family", mend="choose one of these")
    is_span = 0 <= crime.start < crime.end or crime.start == crime.end == 0
    if not is_span or crime.part < 0 or crime.question < 0:
        raise _wrong("evidence", "a place begins before it ends, in a part counted from 1")
    if (crime.end or crime.question) and not crime.part:
        raise _wrong("evidence", "a place needs its part")
    _check(crime.values, {each.name: each for each in crime_fields()})
    code = crime.values.get("offence_code", "")
    family = family_of(code) if code else None
    if family is not None and family != crime.family:
        raise _wrong("offence_code", f"{code} is {family}, not {crime.family}")


def _wrong(name: str, problem: str) -> UsageError:
    return UsageError(f"the answer to {name} cannot be taken: {problem}", where=name, mend="correct it")
