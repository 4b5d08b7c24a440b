"""Other processes that take a share of the work while this one does the rest; joblib's loky starts them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from functools import partial
from importlib import import_module
from queue import SimpleQueue
from threading import RLock, Thread
from time import monotonic, sleep
from typing import Any, Self

from triage.errors import UsageError

#: Parts that a helper has at a time, so that it need not wait for the next.
_PARTS_AHEAD = 2
#: How often a helper looks whether the process that started it is still there.
_LOOK_SECONDS = 0.5
#: Longest wait, before helpers are ended, for what was submitted to come to their queue.
_PASSED_ON_SECONDS = 2.0
#: Threads of one process would be in the way of the others.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")


class Helpers:
    """Starts helpers, which import modules that they will need while this process reads.

    Parameters
    ----------
    processes : int
        Helpers beside this process; with none, it does all of the work.
    modules : sequence of str
        What they import at once.
    """

    def __init__(self, processes: int, modules: Sequence[str]) -> None:
        self._processes = processes
        self._executor: Any = None
        self._count, self._free = 0, processes * _PARTS_AHEAD
        self._waiting: deque[tuple[int, Any]] = deque()
        self._done: SimpleQueue[tuple[int, Future[Any]]] = SimpleQueue()
        self._there: Callable[[Any], Any] | None = None
        self._sent: set[Future[Any]] = set()
        # What is done already calls back at once, in the thread that asks.
        self._lock = RLock()
        if processes:
            from joblib.externals.loky import ProcessPoolExecutor

            # Not joblib's own pool, in which a model may have to be built meanwhile.
            self._executor = ProcessPoolExecutor(
                max_workers=processes,
                env=_ONE_THREAD,
                initializer=_prepare,
                initargs=(os.getpid(), tuple(modules)),
            )
            self._submit(_begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is None:
            return
        with self._lock:
            self._there = None
        # What is submitted and has not yet come to the helpers' queue, which has room for all of it, would
        # end loky's own thread in an error.
        until = monotonic() + _PASSED_ON_SECONDS
        while monotonic() < until and any(not (one.running() or one.done()) for one in tuple(self._sent)):
            sleep(0.01)
        self._executor.shutdown(kill_workers=True)

    def add(self, part: Any) -> None:
        """Add something to be done, numbered in the order of adding."""
        self._waiting.append((self._count, part))
        self._count += 1
        self._hand_out()

    def begin(self, *, there: Callable[[Any], Any]) -> None:
        """Let the helpers begin with what was added, and go on with what will be.

        Parameters
        ----------
        there : callable
            Does one part in a helper, to which it is pickled.
        """
        self._there = there
        self._hand_out()

    def results(self, here: Callable[[Any], Any]) -> Iterator[tuple[int, Any]]:
        """Give the number of each part and its result, in any order, once all are added.

        Parameters
        ----------
        here : callable
            Does one part in this process, with the same result as in a helper.
        """
        for _ in range(self._count):
            own = self._next() if self._done.empty() else None
            if own is None:
                number, future = self._done.get()
                try:
                    result = future.result()
                except BrokenExecutor as error:
                    raise UsageError(
                        "a helper was ended from outside, most often for want of memory",
                        where="--jobs",
                        mend="call again, with fewer processes",
                    ) from error
                yield number, result
            else:
                yield own[0], here(own[1])

    def _hand_out(self) -> None:
        """Give helpers that are free the next parts, but for one that this process may do meanwhile."""
        with self._lock:
            while self._there is not None and self._free and len(self._waiting) > 1:
                given = self._next()
                if given is None:
                    return
                self._free -= 1
                future = self._submit(self._there, given[1])
                future.add_done_callback(partial(self._take_back, given[0]))

    def _submit(self, task: Callable[..., Any], *given: Any) -> Future[Any]:
        try:
            submitted: Future[Any] = self._executor.submit(task, *given)
        except BrokenExecutor as error:
            # Whoever asks for results is told; in the thread in which helpers are served nobody would be.
            submitted = Future()
            submitted.set_exception(error)
        self._sent.add(submitted)
        submitted.add_done_callback(self._sent.discard)
        return submitted

    def _take_back(self, number: int, future: Future[Any]) -> None:
        self._done.put((number, future))
        if not future.cancelled() and future.exception() is None:
            with self._lock:
                self._free += 1
                self._hand_out()

    def _next(self) -> tuple[int, Any] | None:
        # Helpers are served in another thread: only the taking itself tells whether a part is left.
        try:
            return self._waiting.popleft()
        except IndexError:
            return None


def _prepare(parent: int, modules: tuple[str, ...]) -> None:
    """Import modules; end this process as soon as the one that started it is no more, however that ended."""

    def watch() -> None:
        while os.getppid() == parent:
            sleep(_LOOK_SECONDS)
        os._exit(1)

    Thread(target=watch, daemon=True).start()
    for name in modules:
        import_module(name)


def _begun() -> None:
    """Do nothing: helpers are started by the first task."""
