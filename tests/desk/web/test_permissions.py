"""Every cell of the permission table over HTTP: each role, in each state, does each act to a real item."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.desk.web.conftest import Site
from tests.store.nights import NO_CRIME, RULES, event, night
from triage.review.decisions import DECIDING, ReviewRules
from triage.review.outcomes import Outcome
from triage.review.permissions import ACTS, PERMISSIONS, ROLES, STATES
from triage.store import Store

CANNOT_SAY = Outcome("cannot_say")
#: What each act asks for beside its token.
SAID = {act: {"crime_disclosed": "no"} for act in DECIDING} | {"reopen": {"reason": "new_information"}}
#: Days after which the items of the first night have expired.
DAYS = 15


class Hands:
    """Brings items into a state by the store's own acts, as people with the role would have done."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store, self._site = store, site

    def act(self, item_id: str, act: str, by: str, outcome: Outcome | None = None) -> None:
        count = len(self._store.history(item_id))
        self._store.act(
            item_id,
            act,
            actor=by,
            roles={"auditor", "registrar"},
            at=self._site.clock(),
            token=f"{item_id} {count}",
            rules=ReviewRules(600, RULES.correction_hours, RULES.carry_over_days, 0.0),
            outcome=outcome,
        )

    def read(self, item_id: str, by: str, outcome: Outcome) -> None:
        self.act(item_id, "claim", by)
        self.act(item_id, "decide", by, outcome)

    def bring(self, item_id: str, state: str, act: str, who: str) -> None:
        """Bring a queued item into a state in which only the role can keep ``who`` from the act."""
        if state == "claimed":
            self.act(item_id, "claim", who)
        elif state == "decided":
            self.read(item_id, who, NO_CRIME)
        elif state == "second_review":
            self.read(item_id, who if act == "correct" else "first.reader", CANNOT_SAY)
            if act in ("release", "decide"):
                self.act(item_id, "claim", who)
        elif state in ("closed", "disputed", "reopened"):
            self.read(item_id, "first.reader", CANNOT_SAY)
            same = state != "disputed"
            self.read(item_id, "second.reader", CANNOT_SAY if same else NO_CRIME)
            if state == "reopened":
                self.act(item_id, "reopen", "the.registrar")


@pytest.fixture
def cells(open_site: Callable[..., Site]) -> Callable[[str], dict[str, dict[str, str]]]:
    """A function that brings items into a state and gives their ids by role and act."""
    number = len(ROLES) * len(ACTS)
    site = open_site(items=number, public=True)

    def brought(state: str) -> dict[str, dict[str, str]]:
        items = iter([row.item.item_id for row in site.store.queue()])
        if state == "expired":
            site.store.publish(night("later", 0, day=DAYS), event(subject="later"))
            site.clock.forward(days=DAYS)
        hands = Hands(site.store, site)
        made: dict[str, dict[str, str]] = {}
        for role in ROLES:
            made[role] = {}
            for act in ACTS:
                made[role][act] = item = next(items)
                hands.bring(item, state, act, f"a.{role}")
                found = site.store.review(item, site.clock(), RULES)
                assert found.state == state
        return made

    brought.site = site  # type: ignore[attr-defined]
    return brought


@pytest.mark.parametrize("state", STATES)
def test_each_role_does_each_act_or_is_refused_as_the_table_says(
    cells: Callable[[str], dict[str, dict[str, str]]], state: str
) -> None:
    site: Site = cells.site  # type: ignore[attr-defined]
    wrong = []
    for role, items in cells(state).items():
        with site.client(f"a.{role}") as browser:
            for act, item in items.items():
                before = len(site.store.history(item))
                form = {"token": f"{role} {act}", "seen": str(before), **SAID.get(act, {})}
                answer = browser.post(f"/items/{item}/{act}", data=form)
                may = role in ACTS[act].roles
                expected = 403 if not may else 303 if state in ACTS[act].moves else 409
                done = len(site.store.history(item)) - before
                if (answer.status_code, done) != (expected, int(expected == 303)):
                    wrong.append((role, act, answer.status_code, expected, done))
    assert wrong == []


