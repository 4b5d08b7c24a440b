"""What the readers and the stated acts say of each record, gathered into the inputs of the layers above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triage.language.disclosures import STANDING, STATUSES, Stated
from triage.language.offences import FAMILIES
from triage.language.text import Reading
from triage.language.tokens import Ints
from triage.ranking.fitted import FLOOR, NO_CLAUSE, Bools, Floats, expit, logit, noisy_or

#: Clauses on either side of the strongest one in which a cancelling fact is looked for.
_BESIDE = 2
#: Values of a record that no further clause of it dilutes.
OF_CLAUSES = 7


@dataclass(frozen=True, slots=True)
class Signals:
    """Inputs of the layers: ``families`` (records, families, 8) and ``records`` (records, values).

    The first ``OF_CLAUSES`` of the values are what single clauses say, whatever else stands in the record.
    """

    families: Floats
    records: Floats

    def rows(self, kept: Bools) -> Signals:
        """Return some of the records."""
        return Signals(self.families[kept], self.records[kept])

    def by_family(self) -> tuple[Floats, Floats]:
        """Return a row a record and family, (records x families, 8), and what the rows of a record share."""
        return self.families.reshape(-1, self.families.shape[2]), self.records


def gather(
    reading: Reading, stated: Stated, whole: Floats, clauses: Floats, passages: Floats, carried: Floats
) -> Signals:
    """Return the signals of records from acts stated, the margins of the readers and the layer of clauses.

    Parameters
    ----------
    reading : Reading
        The records' texts.
    stated : Stated
        Acts found in it by phrase, and triggers of context.
    whole, clauses : ndarray of shape (records, families + 2) and (clauses, families + 2)
        Margins: the families, "any family", and last "apparent only" for a record and "takes an offence
        away" for a clause.
    passages : ndarray of shape (clauses, 2)
        Margins of the passage about each clause: "any family" and "takes an offence away".
    carried : ndarray of shape (records, families, 2)
        How surely the two strongest clauses carry each family, as log-odds.
    """
    families, records = len(FAMILIES), reading.records
    first = np.searchsorted(reading.owners, np.arange(records + 1))
    filled = np.flatnonzero(np.diff(first))
    best, second, total = (np.full(whole.shape, FLOOR), np.full(whole.shape, FLOOR), np.zeros(whole.shape))
    passage = np.full((records, passages.shape[1]), FLOOR)
    if len(filled):
        at = first[filled]
        best[filled] = np.maximum.reduceat(clauses, at, axis=0)
        passage[filled] = np.maximum.reduceat(passages, at, axis=0)
        total[filled] = np.add.reduceat(_softplus(clauses), at, axis=0)
        below = np.where(clauses == best[reading.owners], FLOOR, clauses)
        second[filled] = np.maximum.reduceat(below, at, axis=0)
    acts = np.zeros((records, families, 2))
    cancelled = (stated.statuses >= len(STANDING)).astype(np.int64)
    np.add.at(acts, (reading.owners[stated.clauses], stated.families, cancelled), 1.0)
    acts = np.log1p(acts)
    triggers = np.zeros((records, len(STATUSES)))
    np.add.at(triggers, (reading.owners[stated.triggers[:, 0]], stated.triggers[:, 1]), 1.0)
    of_family = [margins[:, :families] for margins in (whole, best, total, second)]
    surest = carried[:, :, 0]
    return Signals(
        np.stack([*of_family, *np.moveaxis(acts, 2, 0), *np.moveaxis(carried, 2, 0)], axis=2),
        np.column_stack(
            [
                surest.max(axis=1),
                logit(noisy_or(expit(surest))),
                best[:, families:],
                _cancelling_beside(reading, first, clauses),
                passage,
                whole[:, families:],
                total[:, families:],
                second[:, families:],
                np.log1p(np.diff(first)),
                acts.sum(axis=1),
                np.log1p(triggers),
            ]
        ),
    )


def _softplus(x: Floats) -> Floats:
    """Return log(1 + exp(x)), ten times as fast as numpy's logaddexp."""
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))


def _cancelling_beside(reading: Reading, first: Ints, clauses: Floats) -> Floats:
    """Return how strongly the strongest clause, those after and those before it take an offence away."""
    found = np.full((reading.records, 3), NO_CLAUSE)
    strong, cancelling = clauses[:, -2], clauses[:, -1]
    filled = np.flatnonzero(np.diff(first))
    if not len(filled):
        return found
    order = np.lexsort((np.arange(len(strong)), -strong, reading.owners))
    top = order[first[filled]]
    found[filled, 0] = cancelling[top]
    for apart in range(1, _BESIDE + 1):
        for column, at in ((1, top + apart), (2, top - apart)):
            inside = (at >= first[filled]) & (at < first[filled + 1])
            rows = filled[inside]
            found[rows, column] = np.maximum(found[rows, column], cancelling[at[inside]])
    return found
