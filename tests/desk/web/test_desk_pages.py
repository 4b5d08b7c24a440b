"""The registrar's desk over HTTP: what waits, disputes to rulings, and items to be read again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from tests.desk.web.conftest import Site
from tests.desk.web.readings import (
    SAYS_NO,
    SAYS_YES,
    a_desk,
    hidden,
    items,
    now,
    pass_days,
    read_twice,
    standing,
    words,
)
from tests.store.nights import CANARY, decide, event
from triage.desk.web.desk_pages import REOPEN_REASONS
from triage.review.outcomes import FoundCrime, Outcome


@pytest.fixture
def desk(open_site: Callable[..., Site]) -> Site:
    return a_desk(open_site)


@pytest.fixture
def registrar(desk: Site) -> Iterator[httpx.Client]:
    with desk.client("a.registrar") as client:
        yield client


def test_an_empty_desk_says_so(desk: Site, registrar: httpx.Client) -> None:
    page = registrar.get("/desk")
    assert page.status_code == 200
    for said in (
        "No dispute waits",
        "No second review is waiting",
        "No item has been read by two people",
        "No item has been closed with a crime",
        "No item of the last 30 days expired",
    ):
        assert said in words(page)


def test_the_desk_is_the_registrars(desk: Site) -> None:
    item_id = items(desk)[0]
    read_twice(desk, item_id)
    before = len(desk.store.events())
    for name in ("a.viewer", "a.auditor", "a.administrator"):
        with desk.client(name) as client:
            for address in ("/desk", f"/desk/disputes/{item_id}", "/desk/feedback"):
                page = client.get(address)
                assert page.status_code == 403
                assert CANARY not in page.text
    assert len(desk.store.events()) == before


def test_the_desk_counts_tonight_by_arm_and_state(desk: Site, registrar: httpx.Client) -> None:
    read_twice(desk, items(desk)[0])
    decide(desk.store, items(desk)[1], now(desk))
    shown = words(registrar.get("/desk"))
    assert "Arm queued decided disputed items ranked 2 1 1 4 all 2 1 1 4" in shown


def test_the_desk_lists_what_waits_and_not_who_decided_first(desk: Site, registrar: httpx.Client) -> None:
    disputed, second = items(desk)[:2]
    read_twice(desk, disputed)
    decide(desk.store, second, now(desk), Outcome("cannot_say"), by="blind.first")
    page = registrar.get("/desk")
    assert f'href="/desk/disputes/{disputed}"' in page.text
    assert f'href="/items/{second}"' in page.text
    assert "blind.first" not in page.text
    assert CANARY not in page.text


def test_the_first_decision_of_a_second_review_is_shown_to_nobody(
    desk: Site, registrar: httpx.Client
) -> None:
    item_id = items(desk)[0]
    decide(desk.store, item_id, now(desk), Outcome("cannot_say", values={"notes": "hm"}), by="blind.first")
    page = registrar.get(f"/desk/disputes/{item_id}")
    assert page.status_code == 409
    assert "blind.first" not in page.text


def test_the_desk_shows_agreement_and_reasons(desk: Site, registrar: httpx.Client) -> None:
    first, second, third, _ = items(desk)
    read_twice(desk, first, SAYS_YES, SAYS_YES)
    read_twice(desk, second, SAYS_NO, SAYS_NO)
    read_twice(desk, third, SAYS_YES, SAYS_NO)
    shown = words(registrar.get("/desk"))
    assert "Crime disclosed: yes, no, cannot say 3 2 67 %" in shown
    assert "The same, items drawn by chance only 3 2 67 %" in shown
    assert "Names Rape" in shown
    assert "Crime in a referral or third-party report not noticed 1" in shown
    assert "No two people have read 10 items together yet" in shown
    assert "nan" not in shown.lower().split()


def test_the_desk_offers_doubted_decisions_until_they_are_read_again(
    desk: Site, registrar: httpx.Client
) -> None:
    reopened, stands, open_still, _ = items(desk)
    assert "Another look" not in registrar.get("/desk").text
    for item_id in (reopened, stands):
        read_twice(desk, item_id, SAYS_NO, SAYS_NO)
    folder = desk.settings.data_dir / "monitor" / "20261014T0300Z"
    folder.mkdir(parents=True)
    doubts = [{"item_id": each, "given": "no", "suggested": "yes"} for each in (stands, reopened, open_still)]
    (folder / "monitoring.json").write_text(json.dumps({"doubts": doubts}))
    page = registrar.get("/desk")
    assert "Closed items to look at again" in page.text
    assert page.text.index(f"/desk/disputes/{stands}") < page.text.index(f"/desk/disputes/{reopened}")
    assert open_still not in page.text.split("Another look")[1].split("</section>")[0]
    form = hidden(registrar.get(f"/desk/disputes/{reopened}"), f"/items/{reopened}/reopen")
    assert (
        registrar.post(f"/items/{reopened}/reopen", data={**form, "reason": "quality_check"}).status_code
        == 303
    )
    assert f"/desk/disputes/{reopened}" not in registrar.get("/desk").text
    (folder / "monitoring.json").write_text("[]")
    assert registrar.get("/desk").status_code == 503


def test_a_dispute_shows_both_decisions_and_says_where_they_differ(
    desk: Site, registrar: httpx.Client
) -> None:
    item_id = items(desk)[0]
    read_twice(desk, item_id)
    page = registrar.get(f"/desk/disputes/{item_id}")
    shown = words(page)
    assert page.status_code == 200
    assert "Does the text disclose a crime that is not recorded? Yes No differs" in shown
    assert "Crime: Rape Victim: 1; Part 2: “Q19" in shown
    assert "Not named differs" in shown
    assert "the first reader's words" in shown
    assert "the second reader's words" in shown
    assert "first.reader" in shown
    assert CANARY in shown
    last = desk.store.events()[-1].event
    assert (last.action, last.subject, last.actor) == ("consultation", item_id, "a.registrar")


def test_what_is_answered_alike_is_called_the_same(desk: Site, registrar: httpx.Client) -> None:
    item_id = items(desk)[0]
    turned = replace(SAYS_YES, crimes=tuple(reversed(SAYS_YES.crimes)), values={"victim_informed": "no"})
    third = replace(SAYS_YES, crimes=SAYS_YES.crimes[:1])
    read_twice(desk, item_id, replace(turned, crimes=SAYS_YES.crimes), third)
    shown = words(registrar.get(f"/desk/disputes/{item_id}"))
    assert "Yes Yes the same" in shown
    assert "Victim informed No Not answered differs" in shown


def test_a_ruling_may_begin_from_either_decision(desk: Site, registrar: httpx.Client) -> None:
    item_id = items(desk)[0]
    read_twice(desk, item_id)
    for take, checked in (("first", ["yes"]), ("second", ["no"]), ("", []), ("third", [])):
        page = registrar.get(f"/desk/disputes/{item_id}?take={take}")
        assert re.findall(r'value="(\w+)" checked', page.text) == checked


def test_a_ruling_closes_the_dispute_and_is_done_once(desk: Site, registrar: httpx.Client) -> None:
    item_id = items(desk)[0]
    read_twice(desk, item_id)
    form = hidden(registrar.get(f"/desk/disputes/{item_id}"), f"/items/{item_id}/rule")
    sent = {
        **form,
        "crime_disclosed": "yes",
        "crimes-0-family": "rape",
        "crimes-0-place": "2:q19",
        "notes": "ruled",
    }
    for _ in range(2):
        answer = registrar.post(f"/items/{item_id}/rule", data=sent)
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
    review = standing(desk, item_id)
    assert review.state == "closed"
    assert review.ruling is not None
    assert review.ruling.actor == "a.registrar"
    assert review.outcome == Outcome("yes", (FoundCrime("rape", part=2, question=19),), {"notes": "ruled"})
    assert [each.act for each in desk.store.history(item_id)].count("rule") == 1
    page = words(registrar.get(f"/desk/disputes/{item_id}"))
    assert "Ruling a.registrar" in page
    assert "Decisions:" in page


def test_a_ruling_with_mistakes_comes_back_with_all_that_was_typed(
    desk: Site, registrar: httpx.Client
) -> None:
    item_id = items(desk)[0]
    read_twice(desk, item_id)
    form = hidden(registrar.get(f"/desk/disputes/{item_id}"), f"/items/{item_id}/rule")
    sent = {**form, "crime_disclosed": "yes", "crimes-0-victim_number": "many", "notes": "keep <these>"}
    answer = registrar.post(f"/items/{item_id}/rule", data=sent)
    assert answer.status_code == 422
    assert "There is a problem" in answer.text
    assert "keep &lt;these&gt;" in answer.text
    assert standing(desk, item_id).state == "disputed"


def test_more_rows_lose_nothing(desk: Site, registrar: httpx.Client) -> None:
    item_id = items(desk)[0]
    read_twice(desk, item_id)
    form = hidden(registrar.get(f"/desk/disputes/{item_id}"), f"/items/{item_id}/rule")
    answer = registrar.post(f"/items/{item_id}/rule", data={**form, "notes": "stays", "more": "1"})
    assert answer.status_code == 200
    assert "stays" in answer.text
    assert standing(desk, item_id).state == "disputed"


def test_a_ruling_that_is_no_form_of_ours_or_late_is_refused(desk: Site, registrar: httpx.Client) -> None:
    item_id = items(desk)[0]
    read_twice(desk, item_id)
    cases: list[tuple[dict[str, str], int]] = [
        ({}, 400),
        ({"token": "t", "seen": "x"}, 400),
        ({"token": "t", "seen": "1", "crime_disclosed": "no"}, 409),
    ]
    for form, status in cases:
        assert registrar.post(f"/items/{item_id}/rule", data=form).status_code == status
    assert standing(desk, item_id).state == "disputed"


def test_nobody_else_rules_or_reopens(desk: Site) -> None:
    item_id, closed = items(desk)[:2]
    read_twice(desk, item_id)
    read_twice(desk, closed, SAYS_NO, SAYS_NO)
    sent = {"token": "t", "seen": "4", "crime_disclosed": "no", "reason": "mistake"}
    for name in ("a.viewer", "a.auditor", "a.administrator"):
        with desk.client(name) as client:
            for address, form in (
                (f"/items/{item_id}/rule", sent),
                (f"/items/{item_id}/rule", {**sent, "crime_disclosed": ""}),
                (f"/items/{closed}/reopen", sent),
                (f"/items/{closed}/reopen", {**sent, "reason": ""}),
            ):
                assert client.post(address, data=form).status_code == 403


def test_an_item_that_is_not_disputed_takes_no_ruling(desk: Site, registrar: httpx.Client) -> None:
    item_id = items(desk)[0]
    sent = {"token": "t", "seen": "0", "crime_disclosed": "no"}
    assert registrar.post(f"/items/{item_id}/rule", data=sent).status_code == 409


def test_an_unknown_item_is_not_found(registrar: httpx.Client) -> None:
    sent = {"token": "t", "seen": "0", "crime_disclosed": "no", "reason": "mistake"}
    for item_id in ("0" * 16, "x", "%2e%2e%2fetc"):
        assert registrar.get(f"/desk/disputes/{item_id}").status_code == 404
        assert registrar.post(f"/items/{item_id}/rule", data=sent).status_code == 404
        assert registrar.post(f"/items/{item_id}/reopen", data=sent).status_code == 404


def test_whoever_gave_a_decision_is_told_to_leave_the_ruling(desk: Site) -> None:
    item_id = items(desk)[0]
    read_twice(desk, item_id)
    with desk.client("first.reader", **{"X-Forwarded-Groups": "registrars"}) as one:
        assert "You gave one of these decisions" in words(one.get(f"/desk/disputes/{item_id}"))


def test_a_closed_item_is_reopened_with_a_coded_reason(desk: Site, registrar: httpx.Client) -> None:
    item_id = items(desk)[0]
    read_twice(desk, item_id, SAYS_NO, SAYS_NO)
    form = hidden(registrar.get(f"/desk/disputes/{item_id}"), f"/items/{item_id}/reopen")
    for reason in ("", CANARY):
        refused = registrar.post(f"/items/{item_id}/reopen", data={**form, "reason": reason})
        assert refused.status_code == 400
    assert standing(desk, item_id).state == "closed"
    answer = registrar.post(f"/items/{item_id}/reopen", data={**form, "reason": "mistake"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
    assert standing(desk, item_id).state == "reopened"
    last = desk.store.events()[-1].event
    assert (last.action, last.details["act"], last.details["reason"]) == (
        "alteration",
        "reopen",
        "mistake",
    )
    assert "Reopened items that wait to be read" in words(registrar.get("/desk"))
    # From now on it is read blind again.
    assert registrar.get(f"/desk/disputes/{item_id}").status_code == 409


def test_an_expired_item_is_reopened_from_the_desk(desk: Site, registrar: httpx.Client) -> None:
    item_id = items(desk)[2]
    pass_days(desk, 20)
    page = registrar.get("/desk")
    assert "Nobody decided 7 items" in words(page)
    form = hidden(page, f"/items/{item_id}/reopen")
    assert registrar.post(f"/items/{item_id}/reopen", data={**form, "reason": "never_read"}).is_redirect
    assert standing(desk, item_id).state == "reopened"
    assert "Nobody decided 6 items" in words(registrar.get("/desk"))


def test_what_expired_long_ago_is_not_listed(desk: Site, registrar: httpx.Client) -> None:
    pass_days(desk, 60)
    assert "No item of the last 30 days expired" in words(registrar.get("/desk"))


def test_every_reason_fits_an_audit_event() -> None:
    for code in REOPEN_REASONS:
        assert event("alteration", reason=code).details["reason"] == code
