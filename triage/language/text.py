"""One spaCy pass over texts: normalised words and the clauses they stand in, as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from triage.language.forms import question_numbered
from triage.language.phrases import index_of
from triage.language.tokens import (
    ASKS,
    BEFORE_ANSWER,
    COMMA,
    DENIES,
    LINE,
    MAY_ASK,
    NO,
    NO_ANSWER,
    OPENS,
    STOP,
    WORD,
    Ints,
    Tokens,
    tokenise,
)
from triage.language.word_types import Types
from triage.reading.columns import Records
from triage.reading.records import Record

Bools = npt.NDArray[np.bool_]
#: A clause longer than this many words is cut at its next comma, at the latest at `_LONGEST_WORDS`.
_LONG_WORDS, _LONGEST_WORDS = 12, 28
#: A clause is left whole where cutting it would leave a rest shorter than this.
_SPARE_WORDS = 8
#: Tokens from a question's mark to an answer that stands behind others: "? She said no".
_BEFORE_ANSWER_MOST = 5


@dataclass(frozen=True, slots=True)
class Reading:
    """Texts read once, as flat arrays over all of them.

    ``types`` are the distinct normalised words and ``words`` of shape (tokens,) which one each token is;
    marks and blanks are no tokens. ``clauses`` of shape (tokens,) names each token's clause; ``owners``,
    ``starts`` and ``ends`` of shape (clauses,) say which record a clause belongs to and its character
    offsets. ``questions`` of shape (clauses,) is the number of the form's question for a clause that is one
    answer, 0 for text. ``records`` is the number of records. ``hits`` of shape (hits, 3) holds, in the order
    of the text, every phrase looked for: its number, its first and its last token.
    """

    types: Types
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
    if isinstance(records, Records):  # which need not be made one by one for what their columns say
        texts, answered = records.texts(), records.answered()
    else:
        texts = [record.text for record in records]
        answered = ((row, record.form_version, record.answers) for row, record in enumerate(records))
    given = [
        (row, number, _answer_word(version, number, answer))
        for row, version, answers in answered
        for number, answer in sorted(answers.items())
    ]
    tokens = tokenise(texts)
    return _with_answers(_cut(tokens, index_of(phrases).find(tokens), len(texts)), given)


def _cut(tokens: Tokens, hits: Ints, records: int) -> Reading:
    """Return the clauses of tokens, with the phrases that stand whole in one of them."""
    count = len(tokens.words)
    kinds = tokens.traits.kinds[tokens.words]
    attached = np.zeros(count, dtype=bool)
    attached[1:] = (tokens.begins[1:] == tokens.stops[:-1]) & (tokens.texts[1:] == tokens.texts[:-1])
    parted = np.ones(count, dtype=bool)
    parted[:-1] = ~attached[1:]
    opens = np.ones(count, dtype=bool)
    closes = (kinds == LINE) | ((kinds == STOP) & parted)
    opens[1:] = (tokens.texts[1:] != tokens.texts[:-1]) | closes[:-1]
    # A clause begins at each question number written in a text, such as "Q16 weapons N".
    opens |= tokens.traits.numbered[tokens.words]
    _cut_long(opens, kinds)
    clauses = np.cumsum(opens) - 1
    words = (kinds == WORD) & ~_answered_no(tokens, clauses, kinds, attached)

    # A clause of nothing but line breaks is none.
    said = np.flatnonzero(kinds != LINE)
    of_said = clauses[said]
    first = np.flatnonzero(np.append(True, of_said[1:] != of_said[:-1])) if len(said) else said
    full = of_said[first]
    last = np.append(first[1:], len(said))[: len(first)] - 1
    number = np.zeros(int(opens.sum()), dtype=np.int64)
    number[full] = np.arange(len(full))
    hits = hits[words[hits[:, 1]] & words[hits[:, 2]] & (clauses[hits[:, 1]] == clauses[hits[:, 2]])]
    hits[:, 1:] = (np.cumsum(words) - 1)[hits[:, 1:]]
    return Reading(
        types=tokens.types,
        words=tokens.words[words],
        clauses=number[clauses[words]],
        owners=tokens.texts[said[first]],
        starts=tokens.begins[said[first]],
        ends=tokens.stops[said[last]],
        questions=np.zeros(len(full), dtype=np.int64),
        records=records,
        hits=hits,
    )


def _cut_long(opens: Bools, kinds: Ints) -> None:
    """Cut clauses that run on without full stops: at a comma when long, at the latest when too long."""
    begins = np.flatnonzero(opens)
    ends = np.append(begins[1:], len(opens)) if len(begins) else begins
    words = np.concatenate([[0], np.cumsum(kinds == WORD)])
    long = words[ends] - words[begins] > _LONGEST_WORDS + _SPARE_WORDS
    begins, ends = begins[long], ends[long]
    commas, before_words = _ended(kinds == COMMA), _ended(kinds[1:] == WORD)
    # Of every long clause at once the next cut: where it has so many words, and then at the first such place.
    while len(begins):
        cuts = np.minimum(
            _next(commas, np.searchsorted(words, words[begins] + _LONG_WORDS) - 1),
            _next(before_words, np.searchsorted(words, words[begins] + _LONGEST_WORDS) - 1),
        )
        inside = cuts + 1 < ends
        begins, ends = cuts[inside] + 1, ends[inside]
        opens[begins] = True


def _ended(there: Bools) -> Ints:
    """Return the places where something stands, and at last one that is none."""
    return np.append(np.flatnonzero(there), np.iinfo(np.int64).max - 1)


def _next(places: Ints, start: Ints) -> Ints:
    """Return the first of some places, as `_ended` gives them, at or after each start."""
    return places[np.searchsorted(places, start)]


def _answered_no(tokens: Tokens, clauses: Ints, kinds: Ints, attached: Bools) -> Bools:
    """Return which tokens are words of a question that the text answers no, shape (tokens,).

    A question goes back from its mark, which stands right after a word, to the mark before it. The no stands
    right behind it, or as an answer by itself behind marks and who gives it: "? - no.", "? She said no.",
    "?" and "No" on the next line. A colon or a dash asks where the question begins as questions do.
    """
    traits = tokens.traits
    answers, turns = traits.answers[tokens.words], traits.turns[tokens.words]
    marks = np.flatnonzero(kinds != WORD)
    asking = np.flatnonzero((traits.asks[tokens.words] == ASKS) & attached)
    asking = asking[asking + 1 < len(answers)]
    might = np.flatnonzero((traits.asks[tokens.words] == MAY_ASK) & (kinds != WORD))
    might = might[turns[_begin_of(might, marks, clauses)] == OPENS]
    at_once = asking[answers[asking + 1] == NO]
    asked, given = _with_late_no(np.concatenate([asking, might]), tokens, kinds)
    asked, given = np.concatenate([at_once, asked]), np.concatenate([at_once + 1, given])
    begins = _begin_of(asked, marks, clauses)
    numbered = np.flatnonzero(traits.numbered[tokens.words])
    found = _next(_ended(answers != NO_ANSWER), numbered + 1)
    inside = found < np.searchsorted(clauses, clauses[numbered] + 1)
    numbered, found = numbered[inside], found[inside]
    no = answers[found] == NO
    edges = np.zeros(len(answers) + 1, dtype=np.int64)
    np.add.at(edges, np.concatenate([begins, numbered[no]]), 1)
    np.add.at(edges, np.concatenate([given + 1, found[no] + 1]), -1)
    return np.asarray(np.cumsum(edges[:-1]) > 0)


def _begin_of(asked: Ints, marks: Ints, clauses: Ints) -> Ints:
    """Return where the question before each mark begins: behind the mark before it, or with its clause."""
    before = np.append(-1, marks)[np.searchsorted(marks, asked)]
    return np.asarray(np.maximum(before + 1, np.searchsorted(clauses, clauses[asked])))


def _with_late_no(asked: Ints, tokens: Tokens, kinds: Ints) -> tuple[Ints, Ints]:
    """Return those of some questions whose answer, said by itself, is no, and where that stands."""
    texts, last = tokens.texts, len(kinds) - 1
    answers, turns = tokens.traits.answers[tokens.words], tokens.traits.turns[tokens.words]
    between = (kinds != WORD) | (turns == BEFORE_ANSWER)
    alone = np.ones(last + 1, dtype=bool)
    alone[:-1] = (kinds[1:] != WORD) | (texts[1:] != texts[:-1])
    no = ((answers == NO) | (turns == DENIES)) & alone
    given = asked
    for _ in range(_BEFORE_ANSWER_MOST):
        given = np.where((given == asked) | between[given], np.minimum(given + 1, last), given)
    answered = no[given] & (given > asked) & (texts[given] == texts[asked])
    return asked[answered], given[answered]


def _with_answers(read: Reading, given: Sequence[tuple[int, int, str]]) -> Reading:
    """Add answers, each as a clause of one word after the clauses of its record's text.

    Of each answer the record's row, the question's number and the word are given.
    """
    # In an order of their own, so that what a record adds up to is the same to the last bit in any batch.
    answers = sorted({word for _, _, word in given})
    index = {word: len(read.types) + number for number, word in enumerate(answers)}
    answer_words = [index[word] for _, _, word in given]
    rows = np.array([row for row, _, _ in given], dtype=np.int64)
    owners = np.concatenate([read.owners, rows])
    order = np.argsort(owners, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    clauses = place[np.concatenate([read.clauses, len(read.owners) + np.arange(len(given))])]
    by_clause = np.argsort(clauses, kind="stable")
    moved = np.empty_like(by_clause)
    moved[by_clause] = np.arange(len(by_clause))
    hits = read.hits.copy()
    hits[:, 1:] = moved[hits[:, 1:]]
    nothing = np.zeros(len(given), dtype=np.int64)
    numbers = np.array([number for _, number, _ in given], dtype=np.int64)
    return replace(
        read,
        types=read.types.beside(answers),
        words=np.concatenate([read.words, np.array(answer_words, dtype=np.int64)])[by_clause],
        clauses=clauses[by_clause],
        owners=owners[order],
        starts=np.concatenate([read.starts, nothing])[order],
        ends=np.concatenate([read.ends, nothing])[order],
        questions=np.concatenate([read.questions, numbers])[order],
        hits=hits[np.lexsort((hits[:, 2], hits[:, 1]))],
    )


@lru_cache(maxsize=1024)
def _answer_word(form_version: str, number: int, answer: str) -> str:
    asked = question_numbered(form_version, number)
    return f"{asked.name if asked else f'{form_version}:{number}'}={answer.lower()}"


def phrase_spans(text: str, phrases: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return where runs of normalised words stand in a text, as character spans."""
    return all_phrase_spans([text], phrases)[0]


def all_phrase_spans(texts: Sequence[str], phrases: tuple[str, ...]) -> list[list[tuple[int, int]]]:
    """Return the same for each of many texts, read together, which takes a tenth of the time."""
    tokens = tokenise(texts)
    hits = index_of(phrases).find(tokens)
    first, last = hits[:, 1], hits[:, 2]
    within = tokens.texts[first] == tokens.texts[last]
    first, last = first[within], last[within]
    spans: list[list[tuple[int, int]]] = [[] for _ in texts]
    for text, begin, end in sorted(
        zip(
            tokens.texts[first].tolist(),
            tokens.begins[first].tolist(),
            tokens.stops[last].tolist(),
            strict=True,
        )
    ):
        spans[text].append((begin, end))
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
