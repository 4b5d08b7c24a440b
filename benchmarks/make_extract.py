"""Build an extract of any size from the invented corpus, to measure time and order, never accuracy.

usage: python benchmarks/make_extract.py OUT --records N [--seed S] [--night D] [--real-lengths] [--parquet]

Records beyond the corpus repeat it with other references and times. Each `recorded` family becomes a crime.
With --real-lengths texts are as long and as various as in life: 20 to 3,000 words, 900 characters in the
mean, of sentences of the whole corpus, with other numbers and with slips of the keyboard.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

CORPUS = Path(__file__).resolve().parent.parent / "training_data" / "corpus"
CUT = datetime(2026, 10, 14, 3, 0, tzinfo=UTC)
#: Hours before the cut within which the records were opened; a force logs a few thousand records a day.
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
#: Words of a text are lognormal: most logs are short, a few very long. The mean is 165 words, 900 characters.
SPREAD_WORDS, MEAN_WORDS, WORDS = 0.9, 165, (20, 3_000)
#: One word in so many is another one, so that texts made of the same sentences are no repeated calls; but for
#: a share of the records, which repeat another as they stand.
ANOTHER_EVERY_WORDS, REPEATED_SHARE = 5, 0.1
#: One word in so many has a slip of the keyboard.
SLIP_EVERY_WORDS = 150
#: Rows written at a time, so that an extract of any size is built in little memory.
ROWS_AT_ONCE = 10_000
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n|\|")
_LONG_NUMBER = re.compile(r"\d{3,}")


def corpus() -> list[dict[str, Any]]:
    """Return the records of the corpus in the order of their ids."""
    lines = [line for path in sorted(CORPUS.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    return sorted((json.loads(line) for line in lines if line.strip()), key=lambda record: record["id"])


def number_of(*parts: object) -> int:
    """Return a large number that depends on the parts alone."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big")


def sentences_of(records: list[dict[str, Any]]) -> list[list[str]]:
    """Return the words of every sentence of the records."""
    return [each.split() for record in records for each in _SENTENCE.split(record["text"]) if each.strip()]


def lengthened(text: str, sentences: list[list[str]], chance: random.Random) -> str:
    """Return a text of a length drawn as in life: its own words first, then sentences of others."""
    wanted = chance.lognormvariate(math.log(MEAN_WORDS) - SPREAD_WORDS**2 / 2, SPREAD_WORDS)
    wanted = round(min(max(wanted, WORDS[0]), WORDS[1]))
    words = text.split()
    while len(words) < wanted:
        if chance.random() < 0.2:
            words.append(f"\n{chance.randrange(24):02d}:{chance.randrange(60):02d}")
        words += chance.choice(sentences)
    words = words[:wanted]
    if chance.random() >= REPEATED_SHARE:
        for at in _places(words, ANOTHER_EVERY_WORDS, chance):
            words[at] = chance.choice(chance.choice(sentences))
    for at in _places(words, SLIP_EVERY_WORDS, chance):
        word = words[at]
        if word.isalpha() and len(word) > 3:
            here = chance.randrange(1, len(word) - 1)
            words[at] = word[:here] + word[here + 1] + word[here] + word[here + 2 :]
    return _LONG_NUMBER.sub(lambda found: _another_number(found.group(), chance), " ".join(words))


def _places(words: list[str], every: int, chance: random.Random) -> list[int]:
    return [at for at in range(len(words)) if chance.random() < 1 / every]


def _another_number(number: str, chance: random.Random) -> str:
    return number[0] + "".join(chance.choice("0123456789") for _ in number[1:])


