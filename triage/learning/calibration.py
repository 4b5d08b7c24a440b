"""Whether probabilities said what came true, among items that were drawn with known chances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from triage.learning.audited import weighted_total
from triage.learning.metrics import Bools, Floats
from triage.review.agreement import Figure

#: Items of each kind from which on a line through them is stated.
KINDS_LEAST = 10
#: No probability is taken for certain: its logit would be infinite.
_CERTAIN = 1e-6
_STEPS, _STILL = 50, 1e-9
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Items of like score: shares in [0, 1] of what was said and what came true, weighted."""

    items: int
    predicted: float
    observed: Figure


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was said beside what came true.

    ``items`` were decided, ``yes`` of them disclose. ``effective`` is how many equally weighted items tell as
    much. ``expected`` and ``observed`` are shares of the records that the items stand for, ``ratio`` is
    observed over expected. ``intercept`` is the shift of the log odds that would make them equal (0: none
    needed) and ``slope`` how much steeper the log odds should be (1: as they are).
    """

    items: int
    yes: int
    effective: float
    expected: float | None
    observed: Figure
    ratio: Figure
    intercept: Figure
    slope: Figure
    bins: tuple[CalibrationBin, ...] = ()


def calibration(y: Bools, p: Floats, weights: Floats, *, bins: int = 4) -> Calibration:
    """Return how well probabilities are calibrated on items that stand for others.

    Parameters
    ----------
    y : array of bool, shape (items,)
        What came true.
    p : array, shape (items,)
        What was said before, in [0, 1].
    weights : array, shape (items,)
        How many records each item stands for, above 0.
    bins : int
        Bins of like weight, at most.

    Source: intercept and slope: Cox 1958, Biometrika 45:562-565, weighted, with the sandwich variance of
    Binder 1983, International Statistical Review 51:279-292; ratio: see :func:`weighted_total`.
    """
    if not len(y):
        none = Figure(None, reason="no item was decided")
        return Calibration(0, 0, 0.0, None, none, none, none, none)
    total, expected = float(weights.sum()), float(weights @ p)
    found = weighted_total(y, weights)
    intercept, slope = _lines(y, p, weights)
    return Calibration(
        items=len(y),
        yes=int(y.sum()),
        effective=float(total**2 / (weights**2).sum()),
        expected=expected / total,
        observed=share_of(found, total),
        ratio=_over(found, expected) if expected > 0 else Figure(None, reason="nothing was expected"),
        intercept=intercept,
        slope=slope,
        bins=_bins(y, p, weights, bins),
    )


def share_of(total: Figure, of: float) -> Figure:
    """Return a total with its interval as a share of a whole, at most 1."""
    assert total.estimate is not None, "the total of some items is a number"
    assert total.low is not None
    assert total.high is not None
    return Figure(total.estimate / of, total.low / of, min(total.high / of, 1.0))


def _over(total: Figure, expected: float) -> Figure:
    assert total.estimate is not None, "the total of some items is a number"
    assert total.low is not None
    assert total.high is not None
    return Figure(total.estimate / expected, total.low / expected, total.high / expected)


def _lines(y: Bools, p: Floats, weights: Floats) -> tuple[Figure, Figure]:
    """Return the intercept at slope 1, and the slope of a line through the log odds."""
    fewer = int(min(y.sum(), len(y) - y.sum()))
    if fewer < KINDS_LEAST:
        none = Figure(None, reason=f"{fewer} items of one kind, fewer than {KINDS_LEAST}")
        return none, none
    said = logit(np.clip(p, _CERTAIN, 1 - _CERTAIN))
    ones = np.ones(len(y))
    intercept = _fitted(y, np.column_stack([ones]), said, weights)
    if np.ptp(said) == 0:
        return intercept, Figure(None, reason="all were given the same score")
    return intercept, _fitted(y, np.column_stack([ones, said]), np.zeros(len(y)), weights)


def _fitted(y: Bools, x: Floats, offset: Floats, weights: Floats) -> Figure:
    """Return the last coefficient of a weighted logistic regression with its interval."""
    w = weights / weights.mean()
    b = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        mu = expit(x @ b + offset)
        score, bread = x.T @ (w * (y - mu)), (x.T * (w * mu * (1 - mu))) @ x
        if np.linalg.cond(bread) > 1 / np.finfo(float).eps:
            break
        step = np.linalg.solve(bread, score)
        # A long first step may overshoot where scores are far off.
        b = b + step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < _STILL:
            meat = (x.T * (w * (y - mu)) ** 2) @ x
            inverse = np.linalg.inv(bread)
            error = float(np.sqrt((inverse @ meat @ inverse)[-1, -1]))
            return Figure(float(b[-1]), float(b[-1]) - _Z * error, float(b[-1]) + _Z * error)
    return Figure(None, reason="the scores part the two kinds altogether")


def _bins(y: Bools, p: Floats, weights: Floats, bins: int) -> tuple[CalibrationBin, ...]:
    # Equal scores stay in one bin.
    _, place = np.unique(p, return_inverse=True)
    mass = np.bincount(place, weights)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    number = np.minimum((middle * bins).astype(int), bins - 1)[place]
    table = []
    for each in np.unique(number):
        rows = np.flatnonzero(number == each)
        total = float(weights[rows].sum())
        table.append(
            CalibrationBin(
                items=len(rows),
                predicted=float(weights[rows] @ p[rows] / total),
                observed=share_of(weighted_total(y[rows], weights[rows]), total),
            )
        )
    return tuple(table)
