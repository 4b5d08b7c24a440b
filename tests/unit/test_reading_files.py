"""Files as forces export them: formats, encodings, quotes; and files that cannot be read as a whole."""

from __future__ import annotations

import base64
import io
import json
import time
import zlib
from datetime import UTC, date, datetime
from datetime import time as clock
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from triage.errors import ExtractError, UserError
from triage.reading import Extract, Mapping, read_extract
from triage.settings import Settings

HEADER = "record_ref,opened_at,text\n"
Bytes = bytes | str
#: One row with the canary phrase, uncompressed, and byte 296 changed: polars asks for 2 EiB and aborts.
DEADLY_PARQUET = zlib.decompress(base64.b64decode(
    "eNq1VD1v2kAYPg5ECGKgUt6TLXnwEouoDTGGBKjS4fLRAKEtIDUJWSKDbfIBmJrPduqYob+gQ5Wp6s/Ib+jarVOHTh2qjr0zTiAS"
    "VGqrnO587/u87z3P67uzS7SSgABEIFIEDAghzEY+AQiiEH3EoCgEIShtoBjOJwQ2vBTsQ36IiOsoGBWFsGPWbcc4cUwLEMGkQzpK"
    "XAndWcVEJJA8kTAbmqptrKrJVXWWWHgSFabsWeKLdsdsm8aJ3nO1r3ysK5dY+ez7IxGrJwUprx7Cxhuz5ujyq77t9FtyS3daelM3"
    "zJvaxEltZHamMAefVXOgZ47G5X7zsa5cB5Qf/n/iFh9gkW+w+wAkEg+aetc7zlTKHM65AW+pROJQ4BvGrEsM5555HYD3Pm4DFou5"
    "gGPbPQgiiCzj6euxjIoSz+Hw5OCmUXdrPIBgURI3lQ8+6a+uGvkagiXydgEUpHzyS/97U8jPEBDycQGeMrqgdA+HSN4tgkC+L8AA"
    "kV9+gpUQm5b4tgoRWqm8OHzcrZ+aLV24wmu8ZTKUtV3+yAyYPyp7vgvtU9ql2+5cpg9LLD4ccjxPacPLe8amLdfhFs+jdLvKqfe4"
    "u0W9fNYqLvdt3A3lKk0zN8aHnH/UuCHhulzipbdoHB9ecNJBfe+gf3xYsapHPHWny/mKk0XVWz0msttgdfK5PK5jx+Nbc/nKPLTP"
    "/Xrr4LyWLFwcJQvN4wZ9goTnJbupO1051nndO7XbK/LAdLpndlvW4om4Ksdq/bOmIaetrKrVjKRlGVrasjKakUhp6YyuZnUtu25Z"
    "mpXWTSOrrYib7CaOO/rCPuQS+2H+BtrwK4E="
))  # fmt: skip


def read(folder: Path, mapping: dict[str, Any] | None = None, **files: Bytes) -> Extract:
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{stem}.{suffix}").write_bytes(data)
    return read_extract(folder, Settings(), mapping=Mapping.model_validate(mapping or {}))


def workbook(*rows: tuple[Any, ...], sheet: str = "incidents", first: str | None = None) -> bytes:
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "default_date_format": "dd/mm/yyyy hh:mm"}
    with xlsxwriter.Workbook(file, options) as book:
        if first is not None:
            book.add_worksheet(first)
        page = book.add_worksheet(sheet)
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                page.write(number, column, cell)
    return file.getvalue()


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252", "utf-16", "utf-32"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_delimiters_and_line_ends(
    encoding: str, delimiter: str, end: str, tmp_path: Path, canary: str
) -> None:
    text = f'{canary}: £20 “gone”{end}he said "é, no; | or\tyes" =SUM(A1)'
    row = delimiter.join(["I1", "2026-03-01T09:00", '"' + text.replace('"', '""') + '"'])
    content = HEADER.strip().replace(",", delimiter) + end + end + row + end
    extract = read(tmp_path, incidents_csv=content.encode(encoding))
    assert [record.text for record in extract.records] == [text]
    assert any("read as" in note for note in extract.notes) is (encoding[:5] != "utf-8")


