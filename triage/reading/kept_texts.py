"""Texts kept in a file without a name, so that those of a large extract do not fill memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import polars as pl

from triage.errors import UsageError
from triage.reading.hashing import Ints


class Texts(Protocol):
    """Texts by their places, in memory (a polars Series) or in a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> str: ...

    def slice(self, offset: int, length: int, /) -> pl.Series:
        """Return so many texts from a place on."""

    def gather(self, places: Ints, /) -> pl.Series:
        """Return the texts of places, in their order."""


@dataclass(frozen=True, slots=True)
class KeptTexts:
    """Some of the texts of a `TextStore`; ``begins`` and ``ends`` are in bytes, of shape (texts,)."""

    store: TextStore
    begins: Ints
    ends: Ints

    @classmethod
    def joined(cls, store: TextStore, parts: Iterable[KeptTexts]) -> KeptTexts:
        """Return the texts of all parts, in that order."""
        found = [*parts]
        nothing = np.zeros(0, dtype=np.int64)
        begins = np.concatenate([nothing, *(each.begins for each in found)])
        return cls(store, begins, np.concatenate([nothing, *(each.ends for each in found)]))

    def all(self) -> pl.Series:
        """Return all texts."""
        return self.store.read(self.begins, self.ends)

    def slice(self, offset: int, length: int, /) -> pl.Series:
        """Return so many texts from a place on, or as many as there are."""
        part = slice(offset, offset + length)
        return self.store.read(self.begins[part], self.ends[part])

    def gather(self, places: Ints, /) -> pl.Series:
        """Return the texts of places, in their order."""
        return self.store.read(self.begins[places], self.ends[places])

    def __getitem__(self, place: int, /) -> str:
        return str(self.store.read(self.begins[[place]], self.ends[[place]])[0])

    def __len__(self) -> int:
        return len(self.begins)


class TextStore:
    """Keeps texts, within a ``with`` block, in a file that goes with this process however it ends.

    Parameters
    ----------
    folder : Path
        Where the file, which has no name there, takes its space.

    Raises
    ------
    UsageError
        If the folder takes no file, or has no space.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._size = 0

    def __enter__(self) -> Self:
        try:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)
        except OSError as error:
            raise self._failed(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def keep(self, texts: pl.Series) -> KeptTexts:
        """Write texts, of which none is null, to the end of the file."""
        ends = self._size + texts.str.len_bytes().to_numpy().astype(np.int64).cumsum()
        begins = np.append(self._size, ends)[:-1]
        written = str(texts.str.join("")[0] or "").encode()
        try:
            while written:
                written = written[self._file.write(written) :]
        except OSError as error:
            raise self._failed(error) from None
        self._size = int(ends[-1]) if len(ends) else self._size
        return KeptTexts(self, begins, ends)

    def read(self, begins: Ints, ends: Ints) -> pl.Series:
        """Return texts by their first bytes and the bytes after their last; several threads may do so."""
        texts: list[str] = []
        # Texts that stand one after the other are read at once.
        apart = np.flatnonzero(begins[1:] != ends[:-1]) + 1
        for run in np.split(np.arange(len(begins)), apart) if len(begins) else ():
            at = int(begins[run[0]])
            data = self._bytes(at, int(ends[run[-1]]))
            edges = zip((begins[run] - at).tolist(), (ends[run] - at).tolist(), strict=True)
            texts += [data[begin:end].decode() for begin, end in edges]
        return pl.Series("text", texts, dtype=pl.String)

    def _bytes(self, begin: int, end: int) -> bytes:
        parts: list[bytes] = []
        while begin < end:
            try:
                parts.append(os.pread(self._file.fileno(), end - begin, begin))
            except OSError as error:
                raise self._failed(error) from None
            if not parts[-1]:
                raise self._failed(EOFError())
            begin += len(parts[-1])
        return b"".join(parts)

    def _failed(self, error: Exception) -> UsageError:
        return UsageError(
            f"texts cannot be kept in a file while they are ranked ({type(error).__name__})",
            where=str(self._folder),
            mend="check the permissions and free space of this folder; the texts of the extract must fit",
        )
