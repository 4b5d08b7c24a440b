"""Which families a record discloses: read as a whole and clause by clause, then weighed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from joblib import Parallel, delayed

from triage.language.disclosures import Stated, find
from triage.language.features import KINDS, Units, Vocabulary
from triage.language.text import Reading
from triage.ranking.clause_layer import CLAUSES_MOST, ClauseLayer
from triage.ranking.fitted import FLOOR, Bools, Floats, Line, expit, logit, noisy_or
from triage.ranking.layers import BlendedLayer, Chances
from triage.ranking.passages import window_of
from triage.ranking.readers import TypeTable, UnitReader
from triage.ranking.signals import OF_CLAUSES, Signals, gather

#: Most folds of groups over which the layers' inputs are scored by readers that had not seen them.
_FOLDS_MOST = 5
#: Number of the layout of fitted models: one more whenever their parts, what these ask for, or how words are
#: read changes. The project's version then rises, too, so that models of before give way to new ones.
_LAYOUT = 6
#: How much a single clause counts to the reader of records, to whom a whole record counts 1.
_SINGLE_WEIGHT = 0.05
#: How much a clause counts to the reader of clauses that stands beside the fact which takes an offence away:
#: by itself it may well tell of one.
_BESIDE_FACT_WEIGHT = 0.1
#: Of a passage only "any family" and "takes an offence away" are asked: of single families it told no more,
#: and lost what stands in a long log. Source: docs/ranker.md.
_OF_PASSAGES = 2


@dataclass(frozen=True, slots=True)
class Labels:
    """What the records of a reading disclose, and where.

    ``families`` is boolean of shape (records, families); ``clauses`` of shape (clauses, families) marks the
    clauses that carry the evidence, ``cancelling`` of shape (clauses,) those whose fact takes an apparent
    offence away; ``marked`` of shape (records,) says whose clauses were marked at all and ``missed`` which
    disclose a crime that nobody recorded. ``groups`` of shape
    (records,) names who wrote each: what is weighed was never learnt from the same group. ``weights`` of
    shape (records,) says how much each record counts. ``whole`` of shape (records,) says which are
    whole records; the others are single clauses, which teach the vocabulary and the readers, and no layer.
    ``placed`` of shape (records,) says in which records the evidence itself was marked: a short record whose
    clauses are all taken to say what the record says is ``marked`` too, and tells nothing of neighbours.
    ``beside`` of shape (records,) says for which a crime is recorded: what these miss is a further one.
    ``again`` of shape (records,) says which miss another victim's crime of a family that is recorded.
    ``several`` of shape (records, families) are those that several victims suffered, of whom one was marked.
    """

    families: Bools
    clauses: Bools
    cancelling: Bools
    marked: Bools
    missed: Bools
    groups: npt.NDArray[np.str_]
    weights: Floats
    whole: Bools
    placed: Bools
    beside: Bools
    again: Bools
    several: Bools


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What records disclose.

    ``clauses`` of shape (clauses, families) says how strongly each clause speaks for a family, ``cancelling``
    of shape (clauses,) is the margin of a fact that takes an offence away; ``stated`` are the acts found by
    phrase.
    """

    chances: Chances
    clauses: Floats
    cancelling: Floats
    stated: Stated


