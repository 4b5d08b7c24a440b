"""Figures of a ranking under every order of ties, every label of the unlabelled, and every relabelling."""

from __future__ import annotations

from itertools import permutations, product
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from triage.learning import metrics

#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True, max_examples=200)
LABELS = st.lists(st.booleans(), min_size=2, max_size=40).filter(lambda y: any(y) and not all(y))
PREVALENCES = st.floats(0.001, 0.9)
SHARES = st.floats(0.0, 1.0)


def scores_of(y: list[bool], seed: int, levels: int) -> metrics.Floats:
    return np.random.default_rng(seed).integers(0, levels, len(y)) / levels


@STEADY
@given(LABELS, PREVALENCES)
def test_weights_make_any_prevalence(y: list[bool], prevalence: float) -> None:
    labels = np.array(y)
    weights = metrics.prevalence_weights(labels, prevalence)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[labels].sum() / weights.sum() == pytest.approx(prevalence)


@STEADY
@given(LABELS, st.integers(0, 99), PREVALENCES, SHARES, SHARES)
def test_recall_grows_with_the_share_and_lies_within_its_bounds(
    y: list[bool], seed: int, prevalence: float, one: float, other: float
) -> None:
    labels, score = np.array(y), scores_of(y, seed, 5)
    weights, all_labelled = metrics.prevalence_weights(labels, prevalence), np.ones(len(y), dtype=bool)
    low, high = sorted((one, other))
    assert metrics.recall_at(labels, score, weights, low) <= metrics.recall_at(labels, score, weights, high)
    worst, best = metrics.recall_bounds(labels, all_labelled, score, weights, low)
    tolerance = 1e-9
    assert worst - tolerance <= metrics.recall_at(labels, score, weights, low) <= best + tolerance


