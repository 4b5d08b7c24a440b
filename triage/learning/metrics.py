"""What a ranking is worth, from arrays alone: nothing here knows records, models or files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]
#: The last bits of a sum of weights depend on their order; they must not decide what is read.
_HAIR = 1e-9


@dataclass(frozen=True, slots=True)
class Bin:
    """Records of like score: what was said of them and what came true, with a 95 % interval.

    ``predicted``, ``observed``, ``low`` and ``high`` are shares of a stream of the stated prevalence, of
    which the bin takes the share ``weight``; ``records`` and ``missed`` are counts.
    """

    records: int
    missed: int
    weight: float
    predicted: float
    observed: float
    low: float
    high: float


def prevalence_weights(y: Bools, prevalence: float) -> Floats:
    """Return weights of mean 1 under which a stated share of the records is positive.

    Parameters
    ----------
    y : array of bool, shape (records,)
        Which records are positive; some must be, and some not.
    prevalence : float
        The share wanted, between 0 and 1.

    Raises
    ------
    ValueError
        If all records are of one kind, which no weights can mend.

    Source: weighting by the inverse of the chance to be chosen, Horvitz & Thompson 1952.

    >>> prevalence_weights(np.array([True, False, False, False]), 0.4).tolist()
    [1.6, 0.7999999999999999, 0.7999999999999999, 0.7999999999999999]
    """
    share = y.mean()
    if not 0 < share < 1:
        raise ValueError("records of both kinds are needed")
    return np.asarray(np.where(y, prevalence / share, (1 - prevalence) / (1 - share)))


def roc_auc(y: Bools, score: Floats) -> float | None:
    """Return the chance that a positive goes before a negative, a tie counting half; None of one kind only.

    >>> roc_auc(np.array([True, False, False]), np.array([0.5, 0.5, 0.1]))
    0.75
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y, score)) if 0 < y.sum() < len(y) else None


