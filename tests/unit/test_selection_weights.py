"""Weights by the inverse chance of being read: what they count and report, and that they take bias away."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from models import RECIPES, linear
from tests.conftest import CANARY
from tests.decided import FIRST_NIGHT, decided, of_version, said
from training_data.build import TrainingTable
from training_data.examples import Example
from training_data.weights import effective_size, selection_weights
from triage.language.disclosures import PHRASES
from triage.language.text import read_texts
from triage.reading.records import Record
from triage.review.outcomes import Outcome

TEXT = (CANARY,)


def test_who_is_read_for_certain_weighs_one_and_the_drawn_stand_for_the_rest() -> None:
    items = [decided(1), decided(2, arm="rule"), decided(3, arm="control", p=0.125, entry=0.125)]
    weights = selection_weights(items)
    assert weights.counting.tolist() == [1.0, 1.0, 8.0]
    assert weights.learning.tolist() == pytest.approx([0.3, 0.3, 2.4])
    assert weights.report.largest == 8.0
    assert weights.report.capped == 0
    assert weights.report.effective == pytest.approx(100 / 66)


def test_who_lost_the_draw_and_was_ranked_later_is_stood_for() -> None:
    items = [decided(1, entry=None), decided(2, arm="control", p=0.1, entry=0.1)]
    weights = selection_weights(items)
    assert weights.counting.tolist() == pytest.approx([0.0, 10.0])
    # Learnt from all the same: what was chosen by its score says no less of the crime in it.
    assert weights.learning[0] > 0
    assert weights.report.represented == 1


def test_who_was_drawn_counts_once_however_often_it_is_read() -> None:
    drawn = decided(1, arm="control", p=0.1, entry=0.1)
    again = of_version(drawn, 2, said(7))
    again = replace(
        again,
        queued=replace(again.queued, arm="ranked", inclusion_probability=1.0),
        label=replace(again.label, decided_at=drawn.label.decided_at + timedelta(days=1)),
    )
    for items in ([drawn, again], [again, drawn]):
        weights = selection_weights(items)
        assert sorted(weights.counting.tolist()) == [0.0, 10.0]
        assert weights.counting[items.index(drawn)] == 10.0
        assert weights.report.repeated == 1


def test_cannot_say_stands_for_nobody_and_leaves_its_place_to_the_next() -> None:
    first = decided(1, "cannot_say")
    second = of_version(first, 2, said(7))
    second = replace(second, label=replace(second.label, outcome=Outcome("no")))
    weights = selection_weights([first, second])
    assert weights.counting.tolist() == [0.0, 1.0]
    assert weights.learning.tolist() == [0.0, 1.0]


def test_a_text_that_is_gone_still_counts_but_is_not_learnt_from() -> None:
    weights = selection_weights([decided(1, kept="purged"), decided(2)])
    assert weights.counting.tolist() == [1.0, 1.0]
    assert weights.learning.tolist() == [0.0, 1.0]


def test_the_decided_stand_for_those_of_their_kind_that_nobody_read() -> None:
    items = [decided(1), decided(2), decided(3, arm="control", p=0.1, entry=0.1)]
    unread = [
        replace(items[0].queued, item_id="a", root="X-1"),
        replace(items[2].queued, item_id="b", root="X-2"),
        replace(items[2].queued, item_id="c", root="X-3", stratum="unreadable"),
        replace(items[0].queued, item_id="d", root="X-4", entry_probability=None),
    ]
    weights = selection_weights(items, queued=[*(each.queued for each in items), *unread])
    # Three came for certain and two of them were decided; two readable ones were drawn, one was decided.
    assert weights.counting.tolist() == pytest.approx([1.5, 1.5, 20.0])


def test_a_cap_holds_the_largest_and_says_how_much_it_took() -> None:
    items = [decided(number) for number in range(8)]
    items += [decided(8, arm="control", p=0.01, entry=0.01), decided(9, arm="control", p=0.5, entry=0.5)]
    weights = selection_weights(items, cap=10)
    assert weights.learning.max() / weights.learning.min() == pytest.approx(10)
    assert weights.learning.mean() == pytest.approx(1.0)
    assert weights.counting.max() == pytest.approx(100.0)
    assert (weights.report.largest, weights.report.capped) == (pytest.approx(100.0), 1)
    assert weights.report.capped_share == pytest.approx(90 / 110)
    assert weights.report.effective == pytest.approx(20**2 / (8 + 100 + 4))


def test_nothing_decided_weighs_nothing() -> None:
    weights = selection_weights([])
    assert weights.counting.shape == weights.learning.shape == (0,)
    assert (weights.report.decisions, weights.report.effective) == (0, 0.0)
    assert effective_size(np.zeros(3)) == 0.0


def test_the_counts_add_up_to_the_frame_on_average() -> None:
    """Over many draws, the weights of whoever was read add up to all matters, those ranked later included."""
    rng, totals = np.random.default_rng(7), []
    later = np.arange(100) < 20  # would be ranked on a later night, if not drawn
    for _ in range(100):
        drawn = np.zeros(100, dtype=bool)
        drawn[rng.choice(100, size=10, replace=False)] = True
        items = [decided(1_000, texts=TEXT)]
        items += [
            decided(n, arm="control", p=0.1, entry=0.1, texts=TEXT) for n in np.flatnonzero(drawn).tolist()
        ]
        items += [decided(n, entry=None, texts=TEXT) for n in np.flatnonzero(later & ~drawn).tolist()]
        weights = selection_weights(items).counting
        members = np.array([int(each.queued.item_id, 16) for each in items])
        totals.append((weights.sum(), weights[members < 20].sum()))
    means = np.mean(totals, axis=0)
    assert means[0] == pytest.approx(101.0)
    # Twenty of them, with a standard error of 1.2; counted twice they would be 38.
    assert means[1] == pytest.approx(20.0, abs=3.0)


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    """The benchmark, whose nights are run here with fewer matters."""
    path = Path(__file__).parents[2] / "benchmarks" / "selection_bias.py"
    spec = importlib.util.spec_from_file_location("benchmark_selection_bias", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_weights_take_away_the_bias_of_ranked_reads(
    simulation: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer matters than the benchmark has, which measures it: here a third of the crimes is read."""
    monkeypatch.setattr(simulation, "A_NIGHT", 200)
    rows = []
    # One thread: such small matrices are done sooner than threads that wait for each other.
    with threadpool_limits(limits=1):
        for seed in range(3):
            stream, fresh = simulation.synthetic(seed, 30)
            reviewed = simulation.review(stream, seed)
            rows += simulation.figures(stream, reviewed)
            rows += simulation.challengers(stream, fresh, reviewed)

    def bias(figure: str, how: str) -> float:
        """Return how far the mean over the seeds is from the truth, as a share of it."""
        of = np.array([row[2:] for row in rows if row[:2] == (figure, how)])
        return float((of[:, 0] - of[:, 1]).mean() / of[:, 1].mean())

    ranked, every, weighted = "ranked reads alone", "all reads, unweighted", "the weights"
    for naive in (ranked, every):
        assert bias("prevalence", naive) > 0.8
        assert bias("recall of the reads", naive) > 1.5
    assert abs(bias("prevalence", weighted)) < 0.2
    assert abs(bias("recall of the reads", weighted)) < 0.2
    assert bias("calibration slope", ranked) > 0.4
    assert abs(bias("calibration slope", weighted)) < 0.3
    capped = "weights, cap 20"
    assert bias("predicted / observed", every) > 1.5 * abs(bias("predicted / observed", capped))
    assert bias("log loss", ranked) > 3 * bias("log loss", capped) > 0
    assert bias("log loss", every) > 2 * bias("log loss", capped)


