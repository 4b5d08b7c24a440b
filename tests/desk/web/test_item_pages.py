"""An item over HTTP, without a script: what its page shows to whom, and how it is decided."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from typing import Any

import httpx
import pytest

from tests.desk.web.conftest import Site
from tests.desk.web.pages import browsers, forms, send, with_night
from tests.store.nights import RULES, decide, event, night
from triage.review.decisions import Review
from triage.review.outcomes import CRIMES_MOST, FoundCrime, Outcome
from triage.store import ItemText, Publication

TWO = {"viewer": ("a.viewer",), "auditor": ("one", "two"), "registrar": ("a.registrar",)}
STRANGLED = {
    "crime_disclosed": "yes",
    "crimes__0__family": "non_fatal_strangulation",
    "crimes__0__place": "2:q18",
}
Browse = Callable[[str], httpx.Client]


@pytest.fixture
def open_desk(open_site: Callable[..., Site], publication: Publication) -> Callable[..., Site]:
    def opened(**given: object) -> Site:
        usual = {"role_members": TWO, "second_review_share": 0.0}
        return with_night(open_site(items=0, **{**usual, **given}), publication)

    return opened


@pytest.fixture
def site(open_desk: Callable[..., Site]) -> Site:
    return open_desk()


@pytest.fixture
def one(site: Site) -> Iterator[httpx.Client]:
    with site.client("one") as client:
        yield client


@pytest.fixture
def browse(site: Site) -> Iterator[Browse]:
    with browsers(site) as of:
        yield of


@pytest.fixture
def paths(publication: Publication) -> list[str]:
    return [f"/items/{place.item_id}" for place in publication.places]


def state(site: Site, path: str) -> str:
    return site.store.review(path.removeprefix("/items/"), site.clock(), RULES).state


def claimed(client: httpx.Client, path: str) -> httpx.Response:
    answer = send(client, client.get(path), "claim")
    assert answer.headers["location"] == path
    return client.get(path)


def words(page: httpx.Response) -> str:
    """What a page says, without its tags and with single blanks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def test_the_page_lays_the_item_out(one: httpx.Client, paths: list[str], canary: str) -> None:
    page = one.get(paths[0])
    said = words(page)
    for wanted in (
        f"22:14 CALL: HE GRABBED HER THROAT 1 Non-fatal strangulation: asserted {canary}",
        "22:40 UPD: ALL QUIET 2 speaks against , CRIMED 42/70123/26",
        "18 strangulation Y 3 Non-fatal strangulation",
        "crime 42/70123/26: unknown",
        "42/1/26: 105/01, recorded",
        "2. D-1 (assessments), same incident",
        "Why it is here Rules Strangulation answered yes",
        "What lowered it speaks against : “ALL QUIET”",
        "A suggestion for audit, not a finding. This program records nothing",
    ):
        assert wanted in said
    assert re.search(r'<mark id="place-1"[^>]*>GRABBED HER THROAT<', page.text)
    assert '<mark class="against" id="place-2"' in page.text


def test_reading_is_logged_as_a_consultation(site: Site, one: httpx.Client, paths: list[str]) -> None:
    one.get(paths[0])
    last = site.store.events()[-1].event
    assert (last.actor, last.action, f"/items/{last.subject}") == ("one", "consultation", paths[0])
    assert last.details == {"page": "item"}


def test_a_script_in_a_text_stays_text(site: Site, one: httpx.Client) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    more = night("run-9", 1, day=400, words=hostile)
    site.store.publish(more, event())
    page = one.get(f"/items/{more.items[0].item_id}")
    assert page.status_code == 200
    assert page.text.count("<script") == 1
    assert "<img" not in page.text
    assert hostile in unescape(re.sub(r"</?(mark|span|li|ol)[^>]*>", "", page.text))


def test_highlights_can_be_switched_off(one: httpx.Client, paths: list[str]) -> None:
    assert "<mark" in one.get(paths[0]).text
    off = one.get(paths[0], params={"highlights": "off"})
    assert "<mark" not in off.text
    assert "Switch highlights on" in off.text
    assert "Places marked" not in send(one, off, "claim").text


@pytest.mark.parametrize("shown", [False, True])
def test_control_items_start_without_highlights(
    open_desk: Callable[..., Site], paths: list[str], shown: bool
) -> None:
    with open_desk(control_highlights=shown).client("one") as client:
        page = client.get(paths[2])
    assert ("Switch highlights off" in page.text) == shown


