"""A labelled record from a line of a corpus file, and what is said of a line that is none."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from training_data.examples import UNDATED, Example
from triage.errors import UsageError, known_names
from triage.language.offences import FAMILIES
from triage.reading.records import ANSWERS, Record

#: The corpus's names of sources to tables of the extract.
SOURCE_TABLES = {
    "incident": "incidents",
    "domestic_noncrime": "domestic_noncrimes",
    "dash": "assessments",
    "referral": "referrals",
    "cancelled_crime": "cancelled_crimes",
}
#: Questions of the 27-item police form.
QUESTIONS = range(1, 28)
_MEND = "training_data/corpus/codebook.md describes the fields"
_TEXTS = ("id", "source", "text", "opening_code", "closing_code")
_LISTS = ("disclosed", "recorded", "evidence")
_OPTIONAL_LISTS = ("cancels", "again")
_ANSWER = re.compile(r"Q(\d{1,2})=Y")


def labelled_record(line: str, where: str) -> Example:
    """Return the labelled record of a line.

    Parameters
    ----------
    line : str
        A JSON object with the fields of training_data/corpus/codebook.md.
    where : str
        File and line, for errors.

    Raises
    ------
    UsageError
        If it is none, or its fields contradict each other; the message names the field.
    """
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"not a labelled record ({type(error).__name__})", where) from None
    if not isinstance(raw, dict):
        raise _wrong("not a labelled record: it is no JSON object", where)
    _check_kinds(raw, where)
    example = Example(
        Record(
            source=SOURCE_TABLES[raw["source"]],
            record_ref=raw["id"],
            opened_at=UNDATED,
            closed_at=UNDATED,
            text=raw["text"],
            opening_code=raw["opening_code"],
            closing_code=raw["closing_code"],
            form_version="dash-police-27" if raw["dash"] else "",
            answers={int(number): answer for number, answer in raw["dash"].items()},
        ),
        raw["id"].split("-")[0],
        tuple(raw["disclosed"]),
        tuple(raw["recorded"]),
        tuple(raw["evidence"]),
        tuple(raw.get("cancels", ())),
        again=tuple(raw.get("again", ())),
    )
    _check_labels(example, raw, where)
    return example


def _wrong(what: str, where: str) -> UsageError:
    return UsageError(what, where=where, mend=_MEND)


def _check_kinds(raw: Mapping[str, Any], where: str) -> None:
    """Pass if all fields are there and of the right kind of value."""
    for name in (*_TEXTS, *_LISTS, "dash"):
        if name not in raw:
            raise _wrong(f"not a labelled record: `{name}` is missing", where)
    for name in _TEXTS:
        if not isinstance(raw[name], str):
            raise _wrong(f"not a labelled record: `{name}` is no text", where)
    for name in (*_LISTS, *_OPTIONAL_LISTS):
        values = raw.get(name, [])
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise _wrong(f"not a labelled record: `{name}` is no list of texts", where)
    if raw["source"] not in SOURCE_TABLES:
        raise _wrong(f"source {known_names(raw['source'], SOURCE_TABLES)}", where)
    if not isinstance(raw["dash"], dict):
        raise _wrong("not a labelled record: `dash` is no object of answers", where)
    for number, answer in raw["dash"].items():
        if not (number.isascii() and number.isdigit() and int(number) in QUESTIONS) or answer not in ANSWERS:
            raise _wrong(
                "`dash` has an answer that is none; questions are 1 to 27, answers Y, N or NK", where
            )


def _check_labels(example: Example, raw: Mapping[str, Any], where: str) -> None:
    """Pass if the labels are families, stand where they say and do not contradict each other."""
    for family in (*example.disclosed, *example.recorded, *example.again):
        if family not in FAMILIES:
            raise _wrong(f"family {known_names(family, FAMILIES)}", where)
    for family in example.again:
        if family not in example.disclosed or family not in example.recorded:
            raise _wrong(
                f"another victim of {family!r} is named, which is not both disclosed and recorded", where
            )
    if len(example.evidence) != len(example.disclosed):
        raise _wrong(
            f"`evidence` has {len(example.evidence)} places for {len(example.disclosed)} families", where
        )
    for name, places in (("evidence", example.evidence), ("cancels", example.cancels)):
        for number, place in enumerate(places, start=1):
            if not place or not (place in example.record.text or _ANSWER.fullmatch(place)):
                raise _wrong(f"place {number} of `{name}` neither stands in `text` nor is an answer", where)
    if "kind" in raw and (raw["kind"] == "missed") != example.missed:
        raise _wrong("`kind` contradicts the lists of families", where)
