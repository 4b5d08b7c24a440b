"""Copies of labelled records amid entries of innocent ones, since real logs are long and mostly dull."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from training_data.examples import Example

#: How many entries a copy stands amid: the records themselves are seldom longer than a dozen clauses.
_ENTRIES = (8, 12, 20, 35, 60)
#: Fewest entries of an author to draw from.
_FEWEST = 40
_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")


def amid(examples: Sequence[Example], share: float) -> list[Example]:
    """Return copies of a share of the examples, each amid entries of its author's innocent records.

    What a copy discloses is what its record discloses. The entries are sentences of the author's records in
    which nothing happened and nothing looks like it, so that whoever holds the author out holds out the
    entries too; an author of few of them gives no copies. The same examples give the same copies.

    Parameters
    ----------
    examples : sequence of Example
        Labelled records.
    share : float
        Share of the examples that are copied, from 0 to 1.
    """
    entries: defaultdict[str, list[str]] = defaultdict(list)
    for each in examples:
        if each.marked and not (each.disclosed or each.cancels or each.recorded):
            entries[each.author] += [part for part in _ENDS.split(each.record.text) if part.strip()]
    return [
        _amid(each, entries[each.author])
        for each in examples
        if len(entries[each.author]) >= _FEWEST and each.marked and _drawn(each, share)
    ]


def text_amid(text: str, entries: Sequence[str], count: int, chance: random.Random) -> str:
    """Return a text with so many of the entries before and after it, a line each."""
    parts = chance.sample(entries, count)
    parts.insert(chance.randrange(count + 1), text)
    return "\n".join(parts)


def _drawn(example: Example, share: float) -> bool:
    return _chance(example, "drawn").random() < share


def _amid(example: Example, entries: Sequence[str]) -> Example:
    chance = _chance(example, "entries")
    count = min(chance.choice(_ENTRIES), len(entries))
    text = text_amid(example.record.text, entries, count, chance)
    return replace(example, record=replace(example.record, text=text))


def _chance(example: Example, purpose: str) -> random.Random:
    return random.Random(f"{purpose} {example.record.record_ref}")  # noqa: S311 (chance, no secret)
