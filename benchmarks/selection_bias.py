"""How far decisions on what was ranked mislead, and whether the weights of training_data/weights.py mend it.

Nights of review with known truth. Each night the product's own allocation fills a budget of 40 from the
matters of that night and the one before (``--window``); nine of ten queued items are decided that day.
Figures that a force would draw from the decisions are compared with the truth of all matters: the share with
an unrecorded crime, intercept and slope of the champion's calibration, the share of the crimes that the reads
found, and a challenger learnt from the decisions. Two streams: ``synthetic`` has a curved truth that a linear
model cannot follow, ``corpus`` draws the invented records of the corpus at 5 % prevalence, with the
champion, the nights and the fresh stream of three sets of writers.

    python benchmarks/selection_bias.py [--stream synthetic|corpus] [--seeds 20] [--nights 90] [--window 2]

prints means over the seeds with 95 % intervals. Nothing here is a figure of police data.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training_data.build import corpus_table
from training_data.weights import selection_weights
from triage.ranking.allocation import Candidate, Carried, Draw, allocate
from triage.ranking.fitted import logit
from triage.review.labels import Decided, Label, Queued, entry_probability
from triage.review.outcomes import FoundCrime, Outcome
from triage.settings import Settings

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
START = datetime(2026, 1, 1, 4, tzinfo=UTC)
A_NIGHT, BUDGET, DECIDED = 600, 40, 0.9
PREVALENCE = 0.05
YES, NO = Outcome("yes", (FoundCrime("theft"),)), Outcome("no")
CAPS = (1.0, 5.0, 20.0, 100.0, np.inf)


@dataclass(frozen=True)
class Stream:
    """Matters of all nights: features, truth, the champion's probability, the night, a rule that fires."""

    x: Floats
    y: Bools
    score_01: Floats
    nights: Ints
    ruled: Bools


