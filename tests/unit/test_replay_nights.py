"""Nights of review played again: what comes in when, what is read, and what may be learnt by then."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from models import RECIPES
from training_data.build import TrainingTable, corpus_files, corpus_table
from training_data.examples import Example
from triage.errors import UsageError
from triage.learning.metrics import Floats, Ints
from triage.learning.replay import curve_of
from triage.learning.replay_nights import (
    FixedRanker,
    LearningRanker,
    Nights,
    draw_nights,
    pair_or_self,
    review_nights,
    scores_of,
)
from triage.settings import Settings

EXAMPLES = corpus_table([path for path in corpus_files() if path.stem in ("w8", "w13")]).examples


@pytest.fixture(scope="module")
def nights() -> Nights[Example]:
    return draw_nights(EXAMPLES, nights=10, prevalence=0.05, seed=1)


@dataclass
class Watched:
    """A ranking that keeps what it was told each night."""

    scores: Floats
    told: list[tuple[int, list[int], list[int]]] = field(default_factory=list)

    def margins(self, night: int, known: Ints, waiting: Ints) -> Floats:
        self.told.append((night, known.tolist(), waiting.tolist()))
        return self.scores[waiting]


def test_nights_hold_every_innocent_record_and_the_share_of_missed_ones(nights: Nights[Example]) -> None:
    refs = [each.record.record_ref for each in nights.examples]
    assert len({*refs}) == len(refs)
    innocent = {each.record.record_ref for each in EXAMPLES if not each.missed}
    assert innocent <= {*refs}
    assert np.mean([each.missed for each in nights.examples]) == pytest.approx(0.05, abs=0.005)
    counts = np.bincount(nights.night, minlength=10)
    assert counts.min() >= counts.max() - 5
    again = draw_nights(EXAMPLES, nights=10, prevalence=0.05, seed=1)
    other = draw_nights(EXAMPLES, nights=10, prevalence=0.05, seed=2)
    assert again.night.tolist() == nights.night.tolist()
    assert [each.record.record_ref for each in other.examples] != refs


def test_contrast_pairs_come_in_on_one_night() -> None:
    drawn = draw_nights(EXAMPLES, nights=10, prevalence=0.3, seed=1)
    by_pair: dict[str, set[int]] = {}
    for each, night in zip(drawn.examples, drawn.night.tolist(), strict=True):
        by_pair.setdefault(pair_or_self(each.record.record_ref), set()).add(night)
    assert len(by_pair) < len(drawn.examples)
    assert all(len(on) == 1 for on in by_pair.values())


def test_too_few_records_are_refused() -> None:
    with pytest.raises(UsageError, match="with 90% missed need"):
        draw_nights(EXAMPLES, nights=10, prevalence=0.9, seed=1)
    with pytest.raises(UsageError, match="1000 nights"):
        draw_nights(EXAMPLES, nights=1000, prevalence=0.05, seed=1)


@pytest.mark.parametrize("lag", [1, 3])
def test_only_what_has_come_in_is_read_and_only_what_is_decided_is_known(
    nights: Nights[Example], lag: int
) -> None:
    ranker = Watched(np.linspace(0, 1, len(nights.examples)))
    order = review_nights(nights, ranker, budget_items=7, label_lag_nights=lag, seed=1).tolist()
    assert sorted(order) == list(range(len(nights.examples)))
    for at, (night, known, waiting) in enumerate(ranker.told):
        assert night == at
        assert all(nights.night[each] <= night for each in waiting)
        assert known == order[: max(0, 7 * (night - lag + 1))]
        assert not {*waiting} & {*order[: 7 * night]}
        assert order[7 * night : 7 * night + 7] == sorted(waiting, reverse=True)[:7]


def test_a_fixed_ranking_reads_its_best_first(nights: Nights[Example]) -> None:
    missed = np.array([each.missed for each in nights.examples])
    all_at_once = replace(nights, night=np.zeros(len(missed), dtype=np.int64))
    order = review_nights(all_at_once, FixedRanker(missed * 1.0), budget_items=5, label_lag_nights=1, seed=1)
    assert curve_of("", order, missed).reads_to(1.0) == missed.sum()


def test_a_model_is_built_again_from_the_decisions_known(nights: Nights[Example]) -> None:
    start = corpus_table([path for path in corpus_files() if path.stem == "w21"]).examples
    learnt: list[int] = []

    def build(decided: list[Example]) -> object:
        learnt.append(len(decided))
        return RECIPES["weighted_phrases"](TrainingTable((*start, *decided), ""))

    ranker = LearningRanker(build, nights, relearn_nights=4, settings=Settings())  # type: ignore[arg-type]
    order = review_nights(nights, ranker, budget_items=10, label_lag_nights=2, seed=1)
    # On every fourth night; what was read on the last two before it is not yet decided.
    last = -(-len(order) // 10) - 1
    assert learnt == [max(0, 10 * (night - 1)) for night in range(0, last + 1, 4)]
    assert len(order) == len(nights.examples)


def test_scores_follow_the_order_of_the_records() -> None:
    some = EXAMPLES[::9]
    model = RECIPES["weighted_phrases"](TrainingTable(EXAMPLES, ""))
    scores = scores_of(model, some, Settings())
    backwards = scores_of(model, some[::-1], Settings())
    assert scores.tolist() == backwards[::-1].tolist()
    assert len({*scores.tolist()}) > 3
