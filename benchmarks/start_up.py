"""How long a second `make nightly` takes, beside a trivial Prefect flow in the same run.

usage: python benchmarks/start_up.py [--times N]

The two take turns, each as a process of its own with a Prefect database that exists already. Prints every
time, the medians and their difference; exits 1 where the night takes more than 15 s longer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRACT = ROOT / "training_data" / "sample_extract"
MOST_SECONDS = 15.0
TRIVIAL = """
from prefect import flow, task

@task
def step():
    return 1

@flow
def trivial():
    return step()

trivial()
"""


def seconds(words: list[str], environment: dict[str, str]) -> float:
    """Return how long a process takes."""
    started = time.perf_counter()
    subprocess.run(words, env=environment, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> int:
    """Measure, print and judge."""
    words = argparse.ArgumentParser(description="Times a second night beside a trivial Prefect flow.")
    words.add_argument("--times", type=int, default=5, metavar="N")
    times = words.parse_args().times
    with tempfile.TemporaryDirectory(prefix="triage-start-up-") as name:
        folder = Path(name)
        environment = os.environ | {
            "TRIAGE_DATA_DIR": str(folder / "var"),
            "TRIAGE_REGISTRY_DIR": str(folder / "registry"),
            # The quickest recipe to build: the second night builds none.
            "TRIAGE_RECIPE": os.environ.get("TRIAGE_RECIPE", "weighted_phrases"),
        }
        plain = os.environ | {
            "PREFECT_HOME": str(folder / "prefect"),
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        }
        night = [sys.executable, "-m", "flows.nightly", "--extract", str(EXTRACT)]
        trivial = [sys.executable, "-c", TRIVIAL]
        first, first_trivial = seconds(night, environment), seconds(trivial, plain)
        print(f"first night {first:.1f} s, first trivial flow {first_trivial:.1f} s")
        nights, trivials = [], []
        for turn in range(1, times + 1):
            trivials.append(seconds(trivial, plain))
            nights.append(seconds(night, environment))
            print(f"{turn}: second night {nights[-1]:.1f} s, trivial flow {trivials[-1]:.1f} s", flush=True)
    usual, usual_trivial = statistics.median(nights), statistics.median(trivials)
    more = usual - usual_trivial
    print(
        f"median: second night {usual:.1f} s, trivial flow {usual_trivial:.1f} s, "
        f"difference {more:+.1f} s (at most +{MOST_SECONDS:.0f})"
    )
    return int(more > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