def test_an_encoding_of_the_mapping_goes_first(tmp_path: Path, canary: str) -> None:
    content = f"{HEADER}I1,2026-03-01,{canary} naïve".encode("utf-16-le")
    with pytest.raises(ExtractError, match="looks like UTF-16"):
        read(tmp_path, incidents_csv=content)
    extract = read(tmp_path, {"incidents": {"encoding": "utf-16-le"}})
    assert extract.records[0].text == f"{canary} naïve"


@pytest.mark.parametrize(
    ("tail", "mapping"),
    [
        (b"\x81", {}),
        ("éèà".encode() + b"\xe9,", {}),
        ("éèà".encode() + b"\xed\xa0\x80,", {}),
        (b"\xff", {"incidents": {"encoding": "utf-8"}}),
    ],
    ids=["no encoding", "mixed", "half a pair", "named"],
)
def test_bytes_that_are_no_text(tail: bytes, mapping: dict[str, Any], tmp_path: Path, canary: str) -> None:
    content = HEADER.encode() + b"I1,2026-03-01," + canary.encode() + tail
    with pytest.raises(ExtractError) as caught:
        read(tmp_path, mapping, incidents_csv=content)
    assert canary not in str(caught.value)
    assert " 0 places" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.exit_code == 11


def test_a_text_of_200_000_characters(tmp_path: Path, canary: str) -> None:
    text = (canary + ', "£"\n') * 8_000
    row = json.dumps({"record_ref": "I1", "opened_at": "2026-03-01", "text": text})
    quoted = text.replace('"', '""')
    extract = read(tmp_path, incidents_csv=f'{HEADER}I1,2026-03-01,"{quoted}"\n')
    assert len(text) > 200_000
    assert extract.records[0].text == text
    (tmp_path / "incidents.csv").unlink()
    assert read(tmp_path, incidents_jsonl=row).records == extract.records


@pytest.mark.parametrize(
    ("lines", "rules", "accepted"),
    [
        (["I1,2026-03-01,{c}", "I2,2026", "I3,2026,{c},x"], dict.fromkeys((2, 3), "wrong_field_count"), 1),
        (['I1,2026-03-01,"{c}" x', "I2,2026-03-01,{c}"], {1: "broken_quotes"}, 1),
        (['I1,2026-03-01,"{c}', 'I2,2026-03-01,"{c}"'], {1: "broken_quotes"}, 1),
        (["", "I1,2026-03-01,{c}", "", "", "I2,2026-03-01,{c}", ""], {}, 2),
        ([",,"], {1: "missing_reference"}, 0),
        (["I1,2026-03-01,{c}\0{c}"], {}, 1),
    ],
)  # fmt: skip
def test_rows_that_are_none(
    lines: list[str], rules: dict[int, str], accepted: int, tmp_path: Path, canary: str
) -> None:
    extract = read(tmp_path, incidents_csv=HEADER + "\n".join(lines).replace("{c}", canary))
    assert {row.row_number: row.rule for row in extract.rejects if row.column != "opened_at"} == rules
    assert extract.counts["incidents"].accepted == accepted
    assert extract.counts["incidents"].rows == accepted + len(rules)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('I1,2026-03-01,"{c}\nI2,2026-03-01,{c}\n', 2),
        ('I1,2026-03-01,"{c}"\nI2,2026-03-01,"{c}\n\n', 3),
        ('I1,2026-03-01,"{c}\n{c}",x\nI2,"2026-03-01\n",{c}\nI3,,"', 6),
    ],
)
def test_a_quote_never_closed_names_its_line(content: str, line: int, tmp_path: Path, canary: str) -> None:
    with pytest.raises(ExtractError, match=f"opens at line {line} is never closed") as caught:
        read(tmp_path, incidents_csv=HEADER + content.replace("{c}", canary))
    assert canary not in str(caught.value)


def test_excel_writes_its_separator_first(tmp_path: Path, canary: str) -> None:
    extract = read(tmp_path, incidents_csv=f"sep=;\n{HEADER.replace(',', ';')}I1;2026-03-01;{canary}\n")
    assert [record.text for record in extract.records] == [canary]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '"x"', "3", '{"text": "x", "text": "x"}', "[" * 100_000, "9" * 5_000, '{"a": 1e}'],
    ids=["cut", "list", "text", "number", "twice", "deep", "long", "bad"],
)
def test_a_bad_line_of_jsonl_is_a_rejected_row(line: str, tmp_path: Path, canary: str) -> None:
    good = json.dumps({"record_ref": "I1", "opened_at": "2026-03-01", "text": canary})
    extract = read(tmp_path, incidents_jsonl=f"{good}\n\n{line}\n")
    assert [(row.row_number, row.rule) for row in extract.rejects] == [(2, "unreadable_json")]
    assert [record.text for record in extract.records] == [canary]


