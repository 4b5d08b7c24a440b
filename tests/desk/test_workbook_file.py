"""A file that somebody hands in: what is no workbook is refused plainly, and none can exhaust the machine."""

from __future__ import annotations

import io
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from tests.desk.conftest import AS_OF
from tests.desk.workbooks import (
    FIRST_QUESTION,
    NO_CRIME,
    Grids,
    answered,
    bring_back,
    cells_of,
    changed,
    kinds,
    later,
    take_away,
)
from triage.desk.workbook import Exported
from triage.desk.workbook_file import UNPACKED_TIMES, WorkbookError, read_sheets
from triage.desk.workbook_sheet import DECISIONS, KEYS
from triage.settings import Settings
from triage.store import Store

AT = later(AS_OF, hours=5)
SHEET = "xl/worksheets/sheet1.xml"
CELL = '<c r="{}"><v>1</v></c>'


@pytest.fixture
def force(tmp_path: Path) -> Settings:
    """The settings of a force whose files lie in the test's own folder."""
    return Settings(data_dir=tmp_path / "var")


@pytest.fixture
def away(published_file: Store, force: Settings, tmp_path: Path) -> Exported:
    """A workbook of three items that an auditor took away."""
    return take_away(published_file, force, tmp_path, AT)


def small(*cells: tuple[str, str]) -> bytes:
    """A workbook with one sheet of these cells by place."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet("A")
        for place, text in (("A1", "heading"), ("A2", "cell"), *cells):
            sheet.write_string(place, text)
    return content.getvalue()


def with_part(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same zip file with one part changed, or added."""
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as parts,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in parts.infolist():
            content = parts.read(part)
            new.writestr(part.filename, change(content) if part.filename == name else content)
        if name not in parts.namelist():
            new.writestr(name, change(b""))
    return written.getvalue()


def read(data: bytes, bytes_max: int = 1_000_000) -> dict[int, dict[str, object]]:
    return {number: dict(row) for number, row in read_sheets(data, ["A"], bytes_max=bytes_max)["A"].rows}


def test_a_plain_workbook_is_read() -> None:
    assert read(small()) == {2: {"heading": "cell"}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"zebra,quorum\r\nmarmalade,1\r\n",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000,
        small()[:-200],
        small()[200:],
        with_part(small(), "xl/workbook.xml", lambda content: content[:-30]),
        with_part(small(), SHEET, lambda content: content.replace(b"<c ", b"<c <")),
        with_part(small(), SHEET, lambda content: content.decode().encode("utf-16")),
        with_part(small(), SHEET, lambda content: content.replace(b"UTF-8", b"latin-1")),
        with_part(
            small(), SHEET, lambda content: content.replace(b"<worksheet", b"<!DOCTYPE a []><worksheet")
        ),
        with_part(small(), SHEET, lambda content: content.replace(b'r="A2"', b'r="A-2"')),
    ],
    ids=["empty", "csv", "with a password", "cut", "headless", "cut part", "no XML", *"wxyz"],
)
def test_what_is_no_workbook_is_refused_plainly(data: bytes) -> None:
    with pytest.raises(WorkbookError, match="no readable") as error:
        read(data)
    assert error.value.http_status == 422
    assert not re.search("zebra|quorum", str(error.value))


def test_a_document_of_another_kind_is_refused() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as parts:
        parts.writestr("word/document.xml", "<document/>")
    with pytest.raises(WorkbookError, match="no readable"):
        read(content.getvalue())


def test_two_parts_of_one_name_are_refused() -> None:
    data = io.BytesIO(small())
    with zipfile.ZipFile(data, "a") as parts, pytest.warns(UserWarning, match="Duplicate name"):
        parts.writestr(SHEET, "<worksheet/>")
    with pytest.raises(WorkbookError, match="no readable"):
        read(data.getvalue())


