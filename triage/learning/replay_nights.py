"""Nights of review played again: records come in, the likeliest are read, and what is read may be learnt."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from triage.errors import UsageError
from triage.learning.evaluation import Labelled, matter_of
from triage.learning.metrics import Floats, Ints
from triage.ranking.scoring import Ranker, score_matters
from triage.settings import Settings

_PAIR = re.compile(r"(.*[0-9])[ab]")

Example = TypeVar("Example", bound=Labelled)


class NightRanker(Protocol):
    """What ranks the records that wait on a night."""

    def margins(self, night: int, known: Ints, waiting: Ints) -> Floats:
        """Return how likely each waiting record is a missed one, shape (waiting,).

        Parameters
        ----------
        night : int
            Counted from 0.
        known : array of int, shape (known,)
            Numbers of the records whose decisions are labels by now, in the order of reading.
        waiting : array of int, shape (waiting,)
            Numbers of the records to be ranked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Nights(Generic[Example]):
    """Labelled records and the night on which each comes in, counted from 0; ``night`` shape (records,)."""

    examples: tuple[Example, ...]
    night: Ints


@dataclass(frozen=True, slots=True)
class FixedRanker:
    """A ranking that learns nothing; ``scores`` has shape (records,), the highest is read first."""

    scores: Floats

    def margins(self, night: int, known: Ints, waiting: Ints) -> Floats:
        """Return the scores of the waiting records."""
        return self.scores[waiting]


class LearningRanker(Generic[Example]):
    """A model that is built again every few nights from what it began with and all decisions known.

    Parameters
    ----------
    build : callable
        Fits a ranker to the examples whose decisions are known, and to what it began with.
    nights : Nights
        The records; none is learnt from before its decision is known.
    relearn_nights : int
        Nights from one model to the next.
    settings : Settings
        For the prevalence that scores assume.
    """

    def __init__(
        self,
        build: Callable[[Sequence[Example]], Ranker],
        nights: Nights[Example],
        *,
        relearn_nights: int,
        settings: Settings,
    ) -> None:
        self._build, self._nights, self._settings = build, nights, settings
        self._relearn_nights = relearn_nights
        self._scores: Floats | None = None

    def margins(self, night: int, known: Ints, waiting: Ints) -> Floats:
        """Return the newest model's scores."""
        if self._scores is None or night % self._relearn_nights == 0:
            examples = self._nights.examples
            model = self._build([examples[at] for at in known.tolist()])
            self._scores = scores_of(model, examples, self._settings)
        return self._scores[waiting]


def scores_of(model: Ranker, examples: Sequence[Labelled], settings: Settings) -> Floats:
    """Return ``score_01`` of each record, of which each has another reference, shape (records,)."""
    scored = score_matters(model, [matter_of(each) for each in examples], settings=settings)
    by_key = {(each.source, each.record_ref): each.score_01 for each in scored}
    return np.array([by_key[each.record.source, each.record.record_ref] for each in examples])


def draw_nights(examples: Sequence[Example], *, nights: int, prevalence: float, seed: int) -> Nights[Example]:
    """Return labelled records spread over nights by chance, with so many missed ones that a share is.

    All records that miss nothing are taken, and missed ones drawn without replacement: a record that came
    twice could be learnt by heart. The two of a contrast pair come in on one night.

    Parameters
    ----------
    examples : sequence of Labelled
        Labelled records.
    nights : int
        Nights on which records come in, in like numbers.
    prevalence : float
        Share of the records that are missed ones, 0 to 1.
    seed : int
        The same seed gives the same nights.

    Raises
    ------
    UsageError
        If there are too few missed records for the prevalence, or fewer records than nights.
    """
    generator = np.random.default_rng(seed)
    missed = np.array([each.missed for each in examples], dtype=bool)
    wanted = round(prevalence / (1 - prevalence) * int((~missed).sum()))
    if wanted > missed.sum() or not wanted or len(examples) < nights:
        raise UsageError(
            f"{nights} nights with {prevalence:.0%} missed need {wanted} missed records of {missed.sum()}",
            mend="give more labelled records, or ask for fewer nights or another share",
        )
    drawn = generator.choice(np.flatnonzero(missed), wanted, replace=False)
    taken = np.sort(np.concatenate([np.flatnonzero(~missed), drawn]))
    kept = tuple(examples[at] for at in taken.tolist())
    names, group = np.unique([pair_or_self(each.record.record_ref) for each in kept], return_inverse=True)
    night_of_group = generator.permutation(np.arange(len(names)) % nights)
    return Nights(kept, night_of_group[group])


def pair_or_self(record_ref: str) -> str:
    """Return what a record must not be parted from: the name of its contrast pair, or its own reference.

    >>> pair_or_self("w8-012a"), pair_or_self("w7-012")
    ('w8-012', 'w7-012')
    """
    pair = _PAIR.fullmatch(record_ref)
    return pair[1] if pair else record_ref


def review_nights(
    nights: Nights[Example],
    ranker: NightRanker,
    *,
    budget_items: int,
    label_lag_nights: int,
    seed: int,
) -> Ints:
    """Return the order in which the records are read, a budget a night, best first of all that wait.

    When no more records come in, reading goes on at the same pace until all are read.

    Parameters
    ----------
    nights : Nights
        The records and when each comes in.
    ranker : NightRanker
        What ranks those that wait.
    budget_items : int
        Most records read a night.
    label_lag_nights : int
        Nights from the reading of a record to the first model that may learn from it, at least 1.
    seed : int
        Decides the order of equal scores.

    Returns
    -------
    array of int, shape (records,)
        The numbers of the records, first read first.
    """
    # A generator of its own: the order of equals is the same for every ranking that is compared.
    equals = np.random.default_rng([seed, 1]).permutation(len(nights.examples))
    read_on = np.full(len(nights.examples), -1)
    order: list[int] = []
    night = 0
    while len(order) < len(nights.examples):
        waiting = np.flatnonzero((nights.night <= night) & (read_on < 0))
        known = np.array([at for at in order if read_on[at] <= night - label_lag_nights], dtype=np.int64)
        margins = ranker.margins(night, known, waiting)
        best = waiting[np.lexsort((equals[waiting], -margins))][:budget_items]
        read_on[best] = night
        order += best.tolist()
        night += 1
    return np.array(order, dtype=np.int64)
