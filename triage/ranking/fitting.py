"""How the layers are fitted, with scikit-learn: lines and boosted trees from inputs and what is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from triage.ranking.fitted import Bools, Floats, Line, Trees

#: Bins that the trees see of a signal.
_BINS = 255


def fit_line(X: Any, y: Bools, weight: Floats | None, *, scaled: bool = True) -> Line:
    """Return the line of a logistic regression; ``X`` has shape (rows, inputs), ``y`` (rows,)."""
    scaler = StandardScaler().fit(X) if scaled else None
    regression = LogisticRegression(C=0.3, max_iter=3000)
    regression.fit(X if scaler is None else scaler.transform(X), y, sample_weight=weight)
    return Line.of(regression, scaler)


def fit_trees(X: Floats, y: Bools, weight: Floats | None) -> Trees:
    """Return boosted trees fitted on ``X`` of shape (rows, inputs) and ``y`` of shape (rows,)."""
    # Where rows have weights, scikit-learn sorts every column 254 times for its bins: minutes for many.
    values = X if weight is None else _binned(X)
    return Trees.of(booster().fit(values, y, sample_weight=weight))


def booster() -> HistGradientBoostingClassifier:
    """Return what is fitted: small trees, of no more leaves than :class:`Trees` can keep."""
    return HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.15,
        max_leaf_nodes=16,
        min_samples_leaf=60,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=0,
    )


def _binned(X: Floats) -> Floats:
    """Return the columns with each value replaced by the mean of its bin: at most 255, of like size."""
    columns = []
    for column in X.T:
        edges = np.unique(np.quantile(column, np.arange(1, _BINS) / _BINS))
        place = np.searchsorted(edges, column)
        means = np.bincount(place, column) / np.maximum(np.bincount(place), 1)
        columns.append(means[place])
    return np.column_stack(columns)
