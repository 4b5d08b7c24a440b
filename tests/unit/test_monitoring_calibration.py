"""Calibration on drawn items: known truths are recovered with weights, and not without them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import poisson

from triage.learning.audited import Answer, Audited, is_yes, stands_for, weighted_total
from triage.learning.calibration import KINDS_LEAST, calibration


def item(number: int, *, arm: str = "control", chance: float = 0.1, answer: Answer = "no") -> Audited:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Audited(
        f"i{number}", f"L-{number}", f"R-{number}", "incidents", arm, chance, 0.1, at, answer=answer
    )


def test_weights_are_the_inverse_chance_and_stand_for_the_undecided_too() -> None:
    items = [
        item(1, chance=0.1),
        item(2, chance=0.2, answer="yes"),
        item(3, chance=0.1, answer="cannot_say"),
        item(4, chance=0.2, answer=""),
        item(5, arm="ranked", chance=1.0, answer="yes"),
    ]
    # Of 30 records that the control stands for, the two that were answered carry all: each twice its own.
    assert stands_for(items).tolist() == [20.0, 10.0, 0.0, 0.0, 1.0]
    assert is_yes(items).tolist() == [False, True, False, False, True]
    assert stands_for([item(1, answer="")]).tolist() == [0.0]
    assert len(stands_for([])) == 0


def test_a_total_of_equal_weights_has_the_exact_interval_of_a_count() -> None:
    total = weighted_total(np.array([True] * 6 + [False] * 40), np.ones(46))
    assert (total.estimate, total.low, total.high) == (
        6.0,
        pytest.approx(2.2019, abs=1e-4),
        pytest.approx(13.0595, abs=1e-4),
    )
    assert poisson.sf(5, total.low) == pytest.approx(0.025)
    assert poisson.cdf(6, total.high) == pytest.approx(0.025)


def test_the_interval_of_a_total_covers_its_truth() -> None:
    generator = np.random.default_rng(1)
    weights = generator.uniform(5, 40, 120)
    chances = np.full(120, 0.04)
    truth, covered = weights @ chances, 0
    for _ in range(300):
        total = weighted_total(generator.random(120) < chances, weights)
        covered += (total.low or 0) <= truth <= (total.high or 0)
    assert covered >= 285


def test_nothing_read_gives_no_total() -> None:
    assert weighted_total(np.zeros(0, dtype=bool), np.zeros(0)).estimate is None


def drawn(slope: float, shift: float, size: int = 6000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What came true, what was said, and weights, of items drawn more often where the score is high."""
    generator = np.random.default_rng(11)
    said = expit(generator.normal(-2.5, 1.2, 60_000))
    true = generator.random(60_000) < expit(shift + slope * logit(said))
    chance = np.clip(said * size / said.sum(), 0, 1)
    taken = generator.random(60_000) < chance
    return true[taken], said[taken], 1 / chance[taken]


def test_scores_that_are_true_are_found_to_be() -> None:
    found = calibration(*drawn(1.0, 0.0))
    for figure, truth in ((found.ratio, 1.0), (found.intercept, 0.0), (found.slope, 1.0)):
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < truth < figure.high
        assert figure.high - figure.low < 0.4
    assert found.expected == pytest.approx(0.12, abs=0.01)
    assert found.effective < found.items


def test_scores_that_say_too_little_and_are_too_bold() -> None:
    found = calibration(*drawn(0.6, 0.4))
    assert found.slope.estimate == pytest.approx(0.6, abs=0.08)
    assert found.ratio.low is not None
    assert found.ratio.low > 1.5
    assert found.intercept.low is not None
    assert found.intercept.low > 0


def test_without_weights_the_ratio_is_that_of_the_drawn_alone() -> None:
    y, p, weights = drawn(0.6, 0.4)
    weighted, plain = calibration(y, p, weights), calibration(y, p, np.ones(len(y)))
    assert weighted.ratio.estimate is not None
    assert plain.ratio.high is not None
    assert plain.ratio.high < weighted.ratio.estimate


def test_a_line_needs_both_kinds_and_different_scores() -> None:
    y = np.array([True] * (KINDS_LEAST - 1) + [False] * 50)
    few = calibration(y, np.full(59, 0.2), np.ones(59))
    assert few.slope.estimate is None
    assert "fewer than" in few.slope.reason
    assert few.ratio.estimate == pytest.approx(9 / 11.8)
    flat = calibration(np.array([True, False] * 20), np.full(40, 0.2), np.ones(40))
    assert flat.slope.reason == "all were given the same score"
    assert flat.intercept.estimate == pytest.approx(logit(0.5) - logit(0.2))
    parted = calibration(np.repeat([False, True], 30), np.repeat([0.1, 0.9], 30), np.ones(60))
    assert parted.slope.estimate is None
    assert "altogether" in parted.slope.reason


def test_no_finds_still_have_an_upper_bound() -> None:
    found = calibration(np.zeros(50, dtype=bool), np.full(50, 0.02), np.full(50, 30.0))
    assert found.ratio.estimate == 0
    assert found.ratio.high is not None
    assert 3 < found.ratio.high < 4
    # Equal scores are one bin.
    assert [each.items for each in found.bins] == [50]


def test_nothing_decided_says_so() -> None:
    found = calibration(np.zeros(0, dtype=bool), np.zeros(0), np.zeros(0))
    assert found.observed.reason == "no item was decided"
    assert found.bins == ()
