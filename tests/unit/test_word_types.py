"""Words keep their numbers while a book lasts, and what is worked out of them is worked out once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triage.language.word_types import Book, Ints, PerType, Types


class Counted:
    """Works out the lengths of words, and keeps which it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, names: Sequence[str]) -> Ints:
        self.asked += names
        return np.array([[len(name)] for name in names], dtype=np.int64).reshape(-1, 1)


def test_each_word_is_worked_out_once_while_its_book_lasts() -> None:
    book, lengths = Book(), Counted()
    values = PerType(lengths)
    for number in range(200):
        book.add([f"word{number}" * (number % 3 + 1)])
        chosen = Types(book, np.arange(number, -1, -7))
        assert values.of(chosen).ravel().tolist() == [len(name) for name in chosen]
    assert lengths.asked == book.names
    other = Book()
    other.add(["fresh"])
    assert values.of(Types(other, np.array([0]))).tolist() == [[5]]
    assert values.of(Types(book, np.array([1, 1]))).tolist() == [[len(book.names[1])]] * 2


def test_a_book_without_words_has_no_values() -> None:
    assert PerType(Counted()).of(Types(Book(), np.zeros(0, dtype=np.int64))).shape == (0, 1)


def test_types_are_those_of_their_names() -> None:
    book, other = Book(), Book()
    book.add(["he", "hit", "her"])
    other.add(["hit", "he"])
    types = Types(book, np.array([1, 0]))
    assert list(types) == ["hit", "he"] == [types[0], types[1]]
    assert types == Types(other, np.array([0, 1])) == ("hit", "he")
    assert types != Types(book, np.array([0, 1]))
    beside = types.beside(["strangulation=y", "strangulation=n"])
    assert beside == ("hit", "he", "strangulation=y", "strangulation=n")
    assert types.beside(["strangulation=n"]).numbers[-1] == beside.numbers[-1]
    assert types.beside([]) is types