def test_a_file_over_the_limit_is_refused() -> None:
    data = small()
    assert read(data, len(data))
    with pytest.raises(WorkbookError, match="larger than"):
        read(data, len(data) - 1)


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    data = with_part(small(), "xl/media/image1.xml", lambda _: b" " * 2_000_000)
    assert len(data) < 20_000
    with pytest.raises(WorkbookError, match="unpacks to more"):
        read(data, 2_000_000 // UNPACKED_TIMES)


def test_of_a_part_that_lies_about_its_size_no_more_is_unpacked_than_it_says() -> None:
    data = with_part(small(), "xl/media.xml", lambda _: b" " * 50_000_000)
    size = (50_000_000).to_bytes(4, "little")
    assert data.count(size) == 2
    told = data.replace(size, (100).to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with pytest.raises(WorkbookError, match="no readable"):
            read(told, 100_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_parts_packed_in_another_way_are_refused(way: int) -> None:
    data = io.BytesIO(small())
    with zipfile.ZipFile(data, "a", way) as parts:
        parts.writestr("xl/media.xml", "<a/>")
    with pytest.raises(WorkbookError, match="no readable"):
        read(data.getvalue())


@pytest.mark.parametrize(
    "cells",
    [
        CELL.format("XFD1048576"),
        CELL.format("A1048576"),
        CELL.format("xfd2"),
        CELL.format("ALL100000"),
        '</row><row r="1048575"></row><row><c><v>1</v></c>',
        "<c><v>1</v></c>" * 1_100,
        '<x:c xmlns:x="a" r="XFD1048576"><x:v>1</x:v></x:c>',
        '<c r="&#88;FD1048576" t="inlineStr"><is><t>a</t></is></c>',
    ],
    ids=["corner", "down", "right", "both", "rows", "columns", "prefix", "character"],
)
def test_a_cell_far_outside_is_refused_before_room_is_made_for_it(cells: str) -> None:
    data = with_part(
        small(), SHEET, lambda content: content.replace(b"</row></sheetD", f"{cells}</row></sheetD".encode())
    )
    assert len(data) < 20_000
    with pytest.raises(WorkbookError, match="far outside"):
        read(data)


def test_an_empty_cell_far_outside_does_no_harm() -> None:
    far = b'<c r="XFD2" s="0"/></row><row r="1048576"><c r="A1048576" s="0"/></row></sheetD'
    data = with_part(small(), SHEET, lambda content: content.replace(b"</row></sheetD", far))
    assert read(data) == {2: {"heading": "cell"}}


def test_a_file_with_macros_is_refused() -> None:
    with pytest.raises(WorkbookError, match="macros"):
        read(with_part(small(), "xl/vbaProject.bin", lambda _: b"\xd0\xcf\x11\xe0"))


def test_a_heading_twice_is_refused() -> None:
    with pytest.raises(WorkbookError, match="same heading"):
        read(small(("C1", " heading")))


def test_of_a_formula_only_the_stored_result_counts(
    published_file: Store, force: Settings, away: Exported
) -> None:
    back = answered(away.path, cells_of(NO_CRIME))
    row = re.compile(rb'(<c r="[A-Z]+2")[^>]*><v>\d+</v></c>')

    def change(content: bytes) -> bytes:
        cells = list(row.finditer(content))
        # The first question is the first cell that only the auditor has filled in: the eleventh.
        at = cells[10]
        formula = at[1] + b""" t="str"><f>WEBSERVICE("http://localhost/")</f><v>Cannot say</v></c>"""
        return content[: at.start()] + formula + content[at.end() :]

    back.write_bytes(with_part(back.read_bytes(), SHEET, change))
    assert kinds(bring_back(published_file, force, back, AT)) == ["taken", "empty", "empty"]
    (decided,) = published_file.decisions_of("an.auditor")
    assert decided.outcome is not None
    assert decided.outcome.disclosed == "cannot_say"


def without(sheet: str) -> Callable[[Grids], None]:
    def change(grids: Grids) -> None:
        del grids[sheet]

    return change


def empty(sheet: str) -> Callable[[Grids], None]:
    def change(grids: Grids) -> None:
        grids[sheet] = [[""]]

    return change


def renamed(sheet: str, heading: str) -> Callable[[Grids], None]:
    def change(grids: Grids) -> None:
        at = grids[sheet][0].index(heading)
        grids[sheet][0][at] = "zebra quorum marmalade"

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without(DECISIONS), "the sheet Decisions is missing"),
        (without(KEYS), "the sheet Keys is missing"),
        (empty(DECISIONS), "the sheet Decisions is empty"),
        (empty(KEYS), "the sheet Keys is empty"),
        (renamed(DECISIONS, FIRST_QUESTION), "1 columns of the sheet Decisions are missing"),
        (renamed(DECISIONS, "text"), "1 columns of the sheet Decisions are missing"),
        (renamed(KEYS, "hash"), "the sheet Keys has no column hash"),
        (renamed(KEYS, "opened"), "1 columns of the sheet Decisions are missing"),
    ],
)
def test_a_workbook_that_lacks_something_is_refused_whole(
    published_file: Store, force: Settings, away: Exported, change: Callable[[Grids], None], said: str
) -> None:
    events = published_file.events()

    def both(grids: Grids) -> None:
        grids[DECISIONS][1][10] = "No"
        change(grids)

    with pytest.raises(WorkbookError, match=said) as error:
        bring_back(published_file, force, changed(away.path, both), AT)
    assert "marmalade" not in str(error.value)
    assert published_file.events() == events
