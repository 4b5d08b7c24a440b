"""``triage workbook``: out, filled in, back; from the command line, as a person would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.desk.conftest import RUN_ID
from tests.desk.workbooks import FIRST_QUESTION, NO_CRIME, answered, cells_of, changed, put
from triage.review.outcomes import Outcome
from triage.store import Store

AWAY = "away OFFICIAL-SENSITIVE.xlsx"
Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """The night of the tests is still the queue, whatever the day."""
    monkeypatch.setenv("TRIAGE_CARRY_OVER_DAYS", "3660")
    monkeypatch.setenv("TRIAGE_SECOND_REVIEW_SHARE", "0")


def test_out_and_back(published_file: Store, triage: Command, tmp_path: Path, canary: str) -> None:
    out = triage("workbook", "export", "away.xlsx", "--run", RUN_ID, "--limit", "2")
    assert out.exit_code == 0, out.output
    assert out.stdout == f"{AWAY}\n"
    assert out.stderr.startswith(f"2 items of run {RUN_ID}, held for an.auditor until ")
    back = answered(tmp_path / AWAY, cells_of(Outcome("cannot_say")), cells_of(NO_CRIME))
    checked = triage("workbook", "import", str(back), "--check")
    assert (checked.exit_code, checked.stderr) == (
        0,
        "2 taken, 0 already taken, 0 empty; only checked, nothing was written\n",
    )
    taken = triage("workbook", "import", str(back))
    assert (taken.exit_code, taken.stderr) == (0, "2 taken, 0 already taken, 0 empty\n")
    assert triage("workbook", "import", str(back)).stderr.endswith("nothing was changed\n")
    assert len(published_file.decisions_of("an.auditor")) == 2
    assert canary not in out.output + checked.output + taken.output


def test_refused_rows_are_listed_and_the_command_says_so(
    published_file: Store, triage: Command, tmp_path: Path, canary: str
) -> None:
    triage("workbook", "export", "away.xlsx")
    back = changed(
        tmp_path / AWAY,
        lambda grids: [
            put(grids, 1, cells_of(NO_CRIME)),
            put(grids, 2, {FIRST_QUESTION: "No", "why it is here": canary}),
            put(grids, 3, {"Notes": canary}),
        ],
    )
    done = triage("workbook", "import", str(back))
    assert done.exit_code == 2
    assert "2 rows refused" in done.stdout
    assert "=XX-2" in done.stdout
    assert "why it is here: a locked cell was changed" in done.stdout
    assert f"{FIRST_QUESTION}: it is not answered" in done.stdout
    assert "1 taken, 0 already taken, 0 empty, 1 edited, 1 not valid" in done.stderr
    assert canary not in done.output
    assert len(published_file.decisions_of("an.auditor")) == 1


def test_only_mine(published_file: Store, triage: Command, tmp_path: Path) -> None:
    assert triage("workbook", "export", "away.xlsx", "--mine").exit_code == 2
    assert not list(tmp_path.glob("*.xlsx"))
    triage("workbook", "export", "away.xlsx", "--limit", "1")
    assert "1 items" in triage("workbook", "export", "b.xlsx", "--mine").stderr
    assert triage("workbook", "export", "c.xlsx", "--mine", "--actor", "a.colleague").exit_code == 2


def test_a_force_with_roles_gives_them_by_name(published_file: Store, triage: Command) -> None:
    members = json.dumps({"auditor": ["an.auditor", "auditors"], "viewer": ["a.viewer"]})
    env = {"TRIAGE_ACCESS_MODE": "proxy", "TRIAGE_ROLE_MEMBERS": members}
    denied = triage("workbook", "export", "away.xlsx", "--actor", "a.viewer", **env)
    assert denied.exit_code == 14
    assert "export queue is for auditor and registrar" in denied.stderr
    # Groups cannot be known here: a name that is a group's is nobody's.
    assert triage("workbook", "export", "away.xlsx", **env).exit_code == 0
    assert triage("workbook", "import", AWAY, "--actor", "a.viewer", **env).exit_code == 14


@pytest.mark.parametrize("name", ["absent.xlsx", "."])
def test_a_file_that_is_not_there_is_said_to_be_so(published_file: Store, triage: Command, name: str) -> None:
    done = triage("workbook", "import", name)
    assert done.exit_code == 2
    assert "the workbook cannot be read" in done.stderr


def test_a_large_file_is_not_read_whole(published_file: Store, triage: Command, tmp_path: Path) -> None:
    with (tmp_path / "large.xlsx").open("wb") as file:
        file.truncate(10**12)
    done = triage("workbook", "import", "large.xlsx", TRIAGE_UPLOAD_BYTES_MAX="1000")
    assert done.exit_code == 2
    assert "larger than 1,000 bytes" in done.stderr
