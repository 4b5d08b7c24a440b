"""Reads that `triage replay` and ASReview's own simulation need on the same sets from the same first labels.

usage: python benchmarks/peer_asreview.py --data DIR [--seeds N ...] [--sets NAME ...] [--out FILE.csv]

DIR holds labelled sets of systematic reviews as CSV with the columns title, abstract and included, such as
those of SYNERGY. ASReview is installed into an environment of its own in a temporary folder, which goes
when the run ends, and is run by its own command with its default model, to the end. Both begin with the
same relevant and the same irrelevant record, drawn by the seed; both count them as reads. ASReview learns
after each read, `triage replay` after each hundredth of the reads. One process at a time; about two minutes a
set and seed on one core.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import sqlite3
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from triage.learning.metrics import Bools, Ints  # noqa: E402
from triage.learning.replay import RECALLS, Curve, curve_of, first_rows  # noqa: E402
from triage.learning.replay_table import read_labelled  # noqa: E402

PEER = "asreview==3.0.8"
SETS = ("Jeyaraman_2020", "van_der_Valk_2021")
COLUMNS = ("title", "abstract")
LABEL = "included"
LEVELS = (*RECALLS, 1.0)


def installed_peer(folder: Path) -> Path:
    """Install ASReview into an environment of its own and return its command."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True, stderr=subprocess.DEVNULL)
    return folder / "bin" / "asreview"


def run(words: Sequence[str | Path], folder: Path) -> float:
    """Run a command on one thread and return its seconds; its output is shown only if it fails.

    It runs in a folder, since ASReview leaves a file of its own behind where it is called.
    """
    started = perf_counter()
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode != 0:
        raise SystemExit(f"{words[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return perf_counter() - started


def peer_order(project: Path) -> Ints:
    """Return the order in which ASReview's simulation read the rows, from the project that it wrote."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(project) as packed:
        database = packed.extract("results.db", folder)
        with sqlite3.connect(database) as connection:
            rows = connection.execute(
                "SELECT record.dataset_row FROM results JOIN record USING (record_id) ORDER BY results.rowid"
            ).fetchall()
        connection.close()
    return np.array([row for (row,) in rows], dtype=np.int64)


def peer_curve(asreview: Path, table: Path, first: Ints, seed: int, relevant: Bools, folder: Path) -> Curve:
    """Return what ASReview's simulation with its default model finds, having checked where it began."""
    project = folder / f"{table.stem}-{seed}.asreview"
    begun = [str(row) for row in first.tolist()]
    words = [asreview, "simulate", table, "--prior-idx", *begun, "--seed", str(seed), "--n-stop", "-1"]
    seconds = run([*words, "--output", project], folder)
    order = peer_order(project)
    if order[: len(first)].tolist() != first.tolist() or sorted(order) != list(range(len(relevant))):
        raise SystemExit("ASReview did not begin with the rows given, or did not read every row")
    return curve_of(f"ASReview ({seconds:.0f} s)", order, relevant)


def our_curve(table: Path, first: Ints, seed: int, relevant: Bools, folder: Path) -> Curve:
    """Return what `triage replay` finds, from the curve that it wrote."""
    out = folder / f"{table.stem}-{seed}.csv"
    words: list[str | Path] = [sys.executable, "-m", "triage", "replay", table, "--label", LABEL]
    words += [word for column in COLUMNS for word in ("--text", column)]
    rows = ",".join(str(row + 1) for row in first.tolist())
    seconds = run([*words, "--start-with", rows, "--seed", str(seed), "--out", out], ROOT)
    lines = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    found = np.array([int(line["found"]) for line in lines])
    return Curve(f"triage replay ({seconds:.0f} s)", found, int(relevant.sum()))


def main() -> int:
    """Measure and print."""
    words = argparse.ArgumentParser(description="Compares with ASReview on labelled sets.")
    words.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the sets")
    words.add_argument("--sets", nargs="+", default=SETS, metavar="NAME", help="sets without their ending")
    words.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="N", help="seeds")
    words.add_argument("--out", type=Path, metavar="FILE", help="figures as CSV, too")
    given = words.parse_args()
    rows: list[tuple[str, int, str, tuple[int | None, ...]]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asreview = installed_peer(folder / "peer")
        for each in given.sets:
            table = (given.data / f"{each}.csv").resolve()
            relevant = read_labelled(table, COLUMNS, LABEL).relevant
            for seed in given.seeds:
                first = first_rows(relevant, seed)
                for curve in (
                    peer_curve(asreview, table, first, seed, relevant, folder),
                    our_curve(table, first, seed, relevant, folder),
                ):
                    reads = tuple(curve.reads_to(level) for level in LEVELS)
                    rows.append((each, seed, curve.name.split(" (")[0], reads))
                    print(f"{each:20} seed {seed}  {curve.name:24} {reads}", flush=True)
    print(f"\n{PEER}; mean reads over {len(given.seeds)} seeds to " + ", ".join(f"{x:.0%}" for x in LEVELS))
    for each in (*given.sets, ""):
        for side in dict.fromkeys(row[2] for row in rows):
            mean = np.mean([row[3] for row in rows if each in ("", row[0]) and row[2] == side], axis=0)
            print(f"{each or 'all':20} {side:16} " + "  ".join(f"{value:7.1f}" for value in mean))
    if given.out:
        with given.out.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(("set", "seed", "side", *(f"reads_to_{level:.2f}" for level in LEVELS)))
            lines.writerows((each, seed, side, *reads) for each, seed, side, reads in rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