def logistic(z: Floats) -> Floats:
    """Return probabilities from log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-z)))


def synthetic(seed: int, nights: int) -> tuple[Stream, Stream]:
    """Return matters whose crime depends on what the champion sees, on what it does not, and on both."""
    return _synthetic(seed, nights), _synthetic(seed + 1_000, nights)


def _synthetic(seed: int, nights: int) -> Stream:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(nights * A_NIGHT, 3))
    p = logistic(-4.6 + 1.1 * x[:, 0] + 0.9 * x[:, 1] - 0.5 * x[:, 0] * x[:, 1] + 0.35 * x[:, 1] ** 2)
    return Stream(
        x=x,
        y=rng.random(len(p)) < p,
        score_01=logistic(-3.4 + 1.0 * x[:, 0] + 0.5 * x[:, 2]),
        nights=np.repeat(np.arange(nights), A_NIGHT),
        ruled=rng.random(len(p)) < np.where(x[:, 1] > 1.5, 0.1, 0.002),
    )


def corpus(seed: int, nights: int) -> tuple[Stream, Stream]:
    """Return records of the corpus at 5 % prevalence, each stream and the champion of other writers.

    A record stands in a stream many times, as the corpus is small: read once, it says much of the others.
    """
    features, missed, authors = _corpus_features()
    rng = np.random.default_rng(seed)
    writers = rng.permutation(np.unique(authors))
    of_champion, of_stream, of_fresh = (np.isin(authors, part) for part in np.array_split(writers, 3))
    champion = LogisticRegression(max_iter=2000).fit(features[of_champion], missed[of_champion])
    moved = logit(np.array(PREVALENCE)) - logit(missed[of_champion].mean())
    scores = logistic(champion.decision_function(features) + moved)

    def drawn(of: Bools) -> Stream:
        chance = np.where(missed[of], PREVALENCE / missed[of].sum(), (1 - PREVALENCE) / (~missed[of]).sum())
        at = rng.choice(np.flatnonzero(of), size=nights * A_NIGHT, p=chance)
        ruled = rng.random(len(at)) < np.where(missed[at], 0.05, 0.002)
        return Stream(features[at], missed[at], scores[at], np.repeat(np.arange(nights), A_NIGHT), ruled)

    return drawn(of_stream), drawn(of_fresh)


@cache
def _corpus_features() -> tuple[Floats, Bools, npt.NDArray[np.str_]]:
    examples = corpus_table().examples
    words = TfidfVectorizer(min_df=3, sublinear_tf=True).fit_transform(each.record.text for each in examples)
    topics = TruncatedSVD(40, random_state=0).fit_transform(words) * 5.0
    recorded = np.array([bool(each.recorded) for each in examples], dtype=float)
    missed = np.array([each.missed for each in examples])
    return np.column_stack([topics, recorded]), missed, np.array([each.author for each in examples])


STREAMS = {"synthetic": synthetic, "corpus": corpus}


@dataclass(frozen=True)
class Reviewed:
    """What the nights brought: all queued, all decided, and for each decided its place in the stream."""

    queued: tuple[Queued, ...]
    decided: tuple[Decided, ...]
    places: Ints


def review(stream: Stream, seed: int, window: int = 2) -> Reviewed:
    """Let the product allocate night after night, and decide nine of ten queued items rightly.

    An extract holds the matters of so many nights, the window.
    """
    rng = np.random.default_rng([seed, 1])
    settings = Settings(budget_items=BUDGET, carry_over_days=3)
    key = seed.to_bytes(4)
    draws: dict[str, Draw] = {}
    drawn_at: dict[str, datetime] = {}
    first: dict[int, tuple[datetime, str, float]] = {}
    waiting: dict[int, Carried] = {}
    done: dict[int, datetime] = {}
    for night in range(int(stream.nights.max()) + 1):
        at = START + timedelta(days=night)
        of_extract = np.flatnonzero((stream.nights <= night) & (stream.nights > night - window))
        candidates = [_candidate(stream, place) for place in of_extract.tolist() if place not in first]
        waiting = {
            place: each
            for place, each in waiting.items()
            if place not in done and at - each.queued_at <= timedelta(days=settings.carry_over_days)
        }
        plan = allocate(
            candidates, carried=list(waiting.values()), draws_made=draws, key=key, settings=settings
        )
        draws |= {draw.root: draw for draw in plan.draws}
        drawn_at |= {draw.root: at for draw in plan.draws}
        for seat in plan.places:
            item = seat.candidate or seat.carried
            assert item is not None
            place = int(item.record_ref)
            if seat.candidate is not None:
                first[place] = (at, seat.arm, seat.inclusion_probability)
                waiting[place] = _carried(item, seat.arm, at, seat.inclusion_probability)
            if rng.random() < DECIDED:
                done[place] = at + timedelta(hours=12)
    queued = {
        place: Queued(
            item_id=str(place),
            root=str(place),
            run_id="",
            arm=arm,
            stratum="readable",
            inclusion_probability=p,
            entry_probability=entry_probability(p, at, _drawn(draws.get(str(place)), drawn_at)),
            score_01=float(stream.score_01[place]),
            queued_at=at,
        )
        for place, (at, arm, p) in first.items()
    }
    return Reviewed(
        tuple(queued.values()),
        tuple(
            Decided(queued[place], (), (), (), Label(YES if stream.y[place] else NO, "one", at, at))
            for place, at in done.items()
        ),
        np.array(list(done), dtype=np.int64),
    )


def _candidate(stream: Stream, place: int) -> Candidate:
    return Candidate(
        source="incidents",
        record_ref=str(place),
        root=str(place),
        content_hash=str(place),
        opened_at=START,
        eligible=True,
        stratum="readable",
        score_01=float(stream.score_01[place]),
        tiebreak=f"{place:08}",
        rules=("rape_without_crime",) if stream.ruled[place] else (),
    )


def _carried(item: Candidate | Carried, arm: str, at: datetime, p: float) -> Carried:
    return Carried(
        item_id=item.record_ref,
        arm=arm,
        record_ref=item.record_ref,
        content_hash=item.content_hash,
        queued_at=at,
        score_01=item.score_01,
        tiebreak=item.tiebreak,
        inclusion_probability=p,
        rules=item.rules,
    )


def _drawn(draw: Draw | None, at: Mapping[str, datetime]) -> tuple[datetime, float, bool] | None:
    return None if draw is None else (at[draw.root], draw.inclusion_probability, draw.drawn)


def fitted(x: Floats, y: Bools, weights: Floats | None = None, *, C: float = 1.0) -> LogisticRegression:
    """Return a logistic regression, weights scaled to a mean of 1."""
    if weights is not None:
        x, y, weights = x[weights > 0], y[weights > 0], weights[weights > 0] / weights[weights > 0].mean()
    return LogisticRegression(C=C, max_iter=5000).fit(x, y, sample_weight=weights)


def calibration(score_01: Floats, y: Bools, weights: Floats | None = None) -> tuple[float, float]:
    """Return intercept and slope of the truth on the champion's log-odds; 0 and 1 if it is calibrated.

    Source: Cox 1958; logistic recalibration.
    """
    curve = fitted(logit(score_01)[:, None], y, weights, C=100.0)
    return float(curve.intercept_[0]), float(curve.coef_[0, 0])


def figures(stream: Stream, reviewed: Reviewed) -> Iterator[tuple[str, str, float, float]]:
    """Yield (figure, how, estimate, truth), for each figure that a force would draw from the decisions."""
    at = reviewed.places
    y, score = stream.y[at], stream.score_01[at]
    exact = selection_weights(reviewed.decided, queued=reviewed.queued).counting
    arms = np.array([each.queued.arm for each in reviewed.decided])
    late = np.array([each.queued.entry_probability is None for each in reviewed.decided])
    inverse = np.array([1.0 / each.queued.inclusion_probability for each in reviewed.decided])
    hows: dict[str, Floats] = {
        "ranked reads alone": (arms == "ranked").astype(float),
        "all reads, unweighted": np.ones(len(at)),
        "1/p, later ranked twice": inverse,
        "the weights": exact,
    }
    found, truth_all = float(y.sum()), float(stream.y.sum())
    truth = calibration(stream.score_01, stream.y)
    for how, weights in hows.items():
        yield "prevalence", how, float(np.average(y, weights=weights)), float(stream.y.mean())
        intercept, slope = calibration(score, y, weights)
        yield "calibration intercept", how, intercept, truth[0]
        yield "calibration slope", how, slope, truth[1]
        total = float((weights * y).sum())
        # From a part of the reads alone there seems to be no more than was found.
        yield "recall of the reads", how, min(found / total, 1.0), found / truth_all
    yield "reads that lost a draw", "share", float(late.mean()), 0.0


def challengers(stream: Stream, fresh: Stream, reviewed: Reviewed) -> Iterator[tuple[str, str, float, float]]:
    """Yield (figure, how learnt, value on a fresh stream, value of a model learnt from all the truth)."""
    at = reviewed.places
    arms = np.array([each.queued.arm for each in reviewed.decided])
    counting = selection_weights(reviewed.decided, queued=reviewed.queued).counting
    hows: dict[str, Floats] = {
        "ranked reads alone": (arms == "ranked").astype(float),
        "weights, later ranked left out": counting,
    }
    for cap in CAPS:
        held = selection_weights(reviewed.decided, queued=reviewed.queued, cap=cap)
        name = "all reads, unweighted" if cap == 1.0 else f"weights, cap {cap:g}"
        # Without texts nothing is kept to be learnt from: the weights are those of the same decisions.
        hows[name] = held.learning
    best = quality(fitted(stream.x, stream.y), fresh)
    for how, weights in hows.items():
        for name, value in quality(fitted(stream.x[at], stream.y[at], weights), fresh).items():
            yield name, how, value, best[name]


def quality(model: LogisticRegression, fresh: Stream) -> dict[str, float]:
    """Return what a model is worth on matters that it never saw."""
    p = model.predict_proba(fresh.x)[:, 1]
    slope = calibration(p, fresh.y)[1]
    top = np.argsort(-p, kind="stable")[: len(p) // 15]
    return {
        "predicted / observed": float(p.mean() / fresh.y.mean()),
        "its calibration slope": slope,
        "log loss": float(log_loss(fresh.y, p)),
        "ROC-AUC": float(roc_auc_score(fresh.y, p)),
        "recall in the top 1/15": float(fresh.y[top].sum() / fresh.y.sum()),
    }


def table(title: str, rows: Sequence[tuple[str, str, float, float]]) -> None:
    """Print means over the seeds, each with the interval of its mean, beside the truth."""
    print(f"\n{title}\n{'figure':<28}{'how':<34}{'estimate':>10}{'95 % interval':>20}{'truth':>9}{'bias':>9}")
    for figure, how in dict.fromkeys((row[0], row[1]) for row in rows):
        pairs = np.array([row[2:] for row in rows if row[:2] == (figure, how)])
        values, truths = pairs.T
        half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
        differs = pairs[:, 0] - pairs[:, 1]
        spread = float(stats.t.ppf(0.975, len(values) - 1) * differs.std(ddof=1) / np.sqrt(len(values)))
        sign = "*" if abs(differs.mean()) > spread else " "
        print(
            f"{figure:<28}{how:<34}{values.mean():>10.4f}"
            f"{f'{values.mean() - half:.4f} to {values.mean() + half:.4f}':>20}"
            f"{truths.mean():>9.4f}{differs.mean():>+9.4f}{sign}"
        )


def main() -> None:
    """Run all seeds and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stream", choices=STREAMS, default="synthetic")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--nights", type=int, default=90)
    parser.add_argument("--window", type=int, default=2)
    given = parser.parse_args()
    drawn, learnt = [], []
    for seed in range(given.seeds):
        stream, fresh = STREAMS[given.stream](seed, given.nights)
        reviewed = review(stream, seed, given.window)
        drawn += list(figures(stream, reviewed))
        learnt += list(challengers(stream, fresh, reviewed))
    print(
        f"{given.stream}: seeds 0 to {given.seeds - 1}, {given.nights} nights of {A_NIGHT}, "
        f"budget {BUDGET}, window of {given.window} nights"
    )
    table("What the decisions say of the period (* : the bias is beyond chance)", drawn)
    table("Challengers learnt from the decisions, on a fresh stream; truth: learnt from everything", learnt)


if __name__ == "__main__":
    main()
