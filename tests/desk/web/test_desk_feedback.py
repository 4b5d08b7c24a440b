"""Feedback and audit events over HTTP: whom they show, what they keep back, what a download may hold."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.desk.web.conftest import Site
from tests.desk.web.readings import READ, SAYS_NO, SAYS_YES, a_desk, items, now, read_twice, words
from tests.store.nights import CANARY, decide
from triage.desk.web.desk_feedback import COLUMNS, USUAL_DAYS
from triage.review.outcomes import FoundCrime, Outcome
from triage.store import AuditEvent

IN_LOG = Outcome("yes", (FoundCrime("theft"),), {"supervisor_check": "no"})


@pytest.fixture
def desk(open_site: Callable[..., Site]) -> Site:
    """Pages with three closed items: one agreed, one ruled, one that disclosed nothing."""
    site = a_desk(open_site)
    agreed, ruled, nothing, _ = items(site)
    read_twice(site, agreed, SAYS_YES, SAYS_YES)
    read_twice(site, ruled, SAYS_YES, SAYS_NO)
    site.store.act(
        ruled,
        "rule",
        actor="a.registrar",
        roles={"registrar"},
        at=now(site),
        token="ruling",
        rules=READ,
        outcome=IN_LOG,
    )
    read_twice(site, nothing, SAYS_NO, SAYS_NO)
    return site


@pytest.fixture
def registrar(desk: Site) -> Iterator[httpx.Client]:
    with desk.client("a.registrar") as client:
        yield client


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_missed_crimes_stand_with_the_team_of_their_record(registrar: httpx.Client) -> None:
    shown = words(registrar.get("/desk/feedback"))
    assert "Team =Response" in shown
    assert "Team Hub" in shown
    assert "Supervisor S-7" in shown
    assert "Supervisor not known" in shown
    assert shown.count("run-2/DASH-1 assessments Rape") == 2  # by team and by supervisor
    assert shown.count("run-2/L-2 incidents Theft") == 2
    assert "run-2/L-3" not in shown
    assert "Crime in a referral or third-party report not noticed 1" in shown


def test_feedback_names_no_auditor_and_holds_no_text(desk: Site, registrar: httpx.Client) -> None:
    for page in (registrar.get("/desk/feedback"), registrar.post("/desk/feedback/export", data={})):
        body = page.content.decode("utf-8-sig")
        assert "run-2/L-2" in body
        for kept_back in ("first.reader", "second.reader", "reader's words", CANARY):
            assert kept_back not in body


def test_filters_hold_for_page_and_download(registrar: httpx.Client) -> None:
    every = {"run-2/L-1", "run-2/DASH-1", "run-2/L-2"}
    cases: list[tuple[dict[str, str], set[str]]] = [
        ({}, every),
        ({"team": "Hub"}, {"run-2/DASH-1"}),
        ({"supervisor": "S-7"}, {"run-2/L-1", "run-2/L-2"}),
        ({"supervisor": "S-7", "team": "Hub"}, set()),
        ({"team": "no such team"}, set()),
        ({"from": "2026-03-02", "to": "2026-03-02"}, every),
        ({"from": "2026-03-03"}, set()),
        ({"to": "2026-03-01"}, set()),
    ]
    for asked, shown in cases:
        page = registrar.get("/desk/feedback", params=asked)
        assert set(re.findall(r">(run-2/[A-Z]+-\d)</a>", page.text)) == shown, asked
        answer = registrar.post("/desk/feedback/export", data=asked)
        assert {row["reference"] for row in rows(answer)} == shown, asked


def test_without_a_day_the_last_weeks_are_shown(desk: Site, registrar: httpx.Client) -> None:
    desk.clock.forward(days=USUAL_DAYS + 1)
    assert "run-2/L-1" not in registrar.get("/desk/feedback").text
    assert "run-2/L-1" in registrar.get("/desk/feedback", params={"from": ""}).text


def test_a_day_that_is_none_is_refused(registrar: httpx.Client) -> None:
    for day in ("yesterday", "2026-13-01", "<b>"):
        for answer in (
            registrar.get("/desk/feedback", params={"from": day}),
            registrar.post("/desk/feedback/export", data={"to": day}),
        ):
            assert answer.status_code == 400
            assert day not in words(answer)


def test_the_download_is_marked_escaped_and_logged(desk: Site, registrar: httpx.Client) -> None:
    answer = registrar.post("/desk/feedback/export", data={"from": ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    named = 'attachment; filename="OFFICIAL-SENSITIVE-feedback-2026-03-02.csv"'
    assert answer.headers["content-disposition"] == named
    table = rows(answer)
    assert list(table[0]) == [column.heading for column in COLUMNS]
    assert {row["marking"] for row in table} == {"OFFICIAL-SENSITIVE"}
    # A team whose name is a formula: an apostrophe stands before it.
    assert {row["team"] for row in table} == {"'=Response", "Hub"}
    last = desk.store.events()[-1].event
    assert (last.action, last.actor, last.subject) == ("disclosure", "a.registrar", "feedback")
    assert (last.details["rows"], last.details["items"]) == (3, 2)


def test_a_decision_that_may_still_be_corrected_is_not_told(desk: Site, registrar: httpx.Client) -> None:
    decide(desk.store, items(desk)[3], now(desk), SAYS_YES)
    assert "run-2/L-4" not in registrar.get("/desk/feedback").text
    desk.clock.forward(hours=25)
    assert "run-2/L-4" in registrar.get("/desk/feedback").text


def test_nobody_else_downloads(desk: Site) -> None:
    for name in ("a.viewer", "a.auditor", "a.administrator"):
        with desk.client(name) as client:
            assert client.post("/desk/feedback/export", data={}).status_code == 403
    assert "disclosure" not in {each.event.action for each in desk.store.events()}


# The audit events


def noted(desk: Site, count: int) -> None:
    for number in range(count):
        desk.store.record(
            AuditEvent(now(desk) + timedelta(seconds=number), "a.model", "combination", f"run-{number}")
        )


def test_registrar_and_administrator_read_the_events(desk: Site) -> None:
    for name, status in (
        ("a.viewer", 403),
        ("a.auditor", 403),
        ("a.registrar", 200),
        ("a.administrator", 200),
    ):
        with desk.client(name) as client:
            assert client.get("/audit").status_code == status


def test_events_come_newest_first_a_hundred_a_page(desk: Site, registrar: httpx.Client) -> None:
    noted(desk, 150)
    total = len(desk.store.events())
    first, second = registrar.get("/audit"), registrar.get("/audit?page=2")
    numbers = [int(each) for each in re.findall(r'<th scope="row">(\d+)</th>', first.text)]
    assert numbers == list(range(total, total - 100, -1))
    older = [int(each) for each in re.findall(r'<th scope="row">(\d+)</th>', second.text)]
    assert older == list(range(total - 100, 0, -1))
    assert "page=2" in first.text
    assert "page=3" not in second.text


def test_a_page_that_is_none_is_refused(registrar: httpx.Client) -> None:
    for page in ("0", "-1", "x", "１", "2", "9" * 5000):
        assert registrar.get("/audit", params={"page": page}).status_code == 400


def test_events_are_filtered(desk: Site, registrar: httpx.Client) -> None:
    noted(desk, 3)
    cases: list[tuple[dict[str, str], int]] = [
        ({"actor": "a.model"}, 3),
        ({"action": "combination"}, 3),
        ({"subject": "run-1"}, 1),
        ({"actor": "a.model", "action": "erasure"}, 0),
        ({"actor": "nobody"}, 0),
    ]
    for asked, found in cases:
        page = registrar.get("/audit", params=asked)
        assert len(re.findall(r'<th scope="row">\d+</th>', page.text)) == found, asked
        assert ("No event is of this kind" in page.text) == (found == 0)


def test_what_an_event_holds_is_shown_and_can_do_nothing(desk: Site, registrar: httpx.Client) -> None:
    desk.store.record(
        AuditEvent(now(desk), "<script>x</script>", "erasure", "L-1", details={"why": "<b>", "parts": 2})
    )
    page = registrar.get("/audit")
    assert "parts: 2, why: &lt;b&gt;" in page.text
    assert "&lt;script&gt;x" in page.text
    assert "<script>x" not in page.text


def test_the_page_says_whether_the_chain_holds(desk: Site, registrar: httpx.Client) -> None:
    sound = words(registrar.get("/audit"))
    assert f"all {len(desk.store.events())} events are as they were written" in sound
    assert desk.store.verify_chain().head in sound
    engine = create_engine(desk.settings.store_url)
    with engine.begin() as connection:
        triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        for (name,) in triggers.all():
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text("UPDATE audit_events SET actor = 'nobody' WHERE number = 4"))
    engine.dispose()
    assert "The chain is broken at event 4" in words(registrar.get("/audit"))
