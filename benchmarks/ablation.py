"""What each part of the ranker adds: the ranking with one part taken away at a time, on authors never seen.

usage: python benchmarks/ablation.py [--only NAME ...] [--jobs N]

Three authors of w1 to w9 are left out at a time and judged by a model that learnt from all others. All texts
are invented: no figure here is accuracy on police data. The last row takes nothing from the model, but text
from the records: what officers concluded, which is the very thing that is audited.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from sklearn.metrics import average_precision_score, roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from models import linear
from training_data.build import TrainingTable, corpus_table
from training_data.examples import Example
from training_data.history import mask_outcomes
from triage.language.disclosures import PHRASES
from triage.language.features import KINDS
from triage.language.offences import FAMILIES
from triage.language.text import Reading
from triage.language.tokens import Ints
from triage.learning.metrics import prevalence_weights, recall_at
from triage.ranking import classifier, layers
from triage.ranking.fitted import Bools, expit
from triage.ranking.passages import window_of
from triage.ranking.recorded import counts_of

FOLDS = (("w1", "w4", "w7"), ("w2", "w5", "w8"), ("w3", "w6", "w9"))
PREVALENCE = 0.05
Examples = Sequence[Example]


def _same(examples: Examples) -> Examples:
    return examples


def _nine(examples: Examples) -> Examples:
    nine = {author for fold in FOLDS for author in fold}
    return [each for each in examples if each.author in nine]


def _unmarked(examples: Examples) -> Examples:
    return [replace(each, marked=False, evidence=(), cancels=()) for each in examples]


def _uncancelled(examples: Examples) -> Examples:
    return [replace(each, cancels=()) for each in examples]


def _masked(examples: Examples) -> Examples:
    return [
        replace(each, record=replace(each.record, text=mask_outcomes(each.record.text))) for each in examples
    ]


class _LogisticOnly(layers.BlendedLayer):
    def predict(self, X: layers.Floats, shared: layers.Floats | None = None) -> layers.Floats:
        return expit(self.line_.margins(X, shared))


class _TreesOnly(layers.BlendedLayer):
    def predict(self, X: layers.Floats, shared: layers.Floats | None = None) -> layers.Floats:
        return expit(self.trees_.margins(X, shared))


class _NotAlone(layers.BlendedLayer):
    def __init__(self, alone: int = 0) -> None:
        super().__init__()


def _each_alone(reading: Reading) -> sp.csr_matrix:
    return sp.identity(len(reading.owners), format="csr")


class _ReadAlone(classifier.ClauseLayer):
    def fit(self, *arguments: Any) -> Self:
        self.trees_ = None
        return self


def _unsaid(questions: Ints, example: Example) -> Bools:
    return np.zeros((len(questions), len(FAMILIES)), dtype=bool)


ALONE, UNSTATED = "clauses read alone", "without stated acts"
SHORT = "without copies amid dull entries"
PASSAGES = "passages of one clause each"
TAUGHT, UNSAID = "acts taken away taught in full", "a form's yes is no evidence"
#: Name of a row: kinds of features, what is done to the records learnt from, the layer, and whether the
#: records judged are masked too.
Row = tuple[tuple[str, ...], Callable[[Examples], Examples], type[layers.BlendedLayer], bool]
ROWS: dict[str, Row] = {
    "everything": (KINDS, _same, layers.BlendedLayer, False),
    "without pairs of words": (("words", "characters", "classes"), _same, layers.BlendedLayer, False),
    "without characters": (("words", "pairs", "classes"), _same, layers.BlendedLayer, False),
    "without classes of words": (("words", "pairs", "characters"), _same, layers.BlendedLayer, False),
    "without the clause reader": (KINDS, _unmarked, layers.BlendedLayer, False),
    "without cancelling clauses": (KINDS, _uncancelled, layers.BlendedLayer, False),
    "logistic layers only": (KINDS, _same, _LogisticOnly, False),
    "boosted layers only": (KINDS, _same, _TreesOnly, False),
    "best clauses not weighed alone": (KINDS, _same, _NotAlone, False),
    "learnt from w1 to w9 only": (KINDS, _nine, layers.BlendedLayer, False),
    "conclusions masked": (KINDS, _masked, layers.BlendedLayer, True),
    "without single clauses": (KINDS, _same, layers.BlendedLayer, False),
    UNSTATED: (KINDS, _same, layers.BlendedLayer, False),
    SHORT: (KINDS, _same, layers.BlendedLayer, False),
    PASSAGES: (KINDS, _same, layers.BlendedLayer, False),
    ALONE: (KINDS, _same, layers.BlendedLayer, False),
    TAUGHT: (KINDS, _same, layers.BlendedLayer, False),
    UNSAID: (KINDS, _same, layers.BlendedLayer, False),
}
CLAUSE_LAYER = classifier.ClauseLayer
AMID_SHARE, ANSWERED = linear.AMID_SHARE, linear._answered
BESIDE_FACT_WEIGHT = classifier._BESIDE_FACT_WEIGHT
#: Rows in which no single clauses are learnt from.
NO_CLAUSES = ("without the clause reader", "without single clauses")


def judge(
    name: str, table: TrainingTable, fold: Sequence[str]
) -> tuple[list[Example], np.ndarray, np.ndarray]:
    """Return the records judged, their scores, and whether the first family named is right."""
    kinds, change, layer, masked = ROWS[name]
    classifier.BlendedLayer = layer  # type: ignore[misc]
    classifier.ClauseLayer = _ReadAlone if name == ALONE else CLAUSE_LAYER  # type: ignore[misc]
    classifier.window_of = _each_alone if name == PASSAGES else window_of
    linear.PHRASES = () if name == UNSTATED else PHRASES
    linear.AMID_SHARE = 0.0 if name == SHORT else AMID_SHARE
    linear._answered = _unsaid if name == UNSAID else ANSWERED
    classifier._BESIDE_FACT_WEIGHT = 1.0 if name == TAUGHT else BESIDE_FACT_WEIGHT
    linear.DisclosureModel = partial(classifier.DisclosureModel, kinds=kinds)  # type: ignore[misc,assignment]
    learnt = change([each for each in table.examples if each.author not in fold])
    held = [each for each in table.examples if each.author in fold]
    clauses = () if name in NO_CLAUSES else change(table.clauses)
    model = linear.build(TrainingTable(tuple(learnt), "", clauses=tuple(clauses)))
    found = model.disclose([each.record for each in (_masked(held) if masked else held)])
    recorded = np.array([counts_of(each.recorded, each.record.opened_at.date()) for each in held])
    scores = model.unrecorded(found.chances, recorded).p
    first = np.where(recorded, -1.0, found.chances.p_family).argmax(axis=1)
    right = [FAMILIES[at] in each.lacking for at, each in zip(first, held, strict=True)]
    return held, scores, np.array(right)


def main() -> int:
    """Measure and print."""
    words = argparse.ArgumentParser(description="Takes one part of the ranker away at a time.")
    words.add_argument("--only", nargs="+", choices=tuple(ROWS), default=list(ROWS), metavar="NAME")
    words.add_argument("--jobs", type=int, default=2, metavar="N", help="processes")
    given = words.parse_args()
    table = corpus_table()
    print(f"{'':32} ROC-AUC  AP at 5 %  recall 10 %  recall 20 %  first family")
    # Folds of all rows in one queue, so that no process waits for the end of a row.
    queue = Parallel(n_jobs=given.jobs, return_as="generator")(
        delayed(judge)(name, table, fold) for name in given.only for fold in FOLDS
    )
    for name in given.only:
        parts = list(islice(queue, len(FOLDS)))
        missed = np.array([each.missed for held, _, _ in parts for each in held])
        scores = np.concatenate([scores for _, scores, _ in parts])
        right = np.concatenate([right for _, _, right in parts])
        weights = prevalence_weights(missed, PREVALENCE)
        print(
            f"{name:32} {roc_auc_score(missed, scores):7.3f}"
            f"  {average_precision_score(missed, scores, sample_weight=weights):9.3f}"
            f"  {recall_at(missed, scores, weights, 0.10):11.3f}"
            f"  {recall_at(missed, scores, weights, 0.20):11.3f}  {right[missed].mean():12.3f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