@STEADY
@given(LABELS, st.integers(0, 99), PREVALENCES)
def test_reading_all_finds_all_and_reading_nothing_none(y: list[bool], seed: int, prevalence: float) -> None:
    labels, score = np.array(y), scores_of(y, seed, 5)
    weights = metrics.prevalence_weights(labels, prevalence)
    assert metrics.recall_at(labels, score, weights, 1.0) == pytest.approx(1.0)
    assert metrics.recall_at(labels, score, weights, 0.0) == 0.0


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(2, 5), st.integers(0, 10**6), st.integers(1, 4))
def test_bounds_are_the_worst_and_best_of_every_order_and_label(size: int, seed: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    y, labelled = generator.random(size) < 0.5, generator.random(size) < 0.6
    y &= labelled
    assume(y.any())
    score = generator.integers(0, levels, size).astype(float)
    for share in (0.0, 0.2, 0.4, 0.5, 0.75, 1.0):
        found = []
        for labels in product((False, True), repeat=int((~labelled).sum())):
            full = y.copy()
            full[~labelled] = labels
            for order in permutations(range(size)):
                rows = np.array(order)
                if np.all(np.diff(score[rows]) <= 0):
                    found.append(metrics.recall_at(full[rows], -np.arange(size), np.ones(size), share))
        worst, best = metrics.recall_bounds(y, labelled, score, np.ones(size), share)
        assert (worst, best) == pytest.approx((min(found), max(found)))


@STEADY
@given(LABELS, st.integers(0, 99), PREVALENCES)
def test_an_unlabelled_record_only_widens_the_bounds(y: list[bool], seed: int, prevalence: float) -> None:
    labels, score = np.array(y), scores_of(y, seed, 1000)
    weights = metrics.prevalence_weights(labels, prevalence)
    known = np.ones(len(y), dtype=bool)
    last = np.append(score, -1.0)  # read after all others
    for share in (0.05, 0.1, 0.2):
        narrow = metrics.recall_bounds(labels, known, score, weights, share * (len(y) + 1) / len(y))
        wide = metrics.recall_bounds(
            np.append(labels, False), np.append(known, False), last, np.append(weights, 1.0), share
        )
        assert wide[0] <= narrow[0] + 1e-9
        assert wide[1] >= narrow[1] - 1e-9


@STEADY
@given(LABELS, st.integers(0, 99))
def test_auc_of_the_reverse_is_the_complement(y: list[bool], seed: int) -> None:
    labels, score = np.array(y), scores_of(y, seed, 4)
    there, back = metrics.roc_auc(labels, score), metrics.roc_auc(labels, -score)
    assert there is not None
    assert back is not None
    assert there + back == pytest.approx(1.0)


@STEADY
@given(LABELS, st.integers(0, 99), PREVALENCES)
def test_the_quick_figures_are_those_of_scikit_learn(y: list[bool], seed: int, prevalence: float) -> None:
    generator = np.random.default_rng(seed)
    labels, times = np.array(y), generator.integers(1, 4, len(y))
    again = np.repeat(np.arange(len(y)), times)
    weights = metrics.prevalence_weights(labels[again], prevalence)
    auc, precision = metrics.figures_in_order(labels, np.bincount(again, weights), [])
    score = -np.arange(len(y), dtype=float)
    assert auc == pytest.approx(metrics.roc_auc(labels[again], score[again]))
    assert precision == pytest.approx(metrics.average_precision(labels[again], score[again], weights))
    once = metrics.prevalence_weights(labels, prevalence)
    _, _, *recalls = metrics.figures_in_order(labels, once, [0.1, 0.5])
    assert recalls == pytest.approx([metrics.recall_at(labels, score, once, share) for share in (0.1, 0.5)])


@STEADY
@given(LABELS, st.integers(0, 99), PREVALENCES, st.integers(1, 15))
def test_bins_hold_every_record_once_and_their_truth_within_its_limits(
    y: list[bool], seed: int, prevalence: float, bins: int
) -> None:
    labels, p = np.array(y), scores_of(y, seed, 20)
    table = metrics.reliability(labels, p, prevalence, bins)
    assert len(table) <= bins
    assert sum(each.records for each in table) == len(y)
    assert sum(each.missed for each in table) == sum(y)
    assert sum(each.weight for each in table) == pytest.approx(1.0)
    # The truth of all bins together is the prevalence.
    assert sum(each.weight * each.observed for each in table) == pytest.approx(prevalence)
    for each in table:
        assert each.low - 1e-9 <= each.observed <= each.high + 1e-9
    said = [each.predicted for each in table]
    assert said == sorted(said)
    assert 0 <= metrics.calibration_error(table) <= 1


@STEADY
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=20), st.randoms())
def test_pairs_do_not_depend_on_the_order_of_records(pairs: list[tuple[bool, int]], random: Random) -> None:
    rows = [
        (first if half == 0 else not first, float(level * half), f"p{number}")
        for number, (first, level) in enumerate(pairs)
        for half in (0, 1)
    ]
    shuffled = list(rows)
    random.shuffle(shuffled)

    def wins(table: list[tuple[bool, float, str]]) -> list[bool]:
        y, score, names = zip(*table, strict=True)
        return metrics.pair_wins(np.array(y), np.array(score), np.array(names)).tolist()

    assert wins(rows) == wins(shuffled)
    assert len(wins(rows)) == len(pairs)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=30), st.integers(0, 1000))
def test_intervals_are_of_their_seed_and_within_the_range(groups: list[int], seed: int) -> None:
    value = np.arange(float(len(groups)))

    def figures(times: metrics.Ints) -> tuple[float, float]:
        return float(np.average(value, weights=times)), 7.0

    clusters = np.array(groups)
    one, two = (metrics.bootstrap_intervals(figures, clusters, seed=seed, resamples=40) for _ in range(2))
    assert one.tolist() == two.tolist()
    assert 0 <= one[0, 0] <= one[0, 1] <= value.max()
    assert one[1].tolist() == [7.0, 7.0]
