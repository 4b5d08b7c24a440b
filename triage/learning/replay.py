"""Review played again over records whose truth is known: rank, read some, learn, repeat; what it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

import numpy as np

from triage.errors import UsageError
from triage.learning.metrics import Bools, Floats, Ints

#: Shares of all relevant records for which the reads needed are stated.
RECALLS = (0.80, 0.95)
#: Without a fixed batch, what is read before learning again is this part of what was read.
_BATCH_PART = 100
#: A share of a whole number of records is not pushed over it by the last bit of a product.
_HAIR = 1e-9


class Learner(Protocol):
    """What ranks the records that nobody has read, from those that somebody has."""

    def margins(self, read: Ints, relevant: Bools, left: Ints) -> Floats:
        """Return how relevant each unread record looks, shape (left,); the highest is read first.

        Parameters
        ----------
        read : array of int, shape (read,)
            Numbers of the records read so far, in the order of reading.
        relevant : array of bool, shape (read,)
            What was said of each of them.
        left : array of int, shape (left,)
            Numbers of the records to be ranked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Curve:
    """What was found after each read.

    ``found`` has shape (reads,): the relevant records among the first reads, from the first read on;
    ``relevant`` is how many there are in all.
    """

    name: str
    found: Ints
    relevant: int

    def reads_to(self, recall: float) -> int | None:
        """Return the reads after which a share of all relevant records is found; None if it never is.

        >>> Curve("", np.array([0, 1, 1, 2]), 2).reads_to(0.8)
        4
        """
        wanted = ceil(recall * self.relevant - _HAIR)
        return int(np.searchsorted(self.found, wanted)) + 1 if self.found[-1] >= wanted else None

    def recall_after(self, reads: int) -> float:
        """Return the share of all relevant records that the first reads find, 0 to 1."""
        return float(self.found[min(reads, len(self.found)) - 1]) / self.relevant if reads else 0.0


def curve_of(name: str, order: Ints, relevant: Bools) -> Curve:
    """Return what reading records in an order finds.

    Parameters
    ----------
    name : str
        What the curve is called.
    order : array of int, shape (reads,)
        Numbers of the records in the order of reading.
    relevant : array of bool, shape (records,)
        The truth.

    >>> curve_of("", np.array([2, 0, 1]), np.array([True, False, True])).found.tolist()
    [1, 2, 2]
    """
    return Curve(name, np.cumsum(relevant[order]), int(relevant.sum()))


def first_rows(relevant: Bools, seed: int, *, of_relevant: int = 1, of_irrelevant: int = 1) -> Ints:
    """Return records to begin with, drawn by a seed: the relevant ones first.

    Raises
    ------
    UsageError
        If there are fewer of a kind than asked for.
    """
    generator = np.random.default_rng(seed)
    drawn = []
    for rows, wanted, kind in (
        (np.flatnonzero(relevant), of_relevant, "relevant"),
        (np.flatnonzero(~relevant), of_irrelevant, "irrelevant"),
    ):
        if wanted > len(rows):
            raise UsageError(
                f"{wanted} {kind} records are to be read first, but there are {len(rows)}",
                mend="begin with fewer, or check the labels",
            )
        drawn.append(generator.choice(rows, wanted, replace=False))
    return np.concatenate(drawn)


def growing(read: int) -> int:
    """Return how many records are read before learning again, where no batch is fixed.

    One while what is learnt changes most, then a hundredth of what was read, so that a long table is not
    learnt from as often as it has rows.

    Source: the growing batches of AutoTAR, Cormack & Grossman 2015, which add a tenth.

    >>> [growing(each) for each in (0, 2, 100, 101, 50_000)]
    [1, 1, 1, 2, 500]
    """
    return max(1, ceil(read / _BATCH_PART))


def replay(
    relevant: Bools,
    learner: Learner,
    first: Ints,
    *,
    seed: int,
    batch: Callable[[int], int] = growing,
    progress: Callable[[int, int], None] | None = None,
) -> Ints:
    """Return the order in which all records are read when each read is learnt from.

    Parameters
    ----------
    relevant : array of bool, shape (records,)
        The truth, which the learner is told of a record once it is read.
    learner : Learner
        What ranks the unread.
    first : array of int, shape (first,)
        Records that are read before anything is ranked.
    seed : int
        Decides the order of equal margins, so that the order of the file gives nothing away.
    batch : callable
        Given the number of reads so far, how many are read before learning again.
    progress : callable, optional
        Told the number of reads and the number of records, after each batch.

    Returns
    -------
    array of int, shape (records,)
        The numbers of the records, first read first.
    """
    # A generator of its own: the draw of the first records must not move the order of equals.
    equals = np.random.default_rng([seed, 1]).permutation(len(relevant))
    order = [int(each) for each in first]
    unread = np.ones(len(relevant), dtype=bool)
    unread[order] = False
    while unread.any():
        left = np.flatnonzero(unread)
        read = np.array(order, dtype=np.int64)
        margins = learner.margins(read, relevant[read], left)
        best = left[np.lexsort((equals[left], -margins))][: batch(len(order))]
        order += best.tolist()
        unread[best] = False
        if progress is not None:
            progress(len(order), len(relevant))
    return np.array(order, dtype=np.int64)


def mean_curve(curves: Sequence[Curve], points: int = 200) -> tuple[Floats, Floats]:
    """Return shares read and the mean share found over curves, each of shape (points + 1,).

    >>> mean_curve([curve_of("", np.array([0, 1]), np.array([True, False]))], points=2)[1].tolist()
    [0.0, 1.0, 1.0]
    """
    shares = np.linspace(0.0, 1.0, points + 1)
    found = [[each.recall_after(int(share * len(each.found) + _HAIR)) for share in shares] for each in curves]
    return shares, np.mean(found, axis=0)
