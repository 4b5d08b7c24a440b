"""Which records say nearly the same as one opened shortly before, as repeated calls about one matter do."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import timedelta

from rensa import RMinHash, RMinHashLSH

from triage.reading.records import Record
from triage.settings import Settings

SHINGLE_WORDS = 3
#: Slots of a signature; it has divisors enough for bands of one to six rows.
SIGNATURE_SLOTS = 120
#: Greatest chance that a pair just as similar as the limit is not compared.
MISSED_PAIR_CHANCE = 0.001
_SEED = 20150401
_ROWS = (6, 5, 4, 3, 2, 1)
# Letters only: time stamps and collar numbers differ between two calls about one thing.
_WORD = re.compile(r"[^\W\d_]+")


def shingles_of(text: str, least_words: int) -> frozenset[str]:
    """Return the three-word shingles of a text; none where it has fewer than ``least_words`` words.

    >>> sorted(shingles_of("She said he left", least_words=3))
    ['said he left', 'she said he']
    """
    words = _WORD.findall(text.lower())
    if len(words) < max(least_words, SHINGLE_WORDS):
        return frozenset()
    return frozenset(map(" ".join, zip(words, words[1:], words[2:], strict=False)))


def bands_for(similarity: float) -> int:
    """Return the bands that keep the chance of missing a pair of this similarity at most 1 in 1,000.

    Source: a pair of Jaccard similarity s shares none of b bands of r rows with chance (1 - s^r)^b; Leskovec,
    Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.

    >>> bands_for(0.6)
    40
    """
    for rows in _ROWS:
        bands = SIGNATURE_SLOTS // rows
        if (1 - similarity**rows) ** bands <= MISSED_PAIR_CHANCE:
            return bands
    return SIGNATURE_SLOTS


def find_repeats(
    records: Sequence[Record], settings: Settings
) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Yield (key of a record, key of the first record that it repeats), in the order of opening.

    A record repeats another if it was opened within ``repeat_hours`` after it, both have at least
    ``repeat_min_words`` words, the Jaccard similarity of their three-word shingles is at least
    ``repeat_similarity``, and their ``area`` is the same where both have one. A record that repeats another
    is not itself repeated by a third: else a stock text used every day would make one endless matter.

    Parameters
    ----------
    records : sequence of Record
        In any order.
    settings : Settings
        ``repeat_hours`` (hours), ``repeat_similarity`` (share), ``repeat_min_words`` (words).

    Source: domain.md 9, point 9 (repeat calls are one thread); shingles and MinHash: Broder 1997.
    """
    ordered = sorted(records, key=lambda record: (record.opened_at, record.key))
    shingled = [(record, shingles_of(record.text, settings.repeat_min_words)) for record in ordered]
    shingled = [(record, shingles) for record, shingles in shingled if shingles]
    signatures = RMinHash.from_token_sets([shingles for _, shingles in shingled], SIGNATURE_SLOTS, _SEED)
    index = RMinHashLSH(settings.repeat_similarity, SIGNATURE_SLOTS, bands_for(settings.repeat_similarity))
    window = timedelta(hours=settings.repeat_hours)
    firsts: deque[int] = deque()
    for place, (record, shingles) in enumerate(shingled):
        while firsts and record.opened_at - shingled[firsts[0]][0].opened_at > window:
            index.remove(firsts.popleft())
        for candidate in sorted(index.query(signatures[place])):
            first, of_first = shingled[candidate]
            if record.area and first.area and record.area != first.area:
                continue
            common = len(shingles & of_first)
            if common >= settings.repeat_similarity * (len(shingles) + len(of_first) - common):
                yield record.key, first.key
                break
        else:
            index.insert(place, signatures[place])
            firsts.append(place)
