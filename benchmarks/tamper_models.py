"""Tampered and foreign models: how many are loaded, how many unpickled, and what verifying costs.

usage: python benchmarks/tamper_models.py [--recipe NAME] [--attacks N] [--seed N]

Builds two models of a recipe from writers of the invented corpus into a folder of its own, tampers with a
copy of one in every way that tests/tampering.py knows, and tries to load it. Every planted model would make a
folder when unpickled. Prints counts by reason, and the processor time of loading with and without verifying.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import process_time

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import joblib  # noqa: E402

from models import build_and_register  # noqa: E402
from tests.tampering import attacks  # noqa: E402
from training_data.build import CORPUS_DIR  # noqa: E402
from triage.errors import ModelError  # noqa: E402
from triage.learning import registry  # noqa: E402
from triage.learning.signing import trusted_by  # noqa: E402
from triage.learning.verified import verified  # noqa: E402
from triage.settings import Settings  # noqa: E402

WRITERS = (("w1", "w2"), ("w7", "w8"))
REPEATS = 7


def main() -> None:
    """Build, tamper, load, print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--recipe", default="linear")
    words.add_argument("--attacks", type=int, default=200)
    words.add_argument("--seed", type=int, default=0)
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(registry_dir=folder / "own")
        ids = [
            build_and_register(
                given.recipe,
                settings,
                as_of=datetime(2026, 10, day, tzinfo=UTC),
                corpus=[CORPUS_DIR / f"{writer}.jsonl" for writer in writers],
            )
            for day, writers in enumerate(WRITERS, 1)
        ]
        _attack(settings, ids, given.attacks, given.seed, folder)
        _time(settings, ids[0])


def _attack(settings: Settings, ids: list[str], count: int, seed: int, folder: Path) -> None:
    trusted, trace, loaded = trusted_by(settings), folder / "trace", 0
    kinds, reasons, unpickled = Counter[str](), Counter[str](), 0
    for attack in attacks(count, trace, seed=seed):
        copy = folder / "copy"
        shutil.copytree(settings.registry_dir, copy)
        attack.act(copy / ids[0], copy / ids[1])
        try:
            registry.load(copy, ids[0], trusted=trusted)
            loaded += 1
        except ModelError as error:
            reasons[re.split(r"[:(]| '", error.what)[0]] += 1
        if trace.exists():
            unpickled += 1
            trace.rmdir()
        kinds[attack.kind] += 1
        shutil.rmtree(copy)
    print(f"{kinds.total()} attacks of {len(kinds)} kinds: {loaded} loaded, {unpickled} unpickled")
    for reason, number in reasons.most_common():
        print(f"  {number:4}  {reason}")


def _time(settings: Settings, model_id: str) -> None:
    trusted, path = trusted_by(settings), settings.registry_dir / model_id / "model.joblib"
    steps = {
        "verified and loaded": lambda: registry.load(settings.registry_dir, model_id, trusted=trusted),
        "verified alone": lambda: verified(settings.registry_dir / model_id, trusted),
        "unpickled alone": lambda: joblib.load(path),
    }
    print(f"model of {path.stat().st_size / 1e6:.1f} MB, processor time, median of {REPEATS}:")
    for name, step in steps.items():
        times = []
        for _ in range(REPEATS):
            started = process_time()
            step()
            times.append(process_time() - started)
        print(f"  {name:20} {median(times) * 1000:7.1f} ms")


if __name__ == "__main__":
    main()
