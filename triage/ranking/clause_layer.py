"""Whether a clause carries a family, read among the clauses that stand beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from triage.language.text import Reading
from triage.language.tokens import Ints
from triage.ranking.fitted import FLOOR, NO_CLAUSE, Bools, Floats, Trees

#: Clauses of a record that are looked at for each family: so many of the largest margins, above the least.
# Source: docs/ranker.md; of the clauses marked as evidence 94 % have such a margin, of all others few.
CLAUSES_MOST = 2
_LEAST_MARGIN = -0.8
#: Clauses before and after that are read with one.
_NEIGHBOURS = (-2, -1, 1, 2)
# Ties of trees are broken by margins, made smaller by this than any difference between trees that counts.
_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class ClauseOdds:
    """How surely clauses carry families, in the order of the clauses.

    All of shape (candidates,): the clause of the reading, the family, and the log-odds.
    """

    clauses: Ints
    families: Ints
    log_odds: Floats

    def strongest(self, owners: Ints, records: int, families: int) -> Floats:
        """Return the log-odds of each record's clauses, shape (records, families, 2), the largest first.

        A clause that was not looked at counts as the least one.
        """
        found = np.full((records * families, CLAUSES_MOST), FLOOR)
        keys = owners[self.clauses] * families + self.families
        order = np.lexsort((-self.log_odds, keys))
        found[keys[order], _places(keys[order])] = np.maximum(self.log_odds[order], FLOOR)
        return found.reshape(records, families, CLAUSES_MOST)

    def over(self, margins: Floats) -> Floats:
        """Return strengths to order clauses by, from their margins; both of shape (clauses, families).

        Those with log-odds go first; of equal ones, those with the larger margin.
        """
        margins = np.clip(margins, FLOOR, -FLOOR)
        found = margins + 2 * FLOOR
        at = (self.clauses, self.families)
        found[at] = np.maximum(self.log_odds, FLOOR) + _TIE * margins[at]
        return found


class ClauseLayer:
    """Log-odds that a clause carries a family, from what its reader says of it and of its neighbours.

    Read alone, a clause does not tell that the next one takes its act away, that it goes on with an act begun
    before, or that another clause says it better. The trees learn that from margins of readers which had not
    seen the author.

    Source: stacked sequential learning, Cohen & Carvalho 2005.
    """

    def fit(
        self,
        reading: Reading,
        clauses: Floats,
        carries: Bools,
        rows: Bools,
        sample_weight: Floats | None = None,
    ) -> Self:
        """Fit on some records of a reading.

        Parameters
        ----------
        reading : Reading
            The records' texts.
        clauses : ndarray of shape (clauses, families + 2)
            Margins of a reader that had not seen the records' authors; see ``signals.gather``.
        carries : ndarray of bool, shape (clauses, families)
            Which clauses were marked as evidence.
        rows : ndarray of bool, shape (records,)
            Which records are learnt from.
        sample_weight : ndarray of shape (records,), optional
            How much each record counts.
        """
        from triage.ranking.fitting import fit_trees

        at, family = _candidates(reading, clauses, rows)
        y = carries[at, family]
        self.trees_: Trees | None = None
        if y.any() and not y.all():
            weight = None if sample_weight is None else sample_weight[reading.owners[at]]
            self.trees_ = fit_trees(_inputs(reading, clauses, at, family), y, weight)
        return self

    def predict(self, reading: Reading, clauses: Floats, rows: Bools | None = None) -> ClauseOdds:
        """Return the log-odds of all records' clauses, or of some; margins as for `fit`.

        Without anything to learn from they are the margins of the reader.
        """
        if rows is None:
            rows = np.ones(reading.records, dtype=bool)
        at, family = _candidates(reading, clauses, rows)
        if self.trees_ is None:
            return ClauseOdds(at, family, clauses[at, family])
        return ClauseOdds(at, family, self.trees_.margins(_inputs(reading, clauses, at, family)))


def _candidates(reading: Reading, clauses: Floats, rows: Bools) -> tuple[Ints, Ints]:
    """Return the clauses looked at and the family each is looked at for, in the order of the clauses.

    ``clauses`` has shape (clauses, families + 2), ``rows`` (records,) says whose are looked at.
    """
    families = clauses.shape[1] - 2
    likely = (clauses[:, :families] > _LEAST_MARGIN) & rows[reading.owners][:, None]
    at, family = np.nonzero(likely)
    keys = reading.owners[at] * families + family
    order = np.lexsort((-clauses[at, family], keys))
    kept = np.sort(order[_places(keys[order]) < CLAUSES_MOST])
    return at[kept], family[kept]


def _places(keys: Ints) -> Ints:
    """Return how many equal keys stand before each one, of sorted keys.

    >>> _places(np.array([3, 3, 3, 5])).tolist()
    [0, 1, 2, 0]
    """
    at = np.arange(len(keys))
    first = np.append(True, keys[1:] != keys[:-1]) if len(keys) else np.zeros(0, dtype=bool)
    return at - np.maximum.accumulate(np.where(first, at, 0))


def _inputs(reading: Reading, clauses: Floats, at: Ints, family: Ints) -> Floats:
    """Return what is known of clauses looked at for a family, shape (candidates, values).

    Of each clause and its neighbours the margin of the family, of any and of a fact that takes an offence
    away; and how far another family is ahead of it. Nothing of the whole record, in which a clause counts the
    less the longer it is.
    """
    owners = reading.owners[at]
    own = clauses[at, family]
    columns = [own, clauses[at, -2], clauses[at, -1]]
    for apart in _NEIGHBOURS:
        beside = np.clip(at + apart, 0, len(clauses) - 1)
        there = (reading.owners[beside] == owners) & (beside == at + apart)
        for column in (family, -2, -1):
            columns.append(np.where(there, clauses[beside, column], NO_CLAUSE))
    columns.append(clauses[:, :-2].max(axis=1)[at] - own)
    return np.column_stack(columns)
