"""A labelled text table to be replayed: some columns of text and one that says what is relevant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triage.errors import ExtractError, UsageError
from triage.learning.metrics import Bools
from triage.reading.delimited import shown
from triage.reading.mapping import TableMapping, harmless
from triage.reading.parquet import check_parquet
from triage.reading.raw import Cell, NotText
from triage.reading.sources import FORMATS, read_file

_RELEVANT = frozenset({"1", "1.0", "true", "yes"})
_IRRELEVANT = frozenset({"0", "0.0", "false", "no"})
_ROWS_NAMED = 5


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """The rows of a table: ``texts`` has one tuple of row texts per column; ``relevant`` shape (rows,)."""

    texts: tuple[tuple[str, ...], ...]
    relevant: Bools


def read_labelled(path: Path, text_columns: Sequence[str], label_column: str) -> LabelledTexts:
    """Return the texts and labels of a table; a missing text is empty, a missing label an error.

    Parameters
    ----------
    path : Path
        A ``.csv``, ``.parquet``, ``.jsonl`` or ``.xlsx`` file.
    text_columns : sequence of str
        Names of the columns that hold text.
    label_column : str
        Name of the column that holds 1 or 0, true or false, yes or no.

    Raises
    ------
    UsageError
        If the file's ending or a column is unknown, or a column is named twice.
    ExtractError
        If the file cannot be read, a row is none, or a label is missing or another word; the message names
        the rows, numbered from 1 below the header.
    """
    if path.suffix.casefold() not in FORMATS:
        raise UsageError(
            f"the ending {path.suffix!r} is unknown; known: {', '.join(FORMATS)}",
            where=harmless(path.name),
            mend="give a table with one of these endings",
        )
    wanted = (*text_columns, label_column)
    if len({*wanted}) < len(wanted):
        raise UsageError(
            "a column is named twice",
            where="--text, --label",
            mend="name each column of text once, and another for the label",
        )
    check_parquet([path])
    table = read_file(path, TableMapping(), wanted)
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise UsageError(
            f"no column {', '.join(map(repr, missing))}; the file has {shown(table.columns, wanted)}",
            where=harmless(path.name),
            mend="name columns of the file with --text and --label",
        )
    cells: dict[str, list[Cell]] = {name: [] for name in wanted}
    faulty: list[int] = []
    for part in table.parts:
        faulty += [number for number, _ in part.faults]
        for name in wanted:
            cells[name] += part.cells[name]
    _refuse(faulty, "rows cannot be read: other columns than the header, or broken quotes or JSON", path)
    said = [_word(cell) for cell in cells[label_column]]
    unknown = [at for at, word in enumerate(said, start=1) if word not in _RELEVANT | _IRRELEVANT]
    _refuse(unknown, "rows have no label that is 1 or 0, true or false, yes or no", path)
    relevant = np.array([word in _RELEVANT for word in said], dtype=bool)
    texts = tuple(tuple(_text(cell) for cell in cells[name]) for name in text_columns)
    if not len(relevant):
        raise _unusable("the table has no rows", path)
    if not relevant.any() or relevant.all():
        raise _unusable(f"all {len(relevant)} rows are of one kind", path)
    if not any(text.strip() for column in texts for text in column):
        raise _unusable("no row has any text in the columns named", path)
    return LabelledTexts(texts, relevant)


def _unusable(what: str, path: Path) -> ExtractError:
    return ExtractError(
        what, where=harmless(path.name), mend="give a table with the texts of relevant and irrelevant rows"
    )


def _refuse(rows: Sequence[int], what: str, path: Path) -> None:
    if rows:
        more = ", …" if len(rows) > _ROWS_NAMED else ""
        named = ", ".join(map(str, rows[:_ROWS_NAMED]))
        raise ExtractError(
            f"{len(rows)} {what}: row {named}{more}",
            where=harmless(path.name),
            mend="correct or remove these rows; rows are counted from 1 below the header",
        )


def _word(cell: Cell) -> str:
    return str(cell).strip().casefold() if isinstance(cell, str | float) else ""


def _text(cell: Cell) -> str:
    """Return a cell as text; a number or a moment in a column of text is read as it is written."""
    return "" if isinstance(cell, NotText) else str(cell)
