"""A challenger beside the champion on the same past nights: figures, paired intervals and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from triage.learning.fairness import hidden_cells
from triage.learning.metrics import Bools, Floats, Names
from triage.learning.paired import Calibration, Extended, Judged, Precision, Queue, drawn_weights, extend

#: What a comparison can end with.
VERDICTS = ("better", "not worse", "worse", "not enough evidence")
_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Rule:
    """By what the verdict is spoken; see docs/retrain.md.

    ``gain_min`` and ``loss_max`` are shares of what the champion finds within the budget: the least gain that
    is one, and the largest loss that is none. ``calibration_loss_max`` is that of the calibration error.
    ``missed_min`` is the least number of items with an unrecorded crime, ``cell_missed_min`` that of a
    family, source or group that is looked at by itself.
    """

    gain_min: float = 0.0
    loss_max: float = 0.1
    calibration_loss_max: float = 0.05
    missed_min: int = 30
    cell_missed_min: int = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of both models; ``difference`` is challenger minus champion, with its interval."""

    name: str
    champion: float
    challenger: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cell:
    """Recall at the budget within a part of the items: a family, a source, a group.

    ``missed`` counts items; the figures are None where these are fewer than ``cell_missed_min``.
    """

    kind: str
    name: str
    missed: int
    recall: Figure | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both models on the same nights.

    ``items`` and ``missed`` count decided items, ``stand_for`` the eligible matters that these stand for and
    ``effective_items`` how many items of one weight would tell as much. ``overlap`` is the share of what the
    champion reads by score that the challenger reads too. ``level`` is that of the intervals.
    """

    items: int
    missed: int
    stand_for: float
    effective_items: float
    overlap: float
    figures: tuple[Figure, ...]
    cells: tuple[Cell, ...]
    level: float
    seed: int

    def figure(self, name: str) -> Figure:
        """Return the figure of a name."""
        return next(each for each in self.figures if each.name == name)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of ``VERDICTS`` with the sentence that it rests on, and what a person should look at first."""

    word: str
    reason: str
    cautions: tuple[str, ...] = ()


def compare(
    judged: Judged,
    champion: Floats,
    challenger: Floats,
    *,
    families: Bools,
    family_names: Sequence[str],
    cells: Mapping[str, Names],
    rule: Rule,
    comparisons: int = 1,
    seed: int = 0,
    draws: int = _DRAWS,
) -> Comparison:
    """Return what two models are worth on the same nights, under the budget that was read.

    Parameters
    ----------
    judged : Judged
        Decided items; some must be missed, and some not.
    champion, challenger : array, shape (items,)
        Their ``score_01``.
    families : array of bool, shape (items, families)
        Which families were found unrecorded.
    family_names : sequence of str
        Their names.
    cells : mapping of str to array, shape (items,)
        Kind, such as ``source``, to the part that each item belongs to; empty for none.
    rule : Rule
        For the smallest part that is looked at by itself.
    comparisons : int
        Challengers judged on these nights: intervals of level 1 - 0.05 / comparisons hold for all together.
    seed : int
        Seed of the intervals.
    draws : int
        How many they rest on.

    Source: paired bootstrap, Davison & Hinkley 1997; Bonferroni for several; invented items as
    :func:`triage.learning.paired.extend` says.
    """
    level = 1.0 - 0.05 / comparisons
    parts = list(_parts(judged, families, family_names, cells))
    subsets = np.column_stack([judged.missed, *(rows for _, _, rows in parts)])
    point = judged.weights[None, :]
    shares = [Queue(judged, score).read(point)[0] for score in (champion, challenger)]
    extended = extend(judged, *shares)
    every = np.vstack(
        [subsets, extended.judged.missed[len(subsets) :, None] * subsets[judged.missed].mean(axis=0)]
    )
    models = [
        _Model(judged, extended, score, every, which=which)
        for which, score in enumerate((champion, challenger))
    ]
    none = np.zeros((1, len(extended.shapes)))
    one, other = (model.figures(point, none)[0] for model in models)
    drawn = np.concatenate(
        [
            _difference(*(model.figures(weights, invented) for model in models))
            for weights, invented in drawn_weights(judged, extended, seed=seed, draws=draws)
        ]
    )
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2), axis=0)
    measured = [
        Figure(name, *(float(each[at]) for each in (one, other, _difference(one, other), low, high)))
        for at, name in enumerate((*_NAMES, *("recall" for _ in parts)))
    ]
    counts = subsets.sum(axis=0)
    small = _small(judged, cells, rule.cell_missed_min)
    by_score = [np.where(judged.first, 0.0, share) * judged.weights for share in shares]
    read = float(by_score[0].sum())
    return Comparison(
        items=len(judged.missed),
        missed=int(counts[0]),
        stand_for=float(judged.weights.sum()),
        effective_items=float(judged.weights.sum() ** 2 / (judged.weights**2).sum()),
        overlap=float(np.minimum(*by_score).sum() / read) if read else 1.0,
        figures=tuple(measured[: len(_NAMES)]),
        cells=tuple(
            Cell(
                kind,
                name,
                int(missed),
                None if missed < rule.cell_missed_min or (kind, name) in small else figure,
            )
            for (kind, name, _), missed, figure in zip(
                parts, counts[1:].tolist(), measured[len(_NAMES) :], strict=True
            )
        ),
        level=level,
        seed=seed,
    )