PAGES = {
    "see_queue": [("GET", "/queue")],
    "see_record": [("GET", "/items/{item}")],
    "search": [("GET", "/search"), ("POST", "/search")],
    "see_own_decisions": [("GET", "/mine")],
    "see_desk": [("GET", "/desk"), ("GET", "/desk/disputes/{item}")],
    "see_feedback": [("GET", "/desk/feedback"), ("POST", "/desk/feedback/export")],
    "export_queue": [("POST", "/workbook/export")],
    "import_decisions": [("POST", "/workbook/import")],
    "see_audit": [("GET", "/audit")],
}
#: Not of a page: what is shown on the queue, and a command.
ELSEWHERE = {"see_arms", "erase", "promote"}


def sent(browser: httpx.Client, method: str, path: str) -> httpx.Response:
    if method == "GET":
        return browser.get(path)
    if path == "/workbook/import":
        return browser.post(path, files={"file": ("x.xlsx", b"no workbook")})
    return browser.post(path, data={"reference": "run-1/L-1", "token": "x"})


def test_every_permission_is_tried() -> None:
    assert set(PAGES) | ELSEWHERE == set(PERMISSIONS)


@pytest.mark.parametrize("role", ["", *ROLES])
def test_each_page_is_for_the_roles_that_the_table_names(site: Site, role: str) -> None:
    item = site.store.queue()[0].item.item_id
    hands = Hands(site.store, site)
    hands.read(item, "first.reader", CANNOT_SAY)
    hands.read(item, "second.reader", NO_CRIME)
    wrong = []
    with site.client(f"a.{role}") as browser:
        for permission, pages in PAGES.items():
            for method, path in pages:
                status = sent(browser, method, path.format(item=item)).status_code
                # What is sent to the import is no workbook: whoever may import is told so.
                allowed = (400, 422) if path == "/workbook/import" else (200,)
                if status not in (allowed if role in PERMISSIONS[permission] else (403,)):
                    wrong.append((method, path, status))
    assert wrong == []


def test_arms_are_shown_to_the_registrar_alone(site: Site) -> None:
    shown = set()
    for role in ROLES:
        with site.client(f"a.{role}") as browser:
            if "ranked" in browser.get("/queue").text.lower():
                shown.add(role)
    assert shown == set(PERMISSIONS["see_arms"])


def test_a_form_sent_again_is_one_act_and_its_token_no_other(site: Site) -> None:
    first, second = (row.item.item_id for row in site.store.queue()[:2])
    form = {"token": "one", "seen": "0"}
    with site.client("a.auditor") as browser, site.client("a.registrar") as other:
        for _ in range(3):
            assert browser.post(f"/items/{first}/claim", data=form).status_code == 303
        assert browser.post(f"/items/{second}/claim", data=form).status_code == 409
        assert browser.post(f"/items/{first}/release", data=form).status_code == 409
        assert other.post(f"/items/{first}/claim", data=form).status_code == 409
    assert [each.act for each in site.store.history(first)] == ["claim"]
    assert site.store.history(second) == ()
    assert [each.event.action for each in site.store.events()].count("alteration") == 1


def test_a_reference_is_only_ever_a_reference(site: Site) -> None:
    with site.client("a.viewer") as browser:
        assert "run-1/L-1" in browser.post("/search", data={"reference": "run-1/L-1"}).text
        for reference in ("' OR 1=1 --", "%", "*", "run-1/L-_", "<script>alert(1)</script>", "../../etc"):
            answer = browser.post("/search", data={"reference": reference})
            assert answer.status_code == 200
            assert "run-1/L-1" not in answer.text
            assert "<script>alert" not in answer.text
