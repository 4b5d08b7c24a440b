"""One's own decisions, and the search by reference, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape

import httpx
import pytest

from tests.desk.web.conftest import Site
from tests.desk.web.pages import browsers, with_night
from tests.store.nights import decide, event, night
from triage.review.decisions import review_rules
from triage.review.outcomes import FoundCrime, Outcome
from triage.store import Publication

TWO = {"viewer": ("a.viewer",), "auditor": ("one", "two"), "registrar": ("a.registrar",)}
Browse = Callable[[str], httpx.Client]


@pytest.fixture
def site(open_site: Callable[..., Site], publication: Publication) -> Site:
    return with_night(open_site(items=0, role_members=TWO, second_review_share=0.0), publication)


@pytest.fixture
def browse(site: Site) -> Iterator[Browse]:
    with browsers(site) as of:
        yield of


def test_my_decisions_stand_latest_first_with_undo(
    site: Site, publication: Publication, browse: Browse
) -> None:
    first, second, third = (place.item_id for place in publication.places)
    yes = Outcome("yes", (FoundCrime("rape"),), {"notes": "never in a list"})
    decide(site.store, first, site.clock() - timedelta(hours=30), by="one")
    decide(site.store, second, site.clock(), yes, by="one")
    decide(site.store, third, site.clock(), by="two")
    page = browse("one").get("/mine")
    assert page.text.index("=XX-2") < page.text.index("XX-1")
    assert "XX-3" not in page.text
    assert "Crime 1: Rape" in page.text
    assert "never in a list" not in page.text
    assert f"/items/{second}?correct=1" in page.text
    assert f"/items/{first}?correct=1" not in page.text
    assert "<td>closed</td>" in page.text


def test_only_the_latest_of_two_decisions_can_be_undone(
    site: Site, publication: Publication, browse: Browse
) -> None:
    item_id = publication.places[0].item_id
    decide(site.store, item_id, site.clock(), by="one")
    site.store.act(
        item_id,
        "correct",
        actor="one",
        roles={"auditor"},
        at=site.clock(),
        token="correction",
        rules=review_rules(site.settings),
        outcome=Outcome("cannot_say"),
    )
    page = browse("one").get("/mine")
    assert page.text.count("?correct=1") == 1
    assert "<td>second review</td>" in page.text


def test_decisions_are_paged(site: Site, browse: Browse) -> None:
    many = night("run-9", 60, day=226)
    site.store.publish(many, event())
    for item in many.items:
        decide(site.store, item.item_id, site.clock(), by="one")
    page = browse("one").get("/mine")
    assert page.text.count("run-9/L-") // 2 == 50
    assert '<a href="/mine?page=2">Older</a>' in page.text
    assert browse("one").get("/mine?page=2").text.count("run-9/L-") // 2 == 10
    assert browse("one").get("/mine?page=3").status_code == 400
    assert browse("one").get("/mine?page=²").status_code == 400


def test_a_viewer_has_no_decisions(browse: Browse) -> None:
    assert browse("a.viewer").get("/mine").status_code == 403


@pytest.mark.parametrize(("reference", "found"), [("XX-1", 1), (" D-1 ", 1), ("=XX-2", 1), ("X", 0)])
def test_a_reference_is_found_and_stands_in_no_address(
    publication: Publication, browse: Browse, reference: str, found: int
) -> None:
    page = browse("a.viewer").post("/search", data={"reference": reference})
    assert page.status_code == 200
    assert str(page.url).endswith("/search")
    assert f"{found} found" in page.text
    assert page.text.count('href="/items/') == found
    if "1" in reference:
        assert f'href="/items/{publication.places[0].item_id}"' in page.text


@pytest.mark.parametrize("reference", ["", "  ", "a\x00b", "a\nb", "x" * 201])
def test_what_is_no_reference_is_refused_plainly(browse: Browse, reference: str) -> None:
    page = browse("one").post("/search", data={"reference": reference})
    assert page.status_code == 422
    assert 'aria-describedby="reference-wrong"' in page.text


@pytest.mark.parametrize("reference", ["<script>alert(1)</script>", "' OR 1=1 --", '" autofocus onfocus=x'])
def test_a_hostile_reference_stays_text(browse: Browse, reference: str) -> None:
    page = browse("one").post("/search", data={"reference": reference})
    assert "0 found" in page.text
    assert page.text.count("<script") == 1
    assert reference not in page.text
    assert f'value="{reference}"' in unescape(page.text)


def test_a_reference_in_the_address_finds_nothing(browse: Browse) -> None:
    assert "/items/" not in browse("one").get("/search?reference=XX-1").text
