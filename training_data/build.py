"""One training table from the labelled corpus and a force's recorded history."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training_data.examples import Example
from training_data.history import history_examples
from triage.errors import UsageError, known_names
from triage.language.offences import FAMILIES
from triage.reading.linking import Matter
from triage.reading.records import Record

CORPUS_DIR = Path(__file__).parent / "corpus"
#: The corpus's names of sources to tables of the extract.
SOURCE_TABLES = {
    "incident": "incidents",
    "domestic_noncrime": "domestic_noncrimes",
    "dash": "assessments",
    "referral": "referrals",
    "cancelled_crime": "cancelled_crimes",
}
# Corpus records carry no times of their own; they are read by the rules in force when the corpus was written.
_UNDATED = datetime(2026, 9, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """Labelled records sorted by reference, and the SHA-256 of what they were read from."""

    examples: tuple[Example, ...]
    digest: str


def corpus_files() -> tuple[Path, ...]:
    """Return the files of the corpus that ships with the project."""
    return tuple(sorted(CORPUS_DIR.glob("*.jsonl")))


def corpus_table(paths: Sequence[Path] = ()) -> TrainingTable:
    """Return the training table of labelled files, by default of the corpus that ships.

    Raises
    ------
    UsageError
        If a file cannot be read or a line is not a labelled record; the message names file and line.
    """
    examples: list[Example] = []
    digest = hashlib.sha256()
    for path in paths or corpus_files():
        try:
            content = path.read_bytes()
            lines = content.decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"the corpus file cannot be read ({type(error).__name__})",
                where=str(path),
                mend="name a readable file of labelled records in JSON Lines, UTF-8",
            ) from None
        digest.update(content)
        for number, line in enumerate(lines, start=1):
            if line.strip():
                examples.append(_example(line, f"{path.name}, line {number}"))
    if not examples:
        raise UsageError(
            "no labelled records found", where=str(CORPUS_DIR), mend="name a corpus file that holds records"
        )
    examples.sort(key=lambda each: each.record.record_ref)
    return TrainingTable(tuple(examples), digest.hexdigest())


def with_history(table: TrainingTable, matters: Sequence[Matter], digests: Sequence[str]) -> TrainingTable:
    """Return the table with a force's past records added; without labelled records, history alone.

    Parameters
    ----------
    table : TrainingTable
        Labelled records.
    matters : sequence of Matter
        Past records linked with their crimes.
    digests : sequence of str
        Digests of the extracts that they were read from.

    Raises
    ------
    UsageError
        If no crime was recorded for any past record, so that nothing can be learnt from them.
    """
    history = history_examples(matters, len(table.examples))
    if not any(example.disclosed for example in history):
        raise UsageError(
            "no record of the history has a recorded crime of a known family",
            where=f"{len(history)} past records",
            mend="give the `crimes` table with the records that the crimes were raised from",
        )
    digest = hashlib.sha256("\n".join([table.digest, *digests]).encode())
    return TrainingTable((*table.examples, *history), digest.hexdigest())


def _example(line: str, where: str) -> Example:
    mend = "training_data/corpus/codebook.md describes the fields"
    try:
        raw: dict[str, Any] = json.loads(line)
        record = Record(
            source=SOURCE_TABLES[raw["source"]],
            record_ref=raw["id"],
            opened_at=_UNDATED,
            closed_at=_UNDATED,
            text=raw["text"],
            opening_code=raw["opening_code"],
            closing_code=raw["closing_code"],
            form_version="dash-police-27" if raw["dash"] else "",
            answers={int(number): answer for number, answer in raw["dash"].items()},
        )
        example = Example(
            record,
            raw["id"].split("-")[0],
            tuple(raw["disclosed"]),
            tuple(raw["recorded"]),
            tuple(raw["evidence"]),
            tuple(raw.get("cancels", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"not a labelled record ({type(error).__name__})", where=where, mend=mend) from None
    for family in (*example.disclosed, *example.recorded):
        if family not in FAMILIES:
            raise UsageError(f"family {known_names(family, FAMILIES)}", where=where, mend=mend)
    return example
