"""What stands in Parquet columns beyond their first part is read like what stands in it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.unit.test_reading_files import parquet, read
from triage.reading.raw import PART_ROWS


def test_a_character_0_is_replaced_wherever_it_stands_in_a_parquet_file(tmp_path: Path, canary: str) -> None:
    rows = PART_ROWS + 3
    texts = [f"{canary} {number}" for number in range(rows)]
    texts[-1] += "\0 left"
    codes = pl.Series(["A\0B", *["CD"] * (rows - 1)], dtype=pl.Categorical)
    extract = read(
        tmp_path,
        incidents_parquet=parquet(
            record_ref=[f"I{number:05}" for number in range(rows)],
            opened_at=["2026-03-01"] * rows,
            opening_code=codes,
            text=texts,
        ),
    )
    assert extract.records[rows - 1].text == f"{canary} {rows - 1}\ufffd left"
    assert extract.records[0].opening_code == "A\ufffdB"
    assert extract.records[0].text == texts[0]
