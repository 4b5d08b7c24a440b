"""The default recipe: linear readers of record and clause, weighed together, minus the recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training_data.build import Example, TrainingTable
from triage.language.offences import FAMILIES
from triage.language.text import Document, read_documents
from triage.ranking.classifier import DisclosureClassifier, Floats, Labels
from triage.ranking.scoring import Bools, Disclosed, Mark, UnrecordedLayer
from triage.reading.records import Record

#: A clause carries the evidence if they share this part of the shorter of the two.
_OVERLAP = 0.3
#: Marks are kept for this many of a record's likeliest families, this many clauses each.
_FAMILIES_MARKED, _CLAUSES_MARKED = 6, 2
_ANSWER = re.compile(r"Q(\d+)=Y")


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A fitted linear model; see :class:`triage.ranking.classifier.DisclosureClassifier`."""

    classifier: DisclosureClassifier
    layer: UnrecordedLayer
    learnt_prevalence: float

    def disclose(self, records: Sequence[Record]) -> Disclosed:
        """Return what each record discloses, with the clauses and answers that say so."""
        documents = read_documents(records)
        found = self.classifier.predict(documents)
        marks = tuple(
            _marks(document, found.clause_margins[row], found.p_family[row])
            for row, document in enumerate(documents)
        )
        return Disclosed(found.p_family, found.p_any, marks)

    def unrecorded(self, p_family: Floats, p_any: Floats, recorded: Bools) -> Floats:
        """Return the probability of an unrecorded crime, shape (records,), at the learnt prevalence."""
        return self.layer.predict(p_family, p_any, recorded)


def build(table: TrainingTable) -> LinearModel:
    """Fit the default model to labelled records."""
    examples = table.examples
    documents = read_documents([example.record for example in examples])
    labels = Labels(
        families=_flags([example.disclosed for example in examples]),
        clauses=tuple(_clause_flags(*pair) for pair in zip(documents, examples, strict=True)),
        groups=np.array([example.author for example in examples]),
    )
    classifier = DisclosureClassifier(n_jobs=2).fit(documents, labels)
    recorded = _flags([example.recorded for example in examples])
    missed = np.array([example.missed for example in examples])
    layer = UnrecordedLayer().fit(classifier.held_out_p_family_, classifier.held_out_p_any_, recorded, missed)
    return LinearModel(classifier, layer, float(missed.mean()))


def _flags(names: Sequence[Sequence[str]]) -> npt.NDArray[np.bool_]:
    return np.array([[family in each for family in FAMILIES] for each in names], dtype=bool)


def _clause_flags(document: Document, example: Example) -> npt.NDArray[np.bool_]:
    """Return which clause carries the evidence of which family, shape (clauses, families)."""
    flags = np.zeros((len(document.clauses), len(FAMILIES)), dtype=bool)
    for family, evidence in zip(example.disclosed, example.evidence, strict=True):
        column = FAMILIES.index(family)
        answer = _ANSWER.fullmatch(evidence)
        start = example.record.text.find(evidence)
        end = start + len(evidence)
        for row, clause in enumerate(document.clauses):
            if answer:
                flags[row, column] |= clause.question == f"q{answer[1]}"
            elif not clause.question and start >= 0:
                shared = min(end, clause.end) - max(start, clause.start)
                flags[row, column] |= shared > _OVERLAP * min(len(evidence), clause.end - clause.start)
    return flags


def _marks(document: Document, margins: Floats, p_family: Floats) -> tuple[Mark, ...]:
    marks = []
    for family in np.argsort(-p_family, kind="stable")[:_FAMILIES_MARKED].tolist():
        for row in np.argsort(-margins[:, family], kind="stable")[:_CLAUSES_MARKED].tolist():
            clause = document.clauses[row]
            if not clause.question or clause.words[0].endswith("=y"):
                marks.append(
                    Mark(family, float(margins[row, family]), clause.start, clause.end, clause.question)
                )
    return tuple(marks)