def average_precision(y: Bools, score: Floats, weights: Floats) -> float:
    """Return the mean precision over the places of the positives, both in weights."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(y, score, sample_weight=weights))


def is_read(order: Ints, weights: Floats, share: float) -> Bools:
    """Return which places of an order are read when a share of all weight is, shape (records,).

    A record that would pass the share is not read, nor is any after it.

    >>> is_read(np.array([2, 0, 1]), np.array([1.0, 1.0, 2.0]), 0.75).tolist()
    [True, True, False]
    """
    return np.asarray(np.cumsum(weights[order]) / weights.sum() <= share + _HAIR)


def recall_at(y: Bools, score: Floats, weights: Floats, share: float) -> float:
    """Return the share of the positives that is found when the top of the ranking is read.

    Parameters
    ----------
    y : array of bool, shape (records,)
        Which records are known to be positive.
    score : array, shape (records,)
        The highest is read first; equal ones in their order in the array.
    weights : array, shape (records,)
        How much of the stream each record stands for.
    share : float
        The part of the stream that is read, 0 to 1.
    """
    order = np.argsort(-score, kind="stable")
    read = is_read(order, weights, share)
    return float(weights[order][read & y[order]].sum() / weights[y].sum())


def recall_bounds(
    y: Bools, labelled: Bools, score: Floats, weights: Floats, share: float
) -> tuple[float, float]:
    """Return the least and the most of the positives that reading the top may find.

    The worst case puts the positives last among equal scores and makes every unlabelled record positive
    that is left unread; the best case puts them first, and makes those positive that are read. With equal
    weights no labels and no order of ties can lead beyond the bounds.

    Parameters
    ----------
    y, labelled : array of bool, shape (records,)
        Which records are known to be positive, and of which anything is known.
    score, weights : array, shape (records,)
        As for :func:`recall_at`.
    share : float
        The part of the stream that is read, 0 to 1.
    """
    known, unknown = weights[y & labelled].sum(), ~labelled
    # 0 is sought, 1 unknown, 2 of no use: the best order among equals, and backwards the worst.
    kind = np.where(unknown, 1, np.where(y, 0, 2))
    found = []
    for direction in (-1, 1):
        order = np.lexsort((direction * kind, -score))
        read = np.zeros(len(y), dtype=bool)
        read[order] = is_read(order, weights, share)
        positive = (y & labelled) & read
        turned = weights[unknown & (read if direction == 1 else ~read)].sum()
        gained = turned if direction == 1 else 0.0
        found.append(float((weights[positive].sum() + gained) / (known + turned)))
    return found[0], found[1]


def figures_in_order(y: Bools, weights: Floats, shares: Sequence[float]) -> tuple[float, ...]:
    """Return ROC-AUC, average precision and the recalls at some shares of records without ties.

    The figures of scikit-learn and :func:`recall_at` at a hundredth of their time, which resampling needs.

    Parameters
    ----------
    y, weights : array, shape (records,)
        Which records are positive and how much each stands for, above 0, in reading order.
    shares : sequence of float
        Parts of the stream that are read, 0 to 1.

    >>> figures_in_order(np.array([True, False, False, True]), np.ones(4), [0.25])
    (0.5, 0.75, 0.5)
    """
    gain, seen = weights * y, np.cumsum(weights)
    found = np.cumsum(gain)
    positive, negative = found[-1], seen[-1] - found[-1]
    read = seen / seen[-1]
    return (
        float(1 - gain @ (seen - found) / (positive * negative)),
        float(gain @ (found / seen) / positive),
        *(float(gain[read <= share + _HAIR].sum() / positive) for share in shares),
    )


def pair_wins(y: Bools, score: Floats, pairs: Names) -> Bools:
    """Return for every contrast pair whether its positive goes before its negative, shape (pairs,).

    Parameters
    ----------
    y, score : array, shape (records,)
        Which records are positive, and their scores.
    pairs : array of str, shape (records,)
        The name of the pair that a record belongs to, empty for none. A name that does not stand for
        exactly one positive and one negative is no pair.

    >>> y, score = np.array([True, False, True, False]), np.array([0.9, 0.1, 0.2, 0.3])
    >>> pair_wins(y, score, np.array(["a", "a", "b", "b"])).tolist()
    [True, False]
    """
    wins = []
    for name in np.unique(pairs[pairs != ""]):
        rows = pairs == name
        if rows.sum() == 2 and y[rows].sum() == 1:
            wins.append(bool(score[rows & y][0] > score[rows & ~y][0]))
    return np.array(wins, dtype=bool)


def wilson(found: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of independent records.

    Source: Wilson 1927, as SciPy computes it; it holds its level for small counts.

    >>> [round(each, 3) for each in wilson(9, 10)]
    [0.596, 0.982]
    """
    from scipy.stats import binomtest

    interval = binomtest(found, of).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def reliability(y: Bools, p: Floats, prevalence: float, bins: int = 10) -> tuple[Bin, ...]:
    """Return what probabilities say beside what came true, in bins that take like parts of the stream.

    Equal probabilities stay in one bin, so that there may be fewer bins than asked for.

    Parameters
    ----------
    y : array of bool, shape (records,)
        Which records are positive.
    p : array, shape (records,)
        Probabilities at the stated prevalence.
    prevalence : float
        The share of positives in the stream that the records stand for.
    bins : int
        Most bins.
    """
    weights = prevalence_weights(y, prevalence)
    _, place = np.unique(p, return_inverse=True)
    mass = np.bincount(place, weights)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    number = np.minimum((middle * bins).astype(int), bins - 1)[place]
    positive, negative = prevalence / y.mean(), (1 - prevalence) / (1 - y.mean())

    def of_stream(share: float) -> float:
        return float(positive * share / (positive * share + negative * (1 - share)))

    table = []
    for each in np.unique(number):
        rows = number == each
        records, missed = int(rows.sum()), int(y[rows].sum())
        low, high = wilson(missed, records)
        table.append(
            Bin(
                records=records,
                missed=missed,
                weight=float(weights[rows].sum() / weights.sum()),
                predicted=float(np.average(p[rows], weights=weights[rows])),
                observed=of_stream(missed / records),
                low=of_stream(low),
                high=of_stream(high),
            )
        )
    return tuple(table)


def calibration_error(table: Sequence[Bin]) -> float:
    """Return the expected calibration error: the mean distance of what was said from what came true.

    Source: Naeini, Cooper & Hauskrecht 2015, with bins of equal mass.
    """
    return sum(each.weight * abs(each.predicted - each.observed) for each in table)


def bootstrap_intervals(
    figures: Callable[[Ints], Sequence[float]],
    clusters: npt.NDArray[np.generic],
    *,
    seed: int,
    resamples: int = 1000,
) -> Floats:
    """Return 95 % percentile intervals of figures, shape (figures, 2), drawing whole clusters.

    Records of one pair, or by one author, are alike: drawing them one by one would say that more is
    known than is.

    Parameters
    ----------
    figures : callable
        Given how many times each record was drawn, shape (records,), returns the figures; NaN for one that
        these records cannot have. Such a resample is left out for that figure, and a figure that no
        resample has gets the interval NaN.
    clusters : array, shape (records,)
        What each record belongs to.
    seed : int
        The same seed gives the same intervals.
    resamples : int
        How many are drawn.

    Source: the cluster bootstrap, Davison & Hinkley 1997, section 3.8.
    """
    names, number = np.unique(clusters, return_inverse=True)
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        times = np.bincount(generator.integers(0, len(names), len(names)), minlength=len(names))
        drawn.append(figures(times[number]))
    return np.array(
        [
            np.quantile(column[~np.isnan(column)], (0.025, 0.975))
            if not np.isnan(column).all()
            else (np.nan, np.nan)
            for column in np.array(drawn, dtype=float).T
        ]
    )
