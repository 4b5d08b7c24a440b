"""What an auditor may write of an item, and what is refused: by name, and never quoting notes."""

from __future__ import annotations

import pytest

from tests.conftest import CANARY
from triage.errors import UsageError
from triage.language.offences import FAMILIES
from triage.review.outcomes import (
    CRIMES_MOST,
    NOTES_CHARACTERS_MAX,
    REFERENCE_CHARACTERS_MAX,
    VICTIMS_MOST,
    FoundCrime,
    Outcome,
    agree,
    crime_fields,
    item_fields,
)

BURGLARY = FoundCrime("burglary")
ANSWERS = ("yes", "no", "cannot_say")
#: For each kind what is taken, and what is not.
EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "reference": (
        ["42/123/26", "A-1", "x" * REFERENCE_CHARACTERS_MAX, "é 1:2"],
        ["x" * (REFERENCE_CHARACTERS_MAX + 1), "=1+1", "a\nb", "<b>", "1,2", ""],
    ),
    "number": (
        ["1", "7", str(VICTIMS_MOST)],
        ["0", "-1", str(VICTIMS_MOST + 1), "1.0", "²", "١", "00001", "9" * 5000, "one", " 1", ""],
    ),
    "date": (
        ["2026-10-31", "1954-02-28", "2024-02-29"],
        [
            "2026-02-29",
            "31/10/2026",
            "20261031",
            "2026-W01-1",
            "2026-10-31T10:00",
            "2026-1-01",
            "yesterday",
            "",
        ],
    ),
    "text": (["a", "two\nlines", "x" * NOTES_CHARACTERS_MAX], ["x" * (NOTES_CHARACTERS_MAX + 1), ""]),
}


def an_outcome(disclosed: str, **values: str) -> Outcome:
    return Outcome(disclosed, (BURGLARY,) if disclosed == "yes" else (), values)


@pytest.mark.parametrize("disclosed", ANSWERS)
def test_every_field_takes_its_values_with_the_answers_that_it_needs(disclosed: str) -> None:
    for field in item_fields():
        if field.name == "crime_disclosed":
            assert tuple(field.choices) == ANSWERS
            assert field.required
            continue
        good, bad = EXAMPLES.get(field.kind, (list(field.choices), ["", "other", field.label]))
        wanted = not field.needs or disclosed in field.needs
        for value in good:
            if wanted:
                assert an_outcome(disclosed, **{field.name: value}).values == {field.name: value}
            else:
                with pytest.raises(UsageError, match="answered only with") as refused:
                    an_outcome(disclosed, **{field.name: value})
                assert refused.value.where == field.name
        for value in bad:
            with pytest.raises(UsageError, match="cannot be taken") as refused:
                an_outcome(disclosed, **{field.name: value})
            assert refused.value.where == field.name


def test_every_field_of_a_crime_takes_its_values() -> None:
    for field in crime_fields():
        good, bad = EXAMPLES.get(field.kind, (list(field.choices), ["", "other"]))
        for value in good:
            assert Outcome("yes", (FoundCrime("burglary", values={field.name: value}),))
        for value in bad:
            with pytest.raises(UsageError, match="cannot be taken") as refused:
                Outcome("yes", (FoundCrime("burglary", values={field.name: value}),))
            assert refused.value.where == field.name


def test_names_of_fields_are_unique_and_choices_have_labels() -> None:
    for fields in (item_fields(), crime_fields()):
        assert len({field.name for field in fields}) == len(fields)
        for field in fields:
            assert field.label
            assert (field.kind == "choice") == bool(field.choices)
            assert field.kind in {"choice", *EXAMPLES}
            assert all(field.choices.values())
            assert set(field.needs) <= set(ANSWERS)


@pytest.mark.parametrize("disclosed", ["", "maybe", "YES"])
def test_the_answer_itself_is_one_of_three(disclosed: str) -> None:
    with pytest.raises(UsageError, match="yes, no, cannot_say") as refused:
        Outcome(disclosed)
    assert refused.value.where == "crime_disclosed"


