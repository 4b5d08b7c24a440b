"""How much each decision counts, since auditors read what was ranked: by the inverse chance of being read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triage.review.labels import Decided, Queued

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeightReport:
    """What the weights of the decisions of a training table are, for people.

    ``decisions`` were weighed; of these ``represented`` are matters for which others already stand, and
    ``repeated`` later versions of a matter that is counted. ``largest`` is the largest weight where one read
    for certain weighs 1, before the cap; ``capped`` says how many decisions the cap ``cap`` lowered and
    ``capped_share`` which part of all weight it took away. ``effective`` is the effective sample size of the
    weights learnt with: so many decisions of equal weight would say as much.
    """

    decisions: int
    represented: int
    repeated: int
    cap: float
    largest: float
    capped: int
    capped_share: float
    effective: float


@dataclass(frozen=True, slots=True)
class Weights:
    """Two weights a decision, arrays of shape (decisions,).

    ``counting`` says how many matters of the period each stands for: its sums estimate totals without bias,
    and are for figures and calibration. ``learning`` is capped, and of mean 1 over those that can be learnt
    from; nought for the others.
    """

    counting: Floats
    learning: Floats
    report: WeightReport


def selection_weights(
    decided: Sequence[Decided], *, queued: Iterable[Queued] = (), cap: float = np.inf
) -> Weights:
    """Return weights under which decisions speak for all records of the period, not for the ranked ones.

    A matter read for certain (rule, ranked) stands for itself and weighs 1. A matter drawn into the control
    arm stands for its share of the frame, all that neither rule nor rank brought to a reader that night, and
    weighs 1/p. A matter counts once, by the way in which it came up first: if it was in a draw, was not
    drawn, and was ranked on a later night, the drawn stand for it, and it counts nought. It cannot count
    1 as well, as among the drawn, too, are some who would have been ranked later, and nobody can say which.
    Of several versions of a matter the first decided one counts.

    Not all who are queued are decided. Within who came for certain, and each stratum of the drawn, the
    decided stand for the others, as if chance had chosen whom nobody came to read.

    To learn from, a weight is capped: a few drawn records would else outweigh all others. A cap trades
    variance for bias, which docs/training.md measures. Decisions that count nought are learnt from with
    weight 1, if they have a label and their text is kept.

    Parameters
    ----------
    decided : sequence of Decided
        Closed items.
    queued : iterable of Queued
        All that were queued up to the same moment, decided or not; none for no adjustment.
    cap : float
        Largest weight learnt with, in multiples of that of a matter read for certain; at least 1.

    Source: Horvitz & Thompson 1952; one frame for units that several bring in, Lohr 2010, ch. 13; weighting
    classes, Oh & Scheuren 1983; effective sample size, Kish 1965, section 8.2; trimming, Potter 1990.
    """
    order = sorted(range(len(decided)), key=lambda place: _first_decided(decided[place]))
    seen: set[str] = set()
    represented, repeated = 0, 0
    counting = np.zeros(len(decided))
    for place in order:
        entry = decided[place].queued
        if entry.entry_probability is None:
            represented += 1
        elif entry.root in seen:
            repeated += 1
        elif decided[place].found is not None:
            counting[place] = 1.0 / entry.entry_probability
            seen.add(entry.root)
    counting *= _standing_for_unread(decided, counting, queued)
    learnt = np.array([each.found is not None and each.text == "kept" for each in decided], dtype=bool)
    raw = np.where(learnt, np.maximum(counting, 1.0), 0.0)
    held = np.minimum(raw, max(cap, 1.0))
    return Weights(
        counting,
        held / held[learnt].mean() if learnt.any() else held,
        WeightReport(
            decisions=len(decided),
            represented=represented,
            repeated=repeated,
            cap=cap,
            largest=float(raw.max(initial=0.0)),
            capped=int((raw > held).sum()),
            capped_share=float(1.0 - held.sum() / raw.sum()) if learnt.any() else 0.0,
            effective=effective_size(held),
        ),
    )


def effective_size(weights: Floats) -> float:
    """Return how many units of equal weight would say as much.

    Source: Kish 1965, Survey Sampling, section 8.2.

    >>> effective_size(np.array([1.0, 1.0])), round(effective_size(np.array([1.0, 9.0])), 2)
    (2.0, 1.22)
    """
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _first_decided(decided: Decided) -> tuple[object, ...]:
    return (decided.label.decided_at, decided.queued.queued_at, decided.queued.item_id)


def _cell(queued: Queued) -> str:
    """Return the class within which the decided stand for the others."""
    return "certain" if queued.entry_probability == 1.0 else queued.stratum


def _standing_for_unread(decided: Sequence[Decided], counting: Floats, queued: Iterable[Queued]) -> Floats:
    """Return by how much each weighs more since others of its class were not decided, shape (decisions,)."""
    matters = {each.root: each for each in queued if each.entry_probability is not None}
    came: dict[str, float] = defaultdict(float)
    for matter in matters.values():
        came[_cell(matter)] += 1.0 / (matter.entry_probability or 1.0)
    cells = [_cell(each.queued) for each in decided]
    read: dict[str, float] = defaultdict(float)
    for cell, weight in zip(cells, counting.tolist(), strict=True):
        read[cell] += weight
    return np.array([max(1.0, came[cell] / read[cell]) if read[cell] else 1.0 for cell in cells])
