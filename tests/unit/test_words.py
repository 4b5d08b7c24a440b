"""The table of words is well-formed, and each written form leads to one plain word."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import CANARY
from triage.language.words import ANSWERS, CLASSES, NAME, classes_of, normal_form

#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True)
TABLE = tomllib.loads(files("triage.language").joinpath("words.toml").read_text(encoding="utf-8"))
NORMAL: dict[str, list[str]] = TABLE["normal"]
FORMS = [(form, word) for word, forms in NORMAL.items() for form in forms]
WORD = re.compile(r"[a-z0']+")
#: `triage.language.features` pairs at most so many classes of a word.
CLASSES_MOST = 3


def test_every_written_form_becomes_its_plain_word_and_stays_it() -> None:
    assert len(FORMS) > 1_000
    wrong = {form: normal_form(form) for form, word in FORMS if normal_form(form) != word}
    assert wrong == {}
    assert {word for word in NORMAL if normal_form(word) != word} == set()


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("SUSP", "suspect"),
        ("Parnter", "partner"),
        ("STRANGELED", "strangled"),
        ("didnt", "didn't"),
        ("DIDN’T", "didn't"),
        ("VP2", "victim"),
        ("neighbor", "neighbour"),
        ("1412", "0000"),
        ("Q18", "q00"),
        ("٣", "0"),
        ("mum's", "mum's"),
        ("marmalade", "marmalade"),
    ],
)
def test_a_written_word_becomes_plain(written: str, plain: str) -> None:
    assert normal_form(written) == plain


@STEADY
@given(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from([form for form, _ in FORMS]))
def test_a_plain_word_is_its_own_and_holds_no_digit_but_0(written: str) -> None:
    plain = normal_form(written)
    assert normal_form(plain) == plain
    assert not re.search(r"[^\D0]", plain)


def test_no_form_stands_twice_or_is_a_plain_word() -> None:
    assert [form for form, count in Counter(form for form, _ in FORMS).items() if count > 1] == []
    assert set(NORMAL) & {form for form, _ in FORMS} == set()


def test_forms_and_classes_are_written_as_texts_are_read() -> None:
    words = [word for entry in TABLE["classes"].values() for word in entry["words"]]
    assert [
        word for word in (*NORMAL, *(form for form, _ in FORMS), *words) if not WORD.fullmatch(word)
    ] == []
    # A class of a form that is always replaced would never be met.
    assert [word for word in words if normal_form(word) != word] == []


GIVEN: list[str] = TABLE["names"]["given"]


def test_a_given_name_is_read_as_one_that_no_text_can_hold() -> None:
    assert {normal_form(name) for name in (*GIVEN, *map(str.upper, GIVEN))} == {NAME}
    assert len(GIVEN) > 500
    assert not re.fullmatch(r"[\w'’]+", NAME)
    assert classes_of(NAME) == ()


def test_whose_a_thing_is_tells_no_name() -> None:
    # Adam's apple and Clare's Law are words of the table.
    assert [
        name for name in GIVEN if name in normal_form(f"{name}'s") or name in normal_form(f"{name}’s")
    ] == ["adam", "clare"]


@pytest.mark.parametrize(
    "name",
    [
        "Ngozi",
        "Siân",
        "SIÂN",
        "Aoife's",
        "Oluwaseun",
        "Thuy",
        "Agnieszka’s",
        "O'Rourke",
        "McAllister",
        "Oyelaran",
    ],
)
def test_a_name_that_no_table_holds_is_one_by_its_capital(name: str) -> None:
    assert normal_form(name) == NAME


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Robbed", "robbed"),
        ("Garrotted", "garrotted"),
        ("Snapchat", "snapchat"),
        ("Polish", "polish"),
        ("Wednesday's", "wednesday's"),
        ("oyelaran", "oyelaran"),
        ("OYELARAN", "oyelaran"),
        ("PCs", "pcs"),
        ("Ｐｕｎｃｈｅｄ", "punched"),
    ],
)
def test_other_capitals_make_no_name(written: str, plain: str) -> None:
    assert normal_form(written) == plain


def test_the_ordinary_words_are_in_order_and_no_given_names() -> None:
    words = (files("triage.language") / "ordinary_words.txt").read_text(encoding="utf-8").split()
    assert words == sorted(set(words))
    assert set(words).isdisjoint(GIVEN)
    assert all(re.fullmatch(r"[a-z']{3,}", word) for word in words)
    # Whatever the tables know by a meaning or as a slip is no name at the beginning of a sentence.
    table = [word for entry in TABLE["classes"].values() for word in entry["words"]]
    known = (*table, *NORMAL, *(form for form, _ in FORMS))
    assert [word for word in known if normal_form(word.capitalize()) == NAME and word not in GIVEN] == []


@pytest.mark.parametrize("word", ["june", "sue"])
def test_a_word_that_is_seldom_a_name_stays(word: str) -> None:
    assert normal_form(word) == word


def test_no_given_name_is_another_word_of_the_table() -> None:
    classed = {word for entry in TABLE["classes"].values() for word in entry["words"]}
    assert set(GIVEN) & (classed | set(NORMAL) | {form for form, _ in FORMS}) == set()
    assert [name for name, count in Counter(GIVEN).items() if count > 1] == []
    assert [name for name in GIVEN if not WORD.fullmatch(name)] == []


def test_classes_are_well_formed() -> None:
    assert set(TABLE) == {"edition", "source", "names", "normal", "classes"}
    assert set(TABLE["names"]) == {"given"}
    assert len(CLASSES) > 100
    for name, entry in TABLE["classes"].items():
        assert set(entry) == {"about", "words"}, name
        assert re.fullmatch(r"[a-z]+(?:_[a-z]+)?", name), name
        assert entry["about"].strip(), name
        assert [word for word, count in Counter(entry["words"]).items() if count > 1] == [], name


def test_a_word_has_the_classes_that_list_it_and_no_more_than_are_paired() -> None:
    listed: dict[str, list[int]] = {}
    for number, name in enumerate(CLASSES):
        for word in TABLE["classes"][name]["words"]:
            listed.setdefault(word, []).append(number)
    assert {word: tuple(numbers) for word, numbers in listed.items()} == {
        word: classes_of(word) for word in listed
    }
    assert [word for word, numbers in listed.items() if len(numbers) > CLASSES_MOST] == []
    assert classes_of(CANARY) == ()
    assert "hit" in {CLASSES[number] for number in classes_of(normal_form("PUNCHED"))}


def test_an_answer_stays_one_in_its_plain_form() -> None:
    assert set(ANSWERS.values()) == {"y", "n"}
    assert {word: ANSWERS[normal_form(word)] for word in ANSWERS} == ANSWERS
