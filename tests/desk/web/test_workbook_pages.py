"""The workbook page over HTTP: take items away, bring them back, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from tests.desk.web.conftest import Site
from tests.desk.workbooks import FIRST_QUESTION, NO_CRIME, answered, cells_of, changed, put, read
from triage.desk.workbook_sheet import DECISIONS

CANARY = "zebra quorum marmalade"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def take(browser: httpx.Client, folder: Path, **fields: str) -> Path:
    """Download a workbook into a folder."""
    answer = browser.post("/workbook/export", data=fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == TYPE
    named = re.fullmatch(r"attachment; filename\*=UTF-8''(\S+)", answer.headers["content-disposition"])
    assert named is not None
    assert answer.headers["cache-control"] == "no-store"
    path = folder / unquote(named[1])
    path.write_bytes(answer.content)
    return path


def give(browser: httpx.Client, path: Path, **fields: str) -> httpx.Response:
    """Upload a workbook."""
    with path.open("rb") as file:
        return browser.post("/workbook/import", data=fields, files={"file": (path.name, file, TYPE)})


def test_out_and_back(site: Site, tmp_path: Path) -> None:
    with site.client("a.auditor") as browser:
        page = browser.get("/workbook")
        assert page.status_code == 200
        assert "yours for 72 hours" in " ".join(page.text.replace("\n", " ").split())
        away = take(browser, tmp_path, limit="2")
        assert away.name == "audit 2026-03-01 0830 OFFICIAL-SENSITIVE.xlsx"
        assert len(read(away)[DECISIONS]) == 3
        back = answered(away, cells_of(NO_CRIME))
        checked = give(browser, back, check="1")
        assert "Checked, nothing was written" in checked.text
        assert site.store.decisions_of("a.auditor") == ()
        taken = give(browser, back)
        assert taken.status_code == 200
        assert "1 taken, 0 already taken, 1 empty" in taken.text
        assert "run-1/L-1" in taken.text
        again = give(browser, back)
        assert again.status_code == 200
        assert "0 taken, 1 already taken, 1 empty; nothing was changed" in again.text
    assert len(site.store.decisions_of("a.auditor")) == 1
    actions = [each.event.action for each in site.store.events()]
    assert actions == ["collection", "alteration", "alteration", "disclosure", "alteration"]


def test_a_refused_row_is_shown_with_its_reason_and_no_text(site: Site, tmp_path: Path) -> None:
    with site.client("a.auditor") as browser:
        away = take(browser, tmp_path, limit="")
        back = changed(
            away,
            lambda grids: [
                put(grids, 1, {FIRST_QUESTION: "No", "reference": f"<script>{CANARY}</script>"}),
                put(grids, 2, {FIRST_QUESTION: CANARY}),
            ],
        )
        answer = give(browser, back)
        assert answer.status_code == 422
        assert "refused: edited" in answer.text
        assert "reference: a locked cell was changed" in answer.text
        assert "refused: not valid" in answer.text
        assert "<title>Error: Workbook" in answer.text
        assert "marmalade" not in answer.text
    assert site.store.decisions_of("a.auditor") == ()


def test_a_double_click_gives_two_files_that_are_both_good(site: Site, tmp_path: Path) -> None:
    with site.client("a.auditor") as browser:
        first, second = (take(browser, tmp_path).rename(tmp_path / name) for name in ("a.xlsx", "b.xlsx"))
        for path, row in ((first, 1), (second, 2)):
            back = answered(path, *([{}] * (row - 1)), cells_of(NO_CRIME), name=f"back {path.name}")
            assert "1 taken" in give(browser, back).text


def test_colleagues_get_no_item_twice(site: Site, tmp_path: Path) -> None:
    with site.client("a.auditor") as browser:
        take(browser, tmp_path)
        assert browser.post("/workbook/export", data={"mine": "1"}).status_code == 200
    with site.client("a.registrar") as browser:
        answer = browser.post("/workbook/export")
        assert answer.status_code == 409
        assert "No item of this queue is free for you" in answer.text


@pytest.mark.parametrize("limit", ["0", "-1", "x", "99999", "２"])
def test_a_number_that_is_none_is_refused(site: Site, limit: str) -> None:
    with site.client("a.auditor") as browser:
        assert browser.post("/workbook/export", data={"limit": limit}).status_code == 400
    assert len(site.store.events()) == 1


def test_what_is_no_workbook_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(CANARY.encode())
    with site.client("a.auditor") as browser:
        answer = give(browser, tmp_path / "a.xlsx")
        assert answer.status_code == 422
        assert "no readable .xlsx workbook" in answer.text
        assert "marmalade" not in answer.text
        assert browser.post("/workbook/import", data={"file": "text"}).status_code == 422
        assert browser.post("/workbook/import").status_code == 422


def test_a_file_over_the_limit_is_refused(open_site: Callable[..., Site], tmp_path: Path) -> None:
    site = open_site(upload_bytes_max=5_000)
    (tmp_path / "a.xlsx").write_bytes(b"x" * 5_001)
    with site.client("a.auditor") as browser:
        assert give(browser, tmp_path / "a.xlsx").status_code == 413


@pytest.mark.parametrize("name", ["a.viewer", "a.administrator"])
def test_who_may_not_decide_takes_nothing_away(site: Site, tmp_path: Path, name: str) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"")
    with site.client(name) as browser:
        assert browser.get("/workbook").status_code == 403
        assert browser.post("/workbook/export").status_code == 403
        assert give(browser, tmp_path / "a.xlsx").status_code == 403
