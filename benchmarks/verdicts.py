"""How often the verdict on a challenger is right, in invented nights whose truth is known.

usage: python benchmarks/verdicts.py [--seeds N] [--nights N ...] [--control SHARE ...] [--eligible N]

Every night has so many eligible matters, of which 5 % hold an unrecorded crime. Two models score them with a
separation that is given: the score is normal, and its mean higher by so much where there is a crime; half of
what is noise is the same in both, as of models that read the same text. The champion ranks; auditors read its
top and a random control, and nothing else is known of the night. `triage.learning.comparison` sees what they
read, and its verdict is set against what all matters would have shown.

`replaced` is *better*, `kept` any other word. A champion that should be replaced and is kept, or should not
and is replaced, is an error. `covered` counts seeds whose interval holds the difference of the whole period.
Invented scores: nothing here is accuracy on police data.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass

import numpy as np

from triage.learning.comparison import Rule, compare, verdict
from triage.learning.paired import Judged, Queue

PREVALENCE, BUDGET, SHARED = 0.05, 40, 0.5
#: Separation of champion and challenger: ROC-AUC 0.76, 0.92 and 0.86.
CASES = {
    "should be replaced": (1.0, 2.0),
    "equal: should not": (1.5, 1.5),
    "better than its challenger": (2.0, 1.0),
}


@dataclass(frozen=True)
class Period:
    """All eligible matters of a period, and which of them were read; arrays of shape (matters,)."""

    nights: np.ndarray
    missed: np.ndarray
    champion: np.ndarray
    challenger: np.ndarray
    weights: np.ndarray
    certain: np.ndarray


def period(
    separations: tuple[float, float],
    nights: int,
    eligible: int,
    control: float,
    generator: np.random.Generator,
) -> Period:
    """Return invented nights that the champion has ranked."""
    size = nights * eligible
    missed = generator.random(size) < PREVALENCE
    shared = np.sqrt(SHARED) * generator.standard_normal(size)
    scores = []
    for separation in separations:
        margin = separation * missed + shared + np.sqrt(1 - SHARED) * generator.standard_normal(size)
        # What a calibrated model says of such a margin: the log-odds of two normals of one variance.
        odds = np.log(PREVALENCE / (1 - PREVALENCE)) + separation * (margin - separation / 2)
        scores.append(1 / (1 + np.exp(-odds)))
    weights, certain = np.zeros(size), np.zeros(size, dtype=bool)
    drawn = round(BUDGET * control)
    for night in range(nights):
        order = night * eligible + np.argsort(-scores[0][night * eligible : (night + 1) * eligible])
        certain[order[: BUDGET - drawn]] = True
        rest = order[BUDGET - drawn :]
        weights[generator.choice(rest, drawn, replace=False)] = len(rest) / drawn
    return Period(
        np.repeat(np.arange(nights), eligible),
        missed,
        *scores,
        weights=np.where(certain, 1.0, weights),
        certain=certain,
    )


def truth(found: Period) -> float:
    """Return the difference in recall at the budget that all matters of the period show."""
    size = len(found.nights)
    whole = Judged(
        found.nights,  # here every night reads its own budget, as it does in life
        np.arange(size),
        found.missed,
        np.ones(size),
        found.certain,
        np.zeros(size, dtype=bool),
    )
    point = whole.weights[None, :]
    read = [Queue(whole, score).read(point)[0] for score in (found.champion, found.challenger)]
    return float(((read[1] - read[0]) * found.missed).sum() / found.missed.sum())


def run(
    case: str, nights: int, eligible: int, control: float, seed: int, rule: Rule
) -> tuple[str, bool, float]:
    """Return the verdict of one seed, whether its interval holds the truth, and the truth."""
    found = period(CASES[case], nights, eligible, control, np.random.default_rng(seed))
    read = found.weights > 0
    judged = Judged(
        np.zeros(read.sum(), dtype=np.int64),
        np.arange(read.sum()),
        found.missed[read],
        found.weights[read],
        found.certain[read],
        np.zeros(read.sum(), dtype=bool),
    )
    result = compare(
        judged,
        found.champion[read],
        found.challenger[read],
        families=np.zeros((int(read.sum()), 0), dtype=bool),
        family_names=(),
        cells={},
        rule=rule,
        seed=seed,
        draws=400,
    )
    recall, true = result.figure("recall"), truth(found)
    return verdict(result, rule).word, recall.low <= true <= recall.high, true


def main() -> None:
    """Simulate from the command line."""
    words = argparse.ArgumentParser(description="Prints how often verdicts on invented nights are right.")
    words.add_argument("--seeds", type=int, default=20, metavar="N")
    words.add_argument("--nights", type=int, nargs="+", default=[28, 90], metavar="N")
    words.add_argument("--control", type=float, nargs="+", default=[0.1, 0.25], metavar="SHARE")
    words.add_argument("--eligible", type=int, default=400, metavar="N", help="matters a night")
    given = words.parse_args()
    rule = Rule()
    print(f"{given.seeds} seeds each, budget {BUDGET} of {given.eligible} matters a night, rule {rule}")
    print(
        f"{'champion':28s}{'nights':>7s}{'control':>9s}{'truth':>8s}{'replaced':>10s}{'kept':>6s}"
        f"{'errors':>8s}{'covered':>9s}  words"
    )
    for nights in given.nights:
        for control in given.control:
            for case in CASES:
                results = [
                    run(case, nights, given.eligible, control, seed, rule) for seed in range(given.seeds)
                ]
                said = Counter(word for word, _, _ in results)
                replaced = said["better"]
                errors = given.seeds - replaced if case == "should be replaced" else replaced
                print(
                    f"{case:28s}{nights:7d}{control:9.2f}{np.mean([each[2] for each in results]):+8.3f}"
                    f"{replaced:10d}{given.seeds - replaced:6d}{errors / given.seeds:8.0%}"
                    f"{sum(each[1] for each in results):9d}  "
                    + ", ".join(f"{word} {count}" for word, count in said.most_common()),
                    flush=True,
                )


if __name__ == "__main__":
    main()