@pytest.mark.parametrize(
    ("before", "between", "message"),
    [("[", ",\n", "one JSON array"), ("\n [", ", ", "one JSON array"), ("", "\r", "carriage returns")],
)
def test_json_that_is_not_one_object_a_line(
    before: str, between: str, message: str, tmp_path: Path, canary: str
) -> None:
    row = json.dumps({"record_ref": "I1", "opened_at": "2026-03-01", "text": canary})
    content = before + between.join([row, row]) + ("]" if before else "\r")
    with pytest.raises(ExtractError, match=f"{message}(.|\n)*one object per line") as caught:
        read(tmp_path, incidents_jsonl=content)
    assert canary not in str(caught.value)
    assert caught.value.exit_code == 11
    assert len(read(tmp_path, incidents_jsonl=f"\n{row}\r\n").records) == 1


def test_the_cells_of_excel(tmp_path: Path, canary: str) -> None:
    header = ("record_ref", "opened_at", "closed_at", "channel", "area", "text")
    rows = [
        header,
        (117, datetime(2026, 7, 1, 9, 30), 46204.5, 999.0, True, f'=HYPERLINK("{canary}")'),
        (),
        ("I2", date(2026, 1, 5), "2026-01-06", "101", 1.5, f"{canary}_x000D_\n x"),
        ("I3", 0.5, "", "", "", canary),
        ("I4", clock(9, 30), "", "", "", canary),
    ]
    extract = read(tmp_path, incidents_xlsx=workbook(*rows))
    first, second = extract.records
    assert (first.record_ref, first.channel, first.area) == ("117", "999", "true")
    assert first.opened_at == datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
    assert first.closed_at == datetime(2026, 7, 1, 11, tzinfo=UTC)
    assert first.text == f'=HYPERLINK("{canary}")'
    assert second.opened_at == datetime(2026, 1, 5, tzinfo=UTC)
    assert (second.area, second.text) == ("1.5", f"{canary}_x000D_\n x")
    assert [(row.row_number, row.rule) for row in extract.rejects] == [
        (3, "unreadable_time"),
        (4, "unreadable_time"),
    ]


def test_a_cell_of_excel_far_outside_is_named_before_room_is_made_for_it(tmp_path: Path, canary: str) -> None:
    far = io.BytesIO()
    with xlsxwriter.Workbook(far, {"in_memory": True}) as book:
        page = book.add_worksheet("incidents")
        for column, cell in enumerate(("record_ref", "opened_at", "text")):
            page.write(0, column, cell)
        page.write(1_048_575, 16_383, canary)
    assert len(far.getvalue()) < 20_000
    with pytest.raises(ExtractError, match="far outside the table") as caught:
        read(tmp_path, incidents_xlsx=far.getvalue())
    assert "incidents.xlsx" in str(caught.value)
    assert canary not in str(caught.value)


def test_the_sheet_of_the_table_is_read(tmp_path: Path, canary: str) -> None:
    rows = [("record_ref", "opened_at", "text"), ("I1", "2026-03-01", "x" * 32_767)]
    extract = read(tmp_path, incidents_xlsx=workbook(*rows, first="Cover"))
    assert len(extract.records) == 1
    assert any("Excel's limit" in note for note in extract.notes)
    other = workbook(*rows, first="Cover", sheet=canary)
    with pytest.raises(ExtractError, match="without even a header"):
        read(tmp_path, incidents_xlsx=other)
    assert len(read(tmp_path, {"incidents": {"sheet": canary}}).records) == 1
    with pytest.raises(ExtractError, match="no sheet 'Logs'"):
        read(tmp_path, {"incidents": {"sheet": "Logs"}})


