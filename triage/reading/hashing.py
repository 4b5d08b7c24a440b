"""Hashes of many short runs of bytes at once, for arrays; not for secrets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
# Odd numbers of 64 bits without pattern, from xxHash (https://github.com/Cyan4973/xxHash).
P1, P2, P3 = (np.uint64(each) for each in (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
_FIRST_BYTES = np.array([256**length - 1 for length in range(9)], dtype=np.uint64)


def eight_bytes(joined: bytes, begins: Ints, lengths: Ints) -> Hashes:
    """Return up to eight bytes from each place on as a number, the others as nought.

    Eight more bytes than the runs have must follow the last of them.
    """
    eights = np.ndarray((len(joined) - 7,), dtype="<u8", buffer=joined, strides=(1,))
    return np.asarray(eights[begins] & _FIRST_BYTES[np.minimum(lengths, 8)])


def mixed(hashes: Hashes) -> Hashes:
    """Mix the bits of hashes in place, so that different ones stay different, and return them."""
    hashes ^= hashes >> np.uint64(32)
    hashes *= P2
    hashes ^= hashes >> np.uint64(29)
    return hashes
