"""What rankings are worth on a real log that they did not see, in one table; docs/ucpd.md explains it.

usage: python benchmarks/ucpd.py CSV [--until 2013] [--scores FILE.csv]

CSV is the public incident log of a university police, which is no part of this project. Models learn from its
records up to a year, of which only the titles say what was recorded; they are judged on records titled
"Information", each read twice (ucpd_labels.csv). No figure here is accuracy on police data of England and
Wales.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from models import RECIPES  # noqa: E402
from training_data.build import TrainingTable, corpus_table, with_history  # noqa: E402
from triage.errors import UsageError, UserError  # noqa: E402
from triage.language.disclosures import PHRASES, STANDING, find  # noqa: E402
from triage.language.text import read_texts  # noqa: E402
from triage.learning import metrics  # noqa: E402
from triage.learning.metrics import Bools, Floats  # noqa: E402
from triage.ranking.scoring import Ranker, score_matters, tiebreak  # noqa: E402
from triage.reading import load_mapping, read_extract  # noqa: E402
from triage.reading.linking import Matter, link  # noqa: E402
from triage.settings import Settings  # noqa: E402

LABELS = ROOT / "benchmarks" / "ucpd_labels.csv"
MAPPING = ROOT / "mappings" / "ucpd.toml"
SHARE_READ = 0.10
DEFAULT, WORD_COUNT = Settings.model_fields["recipe"].default, "weighted_phrases"
PLAIN = "plain TF-IDF + LR, history"
HEAD: tuple[str, ...] = (
    "positive of judged",
    "method",
    "ROC-AUC",
    "less plain",
    "against another force's",
    "against no crime",
    f"recall in the top {SHARE_READ:.0%}",
    "over ties",
    "average precision",
)


@dataclass(frozen=True, slots=True)
class Label:
    """What two readings say of one record; each field holds the first answer, then the second.

    ``crime`` is of the facts alone, ``other_force`` whether another force has the case, ``family`` the
    offence, empty where there is none.
    """

    record_ref: str
    crime: tuple[bool, bool]
    other_force: tuple[bool, bool]
    family: tuple[str, str]

    @property
    def unrecorded(self) -> tuple[bool, bool]:
        """Whether the facts amount to a crime of this force; another force's investigation cancels."""
        return self.crime[0] and not self.other_force[0], self.crime[1] and not self.other_force[1]

    @property
    def positive(self) -> bool:
        """Whether both readings say that there is an unrecorded crime."""
        return all(self.unrecorded)

    @property
    def elsewhere(self) -> bool:
        """Whether the facts amount to a crime, but not to one of this force."""
        return all(self.crime) and not self.positive


@dataclass(frozen=True, slots=True)
class Split:
    """A log cut in time: matters to learn from, and labelled ones to judge, in the order of their tie-break.

    ``positive``, ``elsewhere`` and ``later``, of shape (judged,), say which disclose an unrecorded crime,
    which one that another force has, and which were opened after the last year learnt from; ``unread`` are
    labelled references that could not be read.
    """

    past: tuple[Matter, ...]
    judged: tuple[Matter, ...]
    positive: Bools
    elsewhere: Bools
    later: Bools
    unread: tuple[str, ...]
    digest: str
    settings: Settings


