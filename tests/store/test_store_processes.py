"""Several processes at one store: one night, one publication, one chain, and nothing of a killed one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.store.nights import event, night
from triage.errors import StoreError
from triage.store import Store, open_store

SCRIPT = Path(__file__).with_name("other_process.py")


@contextmanager
def others(act: str, url: str, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes and wait until each has said its first word; kill what is left."""
    started = [
        subprocess.Popen(
            [sys.executable, SCRIPT, act, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        for process in started:
            assert process.stdout.readline().strip(), process.stderr.read()
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def answers(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Let all go at once and return what each says, last line only."""
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = []
    for process in processes:
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        said.append(out.split()[-1])
    return said


def test_of_two_processes_one_publishes_and_neither_forks_the_chain(store_url: str) -> None:
    with others("race", store_url, 2) as processes:
        assert sorted(answers(processes)) == ["False", "True"]
    with open_store(store_url) as store:
        store.check()
        assert len(store.runs()) == 1
        assert len(store.queue()) == 200
        chain = store.verify_chain()
        assert (chain.events, chain.broken_at) == (41, None)


def test_a_killed_night_frees_the_store(store: Store, store_url: str) -> None:
    with others("hold_the_night", store_url, 1) as (process,):
        for _ in range(2):
            with pytest.raises(StoreError, match="another night is running"), store.night_lock():
                pytest.fail("the night was taken twice")
        assert store.publish(night(), event()), "the lock of the night must not stop other writers"
        process.kill()
        process.wait()
        _take_within(store, seconds=10)


def test_the_night_is_free_again_after_the_block(store: Store, store_url: str) -> None:
    for _ in range(2):
        with (
            store.night_lock(),
            open_store(store_url) as other,
            pytest.raises(StoreError, match="another night"),
            other.night_lock(),
        ):
            pytest.fail("the night was taken twice")
    with pytest.raises(KeyError), store.night_lock():
        raise KeyError
    with open_store(store_url) as other, other.night_lock():
        pass


def test_a_night_killed_while_it_publishes_leaves_nothing(store: Store, store_url: str) -> None:
    store.publish(night("run-0", 1, day=-1), event())
    with others("die_while_publishing", store_url, 1) as (process,):
        process.kill()
        process.wait()
    assert [row.run_id for row in store.queue()] == ["run-0"]
    assert store.publish(night(), event(minute=1))
    assert [row.item for row in store.queue()] == list(night().items)
    assert store.verify_chain().broken_at is None


def _take_within(store: Store, *, seconds: float) -> None:
    # PostgreSQL notices a dead client a moment later.
    end = time.monotonic() + seconds
    while True:
        try:
            with store.night_lock():
                return
        except StoreError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