@pytest.mark.parametrize(("disclosed", "crimes"), [
    ("yes", ()),
    ("no", (BURGLARY,)),
    ("cannot_say", (BURGLARY,)),
    ("yes", (BURGLARY,) * (CRIMES_MOST + 1)),
])  # fmt: skip
def test_crimes_belong_to_yes_and_are_not_too_many(disclosed: str, crimes: tuple[FoundCrime, ...]) -> None:
    with pytest.raises(UsageError, match="crimes") as refused:
        Outcome(disclosed, crimes)
    assert refused.value.where == "crimes"


def test_unknown_names_list_the_known() -> None:
    for outcome, known in (
        ({"values": {"mood": "grim"}}, "supervisor_check"),
        ({"values": {"crime_disclosed": "no"}}, "supervisor_check"),
    ):
        with pytest.raises(UsageError, match=known):
            Outcome("no", **outcome)
    with pytest.raises(UsageError, match="offence_date"):
        Outcome("yes", (FoundCrime("burglary", values={"mood": "grim"}),))
    with pytest.raises(UsageError, match="burglary"):
        Outcome("yes", (FoundCrime("burglery"),))


@pytest.mark.parametrize("place", [
    {"part": 1, "start": 3, "end": 2},
    {"part": 1, "start": 3, "end": 3},
    {"part": 1, "start": -1, "end": 2},
    {"part": -1},
    {"part": 1, "question": -1},
    {"start": 1, "end": 2},
    {"question": 16},
])  # fmt: skip
def test_a_place_that_is_none_is_refused(place: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="evidence"):
        Outcome("yes", (FoundCrime("burglary", **place),))


@pytest.mark.parametrize(
    "place", [{}, {"part": 1}, {"part": 2, "start": 0, "end": 4}, {"part": 1, "question": 16}]
)
def test_a_place_may_be_a_span_an_answer_a_part_or_none(place: dict[str, int]) -> None:
    assert Outcome("yes", (FoundCrime("burglary", **place),)).families == {"burglary"}


def test_a_code_of_another_family_is_refused_and_an_unknown_code_is_not() -> None:
    code = {"offence_code": "105/01"}
    with pytest.raises(UsageError, match=r"105/01 is \w+, not burglary") as refused:
        Outcome("yes", (FoundCrime("burglary", values=code),))
    assert refused.value.where == "offence_code"
    (right,) = (family for family in FAMILIES if f"is {family}," in str(refused.value))
    assert Outcome("yes", (FoundCrime(right, values=code),))
    assert Outcome("yes", (FoundCrime("burglary", values={"offence_code": "999/99"}),))


def test_notes_are_quoted_in_no_message() -> None:
    for wrong in (
        {"notes": CANARY * NOTES_CHARACTERS_MAX},
        {"notes": CANARY, "supervisor_check": CANARY},
        {"crime_reference": f"{CANARY}!"},
        {"action": CANARY},
    ):
        with pytest.raises(UsageError) as refused:
            an_outcome("yes", **wrong)
        assert CANARY not in str(refused.value)


def test_an_outcome_comes_back_from_what_is_kept() -> None:
    full = Outcome(
        "yes",
        (
            FoundCrime("burglary", 1, 3, 9, values={"victim_number": "2", "historic": "no"}),
            FoundCrime("theft", 2, question=16),
        ),
        {"reason_not_recorded": "R7", "notes": "see page 2"},
    )
    for outcome in (full, Outcome("no"), Outcome("cannot_say", values={"n100_due": "yes"})):
        assert Outcome.from_json(outcome.as_json()) == outcome


def test_what_is_kept_is_a_copy() -> None:
    outcome = an_outcome("yes", notes="a")
    outcome.as_json()["values"].pop("notes")
    assert outcome.values == {"notes": "a"}


@pytest.mark.parametrize(("one", "other", "same"), [
    (Outcome("no"), Outcome("no"), True),
    (Outcome("no"), Outcome("cannot_say"), False),
    (Outcome("yes", (BURGLARY,)), Outcome("yes", (BURGLARY, BURGLARY)), True),
    (Outcome("yes", (BURGLARY,)), Outcome("yes", (FoundCrime("theft"),)), False),
    (Outcome("yes", (BURGLARY,)), Outcome("yes", (BURGLARY, FoundCrime("theft"))), False),
    (an_outcome("yes", action="none"), an_outcome("yes", action="returned"), True),
])  # fmt: skip
def test_two_agree_on_the_answer_and_the_families(one: Outcome, other: Outcome, same: bool) -> None:
    assert agree(one, other) == agree(other, one) == same
