"""Words and marks of texts: spaCy splits each run of characters between blanks once; it is remembered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from triage.language.runs import HashTable, Runs, split_runs
from triage.language.word_types import SHARED, Book, Types
from triage.language.words import ANSWERS, NAME, normal_form

if TYPE_CHECKING:
    from spacy.tokenizer import Tokenizer
    from spacy.tokens import Doc

Ints = npt.NDArray[np.int64]
#: Kinds of tokens. A stop ends a sentence where a blank follows, a line end or a bar wherever it stands.
STOP, LINE, COMMA, MARK, WORD = range(5)
#: What a word in a text says when it answers a question.
NO_ANSWER, YES, NO = range(3)
#: How a mark asks: a question mark, or one that may stand in its place ("Has he ever hit you: no").
ASKS, MAY_ASK = 1, 2
#: What a word may be about a question: one that begins it, one before its answer ("she said no"), a late no.
OPENS, BEFORE_ANSWER, DENIES = 1, 2, 3
_TURNS = {
    **dict.fromkeys(
        ("any", "are", "did", "do", "does", "ever", "had", "has", "have", "is", "was", "were"), OPENS
    ),
    **dict.fromkeys(
        (
            *("she", "he", "they", "i", "victim", "caller", "female", "male", "aggrieved", "informant", NAME),
            *("said", "says", "states", "stated", "replied", "replies", "answered", "answers", "answer"),
        ),
        BEFORE_ANSWER,
    ),
    **dict.fromkeys(("never", "nope", "nah"), DENIES),
}
_ANSWER_OF = {word: YES if answer == "y" else NO for word, answer in ANSWERS.items()}
#: Runs and words remembered; with more than these before a batch, or more strings than the last number known
#: to spaCy, all is forgotten, so that memory stays flat over any number of records.
_RUNS_MOST, _NAMES_MOST, _STRINGS_MOST = 100_000, 80_000, 400_000
#: A run this long is no prose; spaCy's tokenizer takes the square of its length, so it is cut up by pattern.
_LONG_RUN = re.compile(r"\S{60,}")
_PIECE = re.compile(r"[^\W_]{1,60}|([\W_])\1{0,59}")
#: A hyphen within a word is read as a blank, so that no-one is "no one".
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
_QUESTION = re.compile(r"q00?")


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of each of some types, all of shape (types,).

    ``kinds`` is one of the kinds of tokens; ``asks`` says how a mark asks, 0 if it does not, ``numbered``
    whether it numbers a question of a form (``q16``), ``answers`` what it says as an answer, ``turns``
    what it may be about a question, 0 for nothing.
    """

    kinds: Ints
    asks: Ints
    numbered: npt.NDArray[np.bool_]
    answers: Ints
    turns: Ints


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of some texts in order, blanks left out.

    ``types`` are the distinct normalised forms, in an order that depends on nothing but them. All of shape
    (tokens,): ``words`` numbers the types, ``begins`` and ``stops`` are character offsets, ``texts`` says
    which text a token stands in.
    """

    types: Types
    traits: Traits
    words: Ints
    begins: Ints
    stops: Ints
    texts: Ints


def tokenise(texts: Sequence[str]) -> Tokens:
    """Return the words and marks of texts, normalised.

    Numbers keep their shape only (``42/117`` becomes ``00 / 000``), so that references are not learnt by
    heart; a given name becomes one word.
    """
    split = split_runs(texts)
    with SHARED:
        if _lexicon().is_full():
            _lexicon.cache_clear()
        return _lexicon().read(split)


@cache
def _lexicon() -> _Lexicon:
    return _Lexicon()


class _Lexicon:
    """Runs met so far with their tokens, and types met so far with their traits."""

    def __init__(self) -> None:
        self._tokenizer = _tokenizer()
        self._runs = HashTable()
        #: Of every run: the place of its first token among all, and how many there are.
        self._firsts = self._counts = np.zeros(0, dtype=np.int64)
        #: Of every token of a run: its type, its first character in the run, the one after its last.
        self._types = self._begins = self._stops = np.zeros(0, dtype=np.int64)
        self._type_of: dict[int, int] = {}
        self._book = Book()
        self._hashes = np.zeros(0, dtype=np.uint64)
        #: Of every type: kind, asks, numbered, answer, turn.
        self._traits = np.zeros((0, 5), dtype=np.int64)
        # By itself: beside other runs spaCy would take it for one of the blanks between them.
        self._numbered(split_runs(["\n"]))

    def is_full(self) -> bool:
        strings = len(self._tokenizer.vocab.strings)
        return len(self._runs) > _RUNS_MOST or len(self._book.names) > _NAMES_MOST or strings > _STRINGS_MOST

    def read(self, split: Runs) -> Tokens:
        runs = self._numbered(split)
        counts = self._counts[runs]
        # The place of each token among the tokens of all runs.
        firsts = np.cumsum(counts) - counts
        at = np.repeat(self._firsts[runs] - firsts, counts) + np.arange(int(counts.sum()))
        starts = np.repeat(split.starts, counts)
        types, words = self._distinct(self._types[at])
        traits = self._traits[types]
        return Tokens(
            Types(self._book, types),
            Traits(traits[:, 0], traits[:, 1], traits[:, 2] > 0, traits[:, 3], traits[:, 4]),
            words,
            starts + self._begins[at],
            starts + self._stops[at],
            np.repeat(split.texts, counts),
        )

    def _numbered(self, split: Runs) -> Ints:
        """Return the number of each run, of those not met before too."""
        runs = self._runs.find(split.hashes)
        new = np.flatnonzero(runs < 0)
        if len(new):
            hashes, first = np.unique(split.hashes[new], return_index=True)
            self._learn(split.written(new[first]))
            self._runs.add(hashes)
            runs[new] = self._runs.find(split.hashes[new])
        return runs

    def _distinct(self, found: Ints) -> tuple[Ints, Ints]:
        """Return the types found, in the order of their hashes, and the number there of each token."""
        present = np.zeros(len(self._book.names), dtype=np.bool_)
        present[found] = True
        types = np.flatnonzero(present)
        types = types[np.argsort(self._hashes[types])]
        number = np.zeros(len(self._book.names), dtype=np.int64)
        number[types] = np.arange(len(types))
        return types, number[found]

    def _learn(self, runs: Sequence[str]) -> None:
        """Let spaCy split runs not met before, all in one go."""
        lengths = np.fromiter(map(len, runs), dtype=np.int64, count=len(runs))
        starts = np.cumsum(lengths + 1) - (lengths + 1)
        table = self._tokenised(_HYPHEN.sub(" ", " ".join(runs)))
        of_run = np.searchsorted(starts, table[:, 1], side="right") - 1
        table[:, 1:] -= starts[of_run][:, None]
        counts = np.bincount(of_run, minlength=len(runs))
        self._firsts = np.append(self._firsts, len(self._types) + np.cumsum(counts) - counts)
        self._counts = np.append(self._counts, counts)
        self._types = np.append(self._types, table[:, 0])
        self._begins = np.append(self._begins, table[:, 1])
        self._stops = np.append(self._stops, table[:, 2])

    def _tokenised(self, text: str) -> Ints:
        """Return type, first character and the one after the last of each token but blanks."""
        from spacy.attrs import IDX, LENGTH, NORM

        parts = []
        for offset, doc in _docs(self._tokenizer, text):
            part = doc.to_array([NORM, IDX, LENGTH])
            part[:, 1] += np.uint64(offset)
            parts.append(part)
        found = np.concatenate(parts) if parts else np.zeros((0, 3), dtype=np.uint64)
        hashes, places = np.unique(found[:, 0], return_inverse=True)
        self._name([each for each in hashes.tolist() if each not in self._type_of])
        types = np.array([self._type_of[each] for each in hashes.tolist()], dtype=np.int64)[places.ravel()]
        begins = found[:, 1].astype(np.int64)
        table = np.column_stack([types, begins, begins + found[:, 2].astype(np.int64)])
        return np.asarray(table[types >= 0])

    def _name(self, hashes: Sequence[int]) -> None:
        """Keep the normal forms that spaCy has these hashes of, but blanks, which have no number."""
        named = {hashed: self._tokenizer.vocab.strings[hashed] if hashed else "" for hashed in hashes}
        kept = [hashed for hashed, name in named.items() if name and (name == "\n" or not name.isspace())]
        self._type_of.update(dict.fromkeys(named, -1))
        first = len(self._book.names)
        self._type_of.update(zip(kept, range(first, first + len(kept)), strict=True))
        self._book.add(named[hashed] for hashed in kept)
        # Answers of forms stand in the book too; they are no tokens.
        answers = first - len(self._hashes)
        added = np.array([0] * answers + kept, dtype=np.uint64)
        traits = [(MARK, 0, 0, NO_ANSWER, 0)] * answers + [_traits_of(named[hashed]) for hashed in kept]
        self._hashes = np.append(self._hashes, added)
        self._traits = np.append(self._traits, np.array(traits, dtype=np.int64).reshape(-1, 5), axis=0)


def _tokenizer() -> Tokenizer:
    from spacy.attrs import NORM
    from spacy.tokenizer import Tokenizer
    from spacy.vocab import Vocab

    # Words, and every mark by itself; an apostrophe within a word belongs to it. No exceptions, no web
    # addresses: three times as fast as spaCy's English rules, and logs hold neither in their written form.
    mark = r"[^\w\s]|_"
    return Tokenizer(
        Vocab(lex_attr_getters={NORM: normal_form}),
        prefix_search=re.compile(rf"^(?:{mark})").search,
        suffix_search=re.compile(rf"(?:{mark})$").search,
        infix_finditer=re.compile(rf"(?!(?<=[^\W\d_])['’](?=[^\W\d_]))(?:{mark})").finditer,
        max_cache_size=0,
    )


def _docs(tokenizer: Tokenizer, text: str) -> Iterator[tuple[int, Doc]]:
    """Give parts of the text tokenised, with their offsets, in time that grows with its length only."""
    from spacy.tokens import Doc

    start = 0
    for run in _LONG_RUN.finditer(text):
        if run.start() > start:
            yield start, tokenizer(text[start : run.start()])
        pieces = [piece.group() for piece in _PIECE.finditer(run.group())]
        yield run.start(), Doc(tokenizer.vocab, words=pieces, spaces=[False] * len(pieces))
        start = run.end()
    if start < len(text):
        yield start, tokenizer(text[start:])


def _traits_of(name: str) -> tuple[int, int, int, int, int]:
    return (
        _kind(name),
        ASKS if name == "?" else MAY_ASK if name in (":", "-") else 0,
        bool(_QUESTION.fullmatch(name)),
        _ANSWER_OF.get(name, NO_ANSWER),
        _TURNS.get(name, 0),
    )


def _kind(name: str) -> int:
    if name[0].isalnum():
        return WORD
    if name in "\n|":
        return LINE
    return STOP if name in ".!?;/" else COMMA if name in ",)-" else MARK
