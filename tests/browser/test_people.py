"""What several people make of one item: claims, blind second reviews, disputes and rulings."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House, follow
from tests.browser.invented import crime, item_id
from tests.browser.test_by_forms import Filled, fill, open_all, put, save

ANN, BEN, RAE = "ann.auditor", "ben.auditor", "rae.registrar"
FIRST, SECOND = "XX-0417", "XX-0422"
STRANGLED = Filled(
    FIRST,
    "yes",
    (crime(FIRST, "non_fatal_strangulation", "GRABBED HER BY THE THROAT"),),
    {"reason_not_recorded": "R6", "notes": "amber teapot"},
)


def start(page: Page) -> str:
    """Take the next open item from the queue and return its reference."""
    page.goto("/queue")
    follow(page.get_by_role("button", name="Start"))
    return str(page.locator("h1").text_content()).split()[0]


def acts(house: House, reference: str) -> list[tuple[str, str]]:
    """Return what was done to an item, and by whom."""
    return [(each.act, each.actor) for each in house.store.history(item_id(reference))]


@pytest.mark.parametrize("script", [True, False])
def test_a_double_click_decides_once(house: House, script: bool) -> None:
    page = house.sign_in(ANN, script=script)
    assert start(page) == FIRST
    page.locator("[name=crime_disclosed][value=no]").check()
    page.get_by_role("button", name="Save and next").dblclick()
    expect(page.locator("h1")).to_contain_text(SECOND)
    page.wait_for_load_state()
    assert acts(house, FIRST) == [("claim", ANN), ("decide", ANN)]
    assert acts(house, SECOND) == [("claim", ANN)]
    assert acts(house, "RF-0031") == []


def test_one_form_sent_from_two_windows_is_one_decision(house: House) -> None:
    page = house.sign_in(ANN)
    start(page)
    page.locator("[name=crime_disclosed][value=no]").check()
    for _ in range(2):
        with page.expect_popup() as opened:
            page.evaluate("Object.assign(document.querySelector('#decide'), {target: '_blank'}).submit()")
        expect(opened.value.locator("h1")).to_have_text("Queue")
    assert acts(house, FIRST) == [("claim", ANN), ("decide", ANN)]


def test_two_people_start_at_once_and_get_two_items(house: House) -> None:
    ann, ben = house.sign_in(ANN), house.sign_in(BEN)
    assert [start(ann), start(ben)] == [FIRST, SECOND]


def test_who_comes_second_is_told_and_gets_another_item(house: House) -> None:
    ann, ben = house.sign_in(ANN), house.sign_in(BEN)
    for page in (ann, ben):
        page.goto(f"/items/{item_id(FIRST)}")
    follow(ann.get_by_role("button", name="Claim this item"))
    expect(ann.locator(".top")).to_contain_text("with you until")
    follow(ben.get_by_role("button", name="Claim this item"))
    expect(ben.locator("main")).to_contain_text("claimed")
    expect(ben.get_by_role("button", name="Save and next")).to_have_count(0)
    follow(ben.get_by_role("link", name="Back to the queue"))
    expect(ben.get_by_role("row").filter(has_text=FIRST)).to_contain_text(ANN)
    assert start(ben) == SECOND
    assert acts(house, FIRST) == [("claim", ANN)]


def test_what_was_typed_survives_a_claim_that_ended(house: House) -> None:
    ann, ben = house.sign_in(ANN), house.sign_in(BEN)
    start(ann)
    fill(ann, STRANGLED)
    house.clock.pass_by(minutes=house.settings.claim_minutes + 1)
    save(ann)
    expect(ann.get_by_role("alert")).to_contain_text("not saved")
    follow(ann.get_by_role("button", name="Claim it again"))
    assert ann.locator("[name=notes]").input_value() == "amber teapot"
    house.clock.pass_by(minutes=house.settings.claim_minutes + 1)
    assert start(ben) == FIRST
    save(ann)
    expect(ann.get_by_role("alert")).to_contain_text("not saved")
    expect(ann.get_by_role("button", name="Claim it again")).to_have_count(0)
    assert acts(house, FIRST) == [("claim", ANN), ("claim", ANN), ("claim", BEN)]


def _plain(html: str) -> str:
    """Return a page without what is different each time: tokens, times, and how many events there are."""
    html = re.sub(r'name="token" value="[^"]*"', "", html)
    html = re.sub(r'name="seen" value="\d+"', "", html)
    return re.sub(r"until \d+ \w+ \d+ \d+:\d+", "", html)


def test_a_second_review_is_blind(open_house: Callable[..., House]) -> None:
    house = open_house(second_review_share=1.0)
    ann, ben, rae = house.sign_in(ANN), house.sign_in(BEN), house.sign_in(RAE)
    ben.goto(f"/items/{item_id(FIRST)}")
    before = _plain(ben.content())
    start(ann)
    fill(ann, STRANGLED)
    save(ann)
    expect(ann.locator("h1")).to_contain_text(SECOND)
    ben.goto(f"/items/{item_id(FIRST)}")
    assert _plain(ben.content()) == before.replace("Queued", "Second review")
    pages = [ben.content()]
    assert start(ben) == FIRST
    pages.append(ben.content())
    for address in ("/queue", "/mine", f"/items/{item_id(FIRST)}?correct=1"):
        ben.goto(address)
        pages.append(ben.content())
    rae.goto(f"/items/{item_id(FIRST)}")
    pages.append(rae.content())
    for html in pages:
        assert "amber teapot" not in html
        assert "Your decision" not in html
    # Whoever decided is named on no page of the item, as a reader or otherwise.
    assert not [html for html in (*pages[:2], *pages[4:]) if ANN in html]


def test_a_dispute_is_ruled_on_at_the_registrars_desk(open_house: Callable[..., House]) -> None:
    house = open_house(second_review_share=1.0)
    ann, ben, rae = house.sign_in(ANN), house.sign_in(BEN), house.sign_in(RAE)
    start(ann)
    fill(ann, STRANGLED)
    save(ann)
    start(ben)
    ben.locator("[name=crime_disclosed][value=no]").check()
    save(ben)
    assert house.store.review(item_id(FIRST), house.clock(), house.rules).state == "disputed"
    rae.goto("/desk")
    follow(rae.get_by_role("region", name="Items that two people decided differently").get_by_role("link"))
    compared = rae.get_by_role("region", name="Decisions side by side")
    for words in (ANN, BEN, "differs", "Non-fatal strangulation", "GRABBED HER BY THE THROAT"):
        expect(compared).to_contain_text(words)
    follow(rae.get_by_role("link", name="first decision"))
    assert rae.locator("[name=crimes-0-family]").input_value() == "non_fatal_strangulation"
    expect(rae.locator("[data-toggle=non_fatal_strangulation]")).to_have_attribute("aria-pressed", "true")
    rae.get_by_role("heading", level=1).click()
    for key in "22":  # put in and taken back; Enter rules nothing
        rae.keyboard.press(key)
    rae.keyboard.press("Enter")
    open_all(rae)
    put(rae, "reason_not_recorded", "R1")
    follow(rae.get_by_role("button", name="Rule", exact=True))
    expect(rae.locator("h1")).to_contain_text("desk")
    review = house.store.review(item_id(FIRST), house.clock(), house.rules)
    assert review.state == "closed"
    assert review.ruling is not None
    assert review.outcome is not None
    assert (review.ruling.actor, review.outcome.values["reason_not_recorded"]) == (RAE, "R1")
    rae.goto(f"/desk/disputes/{item_id(FIRST)}")
    expect(rae.get_by_role("button", name="Rule", exact=True)).to_have_count(0)
    ann.goto(f"/items/{item_id(FIRST)}?correct=1")
    expect(ann.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    expect(ann.locator("main")).to_contain_text("The outcome that stands")


def test_undo_is_a_correction_that_keeps_what_was_first_said(house: House) -> None:
    page = house.sign_in(ANN)
    start(page)
    fill(page, STRANGLED)
    save(page)
    page.goto("/mine")
    follow(page.get_by_role("link", name="Undo"))
    assert page.locator("[name=crimes-0-family]").input_value() == "non_fatal_strangulation"
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("c")
    save(page, "Save")
    expect(page.locator("h1")).to_have_text("Queue")
    _, first, corrected = house.store.history(item_id(FIRST))
    assert (first.act, corrected.act) == ("decide", "correct")
    assert first.outcome == STRANGLED.outcome
    assert corrected.outcome is not None
    assert corrected.outcome.disclosed == "no"
    assert corrected.outcome.values == {"notes": "amber teapot"}
    page.goto("/mine")
    expect(page.get_by_role("link", name="Undo")).to_have_count(1)
    house.clock.pass_by(hours=house.settings.correction_hours + 1)
    page.reload()
    expect(page.get_by_role("link", name="Undo")).to_have_count(0)
