"""Invented nights for the tests of the flow: every text holds the canary phrase."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.conftest import CANARY

#: As of this moment all records of :func:`incidents` are eligible.
CUT = datetime(2026, 10, 14, 3, 0, tzinfo=UTC)
STORIES = (
    "INFT STS HE PUNCHED HER IN THE FACE LAST NIGHT, BRUISING SEEN",
    "BINS OVERTURNED BY FOXES AGAIN, WORDS OF ADVICE GIVEN",
    "CALLER STS SHE WAS RAPED BY HER EX PARTNER IN AUGUST",
    "DOG FOUND BY THE CANAL, OWNER TRACED AND HAPPY",
    "HE GRABBED HER BY THE THROAT AND SHE COULD NOT BREATHE",
    "ALARM SOUNDING AT THE BAKERY, KEYHOLDER ATTENDED, ALL IN ORDER",
    "THEY TOOK HIS PHONE AND BIKE AFTER SHOWING HIM A KNIFE",
    "TRAFFIC LIGHTS OUT AT THE CROSSROADS, COUNCIL AWARE",
)


def story(number: int) -> str:
    """Return the text of an incident."""
    return f"22:{number % 60:02d} LOG {number}: {STORIES[number % len(STORIES)]}. {CANARY.upper()} {CANARY}."


def incidents(count: int) -> list[dict[str, str]]:
    """Return rows of closed incidents."""
    rows = []
    for number in range(count):
        opened = CUT - timedelta(hours=30 + number)
        rows.append(
            {
                "record_ref": f"L-{number:03d}",
                "opened_at": opened.isoformat(),
                "closed_at": (opened + timedelta(hours=2)).isoformat(),
                "opening_code": "DISPUTE",
                "closing_code": "ADVICE GIVEN",
                "text": story(number),
            }
        )
    return rows


def crime(number: int, record_ref: str, offence_code: str, *, at: datetime = CUT) -> dict[str, str]:
    """Return the row of a crime."""
    return {
        "crime_ref": f"42/{number:05d}/26",
        "record_ref": record_ref,
        "recorded_at": at.isoformat(),
        "offence_code": offence_code,
        "status": "recorded",
    }


def write_extract(folder: Path, tables: Mapping[str, Sequence[Mapping[str, str]]]) -> Path:
    """Write an extract as CSV files and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def plain_night(folder: Path, count: int = 12) -> Path:
    """Write a night of incidents with a crime on the first and one of a record that is not there."""
    crimes = [
        crime(1, "L-000", "105/01", at=CUT - timedelta(hours=20)),
        crime(2, "L-999", "049/10", at=CUT - timedelta(hours=1)),
    ]
    return write_extract(folder, {"incidents": incidents(count), "crimes": crimes})
