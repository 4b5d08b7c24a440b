"""Set phrases found in many texts at once: a trie over words, walked by all places together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from triage.language.runs import HashTable, hashed
from triage.language.tokens import Ints, Tokens
from triage.language.word_types import PerType


class PhraseIndex:
    """Finds runs of normalised words; the same ones as spaCy's PhraseMatcher on ``NORM``.

    Parameters
    ----------
    phrases : sequence of str
        Words parted by blanks, no phrase twice.

    Source: a trie, Fredkin 1960; Aho & Corasick 1975 without failure links, since every place begins anew.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        self._word_numbers: dict[str, int] = {}
        steps: dict[tuple[int, int], int] = {}
        ends: dict[int, int] = {}
        for number, phrase in enumerate(phrases):
            node = 0
            for word in phrase.split():
                step = (node, self._word_numbers.setdefault(word, len(self._word_numbers)))
                node = steps.setdefault(step, len(steps) + 1)
            ends[node] = number
        words = max(1, len(self._word_numbers))
        keys = np.array([node * words + word for node, word in steps], dtype=np.int64)
        self._steps = HashTable()
        self._steps.add(hashed(keys))
        self._next = np.array(list(steps.values()), dtype=np.int64)
        self._numbers = PerType(self._numbered)
        self._phrase_at = np.full(len(steps) + 1, -1, dtype=np.int64)
        for node, number in ends.items():
            self._phrase_at[node] = number
        self._first = np.full(words + 1, 0, dtype=np.int64)
        for (node, number), following in steps.items():
            if node == 0:
                self._first[number] = following

    def find(self, tokens: Tokens) -> Ints:
        """Return number, first and last token of every phrase, shape (hits, 3), in no order.

        A phrase may run from one text into the next: whoever knows the clauses leaves it out.
        """
        if not len(self._steps):
            return np.zeros((0, 3), dtype=np.int64)
        numbers = self._numbers.of(tokens.types)
        # One more that is in no phrase, past which no phrase goes.
        words = np.append(numbers[tokens.words], -1)
        begins = np.flatnonzero(self._first[words])
        nodes = self._first[words[begins]]
        found = []
        ends = begins
        while len(begins):
            phrases = self._phrase_at[nodes]
            whole = phrases >= 0
            found.append(np.column_stack([phrases[whole], begins[whole], ends[whole]]))
            ends = ends + 1
            following = words[ends]
            known = np.flatnonzero(following >= 0)
            keys = nodes[known] * len(self._word_numbers) + following[known]
            steps = self._steps.find(hashed(keys))
            going = known[steps >= 0]
            begins, ends, nodes = begins[going], ends[going], self._next[steps[steps >= 0]]
        return np.concatenate(found) if found else np.zeros((0, 3), dtype=np.int64)

    def _numbered(self, names: Sequence[str]) -> Ints:
        """Return the number of each word, -1 for one that is in no phrase."""
        return np.array([self._word_numbers.get(each, -1) for each in names], dtype=np.int64)


@cache
def index_of(phrases: tuple[str, ...]) -> PhraseIndex:
    """Return the index of some phrases, built once."""
    return PhraseIndex(phrases)
