"""Other processes that take a share of the work while this one does the rest; joblib's loky starts them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from importlib import import_module
from queue import SimpleQueue
from typing import Any, Self

#: Parts that a helper has at a time, so that it need not wait for the next.
_PARTS_AHEAD = 2
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
        if processes:
            from joblib.externals.loky import ProcessPoolExecutor

            # Not joblib's own pool, in which a model may have to be built meanwhile.
            self._executor = ProcessPoolExecutor(max_workers=processes, env=_ONE_THREAD)
            for _ in range(processes):
                self._executor.submit(_prepare, tuple(modules))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(kill_workers=True)

    def begin(self, parts: Sequence[Any], *, here: Callable[[Any], Any], there: Callable[[Any], Any]) -> None:
        """Let the helpers begin.

        Parameters
        ----------
        parts : sequence
            What is to be done.
        here, there : callable
            Does one part in this process, or in a helper, to which it is pickled; the result is the same.
        """
        self._here, self._there = here, there
        self._count, self._waiting = len(parts), deque(enumerate(parts))
        self._done: SimpleQueue[tuple[int, Future[Any]]] = SimpleQueue()
        for _ in range(self._processes * _PARTS_AHEAD):
            self._hand_out()

    def results(self) -> Iterator[tuple[int, Any]]:
        """Give the number of each part and its result, in any order."""
        for _ in range(self._count):
            own = self._next() if self._done.empty() else None
            if own is None:
                number, future = self._done.get()
                yield number, future.result()
            else:
                yield own[0], self._here(own[1])

    def _hand_out(self) -> None:
        """Give a helper the next part; as soon as it is done, another one."""
        given = self._next()
        if given is not None:
            future = self._executor.submit(self._there, given[1])
            future.add_done_callback(partial(self._take_back, given[0]))

    def _take_back(self, number: int, future: Future[Any]) -> None:
        self._done.put((number, future))
        if not future.cancelled() and future.exception() is None:
            self._hand_out()

    def _next(self) -> tuple[int, Any] | None:
        # Helpers are served in another thread: only the taking itself tells whether a part is left.
        try:
            return self._waiting.popleft()
        except IndexError:
            return None


def _prepare(modules: tuple[str, ...]) -> None:
    for name in modules:
        import_module(name)
