"""Single clauses of the corpus, labelled: they teach which clause says what, and nothing of whole records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training_data.examples import Example
from triage.errors import UsageError, known_names
from triage.language.offences import FAMILIES
from triage.reading.records import Record

CLAUSES_DIR = Path(__file__).parent / "corpus" / "clauses"
_UNDATED = datetime(2026, 9, 1, tzinfo=UTC)
_MEND = "training_data/corpus/codebook.md describes the fields"


def clause_files() -> tuple[Path, ...]:
    """Return the files of single clauses that ship with the project."""
    return tuple(sorted(CLAUSES_DIR.glob("*.jsonl")))


def clauses_in(content: bytes, name: str) -> list[Example]:
    """Return the clauses of a file, each as an example whose whole text is the evidence.

    Parameters
    ----------
    content : bytes
        JSON Lines in UTF-8: ``id``, ``text``, ``discloses`` (families), ``cancels`` (true or false).
    name : str
        Name of the file, for errors.

    Raises
    ------
    UsageError
        If a line is not a labelled clause; the message names file and line.
    """
    lines = content.decode("utf-8").splitlines()
    return [_clause(line, f"{name}, line {number}") for number, line in enumerate(lines, start=1)]


def _clause(line: str, where: str) -> Example:
    try:
        raw: dict[str, Any] = json.loads(line)
        text, families, cancels = str(raw["text"]), tuple(raw["discloses"]), raw["cancels"]
        record = Record("incidents", raw["id"], _UNDATED, _UNDATED, text)
        author = raw["id"].split("-")[0]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"not a labelled clause ({type(error).__name__})", where=where, mend=_MEND) from None
    for family in families:
        if family not in FAMILIES:
            raise UsageError(f"family {known_names(family, FAMILIES)}", where=where, mend=_MEND)
    if cancels not in (True, False) or (cancels and families):
        raise UsageError("a clause discloses, or cancels, or neither", where=where, mend=_MEND)
    return Example(record, author, families, (), (text,) * len(families), (text,) if cancels else ())
