"""Linking: which records are one matter, which crimes are its own, and what ends alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from triage.reading.linking import Linked, Matter, comparable, link
from triage.reading.records import CRIME_STATUSES, Crime, Extract, Record
from triage.settings import Settings

NIGHT = datetime(2026, 11, 3, 20, 0, tzinfo=UTC)
# Thirty-two words, of which no test text shares three in a row with another.
STORY = (
    "male outside number fourteen shouting at the front door again and kicking the lower panel until it "
    "split while neighbours watched from over the road and rang for somebody to come"
)


@pytest.fixture
def settings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return Settings()


@pytest.fixture
def record(canary: str) -> Any:
    def make(source: str, reference: str, hours: float = 0, text: str = "", **fields: Any) -> Record:
        opened = NIGHT + timedelta(hours=hours)
        return Record(source, reference, opened, None, f"{canary} {text}".strip(), **fields)

    return make


def _link(settings: Settings, *records: Record, crimes: tuple[Crime, ...] = ()) -> Linked:
    return link(Extract(records, crimes, (), {}, (), ""), settings)


def _refs(linked: Linked) -> set[frozenset[str]]:
    return {frozenset(record.record_ref for record in matter.records) for matter in linked.matters}


def _only(linked: Linked) -> Matter:
    (matter,) = linked.matters
    return matter


def _crime(reference: str, raised_from: str, status: str = "recorded") -> Crime:
    return Crime(reference, raised_from, NIGHT, "105/01", status)


def test_log_form_and_referral_of_one_incident(settings: Settings, record: Any) -> None:
    log = record("incidents", "L1", 1)
    form = record("assessments", "D1", 0, incident_ref="L1")
    referral = record("referrals", "P1", 3, incident_ref="L1")
    matter = _only(_link(settings, form, referral, log, crimes=(_crime("C1", "L1"), _crime("C2", "D1"))))
    assert [each.record_ref for each in matter.records] == ["L1", "D1", "P1"]
    assert matter.lead == log
    assert matter.root == "L1"
    assert [crime.crime_ref for crime in matter.crimes] == ["C1", "C2"]
    assert matter.links == {form.key: "incident", referral.key: "incident"}


def test_two_forms_of_an_incident_that_is_not_in_the_extract(settings: Settings, record: Any) -> None:
    one = record("assessments", "D1", 2, incident_ref="L9")
    other = record("referrals", "P1", 1, incident_ref=" l9 ")
    matter = _only(_link(settings, one, other, crimes=(_crime("C1", "L9"),)))
    assert matter.lead == other
    assert matter.root == "l9"
    assert [crime.crime_ref for crime in matter.crimes] == ["C1"]


def test_the_root_stays_when_the_log_comes_later(settings: Settings, record: Any) -> None:
    form = record("assessments", "D1", 2, incident_ref="L9")
    log = record("incidents", "L9", 1)
    assert _only(_link(settings, form)).root == _only(_link(settings, form, log)).root == "L9"


def test_the_same_reference_in_two_tables(settings: Settings, record: Any) -> None:
    matter = _only(_link(settings, record("incidents", "X1"), record("referrals", "X1", 1)))
    assert set(matter.links.values()) == {"same_reference"}


def test_records_without_anything_in_common_stay_apart(settings: Settings, record: Any) -> None:
    linked = _link(
        settings, record("incidents", "L1"), record("incidents", "L2"), record("assessments", "D1")
    )
    assert len(linked.matters) == 3


@pytest.mark.parametrize(
    ("hours", "areas", "linked"),
    [
        (23, ("", ""), True),
        (24, ("N", "N"), True),
        (24, ("N", ""), True),
        (24.1, ("", ""), False),
        (1, ("N", "S"), False),
    ],
)
def test_repeated_calls(
    hours: float, areas: tuple[str, str], linked: bool, settings: Settings, record: Any
) -> None:
    first = record("incidents", "L1", 0, f"21:14 {STORY}", area=areas[0])
    again = record("incidents", "L2", hours, f"{STORY} 22:40 STILL THERE", area=areas[1])
    matters = _link(settings, again, first).matters
    assert len(matters) == (1 if linked else 2)
    if linked:
        assert matters[0].lead == first
        assert matters[0].links == {again.key: "repeat"}


@pytest.mark.parametrize(
    ("one", "other", "linked"),
    [
        ("goods worth £310 taken", "goods worth £95 taken", False),
        ("goods worth £1,310.00 taken", "goods worth £1310 taken", True),
        ("his van LK19 ABC there", "his van LK21 XYZ there", False),
        ("his van LK19 ABC there", "his van LK19ABC there", True),
        ("stopped in SW1A 1AA then", "stopped in SW1A 2AA then", False),
        ("goods worth £310 taken", "goods of no value taken", True),
    ],
)
def test_reports_on_one_template_are_told_apart_by_what_they_name(
    one: str, other: str, linked: bool, settings: Settings, record: Any
) -> None:
    logs = [record("incidents", name, text=f"{STORY} {said}") for name, said in (("L1", one), ("L2", other))]
    assert _link(settings, *logs).counts["linked_repeat"] == linked


def test_a_repeat_on_a_template_repeats_the_report_that_names_the_same(
    settings: Settings, record: Any
) -> None:
    sums = {"L1": "£310", "L2": "£95", "L3": "£40", "L4": "£95"}
    logs = [record("incidents", name, at, f"{STORY} {sums[name]}") for at, name in enumerate(sums)]
    assert _refs(_link(settings, *logs)) == {frozenset(["L1"]), frozenset(["L2", "L4"]), frozenset(["L3"])}


def test_a_crime_of_another_occasion_is_not_the_matters(settings: Settings, record: Any) -> None:
    before = record("incidents", "L1", -200)
    tonight = record("incidents", "L2", 0, "Tonight he slapped her. He is on bail for 42/50011/26.")
    linked = _link(settings, before, tonight, crimes=(_crime("42/50011/26", "L1"),))
    by_lead = {matter.lead.record_ref: matter for matter in linked.matters}
    assert by_lead["L1"].recorded
    assert by_lead["L2"].crimes == ()
    assert [claim.status for claim in by_lead["L2"].claims[tonight.key]] == ["other_occasion"]
    assert linked.counts["claims_other_occasion"] == 1


def test_short_and_different_texts_do_not_repeat(settings: Settings, record: Any) -> None:
    stock = "no trace on arrival area searched"
    other = " ".join(reversed(STORY.split()))
    linked = _link(
        settings,
        record("incidents", "L1", 0, stock),
        record("incidents", "L2", 1, stock),
        record("incidents", "L3", 2, STORY),
        record("incidents", "L4", 3, other),
    )
    assert len(linked.matters) == 4


def test_a_daily_stock_text_makes_no_endless_matter(settings: Settings, record: Any) -> None:
    logs = [record("incidents", f"L{day}", 20 * day, STORY) for day in range(6)]
    assert _refs(_link(settings, *logs)) == {
        frozenset({"L0", "L1"}),
        frozenset({"L2", "L3"}),
        frozenset({"L4", "L5"}),
    }


def test_a_near_duplicate_just_above_the_limit_is_found(settings: Settings, record: Any) -> None:
    """Each pair differs in one word in the middle: 27 of 33 shingles are common; fifty pairs, none missed."""
    logs = []
    for number in range(50):
        words = [f"{word}{chr(97 + number // 26)}{chr(97 + number % 26)}" for word in STORY.split()]
        changed = [*words[:12], "elsewhere", *words[13:]]
        logs.append(record("incidents", f"A{number:02d}", 0, " ".join(words)))
        logs.append(record("incidents", f"B{number:02d}", 1, " ".join(changed)))
    assert _link(settings, *logs).counts["linked_repeat"] == 50


@pytest.mark.parametrize(
    ("reference", "hours", "number", "linked"),
    [
        ("XX-20261103-0117", -20, "117", True),
        ("XX-20261103-0117", -20, "XX-20261103-0117", True),
        ("XX-20261103-0117", -24 * 14, "117", True),
        ("XX-20261103-0117", -24 * 14 - 1, "117", False),
        ("XX-20261103-0117", 1, "117", False),
        ("XX-20261103-1117", -20, "117", False),
    ],
)
def test_a_duplicate_claim(
    reference: str, hours: float, number: str, linked: bool, settings: Settings, record: Any
) -> None:
    first = record("incidents", reference, hours)
    dup = record("incidents", "XX-20261103-0400", 0, f"DUP OF LOG {number}")
    result = _link(settings, dup, first)
    assert len(result.matters) == (1 if linked else 2)
    status = {claim.status for matter in result.matters for claim in matter.claims.get(dup.key, ())}
    assert status == ({"verified"} if linked else {"unknown"})


def test_an_ambiguous_log_number_links_nothing(settings: Settings, record: Any) -> None:
    dup = record("incidents", "XX-20261103-0400", 0, "DUP OF LOG 117")
    logs = [record("incidents", f"XX-2026110{day}-0117", -20 * day) for day in (1, 2)]
    assert len(_link(settings, dup, *logs).matters) == 3


def test_crimes_by_verified_claim_and_by_cancellation(settings: Settings, record: Any) -> None:
    naming = record("incidents", "L1", 0, "CRIMED 42/00123/26")
    also_naming = record("referrals", "P1", 9, "they gave me CR 42/123/26")
    cancelled = record("cancelled_crimes", "42/77/26", 5)
    crimes = (_crime("42/123/26", "L0"), _crime("42/77/26", "L8", "cancelled"), _crime("42/1/26", "L9"))
    linked = _link(settings, naming, also_naming, cancelled, crimes=crimes)
    found = {matter.root: [crime.crime_ref for crime in matter.crimes] for matter in linked.matters}
    assert found == {"L1": ["42/123/26"], "P1": ["42/123/26"], "42/77/26": ["42/77/26"]}
    assert linked.orphan_crimes == tuple(sorted(crimes, key=lambda crime: crime.crime_ref))
    counts = linked.counts
    assert (counts["crimes_orphan"], counts["crimes_orphan_claimed"], counts["claims_verified"]) == (3, 2, 2)


@pytest.mark.parametrize("status", CRIME_STATUSES)
def test_a_cancellation_goes_before_the_crimes_own_row(status: str, settings: Settings, record: Any) -> None:
    crimes = (
        _crime("42/00077/26", "L1", status),
        _crime("42/78/26", "CR 42/77/26", status),
        _crime("42/79/26", "L1", status),
    )
    log, cancellation = record("incidents", "L1"), record("cancelled_crimes", "CR 42/77/26", 5)
    linked = _link(settings, log, cancellation, crimes=crimes)
    found = {
        matter.root: {crime.crime_ref: crime.status for crime in matter.crimes} for matter in linked.matters
    }
    assert found == {
        "L1": {"42/00077/26": "cancelled", "42/79/26": status},
        "CR 42/77/26": {"42/00077/26": "cancelled", "42/78/26": status},
    }
    assert linked.counts["crimes_cancelled_by_record"] == 1


def test_a_cancelled_orphan_is_cancelled_too(settings: Settings, record: Any) -> None:
    linked = _link(settings, record("cancelled_crimes", "42/77/26"), crimes=(_crime("42/77/26", "L0"),))
    assert [crime.status for crime in linked.orphan_crimes] == ["cancelled"]


def test_a_log_or_a_reference_of_signs_only_cancels_nothing(settings: Settings, record: Any) -> None:
    crimes = (_crime("42/77/26", "L0"), _crime("--", "L0"))
    records = (record("incidents", "42/77/26"), record("cancelled_crimes", "//"))
    linked = _link(settings, *records, crimes=crimes)
    assert {crime.status for crime in linked.orphan_crimes} == {"recorded"}
    assert linked.counts["crimes_cancelled_by_record"] == 0


def test_only_a_claim_of_an_earlier_crime_is_claimed(settings: Settings, record: Any) -> None:
    naming = record(
        "incidents",
        "L1",
        0,
        "SUSPECT IN 42/1001/26 AND 42/1002/26. NOW CRIMED 42/1003/26, CANCELS 42/1004/26",
    )
    form = record("assessments", "D1", 9, incident_ref="L1")
    cancellation = record("cancelled_crimes", "42/1004/26", 10, incident_ref="L1")
    before, after = NIGHT - timedelta(minutes=1), NIGHT + timedelta(hours=1)
    crimes = (
        Crime("42/1001/26", "L0", before, "rape"),
        Crime("42/1002/26", "L1", before, "rape"),
        Crime("42/1003/26", "L0", after, "rape"),
        Crime("42/1004/26", "L0", before, "rape"),
    )
    matter = _only(_link(settings, naming, form, cancellation, crimes=crimes))
    assert [crime.crime_ref for crime in matter.crimes] == [
        "42/1001/26",
        "42/1002/26",
        "42/1003/26",
        "42/1004/26",
    ]
    assert matter.claimed == {"42/1001/26"}


def test_a_crime_with_a_date_only_is_of_the_end_of_that_day_in_local_time(
    settings: Settings, record: Any
) -> None:
    """Midnight in July is 23:00 UTC the day before."""
    naming = replace(
        record("incidents", "L1", 0, "CRIMED 42/1001/26. CRIMED 42/1002/26"),
        opened_at=datetime(2026, 7, 3, 20, tzinfo=UTC),
    )
    crimes = tuple(
        Crime(f"42/100{number}/26", "L0", datetime(2026, 7, number, 23, tzinfo=UTC), "rape")
        for number in (1, 2)
    )
    assert _only(_link(settings, naming, crimes=crimes)).claimed == {"42/1001/26"}


def test_references_compare_whatever_their_case_and_spaces() -> None:
    assert comparable(" XX-0417  A ") == comparable("xx-0417 a")
    assert comparable("XX-0417") != comparable("XX-417")


def test_counts_add_up(settings: Settings, record: Any) -> None:
    linked = _link(
        settings,
        record("incidents", "L1"),
        record("assessments", "D1", incident_ref="L1"),
        crimes=(_crime("C1", "L1", "transferred"), _crime("C2", "ELSEWHERE")),
    )
    counts = linked.counts
    assert counts["records"] == counts["matters"] + counts["linked_incident"] == 2
    assert counts["crimes"] == counts["crimes_linked"] + counts["crimes_orphan"] == 2
    assert [crime.status for crime in linked.matters[0].crimes] == ["transferred"]


def test_an_empty_extract(settings: Settings) -> None:
    linked = _link(settings)
    assert linked.matters == ()
    assert set(linked.counts.values()) == {0}
