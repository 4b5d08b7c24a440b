"""What fitted parts keep, lines and trees as plain arrays, so that scoring need not load scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_Leaves = npt.NDArray[np.uint16]
#: Margin of a label that no example bears.
FLOOR = -6.0
#: Margin where a clause would stand and none does.
NO_CLAUSE = -3.0
#: Leaves of a tree, at most: one bit for each.
MOST_LEAVES = 16
_ALL = np.uint16(0xFFFF)
#: Probabilities are held away from 0 and 1 by this.
NEAREST = 1e-6


@dataclass(frozen=True, slots=True)
class Line:
    """Log-odds that are a weighted sum of inputs; ``weights`` has shape (inputs,)."""

    weights: Floats
    intercept: float

    @classmethod
    def of(cls, regression: Any, scaler: Any = None) -> Self:
        """Return the line of a fitted logistic regression, with the scaling of what it was fitted on."""
        weights, intercept = regression.coef_[0], float(regression.intercept_[0])
        if scaler is None:
            return cls(weights, intercept)
        weights = weights / scaler.scale_
        return cls(weights, intercept - float(scaler.mean_ @ weights))

    def margins(self, X: Any, shared: Floats | None = None) -> Floats:
        """Return log-odds, shape (rows,); see :meth:`Trees.margins` of what is shared, and of errors."""
        own = _own_inputs(X, shared, len(self.weights))
        found = np.asarray(X @ self.weights[:own])
        if shared is not None and len(shared):
            found += np.repeat(shared @ self.weights[own:], len(found) // len(shared))
        return found + self.intercept


@dataclass(frozen=True, slots=True)
class Trees:
    """Boosted trees, each read by the leaves that its conditions leave over.

    A condition that a value fails leaves over only leaves on its right. ``thresholds`` holds those of each
    input in their order, and ``left`` for each number of them that a value exceeds the leaves of every tree
    that these conditions leave over, shape (thresholds + 1, trees), a bit a leaf. The first leaf left over by
    all is where a row ends; ``values`` of shape (trees, 16) says what it adds to ``baseline``.

    Source: QuickScorer, Lucchese and others 2015.
    """

    baseline: float
    thresholds: tuple[Floats, ...]
    left: tuple[_Leaves, ...]
    values: Floats

    @classmethod
    def of(cls, booster: Any) -> Self:
        """Return the trees of a fitted ``HistGradientBoostingClassifier`` of two classes.

        Raises
        ------
        ValueError
            If a tree has more than 16 leaves.
        """
        # scikit-learn has no public way to its trees' nodes; the tests hold them to its own predictions.
        nodes = [stage[0].nodes for stage in booster._predictors]
        values = np.zeros((len(nodes), MOST_LEAVES))
        cuts: list[list[tuple[float, int, int]]] = [[] for _ in range(booster.n_features_in_)]
        for tree, its_nodes in enumerate(nodes):
            leaves = its_nodes["value"][_in_order(its_nodes, 0)]
            if len(leaves) > MOST_LEAVES:
                raise ValueError(f"a tree has {len(leaves)} leaves; at most {MOST_LEAVES} can be kept")
            values[tree, : len(leaves)] = leaves
            for feature, threshold, lost in _conditions(its_nodes):
                cuts[feature].append((threshold, tree, lost))
        thresholds = tuple(np.unique([threshold for threshold, _, _ in each]) for each in cuts)
        left = []
        for its_thresholds, each in zip(thresholds, cuts, strict=True):
            kept = np.full((len(its_thresholds) + 1, len(nodes)), _ALL)
            for threshold, tree, lost in each:
                kept[np.searchsorted(its_thresholds, threshold) + 1, tree] &= ~np.uint16(lost)
            left.append(np.bitwise_and.accumulate(kept, axis=0))
        return cls(float(np.ravel(booster._baseline_prediction)[0]), thresholds, tuple(left), values)

    def margins(self, X: Floats, shared: Floats | None = None) -> Floats:
        """Return log-odds, shape (rows,).

        Parameters
        ----------
        X : ndarray of shape (rows, inputs)
            Finite values.
        shared : ndarray of shape (rows / k, further inputs), optional
            Inputs after those of ``X`` that every k rows, one after the other, have in common.

        Raises
        ------
        ValueError
            If the inputs are not as many as the trees were fitted on, or the rows do not share them evenly.
        """
        own = _own_inputs(X, shared, len(self.thresholds))
        left = self._left_over(X, 0)
        if shared is not None and len(shared):
            left &= np.repeat(self._left_over(shared, own), len(X) // len(shared), axis=0)
        found = np.full(len(X), self.baseline)
        for values, leaves in zip(self.values, np.ascontiguousarray(left.T), strict=True):
            found += values[_FIRST[leaves]]
        return found

    def _left_over(self, X: Floats, first: int) -> _Leaves:
        """Return the leaves that conditions on the columns of ``X`` leave over, shape (rows, trees)."""
        found = np.full((len(X), len(self.values)), _ALL)
        conditions = zip(X.T, self.thresholds[first:], self.left[first:], strict=False)
        for values, thresholds, left in conditions:
            if len(thresholds):
                found &= left[np.searchsorted(thresholds, np.ascontiguousarray(values))]
        return found


#: The place of the lowest bit of every number of 16 bits.
_FIRST = np.zeros(2**16, dtype=np.uint8)
for _bit in reversed(range(MOST_LEAVES)):
    _FIRST[1 << _bit :: 2 << _bit] = _bit


def _own_inputs(X: Any, shared: Floats | None, inputs: int) -> int:
    """Return how many inputs rows have of their own; all together must be as many as were fitted on."""
    rows, own = int(X.shape[0]), int(X.shape[1])
    more = 0 if shared is None else shared.shape[1]
    if own + more != inputs:
        raise ValueError(f"{own + more} inputs were given; it was fitted on {inputs}")
    if shared is not None and (rows % len(shared) if len(shared) else rows):
        raise ValueError(f"{rows} rows cannot share {len(shared)} evenly")
    return own


def _in_order(nodes: npt.NDArray[Any], at: int) -> list[int]:
    """Return the leaves below a node, from left to right."""
    node = nodes[at]
    if node["is_leaf"]:
        return [at]
    return [*_in_order(nodes, int(node["left"])), *_in_order(nodes, int(node["right"]))]


def _conditions(nodes: npt.NDArray[Any]) -> list[tuple[int, float, int]]:
    """Return input, threshold and the leaves lost by a larger value, of each condition of a tree."""
    places = {leaf: place for place, leaf in enumerate(_in_order(nodes, 0))}
    return [
        (
            int(node["feature_idx"]),
            float(node["num_threshold"]),
            sum(1 << places[leaf] for leaf in _in_order(nodes, int(node["left"]))),
        )
        for node in nodes
        if not node["is_leaf"]
    ]


def noisy_or(p: Floats) -> Floats:
    """Return the probability of at least one of independent events, shape (records,) of (records, events).

    >>> noisy_or(np.array([[0.5, 0.5]])).tolist()
    [0.75]
    """
    return np.asarray(-np.expm1(np.log1p(-np.minimum(p, 1 - 1e-9)).sum(axis=1)))


def expit(margins: Floats) -> Floats:
    """Return the probabilities of log-odds of any shape, however large."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -margins)))


def logit(p: Floats) -> Floats:
    """Return the log-odds of probabilities of any shape, held away from 0 and 1 by a millionth."""
    held = np.clip(p, NEAREST, 1 - NEAREST)
    return np.asarray(np.log(held) - np.log1p(-held))
