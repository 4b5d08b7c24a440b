"""Nights of review over the corpus: the product's recipe static and learning, random order, the baselines.

usage: python benchmarks/replay_corpus.py [--recipe NAME] [--start W ...] [--seeds N ...] [--nights N]
           [--budget N] [--prevalence P] [--relearn N] [--lag N] [--plot FILE.svg]

Models begin with the records of a few writers; the nights hold those of all the others, every one that misses
nothing and as many missed ones, drawn without replacement, as make the prevalence. Contrast pairs share a
writer and a night. Each night the likeliest of all that wait are read; after the nights reading goes on at
the same pace, and so does learning, until all are read. A decision tells the families of a record, not the
places. Training groups are pairs or single records, as in a force's own decisions. All texts are invented: no
figure here is accuracy on police data. Half an hour with the default recipe.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from models import RECIPES  # noqa: E402
from training_data.build import TrainingTable, corpus_table  # noqa: E402
from training_data.examples import Example  # noqa: E402
from triage.desk.evaluate_command import BASELINES  # noqa: E402
from triage.figures.recall_curve import check_can_draw, draw_replays  # noqa: E402
from triage.learning.replay import RECALLS, Curve, curve_of  # noqa: E402
from triage.learning.replay_nights import (  # noqa: E402
    FixedRanker,
    LearningRanker,
    Nights,
    draw_nights,
    pair_or_self,
    review_nights,
    scores_of,
)
from triage.ranking.scoring import Ranker  # noqa: E402
from triage.settings import Settings  # noqa: E402

START = ("w1", "w7")
PICTURE = ROOT / "docs" / "replay.svg"


def decided(example: Example) -> Example:
    """Return a record as its decision gives it: families without places, in a group of its own."""
    ref = pair_or_self(example.record.record_ref)
    return replace(example, author=f"decided-{ref}", marked=False, evidence=(), cancels=())


class Replays:
    """All rankings of the same nights."""

    def __init__(self, start: Sequence[Example], nights: Nights[Example], given: argparse.Namespace) -> None:
        self.start, self.nights, self.given = start, nights, given
        self.settings = Settings(assumed_prevalence=given.prevalence)

    def build(self, recipe: str, more: Sequence[Example]) -> Ranker:
        """Fit a recipe to what was there at the start and to decisions."""
        return RECIPES[recipe](TrainingTable((*self.start, *(decided(each) for each in more)), ""))

    def curve(self, name: str, seed: int) -> Curve:
        """Return what a ranking finds: ``random``, ``<recipe> static`` or ``<recipe> learning``."""
        examples, (recipe, _, kind) = self.nights.examples, name.partition(" ")
        ranker: FixedRanker | LearningRanker[Example]
        if name == "random":
            ranker = FixedRanker(np.zeros(len(examples)))
        elif kind == "static":
            ranker = FixedRanker(scores_of(self.build(recipe, ()), examples, self.settings))
        else:
            ranker = LearningRanker(
                lambda more: self.build(recipe, more),
                self.nights,
                relearn_nights=self.given.relearn,
                settings=self.settings,
            )
        order = review_nights(
            self.nights,
            ranker,
            budget_items=self.given.budget,
            label_lag_nights=self.given.lag,
            seed=seed,
        )
        return curve_of(name, order, np.array([each.missed for each in examples]))


def main() -> int:
    """Measure, print and draw."""
    words = argparse.ArgumentParser(description="Plays nights of review over the corpus again.")
    words.add_argument("--recipe", default=Settings().recipe, choices=tuple(RECIPES), metavar="NAME")
    words.add_argument("--start", nargs="+", default=START, metavar="W", help="writers learnt from at first")
    words.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="N")
    words.add_argument("--nights", type=int, default=30, metavar="N")
    words.add_argument("--budget", type=int, default=15, metavar="N", help="records read a night")
    words.add_argument("--prevalence", type=float, default=0.05, metavar="P")
    words.add_argument("--relearn", type=int, default=5, metavar="N", help="nights from model to model")
    words.add_argument("--lag", type=int, default=1, metavar="N", help="nights until a decision is a label")
    words.add_argument("--plot", type=Path, default=PICTURE, metavar="FILE", help="picture to write (SVG)")
    given = words.parse_args()
    check_can_draw()
    everyone = corpus_table().examples
    start = [each for each in everyone if each.author in given.start]
    others = [each for each in everyone if each.author not in given.start]
    baselines = [f"{each} static" for each in BASELINES if each != given.recipe]
    names = [f"{given.recipe} learning", f"{given.recipe} static", *baselines, "random"]
    curves: dict[str, list[Curve]] = {name: [] for name in names}
    for seed in given.seeds:
        nights = draw_nights(others, nights=given.nights, prevalence=given.prevalence, seed=seed)
        replays = Replays(start, nights, given)
        for name in names:
            began = perf_counter()
            curve = replays.curve(name, seed)
            curves[name].append(curve)
            print(
                f"seed {seed} {name:24} {_figures(curve, given)}  {perf_counter() - began:5.0f} s", flush=True
            )
    first = curves["random"][0]
    print(
        f"\n{len(start)} records by {', '.join(given.start)} at the start; {len(first.found)} records, "
        f"{first.relevant} missed, on {given.nights} nights; {given.budget} read a night, a new model every "
        f"{given.relearn} nights; mean over {len(given.seeds)} seeds (least to most)"
    )
    for name in names:
        columns = np.array([_row(curve, given) for curve in curves[name]])
        cells = (
            f"{mean:8.3f} ({low:.3f} to {high:.3f})" if at == 0 else f"{mean:7.0f} ({low:.0f} to {high:.0f})"
            for at, (mean, low, high) in enumerate(
                zip(columns.mean(axis=0), columns.min(axis=0), columns.max(axis=0), strict=True)
            )
        )
        print(f"{name:24}" + "".join(cells))
    draw_replays(curves, given.plot, reads_in_time=given.nights * given.budget)
    return 0


def _row(curve: Curve, given: argparse.Namespace) -> tuple[float, ...]:
    reads = (curve.reads_to(recall) or len(curve.found) for recall in RECALLS)
    return (curve.recall_after(given.nights * given.budget), *reads)


def _figures(curve: Curve, given: argparse.Namespace) -> str:
    within, *reads = _row(curve, given)
    return f"found in the nights {within:.3f}  reads to 80 / 95 %: {reads[0]:.0f} / {reads[1]:.0f}"


if __name__ == "__main__":
    sys.exit(main())