def rows_of(
    records: int, *, seed: int, night: int, hours: float, real_lengths: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the table and the cells of each row."""
    source = sorted(corpus(), key=lambda record: number_of(seed, night, record["id"]))
    sentences = sentences_of(source)
    cut = CUT + timedelta(days=night)
    for index in range(records):
        record = source[index % len(source)]
        reference = f"{record['id']}-{night}-{index // len(source)}".upper()
        opened = cut - timedelta(seconds=3600 + number_of(seed, reference) % round(hours * 3600))
        closed = min(opened + timedelta(minutes=20 + number_of(reference) % 600), cut)
        table = TABLES[record["source"]]
        moment = opened.isoformat()
        text = record["text"]
        if real_lengths:
            text = lengthened(text, sentences, random.Random(number_of(seed, reference, "text")))  # noqa: S311
        whole = {
            "record_ref": reference,
            **dict.fromkeys(("opened_at", "completed_at", "received_at", "cancelled_at"), moment),
            "closed_at": closed.isoformat(),
            "opening_code": record["opening_code"],
            "closing_code": record["closing_code"],
            "area": f"A{number_of(reference) % 5}",
            "form_version": "dash-police-27",
            **{f"q{question}": answer for question, answer in record["dash"].items()},
            "text": text,
        }
        yield table, {column: whole.get(column) or None for column in COLUMNS[table]}
        for order, family in enumerate(record["recorded"]):
            yield (
                "crimes",
                {
                    "crime_ref": f"42/{number_of(reference, order) % 10**9:09d}/26",
                    "record_ref": reference,
                    "recorded_at": closed.isoformat(),
                    "offence_code": family,
                    "status": "recorded",
                },
            )


def build(
    out: Path,
    records: int,
    *,
    seed: int = 0,
    night: int = 0,
    hours: float = WINDOW_HOURS,
    real_lengths: bool = False,
    parquet: bool = False,
) -> dict[str, int]:
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
    hours : float
        Hours before the cut within which the records were opened.
    real_lengths : bool
        Draw lengths and words as in life, instead of the texts of the corpus as they are.
    parquet : bool
        Write Parquet instead of CSV.
    """
    out.mkdir(parents=True, exist_ok=True)
    waiting: dict[str, list[dict[str, Any]]] = {table: [] for table in COLUMNS}
    counts = dict.fromkeys(COLUMNS, 0)
    for table in COLUMNS:
        (out / f"{table}.csv").write_text(",".join(COLUMNS[table]) + "\n", encoding="utf-8")

    def write(table: str) -> None:
        frame = pl.DataFrame(waiting[table], schema=dict.fromkeys(COLUMNS[table], pl.String))
        counts[table] += frame.height
        waiting[table] = []
        with (out / f"{table}.csv").open("ab") as file:
            frame.write_csv(file, include_header=False)

    for table, row in rows_of(records, seed=seed, night=night, hours=hours, real_lengths=real_lengths):
        waiting[table].append(row)
        if len(waiting[table]) >= ROWS_AT_ONCE:
            write(table)
    for table in COLUMNS:
        write(table)
        if parquet:
            pl.scan_csv(out / f"{table}.csv", infer_schema=False).sink_parquet(out / f"{table}.parquet")
            (out / f"{table}.csv").unlink()
    return counts


def main() -> None:
    """Build an extract from the command line."""
    words = argparse.ArgumentParser(description="Builds an extract from the invented corpus.")
    words.add_argument("out", type=Path, metavar="OUT")
    words.add_argument("--records", type=int, required=True, metavar="N")
    words.add_argument("--seed", type=int, default=0, metavar="S")
    words.add_argument("--night", type=int, default=0, metavar="D", help="days after 2026-10-14")
    words.add_argument("--hours", type=float, default=WINDOW_HOURS, metavar="H")
    words.add_argument("--real-lengths", action="store_true", help="20 to 3,000 words, as in life")
    words.add_argument("--parquet", action="store_true", help="Parquet instead of CSV")
    given = words.parse_args()
    print(
        build(
            given.out,
            given.records,
            seed=given.seed,
            night=given.night,
            hours=given.hours,
            real_lengths=given.real_lengths,
            parquet=given.parquet,
        )
    )


if __name__ == "__main__":
    main()
