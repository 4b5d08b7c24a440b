"""The default recipe: linear readers of record and clause, weighed together, minus the recorded."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training_data.amid import amid
from training_data.build import TrainingTable
from training_data.examples import Example
from triage.language.disclosures import PHRASES, Stated
from triage.language.forms import question_numbered
from triage.language.offences import FAMILIES
from triage.language.text import Reading, read_texts
from triage.language.tokens import Ints
from triage.language.word_types import PerType
from triage.ranking.classifier import Disclosure, DisclosureModel, Labels
from triage.ranking.fitted import Bools
from triage.ranking.layers import Chances, Unrecorded, UnrecordedLayer
from triage.ranking.marks import NO_STATUS, Marks
from triage.ranking.recorded import counts_of
from triage.ranking.scoring import Disclosed
from triage.reading.records import Record

#: Share of the marked records that are learnt from amid entries of innocent ones, too.
AMID_SHARE = 0.12
#: A clause carries the evidence if they share this part of the shorter of the two.
_OVERLAP = 0.3
#: In a record of history no clause is marked; in one of so few, each is taken to say what the record says.
_SHORT_CLAUSES = 3
#: Marks are kept for this many of a record's likeliest families, this many clauses each.
_FAMILIES_MARKED, _CLAUSES_MARKED = 6, 2
#: A family's second clause is marked from these log-odds on that it carries the family.
# Source: docs/ranker.md; of 342 places below them 5 were evidence.
_SECOND_FROM = -4.0
_ANSWER = re.compile(r"Q(\d+)=Y")
_YES = PerType(lambda names: np.array([name.endswith("=y") for name in names], dtype=bool))


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A fitted linear model; see :class:`triage.ranking.classifier.DisclosureModel`."""

    classifier: DisclosureModel
    layer: UnrecordedLayer
    learnt_prevalence: float

    def disclose(self, records: Sequence[Record]) -> Disclosed:
        """Return what each record discloses, with the clauses and answers that say so."""
        reading = read_texts(records, PHRASES)
        found = self.classifier.predict(reading)
        return Disclosed(found.chances, _marks(reading, found))

    def unrecorded(self, chances: Chances, recorded: Ints) -> Unrecorded:
        """Return the probability of an unrecorded crime at the learnt prevalence."""
        return self.layer.predict(chances, recorded)


def build(table: TrainingTable) -> LinearModel:
    """Fit the default model to labelled records."""
    examples = (*table.examples, *amid(table.examples, AMID_SHARE))
    reading = read_texts([each.record for each in (*examples, *table.clauses)], PHRASES)
    labels = labels_of(reading, examples, table.clauses)
    # The clauses of copies are learnt from where they stand first.
    copied = labels.whole & (np.arange(reading.records) >= len(table.examples))
    labels = replace(labels, marked=labels.marked & ~copied)
    classifier = DisclosureModel(n_jobs=2).fit(reading, labels)
    # As scoring takes it: a crime recorded accounts for others too.
    recorded = np.array([counts_of(each.recorded, each.record.opened_at.date()) for each in examples])
    missed = labels.missed[labels.whole]
    weights = np.array([example.weight for example in examples])
    layer = UnrecordedLayer().fit(
        classifier.held_out_,
        recorded,
        labels.families[labels.whole],
        missed,
        labels.again[labels.whole],
        weights,
    )
    return LinearModel(classifier, layer, float(np.average(missed, weights=weights)))


def labels_of(reading: Reading, whole: Sequence[Example], single: Sequence[Example] = ()) -> Labels:
    """Return what whole records and then single clauses disclose, laid over the clauses of their reading."""
    examples = (*whole, *single)
    clauses = np.zeros((len(reading.owners), len(FAMILIES)), dtype=bool)
    cancelling = np.zeros(len(reading.owners), dtype=bool)
    families = _flags([example.disclosed for example in examples])
    placed = np.array([example.marked for example in examples], dtype=bool)
    marked = placed.copy()
    first = np.searchsorted(reading.owners, np.arange(reading.records + 1))
    for row, example in enumerate(examples):
        part = slice(int(first[row]), int(first[row + 1]))
        for family, evidence in zip(example.disclosed, example.evidence, strict=example.marked):
            clauses[part, FAMILIES.index(family)] |= _carries(reading, part, example, evidence)
        if example.marked:
            clauses[part] |= _answered(reading.questions[part], example)
        for evidence in example.cancels:
            cancelling[part] |= _carries(reading, part, example, evidence)
        if not example.marked and part.stop - part.start <= _SHORT_CLAUSES:
            clauses[part] = families[row]
            marked[row] = True
    several = _flags(
        [
            {name for name in FAMILIES if name in each.again or each.recorded.count(name) > 1}
            for each in examples
        ]
    )
    return Labels(
        families=families,
        clauses=clauses,
        cancelling=cancelling,
        marked=marked,
        missed=np.array([example.missed for example in examples]),
        again=np.array(
            [each.missed and set(each.disclosed) <= set(each.recorded) for each in examples], dtype=bool
        ),
        beside=np.array([bool(example.recorded) for example in examples], dtype=bool),
        groups=np.array([example.author for example in examples]),
        weights=np.array([example.weight for example in examples]),
        whole=np.arange(len(examples)) < len(whole),
        placed=placed & ~several.any(axis=1),
        several=several,
    )


