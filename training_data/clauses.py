"""Single clauses of the corpus, labelled: they teach which clause says what, and little of whole records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training_data.examples import UNDATED, Example
from triage.errors import UsageError, known_names
from triage.language.offences import FAMILIES
from triage.reading.records import Record

CLAUSES_DIR = Path(__file__).parent / "corpus" / "clauses"
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
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise UsageError("the file of clauses is not in UTF-8", where=name, mend=_MEND) from None
    return [
        _clause(line, f"{name}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()
    ]


def _clause(line: str, where: str) -> Example:
    try:
        raw: dict[str, Any] = json.loads(line)
        reference, text, families, cancels = (raw[key] for key in ("id", "text", "discloses", "cancels"))
        right = isinstance(reference, str) and isinstance(text, str) and isinstance(families, list)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"not a labelled clause ({type(error).__name__})", where=where, mend=_MEND) from None
    if not right or not text.strip() or not isinstance(cancels, bool):
        raise UsageError("not a labelled clause: a value is of another kind", where=where, mend=_MEND)
    for family in families:
        if family not in FAMILIES:
            raise UsageError(f"family {known_names(str(family), FAMILIES)}", where=where, mend=_MEND)
    if (cancels and families) or len(set(families)) < len(families):
        raise UsageError(
            "a clause discloses, each family once, or cancels, or neither", where=where, mend=_MEND
        )
    record = Record("incidents", reference, UNDATED, UNDATED, text)
    author = reference.split("-")[0]
    evidence = (text,) * len(families)
    return Example(record, author, tuple(families), (), evidence, (text,) if cancels else ())
