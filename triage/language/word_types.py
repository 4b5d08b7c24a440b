"""The distinct words of a reading, and what is worked out once for each word that a process meets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import RLock
from typing import Any, overload

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
#: Held by whoever adds to what threads share: words met, their numbers, and what was worked out of them.
SHARED = RLock()


class Book:
    """Words in the order in which they were met; a word keeps its number while the book lasts."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def add(self, names: Iterable[str]) -> None:
        """Write down words that are not in the book yet."""
        self.names.extend(names)

    def number(self, name: str) -> int:
        """Return the number of a word that is no token, such as a form's answer; it is written down once."""
        with SHARED:
            if name not in self._numbers:
                self._numbers[name] = len(self.names)
                self.names.append(name)
            return self._numbers[name]


class Types(Sequence[str]):
    """Some words of a book, each once; equal to others of the same names, whatever their books.

    Parameters
    ----------
    book : Book
        Where they stand.
    numbers : ndarray of shape (types,)
        Their numbers in the book.
    """

    __slots__ = ("book", "names", "numbers")

    def __init__(self, book: Book, numbers: Ints) -> None:
        self.book = book
        self.numbers = numbers
        self.names = tuple(map(book.names.__getitem__, numbers.tolist()))

    def beside(self, further: Sequence[str]) -> Types:
        """Return these types and further words that are no tokens."""
        added = np.array([self.book.number(name) for name in further], dtype=np.int64)
        return Types(self.book, np.concatenate([self.numbers, added])) if further else self

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.names[index]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __eq__(self, other: object) -> bool:
        return self.names == (other.names if isinstance(other, Types) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} types>"


class PerType:
    """What is worked out of each word, once while a book lasts.

    Parameters
    ----------
    work_out : callable
        Takes words and returns an array whose first axis is theirs.
    """

    def __init__(self, work_out: Callable[[Sequence[str]], npt.NDArray[Any]]) -> None:
        self._work_out = work_out
        self._book: Book | None = None
        self._done = 0

    def of(self, types: Types) -> npt.NDArray[Any]:
        """Return what was worked out of each type, shape (types, ...)."""
        with SHARED:
            if self._book is not types.book:
                self._book, self._done = types.book, 0
            names = types.book.names[self._done :]
            if names or not self._done:
                self._keep(self._work_out(names))
            return np.asarray(self._values[types.numbers])

    def _keep(self, found: npt.NDArray[Any]) -> None:
        """Add rows below those that are filled; the array grows by half when it is full."""
        wanted = self._done + len(found)
        if not self._done:
            self._values = found
        elif wanted > len(self._values):
            grown = np.zeros((max(wanted, self._done * 3 // 2), *found.shape[1:]), dtype=found.dtype)
            grown[: self._done] = self._values[: self._done]
            self._values = grown
        self._values[self._done : wanted] = found
        self._done = wanted
