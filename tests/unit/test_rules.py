"""The rule arm: what fires, what satisfies it, and what does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.conftest import CANARY
from triage.ranking.rules import RULES, fired, priority_of
from triage.reading.linking import link
from triage.reading.records import CRIME_STATUSES, Crime, Extract, Record
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

    def judge(
        *parts: dict[str, Any], crimes: tuple[tuple[str, str], ...] = (), further: tuple[Crime, ...] = ()
    ) -> tuple[str, ...]:
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
        extract = Extract(tuple(records), recorded + further, (), {}, (), "")
        (matter,) = link(extract, settings).matters
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
    assert fires(mention, crimes=(("rape", "cancelled"),)) == ("rape_mentioned",)
    assert fires(mention, crimes=(("105/01", "recorded"),)) == ("rape_mentioned",)


@pytest.mark.parametrize("status", CRIME_STATUSES)
def test_an_n100_of_the_crimes_table_satisfies_whatever_its_status(status: str, fires: Fired) -> None:
    assert fires({"text": "says she was raped"}, crimes=(("N100", status),)) == ()
    elsewhere = Crime("42/80001/26", "ELSEWHERE", CLOSED, "N100", status)
    assert fires({"text": "says she was raped, N100 42/80001/26"}, further=(elsewhere,)) == ()


@pytest.mark.parametrize(
    "said", ["N100 42/80001/26", "N100 NOT RAISED", "N100 TO FOLLOW", "N100 YY/80001/26"]
)
def test_the_words_n100_satisfy_nothing(said: str, fires: Fired) -> None:
    assert fires({"text": f"says she was raped, {said}"}) == ("rape_mentioned",)
    no_n100 = Crime("42/80001/26", "ELSEWHERE", CLOSED, "105/01")
    assert fires({"text": f"says she was raped, {said}"}, further=(no_n100,)) == ("rape_mentioned",)


@pytest.mark.parametrize(
    ("recorded_at", "satisfied"),
    [
        (OPENED - timedelta(seconds=1), False),
        (OPENED, True),
        (CLOSED, True),
        (datetime(2026, 11, 3, tzinfo=UTC), True),
        (datetime(2026, 11, 2, tzinfo=UTC), False),
    ],
    ids=["before", "as it opened", "after", "that day without a time", "the day before without a time"],
)
def test_a_crime_that_a_text_names_counts_unless_it_is_of_the_past(
    recorded_at: datetime, satisfied: bool, fires: Fired
) -> None:
    text = (
        "SAYS SHE WAS RAPED. HE IS SUSPECT IN RAPE CRIME 42/70002/26. KNOWN FOR 42/70003/26 AND 42/70004/26"
    )
    log = {"opening_code": "RAPE", "text": text}
    form = _form(q17="Y", q18="Y")
    codes = {"42/70002/26": "rape", "42/70003/26": "008/77", "42/70004/26": "003/01"}
    earlier = tuple(Crime(ref, "ELSEWHERE", recorded_at, code) for ref, code in codes.items())
    assert fires(log, form, further=earlier) == (() if satisfied else tuple(RULES))
    n100 = Crime("42/70002/26", "ELSEWHERE", recorded_at, "N100")
    assert ("rape_mentioned" in fires(log, further=(n100,))) is not satisfied


def test_an_early_crime_that_was_raised_from_the_log_counts(fires: Fired) -> None:
    own = Crime("42/70002/26", "R0", OPENED - timedelta(days=2), "19C")
    assert fires({"opening_code": "RAPE", "text": "raped, CRIME 42/70002/26"}, further=(own,)) == ()


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
        "SUBJECT TO HOST FORCE INVESTIGATION REF YY/12345/26",
        "NO VICTIM COULD BE TRACED",
        "AVI: CCTV viewed",
        "CCTV from the bar clearly shows nobody touched him",
        "CCTV SHOWS MALE DID NOT TOUCH IP",
        "FOOTAGE SHOWS NO CONTACT",
        "camera confirms he never went near her",
        "CCTV SHOWS THE CONTRARY",
        "FELL IN DRINK, NO 3RD PARTY, CCTV CONFIRMS",
        "IT WAS ACCIDENTAL",
        "KNOCKED OVER BY ACCIDENT. NOT HURT",
        "PHONE FOUND DOWN SIDE OF SOFA",
        "purse has since turned up",
        "CALLER HAS FOUND HER KEYS IN COAT",
        "caller has found it in the garage",
        "LOST BAGS, CALLER FOUND THEM BEHIND BAR",
        "TRANSFERRED TO MARLSHIRE POLICE",
        "TRANSFERRED TO ANOTHER FORCE",
        "transferred to the Marlshire Constabulary",
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
        "CCTV CLEARLY SHOWS MALE HITTING IP",
        "CCTV SHOWS MALE HITTING IP, NO INJURIES",
        "CCTV SHOWS MALE HITTING IP. NO COMPLAINT MADE",
        "CCTV SHOWS MALE HITTING IP WHO DOES NOT WISH TO COMPLAIN",
        "NO CCTV SHOWS THIS AREA",
        "SUSPECT WAS FOUND AND SPOKEN TO",
        "MALE TURNED UP AND PUNCHED HIM",
        "IP FOUND IN GARDEN BLEEDING",
        "OFFICERS FOUND THEM FIGHTING",
        "IT WAS FOUND THAT HE HIT HER",
        "STOLEN CAR FOUND ON ESTATE",
        "CAR FOUND BURNT OUT",
        "HER PHONE FOUND ON THE SUSPECT",
        "KEYS NOT FOUND",
        "NOT ACCIDENTAL",
        "NOT\nACCIDENTAL",
        "NO ACCIDENT",
        "DOES NOT THINK IT WAS AN ACCIDENT",
        "TAKEN TO ACCIDENT AND EMERGENCY",
        "NOT SELF-DEFENCE",
        "IP TRANSFERRED TO HOSPITAL",
        "IP TRANSFERRED TO HOSPITAL WITH POLICE. CRIME 42/999/26 TO FOLLOW",
        "MALE TRANSFERRED TO POLICE STATION",
        "DUP OF LOG 999",
    ],
    ids=map(str, count(1)),
)
def test_an_excuse_is_no_reason(excuse: str, fires: Fired) -> None:
    """Source: domain.md 1.2, non-negating cues."""
    assert fires({"opening_code": "VIOLENCE", "text": excuse}) == ("crime_code_closed_without_crime",)


def test_a_verified_duplicate_is_excused_but_not_the_log_that_it_repeats(settings: Settings) -> None:
    def record(number: int, opening_code: str, text: str) -> Record:
        opened = OPENED + timedelta(minutes=number)
        return Record(
            "incidents", f"XX-{number}", opened, CLOSED, f"{CANARY} {text}", opening_code=opening_code
        )

    def judge(first_code: str, first_text: str) -> tuple[str, ...]:
        records = (record(17, first_code, first_text), record(18, "VIOLENCE", "DUP OF LOG XX-17"))
        (matter,) = link(Extract(records, (), (), {}, (), ""), settings).matters
        return fired(matter)

    assert judge("SUSPICIOUS", "male shouting") == ()
    assert judge("VIOLENCE", "male punched him") == ("crime_code_closed_without_crime",)
    assert judge("VIOLENCE", "civil dispute") == ()


def test_rules_fire_in_order_of_priority(fires: Fired) -> None:
    log = {"opening_code": "RAPE", "text": "raped. nfa"}
    assert fires(log, _form(q17="Y", q18="Y")) == tuple(RULES)
    assert [priority_of((name,)) for name in RULES] == [1, 2, 3, 4]
    assert priority_of(("gone",)) == priority_of(()) == 5


def test_every_named_list_of_words_is_put_in() -> None:
    patterns = [each for rule in RULES.values() for each in (rule.words, rule.excluded, rule.reasons) if each]
    assert not [found for each in patterns for found in re.findall(r"(?<!\?)<\w+>", each.pattern)]


def test_every_rule_has_title_and_source() -> None:
    assert all(rule.title and "domain.md" in rule.source for rule in RULES.values())
