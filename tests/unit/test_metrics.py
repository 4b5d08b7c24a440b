"""Figures of a ranking against values worked out by hand, and against the libraries' own."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from triage.learning import metrics

Y = np.array([True, False, True, False, False, False, False, False, False, False])
SCORE = np.linspace(1.0, 0.1, 10)
ONES = np.ones(10)


def test_weights_make_the_prevalence_and_keep_the_number() -> None:
    weights = metrics.prevalence_weights(Y, 0.05)
    assert weights.sum() == pytest.approx(10)
    assert weights[Y].sum() == pytest.approx(0.5)


@pytest.mark.parametrize("y", [np.zeros(3, dtype=bool), np.ones(3, dtype=bool)])
def test_weights_need_both_kinds(y: metrics.Bools) -> None:
    with pytest.raises(ValueError, match="both kinds"):
        metrics.prevalence_weights(y, 0.05)
    assert metrics.roc_auc(y, np.arange(3.0)) is None


@pytest.mark.parametrize(("share", "found"), [(0.05, 0.0), (0.1, 0.5), (0.2, 0.5), (0.3, 1.0), (1.0, 1.0)])
def test_recall_counts_what_lies_within_the_share(share: float, found: float) -> None:
    assert metrics.recall_at(Y, SCORE, ONES, share) == found


def test_recall_at_a_prevalence_reads_by_weight() -> None:
    # Two positives of weight 0.25 and eight negatives of 1.1875: 10 % of the weight is 1.0.
    weights = metrics.prevalence_weights(Y, 0.05)
    assert metrics.recall_at(Y, SCORE, weights, 0.1) == 0.5
    assert metrics.recall_at(Y, SCORE, weights, 0.17) == 1.0


def test_a_record_that_would_pass_the_share_ends_the_reading() -> None:
    weights = np.array([0.5, 5.0, 0.5, 4.0])
    assert metrics.is_read(np.arange(4), weights, 0.3).tolist() == [True, False, False, False]


def test_bounds_of_ties_alone() -> None:
    y, labelled = np.array([True, False, True, False]), np.ones(4, dtype=bool)
    score = np.array([0.9, 0.5, 0.5, 0.5])
    assert metrics.recall_bounds(y, labelled, score, np.ones(4), 0.5) == (0.5, 1.0)
    assert metrics.recall_bounds(y, labelled, np.arange(4.0), np.ones(4), 0.5) == (0.5, 0.5)


def test_bounds_of_unlabelled_records() -> None:
    # Two labelled positives at places 1 and 4, unlabelled ones at 2 and 3; two places are read.
    y, labelled = np.array([True, False, False, True]), np.array([True, False, False, True])
    worst, best = metrics.recall_bounds(y, labelled, np.array([4.0, 3.0, 2.0, 1.0]), np.ones(4), 0.5)
    assert worst == pytest.approx(1 / 3)  # the unread one is positive: 1 of 3 is found
    assert best == pytest.approx(2 / 3)  # the one read is positive: 2 of 3 are found


def test_order_figures_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    y, score = generator.random(200) < 0.3, generator.random(200).round(1)
    weights = metrics.prevalence_weights(y, 0.05)
    assert metrics.roc_auc(y, score) == roc_auc_score(y, score)
    assert metrics.average_precision(y, score, weights) == average_precision_score(
        y, score, sample_weight=weights
    )


def test_average_precision_falls_with_the_prevalence() -> None:
    found = [metrics.average_precision(Y, SCORE, metrics.prevalence_weights(Y, p)) for p in (0.02, 0.05, 0.5)]
    assert found == sorted(found)
    # By hand at 5 %: precision 1 at the first, 0.5 / (0.5 + 1.1875) at the second.
    assert found[1] == pytest.approx((1 + 0.5 / 1.6875) / 2)


def test_pairs_need_one_of_each_kind() -> None:
    pairs = np.array(["p1", "p1", "p2", "p2", "p3", "p3", "p4", ""])
    y = np.array([True, False, False, True, True, True, True, False])
    score = np.array([2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 9.0, 0.0])
    assert metrics.pair_wins(y, score, pairs).tolist() == [True, False]
    # Equal scores decide nothing: the missed one does not go first.
    assert metrics.pair_wins(y[:2], np.zeros(2), pairs[:2]).tolist() == [False]
    assert metrics.pair_wins(y, score, np.full(8, "")).tolist() == []


def test_reliability_of_honest_probabilities() -> None:
    # 100 records at 0.2 and 100 at 0.6, as true as they say; the sample is the stream.
    p = np.repeat([0.2, 0.6], 100)
    y = np.concatenate([np.arange(100) < 20, np.arange(100) < 60])
    low, high = metrics.reliability(y, p, 0.4)
    assert (low.records, low.missed, high.records, high.missed) == (100, 20, 100, 60)
    assert (low.observed, high.observed) == pytest.approx((0.2, 0.6))
    assert (low.weight, high.weight) == pytest.approx((0.5, 0.5))
    assert (low.low, low.high) == pytest.approx(metrics.wilson(20, 100))
    assert metrics.calibration_error((low, high)) == pytest.approx(0.0)


def test_reliability_at_another_prevalence_is_that_of_the_stream() -> None:
    # The same records stand for a stream in which 5 % are positive; what was true in a bin falls with it.
    p = np.repeat([0.2, 0.6], 100)
    y = np.concatenate([np.arange(100) < 20, np.arange(100) < 60])
    low, high = metrics.reliability(y, p, 0.05)
    odds = (0.05 / 0.95) / (0.4 / 0.6)
    assert low.observed == pytest.approx(0.25 * odds / (1 + 0.25 * odds))
    assert high.low < high.observed < high.high < 0.6
    error = metrics.calibration_error((low, high))
    assert error == pytest.approx(low.weight * (0.2 - low.observed) + high.weight * (0.6 - high.observed))


def test_bins_take_like_parts_of_the_stream_and_keep_equals_together() -> None:
    generator = np.random.default_rng(1)
    p = generator.random(2000)
    table = metrics.reliability(generator.random(2000) < p, p, 0.05)
    assert len(table) == 10
    assert all(each.weight == pytest.approx(0.1, abs=0.01) for each in table)
    assert sum(each.records for each in table) == 2000
    assert len(metrics.reliability(Y, np.full(10, 0.05), 0.05)) == 1


def test_wilson_of_none_and_all() -> None:
    assert metrics.wilson(0, 10)[0] == 0.0
    assert metrics.wilson(10, 10)[1] == 1.0


def test_intervals_over_clusters_are_wider_than_over_records_alike() -> None:
    # 20 clusters of 50 records that are all the same: 20 things are known, not 1,000.
    value = np.repeat(np.arange(20.0), 50)

    def mean(times: metrics.Ints) -> tuple[float]:
        return (float(np.average(value, weights=times)),)

    [clustered] = metrics.bootstrap_intervals(mean, np.repeat(np.arange(20), 50), seed=1)
    [alone] = metrics.bootstrap_intervals(mean, np.arange(1000), seed=1)
    assert clustered[0] < alone[0] < 9.5 < alone[1] < clustered[1]
    # The mean of 20 draws from 0 to 19 has a standard error of 1.29.
    assert clustered[1] - clustered[0] == pytest.approx(2 * 1.96 * 1.29, rel=0.15)


def test_intervals_draw_whole_clusters_and_leave_out_what_cannot_be() -> None:
    clusters = np.array(["b", "a", "b", "a", "c"])
    sizes = []

    def figures(times: metrics.Ints) -> tuple[float, float]:
        assert times[0] == times[2]
        assert times[1] == times[3]
        assert times[0] + times[1] + times[4] == 3
        sizes.append(times.sum())
        return (1.0 if times[4] else np.nan, np.nan)

    found = metrics.bootstrap_intervals(figures, clusters, seed=3, resamples=50)
    assert found[0].tolist() == [1.0, 1.0]
    assert np.isnan(found[1]).all()
    assert len(sizes) == 50
    assert min(sizes) < max(sizes)
