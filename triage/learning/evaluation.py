"""What a ranking of labelled records is worth, and how a recipe does on authors that it never saw."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from joblib import Parallel, delayed

from triage.errors import UsageError, known_names
from triage.language.offences import FAMILIES
from triage.learning import metrics
from triage.learning.metrics import Bools, Floats, Ints
from triage.learning.reports import SHARES_READ, Family, Group, Pairs, Recall, Report
from triage.ranking.layers import shift_prevalence
from triage.ranking.scoring import Ranker, RecordScore, score_matters
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record
from triage.settings import Settings

_TOP = 0.10
#: Figures of a ranking that have an interval, in the order of :meth:`_Held.figures`.
_FIGURES = (
    "roc_auc",
    "average_precision",
    *(f"recall_{share:.2f}" for share in SHARES_READ),
    "top1_family",
    "evidence_top3",
)
#: Points of the curve of recall against share read, beside nought.
_CURVE_POINTS = 100
_EVIDENCE_PLACES = 3
_NAMED_MOST = 5
_PAIR = re.compile(r"(.*[0-9])[ab]")
_ANSWER = re.compile(r"Q([0-9]+)=Y")


class Labelled(Protocol):
    """A record with its truth: ``evidence`` is a part of its text, or ``Q18=Y``, per family disclosed."""

    @property
    def record(self) -> Record: ...
    @property
    def author(self) -> str: ...
    @property
    def disclosed(self) -> tuple[str, ...]: ...
    @property
    def recorded(self) -> tuple[str, ...]: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...
    @property
    def lacking(self) -> tuple[str, ...]: ...
    @property
    def missed(self) -> bool: ...


Example = TypeVar("Example", bound=Labelled)


def evaluate(
    name: str,
    truth: Sequence[Labelled],
    rows: Sequence[Mapping[str, Any]],
    *,
    prevalence: float,
    over: Literal["pairs", "authors"] = "pairs",
    seed: int = 0,
) -> Report:
    """Return what a ranking is worth against labelled records.

    Parameters
    ----------
    name : str
        What the ranking is called in the report.
    truth : sequence of Labelled
        Labelled records.
    rows : sequence of mapping
        Rows of the score file: ``record_ref``, ``source``, ``rank``, ``score_01`` at `prevalence`,
        ``p_<family>``, ``unrecorded_families`` and ``evidence``. A row whose record nobody labelled counts
        as unlabelled.
    prevalence : float
        Share of records with a missed crime for which the figures are stated.
    over : "pairs" or "authors"
        What intervals are drawn over; a record of no pair stands alone.
    seed : int
        Seed of the intervals.

    Raises
    ------
    UsageError
        If a labelled record has no score or is labelled twice, or if all are of one kind.
    """
    ordered = sorted(rows, key=lambda row: int(row["rank"]))
    at = _places(truth, ordered)
    held = _Held(truth, [ordered[place] for place in at], at)
    labelled = np.zeros(len(ordered), dtype=bool)
    labelled[at] = True
    # An unlabelled record stands for itself in the stream: the labelled weigh 1 on average.
    y, weights = np.zeros(len(ordered), dtype=bool), np.ones(len(ordered))
    y[at], weights[at] = held.missed, metrics.prevalence_weights(held.missed, prevalence)
    places = np.arange(len(ordered), dtype=float)
    scores = np.array([float(row["score_01"]) for row in ordered])

    def recall(share: float) -> Recall:
        worst, best = metrics.recall_bounds(y, labelled, scores, weights, share)
        return Recall(share, metrics.recall_at(y, -places, weights, share), worst, best)

    intervals = metrics.bootstrap_intervals(
        lambda times: held.figures(times, prevalence),
        held.authors if over == "authors" else np.where(held.pairs == "", held.refs, held.pairs),
        seed=seed,
    )
    p, share = held.column("score_01"), float(held.missed.mean())
    table = metrics.reliability(held.missed, p, prevalence)
    in_sample = metrics.reliability(held.missed, shift_prevalence(p, prevalence, share), share)
    return Report(
        name=name,
        prevalence=prevalence,
        records=len(truth),
        missed=int(held.missed.sum()),
        unlabelled=len(ordered) - len(truth),
        roc_auc=metrics.roc_auc(held.missed, held.score) or 0.0,
        average_precision=metrics.average_precision(held.missed, held.score, weights[at]),
        recall=tuple(recall(each) for each in SHARES_READ),
        top1_family=float(np.mean(held.top1[held.missed])),
        evidence_top3=float(np.mean(held.shown[held.missed])),
        calibration_error=metrics.calibration_error(table),
        calibration_error_sample=metrics.calibration_error(in_sample),
        reliability=table,
        pairs=held.pair_figures(),
        groups=held.group_figures(),
        families=held.family_figures(prevalence),
        intervals={
            name: None if np.isnan(low) else (float(low), float(high))
            for name, (low, high) in zip(_FIGURES, intervals, strict=True)
        },
        intervals_over=over,
        curve=tuple(recall(point / _CURVE_POINTS) for point in range(_CURVE_POINTS + 1)),
    )


def leave_one_author_out(
    build: Callable[[Sequence[Example]], Ranker],
    examples: Sequence[Example],
    *,
    settings: Settings,
    authors: Sequence[str] = (),
    train_authors: Sequence[str] = (),
    together: int = 1,
    jobs: int = 1,
) -> tuple[RecordScore, ...]:
    """Return the scores of each author's records, by a model that learnt from the other authors alone.

    Parameters
    ----------
    build : callable
        Fits a ranker to labelled records; a recipe, given its training table.
    examples : sequence of Labelled
        Labelled records of several authors.
    settings : Settings
        For the prevalence that scores assume.
    authors : sequence of str, optional
        Whose records are scored; by default everybody's.
    train_authors : sequence of str, optional
        Whose records may be learnt from; by default everybody's.
    together : int
        Authors left out at a time: with more of them fewer models are fitted, which learn from fewer authors.
    jobs : int
        Processes, each with one model at a time.

    Raises
    ------
    UsageError
        If an author is unknown, nobody is left to learn from, or fewer than one is to be left out.
    """
    known = sorted({each.author for each in examples})
    for name in (*authors, *train_authors):
        if name not in known:
            raise UsageError(
                f"author {known_names(name, known)}", mend="name authors of the labelled records"
            )
    if together < 1:
        raise UsageError(
            f"{together} authors cannot be left out at a time", where="together", mend="leave out 1 or more"
        )
    tasks = []
    judged = list(authors or known)
    models = -(-len(judged) // together)
    for left_out in (judged[number::models] for number in range(models)):
        teachers = {*(train_authors or known)}.difference(left_out)
        if not teachers:
            raise UsageError(
                "no other author is left to learn from",
                where=", ".join(left_out),
                mend="give records by several authors",
            )
        learnt = [each for each in examples if each.author in teachers]
        tasks.append((learnt, [each for each in examples if each.author in left_out]))
    scored = Parallel(n_jobs=jobs)(delayed(_score_unseen)(build, *task, settings) for task in tasks)
    return tuple(score for part in scored for score in part)


def _score_unseen(
    build: Callable[[Sequence[Example]], Ranker],
    learnt: Sequence[Example],
    unseen: Sequence[Example],
    settings: Settings,
) -> tuple[RecordScore, ...]:
    return score_matters(build(learnt), [matter_of(each) for each in unseen], settings=settings)


def matter_of(example: Labelled) -> Matter:
    """Return a labelled record as a matter of its own, with the crimes that were recorded for it."""
    record = example.record
    crimes = (
        Crime(f"{record.record_ref}/{number}", record.record_ref, record.opened_at, family)
        for number, family in enumerate(example.recorded)
    )
    return Matter(record.record_ref, (record,), tuple(crimes))


def _places(truth: Sequence[Labelled], rows: Sequence[Mapping[str, Any]]) -> Ints:
    """Return where each labelled record stands; its table tells records of one reference apart."""
    by_ref: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        by_ref.setdefault(str(row["record_ref"]), []).append(place)
    places: list[int] = []
    lost: list[str] = []
    for each in truth:
        found = by_ref.get(each.record.record_ref, [])
        if len(found) > 1:
            found = [place for place in found if rows[place]["source"] == each.record.source]
        if len(found) == 1:
            places += found
        else:
            lost.append(each.record.record_ref)
    if lost:
        raise UsageError(
            f"{len(lost)} of {len(truth)} labelled records have no score: {_some(lost)}",
            where="the truth",
            mend="give the extract that holds the labelled records, under the same references",
        )
    if len({*places}) < len(places):
        seen = [rows[place]["record_ref"] for place in sorted({*places}) if places.count(place) > 1]
        raise UsageError(
            f"{len(seen)} records are labelled twice: {_some(seen)}",
            where="the truth",
            mend="label each record once",
        )
    if len({each.missed for each in truth}) < 2:
        raise UsageError(
            "the labelled records are all missed, or none is: there is no order to judge",
            where="the truth",
            mend="label records of both kinds",
        )
    return np.array(places, dtype=np.int64)


def _some(refs: Sequence[str]) -> str:
    return ", ".join(refs[:_NAMED_MOST]) + (" …" if len(refs) > _NAMED_MOST else "")


class _Held:
    """The labelled records and their rows as arrays of shape (records,) or (records, families)."""

    def __init__(self, truth: Sequence[Labelled], rows: Sequence[Mapping[str, Any]], places: Ints) -> None:
        self.rows = rows
        self.score: Floats = -places.astype(float)
        self.order = np.argsort(places)
        self.missed = np.array([each.missed for each in truth], dtype=bool)
        self.refs = np.array([each.record.record_ref for each in truth])
        self.authors = np.array([each.author for each in truth])
        self.sources = np.array([each.record.source for each in truth])
        found = (_PAIR.fullmatch(ref) for ref in self.refs.tolist())
        self.pairs = np.array([match[1] if match else "" for match in found])
        self.disclosed = _flags(each.disclosed for each in truth)
        self.lacking: Bools = _flags(each.lacking for each in truth)
        self.named: Bools = self.lacking & _flags(
            str(row["unrecorded_families"]).split(";")[:1] for row in rows
        )
        self.top1: Bools = np.asarray(self.named.any(axis=1))
        self.shown = np.array([_is_shown(*both) for both in zip(truth, rows, strict=True)], dtype=bool)

    def column(self, name: str) -> Floats:
        return np.array([float(row[name]) for row in self.rows])

    def figures(self, times: Ints, prevalence: float) -> tuple[float, ...]:
        """Return the figures that have intervals, each record counted a number of times."""
        rows = self.order[times[self.order] > 0]
        y, times = self.missed[rows], times[rows]
        share = np.average(y, weights=times)
        if not 0 < share < 1:
            return (float("nan"),) * len(_FIGURES)
        weights = times * np.where(y, prevalence / share, (1 - prevalence) / (1 - share))
        return (
            *metrics.figures_in_order(y, weights, SHARES_READ),
            float(np.average(self.top1[rows][y], weights=times[y])),
            float(np.average(self.shown[rows][y], weights=times[y])),
        )

    def pair_figures(self) -> tuple[Pairs, ...]:
        figures = []
        writers = np.unique(self.authors[self.pairs != ""]).tolist()
        for author in (*writers, *(["all"] if len(writers) > 1 else [])):
            own = (self.authors == author) | (author == "all")
            wins = metrics.pair_wins(self.missed, self.score, np.where(own, self.pairs, ""))
            if len(wins):
                limits = metrics.wilson(int(wins.sum()), len(wins))
                figures.append(Pairs(author, len(wins), float(wins.mean()), *limits))
        return tuple(figures)

    def group_figures(self) -> tuple[Group, ...]:
        something = self.disclosed.any(axis=1)
        parts: list[tuple[str, str, Bools]] = [
            ("against", "recorded", self.missed | something),
            ("against", "nothing disclosed", self.missed | ~something),
            *(("source", each, self.sources == each) for each in np.unique(self.sources).tolist()),
            *(("author", each, self.authors == each) for each in np.unique(self.authors).tolist()),
        ]
        return tuple(
            Group(kind, name, int(rows.sum()), int(y.sum()), metrics.roc_auc(y, self.score[rows]))
            for kind, name, rows in parts
            for y in (self.missed[rows],)
        )

    def family_figures(self, prevalence: float) -> tuple[Family, ...]:
        read = np.zeros(len(self.missed), dtype=bool)
        weights = metrics.prevalence_weights(self.missed, prevalence)
        read[self.order] = metrics.is_read(self.order, weights, _TOP)
        figures = []
        for at, name in enumerate(FAMILIES):
            lacking = self.lacking[:, at]
            rows, some = lacking | ~self.missed, bool(lacking.any())
            figures.append(
                Family(
                    name=name,
                    disclosed=int(self.disclosed[:, at].sum()),
                    missed=int(lacking.sum()),
                    roc_auc=metrics.roc_auc(lacking[rows], self.score[rows]),
                    recall_top10=float(read[lacking].mean()) if some else None,
                    top1=float(self.named[lacking, at].mean()) if some else None,
                    disclosed_roc_auc=metrics.roc_auc(self.disclosed[:, at], self.column(f"p_{name}")),
                )
            )
        return tuple(figures)


def _flags(names: Iterable[Sequence[str]]) -> Bools:
    return np.array([[family in each for family in FAMILIES] for each in names], dtype=bool)


def _is_shown(example: Labelled, row: Mapping[str, Any]) -> bool:
    """Tell whether one of the first places of evidence has a part of what an unrecorded family rests on."""
    if not example.missed:
        return False
    places = json.loads(row["evidence"])[:_EVIDENCE_PLACES]
    for family, said in zip(example.disclosed, example.evidence, strict=False):
        if family not in example.lacking:
            continue
        answer, start = _ANSWER.fullmatch(said), example.record.text.find(said)
        for place in places:
            if answer and str(place.get("question", "")).lower() == f"q{answer[1]}":
                return True
            if (
                start >= 0
                and "start" in place
                and place["start"] < start + len(said)
                and place["end"] > start
            ):
                return True
    return False