def read_labels(path: Path = LABELS) -> tuple[Label, ...]:
    """Return the labels of a file, sorted by reference."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(
            Label(
                row["record_ref"],
                (row["crime_a"] == "Y", row["crime_b"] == "Y"),
                (row["other_force_a"] == "Y", row["other_force_b"] == "Y"),
                (row["family_a"], row["family_b"]),
            )
            for row in csv.DictReader(file)
        )


def agreement(labels: Sequence[Label]) -> str:
    """Return how often the two readings agree, and Cohen's kappa, as a table.

    Source: Cohen 1960.
    """
    questions: dict[str, Callable[[Label], tuple[object, object]]] = {
        "crime, by the facts": lambda label: label.crime,
        "another force has it": lambda label: label.other_force,
        "unrecorded crime, by the rule": lambda label: label.unrecorded,
        "family": lambda label: label.family,
    }
    rows: list[tuple[str, ...]] = [
        ("question", "agree", "yes, first reading", "yes, second reading", "kappa")
    ]
    for name, answers in questions.items():
        first, second = zip(*(map(str, answers(label)) for label in labels), strict=True)
        same = sum(a == b for a, b in zip(first, second, strict=True))
        yes = [sum(each not in ("False", "") for each in side) for side in (first, second)]
        kappa = cohen_kappa_score(first, second)
        rows.append((name, f"{same} of {len(labels)}", *map(str, yes), f"{kappa:.2f}"))
    return _as_table(rows)


def split_log(log: Path, labels: Sequence[Label], until: int) -> Split:
    """Return the log as matters to learn from, up to the end of a year, and labelled ones to judge.

    Parameters
    ----------
    log : Path
        The log as CSV, whatever its name.
    labels : sequence of Label
        Their records, and all of a matter with one, are never learnt from.
    until : int
        The last year learnt from, in the log's own time zone.

    Raises
    ------
    UserError
        If the log cannot be read, or holds no labelled records of both kinds.
    """
    mapping = load_mapping(MAPPING)
    settings = mapping.applied_to(Settings())
    with tempfile.TemporaryDirectory(prefix="triage-ucpd-") as folder:
        # The mapping names its file; a link leaves the log where it is.
        (Path(folder) / (mapping.of("incidents").file or "")).symlink_to(log.resolve())
        extract = read_extract(Path(folder), settings, mapping=mapping)
    matters = link(extract, settings).matters
    wanted = {label.record_ref: label for label in labels}
    past, judged = [], []
    for matter in matters:
        if matter.lead.record_ref in wanted:
            judged.append(matter)
        elif wanted.keys() & {record.record_ref for record in matter.records}:
            continue
        elif max(record.opened_at.astimezone(settings.zone).year for record in matter.records) <= until:
            past.append(matter)
    judged.sort(key=lambda matter: tiebreak(*matter.lead.key))
    refs = [matter.lead.record_ref for matter in judged]
    positive = np.array([wanted[ref].positive for ref in refs], dtype=bool)
    elsewhere = np.array([wanted[ref].elsewhere for ref in refs], dtype=bool)
    later = np.array([m.lead.opened_at.astimezone(settings.zone).year > until for m in judged], dtype=bool)
    if not 0 < positive.sum() < len(positive):
        raise UsageError(
            "the log does not hold labelled records of both kinds",
            where=log.name,
            mend=f"give the log of 2010 to 2015 whose references are those of {LABELS.name}",
        )
    unread = tuple(sorted({*wanted} - {*refs}))
    return Split(tuple(past), tuple(judged), positive, elsewhere, later, unread, extract.digest, settings)


def plain_scores(past: Sequence[Matter], judged: Sequence[Matter]) -> Floats:
    """Return what a user would write with scikit-learn: whether a record's title is a crime, by its words."""
    vectoriser = TfidfVectorizer(ngram_range=(1, 2))
    words = vectoriser.fit_transform([record.text for matter in past for record in matter.records])
    crime = [bool(matter.crimes) for matter in past for _ in matter.records]
    model = LogisticRegression(max_iter=1000).fit(words, crime)
    return np.asarray(model.decision_function(vectoriser.transform([matter.lead.text for matter in judged])))


def pattern_scores(judged: Sequence[Matter]) -> Floats:
    """Return how many acts each lead record states by phrase, less those that the text cancels."""
    reading = read_texts([matter.lead for matter in judged], PHRASES)
    stated = find(reading)
    counts = np.where(stated.statuses < len(STANDING), 1.0, -1.0)
    return np.bincount(reading.owners[stated.clauses], counts, minlength=len(judged)).astype(float)


def model_scores(model: Ranker, judged: Sequence[Matter], settings: Settings) -> Floats:
    """Return each matter's probability of an unrecorded crime, that of its lead record."""
    scored = {score.record_ref: score.score_01 for score in score_matters(model, judged, settings=settings)}
    return np.array([scored[matter.lead.record_ref] for matter in judged])


def all_scores(split: Split) -> Iterator[tuple[str, Floats]]:
    """Return what each method makes of the labelled records, of shape (judged,), one method after another."""
    judged, settings = split.judged, split.settings
    corpus = corpus_table()
    tables = {
        "corpus alone": corpus,
        "history alone": with_history(TrainingTable((), ""), split.past, [split.digest]),
        "corpus and history": with_history(corpus, split.past, [split.digest]),
    }
    yield "patterns alone", pattern_scores(judged)
    yield "word count", model_scores(RECIPES[WORD_COUNT](corpus), judged, settings)
    yield PLAIN, plain_scores(split.past, judged)
    for name, table in tables.items():
        yield name, model_scores(RECIPES[DEFAULT](table), judged, settings)


