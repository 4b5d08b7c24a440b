"""The runs of characters between blanks of many texts at once, each known by a number once it was met."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triage.reading.hashing import P1, P2, Hashes, Ints, eight_bytes, mixed

#: Line breaks are read as one of them, all other blanks as the plain one; ``normal_form`` would read digits
#: as 0 too, but done at once fewer runs differ. Capitals stay, since they tell names.
_PLAIN_BLANKS = {
    number: "\n" if chr(number) in "\r\n\x85\u2028\u2029" else " "
    for number in range(0x3001)
    if chr(number).isspace()
}
# Of the bytes of UTF-8 only those below 128 are changed, each to one like it.
_PLAIN_BYTES = bytes(
    ord(_PLAIN_BLANKS.get(number, "0" if chr(number).isdigit() else chr(number))) if number < 128 else number
    for number in range(256)
)
_ODD_BLANK = re.compile(r"[^\S \n]")
_BLANK, _LINE = b" \n"
#: A run of more bytes is hashed by itself.
_LONG_BYTES = 256
#: Of this process alone, so that nobody can write two long runs that are taken for one.
_KEY = np.uint64(secrets.randbits(64))
_LEAST_SLOTS = 1 << 16


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of some texts in order; a line break is a run of its own.

    All of shape (runs,): ``hashes`` tell runs apart, ``texts`` says which text a run stands in and ``starts``
    at which of its characters; ``begins`` and ``ends`` are places in ``joined``, the texts in UTF-8 with
    digits as 0 and two kinds of blanks.
    """

    joined: bytes
    begins: Ints
    ends: Ints
    hashes: Hashes
    texts: Ints
    starts: Ints

    def written(self, runs: Ints) -> list[str]:
        """Return some of the runs as they are written, by their places."""
        places = zip(self.begins[runs].tolist(), self.ends[runs].tolist(), strict=True)
        return [self.joined[begin:end].decode(errors="surrogatepass") for begin, end in places]


def split_runs(texts: Sequence[str]) -> Runs:
    """Return the runs of texts.

    >>> runs = split_runs(["HE  HIT", "a1"])
    >>> runs.written(np.arange(3)), runs.starts.tolist(), runs.texts.tolist()
    (['HE', 'HIT', 'a0'], [0, 4, 0], [0, 0, 1])
    """
    encoded = [_plain(text).encode(errors="surrogatepass") for text in texts]
    sizes = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
    text_begins = np.cumsum(sizes + 1) - (sizes + 1)
    joined = b" ".join(encoded).translate(_PLAIN_BYTES)
    letters = np.frombuffer(joined, dtype=np.uint8)
    breaks = letters == _LINE
    within = (letters != _BLANK) & ~breaks
    begins_one, ends_one = within.copy(), within.copy()
    begins_one[1:] &= ~within[:-1]
    ends_one[:-1] &= ~within[1:]
    begins, ends = np.flatnonzero(begins_one | breaks), np.flatnonzero(ends_one | breaks) + 1
    counts = np.diff(np.searchsorted(begins, np.append(text_begins, len(joined) + 1)))
    owners = np.repeat(np.arange(len(texts)), counts)
    starts = begins - text_begins[owners]
    if not joined.isascii():
        # A character counts once, however many bytes it has.
        further = np.cumsum((letters & 0xC0) == 0x80)
        starts -= further[begins] - further[begins - starts]
    return Runs(joined, begins, ends, _hashed(joined, begins, ends), owners, starts)


def _plain(text: str) -> str:
    return text if text.isascii() or not _ODD_BLANK.search(text) else text.translate(_PLAIN_BLANKS)


def _hashed(joined: bytes, begins: Ints, ends: Ints) -> Hashes:
    """Return a hash of each run: different for any two of up to eight bytes, of all bytes for longer ones."""
    lengths = ends - begins
    padded = joined + bytes(8)
    hashes = eight_bytes(padded, begins, lengths)
    # The last of eight bytes tells how many a shorter run has: none of these stands in UTF-8.
    hashes |= np.where(lengths < 8, (lengths + 0xF8).astype(np.uint64) << np.uint64(56), np.uint64(0))
    hashes = mixed(hashes ^ _KEY)
    longer, at = np.flatnonzero((lengths > 8) & (lengths <= _LONG_BYTES)), 8
    while len(longer):
        following = eight_bytes(padded, begins[longer] + at, lengths[longer] - at)
        hashes[longer] = mixed(hashes[longer] * P1 + following)
        at += 8
        longer = longer[lengths[longer] > at]
    for run in np.flatnonzero(lengths > _LONG_BYTES).tolist():
        digest = hashlib.blake2b(joined[begins[run] : ends[run]], digest_size=8, key=_KEY.tobytes()).digest()
        hashes[run] = int.from_bytes(digest, "little")
    return hashes


def hashed(keys: Ints) -> Hashes:
    """Return a hash of each key, different for different keys."""
    return mixed(keys.astype(np.uint64) + P2)


class HashTable:
    """Numbers of hashes, counted up as they are added: a dictionary that is asked for many at a time.

    Source: open addressing with linear probing, Knuth, The Art of Computer Programming 3, section 6.4.
    """

    def __init__(self) -> None:
        self._count = 0
        self._make(_LEAST_SLOTS)

    def __len__(self) -> int:
        return self._count

    def find(self, hashes: Hashes) -> Ints:
        """Return the number of each hash, -1 for those never added."""
        slots = (hashes & self._mask).astype(np.int64)
        numbers = self._numbers[slots]
        apart = np.flatnonzero((self._hashes[slots] != hashes) & (numbers >= 0))
        slots = slots[apart]
        while len(apart):
            slots = (slots + 1) & int(self._mask)
            found = self._numbers[slots]
            numbers[apart] = found
            further = (self._hashes[slots] != hashes[apart]) & (found >= 0)
            apart, slots = apart[further], slots[further]
        return numbers

    def add(self, hashes: Hashes) -> None:
        """Give the next numbers to hashes that were never added, each once."""
        numbers = np.arange(self._count, self._count + len(hashes))
        self._count += len(hashes)
        if 2 * self._count > len(self._numbers):
            held = np.flatnonzero(self._numbers >= 0)
            hashes = np.concatenate([self._hashes[held], hashes])
            numbers = np.concatenate([self._numbers[held], numbers])
            self._make(2 ** int(np.ceil(np.log2(4 * self._count))))
        self._place(hashes, numbers)

    def _make(self, slots: int) -> None:
        self._numbers = np.full(slots, -1, dtype=np.int64)
        self._hashes = np.zeros(slots, dtype=np.uint64)
        self._mask = np.uint64(slots - 1)

    def _place(self, hashes: Hashes, numbers: Ints) -> None:
        slots = (hashes & self._mask).astype(np.int64)
        while len(hashes):
            # Of several that want one free slot the first has it; all others go on to the next slot.
            free = np.flatnonzero(self._numbers[slots] < 0)
            taking = free[np.unique(slots[free], return_index=True)[1]]
            self._numbers[slots[taking]] = numbers[taking]
            self._hashes[slots[taking]] = hashes[taking]
            left = np.ones(len(hashes), dtype=bool)
            left[taking] = False
            hashes, numbers, slots = hashes[left], numbers[left], (slots[left] + 1) & int(self._mask)
