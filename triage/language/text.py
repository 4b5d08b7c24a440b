"""One spaCy pass over texts: normalised words and the clauses they stand in, as flat arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from triage.language.forms import question_numbered
from triage.language.words import ANSWERS, normal_form
from triage.reading.records import Record

if TYPE_CHECKING:
    from spacy.matcher import PhraseMatcher
    from spacy.strings import StringStore
    from spacy.tokenizer import Tokenizer
    from spacy.tokens import Doc

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: A clause longer than this many words is cut at its next comma, at the latest at `_LONGEST_WORDS`.
_LONG_WORDS, _LONGEST_WORDS = 12, 28
#: A clause is left whole where cutting it would leave a rest shorter than this.
_SPARE_WORDS = 8
#: A run this long is no prose; spaCy's tokenizer takes the square of its length, so it is cut up by pattern.
_LONG_RUN = re.compile(r"\S{60,}|\s{60,}")
_PIECE = re.compile(r"[^\W_]{1,60}|([\W_])\1{0,59}")
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
_BLANKS = re.compile(r"[^\S\r\n\x85\u2028\u2029]+")
_ODD_BLANKS = re.compile(r"  |[^\S \r\n\x85\u2028\u2029]")
#: Kept in the tokenizer's cache; with more strings than the other number known, it is made anew, so that
#: memory stays flat over any number of records.
_CACHED_CHUNKS, _STRINGS_MOST = 100_000, 400_000
_SPACE, _STOP, _LINE, _COMMA, _MARK, _WORD = range(6)
_QUESTION = re.compile(r"q00?")


@dataclass(frozen=True, slots=True)
class Reading:
    """Texts read once, as flat arrays over all of them.

    ``types`` holds the distinct normalised words and ``words`` of shape (tokens,) which one each token is;
    marks and blanks are no tokens. ``clauses`` of shape (tokens,) names each token's clause; ``owners``,
    ``starts`` and ``ends`` of shape (clauses,) say which record a clause belongs to and its character
    offsets. ``questions`` of shape (clauses,) is the number of the form's question for a clause that is one
    answer, 0 for text. ``records`` is the number of records. ``hits`` of shape (hits, 3) holds, in the order
    of the text, every phrase looked for: its number, its first and its last token.
    """

    types: tuple[str, ...]
    words: Ints
    clauses: Ints
    owners: Ints
    starts: Ints
    ends: Ints
    questions: Ints
    records: int
    hits: Ints

    def words_of(self, clause: int) -> tuple[str, ...]:
        """Return the normalised words of one clause."""
        first, last = np.searchsorted(self.clauses, [clause, clause + 1])
        return tuple(self.types[word] for word in self.words[first:last])


@cache
def _tokenizer_numbered(number: int) -> Tokenizer:
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
        max_cache_size=_CACHED_CHUNKS,
    )


@cache
def _matcher(phrases: tuple[str, ...]) -> PhraseMatcher:
    from spacy.matcher import PhraseMatcher
    from spacy.tokens import Doc

    vocab = _tokenizer_numbered(0).vocab
    matcher = PhraseMatcher(vocab, attr="NORM")
    for number, phrase in enumerate(phrases):
        matcher.add(str(number), [Doc(vocab, words=phrase.split())])
    return matcher


def _tools(phrases: tuple[str, ...]) -> tuple[Tokenizer, PhraseMatcher]:
    tokenizer = _tokenizer_numbered(0)
    if len(tokenizer.vocab.strings) > _STRINGS_MOST:
        _tokenizer_numbered.cache_clear()
        _matcher.cache_clear()
        tokenizer = _tokenizer_numbered(0)
    return tokenizer, _matcher(phrases)


def read_texts(records: Sequence[Record], phrases: tuple[str, ...] = ()) -> Reading:
    """Return the records' texts and answers as words and clauses, tokenised once by spaCy.

    Parameters
    ----------
    records : sequence of Record
        What is read.
    phrases : tuple of str, optional
        Runs of normalised words to look for, parted by blanks; compiled once.

    Numbers keep their shape only (``42/117`` becomes ``00 000``), so that references are not learnt by heart.
    Answers become clauses of one word without offsets, such as ``strangulation=y``: by what the question is
    about, since forms number their questions differently. The words of a question that is answered no, in
    the text or on the form, are left out.
    """
    from spacy.attrs import IDX, LENGTH, NORM

    tokenizer, matcher = _tools(phrases)
    rows, sizes, hits, before = [], [], [], 0
    for record in records:
        count = 0
        text, origin = _single_blanks(record.text)
        for offset, doc in _docs(tokenizer, text):
            found = doc.to_array([NORM, IDX, LENGTH])
            if offset:
                found[:, 1] += np.uint64(offset)
            if origin is not None and len(found):
                last = origin[(found[:, 1] + found[:, 2] - np.uint64(1)).astype(np.int64)]
                found[:, 1] = origin[found[:, 1].astype(np.int64)]
                found[:, 2] = last + 1 - found[:, 1].astype(np.int64)
            rows.append(found)
            if phrases:
                at = before + count
                hits += [(number, at + first, at + end - 1) for number, first, end in matcher(doc)]
            count += len(found)
        sizes.append(count)
        before += count
    table = np.concatenate(rows) if rows else np.zeros((0, 3), dtype=np.uint64)
    hashes, tokens = np.unique(table[:, 0], return_inverse=True)
    strings = tokenizer.vocab.strings
    types = [strings[int(each)] if each else "" for each in hashes]
    return _cut(
        types,
        tokens.ravel().astype(np.int64),
        table[:, 1].astype(np.int64),
        (table[:, 1] + table[:, 2]).astype(np.int64),
        np.repeat(np.arange(len(records)), sizes),
        records,
        _numbered(hits, strings),
    )


def _single_blanks(text: str) -> tuple[str, Ints | None]:
    """Return the text with one plain blank between words, and where its characters stood if any moved.

    A hyphen within a word is read as a blank, so that no-one is "no one".
    """
    if "-" in text:
        text = _HYPHEN.sub(" ", text)
    if not _ODD_BLANKS.search(text):
        return text, None
    moved = np.ones(len(text), dtype=bool)
    for run in _BLANKS.finditer(text):
        moved[run.start() + 1 : run.end()] = False
    return _BLANKS.sub(" ", text), np.flatnonzero(moved)


def _numbered(hits: list[tuple[int, int, int]], strings: StringStore) -> Ints:
    """Return hits as an array, with the phrase's number for spaCy's hash of it."""
    found = np.array(hits, dtype=np.uint64).reshape(-1, 3)
    names, places = np.unique(found[:, 0], return_inverse=True)
    numbers = np.array([int(strings[int(each)]) for each in names], dtype=np.int64)
    table = found.astype(np.int64)
    if len(hits):
        table[:, 0] = numbers[places.ravel()]
    return table


def _docs(tokenizer: Tokenizer, text: str) -> Iterator[tuple[int, Doc]]:
    """Give parts of the text tokenised, with their offsets, in time that grows with its length only."""
    from spacy.tokens import Doc

    start = 0
    for run in _LONG_RUN.finditer(text) if len(text) > 60 else ():
        if run.start() > start:
            yield start, tokenizer(text[start : run.start()])
        if not run.group().isspace():
            pieces = [piece.group() for piece in _PIECE.finditer(run.group())]
            yield run.start(), Doc(tokenizer.vocab, words=pieces, spaces=[False] * len(pieces))
        else:
            yield run.start(), Doc(tokenizer.vocab, words=["\n"], spaces=[False])
        start = run.end()
    if start < len(text):
        yield start, tokenizer(text[start:] if start else text)


def _kind(word: str) -> int:
    if not word or word.isspace():
        return _LINE if any(each in word for each in "\r\n\x85\u2028\u2029") else _SPACE
    if word[0].isalnum():
        return _WORD
    return _STOP if word in ".!?;/" else _LINE if word == "|" else _COMMA if word in ",)-" else _MARK


def _cut(
    types: list[str],
    tokens: Ints,
    begins: Ints,
    stops: Ints,
    texts: Ints,
    records: Sequence[Record],
    hits: Ints,
) -> Reading:
    kinds = np.array([_kind(each) for each in types], dtype=np.int64)[tokens]
    spaces = kinds == _SPACE
    kept_as = np.cumsum(~spaces) - 1
    hits[:, 1:] = kept_as[hits[:, 1:]]
    tokens, begins, stops, texts, kinds = (each[~spaces] for each in (tokens, begins, stops, texts, kinds))
    count = len(tokens)
    new_text = np.ones(count, dtype=bool)
    new_text[1:] = texts[1:] != texts[:-1]
    # A sentence ends at a stop that a blank follows; a line or a bar ends it wherever it stands.
    parted = np.ones(count, dtype=bool)
    parted[:-1] = begins[1:] > stops[:-1]
    closes = (kinds == _LINE) | ((kinds == _STOP) & parted)
    opens = new_text.copy()
    opens[1:] |= closes[:-1]
    _open_questions(types, tokens, opens)
    _cut_long(opens, kinds)
    clauses = np.cumsum(opens) - 1
    kept = kinds != _LINE
    attached = np.zeros(count, dtype=bool)
    attached[1:] = begins[1:] == stops[:-1]
    masked = _answered_no(types, tokens, clauses, kinds, attached)
    first = np.flatnonzero(opens)
    owners = texts[first] if count else np.zeros(0, dtype=np.int64)
    starts = np.full(len(first), np.iinfo(np.int64).max)
    ends = np.zeros(len(first), dtype=np.int64)
    np.minimum.at(starts, clauses[kept], begins[kept])
    np.maximum.at(ends, clauses[kept], stops[kept])
    full = ends > 0  # a clause of nothing but line breaks is none
    number = np.cumsum(full) - 1
    words = (kinds == _WORD) & ~masked
    whole = words[hits[:, 1]] & words[hits[:, 2]] & (clauses[hits[:, 1]] == clauses[hits[:, 2]])
    hits = hits[whole]
    hits[:, 1:] = (np.cumsum(words) - 1)[hits[:, 1:]]
    return _with_answers(
        types,
        tokens[words],
        number[clauses[words]],
        owners[full],
        starts[full],
        ends[full],
        records,
        hits,
    )


def _open_questions(types: list[str], tokens: Ints, opens: Bools) -> None:
    """Let a clause begin at each question number written in a text, such as ``Q16 weapons N``."""
    numbered = np.array([bool(_QUESTION.fullmatch(each)) for each in types], dtype=bool)
    if numbered.any():
        opens |= numbered[tokens]


def _cut_long(opens: Bools, kinds: Ints) -> None:
    """Cut clauses that run on without full stops: at a comma when long, at the latest when too long."""
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(opens)) if len(first) else first
    words = np.concatenate([[0], np.cumsum(kinds == _WORD)])
    for begin, end in zip(first.tolist(), last.tolist(), strict=True):
        left = int(words[end] - words[begin])
        if left <= _LONGEST_WORDS + _SPARE_WORDS:
            continue
        length = 0
        for at in range(begin, end - 1):
            length += int(kinds[at] == _WORD)
            at_comma = length >= _LONG_WORDS and kinds[at] == _COMMA
            if (length >= _LONGEST_WORDS and kinds[at + 1] == _WORD) or at_comma:
                opens[at + 1] = True
                length = 0


def _answered_no(types: list[str], tokens: Ints, clauses: Ints, kinds: Ints, attached: Bools) -> Bools:
    """Return which tokens are words of a question that the text answers no, shape (tokens,).

    A question goes back from its mark, which stands right after a word, to the mark before it.
    """
    masked = np.zeros(len(tokens), dtype=bool)
    answers = np.array([ANSWERS.get(each, "") for each in types])[tokens]
    asked = np.array([each == "?" for each in types], dtype=bool)[tokens]
    for at in np.flatnonzero(asked).tolist():
        if attached[at] and at + 1 < len(tokens) and answers[at + 1] == "n":
            begin = _clause_before(clauses, at)
            marks = np.flatnonzero(kinds[begin:at] != _WORD)
            masked[begin + int(marks[-1]) + 1 if len(marks) else begin : at + 2] = True
    numbered = np.array([bool(_QUESTION.fullmatch(each)) for each in types], dtype=bool)[tokens]
    for at in np.flatnonzero(numbered).tolist():
        end = int(np.searchsorted(clauses, clauses[at] + 1))
        given = [place for place in range(at + 1, end) if answers[place]]
        if given and answers[given[0]] == "n":
            masked[at : given[0] + 1] = True
    return np.asarray(masked & (kinds == _WORD))


def _clause_before(clauses: Ints, at: int) -> int:
    return int(np.searchsorted(clauses, clauses[at]))


def _with_answers(
    types: list[str],
    words: Ints,
    clauses: Ints,
    owners: Ints,
    starts: Ints,
    ends: Ints,
    records: Sequence[Record],
    hits: Ints,
) -> Reading:
    """Add the answers of forms, each as a clause of one word, after the clauses of its record's text."""
    given = [
        (row, number, _answer_word(record.form_version, number, answer))
        for row, record in enumerate(records)
        for number, answer in sorted(record.answers.items())
    ]
    index: dict[str, int] = {}
    answer_words = [index.setdefault(word, len(types) + len(index)) for _, _, word in given]
    rows = np.array([row for row, _, _ in given], dtype=np.int64)
    all_owners = np.concatenate([owners, rows])
    order = np.argsort(all_owners, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    all_words = np.concatenate([words, np.array(answer_words, dtype=np.int64)])
    all_clauses = place[np.concatenate([clauses, len(owners) + np.arange(len(given))])]
    by_clause = np.argsort(all_clauses, kind="stable")
    moved = np.empty_like(by_clause)
    moved[by_clause] = np.arange(len(by_clause))
    hits[:, 1:] = moved[hits[:, 1:]]
    nothing = np.zeros(len(given), dtype=np.int64)
    numbers = np.array([number for _, number, _ in given], dtype=np.int64)
    return Reading(
        types=(*types, *index),
        words=all_words[by_clause],
        clauses=all_clauses[by_clause],
        owners=all_owners[order],
        starts=np.concatenate([starts, nothing])[order],
        ends=np.concatenate([ends, nothing])[order],
        questions=np.concatenate([np.zeros(len(owners), dtype=np.int64), numbers])[order],
        records=len(records),
        hits=hits[np.lexsort((hits[:, 2], hits[:, 1]))],
    )


def _answer_word(form_version: str, number: int, answer: str) -> str:
    asked = question_numbered(form_version, number)
    return f"{asked.name if asked else f'{form_version}:{number}'}={answer.lower()}"


def phrase_spans(text: str, phrases: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return where runs of normalised words stand in a text, as character spans."""
    tokenizer, matcher = _tools(phrases)
    spaced, origin = _single_blanks(text)
    spans = []
    for offset, doc in _docs(tokenizer, spaced):
        for _, first, end in matcher(doc):
            start, stop = offset + doc[first:end].start_char, offset + doc[first:end].end_char
            spans.append((start, stop) if origin is None else (int(origin[start]), int(origin[stop - 1]) + 1))
    return spans


def clause_spans(text: str) -> list[tuple[int, int]]:
    """Return the clauses of a text as character spans, in order and without overlap.

    Breaks at sentence ends, new lines and bars; logs that run on without full stops are cut at commas.

    >>> clause_spans("ATT. SPOKE TO BOTH | NFA")
    [(0, 4), (5, 18), (21, 24)]
    """
    from datetime import UTC, datetime

    moment = datetime(2000, 1, 1, tzinfo=UTC)
    reading = read_texts([Record(source="", record_ref="", opened_at=moment, closed_at=moment, text=text)])
    return list(zip(reading.starts.tolist(), reading.ends.tolist(), strict=True))
