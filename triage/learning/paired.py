"""Two rankings of the same items under the same budget, drawn again together; from arrays alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from triage.learning.metrics import Bools, Floats, Ints

#: Cells of an array of draws held at a time: about 16 MB each.
_CELLS_AT_ONCE = 2_000_000
_BINS = 10
#: Steps of Newton's method: from where it starts, four leave an error far below that of the draws.
_STEPS = 4
#: Least weight of what is divided by: an invented item may weigh nothing.
_LEAST = 1e-12
#: Log-odds beyond which no intercept is told apart.
_FARTHEST = 10.0


@dataclass(frozen=True, slots=True)
class Judged:
    """Decided items of the nights of a test, all arrays of shape (items,).

    ``windows`` numbers the stretch of nights within which one budget is read. A single night will not do: a
    drawn item stands for more matters than a night reads. ``groups`` numbers the matter; items that say
    nearly the same have one number. ``missed`` says that an unrecorded crime was found. ``weights`` is how
    many eligible matters an item stands for: 1 where it was certain to be read, the inverse of its chance
    where it was drawn. ``certain`` says which of the two; ``first`` that a rule sent it to the top, whatever
    its score.
    """

    windows: Ints
    groups: Ints
    missed: Bools
    weights: Floats
    certain: Bools
    first: Bools


class Queue:
    """The order in which a model's scores put the items of each window, and what its budget reads of it.

    The budget is what was read without the draw: the weight of the ``certain`` items. An item that
    stands for many is read in part where the budget ends within it, and so are all items of one score.
    """

    def __init__(self, judged: Judged, score: Floats) -> None:
        self._order = np.lexsort((-score, ~judged.first, judged.windows))
        windows, first, score = judged.windows[self._order], judged.first[self._order], score[self._order]
        new_window = np.append(True, windows[1:] != windows[:-1])
        new_run = new_window | np.append(True, (first[1:] != first[:-1]) | (score[1:] != score[:-1]))
        self._runs = np.flatnonzero(new_run)
        self._run_of = np.cumsum(new_run) - 1
        self._starts = np.flatnonzero(new_window)
        self._window_of_run = (np.cumsum(new_window) - 1)[self._runs]
        weights, certain = judged.weights[self._order], judged.certain[self._order]
        read = np.add.reduceat(weights * certain, self._starts)
        self._share = read / np.add.reduceat(weights, self._starts)

    def read(self, weights: Floats) -> Floats:
        """Return how much of each item is read, in [0, 1], shape (draws, items), given weights so shaped."""
        ordered = weights[:, self._order]
        windows = np.add.reduceat(ordered, self._starts, axis=1)
        runs = np.add.reduceat(ordered, self._runs, axis=1)
        begins = np.cumsum(windows, axis=1) - windows
        before = np.cumsum(runs, axis=1) - runs - begins[:, self._window_of_run]
        left = (windows * self._share)[:, self._window_of_run] - before
        read = np.empty_like(weights)
        shares = np.clip(left / np.maximum(runs, _LEAST), 0.0, 1.0)
        read[:, self._order] = shares[:, self._run_of]
        return read


class Precision:
    """Average precision of scores over all items together, in weights; equal scores stand in one place."""

    def __init__(self, missed: Bools, score: Floats) -> None:
        self._order = np.argsort(-score, kind="stable")
        ordered = score[self._order]
        self._runs = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        self._missed = missed[self._order]

    def of(self, weights: Floats) -> Floats:
        """Return one figure a draw, shape (draws,), of weights of shape (draws, items)."""
        ordered = weights[:, self._order]
        gains = np.add.reduceat(ordered * self._missed, self._runs, axis=1)
        found = np.cumsum(gains, axis=1)
        seen = np.cumsum(np.add.reduceat(ordered, self._runs, axis=1), axis=1)
        return np.asarray((gains * found / seen).sum(axis=1) / found[:, -1])


class Calibration:
    """How far probabilities are from what came true: in bins that take like parts of the stream, and in all.

    Source: expected calibration error, Naeini, Cooper & Hauskrecht 2015; calibration in the large as the
    intercept of a logistic line of slope 1, Cox 1958.
    """

    def __init__(self, judged: Judged, p: Floats) -> None:
        _, place = np.unique(p, return_inverse=True)
        mass = np.bincount(place, judged.weights)
        middle = (np.cumsum(mass) - mass / 2) / mass.sum()
        number = np.minimum((middle * _BINS).astype(np.int64), _BINS - 1)[place]
        self._bins = (number[:, None] == np.arange(_BINS)).astype(float)
        self._missed, self._p = judged.missed.astype(float), p
        held = np.clip(p, 1e-6, 1 - 1e-6)
        self._logit = np.log(held) - np.log1p(-held)

    def error(self, weights: Floats) -> Floats:
        """Return the mean distance of what was said from what came true, shape (draws,)."""
        apart = (weights * (self._p - self._missed)) @ self._bins
        return np.asarray(np.abs(apart).sum(axis=1) / weights.sum(axis=1))

    def intercept(self, weights: Floats) -> Floats:
        """Return the log-odds that all probabilities lack, shape (draws,); 0 where they are right in all."""
        total = weights.sum(axis=1)
        wanted = np.clip(weights @ self._missed / total, 1e-6, 1 - 1e-6)
        said = np.clip(weights @ self._p / total, 1e-6, 1 - 1e-6)
        at = np.log(wanted / (1 - wanted)) - np.log(said / (1 - said))
        for _ in range(_STEPS):
            p = 1.0 / (1.0 + np.exp(-(self._logit[None, :] + at[:, None])))
            slope = np.maximum((weights * p * (1 - p)).sum(axis=1) / total, 1e-9)
            step = (wanted - (weights * p).sum(axis=1) / total) / slope
            at = np.clip(at + np.clip(step, -1.0, 1.0), -_FARTHEST, _FARTHEST)
        return np.asarray(at)


@dataclass(frozen=True, slots=True)
class Extended:
    """Items with invented ones behind them, which weigh something in draws alone.

    ``scores`` of shape (2, invented) says where champion and challenger put them: first, or last. The weight
    of each is ``sizes`` times a gamma variate of the shape ``shapes``, both of shape (invented,).
    """

    judged: Judged
    scores: Floats
    sizes: Floats
    shapes: Floats


def extend(judged: Judged, champion: Floats, challenger: Floats) -> Extended:
    """Return the items with invented ones, so that what a few items happen to say does not pass for certain.

    Without them a handful of disagreements that fall on one side would leave no doubt, and the few drawn
    items that a model reads, of which often none is missed, would say that there is nothing to be found
    where nobody read. Each model has, first in its own list and last in the other's: one missed item of the
    size of those found with certainty; and two drawn ones, missed as often as what it reads, as far as its
    list is made of drawn items at all.

    Parameters
    ----------
    judged : Judged
        The items.
    champion, challenger : array, shape (items,)
        How much of each item they read, in [0, 1].

    Source: one disagreement for either side, Bonett & Price 2012, Statistical Methods in Medical Research 21,
    583-597; two invented observations for a share, Laplace's rule, with the prior centred on no difference.
    """
    windows = np.unique(judged.windows)
    missed = np.tile([True, True, False], 2 * len(windows))
    sizes, shapes, scores = [], [], []
    loose = judged.weights[~judged.certain]
    size = float(loose.mean()) if len(loose) else 1.0
    read = judged.weights * champion
    found = float((read * judged.missed).sum() / read.sum())
    for which, share in enumerate((champion, challenger)):
        first = np.where(np.arange(2)[:, None] == which, np.inf, -np.inf)
        for window in windows:
            rows = judged.windows == window
            mass = judged.weights[rows] * share[rows]
            drawn = float(mass[~judged.certain[rows]].sum() / mass.sum()) if mass.any() else 0.0
            each = 2 * drawn / len(windows)
            sizes += [1.0, size, size]
            shapes += [1.0 / len(windows), each * found, each * (1 - found)]
            scores.append(np.repeat(first, 3, axis=1))
    number = int(judged.groups.max()) + 1
    return Extended(
        judged=Judged(
            windows=np.append(judged.windows, np.tile(np.repeat(windows, 3), 2)),
            groups=np.append(judged.groups, number + np.arange(len(sizes))),
            missed=np.append(judged.missed, missed),
            weights=np.append(judged.weights, np.zeros(len(sizes))),
            certain=np.append(judged.certain, np.zeros(len(sizes), dtype=bool)),
            first=np.append(judged.first, np.zeros(len(sizes), dtype=bool)),
        ),
        scores=np.hstack(scores),
        sizes=np.array(sizes),
        shapes=np.array(shapes),
    )


def drawn_weights(
    judged: Judged, extended: Extended, *, seed: int, draws: int
) -> Iterator[tuple[Floats, Floats]]:
    """Give the weights of items and of invented ones in many draws of the groups.

    In parts of shape (some draws, items) and (some draws, invented). Every group gets a random weight of
    mean 1, the same for all of its items and for both models.

    Source: the Bayesian bootstrap, Rubin 1981, Annals of Statistics 9, 130-134: as the bootstrap over
    groups, without draws that lack all positives.
    """
    _, number = np.unique(judged.groups, return_inverse=True)
    groups = int(number.max()) + 1
    generator = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // len(number))
    for begin in range(0, draws, at_once):
        rows = min(at_once, draws - begin)
        weights = generator.standard_exponential((rows, groups))[:, number] * judged.weights
        invented = generator.standard_gamma(extended.shapes, (rows, len(extended.shapes))) * extended.sizes
        yield weights, invented
