"""The extract of one night, read and checked: every row a record, a crime or a rejected row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from triage.errors import ExtractError
from triage.reading.accepted import Accepted
from triage.reading.columns import Records
from triage.reading.delimited import shown
from triage.reading.mapping import Mapping as ForceMapping
from triage.reading.mapping import TableMapping, folded, harmless, harmless_path, mapping_for
from triage.reading.parquet import check_parquet
from triage.reading.raw import Cell, RawTable
from triage.reading.records import (
    COLUMNS,
    RECORD_TABLES,
    REQUIRED,
    TABLES,
    Crime,
    Extract,
    RejectedRow,
    TableCount,
)
from triage.reading.rejects import counts_by_rule, sorted_rejects
from triage.reading.sources import FORMATS, find_tables, read_file
from triage.reading.tables import Reader, as_text
from triage.settings import Settings

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class _Column:
    """Where a contract column comes from, and what its codes mean."""

    name: str
    theirs: tuple[str, ...]
    constant: str | None
    codes: Mapping[str, str]

    def of(self, cells: Mapping[str, Sequence[Cell]], count: int) -> Sequence[Cell]:
        """Return the column of a part of so many rows."""
        if self.constant is not None:
            return [self.constant] * count
        if len(self.theirs) == 1:
            found = cells[self.theirs[0]]
        else:
            found = list(map(_joined, *(cells[name] for name in self.theirs)))
        if not self.codes:
            return found
        meanings = {cell: self._meaning(cell) for cell in set(found)}
        return [meanings[cell] for cell in found]

    def _meaning(self, cell: Cell) -> Cell:
        text = as_text(cell)
        return cell if text is None else self.codes.get(folded(text), cell)

    def known(self, cell: Cell) -> bool:
        """Whether a cell is empty or a value that the codes lead to."""
        text = as_text(cell)
        return not text or text in self.codes.values()


def _joined(*cells: Cell) -> Cell:
    texts = [as_text(cell) for cell in cells]
    unreadable = [cell for cell, text in zip(cells, texts, strict=True) if text is None]
    return unreadable[0] if unreadable else " ".join(text for text in texts if text)


@dataclass(frozen=True, slots=True)
class _TableRead:
    records: pl.DataFrame
    crimes: tuple[Crime, ...]
    rejects: tuple[RejectedRow, ...]
    count: TableCount
    notes: tuple[str, ...]
    unused: dict[str, tuple[str, ...]]


def read_extract(
    path: Path,
    settings: Settings,
    *,
    mapping: ForceMapping | None = None,
    as_of: datetime | None = None,
    progress: Progress | None = None,
    hashed: bool = True,
    meanwhile: Callable[[], object] | None = None,
    taken: Callable[[str, pl.DataFrame], None] | None = None,
) -> Extract:
    """Return the records and crimes of one night, and every row that is neither with its reason.

    Parameters
    ----------
    path : Path
        A folder with any of the six tables as ``.csv``, ``.parquet``, ``.jsonl`` or ``.xlsx``, or a mapping
        file with a ``[database]`` section.
    settings : Settings
        The time zone, and the mapping file if there is one.
    mapping : Mapping, optional
        Goes before the settings' mapping file and ``mapping.toml`` in the folder.
    as_of : datetime, optional
        Aware. Later records are counted in the notes; none is dropped here.
    progress : callable, optional
        Called with a table's name and the number of its rows read so far.
    hashed : bool
        Whether the extract is to be told from others by its ``digest``, which is empty otherwise.
    meanwhile : callable, optional
        Called once, while a child process tries whether Parquet files can be read; at once without any.
    taken : callable, optional
        Given each table of records as soon as it is read, by name and as `Records` holds it; what is returned
        then holds no records.

    Raises
    ------
    ExtractError
        If there is no table of records, or a file or query cannot be read as a whole.
    SettingsError
        If the mapping file is missing or wrong, or the database's environment variable is not set.
    """
    mapping = mapping if mapping is not None else mapping_for(path, settings)
    sources, notes = _sources(path, mapping)
    zone = ZoneInfo(mapping.applied_to(settings).timezone)
    placeholders = frozenset(folded(reference) for reference in mapping.placeholder_refs)
    frames: dict[str, pl.DataFrame] = {}
    crimes: tuple[Crime, ...] = ()
    rejects: list[RejectedRow] = []
    counts = dict.fromkeys(TABLES, TableCount(0, 0, 0))
    unused: dict[str, tuple[str, ...]] = {}
    later = 0
    check_parquet((source for source in sources.values() if isinstance(source, Path)), meanwhile)
    for table in (name for name in TABLES if name in sources):
        raw = sources[table]
        if isinstance(raw, Path):
            raw = read_file(raw, mapping.of(table), _wanted(table, mapping.of(table)))
        reader = Reader(zone, mapping.of(table).time_formats, placeholders)
        read = _read_table(table, raw, mapping.of(table), reader, progress)
        if table == "crimes":
            crimes = read.crimes
        else:
            later += Records({table: read.records}).opened_after(as_of) if as_of is not None else 0
            if taken is None:
                frames[table] = read.records
            else:
                taken(table, read.records)
        rejects += read.rejects
        notes += [note for note in read.notes if note not in notes]
        counts[table] = read.count
        for file, columns in read.unused.items():
            # What another table reads from the same file is in use.
            unused[file] = tuple(name for name in unused.get(file, columns) if name in columns)
    notes += [f"{file}: columns not used: {shown(names, names)}" for file, names in unused.items() if names]
    if "crimes" not in sources:
        notes.append("there is no table crimes: every crime that a text discloses counts as unrecorded")
    if not any(counts[table].accepted for table in RECORD_TABLES):
        notes.append("WARNING: the extract holds no record at all: was it exported?")
    records = Records(frames)
    if later:
        notes.append(f"{later:,} records are later than the moment as of which the extract is read")
    ordered = sorted_rejects(rejects)
    digest = _digest(records, crimes, ordered) if hashed else ""
    return Extract(records, crimes, ordered, counts, tuple(notes), digest)


def _sources(path: Path, mapping: ForceMapping) -> tuple[Mapping[str, Path | RawTable], list[str]]:
    if path.is_file() and mapping.database is not None:
        # SQLAlchemy takes long to import.
        from triage.reading.databases import read_database

        return read_database(mapping.database), []
    if path.is_file():
        raise ExtractError(
            "the extract is a file",
            where=harmless_path(path),
            mend="give its folder, or a mapping file with [database]",
        )
    files, others = find_tables(path, mapping)
    if not any(table in files for table in RECORD_TABLES):
        raise ExtractError(
            "the extract has no table of records; looked for " + ", ".join(RECORD_TABLES),
            where=harmless_path(path),
            mend=f"name the files so ({', '.join(FORMATS)}), or name yours in a mapping file",
        )
    return files, [f"files that are no table and were not read: {', '.join(others)}"] if others else []


def _wanted(table: str, how: TableMapping) -> frozenset[str]:
    names = {name for column in COLUMNS[table] for name in _theirs(how, column)}
    return frozenset(names | ({how.only.column} if how.only else set()))


def _theirs(how: TableMapping, column: str) -> tuple[str, ...]:
    if column in how.constants:
        return ()
    theirs = how.columns.get(column, column)
    return (theirs,) if isinstance(theirs, str) else theirs


def _plan(table: str, raw: RawTable, how: TableMapping) -> tuple[tuple[_Column, ...], tuple[str, ...]]:
    """Return where each contract column comes from, and the names of the columns that are not used."""
    present = set(raw.columns)
    wanted = _wanted(table, how)
    named = [name for column in COLUMNS[table] if column in how.columns for name in _theirs(how, column)]
    named += [how.only.column] if how.only else []
    needed = [name for column in REQUIRED[table] for name in _theirs(how, column)]
    # A JSONL file may leave out keys without a value, and one without objects has no columns at all.
    loose = raw.file.casefold().endswith(".jsonl")
    missing = [name for name in dict.fromkeys(needed if loose else needed + named) if name not in present]
    if missing and (raw.columns or not loose):
        raise ExtractError(
            f"{table} has no column {', '.join(repr(harmless(name)) for name in missing)}; "
            f"it has: {shown(raw.columns, wanted) or 'none'}",
            where=raw.file,
            mend="export it, or name yours under columns in the mapping file (docs/mapping.md)",
        )
    columns = tuple(
        _Column(column, _theirs(how, column), how.constants.get(column), how.code_table(column))
        for column in COLUMNS[table]
        if column in how.constants or set(_theirs(how, column)) <= present
    )
    return columns, tuple(name for name in raw.columns if name not in wanted)


def _read_table(
    table: str, raw: RawTable, how: TableMapping, reader: Reader, progress: Progress | None
) -> _TableRead:
    columns, unused = _plan(table, raw, how)
    notes = list(raw.notes)
    kept = how.kept_values()
    reference = "crime_ref" if table == "crimes" else "record_ref"
    accepted = Accepted(table)
    rejects: list[RejectedRow] = []
    rows = left_out = 0
    unknown: dict[str, set[str]] = {column.name: set() for column in columns if column.codes}
    for part in raw.parts:
        numbers, theirs = part.numbers, part.cells
        rows += len(numbers) + len(part.faults)
        rejects += [RejectedRow(raw.file, table, number, "", rule) for number, rule in part.faults]
        if how.only:
            ours = {cell for cell in set(theirs[how.only.column]) if folded(as_text(cell) or "") in kept}
            mine = [cell in ours for cell in theirs[how.only.column]]
            left_out += mine.count(False)
            numbers = list(compress(numbers, mine))
            theirs = {name: list(compress(cells, mine)) for name, cells in theirs.items()}
        cells = {column.name: column.of(theirs, len(numbers)) for column in columns}
        for column in columns:
            if column.codes:
                strangers = (cell for cell in set(cells[column.name]) if not column.known(cell))
                unknown[column.name].update(as_text(cell) or "" for cell in strangers)
        if numbers:
            found = accepted.add(numbers, cells, reader)
            rejects += [RejectedRow(raw.file, table, number, name, rule) for number, name, rule in found]
        if progress is not None:
            progress(table, rows)
    records, crimes, again = accepted.first_of_each()
    rejects += [RejectedRow(raw.file, table, number, reference, "duplicate_reference") for number in again]
    count = TableCount(
        rows=rows - left_out,
        accepted=records.height + len(crimes),
        rejected=len({reject.row_number for reject in rejects}),
        left_out=left_out,
    )
    assert count.rows == count.accepted + count.rejected, f"rows of {table} were lost"
    if how.only and left_out and left_out == rows:
        notes.append(
            f"WARNING: none of the {left_out:,} rows of {raw.file} is one of {table}: "
            f"the condition {table}.only of the mapping file matches no row"
        )
    elif left_out:
        notes.append(f"{raw.file}: {left_out:,} rows are no {table}, as the mapping file says")
    notes += [
        f"{raw.file}: {len(codes):,} codes of {column} are not in the mapping file and stay as they are"
        for column, codes in unknown.items()
        if codes
    ]
    return _TableRead(records, crimes, tuple(rejects), count, tuple(notes), {raw.file: unused})


def _digest(records: Records, crimes: tuple[Crime, ...], rejects: tuple[RejectedRow, ...]) -> str:
    digest = hashlib.sha256(records.digest().encode())
    for crime in crimes:
        moment = crime.recorded_at.isoformat()
        line = (crime.crime_ref, crime.record_ref, moment, crime.offence_code, crime.status)
        digest.update("\0".join(line).encode() + b"\n")
    for (table, rule), count in counts_by_rule(rejects).items():
        digest.update(f"{table} {rule} {count}\n".encode())
    return digest.hexdigest()
