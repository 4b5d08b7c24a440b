"""Which records must stand on one side of a split: one matter, versions of one record, near-duplicates."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from training_data.examples import Example
from triage.ranking.classifier import fold_numbers
from triage.reading.grouping import comparable
from triage.reading.repeats import Narratives, find_repeats
from triage.review.labels import Decided
from triage.settings import Settings

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kin:
    """What tells whose kin something is: ``names`` that it shares with its kin alone, and its texts."""

    names: frozenset[str]
    texts: tuple[str, ...]

    @classmethod
    def of_decided(cls, decided: Decided) -> Kin:
        """Return what tells the kin of a closed item: root and references of its matter, and its texts."""
        names = {comparable(decided.queued.root), *(comparable(reference) for _, reference in decided.parts)}
        return cls(frozenset(names), tuple(record.text for record in decided.records))


def kin_numbers(kin: Sequence[Kin], settings: Settings) -> Ints:
    """Return a number for each, the same for kin: those who share a name, or say nearly the same at any time.

    Near-duplicates are found as the night finds repeated calls, whatever the time between them; texts too
    short for that are alike if their words are the same.

    Parameters
    ----------
    kin : sequence of Kin
        In any order.
    settings : Settings
        ``repeat_similarity`` and ``repeat_min_words``.

    Returns
    -------
    array of int, shape (kin,)
        The number of a group is the place of its first member.

    Source: shingles and MinHash, Broder 1997; grouped splits against leakage, Kaufman et al. 2012.
    """
    parents = list(range(len(kin)))

    def find(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    def join(one: int, other: int) -> None:
        first, second = sorted((find(one), find(other)))
        parents[second] = first

    named: dict[str, int] = {}
    for place, each in enumerate(kin):
        for name in each.names:
            join(place, named.setdefault(name, place))
    owners = [place for place, each in enumerate(kin) for _ in each.texts]
    texts = [text for each in kin for text in each.texts]
    for one, other in _alike(texts, settings):
        join(owners[one], owners[other])
    return np.array([find(place) for place in range(len(kin))], dtype=np.int64)


def _alike(texts: Sequence[str], settings: Settings) -> Iterator[tuple[int, int]]:
    """Yield pairs of places of texts that say nearly the same."""
    said: dict[tuple[str, ...], int] = {}
    for place, text in enumerate(texts):
        words = tuple("".join(letter if letter.isalpha() else " " for letter in text.lower()).split())
        # One word alone ("Duplicate.") says nothing of whose it is.
        if len(words) > 1:
            yield place, said.setdefault(words, place)
    # All opened at one moment, so that no window parts them.
    narratives = Narratives(pl.Series(texts, dtype=pl.String), [0] * len(texts), [""] * len(texts))
    yield from find_repeats(narratives, settings, names_tell_apart=False)


def grouped(
    examples: Sequence[Example], names: Sequence[Collection[str]], settings: Settings
) -> tuple[Example, ...]:
    """Return the examples with their groups; a group takes the author of its first member.

    Parameters
    ----------
    examples : sequence of Example
        Labelled records.
    names : sequence of collection of str
        For each, what it shares with its kin alone.
    settings : Settings
        As for :func:`kin_numbers`.
    """
    kin = [Kin(frozenset(own), (example.record.text,)) for example, own in zip(examples, names, strict=True)]
    first = kin_numbers(kin, settings).tolist()
    return tuple(
        replace(example, group=f"g{number}", author=examples[number].author)
        for example, number in zip(examples, first, strict=True)
    )


def splits(examples: Sequence[Example]) -> Iterator[tuple[Ints, Ints]]:
    """Yield places to learn from and places to test on, up to five times; no group is on both sides.

    Each example is tested on once; with a single group there is no split.
    """
    groups = np.array([example.group or example.author for example in examples])
    folds = fold_numbers(groups)
    for fold in range(folds.max() + 1 if len(set(groups)) > 1 else 0):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
