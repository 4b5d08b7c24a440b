"""What makes a row a record, a crime or a rejected row."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from triage.errors import ExtractError
from triage.reading import (
    RULES,
    Extract,
    Mapping,
    check_rejected_share,
    read_extract,
    split_entries,
    write_rejects,
)
from triage.settings import Settings

Reading = Callable[..., Extract]
REFERENCE = {"crimes": "crime_ref"}
GOOD: dict[str, dict[str, Any]] = {
    "incidents": {"record_ref": "I1", "opened_at": "2026-03-01T09:00", "text": "."},
    "domestic_noncrimes": {"record_ref": "D1", "opened_at": "2026-03-01T09:00", "text": "."},
    "assessments": {"record_ref": "A1", "completed_at": "2026-03-01", "form_version": "dara"},
    "referrals": {"record_ref": "R1", "received_at": "2026-03-01 09:00:00Z", "text": "."},
    "cancelled_crimes": {"record_ref": "C1", "cancelled_at": "2026-03-01", "text": "."},
    "crimes": {"crime_ref": "X1", "record_ref": "I1", "recorded_at": "2026-03-01", "offence_code": "rape"},
}


@pytest.fixture
def reading(tmp_path: Path, canary: str) -> Reading:
    """Write rows as JSONL, beside one good incident, and read them."""

    def read(table: str, *rows: dict[str, Any], mapping: Mapping | None = None) -> Extract:
        tables = {"incidents": [GOOD["incidents"]]} | {table: list(rows)}
        for name, content in tables.items():
            lines = [json.dumps(row).replace('"."', json.dumps(canary)) + "\n" for row in content]
            (tmp_path / f"{name}.jsonl").write_text("".join(lines) or "\n")
        return read_extract(tmp_path, Settings(), mapping=mapping)

    return read


def good(table: str, **changes: Any) -> dict[str, Any]:
    return GOOD[table] | changes


@pytest.mark.parametrize("table", GOOD)
def test_a_good_row_is_accepted(table: str, reading: Reading) -> None:
    extract = reading(table, good(table))
    assert extract.rejects == ()
    assert extract.counts[table].accepted == 1


@pytest.mark.parametrize(
    ("table", "changes", "faults"),
    [
        ("incidents", {"record_ref": " "}, [("record_ref", "missing_reference")]),
        ("incidents", {"record_ref": "TBC"}, [("record_ref", "missing_reference")]),
        ("incidents", {"record_ref": "I" * 65}, [("record_ref", "unreadable_reference")]),
        ("incidents", {"record_ref": "I\n1"}, [("record_ref", "unreadable_reference")]),
        ("incidents", {"record_ref": "I\u202e1"}, [("record_ref", "unreadable_reference")]),
        ("incidents", {"record_ref": "I\ud800"}, [("record_ref", "unreadable_reference")]),
        ("incidents", {"record_ref": ["I1"]}, [("record_ref", "not_text")]),
        ("incidents", {"text": {"a": 1}}, [("text", "not_text")]),
        ("incidents", {"opened_at": None}, [("opened_at", "missing_time")]),
        ("incidents", {"opened_at": "yesterday"}, [("opened_at", "unreadable_time")]),
        ("incidents", {"opened_at": "2026-02-30"}, [("opened_at", "unreadable_time")]),
        ("incidents", {"opened_at": "1899-12-31"}, [("opened_at", "unreadable_time")]),
        ("incidents", {"opened_at": "2201-01-01"}, [("opened_at", "unreadable_time")]),
        ("incidents", {"opened_at": 1772355600}, [("opened_at", "unreadable_time")]),
        ("incidents", {"closed_at": "2026-03-01T08:59"}, [("closed_at", "closed_before_opened")]),
        ("incidents", {"closed_at": "soon"}, [("closed_at", "unreadable_time")]),
        ("domestic_noncrimes", {"incident_ref": "\x07"}, [("incident_ref", "unreadable_reference")]),
        ("assessments", {"q3": "Yes"}, [("q3", "wrong_answer_value")]),
        ("assessments", {"q3": ["Y"]}, [("q3", "wrong_answer_value")]),
        ("assessments", {"form_version": "dash"}, [("form_version", "unknown_form_version")]),
        (
            "assessments",
            {"form_version": "dash-safelives-24", "q24": "Y", "q25": "N"},
            [("q25", "answer_not_on_form")],
        ),
        ("crimes", {"status": "open"}, [("status", "unknown_status")]),
        ("crimes", {"offence_code": ""}, [("offence_code", "missing_offence_code")]),
        ("crimes", {"record_ref": None}, [("record_ref", "missing_reference")]),
        (
            "assessments",
            {"record_ref": "", "completed_at": "x", "form_version": "", "q1": "?", "q27": "7"},
            [
                ("completed_at", "unreadable_time"),
                ("form_version", "unknown_form_version"),
                ("q1", "wrong_answer_value"),
                ("q27", "wrong_answer_value"),
                ("record_ref", "missing_reference"),
            ],
        ),
    ],
)
def test_a_bad_row_is_rejected_with_all_its_faults(
    table: str, changes: dict[str, Any], faults: list[tuple[str, str]], reading: Reading
) -> None:
    extract = reading(
        table,
        good(table) | {REFERENCE.get(table, "record_ref"): "OK"},
        good(table, **changes),
        mapping=Mapping(placeholder_refs=("tbc",)),
    )
    assert [(row.column, row.rule) for row in extract.rejects] == faults
    assert {(row.file, row.table, row.row_number) for row in extract.rejects} == {
        (f"{table}.jsonl", table, 2)
    }
    count = extract.counts[table]
    assert (count.rows, count.accepted, count.rejected) == (2, 1, 1)


@pytest.mark.parametrize("table", GOOD)
def test_an_object_without_the_keys_is_rejected(table: str, reading: Reading) -> None:
    extract = reading(table, {})
    assert extract.counts[table].rejected == 1
    assert {row.rule for row in extract.rejects} <= set(RULES)


def test_the_earliest_of_a_reference_stays_whatever_the_order(reading: Reading) -> None:
    rows = [good("referrals", received_at=f"2026-03-0{day}", agency=f"a{day}") for day in (2, 1, 3)]
    there, back = reading("referrals", *rows), reading("referrals", *reversed(rows))
    for extract in (there, back):
        assert [record.agency for record in extract.records if record.source == "referrals"] == ["a1"]
        assert [row.rule for row in extract.rejects] == ["duplicate_reference"] * 2
    assert there.records == back.records
    assert there.digest == back.digest


def test_a_rejected_row_does_not_make_a_good_one_a_duplicate(reading: Reading) -> None:
    extract = reading("referrals", good("referrals", received_at="x"), good("referrals"))
    assert extract.counts["referrals"].accepted == 1
    assert [row.rule for row in extract.rejects] == ["unreadable_time"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-01-10T09:05", datetime(2026, 1, 10, 9, 5, tzinfo=UTC)),
        ("2026-07-10 09:05:30", datetime(2026, 7, 10, 8, 5, 30, tzinfo=UTC)),
        ("2026-07-10T09:05:30+05:30", datetime(2026, 7, 10, 3, 35, 30, tzinfo=UTC)),
        ("2026-07-10T09:05Z", datetime(2026, 7, 10, 9, 5, tzinfo=UTC)),
        ("2026-07-10", datetime(2026, 7, 9, 23, 0, tzinfo=UTC)),
        ("2026-03-29T01:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("2026-10-25T01:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("7/10/26  9:05PM", datetime(2026, 7, 10, 20, 5, tzinfo=UTC)),
        ("20261110", datetime(2026, 10, 10, 23, 0, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_the_zone_of_the_force(cell: str, expected: datetime, reading: Reading) -> None:
    formats = ["%m/%d/%y %I:%M %p", "%m/%d/%y %I:%M%p", "%Y%d%m"]
    mapping = Mapping.model_validate({"referrals": {"time_formats": formats}})
    extract = reading("referrals", good("referrals", received_at=cell), mapping=mapping)
    record = next(record for record in extract.records if record.source == "referrals")
    assert record.opened_at == expected
    assert record.closed_at == expected
    assert record.opened_at.tzinfo is UTC


@pytest.mark.parametrize("table", ["incidents", "domestic_noncrimes"])
@pytest.mark.parametrize(
    ("opened", "closed", "expected"),
    [
        ("2026-10-25T01:50", "2026-10-25T01:10", ("00:50", "01:10")),
        ("2026-10-25T01:50Z", "2026-10-25T01:55", ("01:50", "01:55")),
        ("2026-10-25T01:10", "2026-10-25T01:50", ("00:10", "00:50")),
        ("2026-03-29T01:30", "2026-03-29T02:10", ("00:30", "01:10")),
        ("2026-03-29T01:30", "2026-03-29T02:10+01:00", ("00:30", "01:10")),
        ("2026-03-29T01:30", "2026-03-29T02:40", ("01:30", "01:40")),
        ("2026-03-29T01:50", "2026-03-29T01:10", None),
        ("2026-03-29T01:30", "2026-03-29T00:50", None),
        ("2026-10-25T01:50", "2026-10-25T01:10+01:00", None),
        ("2026-10-25T01:50", "2026-10-25T00:50", None),
        ("2026-10-24T01:50", "2026-10-24T01:10", None),
    ],
)
def test_the_nights_in_which_clocks_change(
    table: str, opened: str, closed: str, expected: tuple[str, str] | None, reading: Reading
) -> None:
    row = good(table, record_ref="N1", opened_at=opened, closed_at=closed)
    extract = reading(table, good(table), row)
    found = [record for record in extract.records if record.record_ref == "N1"]
    if expected is None:
        assert [each.rule for each in extract.rejects] == ["closed_before_opened"]
    else:
        assert found[0].closed_at is not None
        assert tuple(f"{each:%H:%M}" for each in (found[0].opened_at, found[0].closed_at)) == expected


def test_a_form_becomes_answers_by_number(reading: Reading, canary: str) -> None:
    row = good("assessments", q1="y", q2="", q10=" nk ", q27="N", text=canary, grade=" High ", stranger="x")
    extract = reading("assessments", row)
    record = next(record for record in extract.records if record.source == "assessments")
    assert record.answers == {1: "Y", 10: "NK", 27: "N"}
    assert (record.grade, record.text) == ("High", canary)
    assert "assessments.jsonl: columns not used: stranger" in extract.notes


def test_texts_are_kept_to_the_character(reading: Reading, canary: str) -> None:
    text = f"  =1+1 \r\n{canary}\0\ud83d!\u2028\t"
    extract = reading("incidents", good("incidents", text=text, qualifiers=" a ; ;b", channel=999))
    (record,) = extract.records
    assert record.text == text.replace("\0", "\ufffd").replace("\ud83d", "\ufffd")
    assert record.qualifiers == ("a", "b")
    assert record.channel == "999"
    assert "".join(text[entry.start : entry.end] for entry in split_entries(text)) == text


def test_an_empty_narrative_and_a_crime_without_record_are_kept(reading: Reading) -> None:
    extract = reading("crimes", good("crimes", record_ref="NOWHERE"))
    assert [crime.record_ref for crime in extract.crimes] == ["NOWHERE"]
    extract = reading("incidents", good("incidents", text=""))
    assert [record.text for record in extract.records] == [""]
    assert extract.rejects == ()


def test_the_cancel_code_is_the_closing_code(reading: Reading) -> None:
    extract = reading("cancelled_crimes", good("cancelled_crimes", cancel_code="C2", offence_code="8/6"))
    record = next(record for record in extract.records if record.source == "cancelled_crimes")
    assert (record.closing_code, record.offence_code) == ("C2", "8/6")


def test_a_record_is_known_by_its_table_and_reference(reading: Reading) -> None:
    (record,) = reading("incidents", good("incidents")).records
    assert record.key == ("incidents", "I1")


@pytest.mark.parametrize(("bad", "passes"), [(1, True), (2, False)])
def test_the_share_of_rejected_rows_decides(bad: int, passes: bool, reading: Reading) -> None:
    rows = [good("incidents", record_ref="" if n < bad else f"I{n}") for n in range(20)]
    extract = reading("incidents", *rows)
    if passes:
        check_rejected_share(extract, Settings())
    else:
        named = r"incidents: missing_reference 2, first in incidents\.jsonl, row 1, record_ref"
        with pytest.raises(ExtractError, match=rf"2 of 20 rows(.|\n)*{named}"):
            check_rejected_share(extract, Settings())
        check_rejected_share(extract, Settings(rejected_share_max=0.1))


def test_a_table_that_lost_every_row_stops_the_run(reading: Reading) -> None:
    rows = [good("referrals", record_ref="") for _ in range(10)]
    extract = reading("referrals", *rows)
    with pytest.raises(ExtractError, match="every row of referrals"):
        check_rejected_share(extract, Settings(rejected_share_max=1.0))
    # One bad row in a table of few must not cost the night.
    check_rejected_share(reading("referrals", *rows[:9]), Settings(rejected_share_max=1.0))


def test_an_extract_without_rows_passes(reading: Reading) -> None:
    check_rejected_share(reading("incidents"), Settings())


def test_the_rejects_file_names_each_row_and_no_content(
    reading: Reading, tmp_path: Path, canary: str
) -> None:
    extract = reading(
        "incidents", good("incidents"), good("incidents", record_ref=canary * 4, opened_at=canary)
    )
    path = tmp_path / "run" / "rejects.csv"
    write_rejects(extract, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "file,table,row_number,column,rule,meaning"
    assert [line.split(",")[:5] for line in lines[1:]] == [
        ["incidents.jsonl", "incidents", "2", "opened_at", "unreadable_time"],
        ["incidents.jsonl", "incidents", "2", "record_ref", "unreadable_reference"],
    ]
    assert canary not in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    write_rejects(extract, path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["rejects.csv"]


def test_progress_and_moment_of_reading(tmp_path: Path, canary: str) -> None:
    lines = [json.dumps(good("incidents", record_ref=f"I{n}", text=canary)) for n in range(2_300)]
    (tmp_path / "incidents.jsonl").write_text("\n".join(lines))
    seen: list[tuple[str, int]] = []
    extract = read_extract(
        tmp_path,
        Settings(),
        as_of=datetime(2026, 2, 1, tzinfo=UTC),
        progress=lambda table, rows: seen.append((table, rows)),
    )
    assert seen == [("incidents", 1000), ("incidents", 2000), ("incidents", 2300)]
    assert len(extract.records) == 2_300
    assert any(note.startswith("2,300 records are later") for note in extract.notes)
