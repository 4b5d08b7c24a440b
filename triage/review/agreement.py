"""How far two people who read the same items say the same, beyond what chance would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triage.language.offences import FAMILIES
from triage.review.decisions import ReviewEvent
from triage.review.outcomes import Outcome, item_fields

#: Two named people are compared from so many items on: fewer would say more of the items than of them.
PAIR_ITEMS_LEAST = 10
RESAMPLES = 2000
#: Largest share of resamples in which a figure may be undefined, for its interval to be shown.
_UNDEFINED_MOST = 0.05
_NAMED = ("named", "not named")
_NEVER_DIFFERED = "they never differed: resampling cannot say how uncertain that is"
Floats = npt.NDArray[np.float64]
Pair = tuple[ReviewEvent, ReviewEvent]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval; what cannot be said is None, and ``reason`` says why."""

    estimate: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two readings of the same items gave the same answer.

    ``items`` were read twice, ``same`` of them with one answer; ``share`` is ``same`` of ``items``, ``kappa``
    is Cohen's, ``ac1`` Gwet's and ``alpha`` Krippendorff's coefficient: 1 is full agreement, 0 what chance
    would give.
    """

    items: int
    same: int
    share: Figure
    kappa: Figure
    ac1: Figure
    alpha: Figure


@dataclass(frozen=True, slots=True)
class Agreements:
    """What the registrar's desk shows of agreement.

    ``disclosed`` is over the answers yes, no and cannot say; ``drawn`` is the same over the items that were
    drawn by chance; ``families`` maps each family that anyone named to the agreement on naming it or not;
    ``people`` maps two names, in order, to theirs on ``disclosed``.
    """

    disclosed: Agreement
    drawn: Agreement
    families: Mapping[str, Agreement]
    people: Mapping[tuple[str, str], Agreement]


def agreements(pairs: Sequence[Pair], *, seed: int = 0) -> Agreements:
    """Return how far first and second readers agree, over all items that two people read.

    Different items are read by different people, so that "first" and "second" are turns, not persons. A
    coefficient over all of them speaks of any two readings, each two people weighing as much as they read
    together; it says nothing of one person, and chance agreement is taken from what first and second readers
    answered on the whole. Items that one person read are alike; the intervals do not know that and are
    somewhat too short where few people read. Two people are compared only from ``PAIR_ITEMS_LEAST`` items on.

    Every "cannot say" is read twice, other decisions by chance: all pairs therefore hold more doubtful items
    than the decisions do. ``drawn`` alone stands for the decisions of the force.

    Parameters
    ----------
    pairs : sequence of (ReviewEvent, ReviewEvent)
        First and second decision of each item, as ``decisions.pairs`` gives them.
    seed : int
        The same seed gives the same intervals.
    """
    answers = next(each for each in item_fields() if each.name == "crime_disclosed").choices
    read = [
        (first, second, first.outcome, second.outcome)
        for first, second in pairs
        if first.outcome is not None and second.outcome is not None
    ]

    def on_disclosed(of: Sequence[tuple[Outcome, Outcome]]) -> Agreement:
        return agreement(
            [one.disclosed for one, _ in of], [two.disclosed for _, two in of], answers, seed=seed
        )

    both = [(one, two) for *_, one, two in read]
    named = frozenset().union(*(one.families | two.families for one, two in both))
    together: dict[tuple[str, str], list[tuple[Outcome, Outcome]]] = {}
    for first, second, one, two in read:
        # In the order of the names, whoever of them read first.
        if first.actor <= second.actor:
            together.setdefault((first.actor, second.actor), []).append((one, two))
        else:
            together.setdefault((second.actor, first.actor), []).append((two, one))
    return Agreements(
        disclosed=on_disclosed(both),
        drawn=on_disclosed([(one, two) for first, _, one, two in read if first.drawn]),
        families={
            family: agreement(
                [_NAMED[family not in one.families] for one, _ in both],
                [_NAMED[family not in two.families] for _, two in both],
                _NAMED,
                seed=seed,
            )
            for family in FAMILIES
            if family in named
        },
        people={
            names: on_disclosed(of) for names, of in sorted(together.items()) if len(of) >= PAIR_ITEMS_LEAST
        },
    )


def agreement(
    first: Sequence[str],
    second: Sequence[str],
    categories: Sequence[str] | Mapping[str, str],
    *,
    seed: int = 0,
) -> Agreement:
    """Return how often two readings of the same items agree, each figure with its interval.

    The share has Wilson's interval, since resampling cannot show how uncertain a full agreement is; the
    coefficients have percentile intervals of ``RESAMPLES`` resamples of the items. A resample in which a
    coefficient is undefined is left out; where they are more than one in twenty there is no interval.

    Parameters
    ----------
    first, second : sequence of str
        The answers of one and the other reading, item by item.
    categories : sequence or mapping of str
        All answers that could be given, also those that nobody gave.
    seed : int
        The same seed gives the same intervals.

    Source: Efron & Tibshirani 1993, chapter 13 (percentile intervals); Wilson 1927.

    >>> result = agreement(["yes"] * 5 + ["no"] * 5, ["yes"] * 4 + ["no"] * 6, ["yes", "no"])
    >>> result.same, result.share.estimate, round(result.kappa.estimate, 2)
    (9, 0.9, 0.8)
    """
    table = _table(first, second, categories)
    items, same = int(table.sum()), int(table.trace())
    if not items:
        none = Figure(None, reason="no item was read twice")
        return Agreement(0, 0, none, none, none, none)
    low, high = _wilson(same, items)
    share = Figure(same / items, low, high)
    if np.count_nonzero(table.sum(axis=0) + table.sum(axis=1)) == 1:
        none = Figure(None, reason="only one answer was ever given")
        return Agreement(items, same, share, none, none, none)
    alpha = krippendorff_alpha(list(zip(first, second, strict=True)), categories, seed=seed)
    estimates = (cohen_kappa(first, second, categories), gwet_ac1(first, second, categories))
    if same == items:
        kappa, ac1 = (Figure(estimate, reason=_NEVER_DIFFERED) for estimate in estimates)
        return Agreement(items, same, share, kappa, ac1, alpha)
    drawn = np.random.default_rng(seed).multinomial(items, table.ravel() / items, size=RESAMPLES)
    tables = drawn.reshape(RESAMPLES, *table.shape) / items
    kappa, ac1 = (
        _with_interval(estimate, values)
        for estimate, values in zip(estimates, (_kappas(tables), _ac1s(tables)), strict=True)
    )
    return Agreement(items, same, share, kappa, ac1, alpha)


def krippendorff_alpha(
    items: Sequence[Sequence[str | None]], categories: Sequence[str] | Mapping[str, str], *, seed: int = 0
) -> Figure:
    """Return Krippendorff's alpha for any number of readers, of whom some may not have read an item.

    An item that fewer than two people read says nothing and is left out. The interval is of ``RESAMPLES``
    resamples of the items, as for the other coefficients.

    Parameters
    ----------
    items : sequence of sequence of (str or None)
        For each item what each reader answered, None where that one did not read it.
    categories : sequence or mapping of str
        All answers that could be given; nominal, so that no two are nearer than others.
    seed : int
        The same seed gives the same interval.

    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, section C (nominal data, any
    number of observers, missing data).

    >>> round(krippendorff_alpha([["a", "a", None], ["a", "b", "a"], ["b", "b", "b"]], "ab").estimate, 3)
    0.562
    """
    names = {name: number for number, name in enumerate(categories)}
    given = [[each for each in item if each is not None] for item in items]
    if {each for item in given for each in item} - set(names) or len(names) < 2:
        raise ValueError("known answers are needed, of at least two kinds")
    kinds: dict[tuple[int, ...], int] = {}
    for item in given:
        if len(item) > 1:
            pattern = tuple(np.bincount([names[each] for each in item], minlength=len(names)).tolist())
            kinds[pattern] = kinds.get(pattern, 0) + 1
    if not kinds:
        return Figure(None, reason="no item was read twice")
    counts = np.array(list(kinds), dtype=np.float64)
    times = np.array(list(kinds.values()))
    if np.count_nonzero(times @ counts) == 1:
        return Figure(None, reason="only one answer was ever given")
    estimate = float(_alphas(times[np.newaxis], counts)[0])
    if not np.any(np.count_nonzero(counts, axis=1) > 1):
        return Figure(estimate, reason=_NEVER_DIFFERED)
    drawn = np.random.default_rng(seed).multinomial(times.sum(), times / times.sum(), size=RESAMPLES)
    return _with_interval(estimate, _alphas(drawn, counts))


def cohen_kappa(
    first: Sequence[str], second: Sequence[str], categories: Sequence[str] | Mapping[str, str]
) -> float | None:
    """Return Cohen's kappa; None if only one answer was ever given, or no item was read.

    Source: Cohen 1960, Educational and Psychological Measurement 20:37-46, as scikit-learn computes it.

    >>> cohen_kappa(["yes", "no"], ["yes", "no"], ["yes", "no"]), cohen_kappa(["no"], ["no"], ["yes", "no"])
    (1.0, None)
    """
    from sklearn.metrics import cohen_kappa_score

    if len({*first, *second}) < 2:
        return None
    return float(cohen_kappa_score(list(first), list(second), labels=list(categories)))


def gwet_ac1(
    first: Sequence[str], second: Sequence[str], categories: Sequence[str] | Mapping[str, str]
) -> float | None:
    """Return Gwet's AC1, steady where one answer is rare; None if no item was read.

    Agreement by chance is ``sum(p * (1 - p)) / (q - 1)`` over the ``q`` categories, where ``p`` is the mean
    share of a category in both readings.

    Source: Gwet 2008, British Journal of Mathematical and Statistical Psychology 61:29-48.

    >>> round(gwet_ac1(["+"] * 123 + ["-"] * 2, ["+"] * 118 + ["-"] * 5 + ["+"] * 2, ["+", "-"]), 4)
    0.9408
    """
    table = _table(first, second, categories)
    return float(_ac1s(table[np.newaxis] / table.sum())[0]) if table.sum() else None


def _table(
    first: Sequence[str], second: Sequence[str], categories: Sequence[str] | Mapping[str, str]
) -> Floats:
    """Return counts of items by first and second answer, shape (categories, categories)."""
    from sklearn.metrics import confusion_matrix

    names = list(categories)
    strangers = {*first, *second} - set(names)
    if len(first) != len(second) or len(names) < 2 or strangers:
        raise ValueError("two readings of the same items are needed, of at least two known answers")
    if not first:
        return np.zeros((len(names), len(names)))
    return np.asarray(confusion_matrix(list(first), list(second), labels=names), dtype=np.float64)


def _kappas(tables: Floats) -> Floats:
    """Return Cohen's kappa of tables of shares, shape (tables, q, q); NaN where it is undefined.

    The formula of scikit-learn on many tables at once: thousands of calls would keep a page waiting.
    """
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1)
    return _beyond(tables, chance)


def _ac1s(tables: Floats) -> Floats:
    """Return Gwet's AC1 of tables of shares, shape (tables, q, q)."""
    means = (tables.sum(axis=1) + tables.sum(axis=2)) / 2
    chance = (means * (1 - means)).sum(axis=1) / (tables.shape[1] - 1)
    return _beyond(tables, chance)


