"""A tiny extract of an invented force with other names and codes, read with the shipped mapping."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import xlsxwriter

from triage.reading import load_mapping, read_extract
from triage.reading.records import Crime, Record
from triage.settings import Settings

MAPPINGS = Path(__file__).parents[2] / "mappings"
LOGS = '''\
Incident No;Date;Time;Resulted;Open Code;Result Code;Quals;Source;Team;Supv;Beat;First Report;Log
EX-117;14/03/2026;22:10;15/03/2026 01:00;DOM;nc9;DV;999  Call;B;44;N2;"{c}; says he ""lost £9""";22:14 CALL: x
TBC;14/03/2026;22:10;;;;;;;;;{c};
EX-118;31/02/2026;22:10;;;;;;;;;{c};
'''
OCCURRENCES = """\
Occ Ref,Occ Type,Incident No,Created,HO Code,Finalisation,MO
42/1/26,Crime,EX-117,15/03/2026 00:30,8/6,Crimed,not read
42/2/26,DO1,EX-117,15/03/2026 00:40,,,{c}
42/3/26,Crime,EX-099,15/03/2026 00:50,105/01,no CRIME,not read
42/4/26,Intelligence,EX-117,15/03/2026 00:55,,,{c}
42/5/26,Crime,EX-117,15/03/2026 00:56,105/01,Pending,not read
"""


def test_an_extract_of_other_names_and_codes(tmp_path: Path, canary: str) -> None:
    (tmp_path / "StormLogs.csv").write_bytes(LOGS.replace("{c}", canary).encode("windows-1252"))
    (tmp_path / "Occurrences.csv").write_text(OCCURRENCES.replace("{c}", canary), encoding="utf-8-sig")
    with xlsxwriter.Workbook(tmp_path / "RiskForms.xlsx") as book:
        book.add_worksheet("Cover")
        sheet = book.add_worksheet("Export")
        header = ("Form Id", "Incident No", "Completed", "Risk", "Free Text", "DASH 01", "DASH 10", "DASH 18")
        sheet.write_row(0, 0, (*header, "DASH 19"))
        sheet.write_row(1, 0, ("F1", "EX-117", "", 1, canary, "YES", "Don't  know", "Not asked", "No"))
        sheet.write_datetime(
            1, 2, datetime(2026, 3, 15, 0, 20), book.add_format({"num_format": "dd/mm/yy hh:mm"})
        )

    extract = read_extract(tmp_path, Settings(), mapping=load_mapping(MAPPINGS / "exshire.toml"))

    def moment(day: int, hour: int, minute: int = 0) -> datetime:
        return datetime(2026, 3, day, hour, minute, tzinfo=UTC)

    text = f'{canary}; says he "lost £9" 22:14 CALL: x'
    assert extract.records == (
        Record(
            "incidents", "EX-117", moment(14, 22, 10), moment(15, 1), text,
            opening_code="DOM", closing_code="non-crime domestic", qualifiers=("DV",), channel="999",
            team="B", supervisor_ref="44", area="N2",
        ),
        Record(
            "domestic_noncrimes", "42/2/26", moment(15, 0, 40), None, canary,
            incident_ref="EX-117",
        ),
        Record(
            "assessments", "F1", moment(15, 0, 20), moment(15, 0, 20), canary, incident_ref="EX-117",
            form_version="dash-police-27", grade="high", answers={1: "Y", 10: "NK", 19: "N"},

        ),
    )  # fmt: skip
    assert extract.crimes == (
        Crime("42/1/26", "EX-117", moment(15, 0, 30), "8/6", "recorded"),
        Crime("42/3/26", "EX-099", moment(15, 0, 50), "105/01", "cancelled"),
    )
    assert [(row.file, row.table, row.row_number, row.column, row.rule) for row in extract.rejects] == [
        ("StormLogs.csv", "incidents", 2, "record_ref", "missing_reference"),
        ("StormLogs.csv", "incidents", 3, "opened_at", "unreadable_time"),
        ("Occurrences.csv", "crimes", 5, "status", "unknown_status"),
    ]
    counts = {table: (each.rows, each.left_out) for table, each in extract.counts.items() if each.rows}
    assert counts == {
        "incidents": (3, 0),
        "domestic_noncrimes": (1, 4),
        "assessments": (1, 0),
        "crimes": (3, 2),
    }
    assert extract.notes == (
        "StormLogs.csv: read as windows-1252",
        "Occurrences.csv: 4 rows are no domestic_noncrimes, as the mapping file says",
        "Occurrences.csv: 2 rows are no crimes, as the mapping file says",
        "Occurrences.csv: 1 codes of status are not in the mapping file and stay as they are",
    )


UCPD = """\
Incident,Location,Reported,Occurred,Comments / Nature of Fire,Disposition,UCPDI#
Information / Robbery,Quad,7/1/10 12:42 PM,6/28/10,{c} / Out of Area,Closed,W0001
Theft from Motor  Vehicle,Library,1/11/12   2:08PM,,{c},Open,W0002
Damage to Property,Library,4/12/2012 9:44,,{c},Open,W0003
Battery,Library,8/1/10 13:05,,{c},Arrest,W0004
Traffic Violation,Road,8/2/10 1:05 PM,,{c},Closed,B00000
Theft,Road,8/2/10 1:!5 PM,,{c},Closed,W0005
,,No Incident Reports this date - 6/20/15,,,,No Incident Reports this date - 6/20/15
"""


def test_lines_in_the_shape_of_the_university_police(tmp_path: Path, canary: str) -> None:
    (tmp_path / "incidents_2010_2015.csv").write_text(UCPD.replace("{c}", canary), encoding="utf-8")
    extract = read_extract(tmp_path, Settings(), mapping=load_mapping(MAPPINGS / "ucpd.toml"))
    assert [record.record_ref for record in extract.records] == ["W0001", "W0002", "W0003", "W0004"]
    assert {record.opening_code + record.closing_code for record in extract.records} == {""}
    assert extract.records[0].text == f"{canary} / Out of Area"
    assert extract.records[1].opened_at == datetime(2012, 1, 11, 20, 8, tzinfo=UTC)
    assert extract.records[3].opened_at == datetime(2010, 8, 1, 18, 5, tzinfo=UTC)
    assert [(crime.crime_ref, crime.record_ref, crime.offence_code) for crime in extract.crimes] == [
        ("W0002", "W0002", "theft"),
        ("W0004", "W0004", "violence_without_injury"),
    ]
    assert [(row.table, row.row_number, row.rule) for row in extract.rejects] == [
        ("incidents", 5, "missing_reference"),
        ("incidents", 6, "unreadable_time"),
        ("incidents", 7, "unreadable_time"),
        ("crimes", 6, "unreadable_time"),
    ]
    assert extract.counts["crimes"].left_out == 4