def test_nobody_sees_arm_or_score_before_deciding(
    site: Site, publication: Publication, paths: list[str], browse: Browse
) -> None:
    before = [browse(name).get(paths[0]).text for name in ("one", "a.registrar", "a.viewer")]
    assert not any("Arm:" in text or "0.830" in text for text in before)
    decide(site.store, publication.places[0].item_id, site.clock(), by="one")
    assert "Arm:" not in browse("one").get(paths[0]).text
    site.clock.forward(days=2)
    assert "Arm: rule, score when queued: 0.830." in browse("a.registrar").get(paths[0]).text


def test_texts_that_are_gone_say_so(site: Site, one: httpx.Client, paths: list[str]) -> None:
    site.clock.forward(days=100)
    site.store.purge_texts(site.clock(), event("erasure"))
    said = words(one.get(paths[0]))
    assert said.count("The text was purged: its retention date was") == 2
    assert "GRABBED" not in said


def test_an_item_is_decided_without_a_script(site: Site, one: httpx.Client, paths: list[str]) -> None:
    answer = send(one, claimed(one, paths[0]), "decide", **STRANGLED, notes="seen", then="queue")
    assert (answer.status_code, answer.headers["location"]) == (303, "/queue")
    kept = site.store.history(paths[0].removeprefix("/items/"))[-1]
    assert kept.outcome == Outcome(
        "yes", (FoundCrime("non_fatal_strangulation", part=2, question=18),), {"notes": "seen"}
    )
    page = one.get(paths[0])
    assert state(site, paths[0]) == "decided"
    assert "Your decision Does the text disclose a crime that is not recorded? Yes" in words(page)
    assert "decide" not in forms(page)


def test_save_and_next_claims_the_next_item_as_an_act_of_its_own(
    site: Site, one: httpx.Client, paths: list[str]
) -> None:
    answer = send(one, claimed(one, paths[0]), "decide", crime_disclosed="no", then="next")
    assert answer.headers["location"] == paths[1]
    acts = [(each.event.subject, each.event.details["act"]) for each in site.store.events()[-2:]]
    assert [(f"/items/{subject}", act) for subject, act in acts] == [
        (paths[0], "decide"),
        (paths[1], "claim"),
    ]


def test_the_same_form_sent_twice_is_one_decision(site: Site, one: httpx.Client, paths: list[str]) -> None:
    page = claimed(one, paths[0])
    sent = [send(one, page, "decide", crime_disclosed="no", then="next") for _ in range(2)]
    assert [each.headers["location"] for each in sent] == [paths[1], paths[1]]
    assert [each.act for each in site.store.history(paths[0].removeprefix("/items/"))] == ["claim", "decide"]


