"""The table of groups: what is taken, and what would tell of single people or break what it is put into."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.desk.groups_file import matched, read_groups
from triage.errors import UsageError


def write(folder: Path, content: str) -> Path:
    path = folder / "groups.csv"
    path.write_text(content, encoding="utf-8")
    return path


def test_references_are_compared_as_linking_compares_them(tmp_path: Path) -> None:
    groups = read_groups(write(tmp_path, 'record_ref,area\n" xx-1",North  End\nXX-2,\n'))
    assert groups == {"area": {"xx-1": "North End", "xx-2": ""}}
    assert matched(groups, ["XX-1", "XX-9"]) == "groups: 1 of 2 queued records have a row"
    with pytest.raises(UsageError, match="none of the 1 queued records"):
        matched(groups, ["YY-1"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("record_ref,source\nA,x\n", "column twice, or one of the name"),
        ("record_ref,area,area\nA,x,y\n", "column twice, or one of the name"),
        ('record_ref,"area\nof old"\nA,x\n', "line breaks"),
        (f"record_ref,{'a' * 61}\nA,x\n", "too long"),
        ("record_ref,area\nA,all\n", "not given"),
        ("record_ref,area\nA,\x1b[31mred\n", "cannot be printed"),
        ("record_ref,area\nA,x\n a,y\n", "one twice"),
    ],
)
def test_what_is_no_table_of_groups(content: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        read_groups(write(tmp_path, content))
    assert "red" not in str(caught.value)


def test_a_column_that_divides_another_is_refused(tmp_path: Path) -> None:
    rows = [f"R-{at},{'NS'[at % 2]},{'NS'[at % 2]}{at % 3},{at % 5}" for at in range(60)]
    with pytest.raises(UsageError, match=r"\(beat, area\)"):
        read_groups(write(tmp_path, "\n".join(["record_ref,area,beat,age", *rows])))
    across = [f"R-{at},{'NS'[at % 2]},{at % 5}" for at in range(60)]
    assert set(read_groups(write(tmp_path, "\n".join(["record_ref,area,age", *across])))) == {"area", "age"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_groups(tmp_path / "nowhere.csv")
