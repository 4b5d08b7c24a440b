"""Rows that could not become records: by which rule, how many, and when they are too many."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from triage.errors import ExtractError
from triage.reading.records import TABLES, Extract, RejectedRow
from triage.settings import Settings

#: Name of each rule, and what to tell the person who exports the table.
RULES: Mapping[str, str] = MappingProxyType(
    {
        "missing_reference": "The reference is empty or a placeholder; give each row its own.",
        "unreadable_reference": "The reference is over 64 characters or has a line break, control or "
        "invisible character; export the bare reference.",
        "duplicate_reference": "Another row of the table has this reference; the one of the earliest time "
        "is kept. Export each reference once.",
        "missing_time": "A required time is empty; fill it in.",
        "unreadable_time": "The time is neither ISO 8601 nor in time_formats of the mapping file, or its "
        "year is not between 1900 and 2200.",
        "closed_before_opened": "The closing time is before the opening time; correct one of them.",
        "wrong_answer_value": "The answer is not Y, N, NK or empty; map other codes under codes.answers.",
        "answer_not_on_form": "The SafeLives form has 24 questions, and a later one is answered; correct "
        "form_version.",
        "unknown_form_version": "form_version is not dash-police-27, dash-safelives-24 or dara; map it "
        "under codes.form_version.",
        "unknown_status": "status is not recorded, cancelled or transferred; map it under codes.status.",
        "missing_offence_code": "A crime has no offence_code; fill it in.",
        "not_text": "The cell holds bytes, a list or an object; export it as text.",
        "wrong_field_count": "The row has more or fewer fields than the header; a delimiter inside a text "
        "needs quotes around the text.",
        "broken_quotes": "A quote stands where none may; quotes inside a quoted text are written twice.",
        "unreadable_json": "The line is not one JSON object with distinct keys; write one object a line.",
    }
)
HEADER = ("file", "table", "row_number", "column", "rule", "meaning")
#: Rows from which a table that lost every one of them stops the run, however few they are beside the others.
WHOLE_TABLE_ROWS = 10


def sorted_rejects(rejects: Iterable[RejectedRow]) -> tuple[RejectedRow, ...]:
    """Return rejected rows by table, file, row, column and rule."""
    return tuple(
        sorted(
            rejects, key=lambda row: (TABLES.index(row.table), row.file, row.row_number, row.column, row.rule)
        )
    )


def counts_by_rule(rejects: Iterable[RejectedRow]) -> dict[tuple[str, str], int]:
    """Return how many rows of each table broke each rule, in the order of tables and rules.

    A row that breaks a rule in several columns counts once for it, and once for each other rule it breaks.
    """
    broken = Counter((row.table, row.rule) for row in {_without_column(row) for row in rejects})
    return {(table, rule): broken[table, rule] for table in TABLES for rule in RULES if broken[table, rule]}


def rejects_told(rejects: Collection[RejectedRow]) -> list[str]:
    """Return a line for each table and rule: how many rows broke it, and where the first of them stands."""
    first: dict[tuple[str, str], RejectedRow] = {}
    for row in sorted_rejects(rejects):
        first.setdefault((row.table, row.rule), row)
    lines = []
    for (table, rule), count in counts_by_rule(rejects).items():
        row = first[table, rule]
        column = f", {row.column}" if row.column else ""
        lines.append(f"{table}: {rule} {count:,}, first in {row.file}, row {row.row_number}{column}")
    return lines


def _without_column(row: RejectedRow) -> RejectedRow:
    return RejectedRow(row.file, row.table, row.row_number, "", row.rule)


def check_rejected_share(extract: Extract, settings: Settings) -> None:
    """Let the run go on if few enough rows were rejected.

    Parameters
    ----------
    extract : Extract
        What was read.
    settings : Settings
        ``rejected_share_max`` is the largest share of all rows of the extract that may be rejected.

    Raises
    ------
    ExtractError
        If the share is larger, or a table of ten rows or more lost all of them; the message names the counts
        per table and rule, and the first row of each.
    """
    rows = sum(count.rows for count in extract.counts.values())
    rejected = sum(count.rejected for count in extract.counts.values())
    lost = [
        table
        for table, count in extract.counts.items()
        if count.rows >= WHOLE_TABLE_ROWS and count.rejected == count.rows
    ]
    too_many = rejected > settings.rejected_share_max * rows
    if not lost and not too_many:
        return
    what = [
        f"{rejected:,} of {rows:,} rows were rejected ({rejected / rows:.1%}; "
        f"the most allowed is {settings.rejected_share_max:.1%})"
    ]
    what += [f"every row of {table} was rejected" for table in lost]
    what += [f"    {line}" for line in rejects_told(extract.rejects)]
    raise ExtractError(
        "\n".join(what),
        where="the extract",
        mend="correct the export or the mapping file, or raise rejected_share_max",
    )


def write_rejects(extract: Extract, path: Path) -> None:
    """Write one CSV line per rejected row, column and rule, without any content of the row.

    The file appears whole or not at all, and the same extract gives the same bytes.

    Raises
    ------
    ExtractError
        If the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            for row in sorted_rejects(extract.rejects):
                writer.writerow(
                    (_inert(row.file), row.table, row.row_number, row.column, row.rule, RULES[row.rule])
                )
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ExtractError(
            f"the rejects file cannot be written: {error.strerror}", where=str(path), mend="free the path"
        ) from error


def _inert(name: str) -> str:
    """Return a file name that a spreadsheet does not take for a formula."""
    return f"'{name}" if name[:1] in "=+-@\t\r" else name
