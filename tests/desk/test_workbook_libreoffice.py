"""A workbook that LibreOffice saved is taken as the one that was written."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from datetime import date
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from tests.desk.workbooks import NO_CRIME, bring_back, cells_of, kinds, later, read, take_away
from tests.store.nights import FIRST_NIGHT, event, night
from triage.desk.workbook import Exported
from triage.desk.workbook_sheet import DECISIONS, KEYS, NOTES
from triage.review.outcomes import FoundCrime, Outcome
from triage.settings import Settings
from triage.store import Store, open_store

AT = later(FIRST_NIGHT, hours=2)
SHEET = "xl/worksheets/sheet1.xml"
CRIME = Outcome(
    "yes",
    (
        FoundCrime("rape", values={"victim_number": "2", "offence_date": "2025-12-31", "historic": "yes"}),
        FoundCrime("violence_with_injury", values={"offence_code": "8/06", "victim_number": "1"}),
    ),
    {"reason_not_recorded": "R10", "recorded_elsewhere": "007", "notes": "=1+1 zebra\nquorum\té 🦓"},
)
#: What a stranger might have put into a record, and what programs write in their own ways.
WORDS = (
    "=cmd|' /C calc'!A0\n+1\n-1\n@SUM(1)\n\ttab\r=2 _x000D_ _x0041_ \x1b[31m é\u200d 🦓\u00a0 <b>&amp;\n" * 40
)
pytestmark = pytest.mark.skipif(
    shutil.which("soffice") is None, reason="LibreOffice (soffice) is not on this machine"
)


def typed(path: Path, name: str, *rows: dict[str, Any]) -> Path:
    """Save the workbook itself with cells filled in, its formats, lists and locks as they are."""
    headings = read(path)[DECISIONS][0]
    out = path.with_name(name)
    with zipfile.ZipFile(path) as parts, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in parts.infolist():
            content = parts.read(part)
            if part.filename == SHEET:
                content = _filled(content.decode(), headings, rows).encode()
            new.writestr(part.filename, content)
    return out


def _filled(sheet: str, headings: list[Any], rows: tuple[dict[str, Any], ...]) -> str:
    for number, cells in enumerate(rows, start=2):
        places = re.findall(rf'<c r="([A-Z]+{number})" s="\d+"', sheet)
        for heading, cell in cells.items():
            place = places[headings.index(heading)]
            if isinstance(cell, date):
                cell = (cell - date(1899, 12, 30)).days
            if cell == "":
                continue
            inside = (
                f' t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
                if isinstance(cell, str)
                else f"><v>{cell}</v></c>"
            )
            empty = re.compile(rf'(<c r="{place}" s="\d+")/>')
            assert empty.search(sheet), heading
            sheet = empty.sub(lambda found, inside=inside: found[1] + inside, sheet)
    return sheet


def saved_by_libreoffice(path: Path, folder: Path) -> Path:
    folder.mkdir()
    done = subprocess.run(
        [
            "soffice",
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--headless",
            "--convert-to",
            "xlsx:Calc MS Excel 2007 XML",
            "--outdir",
            str(folder),
            str(path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    saved = folder / path.name
    assert saved.is_file(), done.stderr
    return saved


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a force."""
    return Settings(data_dir=tmp_path_factory.mktemp("force"))


def test_what_libreoffice_saved_is_taken_as_it_was_meant(force: Settings, tmp_path: Path) -> None:
    with open_store(force.store_url) as store:
        store.prepare()
        store.publish(night(items=4, words=WORDS), event())
        made = take_away(store, force, tmp_path, AT)
        answers = typed(made.path, "answers.xlsx", cells_of(CRIME), cells_of(NO_CRIME))
        back = saved_by_libreoffice(answers, tmp_path / "saved")
        _nothing_but_answers_changed(made, back)
        assert kinds(bring_back(store, force, back, AT)) == ["taken", "taken", "empty", "empty"]
        assert _decided(store) == [CRIME, NO_CRIME]
        assert kinds(bring_back(store, force, back, AT)) == ["already taken"] * 2 + ["empty"] * 2
        # What LibreOffice saved is still a workbook to fill in: lists, locks and marking stand.
        with zipfile.ZipFile(back) as parts:
            sheet = parts.read(SHEET).decode()
            assert '<sheetProtection sheet="true"' in sheet
            assert sheet.count("<dataValidation ") >= 20
            assert "OFFICIAL-SENSITIVE" in sheet
        again = saved_by_libreoffice(typed(back, "later.xlsx"), tmp_path / "again")
        assert kinds(bring_back(store, force, again, AT)) == ["already taken"] * 2 + ["empty"] * 2


def _nothing_but_answers_changed(made: Exported, back: Path) -> None:
    before, after = read(made.path), read(back)
    locked = len(before[KEYS][0]) - 4
    assert [row[:locked] for row in before[DECISIONS]] == [row[:locked] for row in after[DECISIONS]]
    assert before[KEYS] == after[KEYS]
    assert before[NOTES] == after[NOTES]


def _decided(store: Store) -> list[Outcome | None]:
    events = [event for row in store.queue() for event in store.history(row.item.item_id)]
    return [each.outcome for each in events if each.act == "decide"]