def test_the_cells_of_parquet(tmp_path: Path, canary: str) -> None:
    columns = {
        "record_ref": pl.Series([117, None, 3, 4, 5]),
        "opened_at": pl.Series([datetime(2026, 7, 1, 9), datetime(2026, 7, 1), None, None, None]),
        "closed_at": pl.Series([datetime(2026, 7, 2, tzinfo=UTC)] * 5),
        "area": pl.Series(["a", "b", "a", "a", "a"], dtype=pl.Categorical),
        "text": [canary] * 5,
        "team": pl.Series([1.0, 2.5, None, None, None]),
    }
    extract = read(tmp_path, incidents_parquet=parquet(**columns))
    (record,) = extract.records
    assert (record.record_ref, record.area, record.team, record.text) == ("117", "a", "1", canary)
    assert record.opened_at == datetime(2026, 7, 1, 8, tzinfo=UTC)
    assert record.closed_at == datetime(2026, 7, 2, tzinfo=UTC)
    assert [row.rule for row in extract.rejects] == ["missing_reference", *["missing_time"] * 3]


@pytest.mark.parametrize(
    ("opened", "text", "rule"),
    [
        (pl.Series([date(2026, 1, 1)]), pl.Series([b"\xff"]), "not_text"),
        (pl.Series([date(2026, 1, 1)]), pl.Series([["x"]]), "not_text"),
        (pl.Series([2**62]).cast(pl.Datetime("ms")), pl.Series(["x"]), "unreadable_time"),
        (pl.Series([3_000_000]).cast(pl.Date), pl.Series(["x"]), "unreadable_time"),
    ],
    ids=["bytes", "list", "far moment", "far date"],
)
def test_cells_of_parquet_that_are_no_values(
    opened: pl.Series, text: pl.Series, rule: str, tmp_path: Path
) -> None:
    content = parquet(record_ref=["I1"], opened_at=opened, text=text)
    assert [row.rule for row in read(tmp_path, incidents_parquet=content).rejects] == [rule]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx", "parquet"])
def test_an_empty_file_is_an_error(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="0 bytes"):
        read(tmp_path, **{f"incidents_{kind}": b""})


def test_a_table_without_rows(tmp_path: Path) -> None:
    names = {"record_ref": [], "opened_at": [], "text": []}
    for kind, content in {
        "csv": HEADER.encode(),
        "jsonl": b"\n",
        "xlsx": workbook(tuple(names)),
        "parquet": parquet(**names),
    }.items():
        path = tmp_path / kind
        path.mkdir()
        extract = read(path, **{f"incidents_{kind}": content})
        assert (extract.records, extract.counts["incidents"].rows, extract.moments) == ((), 0, ())


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_truncated_file_is_an_error(kind: str, share: float, tmp_path: Path, canary: str) -> None:
    rows = [("record_ref", "opened_at", "text")] + [(f"I{n}", "2026-03-01", canary) for n in range(500)]
    columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    content = workbook(*rows) if kind == "xlsx" else parquet(**columns)
    with pytest.raises(ExtractError, match=r"no readable Excel|Parquet file is damaged") as caught:
        read(tmp_path, **{f"incidents_{kind}": content[: int(len(content) * share)]})
    assert canary not in str(caught.value)


def test_a_parquet_file_that_kills_its_reader_is_an_error(
    tmp_path: Path, canary: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert canary.encode() in DEADLY_PARQUET
    with pytest.raises(ExtractError, match="the Parquet file is damaged") as caught:
        read(tmp_path, incidents_parquet=DEADLY_PARQUET)
    assert caught.value.exit_code == 11
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "looked for incidents, domestic_noncrimes"),
        ({"crimes_csv": "crime_ref,record_ref,recorded_at,offence_code\n"}, "no table of records"),
        ({"incidents_csv": HEADER, "incidents_jsonl": "{}"}, "2 files hold the table incidents"),
        ({"incidents_csv": "record_ref,text\n"}, "no column 'opened_at'; it has: record_ref, text"),
        ({"incidents_csv": "record_ref,text,text,opened_at\n"}, "same name: text"),
        ({"incidents_csv": "\n\r\n"}, "without even a header"),
        ({"incidents_csv": "{c},{c},2026\n"}, "columns of the same name: 1 names, none of them known"),
        ({"incidents_csv": "I1,2026-03-01,{c}\n"}, "it has: 3 names, none of them known"),
        ({"incidents_csv": '"record_ref"x,text\n'}, "header line has a quote"),
        ({"incidents_jsonl": '{"record_ref": "I1", "opened_at": "2026"}'}, "no column 'text'"),
        ({"incidents_parquet": b"PAR1" + b"\0" * 50}, "Parquet file is damaged"),
        ({"incidents_xlsx": b"PK\x03\x04" + b"\0" * 50}, "no readable Excel"),
    ],
)
def test_what_cannot_be_read_as_a_whole(
    files: dict[str, Bytes], message: str, tmp_path: Path, canary: str
) -> None:
    files = {
        name: each.replace("{c}", canary) if isinstance(each, str) else each for name, each in files.items()
    }
    with pytest.raises(ExtractError) as caught:
        read(tmp_path, **files)
    assert message in str(caught.value)
    assert canary not in str(caught.value)