def _flags(names: Sequence[Collection[str]]) -> npt.NDArray[np.bool_]:
    return np.array([[family in each for family in FAMILIES] for each in names], dtype=bool)


def _carries(reading: Reading, part: slice, example: Example, evidence: str) -> npt.NDArray[np.bool_]:
    """Return which of a record's clauses carry a piece of evidence, shape (clauses of the record,)."""
    questions = reading.questions[part]
    answer = _ANSWER.fullmatch(evidence)
    if answer:
        return np.asarray(questions == int(answer[1]))
    start = example.record.text.find(evidence)
    if start < 0:
        return np.zeros(len(questions), dtype=bool)
    end = start + len(evidence)
    starts, ends = reading.starts[part], reading.ends[part]
    shared = np.minimum(end, ends) - np.maximum(start, starts)
    return np.asarray((questions == 0) & (shared > _OVERLAP * np.minimum(len(evidence), ends - starts)))


def _answered(questions: Ints, example: Example) -> Bools:
    """Return what a form's answers say of what its record discloses, shape (clauses of the record, families).

    One place of each family is marked as evidence; a yes to a question about it says it as well.
    """
    record = example.record
    said = np.zeros((len(questions), len(FAMILIES)), dtype=bool)
    for number, answer in record.answers.items():
        asked = question_numbered(record.form_version, number)
        if asked and answer == "Y":
            for family in set(asked.families).intersection(example.disclosed):
                said[questions == number, FAMILIES.index(family)] = True
    return said


def _marks(reading: Reading, found: Disclosure) -> Marks:
    """Return the strongest clauses of each record's likeliest families, and all that take an offence away."""
    speaking = np.flatnonzero(_says_something(reading))
    owners, first = np.unique(reading.owners[speaking], return_index=True)
    likely = np.argsort(-found.chances.p_family[owners], axis=1, kind="stable")[:, :_FAMILIES_MARKED]
    of_record = np.repeat(np.arange(len(owners)), np.diff(np.append(first, len(speaking))))
    strength = found.clauses[speaking[:, None], likely[of_record]]
    clauses, families, margins = [], [], []
    for place in range(_CLAUSES_MARKED if len(speaking) else 0):
        most = np.maximum.reduceat(strength, first, axis=0)
        places = np.where(strength == most[of_record], np.arange(len(speaking))[:, None], len(speaking))
        best = np.minimum.reduceat(places, first, axis=0)
        there = most > (_SECOND_FROM if place else -np.inf)
        clauses.append(speaking[best[there]])
        families.append(likely[there])
        margins.append(most[there])
        np.put_along_axis(strength, best, -np.inf, axis=0)
    against = np.flatnonzero((found.cancelling > 0) & (reading.questions == 0))
    clauses.append(against)
    families.append(np.full(len(against), -1))
    margins.append(found.cancelling[against])
    at, family = np.concatenate(clauses), np.concatenate(families)
    return Marks(
        owners=reading.owners[at],
        families=family,
        margins=np.concatenate(margins),
        starts=reading.starts[at],
        ends=reading.ends[at],
        questions=reading.questions[at],
        statuses=_statuses(found.stated, at, family),
    )


def _says_something(reading: Reading) -> Bools:
    """Return which clauses are text, or an answer that says yes, shape (clauses,)."""
    yes = _YES.of(reading.types)
    says = reading.questions == 0
    answers = np.flatnonzero(~says[reading.clauses])
    says[reading.clauses[answers]] = yes[reading.words[answers]]
    return np.asarray(says)


def _statuses(stated: Stated, clauses: Ints, families: Ints) -> Ints:
    """Return the status of an act of each family in each clause; of several, what counts least for it."""
    keys = stated.clauses * len(FAMILIES) + stated.families
    order = np.lexsort((-stated.statuses, keys))
    keys, first = np.unique(keys[order], return_index=True)
    wanted = np.where(families < 0, -1, clauses * len(FAMILIES) + families)
    places = np.searchsorted(keys, wanted)
    places[places == len(keys)] = 0
    known = keys[places] == wanted if len(keys) else np.zeros(len(wanted), dtype=bool)
    statuses = np.full(len(wanted), NO_STATUS)
    statuses[known] = stated.statuses[order][first[places[known]]]
    return statuses