class DisclosureModel:
    """Probability that each family is disclosed, from the record and from its clauses.

    Linear readers score every family, "any family" and "only apparent": one reads the whole record, one each
    clause. A third reads each passage, a clause with those beside it, for "any family" and what takes an
    offence away. Layers fitted on scores of groups that the readers had not seen (stacking) weigh each
    clause against those beside it, and then the record against its best clauses and passages, the sum over
    all, and those that take an offence away. Whether any offence is disclosed is asked of the best clauses
    alone, too, since what else stands in a record dilutes what the whole says.

    Parameters
    ----------
    record_C, clause_C : float
        Inverse regularisation of the reader of records, and of those of clauses and passages.
    kinds : sequence of str
        Kinds of features, of :data:`triage.language.features.KINDS`.
    n_jobs : int or None
        Processes used while fitting.

    Source: sentence-level relevance feedback, Zhang et al. 2018; stacked generalisation, Wolpert 1992.
    """

    def __init__(
        self,
        record_C: float = 0.3,
        clause_C: float = 0.1,
        kinds: Sequence[str] = KINDS,
        n_jobs: int | None = None,
    ) -> None:
        self.record_C = record_C
        self.clause_C = clause_C
        self.kinds = tuple(kinds)
        self.n_jobs = n_jobs

    def fit(self, reading: Reading, y: Labels) -> Self:
        """Fit the readers on all records and the layers on scores across groups."""
        self.vocabulary_ = Vocabulary().fit(reading)
        material = _Material(
            reading,
            *self.vocabulary_.units(reading),
            self.vocabulary_.known(reading.types),
            self.vocabulary_.spelling(reading.types),
            window_of(reading),
            y,
        )
        columns = y.families.shape[1] + 2
        whole, clauses = np.zeros((reading.records, columns + 2)), np.zeros((len(reading.owners), columns))
        passages = np.zeros((len(clauses), _OF_PASSAGES))
        # What is no whole record is in no fold: it is learnt from whoever is held out.
        folds = np.full(reading.records, -1)
        folds[y.whole] = fold_numbers(y.groups[y.whole])
        held_out = Parallel(n_jobs=self.n_jobs)(
            delayed(_score_held_out)(self, material, folds == fold) for fold in range(folds.max() + 1)
        )
        for fold, margins in enumerate(held_out):
            its = (folds == fold)[reading.owners]
            whole[folds == fold], clauses[its], passages[its] = margins
        carried = self._fit_clause_layer(reading, clauses, y, folds)
        across = gather(reading, find(reading), whole[:, :-2], clauses, passages, carried).rows(y.whole)
        #: Probabilities of groups unseen by the readers, for whoever fits a further layer.
        self.held_out_ = self._fit_layers(across, whole[y.whole, -2:], y)
        self.record_reader_, self.clause_reader_, self.passage_reader_ = self.fit_readers(
            material, np.ones(reading.records, dtype=bool)
        )
        return self

    def fit_readers(self, material: _Material, rows: Bools) -> tuple[UnitReader, UnitReader, UnitReader]:
        """Return readers of record, clause and passage, fitted on some of the records."""
        y, owners = material.labels, material.reading.owners
        apparent = np.zeros(material.reading.records, dtype=bool)
        apparent[owners[y.cancelling]] = True
        apparent &= ~y.families.any(axis=1)
        clauses = (rows & y.marked)[owners]
        unasked = np.zeros((material.reading.records, y.families.shape[1] + 4), dtype=bool)
        unasked[:, -2:] = ~(y.whole & y.beside)[:, None]
        unasked[y.again, -2] = True
        record_reader = UnitReader(self.vocabulary_, self.record_C, self.kinds).fit(
            material.records.rows(rows),
            material.known,
            material.spelt,
            np.column_stack([y.families, y.families.any(axis=1), apparent, y.missed, y.again])[rows],
            np.where(y.whole, y.weights, _SINGLE_WEIGHT)[rows],
            unknown=unasked[rows],
        )
        return (
            record_reader,
            self._fit_reader_of_clauses(material, clauses, apparent),
            self._fit_reader_of_clauses(material, clauses, apparent, material.window[clauses][:, clauses]),
        )

    def _fit_reader_of_clauses(
        self, material: _Material, rows: Bools, apparent: Bools, window: sp.csr_matrix | None = None
    ) -> UnitReader:
        """Return a reader fitted on some clauses or, with their window, on the passages about them.

        That of clauses reads the families, "any family" and "takes an offence away"; that of passages the
        last two.
        """
        y, owners = material.labels, material.reading.owners[rows]
        carrying, cancelling = y.clauses[rows], y.cancelling[rows]
        if window is not None:
            carrying = np.asarray(window @ carrying > 0)
            cancelling = np.asarray(window @ cancelling > 0)
        carries = np.asarray(carrying.any(axis=1))
        beside_fact = (apparent & y.whole)[owners] & ~cancelling
        others = y.several[owners] & ~carries[:, None]
        labels = np.column_stack([carrying, carries, cancelling])
        unknown = np.column_stack([others, others.any(axis=1), np.zeros(len(owners), dtype=bool)])
        if window is not None:
            labels, unknown = labels[:, -_OF_PASSAGES:], unknown[:, -_OF_PASSAGES:]
        return UnitReader(self.vocabulary_, self.clause_C, self.kinds).fit(
            material.clauses.rows(rows),
            material.known,
            material.spelt,
            labels,
            np.where(beside_fact, _BESIDE_FACT_WEIGHT, 1.0),
            unknown=unknown,
            window=window,
        )

    def _fit_clause_layer(
        self, reading: Reading, clauses: Floats, y: Labels, folds: npt.NDArray[np.int64]
    ) -> Floats:
        """Fit the layer of clauses; return how surely they carry families, as layers of other folds say."""
        learnt, weight = y.whole & y.placed, None if (y.weights == 1.0).all() else y.weights
        shape = (reading.records, y.families.shape[1])
        carried = np.full((*shape, CLAUSES_MOST), FLOOR)
        for fold in range(folds.max() + 1):
            others = learnt & (folds != fold)
            layer = ClauseLayer().fit(reading, clauses, y.clauses, others, weight)
            said = layer.predict(reading, clauses, folds == fold)
            carried[folds == fold] = said.strongest(reading.owners, *shape)[folds == fold]
        self.clause_layer_ = ClauseLayer().fit(reading, clauses, y.clauses, learnt, weight)
        return carried

    def _fit_layers(self, across: Signals, margins: Floats, y: Labels) -> Chances:
        """Fit the layers of records; return what they say. ``margins``: further crime, further victim."""
        families, weights = y.families[y.whole], y.weights[y.whole]
        own, shared = across.by_family()
        inputs = np.column_stack([own, np.repeat(shared, families.shape[1], axis=0)])
        each = np.repeat(weights, families.shape[1])
        self.family_layer_ = BlendedLayer().fit(inputs, families.ravel(), each)
        inputs = _any_inputs(across, self._p_family(across))
        self.any_layer_ = BlendedLayer(OF_CLAUSES).fit(inputs, np.asarray(families.any(axis=1)), weights)
        missed, again, beside = (rows[y.whole] for rows in (y.missed, y.again, y.beside))
        self.open_layer_ = BlendedLayer(OF_CLAUSES).fit(inputs[~again], missed[~again], weights[~again])
        inputs = _beside_inputs(across, margins)
        self.further_line_ = _line(inputs[:, :1], missed, weights, beside & ~again)
        self.again_line_ = _line(inputs[:, 1:], again, weights, beside)
        return self._chances(across, margins)

    def _chances(self, signals: Signals, margins: Floats) -> Chances:
        p_family = self._p_family(signals)
        inputs, beside = _any_inputs(signals, p_family), _beside_inputs(signals, margins)
        return Chances(
            p_family,
            self.any_layer_.predict(inputs),
            self.open_layer_.predict(inputs),
            expit(self.further_line_.margins(beside[:, :1])),
            expit(self.again_line_.margins(beside[:, 1:])),
        )

    def predict(self, reading: Reading) -> Disclosure:
        """Return what each record of a reading, made with the phrases of ``disclosures``, discloses."""
        if not hasattr(self, "_table"):
            self._table = TypeTable(
                self.vocabulary_, (self.record_reader_, self.clause_reader_, self.passage_reader_)
            )
        vectors = self._table.of(reading)
        units = self.vocabulary_.units(reading)
        whole = self.record_reader_.margins(units.records, vectors[0])
        clauses = self.clause_reader_.margins(units.clauses, vectors[1])
        passages = self.passage_reader_.margins(units.clauses, vectors[2], window_of(reading))
        found = self.clause_layer_.predict(reading, clauses)
        margins = clauses[:, :-2]
        carried = found.strongest(reading.owners, reading.records, margins.shape[1])
        stated = find(reading)
        signals = gather(reading, stated, whole[:, :-2], clauses, passages, carried)
        return Disclosure(self._chances(signals, whole[:, -2:]), found.over(margins), clauses[:, -1], stated)

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in self.__dict__.items() if name not in ("_table", "held_out_")}
        return kept | {"layout": _LAYOUT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("layout") != _LAYOUT:
            raise TypeError("the model is laid out as another version does")
        self.__dict__.update({name: value for name, value in state.items() if name != "layout"})

    def _p_family(self, signals: Signals) -> Floats:
        flat = self.family_layer_.predict(*signals.by_family())
        return flat.reshape(len(signals.records), -1)


def _any_inputs(signals: Signals, p_family: Floats) -> Floats:
    """Return the inputs of layers of a record as a whole; first those of its best clauses."""
    return np.column_stack([signals.records, logit(noisy_or(p_family)), logit(p_family.max(axis=1))])


def _beside_inputs(signals: Signals, margins: Floats) -> Floats:
    """Return what tells of crimes beside a recorded one; last, whether a second clause carries a family."""
    return np.column_stack([margins, signals.families[:, :, -1].max(axis=1)])


def _line(inputs: Floats, y: Bools, weights: Floats, rows: Bools) -> Line:
    """Return the line fitted on some rows; without any to tell apart, the least chance."""
    from triage.ranking.fitting import fit_line

    if not y[rows].any() or y[rows].all():
        return Line(np.zeros(inputs.shape[1]), FLOOR)
    return fit_line(inputs[rows], y[rows], weights[rows])


@dataclass(frozen=True, slots=True)
class _Material:
    reading: Reading
    records: Units
    clauses: Units
    known: Any
    spelt: Any
    window: sp.csr_matrix
    labels: Labels


def fold_numbers(groups: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """Return which fold each record is held out in; a group is never split, and folds are of like size.

    >>> fold_numbers(np.array(["b", "a", "b"])).tolist()
    [0, 1, 0]
    """
    names, numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)
    fold_of = np.zeros(len(names), dtype=np.int64)
    sizes = np.zeros(min(_FOLDS_MOST, len(names)), dtype=np.int64)
    for group in np.argsort(-counts, kind="stable").tolist():
        fold_of[group] = int(sizes.argmin())
        sizes[fold_of[group]] += counts[group]
    return fold_of[numbers.ravel()]


def _score_held_out(model: DisclosureModel, material: _Material, held: Bools) -> tuple[Floats, ...]:
    """Return the margins of records, clauses and passages that readers fitted on all others give."""
    of_clauses = held[material.reading.owners]
    clauses, window = material.clauses.rows(of_clauses), material.window[of_clauses][:, of_clauses]
    read = zip(
        model.fit_readers(material, ~held),
        (material.records.rows(held), clauses, clauses),
        (None, None, window),
        strict=True,
    )
    return tuple(
        reader.margins(units, reader.type_vectors(material.known, material.spelt), beside)
        for reader, units, beside in read
    )
