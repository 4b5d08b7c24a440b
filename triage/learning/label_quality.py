"""Decisions that the other decisions contradict, for the registrar to look at again; none is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack
from scipy.special import logit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from triage.learning.metrics import Floats, Ints

#: Decisions of each kind from which on others can contradict one.
KIND_LEAST = 30
_FOLDS = 5
_CERTAIN = 1e-4
_WORD = r"[^\W\d_]{2,}"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One label that the others contradict: its place, the label that they suggest, and how strongly.

    ``margin`` in (0, 1] is the probability of the suggested label less that of the given one.
    """

    place: int
    given: int
    suggested: int
    margin: float


def doubts(labels: Ints, p: Floats) -> tuple[Doubt, ...]:
    """Return the labels that probabilities contradict, the strongest first.

    A record counts for a label if its probability reaches the mean probability among the records so
    labelled; it is doubted if the likeliest of the labels that it counts for is another than the given one.

    Parameters
    ----------
    labels : array of int, shape (records,)
        The label given to each record, from 0; each label is given at least once.
    p : array, shape (records, labels)
        Probabilities by a model that did not learn from the record itself, rows adding up to 1.

    Source: Northcutt, Jiang & Chuang 2021, Confident Learning, Journal of Artificial Intelligence Research
    70:1373-1411, equations 1 and 2; ranked by normalised margin, section 3.2.

    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8]])
    >>> [(each.place, each.suggested) for each in doubts(np.array([0, 0, 0, 1, 1]), p)]
    [(2, 1)]
    """
    rows = np.arange(len(labels))
    threshold = np.array([p[labels == label, label].mean() for label in range(p.shape[1])])
    confident = np.where(p >= threshold, p, -1.0)
    suggested = confident.argmax(axis=1)
    counts = confident[rows, suggested] >= 0
    margin = p[rows, suggested] - p[rows, labels]
    found = [
        Doubt(int(row), int(labels[row]), int(suggested[row]), float(margin[row]))
        for row in np.flatnonzero(counts & (suggested != labels) & (margin > 0))
    ]
    return tuple(sorted(found, key=lambda each: (-each.margin, each.place)))


def out_of_fold(
    texts: Sequence[str],
    score_01: Floats,
    labels: Ints,
    groups: Sequence[str],
    *,
    seed: int = 0,
) -> Floats:
    """Return how likely each label is by a model that learnt from other matters alone, shape (records, 2).

    A logistic regression on the words of the text and on the score with which the item was queued, which is
    from before its decision.

    Parameters
    ----------
    texts : sequence of str
        What was read.
    score_01 : array, shape (records,)
        Scores in [0, 1].
    labels : array of int, shape (records,)
        0 and 1, each for ``KIND_LEAST`` records or more.
    groups : sequence of str
        Records of one group are alike and never on both sides.
    seed : int
        The same seed gives the same folds.
    """
    features = _features(texts, score_01)
    p = np.zeros((len(labels), 2))
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    for learnt, held in folds.split(features, labels, np.asarray(groups)):
        model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000)
        p[held] = model.fit(features[learnt], labels[learnt]).predict_proba(features[held])
    return p


def _features(texts: Sequence[str], score_01: Floats) -> csr_matrix:
    """Return word features, which no label shapes, and the log odds of the score as one column more."""
    words = TfidfVectorizer(token_pattern=_WORD, ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    odds: npt.NDArray[np.float64] = logit(np.clip(score_01, _CERTAIN, 1 - _CERTAIN))
    spread = float(odds.std()) or 1.0
    column = csr_matrix(((odds - odds.mean()) / spread)[:, np.newaxis])
    try:
        counted = words.fit_transform(texts)
    except ValueError:
        # No word stands in two texts: the score alone is left.
        return column
    return csr_matrix(hstack([counted, column]))
