"""Which records say nearly the same as one opened shortly before, as repeated calls about one matter do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
from rensa import RMinHash

from triage.reading.hashing import P1, P2, P3, Hashes, Ints, eight_bytes, mixed
from triage.settings import Settings

SHINGLE_WORDS = 3
#: Most slots of a signature; the more rows its bands have, the fewer pairs are compared for nothing.
SIGNATURE_SLOTS = 72
#: Greatest chance that a pair just as similar as the limit is not compared.
MISSED_PAIR_CHANCE = 0.001
_SEED = 20150401
_ROWS = (4, 3, 2, 1)
#: Texts whose shingles are held at a time.
_AT_ONCE = 1_000
Halves = npt.NDArray[np.uint32]
# Letters only: time stamps and collar numbers differ between two calls about one thing. Bytes from 128 belong
# to letters once all other characters beyond ASCII are blanks.
_LETTERS = bytes(ord(chr(byte).lower()) if chr(byte).isalpha() else 32 for byte in range(128))
_LETTERS += bytes(range(128, 256))
_NO_LETTER = r"[^\w\x00-\x7f]|[[^\x00-\x7f]&&\d]"
_BEYOND_ASCII = r"[^\x00-\x7f]"
_HALF = np.uint64(32)
# What two calls about one thing name alike, and two reports on one template name apart.
_NAMING = (
    re.compile(r"£\s?\d[\d,]*(?:\.\d\d)?"),  # sums
    re.compile(r"\b[A-Z]{2}\d{2}\s?[A-Z]{3}\b"),  # registration marks
    re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b"),  # postcodes
)
_AS_WRITTEN = re.compile(r"[\s,]|\.00$")


def hashed_shingles(texts: pl.Series) -> tuple[Hashes, Ints]:
    """Return the hashes of all three-word shingles, and where each text's begin, shape (texts + 1,).

    A text of w words has w - 2 shingles; words are runs of letters, whatever their case.

    >>> _, starts = hashed_shingles(pl.Series(["She said he left", "She left"]))
    >>> starts.tolist()
    [0, 2, 2]
    """
    others = texts.str.contains(_BEYOND_ASCII).arg_true()
    if len(others):
        plain = texts.gather(others).str.to_lowercase().str.replace_all(_NO_LETTER, " ")
        texts = texts.scatter(others, plain)
    sizes = texts.str.len_bytes().to_numpy().astype(np.int64)
    # A blank before each text parts it from the one before; eight more can be read past any word.
    joined = (" " + str(texts.str.join(" ")[0] or "") + " " * 8).encode().translate(_LETTERS)
    letters = np.frombuffer(joined, dtype=np.uint8) != ord(" ")
    edges = np.flatnonzero(letters[1:] != letters[:-1])
    begins, ends = edges[::2] + 1, edges[1::2] + 1
    words = _hashed(joined, begins, ends)
    first = np.concatenate([[0], np.searchsorted(begins, np.cumsum(sizes + 1))])
    counts = np.maximum(np.diff(first) - (SHINGLE_WORDS - 1), 0)
    starts = np.concatenate([[0], np.cumsum(counts)])
    # Shingle number n of a text begins at its word number n.
    at = np.arange(starts[-1]) + np.repeat(first[:-1] - starts[:-1], counts)
    shingles = mixed(words[at] * P1 + words[at + 1])
    return mixed(shingles * P2 + words[at + 2]), starts


def _hashed(joined: bytes, begins: Ints, ends: Ints) -> Hashes:
    """Return a hash of each word: of its first and last eight bytes and its length."""
    lengths = ends - begins
    words: Hashes = eight_bytes(joined, begins, lengths) + lengths.astype(np.uint64) * P3
    long = np.flatnonzero(lengths > 8)
    words[long] += mixed(eight_bytes(joined, ends[long] - 8, lengths[long]) * P2)
    return mixed(words * P1)


def bands_for(similarity: float) -> tuple[int, int]:
    """Return the bands and their rows of which a pair so similar shares two but for a chance of 1 in 1,000.

    Source: a pair of Jaccard similarity s shares a band of r rows with chance s^r; Leskovec, Rajaraman and
    Ullman, Mining of Massive Datasets, section 3.4. Of b bands it shares at most one with chance
    (1 - s^r)^b + b s^r (1 - s^r)^(b - 1); asking for two instead of one spares nine of ten vain comparisons.

    >>> bands_for(0.6)
    (22, 2)
    """
    for rows in _ROWS:
        shared = similarity**rows
        for bands in range(2, SIGNATURE_SLOTS // rows + 1):
            apart = (1 - shared) ** (bands - 1)
            if apart * (1 - shared) + bands * shared * apart <= MISSED_PAIR_CHANCE:
                return bands, rows
    return SIGNATURE_SLOTS, 1


@dataclass(frozen=True, slots=True)
class Narratives:
    """What records say, when and where; all of one length, in the order that breaks ties of time.

    ``opened_at`` is in microseconds; ``areas`` are empty where unknown.
    """

    texts: pl.Series
    opened_at: Sequence[int]
    areas: Sequence[str]


def find_repeats(
    narratives: Narratives, settings: Settings, *, names_tell_apart: bool = True
) -> Iterator[tuple[int, int]]:
    """Yield (place of a record, place of the first record that it repeats), in the order of opening.

    A record repeats another if it was opened within ``repeat_hours`` after it, both have at least
    ``repeat_min_words`` words, the Jaccard similarity of their three-word shingles is at least
    ``repeat_similarity``, and their ``area`` is the same where both have one. Of sums of money, registration
    marks and postcodes, where both name some, they have one in common: a shop's reports of thefts stand on
    one template and are alike but for these. A record that repeats another is not itself repeated by a third:
    else a stock text used every day would make one endless matter.

    Parameters
    ----------
    narratives : Narratives
        In any order of opening.
    settings : Settings
        ``repeat_hours`` (hours), ``repeat_similarity`` (share), ``repeat_min_words`` (words).
    names_tell_apart : bool, optional
        Whether what they name tells them apart; not where near-duplicates are looked for.

    Source: domain.md 9, point 9 (repeat calls are one thread); shingles and MinHash: Broder 1997.
    """
    least, window = settings.repeat_similarity, int(settings.repeat_hours * 3_600_000_000)
    texts, areas, opened_at = narratives.texts, narratives.areas, narratives.opened_at
    order = np.argsort(np.array(opened_at, dtype=np.int64), kind="stable")
    bands, rows = bands_for(least)
    keys = np.zeros((len(texts), bands), dtype=np.uint32)
    words = np.zeros(len(texts), dtype=np.int64)
    for part in _parts(order):
        hashes, starts = hashed_shingles(texts.gather(part))
        words[part] = np.diff(starts) + SHINGLE_WORDS - 1
        keys[part] = _band_keys(hashes, starts, bands, rows)
    long = order[words[order] >= max(settings.repeat_min_words, SHINGLE_WORDS)]
    alike = long[_share_two_bands(keys[long], np.array(opened_at, dtype=np.int64)[long], window)]
    firsts, variants = _Firsts(window), _Variants(texts)
    for part in _parts(alike):
        hashes, starts = hashed_shingles(texts.gather(part))
        # Half of each hash tells two shingles of two texts apart.
        halves = np.split((hashes >> _HALF).astype(np.uint32), starts[1:-1])
        for place, its_keys, mine in zip(part.tolist(), keys[part].tolist(), halves, strict=True):
            for first, theirs in firsts.like(its_keys, opened_at[place]):
                apart = areas[place] and areas[first] and areas[place] != areas[first]
                if apart or _similarity(mine, theirs) < least:
                    continue
                repeated = variants.repeated(place, first) if names_tell_apart else first
                if repeated is not None:
                    yield place, repeated
                break
            else:
                firsts.add(place, its_keys, opened_at[place], mine)


def _parts(places: Ints) -> Iterator[Ints]:
    return (places[at : at + _AT_ONCE] for at in range(0, len(places), _AT_ONCE))


def _share_two_bands(keys: Halves, opened_at: Ints, window: int) -> npt.NDArray[np.bool_]:
    """Return which records share bands with others of the window, two at least, shape (records,)."""
    shared = np.zeros(len(keys), dtype=np.int64)
    for band in keys.T:
        # By key, then in the order of opening; who shares a band stands beside another who does.
        order = np.argsort(band, kind="stable")
        beside = band[order[1:]] == band[order[:-1]]
        beside &= opened_at[order[1:]] - opened_at[order[:-1]] <= window
        either = np.zeros(len(keys), dtype=bool)
        either[order[1:][beside]] = True
        either[order[:-1][beside]] = True
        shared += either
    return shared >= 2


def _similarity(one: Halves, other: Halves) -> float:
    ours, theirs = set(one.tolist()), set(other.tolist())
    common = len(ours & theirs)
    return common / (len(ours) + len(theirs) - common)


class _Variants:
    """Records on the template of a first one that name other things than it, by what they name.

    They stand for the first and are compared with no later record but by name: else a thousand reports on one
    template would each be compared with all before.
    """

    def __init__(self, texts: pl.Series) -> None:
        self._texts = texts
        self._by_name: dict[tuple[int, str], int] = {}

    def repeated(self, place: int, first: int) -> int | None:
        """Return the first, or the variant of it, that a record repeats; else take it in as a variant."""
        text = self._texts[place]
        if not _name_apart(text, self._texts[first]):
            return first
        names = [name for naming in _NAMING for name in sorted(_names(naming, text))]
        for name in names:
            known = self._by_name.setdefault((first, name), place)
            if known != place and not _name_apart(text, self._texts[known]):
                return known
        return None


def _name_apart(one: str, other: str) -> bool:
    """Return whether two texts name sums, marks or postcodes and have none of them in common.

    >>> _name_apart("Perfume taken, £310.", "Formula taken, £95."), _name_apart("£310 of scent", "no value")
    (True, False)
    """
    for naming in _NAMING:
        ours, theirs = _names(naming, one), _names(naming, other)
        if ours and theirs and not ours & theirs:
            return True
    return False


def _names(naming: re.Pattern[str], text: str) -> set[str]:
    return {_AS_WRITTEN.sub("", each) for each in naming.findall(text)}


def _band_keys(hashes: Hashes, starts: Ints, bands: int, rows: int) -> Halves:
    """Return a number for each band of each text's signature, shape (texts, bands)."""
    made = RMinHash.digest_matrix_from_flat_token_hashes(
        hashes, starts.astype(np.uint64), bands * rows, _SEED
    )
    slots = np.array(made.to_rows(), dtype=np.uint64).reshape(len(starts) - 1, bands, rows)
    keys = np.broadcast_to(np.arange(bands, dtype=np.uint64) * P3, slots.shape[:2]).copy()
    for row in range(rows):
        keys = mixed(keys * P1 + slots[:, :, row])
    return (keys >> _HALF).astype(np.uint32)