TAUGHT = (
    ("she said he took her purse", ("theft",)),
    ("he took the bicycle from the yard", ("theft",)),
    ("she said the neighbour is loud", ()),
    ("he said the yard is loud at night", ()),
)


@pytest.mark.parametrize("recipe", ["plain", "weighted_phrases"])
def test_what_weighs_more_is_learnt_more(recipe: str) -> None:
    def model(positive: float) -> tuple[float, float]:
        examples = [
            Example(
                Record("incidents", f"T-{number}", FIRST_NIGHT, FIRST_NIGHT, text),
                "w",
                families,
                (),
                families,
                weight=positive if families else 1.0,
            )
            for number, (text, families) in enumerate(TAUGHT * 5)
        ]
        built = RECIPES[recipe](TrainingTable(tuple(examples), ""))
        found = built.disclose([examples[0].record])
        return float(found.chances.p_any[0]), built.learnt_prevalence

    low, high = model(0.2), model(5.0)
    assert (low[1], high[1]) == (pytest.approx(1 / 6), pytest.approx(5 / 6))
    assert low[0] < model(1.0)[0] < high[0]


def test_the_default_recipe_is_handed_the_weights() -> None:
    records = [
        Record("incidents", f"T-{n}", FIRST_NIGHT, FIRST_NIGHT, text) for n, (text, _) in enumerate(TAUGHT)
    ]
    examples = [Example(record, "w", (), (), (), weight=n + 0.5) for n, record in enumerate(records)]
    labels = linear.labels_of(read_texts(records, PHRASES), examples)
    assert labels.weights.tolist() == [0.5, 1.5, 2.5, 3.5]