def test_paths_that_are_no_extract(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="cannot be read"):
        read(tmp_path / "absent")
    (tmp_path / "incidents.parquet").mkdir()
    with pytest.raises(ExtractError, match="directory"):
        read(tmp_path)
    (tmp_path / "incidents.parquet").rmdir()
    (tmp_path / "incidents.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(ExtractError, match="a link to a file that is not there"):
        read(tmp_path)
    path = tmp_path / "mapping.toml"
    path.write_text('name = "x"')
    with pytest.raises(UserError, match="is a file"):
        read_extract(path, Settings())
    with pytest.raises(ExtractError, match=r"'Logs.csv', which is not there"):
        read(tmp_path, {"incidents": {"file": "Logs.csv"}})


def test_names_are_harmless_in_messages_and_notes(tmp_path: Path, canary: str) -> None:
    header = "record_ref,opened_at,text,Shift/Team #1,\x1b[31mred," + f"she said: {canary}!\n"
    row = f"I1,2026-03-01,{canary},1,2,3\n"
    (tmp_path / "a\x1b[2J\nb.pdf").write_text("x")
    extract = read(tmp_path, {"incidents": {"file": "\x1b]0;" + "x" * 60}}, **{
        "\x1b]0;" + "x" * 60 + "_csv": header + row
    })  # fmt: skip
    notes = "".join(extract.notes)
    assert notes.isprintable()
    assert "columns not used: Shift/Team #1 and 2 whose name is not shown" in notes
    assert canary not in notes
    (tmp_path / ("\x1b]0;" + "x" * 60 + ".csv")).write_text(header.replace("text,", "text\x1b,") + row)
    with pytest.raises(
        ExtractError, match="no column 'text'; it has: record_ref, opened_at, Shift"
    ) as caught:
        read(tmp_path, {"incidents": {"file": "\x1b]0;" + "x" * 60}})
    assert canary not in str(caught.value)
    assert str(caught.value).replace("\n", "").isprintable()


def test_a_condition_that_matches_no_row_is_said_loudly(tmp_path: Path, canary: str) -> None:
    content = f"kind,{HEADER}LOG,I1,2026-03-01,{canary}\nLOG,I2,2026-03-01,{canary}\n"
    only = {"incidents": {"only": {"column": "kind", "is_one_of": ["logs"]}}}
    notes = read(tmp_path, only, incidents_csv=content).notes
    assert any(note.startswith("WARNING: none of the 2 rows of incidents.csv") for note in notes)
    only["incidents"]["only"]["is_one_of"] = ["log"]
    assert not any(note.startswith("WARNING") for note in read(tmp_path, only).notes)


def test_other_files_and_a_missing_crimes_table_are_noted(tmp_path: Path, canary: str) -> None:
    row = f"I1,2026-03-01,{canary}\n"
    extract = read(tmp_path, incidents_csv=HEADER + row, incident_csv="x", readme_pdf="x", mapping_toml="")
    assert "files that are no table and were not read: incident.csv, readme.pdf" in extract.notes
    assert any(note.startswith("there is no table crimes") for note in extract.notes)


def test_ten_thousand_rows_are_read_in_seconds(tmp_path: Path, canary: str) -> None:
    rows = "".join(f'I{n},2026-03-01T09:00,"{canary}, 22:14 CALL: {n}"\n' for n in range(10_000))
    started = time.process_time()
    extract = read(tmp_path, incidents_csv=HEADER + rows)
    assert len(extract.records) == 10_000
    assert time.process_time() - started < 10
