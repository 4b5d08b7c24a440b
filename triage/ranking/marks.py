"""Places in records that speak for a family, or against any: all as arrays, and which of them are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from triage.language.disclosures import STATUSES
from triage.ranking.fitted import Bools, Floats, logit

Ints = npt.NDArray[np.int64]
#: Most places shown for the families of one record, and most that lowered its score.
SHOWN_MOST, LOWERING_MOST = 5, 2
#: Number of the status of a place where no phrase names an act.
NO_STATUS = -1
# Questions of equal strength stand in the order of their names: q10 before q2.
_QUESTIONS_MOST = 100
_NAME_ORDER = np.argsort(np.argsort([f"q{number}" if number else "" for number in range(_QUESTIONS_MOST)]))


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in one record that speaks for a family, or, where ``family`` is -1, against any.

    ``margin`` orders places, the larger the stronger.
    """

    family: int
    margin: float
    start: int
    end: int
    question: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks of several records as arrays of shape (marks,).

    ``owners`` are the rows of the records; ``families`` are numbers of families, -1 against any;
    ``questions`` are numbers of the form, 0 for a place in the text; ``statuses`` number
    :data:`triage.language.disclosures.STATUSES`, -1 for none.
    """

    owners: Ints
    families: Ints
    margins: Floats
    starts: Ints
    ends: Ints
    questions: Ints
    statuses: Ints

    @classmethod
    def of(cls, marks: Sequence[Sequence[Mark]]) -> Self:
        """Return the marks of each record as arrays."""
        flat = [mark for found in marks for mark in found]

        def column(values: list[int]) -> Ints:
            return np.array(values, dtype=np.int64)

        return cls(
            owners=np.repeat(np.arange(len(marks)), column([len(found) for found in marks])),
            families=column([mark.family for mark in flat]),
            margins=np.array([mark.margin for mark in flat], dtype=np.float64),
            starts=column([mark.start for mark in flat]),
            ends=column([mark.end for mark in flat]),
            questions=column([int(mark.question[1:] or 0) for mark in flat]),
            statuses=column([STATUSES.index(mark.status) if mark.status else NO_STATUS for mark in flat]),
        )

    def rows(self, kept: Bools | Ints) -> Marks:
        """Return some of the marks."""
        return Marks(*(getattr(self, each.name)[kept] for each in fields(self)))

    def __len__(self) -> int:
        return len(self.owners)


def shown(marks: Marks, p_family: Floats, named: Bools) -> Marks:
    """Return the strongest places of each record, strongest first, each place once.

    Parameters
    ----------
    marks : Marks
        Of several records.
    p_family : ndarray of shape (records, families)
        A place counts by its margin and the log-odds of its family.
    named : ndarray of shape (records, families)
        Families for which places are shown.
    """
    fitting = marks.rows((marks.families >= 0) & named[marks.owners, marks.families])
    strength = fitting.margins + logit(p_family[fitting.owners, fitting.families])
    order = (fitting.families, _NAME_ORDER[fitting.questions], fitting.starts, -strength, fitting.owners)
    return _first(_each_place_once(fitting.rows(np.lexsort(order))), SHOWN_MOST)


def lowering(marks: Marks, beside: Marks) -> Marks:
    """Return the places of each record that lowered its score most, without those that are shown already."""
    against = marks.rows(marks.families < 0)
    against = against.rows(np.lexsort((against.starts, -against.margins, against.owners)))
    taken = set(_places(beside))
    free = np.array([place not in taken for place in _places(against)], dtype=bool)
    return _first(against.rows(free), LOWERING_MOST)


def _places(marks: Marks) -> list[tuple[int, int, int, int]]:
    columns = (marks.owners, marks.starts, marks.ends, marks.questions)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _each_place_once(marks: Marks) -> Marks:
    """Keep the first mark of each place."""
    place = np.column_stack([marks.owners, marks.starts, marks.ends, marks.questions])
    order = np.lexsort((np.arange(len(marks)), *place.T[::-1]))
    again = np.zeros(len(marks), dtype=bool)
    again[order[1:]] = (place[order[1:]] == place[order[:-1]]).all(axis=1)
    return marks.rows(~again)


def _first(marks: Marks, most: int) -> Marks:
    """Keep so many marks of each record, whose marks stand together."""
    kept = np.ones(len(marks), dtype=bool)
    kept[most:] = marks.owners[most:] != marks.owners[:-most]
    return marks.rows(kept)
