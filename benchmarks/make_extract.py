"""Build an extract of any size from the invented corpus, to measure time and order, never accuracy.

usage: python benchmarks/make_extract.py OUT --records N [--seed S] [--night D]

Records beyond the corpus repeat it with other references and times. Each `recorded` family becomes a crime.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parent.parent / "training_data" / "corpus"
CUT = datetime(2026, 10, 14, 3, 0, tzinfo=UTC)
#: Hours before the cut within which the records were opened.
WINDOW_HOURS = 72
TABLES = {
    "incident": "incidents",
    "domestic_noncrime": "domestic_noncrimes",
    "dash": "assessments",
    "referral": "referrals",
    "cancelled_crime": "cancelled_crimes",
}
QUESTIONS = tuple(f"q{number}" for number in range(1, 28))
COLUMNS = {
    "incidents": ("record_ref", "opened_at", "closed_at", "opening_code", "closing_code", "area", "text"),
    "domestic_noncrimes": ("record_ref", "opened_at", "closed_at", "closing_code", "text"),
    "assessments": ("record_ref", "completed_at", "form_version", *QUESTIONS, "text"),
    "referrals": ("record_ref", "received_at", "agency", "text"),
    "cancelled_crimes": ("record_ref", "cancelled_at", "offence_code", "text"),
    "crimes": ("crime_ref", "record_ref", "recorded_at", "offence_code", "status"),
}


def corpus() -> list[dict[str, Any]]:
    """Return the records of the corpus in the order of their ids."""
    lines = [line for path in sorted(CORPUS.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    return sorted((json.loads(line) for line in lines if line.strip()), key=lambda record: record["id"])


def number_of(*parts: object) -> int:
    """Return a large number that depends on the parts alone."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big")


def build(out: Path, records: int, *, seed: int = 0, night: int = 0) -> dict[str, int]:
    """Write the extract and return the rows by table.

    Parameters
    ----------
    out : Path
        Folder to write.
    records : int
        Number of records.
    seed : int
        Another seed takes other records at other times.
    night : int
        Days after the first night; another night holds other references.
    """
    source = sorted(corpus(), key=lambda record: number_of(seed, night, record["id"]))
    cut = CUT + timedelta(days=night)
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in COLUMNS}
    for index in range(records):
        record = source[index % len(source)]
        reference = f"{record['id']}-{night}-{index // len(source)}".upper()
        opened = cut - timedelta(seconds=3600 + number_of(seed, reference) % (WINDOW_HOURS * 3600))
        closed = min(opened + timedelta(minutes=20 + number_of(reference) % 600), cut)
        table = TABLES[record["source"]]
        moment = opened.isoformat()
        whole = {
            "record_ref": reference,
            **dict.fromkeys(("opened_at", "completed_at", "received_at", "cancelled_at"), moment),
            "closed_at": closed.isoformat(),
            "opening_code": record["opening_code"],
            "closing_code": record["closing_code"],
            "area": f"A{number_of(reference) % 5}",
            "form_version": "dash-police-27",
            **{f"q{question}": answer for question, answer in record["dash"].items()},
            "text": record["text"],
        }
        rows[table].append({column: whole.get(column, "") for column in COLUMNS[table]})
        for order, family in enumerate(record["recorded"]):
            rows["crimes"].append(
                {
                    "crime_ref": f"42/{number_of(reference, order) % 10**9:09d}/26",
                    "record_ref": reference,
                    "recorded_at": closed.isoformat(),
                    "offence_code": family,
                    "status": "recorded",
                }
            )
    out.mkdir(parents=True, exist_ok=True)
    for table, found in rows.items():
        with (out / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS[table])
            writer.writeheader()
            writer.writerows(found)
    return {table: len(found) for table, found in rows.items()}


def main() -> None:
    """Build an extract from the command line."""
    words = argparse.ArgumentParser(description="Builds an extract from the invented corpus.")
    words.add_argument("out", type=Path, metavar="OUT")
    words.add_argument("--records", type=int, required=True, metavar="N")
    words.add_argument("--seed", type=int, default=0, metavar="S")
    words.add_argument("--night", type=int, default=0, metavar="D", help="days after 2026-10-14")
    given = words.parse_args()
    print(build(given.out, given.records, seed=given.seed, night=given.night))


if __name__ == "__main__":
    main()