def verdict(found: Comparison, rule: Rule) -> Verdict:
    """Return what a comparison says by the rule.

    *Better*: the interval of the difference in recall at the budget lies above the least gain. *Not worse*:
    it lies above the largest loss that is none. *Worse*: it lies below nought. Otherwise, and where too few
    unrecorded crimes were found, there is *not enough evidence*. Cautions change no word.
    """
    if found.missed < rule.missed_min:
        return Verdict(
            "not enough evidence",
            f"{found.missed} items with an unrecorded crime, {rule.missed_min} are needed",
        )
    recall = found.figure("recall")
    gain, loss = rule.gain_min * recall.champion, rule.loss_max * recall.champion
    span = f"recall at the budget {recall.difference:+.3f} [{recall.low:+.3f}, {recall.high:+.3f}]"
    if recall.low > gain:
        word, why = "better", f"lies above {gain:+.3f}"
    elif recall.low >= -loss:
        word, why = "not worse", f"lies above {-loss:+.3f}"
    elif recall.high < 0:
        word, why = "worse", "lies below nought"
    else:
        word, why = "not enough evidence", f"holds both nought and a loss of more than {loss:.3f}"
    return Verdict(word, f"{span} {why}", tuple(_cautions(found, rule)))


def _cautions(found: Comparison, rule: Rule) -> Iterator[str]:
    error = found.figure("calibration_error")
    if error.difference > rule.calibration_loss_max:
        yield (
            f"calibration error {error.champion:.3f} -> {error.challenger:.3f} "
            f"[{error.low:+.3f}, {error.high:+.3f}]"
        )
    precision = found.figure("average_precision")
    if precision.high < 0 and precision.difference < -rule.loss_max * precision.champion:
        yield f"average precision {precision.champion:.3f} -> {precision.challenger:.3f}"
    for cell in found.cells:
        recall = cell.recall
        if recall is not None and recall.high < 0:
            yield (
                f"{cell.kind} {cell.name}: recall {recall.champion:.3f} -> {recall.challenger:.3f} "
                f"[{recall.low:+.3f}, {recall.high:+.3f}] of {cell.missed}"
            )


#: Figures before the recalls of parts, in the order of :meth:`_Model.figures`.
_NAMES = ("recall", "precision", "average_precision", "calibration_error", "calibration_intercept")


class _Model:
    """One model's figures in many draws; ``extended`` are the items with the invented ones behind them."""

    def __init__(
        self, judged: Judged, extended: Extended, score: Floats, subsets: Floats, *, which: int
    ) -> None:
        self._queue = Queue(extended.judged, np.append(score, extended.scores[which]))
        self._precision = Precision(judged.missed, score)
        self._calibration = Calibration(judged, score)
        self._subsets = subsets

    def figures(self, weights: Floats, invented: Floats) -> Floats:
        """Return the figures of each draw, shape (draws, figures and parts)."""
        every = np.column_stack([weights, invented])
        read = every * self._queue.read(every)
        found, there = read @ self._subsets, every @ self._subsets
        recalls = np.divide(found, there, out=np.zeros_like(found), where=there > 0)
        return np.column_stack(
            [
                recalls[:, 0],
                found[:, 0] / np.maximum(read.sum(axis=1), 1e-12),
                self._precision.of(weights),
                self._calibration.error(weights),
                self._calibration.intercept(weights),
                recalls[:, 1:],
            ]
        )


def _difference(one: Floats, other: Floats) -> Floats:
    """Return how much the challenger has more; of the intercept, how much it is farther from nought."""
    apart = other - one
    at = _NAMES.index("calibration_intercept")
    apart[..., at] = np.abs(other[..., at]) - np.abs(one[..., at])
    return apart


def _small(judged: Judged, cells: Mapping[str, Names], least: int) -> set[tuple[str, str]]:
    """Return the parts that are hidden so that no small one can be worked out from the sum."""
    found: set[tuple[str, str]] = set()
    for kind, names in cells.items():
        counts = Counter(names[judged.missed].tolist())
        found |= {(kind, name) for name in hidden_cells(counts, least)}
    return found


def _parts(
    judged: Judged, families: Bools, family_names: Sequence[str], cells: Mapping[str, Names]
) -> Iterator[tuple[str, str, Bools]]:
    for at, name in enumerate(family_names):
        if families[:, at].any():
            yield "family", name, families[:, at]
    for kind, names in cells.items():
        for name in np.unique(names[judged.missed & (names != "")]).tolist():
            yield kind, name, np.asarray(judged.missed & (names == name))
