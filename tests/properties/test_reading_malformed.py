"""500 generated extracts, most of them malformed: a plain error, or every row a record or a rejected row."""

from __future__ import annotations

import csv
import io
import json
import random
import tempfile
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import polars as pl
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triage.errors import ExtractError, SettingsError
from triage.reading import Extract, Mapping, read_extract, split_entries
from triage.reading.records import COLUMNS, RECORD_TABLES, REQUIRED, TABLES
from triage.settings import Settings

CANARY = "zebra quorum marmalade"
SETTINGS = Settings()
KINDS = ("csv", "jsonl", "xlsx", "parquet")
TIMES = (
    "2026-03-01T09:00",
    "2026-03-29 01:30",
    "2026-02-28",
    "2026-01-01T00:00:00Z",
    "2026-12-31T10:00+05:30",
)
BAD_TIMES = (
    "",
    "soon",
    "31/12/2026",
    "0001-01-01",
    "9999-12-31T23:59:59-23:59",
    "2026-13-01",
    "٢٠٢٦-٠١-٠١",
    "1e9",
)


def examples(number: int) -> settings:
    """Return settings with which every run tries the same examples."""
    return settings(
        max_examples=number,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


character = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0\ufeff")
plain = st.text(st.sampled_from("abc ÄÖ£’“é=+-@,;|\t\"'"), max_size=12)
wild = st.text(character, max_size=12)
texts = st.one_of(
    st.tuples(st.one_of(plain, wild), st.one_of(plain, wild)).map(CANARY.join),
    st.sampled_from(
        [f"{CANARY}\n\n22:14 CALL: x\r\n2230 y", f'=HYPERLINK("{CANARY}")', f"-{CANARY}", CANARY * 9_000]
    ),
    st.just(""),
)
references = st.one_of(
    st.integers(1, 9).map(lambda number: f"R{number}"),
    st.sampled_from(["", " ", "R1 ", "x" * 65, "a\nb", "=1+1", "0", "\u202e1", "Ω/1"]),
    wild,
)
others = st.one_of(st.sampled_from(["", "Y", "nk", "?", "dash-police-27", "dara", "rape", "cancelled"]), wild)


@dataclass(frozen=True)
class Written:
    """A table as the generator wrote it: all cells as text."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def dicts(self) -> list[dict[str, str]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@st.composite
def tables(draw: st.DrawFn, names: tuple[str, ...] = TABLES) -> Written:
    table = draw(st.sampled_from(names))
    spare = [name for name in COLUMNS[table] if name not in REQUIRED[table]]
    extra = draw(st.lists(st.sampled_from([*spare, "stranger"]), max_size=4, unique=True))
    columns = tuple(draw(st.permutations([*REQUIRED[table], *extra])))
    cells = {
        "text": texts,
        **{name: references for name in columns if name.endswith("_ref")},
        **{
            name: st.one_of(st.sampled_from(TIMES), st.sampled_from(BAD_TIMES))
            for name in columns
            if name.endswith("_at")
        },
    }
    row = st.tuples(*(cells.get(name, others) for name in columns))
    return Written(table, columns, tuple(draw(st.lists(row, max_size=5))))


def as_csv(written: Written, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([written.columns, *written.rows])
    return file.getvalue().encode(encoding)


def as_jsonl(written: Written) -> bytes:
    lines = [json.dumps(row, ensure_ascii=len(written.rows) % 2 == 0) for row in written.dicts()]
    return "".join(line + "\n" for line in lines).encode() or b"\n"


def as_xlsx(written: Written) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([written.columns, *written.rows]):
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell)
    return file.getvalue()


def as_parquet(written: Written) -> bytes:
    file = io.BytesIO()
    data = {name: [row[n] for row in written.rows] for n, name in enumerate(written.columns)}
    pl.DataFrame(data, schema=dict.fromkeys(written.columns, pl.String)).write_parquet(file)
    return file.getvalue()


WRITERS = {"csv": as_csv, "jsonl": as_jsonl, "xlsx": as_xlsx, "parquet": as_parquet}


def reading(files: dict[str, bytes]) -> Extract:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return read_extract(Path(folder), SETTINGS, mapping=Mapping())


def outcome(files: dict[str, bytes]) -> Extract | None:
    """Read an extract; None if it cannot be read, which the message says without a word of its texts."""
    try:
        extract = reading(files)
    except (ExtractError, SettingsError) as error:
        message = str(error)
    else:
        return checked(extract)
    assert CANARY not in message
    return None


def checked(extract: Extract) -> Extract:
    """Return an extract whose rows are all accounted for and whose words about them are clean."""
    for count in extract.counts.values():
        assert count.rows == count.accepted + count.rejected
    assert CANARY not in repr(extract.rejects) + repr(extract.notes)
    assert len(extract.records) == sum(extract.counts[table].accepted for table in RECORD_TABLES)
    assert len(extract.crimes) == extract.counts["crimes"].accepted
    for record in extract.records:
        entries = split_entries(record.text)
        assert "".join(record.text[each.start : each.end] for each in entries) == record.text
    return extract


def beside_an_incident(name: str, content: bytes) -> dict[str, bytes]:
    """Return the files of an extract that holds a table of records whatever the other one is."""
    incident = f"record_ref,opened_at,text\nI1,2026-03-01,{CANARY}\n".encode()
    return (
        {"incidents.csv": incident, name: content} if not name.startswith("incidents.") else {name: content}
    )


def assert_as_written(written: Written, extract: Extract) -> None:
    count = extract.counts[written.table]
    assert count.rows == len(written.rows)
    known = {(row.get("record_ref", "").strip(), row.get("text", "")) for row in written.dicts()}
    accepted = {
        (record.record_ref, record.text) for record in extract.records if record.source == written.table
    }
    assert accepted <= known


@examples(120)
@given(tables(), st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_any_cells_in_csv(written: Written, delimiter: str, encoding: str) -> None:
    content = as_csv(written, delimiter, encoding)
    extract = outcome(beside_an_incident(f"{written.table}.csv", content))
    assert extract is not None
    assert_as_written(written, extract)


@examples(75)
@given(tables())
def test_any_cells_in_jsonl(written: Written) -> None:
    extract = outcome(beside_an_incident(f"{written.table}.jsonl", as_jsonl(written)))
    assert extract is not None
    assert_as_written(written, extract)


# Each Parquet file is read by a child process first, which takes half a second.
@examples(8)
@given(tables())
def test_any_cells_in_parquet(written: Written) -> None:
    extract = outcome(beside_an_incident(f"{written.table}.parquet", as_parquet(written)))
    assert extract is not None
    assert_as_written(written, extract)


@examples(100)
@given(
    tables(("incidents", "crimes", "assessments")),
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([-1, 1, 2])), max_size=3),
    st.binary(max_size=3),
    st.integers(0, 400),
)
def test_rows_of_wrong_length_and_stray_bytes(
    written: Written, changes: list[tuple[int, int]], stray: bytes, place: int
) -> None:
    rows = [list(row) for row in written.rows]
    for number, change in changes:
        if number < len(rows):
            rows[number] = rows[number][:-1] if change < 0 else rows[number] + ["x"] * change
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([written.columns, *rows])
    content = file.getvalue().encode()
    extract = outcome(beside_an_incident(f"{written.table}.csv", content))
    assert extract is not None
    assert extract.counts[written.table].rows == len(rows)
    wrong = {number for number, row in enumerate(rows, start=1) if len(row) != len(written.columns)}
    assert wrong == {row.row_number for row in extract.rejects if row.rule == "wrong_field_count"}
    outcome(beside_an_incident(f"{written.table}.csv", content[:place] + stray + content[place:]))


@examples(95)
@given(tables(), st.sampled_from(["csv", "jsonl"]), st.floats(0, 1), st.binary(max_size=2))
def test_truncated_and_damaged_files(written: Written, kind: str, share: float, tail: bytes) -> None:
    content = WRITERS[kind](written)
    outcome(beside_an_incident(f"{written.table}.{kind}", content[: int(len(content) * share)] + tail))


@examples(12)
@given(tables(), st.floats(0, 1), st.integers(0, 255))
def test_damaged_parquet(written: Written, share: float, stray: int) -> None:
    content = as_parquet(written)
    place = int((len(content) - 1) * share)
    outcome(
        beside_an_incident(
            f"{written.table}.parquet", content[:place] + bytes([stray]) + content[place + 1 :]
        )
    )


@examples(20)
@given(tables(), st.floats(0, 1))
def test_any_cells_in_a_workbook(written: Written, share: float) -> None:
    # Excel holds 32,767 characters, and a row of empty cells is no row there.
    fit = tuple(row for row in written.rows if any(row) and max(map(len, row)) < 32_767)
    written = Written(written.table, written.columns, fit)
    content = as_xlsx(written)
    extract = outcome(beside_an_incident(f"{written.table}.xlsx", content))
    assert extract is not None
    assert extract.counts[written.table].rows == len(fit)
    outcome(beside_an_incident(f"{written.table}.xlsx", content[: int(len(content) * share)]))


@examples(40)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(written: Written, shuffler: random.Random) -> None:
    rows = list(written.rows) + list(written.rows[:1])
    shuffled = rows[:]
    shuffler.shuffle(shuffled)
    name = f"{written.table}.csv"
    there, back = (
        outcome(beside_an_incident(name, as_csv(Written(written.table, written.columns, tuple(each)))))
        for each in (rows, shuffled)
    )
    assert there is not None
    assert back is not None
    assert (there.records, there.crimes, there.digest) == (back.records, back.crimes, back.digest)


@examples(10)
@given(tables())
def test_the_same_table_in_four_formats(written: Written) -> None:
    fit = tuple(row for row in written.rows if any(row) and max(map(len, row)) < 32_767)
    written = Written(written.table, written.columns, fit)
    first, *others = (
        outcome(beside_an_incident(f"{written.table}.{kind}", WRITERS[kind](written))) for kind in KINDS
    )
    assert first is not None
    for other in others:
        assert other is not None
        assert (other.records, other.crimes, other.digest) == (first.records, first.crimes, first.digest)


@examples(25)
@given(
    st.text(max_size=60),
    st.lists(st.sampled_from(["22:14", "2013", "0912", " | ", ". ", "\n", "14/03 "]), max_size=30),
)
def test_entries_are_the_whole_text(text: str, parts: list[str]) -> None:
    whole = text + "".join(parts) + CANARY
    entries = split_entries(whole)
    assert entries[0].start == 0
    assert entries[-1].end == len(whole)
    assert all(one.end == other.start for one, other in pairwise(entries))
    assert all(each.start < each.end for each in entries)


def test_a_generated_fault_would_be_noticed() -> None:
    written = Written("incidents", ("record_ref", "opened_at", "text"), (("I1", "2026-03-01", CANARY),))
    extract = reading({"incidents.csv": as_csv(written)})
    assert extract.records[0].opened_at == datetime.fromisoformat("2026-03-01T00:00Z")
    assert_as_written(written, extract)
