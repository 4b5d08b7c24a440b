"""What another process does with a store: ``python other_process.py FUNCTION URL``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.store.nights import event, night
from triage.errors import StoreError
from triage.store import open_store


def hold_the_night(url: str) -> None:
    """Take the night, say so, and keep it until killed."""
    with open_store(url) as store, store.night_lock():
        _say("held")
        time.sleep(60)


def race(url: str) -> None:
    """Prepare, publish a night of many items and add 20 events when told to; says whether it published."""
    with open_store(url) as store:
        _say("ready")
        sys.stdin.readline()
        store.prepare()
        added = store.publish(night(items=200), event())
        for minute in range(20):
            store.record(event("alteration", "model", minute))
        _say(added)


def die_while_publishing(url: str) -> None:
    """Publish a night, and wait to be killed with everything written and nothing committed."""
    import triage.store.audit as trail

    def wait(*_: object) -> None:
        _say("written")
        time.sleep(60)

    trail.append = wait
    with open_store(url) as store:
        store.publish(night(), event())


def _say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        globals()[sys.argv[1]](sys.argv[2])
    except StoreError as error:
        sys.exit(str(error))