def _alphas(times: npt.NDArray[np.int64], counts: Floats) -> Floats:
    """Return alpha of many samples; NaN where all of a sample's answers are the same.

    ``counts``, shape (kinds, q), says how often each answer was given to an item of a kind, and ``times``,
    shape (samples, kinds), how many such items a sample holds.
    """
    readers = counts.sum(axis=1)
    # Pairs of differing answers within an item, each item's weighing its readers less one.
    differing = (readers**2 - (counts**2).sum(axis=1)) / (readers - 1)
    totals = times @ counts
    values = totals.sum(axis=1)
    expected = values**2 - (totals**2).sum(axis=1)
    found = np.full(len(times), np.nan)
    some = expected > 0
    found[some] = 1 - (values[some] - 1) * (times @ differing)[some] / expected[some]
    return found


def _beyond(tables: Floats, chance: Floats) -> Floats:
    same = np.trace(tables, axis1=1, axis2=2)
    # Sums of shares miss 1 by their last bits.
    defined = chance < 1 - 1e-12
    values = np.full(len(tables), np.nan)
    values[defined] = (same[defined] - chance[defined]) / (1 - chance[defined])
    return values


def _with_interval(estimate: float | None, values: Floats) -> Figure:
    known = values[~np.isnan(values)]
    if len(known) < len(values) * (1 - _UNDEFINED_MOST):
        return Figure(estimate, reason="too few items with another answer for an interval")
    low, high = np.quantile(known, (0.025, 0.975))
    return Figure(estimate, float(low), float(high))


def _wilson(same: int, items: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    interval = binomtest(same, items).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
