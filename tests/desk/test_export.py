"""An exported table opens in a spreadsheet program without acting, and looks the same every time."""

from __future__ import annotations

import csv
import io
import unicodedata
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from triage.desk.export import Column, Sheet, guarded, write_sheet
from triage.errors import UsageError

#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True)
SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"
BLANKS = " \u00a0\u3000\u200b\ufeff\u2028\t\r\n\x00\x1b"


def a_sheet(*texts: str) -> Sheet:
    return Sheet(
        title="Queue of run 1",
        marking="OFFICIAL-SENSITIVE",
        as_of=datetime(2026, 10, 14, 3, tzinfo=UTC),
        columns=(Column("position", 9, "Place in the queue."), Column("text", 60, "What the record says.")),
        rows=tuple((number, text) for number, text in enumerate(texts, start=1)),
        notes=(("Run", "1"), ("What it is", "A suggestion for audit, not a finding.")),
    )


@STEADY
@given(st.text(st.sampled_from(BLANKS), max_size=4), st.sampled_from(SIGNS), st.text(max_size=10))
@example("", "=", "cmd|' /C calc'!A0")
def test_a_formula_sign_behind_any_blank_is_guarded(blanks: str, sign: str, rest: str) -> None:
    assert guarded(blanks + sign + rest).startswith("'")


@STEADY
@given(st.text(st.characters(codec=None)))
def test_no_cell_can_begin_a_formula(text: str) -> None:
    cell = guarded(text)
    visible = cell.lstrip(BLANKS)
    assert unicodedata.normalize("NFKC", visible[:1])[:1] not in set("=+-@")
    assert cell[:1] not in {"\t", "\r", "\n"}
    assert len(cell) - len(text) in {0, 1}


@STEADY
@given(st.text(st.characters(categories=("L", "Nd")), min_size=1))
def test_plain_words_stay_as_they_are(text: str) -> None:
    if not unicodedata.normalize("NFKC", text[0]).startswith(tuple("=+-@")):
        assert guarded(text) == text


def test_csv_is_quoted_utf8_with_a_mark_and_windows_line_ends(tmp_path: Path, canary: str) -> None:
    path = tmp_path / "queue.csv"
    write_sheet(a_sheet(f'=1+1 {canary} "quoted"\nnext', "-2"), path)
    raw = path.read_bytes()
    assert raw.startswith(b'\xef\xbb\xbf"position","text"\r\n"1",')
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert rows == [["position", "text"], ["1", f'\'=1+1 {canary} "quoted"\nnext'], ["2", "'-2"]]
    assert raw.endswith(b"\r\n")


def test_a_workbook_reads_back_without_formulas(tmp_path: Path, canary: str) -> None:
    path = tmp_path / "queue.xlsx"
    texts = (f"=HYPERLINK(1) {canary}", "http://example.org", "007", "a\x1bb", "_x000D_", "x" * 40_000)
    write_sheet(a_sheet(*texts), path)
    book = CalamineWorkbook.from_path(str(path))
    rows = book.get_sheet_by_name("Queue").to_python()
    assert rows[0] == ["position", "text"]
    assert [row[1] for row in rows[1:5]] == [f"'{texts[0]}", texts[1], "007", "a␛b"]
    assert len(rows[6][1]) == 32_767
    assert [row[0] for row in rows[1:]] == [1, 2, 3, 4, 5, 6]
    notes = dict(book.get_sheet_by_name("Notes").to_python())
    assert notes["Marking"] == "OFFICIAL-SENSITIVE"
    assert notes["text"] == "What the record says."
    with zipfile.ZipFile(path) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        core = parts.read("docProps/core.xml").decode()
    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet
    assert 'state="frozen"' in sheet
    assert '<autoFilter ref="A1:B7"' in sheet
    assert sheet.count("&amp;COFFICIAL-SENSITIVE") == 2
    assert "<dc:title>Queue of run 1</dc:title>" in core
    assert "2026-10-14T03:00:00Z" in core


@settings(STEADY, max_examples=25)
@given(st.text(st.characters(codec=None), max_size=40))
@example("_x001B_=1")
@example("\ud800\ufffe\uffff")
def test_any_text_makes_a_workbook_that_opens(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("book") / "queue.xlsx"
    write_sheet(a_sheet(text), path)
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Queue").to_python()
    assert rows[1][1] == guarded(text)


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_the_same_table_gives_the_same_bytes_for_its_owner_only(tmp_path: Path, ending: str) -> None:
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    for path in (first, second):
        write_sheet(a_sheet("zebra quorum marmalade"), path)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == [first.name, second.name]


@pytest.mark.parametrize("name", ["queue.txt", "queue", "absent/queue.csv", "folder.csv"])
def test_a_target_that_cannot_be_is_named_before_anything_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError):
        write_sheet(a_sheet("zebra quorum marmalade"), tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["folder.csv"]
