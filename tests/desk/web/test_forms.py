"""The form of an outcome: what is typed comes back, and all that is wrong is said at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.desk.web.forms import (
    Draft,
    new_draft,
    outcome_lines,
    place_value,
    read_draft,
    seen_of,
    summary,
    taken,
    token_of,
    with_rows,
)
from triage.errors import UsageError
from triage.language.offences import FAMILIES
from triage.review.outcomes import CRIMES_MOST, FoundCrime, Outcome, item_fields

OFFERED = {"1:3:9", "2:q18"}
FULL = Outcome(
    "yes",
    (
        FoundCrime("rape", part=1, start=3, end=9, values={"offence_code": "19C", "historic": "yes"}),
        FoundCrime("theft", part=2, question=18, values={"victim_number": "2", "offence_date": "2026-10-01"}),
    ),
    {"reason_not_recorded": "R7", "notes": "Two lines,\nthe second."},
)


def as_sent(draft: Draft) -> dict[str, str]:
    """What a browser sends of a form."""
    rows = {f"crimes-{at}-{name}": said for at, row in enumerate(draft.crimes) for name, said in row.items()}
    return {"token": draft.token, "seen": str(draft.seen), **draft.values, **rows}


def sent(**fields: str) -> Draft:
    return read_draft({"token": "t", "seen": "0", **{k.replace("__", "-"): v for k, v in fields.items()}})


def problems(**fields: str) -> dict[str, str]:
    outcome, draft = taken(sent(**fields), OFFERED)
    assert (outcome is None) == bool(draft.problems)
    return dict(draft.problems)


def test_an_outcome_survives_the_form() -> None:
    outcome, draft = taken(read_draft(as_sent(new_draft(3, FULL))), OFFERED)
    assert outcome == FULL
    assert draft.seen == 3
    assert not draft.problems


_CRIMES = st.builds(
    FoundCrime,
    st.sampled_from(FAMILIES),
    values=st.fixed_dictionaries(
        {},
        optional={"victim_number": st.integers(1, 99).map(str), "historic": st.sampled_from(["yes", "no"])},
    ),
)
_OTHERS = st.fixed_dictionaries(
    {},
    optional={
        each.name: st.sampled_from(list(each.choices))
        for each in item_fields()[1:]
        if each.choices and not each.needs
    },
)


@given(
    st.one_of(
        st.builds(
            Outcome, st.just("yes"), st.lists(_CRIMES, min_size=1, max_size=CRIMES_MOST).map(tuple), _OTHERS
        ),
        st.builds(Outcome, st.sampled_from(["no", "cannot_say"]), st.just(()), _OTHERS),
    )
)
def test_any_outcome_survives_the_form(outcome: Outcome) -> None:
    assert taken(read_draft(as_sent(new_draft(1, outcome))), OFFERED)[0] == outcome


def test_all_that_is_wrong_is_said_at_once_beside_its_field() -> None:
    found = problems(
        crime_disclosed="yes",
        recorded_elsewhere="<script>",
        action="burn",
        notes="x" * 4001,
        crimes__0__victim_number="many",
        crimes__1__family="rape",
        crimes__1__place="1:0:5",
        crimes__1__offence_date="yesterday",
        crimes__2__family="rape",
        crimes__2__offence_code="105/01",
    )
    assert set(found) == {
        "recorded_elsewhere",
        "action",
        "notes",
        "crimes-0-family",
        "crimes-0-victim_number",
        "crimes-1-place",
        "crimes-1-offence_date",
        "crimes-2-offence_code",
    }
    assert found["crimes-2-offence_code"] == "105/01 is violence_without_injury, not rape."


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "crime_disclosed"),
        ({"crime_disclosed": "perhaps"}, "crime_disclosed"),
        ({"crime_disclosed": "yes"}, "crimes-0-family"),
        ({"crime_disclosed": "no", "crimes__0__family": "rape"}, "crimes-0-family"),
        ({"crime_disclosed": "no", "reason_not_recorded": "R1"}, "reason_not_recorded"),
        ({"crime_disclosed": "yes", "crimes__0__family": "arson"}, "crimes-0-family"),
        (
            {"crime_disclosed": "yes", "crimes__0__family": "rape", "crimes__0__place": "1:3"},
            "crimes-0-place",
        ),
        (
            {"crime_disclosed": "yes", **{f"crimes__{at}__family": "rape" for at in range(CRIMES_MOST + 1)}},
            f"crimes-{CRIMES_MOST}-family",
        ),
    ],
)
def test_each_contradiction_is_named_at_its_field(fields: dict[str, str], wrong: str) -> None:
    assert set(problems(**fields)) == {wrong}


def test_the_summary_follows_the_form_and_names_each_field() -> None:
    _, draft = taken(sent(crimes__0__family="rape", crimes__1__victim_number="0", notes="x" * 4001), OFFERED)
    assert [name for name, _ in summary(draft)] == [
        "crime_disclosed",
        "crimes-1-family",
        "crimes-1-victim_number",
        "notes",
    ]
    assert summary(draft)[2][1].startswith("Crime 2, Victim: A whole number")


def test_problems_never_quote_what_was_typed(canary: str) -> None:
    found = problems(crime_disclosed="no", recorded_elsewhere=f"{canary}?", notes=canary * 400)
    assert len(found) == 2
    assert canary not in "".join(found.values())


def test_empty_rows_between_crimes_do_no_harm() -> None:
    outcome, _ = taken(sent(crime_disclosed="yes", crimes__0__family="", crimes__7__family="rape"), OFFERED)
    assert outcome == Outcome("yes", (FoundCrime("rape"),))


def test_strange_fields_are_left_out_and_controls_shown() -> None:
    draft = sent(crime_disclosed=" no ", arm="control", crimes__0__arm="x", notes="a\r\nb\x00\u202ec")
    assert draft.values == {"crime_disclosed": "no", "notes": "a\nb␀\ufffdc"}
    assert draft.crimes == ()


@pytest.mark.parametrize("token", ["", "x" * 65, "a\nb"])
def test_a_form_without_our_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="no token"):
        token_of({"token": token})


@pytest.mark.parametrize("seen", ["-1", "x", "²", "9" * 9])
def test_a_form_that_says_no_state_is_refused(seen: str) -> None:
    with pytest.raises(UsageError, match="which state"):
        seen_of({"seen": seen})


def test_rows_grow_to_their_limit() -> None:
    assert len(new_draft(0).crimes) == 3
    assert len(new_draft(0, FULL).crimes) == 3
    assert len(with_rows(new_draft(0), 4).crimes) == 4
    assert len(with_rows(new_draft(0), 99).crimes) == CRIMES_MOST


def test_places_have_one_name_each() -> None:
    assert [place_value(crime) for crime in FULL.crimes] == ["1:3:9", "2:q18"]
    assert place_value(FoundCrime("rape")) == ""


def test_an_outcome_reads_in_words() -> None:
    lines = dict(outcome_lines(FULL))
    assert lines["Crime 1"] == "Rape; Home Office code, if known: 19C; Historic: Yes"
    assert lines["Why it was not recorded"] == "Crime in a referral or third-party report not noticed"
