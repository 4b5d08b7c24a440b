"""Words and marks stand where the text has them, and phrases are found as spaCy's own matcher finds them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from tests.conftest import CANARY
from triage.language import tokens as language_tokens
from triage.language.phrases import PhraseIndex
from triage.language.tokens import LINE, MARK, NO, STOP, WORD, YES, Tokens, tokenise

STEADY = settings(deadline=None, derandomize=True)
WORDS = ("he", "hit", "her", "no", ".")
PHRASES = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join), unique=True)
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join), max_size=4)
BLANKS = [chr(number) for number in range(0x3001) if chr(number).isspace()]


def spelt(tokens: Tokens) -> list[str]:
    return [tokens.types[word] for word in tokens.words]


def by_spacy(texts: Sequence[str], phrases: Sequence[str]) -> set[tuple[int, int, int]]:
    """Return what spaCy's matcher finds in each text, with tokens counted over all of them."""
    vocab = Vocab()
    matcher = PhraseMatcher(vocab)
    for number, phrase in enumerate(phrases):
        matcher.add(str(number), [Doc(vocab, words=phrase.split())])
    found, before = set(), 0
    for text in texts:
        doc = Doc(vocab, words=text.split())
        found |= {
            (int(vocab.strings[name]), before + first, before + end - 1) for name, first, end in matcher(doc)
        }
        before += len(doc)
    return found


@settings(STEADY, max_examples=200)
@given(TEXTS, PHRASES)
def test_phrases_are_found_as_by_spacy(texts: Sequence[str], phrases: Sequence[str]) -> None:
    tokens = tokenise(texts)
    hits = PhraseIndex(phrases).find(tokens)
    within = hits[tokens.texts[hits[:, 1]] == tokens.texts[hits[:, 2]]]
    found = [tuple(hit) for hit in within.tolist()]
    assert len(found) == len(set(found))
    assert set(found) == by_spacy(texts, phrases)


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
def test_any_blank_parts_words_where_it_stands(blank: str) -> None:
    text = f"{CANARY}{blank}£5{blank}{blank}HE{blank}HIT"
    tokens = tokenise([f"BEFORE{blank}", text])
    mine = [at for at in range(len(tokens.words)) if tokens.texts[at] == 1]
    places = [(int(tokens.begins[at]), int(tokens.stops[at])) for at in mine]
    kinds = tokens.traits.kinds[tokens.words[mine]].tolist()
    written = [text[begin:stop] for begin, stop in places]
    assert [each for each, kind in zip(written, kinds, strict=True) if kind != LINE] == [
        *CANARY.split(), "£", "5", "HE", "HIT",
    ]  # fmt: skip
    breaks = sum(kind == LINE for kind in kinds)
    assert breaks == (text.count(blank) if blank in "\n\r\x85\u2028\u2029" else 0)


def test_traits_say_what_a_token_is() -> None:
    tokens = tokenise(["Q16 WEAPONS? NIL. YES £"])
    traits = tokens.traits
    of = {tokens.types[word]: int(word) for word in tokens.words}
    assert [traits.kinds[of[each]] for each in ("weapons", ".", "£")] == [WORD, STOP, MARK]
    assert [each for each in tokens.types if traits.asks[of[each]]] == ["?"]
    assert [each for each in tokens.types if traits.numbered[of[each]]] == ["q00"]
    assert {each: int(traits.answers[of[each]]) for each in ("none", "yes", "weapons") if each in of} == {
        "yes": YES,
        "weapons": 0,
    }
    assert int(traits.answers[of["nil"]]) == NO


def test_types_stand_in_an_order_that_depends_on_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"HE HIT HER {CANARY}", "SHE FELL, HE SAYS"]
    first = tokenise(texts)
    tokenise([f"ZEBRA{number}X AND Y{number}" for number in range(20)])
    again = tokenise(texts)
    monkeypatch.setattr(language_tokens, "_RUNS_MOST", 0)
    anew = tokenise(texts)
    for other in (again, anew):
        assert other.types == first.types
        assert np.array_equal(other.words, first.words)


def test_threads_read_side_by_side_as_one_would_alone() -> None:
    """What is known of words is shared by all threads of a process."""

    def word(number: int) -> str:
        return "".join(chr(ord("a") + int(digit)) for digit in str(number))

    batches = [[f"HE HIT {word(n * k)}, {CANARY} {word(7 * n + k)}" for n in range(40)] for k in range(40)]
    index = PhraseIndex(["he hit", "hit bca", "hit bee"])

    def read(batch: Sequence[str]) -> tuple[list[str], list[list[int]]]:
        tokens = tokenise(batch)
        return spelt(tokens), index.find(tokens).tolist()

    alone = [read(batch) for batch in batches]
    often = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            for _ in range(5):
                language_tokens._lexicon.cache_clear()
                assert list(threads.map(read, batches)) == alone
    finally:
        sys.setswitchinterval(often)


def test_numbers_capitals_and_accents_make_no_difference() -> None:
    one, other = (spelt(tokenise([text])) for text in ("Log 42/117 ÉCLAIR", "LOG 31/205 éclair"))
    assert one == other == ["log", "00", "/", "000", "eclair"]


@settings(STEADY, max_examples=100)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=3))
def test_no_letter_is_lost_or_read_twice(texts: Sequence[str]) -> None:
    tokens = tokenise(texts)
    for row, text in enumerate(texts):
        places = [
            (begin, stop)
            for begin, stop, at in zip(tokens.begins, tokens.stops, tokens.texts, strict=True)
            if at == row
        ]
        assert all(a[1] <= b[0] for a, b in pairwise(places))
        read = "".join(text[begin:stop] for begin, stop in places)
        assert re.sub(r"\s", "", read) == re.sub(r"\s|(?<=[^\W\d_])-(?=[^\W\d_])", "", text)