def figures(y: Bools, score: Floats, plain: Floats, times: Floats) -> tuple[float, ...]:
    """Return what a ranking is worth, each record counted a number of times.

    ROC-AUC; the same less that of the plain method, ``plain``; recall in the top 10 %; average precision.
    """
    rows = np.repeat(np.arange(len(y)), times.astype(int))
    auc, plain_auc = (metrics.roc_auc(y[rows], each[rows]) for each in (score, plain))
    if auc is None or plain_auc is None:
        return (float("nan"),) * 4
    precision = metrics.average_precision(y[rows], score[rows], np.ones(len(rows)))
    return auc, auc - plain_auc, metrics.recall_at(y, score, times, SHARE_READ), precision


def results(y: Bools, elsewhere: Bools, score: Floats, plain: Floats) -> tuple[str, ...]:
    """Return the figures of one row of the table."""
    ones = np.ones(len(y))
    point = figures(y, score, plain, ones)
    limits = metrics.bootstrap_intervals(
        lambda times: figures(y, score, plain, times.astype(float)), np.arange(len(y)), seed=0
    )
    shown = (
        f"{value:.2f} ({low:.2f} to {high:.2f})"
        for value, (low, high) in zip(point, limits.tolist(), strict=True)
    )
    against = (metrics.roc_auc(y[rows], score[rows]) for rows in (y | elsewhere, ~elsewhere))
    worst, best = metrics.recall_bounds(y, np.ones(len(y), dtype=bool), score, ones, SHARE_READ)
    auc, less_plain, recall, precision = shown
    groups = ("-" if each is None else f"{each:.2f}" for each in against)
    return auc, less_plain, *groups, recall, f"{worst:.2f} to {best:.2f}", precision


def compare(split: Split, scores: Mapping[str, Floats], until: int) -> str:
    """Return all methods on all labelled records, and on those of later years, as a table."""
    later, rows = split.later, [HEAD]
    parts = [("all", np.ones(len(later), dtype=bool))]
    if later.all():
        parts = [(f"after {until}", later)]
    elif 0 < split.positive[later].sum() < later.sum():
        parts.append((f"after {until}", later))
    for name, part in parts:
        y, elsewhere = split.positive[part], split.elsewhere[part]
        held = f"{name}: {int(y.sum())} of {len(y)}"
        for method, score in scores.items():
            rows.append((held, method, *results(y, elsewhere, score[part], scores[PLAIN][part])))
    return _as_table(rows)


def _as_table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _write_scores(path: Path, split: Split, scores: Mapping[str, Floats]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["record_ref", "positive", *scores])
        for at, matter in enumerate(split.judged):
            values = (repr(float(score[at])) for score in scores.values())
            table.writerow([matter.lead.record_ref, "NY"[int(split.positive[at])], *values])


def main(words: Sequence[str] | None = None) -> int:
    """Read, learn, measure and print."""
    parser = argparse.ArgumentParser(description="Measures rankings on a real log, split in time.")
    parser.add_argument("log", type=Path, metavar="CSV", help="the log, which is no part of this project")
    parser.add_argument("--until", type=int, default=2013, metavar="YEAR", help="last year learnt from")
    parser.add_argument("--scores", type=Path, metavar="FILE", help="CSV of scores by reference, to write")
    given = parser.parse_args(words)
    if not given.log.is_file():
        parser.error(f"no such file: {given.log}")
    labels = read_labels()
    print(agreement(labels), flush=True)
    scores = {}
    try:
        split = split_log(given.log, labels, given.until)
        crimes = sum(bool(matter.crimes) for matter in split.past)
        print(
            f"\n{len(split.past)} matters learnt from, up to {given.until}; {crimes} with a recorded crime"
            f"\n{len(split.judged)} of {len(labels)} labelled records judged"
            + (
                f"; the rest cannot be read or repeat another: {', '.join(split.unread)}"
                if split.unread
                else ""
            )
        )
        started = perf_counter()
        for name, score in all_scores(split):
            scores[name] = score
            print(f"{name}: {perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            started = perf_counter()
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print("\n" + compare(split, scores, given.until))
    if given.scores:
        _write_scores(given.scores, split, scores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
