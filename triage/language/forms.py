"""Which question of which form is about what, so that an answer counts whatever the form's numbering."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from triage.reading.records import Record


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its number on the form, our short name, and the families that a yes may disclose."""

    number: int
    name: str
    families: tuple[str, ...]


def _questions(table: Mapping[str, Any], version: str) -> tuple[Question, ...]:
    entry = table[version]
    if "same_as" not in entry:
        return tuple(
            Question(int(each["number"]), str(each["name"]), tuple(each["families"]))
            for each in entry["questions"]
        )
    kept = [each for each in _questions(table, entry["same_as"]) if each.number not in entry["without"]]
    return tuple(Question(number, each.name, each.families) for number, each in enumerate(kept, start=1))


_TABLE = tomllib.loads(files("triage.language").joinpath("forms.toml").read_text(encoding="utf-8"))
#: Form version to its questions, in the order of the form.
FORMS: Mapping[str, tuple[Question, ...]] = MappingProxyType(
    {version: _questions(_TABLE, version) for version in _TABLE if version != "edition"}
)
_BY_NAME = {(version, each.name): each for version, questions in FORMS.items() for each in questions}
_BY_NUMBER = {(version, each.number): each for version, questions in FORMS.items() for each in questions}


def question(form_version: str, name: str) -> Question | None:
    """Return the form's question of this short name, None where the form does not ask it.

    Source: domain.md 4.1 and 4.2.

    >>> [question(form, "strangulation").number for form in ("dash-police-27", "dash-safelives-24")]
    [18, 15]
    """
    return _BY_NAME.get((form_version, name))


def question_numbered(form_version: str, number: int) -> Question | None:
    """Return the form's question of this number, None where ``forms.toml`` does not hold it.

    >>> question_numbered("dash-safelives-24", 16).name
    'sexual'
    """
    return _BY_NUMBER.get((form_version, number))


def about(form_version: str, number: int) -> str:
    """Return in words what the question of this number is about, empty where ``forms.toml`` lacks it.

    >>> about("dash-police-27", 17)
    'threat to kill'
    """
    asked = question_numbered(form_version, number)
    return asked.name.replace("_", " ") if asked else ""


def question_words(form_version: str, number: int) -> str:
    """Return a question by its number and what it is about.

    >>> question_words("dash-police-27", 18), question_words("unknown", 3)
    ('Q18 strangulation', 'Q3')
    """
    return f"Q{number} {about(form_version, number)}".rstrip()


def answer(record: Record, name: str) -> str:
    """Return the record's answer to a question by its short name: ``Y``, ``N``, ``NK`` or empty."""
    asked = question(record.form_version, name)
    return record.answers.get(asked.number, "") if asked else ""
