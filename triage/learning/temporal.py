"""Past nights in the order of time: what was known when, and which nights may judge whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from triage.learning.metrics import Bools, Ints
from triage.reading.linking import Matter
from triage.review.labels import Decided, Queued


@dataclass(frozen=True, slots=True)
class Material:
    """What models are built from and judged on, as of any moment.

    ``decided`` and ``queued`` give the closed items and all queued items as of a moment. ``corpus`` are
    labelled files, empty for the corpus that ships, None for none; ``history`` are past records with their
    crimes, read from extracts of the ``digests``. ``groups`` maps a kind of group to the value of each record
    by its reference: for reports alone, never learnt from.
    """

    decided: Callable[[datetime], Sequence[Decided]]
    queued: Callable[[datetime], Sequence[Queued]]
    corpus: Sequence[Path] | None = ()
    history: Sequence[Matter] = ()
    digests: Sequence[str] = ()
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive nights of a test, which a challenger fitted before the first of them ranks again.

    ``nights`` are their as-of moments in order; ``cut_off`` is the first of them: nothing that was decided
    or recorded later is learnt from.
    """

    nights: tuple[datetime, ...]

    @property
    def cut_off(self) -> datetime:
        """The moment that divides what may be learnt from and what judges."""
        return self.nights[0]


def windows(
    nights: Iterable[datetime], *, champion_knew: datetime | None, nights_most: int, parts: int = 1
) -> tuple[Window, ...]:
    """Return the windows in which challengers and champion are judged side by side, in order of time.

    The test is always later than what was learnt: it is the last nights, and only such as came after all that
    the champion knew, for both alike. Each part has a cut-off of its own, before which a challenger is fitted
    anew.

    Parameters
    ----------
    nights : iterable of datetime
        The nights, by their as-of moments, of all items whose decisions are known; in any order.
    champion_knew : datetime or None
        The latest moment of what the champion learnt from; None if it learnt from no record of this force.
    nights_most : int
        Most nights of the test.
    parts : int
        How many windows the test is cut into, at most one a night.

    Returns
    -------
    tuple of Window
        Empty where no night came after what the champion knew.

    Source: rolling-origin evaluation, Tashman 2000, International Journal of Forecasting 16, 437-450.

    >>> days = [datetime(2026, 3, day) for day in (1, 2, 3, 4)]
    >>> [len(each.nights) for each in windows(days, champion_knew=days[0], nights_most=9, parts=2)]
    [2, 1]
    """
    later = sorted({night for night in nights if champion_knew is None or night > champion_knew})
    test = later[-nights_most:]
    sizes = [len(each) for each in np.array_split(np.arange(len(test)), max(1, min(parts, len(test))))]
    ends = np.cumsum(sizes).tolist()
    return tuple(Window(tuple(test[end - size : end])) for size, end in zip(sizes, ends, strict=True) if size)


def known_at(cut_off: datetime, label_lag_days: float) -> datetime:
    """Return up to when a decision must have been made to count as known at a moment."""
    return cut_off - timedelta(days=label_lag_days)


def apart(groups: Ints, known: Ints) -> Bools:
    """Return which items of a test are of no group that somebody may have learnt from, shape (items,).

    >>> apart(np.array([1, 2, 2]), np.array([2, 7])).tolist()
    [True, False, False]
    """
    return np.asarray(~np.isin(groups, known))