def test_a_next_item_that_the_same_person_got_meanwhile_is_the_next_item(
    site: Site, one: httpx.Client, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, read = claimed(one, paths[0]), site.store.reviews_open

    def overtaken(*args: Any) -> dict[str, Review]:
        reviews = read(*args)
        held = reviews[paths[1].removeprefix("/items/")]
        site.store.act(
            held.item_id,
            "claim",
            actor="one",
            roles={"auditor"},
            at=site.clock(),
            token="sent first",
            rules=RULES,
        )
        return reviews

    monkeypatch.setattr(site.store, "reviews_open", overtaken)
    answer = send(one, page, "decide", crime_disclosed="no", then="next")
    assert answer.headers["location"] == paths[1]
    assert [state(site, path) for path in paths[2:]] == ["queued"] * len(paths[2:])


def test_what_is_wrong_is_said_and_what_was_typed_stays(
    site: Site, one: httpx.Client, paths: list[str]
) -> None:
    page = claimed(one, paths[0])
    wrong = {"crimes__0__victim_number": "many", "recorded_elsewhere": "a&b?", "notes": "\nkept <as typed>"}
    answer = send(one, page, "decide", crime_disclosed="yes", **wrong)
    assert answer.status_code == 422
    assert answer.text.index("<title>Error: ") < answer.text.index('href="#crimes-0-family"')
    for name in ("crimes-0-family", "crimes-0-victim_number", "recorded_elsewhere"):
        assert f'<a href="#{name}">' in answer.text
        assert f'aria-describedby="{name}-wrong"' in answer.text
    again = forms(answer)["decide"].values
    assert again["notes"] == "kept <as typed>"
    assert again["crimes-0-victim_number"] == "many"
    assert again["recorded_elsewhere"] == "a&b?"
    assert again["token"] == forms(page)["decide"].values["token"]
    assert state(site, paths[0]) == "claimed"
    fixed = {"crimes__0__victim_number": "2", "recorded_elsewhere": "", "crimes__0__family": "rape"}
    assert send(one, answer, "decide", **fixed).status_code == 303


def test_rows_are_added_without_losing_anything(one: httpx.Client, paths: list[str]) -> None:
    page = send(one, claimed(one, paths[0]), "decide", more="1", notes="kept", crimes__2__family="theft")
    assert page.status_code == 200
    values = forms(page)["decide"].values
    assert (values["notes"], values["crimes-2-family"], values["crimes-3-family"]) == ("kept", "theft", "")
    for _ in range(CRIMES_MOST):
        page = send(one, page, "decide", more="1")
    assert f"crimes-{CRIMES_MOST - 1}-family" in forms(page)["decide"].values
    assert f"crimes-{CRIMES_MOST}-family" not in forms(page)["decide"].values
    assert 'name="more"' not in page.text


@pytest.mark.parametrize("place", ["1:0:99999", "9:q1", "1:15:33 ", "x"])
def test_only_places_of_the_page_can_be_named(one: httpx.Client, paths: list[str], place: str) -> None:
    answer = send(one, claimed(one, paths[0]), "decide", **{**STRANGLED, "crimes__0__place": place})
    assert answer.status_code == (303 if place.strip() == "1:15:33" else 422)


def test_one_item_belongs_to_one_auditor(site: Site, one: httpx.Client, paths: list[str]) -> None:
    with site.client("two") as two:
        late = two.get(paths[0])
        mine = claimed(one, paths[0])
        assert send(two, late, "claim").status_code == 409
        theirs = two.get(paths[0])
        assert "Claimed , with one until 14 Oct 2026 09:45." in words(theirs)
        assert not {"claim", "decide", "release"} & forms(theirs).keys()
        stolen = {**forms(mine)["decide"].values, "crime_disclosed": "no"}
        assert two.post(f"{paths[0]}/decide", data=stolen).status_code == 403
        assert send(one, one.get(paths[0]), "release").headers["location"] == "/queue"
        claimed(two, paths[0])


def test_a_claim_that_ran_out_loses_nothing_that_was_typed(
    site: Site, one: httpx.Client, paths: list[str]
) -> None:
    page = claimed(one, paths[0])
    site.clock.forward(minutes=46)
    late = send(one, page, "decide", **STRANGLED, notes="an hour's work")
    assert late.status_code == 409
    assert "This was not saved" in late.text
    assert f'formaction="{paths[0]}/claim"' in late.text
    typed = forms(late)["decide"].values
    again = one.post(f"{paths[0]}/claim", data=typed)
    assert again.status_code == 200
    assert forms(again)["decide"].values["notes"] == "an hour's work"
    assert send(one, again, "decide", then="queue").status_code == 303
    assert state(site, paths[0]) == "decided"


def test_a_page_that_is_out_of_date_decides_nothing(site: Site, one: httpx.Client, paths: list[str]) -> None:
    page = claimed(one, paths[0])
    send(one, page, "release")
    claimed(one, paths[0])
    stale = send(one, page, "decide", crime_disclosed="no")
    assert stale.status_code == 409
    assert "has changed since the page was shown" in stale.text
    assert state(site, paths[0]) == "claimed"


def test_a_decision_is_corrected_while_it_may_be(site: Site, one: httpx.Client, paths: list[str]) -> None:
    send(one, claimed(one, paths[0]), "decide", **STRANGLED, notes="as it was", action="returned")
    page = one.get(paths[0], params={"correct": "1"})
    values = forms(page)["decide"].values
    assert forms(page)["decide"].action == f"{paths[0]}/correct"
    for name, value in STRANGLED.items():
        # The answer itself is a radio button: the others are fields.
        assert values[name.replace("__", "-")] == value
    assert (values["notes"], values["action"]) == ("as it was", "returned")
    assert send(one, page, "decide", notes="better").status_code == 303
    last = site.store.history(paths[0].removeprefix("/items/"))[-1]
    assert (last.act, last.outcome and last.outcome.values["notes"]) == ("correct", "better")
    site.clock.forward(hours=25)
    assert "decide" not in forms(one.get(paths[0], params={"correct": "1"}))
    assert send(one, page, "decide", token="another").status_code == 409


def test_a_place_that_was_named_before_can_be_kept(site: Site, one: httpx.Client, paths: list[str]) -> None:
    elsewhere = Outcome("yes", (FoundCrime("theft", part=1, start=1, end=2),))
    decide(site.store, paths[0].removeprefix("/items/"), site.clock(), elsewhere, by="one")
    page = one.get(paths[0], params={"correct": "1"})
    assert '<option value="1:1:2" selected>as named before</option>' in page.text
    assert send(one, page, "decide").status_code == 303


def test_the_second_reader_sees_nothing_of_the_first_decision(
    site: Site, one: httpx.Client, paths: list[str]
) -> None:
    send(one, claimed(one, paths[0]), "decide", crime_disclosed="cannot_say", notes="first reader's words")
    assert "first reader's words" in unescape(one.get(paths[0]).text)
    assert "claim" not in forms(one.get(paths[0]))
    with site.client("two") as two:
        page = claimed(two, paths[0])
        said = words(page)
        assert "Second review , with you" in said
        for hidden in ("first reader", "Your decision", "The outcome", " one ", "selected>Cannot"):
            assert hidden not in said
        values = forms(page)["decide"].values
        assert "crime_disclosed" not in values
        assert not any(v for k, v in values.items() if k not in ("token", "seen", "then", "highlights"))
        assert send(two, page, "decide", crime_disclosed="no", then="queue").status_code == 303
    assert state(site, paths[0]) == "disputed"
    assert "The outcome that stands" not in one.get(paths[0]).text


def test_an_outcome_that_stands_is_shown_to_who_gave_it(
    site: Site, one: httpx.Client, paths: list[str], browse: Browse
) -> None:
    send(one, claimed(one, paths[0]), "decide", crime_disclosed="no")
    site.clock.forward(hours=25)
    shown = {
        name: "The outcome that stands" in browse(name).get(paths[0]).text
        for name in ("one", "two", "a.registrar")
    }
    assert shown == {"one": True, "two": False, "a.registrar": True}


def test_a_viewer_reads_and_does_nothing(site: Site, paths: list[str]) -> None:
    with site.client("a.viewer") as viewer:
        page = viewer.get(paths[0])
        assert page.status_code == 200
        assert not {"claim", "decide", "next"} & forms(page).keys()
        for act in ("claim", "release", "decide", "correct"):
            data = {"token": "t", "seen": "0", "crime_disclosed": "no"}
            assert viewer.post(f"{paths[0]}/{act}", data=data).status_code == 403
    assert state(site, paths[0]) == "queued"


@pytest.mark.parametrize(
    "item_id", ["0" * 16, "x", "%00", "..%2f..%2fetc", "A" * 16, "'%20or%201=1", "0" * 300]
)
def test_an_id_that_no_item_has_is_not_found(one: httpx.Client, item_id: str) -> None:
    assert one.get(f"/items/{item_id}").status_code == 404
    assert one.post(f"/items/{item_id}/claim", data={"token": "t"}).status_code == 404
    assert one.post(f"/items/{item_id}/decide", data={"token": "t"}).status_code == 404


def test_a_file_in_place_of_a_field_is_refused(one: httpx.Client, paths: list[str]) -> None:
    answer = one.post(f"{paths[0]}/claim", files={"token": ("t.txt", b"t")})
    assert answer.status_code == 400


def test_no_text_leaves_the_page(
    site: Site, one: httpx.Client, paths: list[str], canary: str, caplog: pytest.LogCaptureFixture
) -> None:
    page = claimed(one, paths[0])
    answers = [send(one, page, "decide", crime_disclosed="no", crime_reference=canary, notes=canary)]
    answers.append(one.get(f"/items/{canary}"))
    assert [each.status_code for each in answers] == [422, 404]
    assert canary not in answers[1].text
    assert not any(canary in str(each.event) for each in site.store.events())
    assert canary not in caplog.text


def test_an_empty_narrative_says_so(one: httpx.Client, paths: list[str]) -> None:
    assert "there is no narrative to read" in one.get(paths[2]).text


def test_parts_keep_their_order(site: Site, publication: Publication, browse: Browse) -> None:
    texts: list[ItemText] = [replace(each) for each in publication.texts if each.record_ref == "D-1"]
    page = browse("one").get(f"/items/{texts[0].item_id}").text
    assert page.index('id="part-1"') < page.index('id="part-2"')
