"""The rule arm: what fires, what satisfies it, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from triage.ranking.rules import RULES, fired, priority_of
from triage.reading.linking import link
from triage.reading.records import Crime, Extract, Record
from triage.settings import Settings

OPENED = datetime(2026, 11, 3, 20, 0, tzinfo=UTC)
CLOSED = OPENED + timedelta(hours=2)
Fired = Callable[..., tuple[str, ...]]


@pytest.fixture
def settings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return Settings(own_force_prefixes=("42",))


@pytest.fixture
def fires(settings: Settings, canary: str) -> Fired:
    """Return a function from records' fields and crimes to the rules that fire for their one matter."""

    def judge(*parts: dict[str, Any], crimes: tuple[tuple[str, str], ...] = ()) -> tuple[str, ...]:
        records = []
        for number, part in enumerate(parts):
            fields = {"source": "incidents", "opened_at": OPENED, "closed_at": CLOSED, **part}
            fields["text"] = f"{canary}. {fields.get('text', '')}. {canary}"
            if number:
                fields["incident_ref"] = "R0"
            records.append(Record(record_ref=f"R{number}", **fields))
        recorded = tuple(
            Crime(f"42/{number}/26", "R0", CLOSED, code, status)
            for number, (code, status) in enumerate(crimes)
        )
        (matter,) = link(Extract(tuple(records), recorded, (), {}, (), ""), settings).matters
        return fired(matter)

    return judge


def _form(version: str = "dash-police-27", **answers: str) -> dict[str, Any]:
    numbered = {int(name[1:]): value for name, value in answers.items()}
    return {"source": "assessments", "form_version": version, "answers": numbered}


@pytest.mark.parametrize(
    "text",
    ["SAYS SHE WAS RAPED BY HIM", "rape of a female", "her ex, a rapist", "'rape'", "RAPED IN A RAPE FIELD"],
    ids=map(str, count(1)),
)
def test_rape_mentioned(text: str, fires: Fired) -> None:
    assert fires({"text": text}) == ("rape_mentioned",)


@pytest.mark.parametrize(
    "text",
    [
        "OILSEED RAPE TRAMPLED",
        "car in a rape field",
        "field of yellow rape",
        "rape alarm went off",
        "rapeseed oil",
        "drapes",
        "wrapped",
    ],
    ids=map(str, count(1)),
)
def test_rape_of_the_fields_is_left_out(text: str, fires: Fired) -> None:
    assert fires({"text": text}) == ()


@pytest.mark.parametrize(("version", "question"), [("dash-police-27", "q19"), ("dash-safelives-24", "q16")])
def test_a_yes_to_the_sexual_question_counts_as_a_mention(version: str, question: str, fires: Fired) -> None:
    assert fires({}, _form(version, **{question: "Y"})) == ("rape_mentioned",)
    assert fires({}, _form(version, **{question: "N"})) == ()
    assert fires({}, _form("dara", **{question: "Y"})) == ()


def test_a_rape_crime_or_an_n100_satisfies_the_mention(fires: Fired) -> None:
    mention = {"text": "says she was raped"}
    assert fires(mention, crimes=(("rape", "recorded"),)) == ()
    assert fires(mention, crimes=(("N100", "recorded"),)) == ()
    assert fires({"text": "says she was raped, N100 42/80001/26"}) == ()
    assert fires({"text": "says she was raped, no N100 yet"}) == ("rape_mentioned",)
    assert fires(mention, crimes=(("rape", "cancelled"),)) == ("rape_mentioned",)
    assert fires(mention, crimes=(("105/01", "recorded"),)) == ("rape_mentioned",)


def test_a_crime_on_the_log_satisfies_the_form(fires: Fired) -> None:
    form = _form(q18="Y", q17="Y")
    assert fires({}, form) == ("strangulation_answer", "threat_to_kill_answer")
    assert fires({}, form, crimes=(("008/77", "recorded"),)) == ("threat_to_kill_answer",)
    assert fires({}, form, crimes=(("008/77", "recorded"), ("003/01", "recorded"))) == ()
    assert fires({}, form, crimes=(("008/06", "recorded"),)) == (
        "strangulation_answer",
        "threat_to_kill_answer",
    )
    assert fires({}, _form("dash-safelives-24", q15="Y", q14="Y")) == (
        "strangulation_answer",
        "threat_to_kill_answer",
    )
    assert fires({}, _form("dash-safelives-24", q18="Y", q17="Y")) == ()


def test_a_crime_code_closed_without_crime_or_reason(fires: Fired) -> None:
    name = ("crime_code_closed_without_crime",)
    coded = {"opening_code": "DOMESTIC ASSAULT", "text": "IP DOES NOT WISH TO MAKE A COMPLAINT. NFA"}
    assert fires(coded) == name
    assert fires({**coded, "source": "domestic_noncrimes"}) == name
    assert fires({**coded, "source": "referrals"}) == ()
    assert fires({**coded, "opening_code": "DOMESTIC - VERBAL"}) == ()
    assert fires({**coded, "closed_at": None}) == ()
    assert fires(coded, crimes=(("105/01", "recorded"),)) == ()
    assert fires(coded, crimes=(("105/01", "cancelled"),)) == name


@pytest.mark.parametrize(
    "reason",
    [
        "CIVIL DISPUTE OVER DEPOSIT",
        "CTR CONFIRMS THIS IS NOT A CRIME IN LAW",
        "caller says it did not happen, she had fallen",
        "DUP OF LOG 117",
        "SUBJECT TO HOST FORCE INVESTIGATION REF YY/12345/26",
        "NO VICTIM COULD BE TRACED",
        "AVI: CCTV viewed",
        "CCTV from the bar clearly shows him alone",
    ],
    ids=map(str, count(1)),
)
def test_a_written_reason_closes_the_log(reason: str, fires: Fired) -> None:
    assert fires({"opening_code": "VIOLENCE", "text": reason}) == ()


@pytest.mark.parametrize(
    "excuse",
    [
        "IP NOT SUPPORTIVE",
        "NO FORMAL ALLEGATION",
        "SUSPECT DENIES",
        "6 OF ONE",
        "NO OFFENCES DISCLOSED",
        "IP DRUNK",
    ],
    ids=map(str, count(1)),
)
def test_an_excuse_is_no_reason(excuse: str, fires: Fired) -> None:
    """Source: domain.md 1.2, non-negating cues."""
    assert fires({"opening_code": "VIOLENCE", "text": excuse}) == ("crime_code_closed_without_crime",)


def test_rules_fire_in_order_of_priority(fires: Fired) -> None:
    log = {"opening_code": "RAPE", "text": "raped. nfa"}
    assert fires(log, _form(q17="Y", q18="Y")) == tuple(RULES)
    assert [priority_of((name,)) for name in RULES] == [1, 2, 3, 4]
    assert priority_of(("gone",)) == priority_of(()) == 5


def test_every_rule_has_title_and_source() -> None:
    assert all(rule.title and "domain.md" in rule.source for rule in RULES.values())
