"""How far a long step is: a bar in a terminal, otherwise a line of counts now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

#: Told how many are done, of how many (None while that is unknown), and of what.
Report = Callable[[int, int | None, str], None]
SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def shown(console: Console, log: Callable[[str], None], step: str) -> Iterator[Report]:
    """Give a function that is told how far a step is.

    Parameters
    ----------
    console : Console
        Where the bar stands if it is a terminal.
    log : callable
        Takes a line of counts; used where there is no terminal, and once at the end.
    step : str
        What is done, such as ``scored``.
    """
    said: dict[str, tuple[int, int | None]] = {}
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bars:
            tasks = {}

            def show(done: int, total: int | None, what: str) -> None:
                said[what] = (done, total)
                if what not in tasks:
                    tasks[what] = bars.add_task(f"{step} {what}")
                bars.update(tasks[what], completed=done, total=total)

            yield show
    else:
        last = time.monotonic()

        def tell(done: int, total: int | None, what: str) -> None:
            nonlocal last
            said[what] = (done, total)
            if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                log(_line(step, what, done, total))

        yield tell
    for what, (done, total) in said.items():
        log(_line(step, what, done, total))


def _line(step: str, what: str, done: int, total: int | None) -> str:
    return f"{step} {what}: {done}" + ("" if total is None else f" of {total}")
