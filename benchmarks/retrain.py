"""How long a retraining takes, and in how much memory: the whole command, from its start to its report.

usage: python benchmarks/retrain.py [--records N ...] [--nights N] [--recipe NAME ...]

For each size an extract of so many invented records of real lengths is built (benchmarks/make_extract.py),
with the crimes recorded for them: the history. A store gets nights in which 40 of 200 of these records are
read, four of them drawn at random, and decided by the corpus's labels. A champion that searches for phrases
ranks. Then `triage retrain --history` runs as a process of its own: a challenger learns from corpus, history
and the decisions known at the cut-off, and ranks the last nights beside the champion.

Printed are seconds from start to report, seconds of processor time of all its processes, the most memory that
these held together, and what was learnt from and judged on. Nothing here is accuracy on police data.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
#: After the last moment of the extracts of make_extract.py: all of their records are known at every cut-off.
FIRST = datetime(2026, 10, 16, 4, tzinfo=UTC)
ELIGIBLE, BUDGET, CONTROL, TEST_NIGHTS = 200, 40, 4, 14


@dataclass
class Spent:
    """What a command took, with its children; ``peak_mb`` is what they all held at one moment."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    said: str


def spent(words: list[str], environment: dict[str, str]) -> Spent:
    """Run a command in a session of its own and watch its memory."""
    started = time.perf_counter()
    child = subprocess.Popen(
        words,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    peak, cpu, over = 0.0, {}, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.25):
            held = 0
            for process in _of_session(child.pid):
                try:
                    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:  # it has just ended
                    continue
                cpu[process.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                held += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            peak = max(peak, held / 2**20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    said, _ = child.communicate()
    over.set()
    watcher.join()
    if child.returncode:
        sys.exit(said)
    return Spent(time.perf_counter() - started, sum(cpu.values()), peak, said)


def _of_session(session: int) -> list[Path]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int((process / "stat").read_text().rsplit(")", 1)[1].split()[3]) == session:
                found.append(process)
        except OSError:  # it has just ended
            continue
    return found


def put(extract: Path, nights: int) -> None:
    """Put decided nights of records of the extract into the store of the settings, and build a champion."""
    import numpy as np

    from models import build_and_register
    from tests.decided_nights import Truth, put_nights
    from training_data.build import corpus_table
    from triage.reading import mapping_for, read_extract
    from triage.settings import load
    from triage.store import open_store

    settings = load()
    labels = {each.record.record_ref.upper(): each for each in corpus_table().examples}
    records = read_extract(extract, settings, mapping=mapping_for(extract, settings)).records
    chosen = np.random.default_rng(0).permutation(len(records))[: nights * ELIGIBLE]
    noise = np.random.default_rng(1).normal(size=len(chosen))
    truths = []
    for at, number in enumerate(chosen.tolist()):
        record = records[number]
        label = labels[record.record_ref.rsplit("-", 2)[0]]
        score = 1 / (1 + np.exp(-(1.5 * label.missed + noise[at])))
        truths.append(Truth(record, label.disclosed, label.recorded, float(score)))
    with open_store(settings.store_url) as store:
        store.prepare()
        put_nights(store, truths, nights=nights, budget=BUDGET, control=CONTROL, first=FIRST)
    build_and_register("weighted_phrases", settings, as_of=FIRST)


def measure(records: int, nights: int, recipes: list[str], work: Path) -> None:
    """Build what a retraining needs, run it, and print."""
    extract = work / "extract"
    environment = os.environ | {
        "TRIAGE_DATA_DIR": str(work / "var"),
        "TRIAGE_REGISTRY_DIR": str(work / "registry"),
        "TRIAGE_RECIPE": "weighted_phrases",
        "TRIAGE_RETRAIN_NIGHTS": str(TEST_NIGHTS),
    }
    hours = str(max(72.0, records / 1000 * 7.2))
    maker = str(Path(__file__).with_name("make_extract.py"))
    words = [sys.executable, maker, str(extract), "--records", str(records), "--hours", hours]
    spent([*words, "--real-lengths", "--parquet"], environment)
    spent([sys.executable, __file__, "--put", str(extract), "--nights", str(nights)], environment)
    as_of = (FIRST + timedelta(days=nights + 9)).isoformat()
    words = [sys.executable, "-m", "triage", "retrain", "--history", str(extract), "--as-of", as_of]
    took = spent([*words, *(word for name in recipes for word in ("--recipe", name))], environment)
    print(
        f"{records:,} records, {nights} nights of {BUDGET} decisions: {took.seconds:,.0f} seconds, "
        f"{took.cpu_seconds:,.0f} of processor time, {took.peak_mb:,.0f} MB at most\n{took.said}",
        flush=True,
    )


def main() -> None:
    """Measure from the command line."""
    words = argparse.ArgumentParser(description="Times `triage retrain` on invented records.")
    words.add_argument("--records", type=int, nargs="+", default=[50_000], metavar="N")
    words.add_argument("--nights", type=int, default=40, metavar="N")
    words.add_argument("--recipe", action="append", metavar="NAME", help="linear by default; may repeat")
    words.add_argument("--put", type=Path, help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.put:
        put(given.put, given.nights)
        return
    for records in given.records:
        with tempfile.TemporaryDirectory(prefix="triage-retrain-") as name:
            measure(records, min(given.nights, records // ELIGIBLE), given.recipe or ["linear"], Path(name))


if __name__ == "__main__":
    main()
