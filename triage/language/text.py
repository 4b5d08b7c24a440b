"""One pass over a text: its normalised words and its clauses, with exact character offsets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from triage.language.forms import question_numbered
from triage.reading.records import Record

if TYPE_CHECKING:
    from spacy.language import Language

#: A clause longer than this many words is cut at its next comma, at the latest at `_LONGEST_WORDS`.
_LONG_WORDS, _LONGEST_WORDS = 12, 28
#: A clause is left whole where cutting it would leave a rest shorter than this.
_SPARE_WORDS = 8
# No pattern here begins with a repeated blank: on a run of blanks it would take the square of its length.
_BREAK = re.compile(r"(?<=[.!?;])\s+|[\r\n\u0085\u2028\u2029]+|\|")
#: A run this long is no prose; spaCy's tokenizer takes the square of its length, so it is cut up by pattern.
_LONG_RUN = re.compile(r"\S{60,}|\s{60,}")
_PIECE = re.compile(r"[^\W_]{1,60}|([\W_])\1{0,59}")
_WORD = re.compile(r"\S+")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch of text read as one statement (character offsets), or one answer of a form.

    ``question`` is the question's column name, such as ``q18``, for an answer and empty for text; ``words``
    are the normalised words of the clause.
    """

    start: int
    end: int
    words: tuple[str, ...]
    question: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """What the features see of a record: its clauses in order, answers last."""

    clauses: tuple[Clause, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All normalised words of the text, then those of the answers."""
        return tuple(word for clause in self.clauses for word in clause.words)


@cache
def tokenizer() -> Language:
    """Return spaCy's blank English pipeline, made once: nothing is downloaded."""
    import spacy

    return spacy.blank("en")


def clause_spans(text: str) -> list[tuple[int, int]]:
    """Return the clauses of a text as character spans, in order and without overlap.

    Breaks at sentence ends, new lines and bars; logs that run on without full stops are cut at commas.

    >>> clause_spans("ATT. SPOKE TO BOTH | NFA")
    [(0, 4), (5, 18), (21, 24)]
    """
    spans: list[tuple[int, int]] = []
    start = 0
    ends = [(match.start(), match.end()) for match in _BREAK.finditer(text)]
    for end, following in [*ends, (len(text), len(text))]:
        piece = text[start:end]
        first = start + len(piece) - len(piece.lstrip())
        last = start + len(piece.rstrip())
        if first < last:
            spans.extend(_cut_long(text, first, last))
        start = following
    return spans


def _cut_long(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    words = list(_WORD.finditer(text, start, end))
    if len(words) <= _LONGEST_WORDS + _SPARE_WORDS:
        yield start, end
        return
    first = 0
    for index, word in enumerate(words):
        length = index - first + 1
        if length >= _LONGEST_WORDS or (length >= _LONG_WORDS and word.group().endswith((",", ")", "-"))):
            yield words[first].start(), word.end()
            first = index + 1
    if first < len(words):
        yield words[first].start(), end


def read_documents(records: Iterable[Record]) -> list[Document]:
    """Return each record as a document, tokenised once by spaCy's blank English tokenizer.

    Numbers keep their shape only (``42/117`` becomes ``00/000``), so that references are not learnt by heart.
    Answers become clauses of one word without offsets, such as ``strangulation=y``: by what the question is
    about, since forms number their questions differently.
    """
    documents = []
    for record in records:
        spans = clause_spans(record.text)
        found: list[list[str]] = [[] for _ in spans]
        at = 0
        for index, word in _words(record.text):
            while at < len(spans) and index >= spans[at][1]:
                at += 1
            if at == len(spans):
                break
            if index >= spans[at][0]:
                found[at].append(_DIGIT.sub("0", word.lower()))
        clauses = [Clause(start, end, tuple(words)) for (start, end), words in zip(spans, found, strict=True)]
        clauses += [
            Clause(0, 0, (_answer_word(record.form_version, number, answer),), question=f"q{number}")
            for number, answer in sorted(record.answers.items())
        ]
        documents.append(Document(tuple(clauses)))
    return documents


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Give the words of a text with their offsets, in time that grows with its length only."""
    tokenize = tokenizer().tokenizer  # not the pipeline, which refuses more than a million characters
    start = 0
    for run in [*_LONG_RUN.finditer(text), None]:
        end = run.start() if run else len(text)
        for token in tokenize(text[start:end]):
            if not token.is_space:
                yield start + token.idx, token.text
        if run:
            if not run.group().isspace():
                yield from ((piece.start(), piece.group()) for piece in _PIECE.finditer(text, *run.span()))
            start = run.end()


def _answer_word(form_version: str, number: int, answer: str) -> str:
    asked = question_numbered(form_version, number)
    return f"{asked.name if asked else f'{form_version}:{number}'}={answer.lower()}"
