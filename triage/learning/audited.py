"""One queued item with what was answered of it: the row that monitoring and fairness are worked out from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

import numpy as np

from triage.learning.metrics import Bools, Floats
from triage.review.agreement import Figure
from triage.review.labels import Decided, Queued

Answer = Literal["yes", "no", "cannot_say", ""]


@dataclass(frozen=True, slots=True)
class Audited:
    """One item as it was first queued, and the answer that counts at a moment.

    ``answer`` is that of the closed decision to "does the text disclose a crime that is not recorded?", empty
    while there is none; ``reader`` gave the first decision. ``model_id`` ranked the night that queued it.
    ``entry_probability`` is the chance with which its matter first came to be read, as in
    :class:`triage.review.labels.Queued`.
    """

    item_id: str
    record_ref: str
    root: str
    source: str
    arm: str
    inclusion_probability: float
    score_01: float
    queued_at: datetime
    model_id: str = ""
    answer: Answer = ""
    reader: str = ""
    entry_probability: float | None = 1.0

    @property
    def told(self) -> bool:
        """Whether the answer says if there is a crime."""
        return self.answer in ("yes", "no")


def audited_items(queued: Iterable[Queued], decided: Iterable[Decided]) -> tuple[Audited, ...]:
    """Return the items that were queued up to a moment with the answers that counted then.

    Who read and which model ranked is left empty.

    Parameters
    ----------
    queued, decided : iterable of Queued, iterable of Decided
        As of the same moment.
    """
    answers = {each.queued.item_id: cast("Answer", each.label.outcome.disclosed) for each in decided}
    return tuple(
        Audited(
            item_id=each.item_id,
            record_ref=each.record_ref,
            root=each.root,
            source=each.source,
            arm=each.arm,
            inclusion_probability=each.inclusion_probability,
            score_01=each.score_01,
            queued_at=each.queued_at,
            answer=answers.get(each.item_id, ""),
            entry_probability=each.entry_probability,
        )
        for each in queued
    )


def stands_for(items: Sequence[Audited]) -> Floats:
    """Return how many records each item stands for, shape (items,).

    The inverse of the chance with which it was queued, raised for items of its arm that nobody decided or
    could decide, as though these were left open by chance; 0 for an item without a yes or no.

    Source: Horvitz & Thompson 1952; the raise is the weighting-class adjustment of Little & Rubin 2019, 3.3.
    """
    weights = np.array([1 / each.inclusion_probability for each in items])
    told = np.array([each.told for each in items], dtype=bool)
    arms = np.array([each.arm for each in items])
    found = np.where(told, weights, 0.0)
    for arm in np.unique(arms):
        rows = arms == arm
        if found[rows].any():
            found[rows] *= weights[rows].sum() / found[rows].sum()
    return found


def is_yes(items: Sequence[Audited]) -> Bools:
    """Return which items disclose a crime that is not recorded, shape (items,)."""
    return np.array([each.answer == "yes" for each in items], dtype=bool)


def weighted_total(yes: Bools, weights: Floats) -> Figure:
    """Return the sum of the weights of the positives with its 95 % interval, also where there is none.

    Parameters
    ----------
    yes : array of bool, shape (items,)
        Which items are positive.
    weights : array, shape (items,)
        How many records each stands for, above 0.

    Source: Fay & Feuer 1997, Statistics in Medicine 16:791-801 (gamma interval of a weighted sum of Poisson
    counts; it covers at least 95 %).

    >>> total = weighted_total(np.array([False] * 10), np.full(10, 20.0))
    >>> total.estimate, total.low, round(total.high)
    (0.0, 0.0, 74)
    """
    from scipy.stats import chi2

    if not len(weights):
        return Figure(None, reason="no item was read")
    total, variance, most = float(weights[yes].sum()), float((weights[yes] ** 2).sum()), float(weights.max())
    low = variance / (2 * total) * chi2.ppf(0.025, 2 * total**2 / variance) if total else 0.0
    upper, spread = total + most, variance + most**2
    high = spread / (2 * upper) * chi2.ppf(0.975, 2 * upper**2 / spread)
    return Figure(total, float(low), float(high))
