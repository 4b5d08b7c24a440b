"""The queue over HTTP: what it shows to whom, its filters, and who gets the next item."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from tests.desk.conftest import AS_OF
from tests.desk.web.conftest import Site
from tests.desk.web.pages import browsers, forms, send, with_night
from tests.store.nights import RULES, decide, event, night
from triage.desk.web.queue_pages import KEYS
from triage.review.outcomes import FoundCrime, Outcome
from triage.store import Publication

THREE = {"viewer": ("a.viewer",), "auditor": ("one", "two", "three"), "registrar": ("a.registrar",)}
Browse = Callable[[str], httpx.Client]


@pytest.fixture
def site(open_site: Callable[..., Site], publication: Publication) -> Site:
    return with_night(open_site(items=0, role_members=THREE, second_review_share=0.0), publication)


@pytest.fixture
def browse(site: Site) -> Iterator[Browse]:
    with browsers(site) as of:
        yield of


def references(page: httpx.Response) -> list[str]:
    return re.findall(r"data-stop>([^<]+)</a>", page.text)


def opened(answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def start(client: httpx.Client, **more: str) -> str:
    return opened(send(client, client.get("/queue"), "next", **more))


def ids(publication: Publication) -> list[str]:
    return [f"/items/{place.item_id}" for place in publication.places]


def test_the_queue_shows_places_but_neither_arm_score_nor_text(
    site: Site, canary: str, browse: Browse
) -> None:
    page = browse("one").get("/queue")
    assert page.status_code == 200
    assert references(page) == ["XX-1", "=XX-2", "XX-3"]
    assert "Non-fatal strangulation" in page.text
    assert "35 h" in page.text
    for hidden in (canary, "0.830", ">control<", ">rule<", ">Arm<", ">Score<", 'name="arm"'):
        assert hidden not in page.text


def test_the_registrar_sees_arm_and_score(site: Site, browse: Browse) -> None:
    page = browse("a.registrar").get("/queue", params={"arm": "control"})
    assert references(page) == ["XX-3"]
    assert "<td>control</td>" in page.text
    assert "0.020" in page.text


def test_whoever_may_not_see_arms_cannot_filter_by_them(site: Site, browse: Browse) -> None:
    assert browse("one").get("/queue", params={"arm": "control"}).status_code == 403


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("source", "referrals", ["=XX-2"]),
        ("family", "theft", ["=XX-2"]),
        ("age", "new", ["XX-1", "=XX-2", "XX-3"]),
        ("age", "older", []),
        ("state", "claimed", ["XX-1"]),
        ("mine", "1", ["XX-1"]),
    ],
)
def test_filters_leave_what_was_asked_for(site: Site, name: str, value: str, found: list[str]) -> None:
    with site.client("one") as client:
        start(client)
        page = client.get("/queue", params={name: value})
        assert references(page) == found
        assert f'value="{value}" selected' in page.text
        assert client.get("/queue", params={name: "elsewhere"}).status_code == 400


def test_ages_are_counted_from_now(site: Site, browse: Browse) -> None:
    site.clock.forward(days=3)
    assert len(references(browse("one").get("/queue", params={"age": "week"}))) == 3


def test_start_gives_each_auditor_an_item_of_their_own(site: Site, publication: Publication) -> None:
    with site.client("one") as one, site.client("two") as two:
        assert [start(one), start(two)] == ids(publication)[:2]
        page = two.get("/queue")
    states = re.findall(r"<td>(claimed|queued)</td>\s*<td>([^<]*)</td>", page.text)
    assert states == [("claimed", "one"), ("claimed", "you"), ("queued", "")]


def test_three_auditors_at_once_get_three_items(site: Site, publication: Publication, browse: Browse) -> None:
    clients = [browse(name) for name in THREE["auditor"]]
    pages = [client.get("/queue") for client in clients]
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda at: opened(send(clients[at], pages[at], "next")), range(3))
    assert sorted(found) == sorted(ids(publication))
    claims = [each for each in site.store.events() if each.event.details.get("act") == "claim"]
    assert len(claims) == 3


def test_start_opens_again_what_is_already_mine_and_claims_once(site: Site, publication: Publication) -> None:
    first = ids(publication)[0]
    with site.client("one") as client:
        page = client.get("/queue")
        assert [opened(send(client, page, "next")) for _ in range(2)] == [first, first]
        assert start(client) == first
    assert len(site.store.history(publication.places[0].item_id)) == 1


def test_next_goes_on_behind_the_item_that_is_left(site: Site, publication: Publication) -> None:
    first, second, third = ids(publication)
    with site.client("one") as client:
        seen = [start(client)]
        for _ in range(3):
            seen.append(opened(send(client, client.get(seen[-1]), "next")))
    assert seen == [first, second, third, first]


def test_items_in_a_workbook_are_left_there(site: Site, publication: Publication, browse: Browse) -> None:
    site.store.act(
        publication.places[0].item_id,
        "claim",
        actor="one",
        roles={"auditor"},
        at=site.clock(),
        token="workbook",
        rules=replace(RULES, claim_minutes=72 * 60),
    )
    assert start(browse("one")) == ids(publication)[1]


def test_when_nothing_is_open_the_queue_says_so(site: Site, publication: Publication) -> None:
    for name, place in zip(THREE["auditor"], publication.places, strict=True):
        decide(site.store, place.item_id, site.clock(), by=name)
    with site.client("one") as client:
        where = start(client)
        assert where == "/queue?finished=1"
        page = client.get(where)
    assert "Nothing more is open for you" in page.text
    assert "3 of 3 items decided; by you today: 1." in page.text


def test_today_ends_at_midnight(site: Site, publication: Publication, browse: Browse) -> None:
    decide(site.store, publication.places[0].item_id, site.clock(), by="one")
    site.clock.forward(days=1)
    assert "by you today: 0." in browse("one").get("/queue").text


def test_a_second_review_of_an_earlier_night_still_waits(
    site: Site, publication: Publication, browse: Browse
) -> None:
    earlier = night("run-0", 2, day=226)
    site.store.publish(earlier, event())
    waiting, dropped = (item.item_id for item in earlier.items)
    before = AS_OF - timedelta(hours=1)
    decide(site.store, waiting, before, Outcome("cannot_say"), by="one")
    decide(site.store, dropped, before, Outcome("yes", (FoundCrime("rape"),)), by="one")
    with site.client("two") as client:
        assert references(client.get("/queue")) == ["XX-1", "=XX-2", "XX-3", "run-0/L-1"]
        page = client.get(f"/items/{publication.places[2].item_id}")
        for place in publication.places:
            decide(site.store, place.item_id, site.clock(), by="three")
        found = opened(
            send(client, page, "claim") if "next" not in forms(page) else send(client, page, "next")
        )
        assert found == f"/items/{waiting}"
    assert start(browse("one")) == "/queue?finished=1"


def test_a_viewer_sees_the_queue_and_starts_nothing(site: Site) -> None:
    with site.client("a.viewer") as client:
        page = client.get("/queue")
        assert "next" not in forms(page)
        assert client.post("/queue/next", data={"token": "t"}).status_code == 403
    assert site.store.reviews_touched(site.clock(), RULES) == {}


def test_a_form_without_token_claims_nothing(site: Site, browse: Browse) -> None:
    assert browse("one").post("/queue/next").status_code == 400
    assert site.store.reviews_touched(site.clock(), RULES) == {}


def test_the_queue_logs_nothing(site: Site, browse: Browse) -> None:
    before = len(site.store.events())
    browse("one").get("/queue")
    assert len(site.store.events()) == before


def test_keys_are_listed(site: Site, browse: Browse) -> None:
    page = browse("one").get("/keys")
    for key, words in KEYS:
        assert f"<kbd>{key}</kbd></td><td>{words}" in page.text
    assert "<kbd>9</kbd></td><td>Robbery</td>" in page.text


def test_every_page_bears_the_marking_twice_and_says_where_one_is(open_site: Callable[..., Site]) -> None:
    site = open_site(marking="SECRET <b>")
    with site.client("a.registrar") as client:
        for path in ("/queue", "/mine", "/search", "/keys", "/nothing"):
            page = client.get(path)
            assert page.text.count('<p class="marking">SECRET &lt;b&gt;</p>') == 2
            here = re.findall(r'<a href="([^"]+)" aria-current="page">', page.text)
            assert here == ([] if path == "/nothing" else [path])


def test_highlights_that_are_off_stay_off_from_item_to_item(site: Site, publication: Publication) -> None:
    first, second, _ = ids(publication)
    with site.client("one") as client:
        queue = client.get("/queue", params={"highlights": "off"})
        assert f'href="{first}?highlights=off"' in queue.text
        found = opened(send(client, queue, "next"))
        assert found == f"{first}?highlights=off"
        assert opened(send(client, client.get(found), "next")) == f"{second}?highlights=off"