class _Firsts:
    """The records that repeat none, by the bands of their signatures; those out of the window are let go."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._now, self._before = _Turn(), _Turn()
        self._since: int | None = None

    def add(self, place: int, keys: list[int], opened_at: int, shingles: Halves) -> None:
        """Take in a record, no earlier than those before it."""
        if self._since is None or opened_at - self._since > self._window:
            # What was taken in before the last turn is out of the window by now.
            self._before, self._now, self._since = self._now, _Turn(), opened_at
        self._now.records[place] = (opened_at, shingles.copy())
        places = self._now.places
        shared = {key: (*places[key], place) for key in keys if key in places}
        places.update(dict.fromkeys(keys, (place,)))
        places.update(shared)

    def like(self, keys: list[int], opened_at: int) -> Iterator[tuple[int, Halves]]:
        """Give the records of the window that share two bands, in the order of opening."""
        for turn in (self._before, self._now):
            held = list(map(turn.places.get, keys))
            if held.count(None) > len(keys) - 2:
                continue
            bands = Counter(place for places in held if places for place in places)
            alike = (place for place, shared in bands.items() if shared > 1)
            for place in sorted(alike, key=lambda place: (turn.records[place][0], place)):
                opened, shingles = turn.records[place]
                if opened_at - opened <= self._window:
                    yield place, shingles


@dataclass(frozen=True, slots=True)
class _Turn:
    """Records of one window's length: which have a band, and when each was opened with what shingles."""

    places: dict[int, tuple[int, ...]] = field(default_factory=dict)
    records: dict[int, tuple[int, Halves]] = field(default_factory=dict)
