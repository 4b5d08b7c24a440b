"""The extract of one night, read and checked: every row a record, a crime or a rejected row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from triage.errors import ExtractError
from triage.reading.databases import read_database
from triage.reading.delimited import shown
from triage.reading.mapping import Mapping as ForceMapping
from triage.reading.mapping import TableMapping, folded, harmless, harmless_path, mapping_for
from triage.reading.records import (
    COLUMNS,
    RECORD_TABLES,
    REQUIRED,
    TABLES,
    Crime,
    Extract,
    Record,
    RejectedRow,
    TableCount,
)
from triage.reading.rejects import RULES, counts_by_rule, sorted_rejects
from triage.reading.sources import FORMATS, Cell, RawRow, RawTable, find_tables, read_file
from triage.reading.tables import RECORD_ROWS, CrimeRow, Reader, RecordRow, as_text
from triage.settings import Settings

Progress = Callable[[str, int], None]
_PROGRESS_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class _Column:
    """Where a contract column comes from, and what its codes mean."""

    name: str
    theirs: tuple[str, ...]
    constant: str | None
    codes: Mapping[str, str]

    def of(self, cells: Mapping[str, Cell]) -> Cell:
        if self.constant is not None:
            return self.constant
        if len(self.theirs) == 1:
            cell = cells.get(self.theirs[0], "")
        else:
            parts = [cells.get(name, "") for name in self.theirs]
            texts = [as_text(part) for part in parts]
            unreadable = [part for part, text in zip(parts, texts, strict=True) if text is None]
            cell = unreadable[0] if unreadable else " ".join(text for text in texts if text)
        if not self.codes:
            return cell
        text = as_text(cell)
        return cell if text is None else self.codes.get(folded(text), cell)

    def known(self, cell: Cell) -> bool:
        """Whether a cell is empty or a value that the codes lead to."""
        text = as_text(cell)
        return not text or text in self.codes.values()


@dataclass(frozen=True, slots=True)
class _TableRead:
    things: tuple[Record | Crime, ...]
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
    things: list[Record | Crime] = []
    rejects: list[RejectedRow] = []
    counts = dict.fromkeys(TABLES, TableCount(0, 0, 0))
    unused: dict[str, tuple[str, ...]] = {}
    for table in (name for name in TABLES if name in sources):
        raw = sources[table]
        if isinstance(raw, Path):
            raw = read_file(raw, mapping.of(table), _wanted(table, mapping.of(table)))
        reader = Reader(zone, mapping.of(table).time_formats, placeholders)
        read = _read_table(table, raw, mapping.of(table), reader, progress)
        things += read.things
        rejects += read.rejects
        notes += [note for note in read.notes if note not in notes]
        counts[table] = read.count
        for file, columns in read.unused.items():
            # What another table reads from the same file is in use.
            unused[file] = tuple(name for name in unused.get(file, columns) if name in columns)
    notes += [f"{file}: columns not used: {shown(names, names)}" for file, names in unused.items() if names]
    if "crimes" not in sources:
        notes.append("there is no table crimes: every crime that a text discloses counts as unrecorded")
    records = tuple(
        sorted(
            (thing for thing in things if isinstance(thing, Record)),
            key=lambda record: (RECORD_TABLES.index(record.source), record.record_ref),
        )
    )
    crimes = tuple(
        sorted((thing for thing in things if isinstance(thing, Crime)), key=lambda crime: crime.crime_ref)
    )
    later = sum(as_of is not None and record.opened_at > as_of for record in records)
    if later:
        notes.append(f"{later:,} records are later than the moment as of which the extract is read")
    ordered = sorted_rejects(rejects)
    return Extract(records, crimes, ordered, counts, tuple(notes), _digest(records, crimes, ordered))


def _sources(path: Path, mapping: ForceMapping) -> tuple[Mapping[str, Path | RawTable], list[str]]:
    if path.is_file() and mapping.database is not None:
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
    accepted: list[tuple[int, Record | Crime]] = []
    rejects: list[RejectedRow] = []
    left_out = 0
    unknown: dict[str, set[str]] = {column.name: set() for column in columns if column.codes}
    for done, row in enumerate(raw.rows, start=1):
        if progress is not None and done % _PROGRESS_ROWS == 0:
            progress(table, done)
        if (
            how.only
            and not row.fault
            and folded(as_text(row.cells.get(how.only.column, "")) or "") not in kept
        ):
            left_out += 1
            continue
        cells = {column.name: column.of(row.cells) for column in columns}
        for column in columns:
            if column.codes and not column.known(cells[column.name]):
                unknown[column.name].add(as_text(cells[column.name]) or "")
        made = _checked(table, row, cells, reader)
        if isinstance(made, list):
            rejects += [RejectedRow(raw.file, table, row.number, column, rule) for column, rule in made]
        else:
            accepted.append((row.number, made))
    if progress is not None:
        progress(table, len(raw.rows))
    first, again = _first_of_each(accepted)
    reference = "crime_ref" if table == "crimes" else "record_ref"
    rejects += [RejectedRow(raw.file, table, number, reference, "duplicate_reference") for number in again]
    count = TableCount(
        rows=len(raw.rows) - left_out,
        accepted=len(first),
        rejected=len({reject.row_number for reject in rejects}),
        left_out=left_out,
    )
    assert count.rows == count.accepted + count.rejected, f"rows of {table} were lost"
    if how.only and left_out and left_out == len(raw.rows):
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
    return _TableRead(first, tuple(rejects), count, tuple(notes), {raw.file: unused})


def _checked(
    table: str, row: RawRow, cells: Mapping[str, Cell], reader: Reader
) -> Record | Crime | list[tuple[str, str]]:
    """Return the row as a record or crime, or its faults as (column, rule)."""
    if row.fault:
        assert row.fault in RULES, row.fault
        return [("", row.fault)]
    kind: type[RecordRow] | type[CrimeRow] = RECORD_ROWS.get(table, CrimeRow)
    try:
        checked = kind.model_validate(cells, context=reader)
    except ValidationError as error:
        faults = []
        for each in error.errors(include_url=False, include_input=False, include_context=False):
            # A JSONL row may lack a key that others have.
            column, rule = str(each["loc"][0]), each["type"]
            rule = _RULE_OF_MISSING.get(column, "missing_time") if rule == "missing" else rule
            assert rule in RULES, rule
            faults.append((column, rule))
        return faults
    return checked.record() if isinstance(checked, RecordRow) else checked.crime()


_RULE_OF_MISSING = {
    "record_ref": "missing_reference",
    "crime_ref": "missing_reference",
    "form_version": "unknown_form_version",
    "offence_code": "missing_offence_code",
}


def _first_of_each(
    accepted: list[tuple[int, Record | Crime]],
) -> tuple[tuple[Record | Crime, ...], list[int]]:
    """Return the earliest thing of each reference, however they are ordered, and the other rows' numbers."""
    same: dict[str, list[tuple[int, Record | Crime]]] = {}
    for each in accepted:
        reference = each[1].crime_ref if isinstance(each[1], Crime) else each[1].record_ref
        same.setdefault(reference, []).append(each)
    first, again = [], []
    for group in same.values():
        if len(group) > 1:
            group.sort(key=lambda each: (_moment(each[1]), _canonical(each[1]), each[0]))
        first.append(group[0][1])
        again += [number for number, _ in group[1:]]
    return tuple(first), again


def _moment(thing: Record | Crime) -> datetime:
    return thing.recorded_at if isinstance(thing, Crime) else thing.opened_at


def _canonical(thing: Record | Crime) -> str:
    # Entries follow from the text.
    values = [getattr(thing, field.name) for field in fields(thing) if field.name != "entries"]
    return json.dumps(values, default=datetime.isoformat)


def _digest(records: tuple[Record, ...], crimes: tuple[Crime, ...], rejects: tuple[RejectedRow, ...]) -> str:
    digest = hashlib.sha256()
    for line in (
        *map(_canonical, records),
        *map(_canonical, crimes),
        *(f"{table} {rule} {count}" for (table, rule), count in counts_by_rule(rejects).items()),
    ):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()
