"""What a record's page shows and lets nobody do: marks, hostile texts, and the watch that all tests keep."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import House, follow
from tests.browser.invented import CONTROL, EMPTY, HOSTILE, LINKED, SCRIPT, crime, item_id

ANN = "ann.auditor"


def marked(page: Page) -> list[str]:
    """Return the words of the places that are marked in the text."""
    return page.locator(".entries mark").evaluate_all(
        "marks => marks.map(each => each.firstChild.textContent.trim())"
    )


def test_places_are_marked_in_the_text_with_what_they_say(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto(f"/items/{item_id(LINKED)}")
    assert marked(page) == ["GRABBED HER BY THE THROAT", "NO COMPLAINTS MADE", "SLAPPED HER"]
    tags = page.locator("mark .tag").all_text_contents()
    assert [each.split(" ", 1)[1] for each in tags[:3]] == [
        "Non-fatal strangulation: asserted",
        "speaks against",
        "Violence without injury: historic",
    ]
    expect(page.locator("main")).to_contain_text("A suggestion for audit, not a finding.")
    expect(page.locator("main")).to_contain_text("Strangulation answered yes, with no crime of it")
    page.get_by_role("link", name="DASH-0088").click()
    expect(page.locator("#part-2")).to_be_in_viewport()
    expect(page.locator("#part-2 tr.speaks")).to_contain_text("strangulation")


def test_highlights_switched_off_stay_off_from_item_to_item(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto("/queue")
    page.keyboard.press("n")
    follow(page.get_by_role("link", name="Switch highlights off"))
    expect(page.locator("mark")).to_have_count(0)
    expect(page.get_by_role("link", name="Switch highlights on")).to_be_visible()
    # Places that are not shown cannot be stepped to or named by a key.
    page.keyboard.press("j")
    page.keyboard.press("3")
    assert page.locator("[name=crimes-0-place]").input_value() == ""
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("XX-0422")
    page.wait_for_load_state()
    expect(page.locator("mark")).to_have_count(0)
    follow(page.get_by_role("link", name="Switch highlights on"))
    assert marked(page) == ["BIKE AND DRILL GONE"]


def test_items_drawn_at_random_begin_without_marks(open_house: Callable[..., House]) -> None:
    page = open_house().sign_in(ANN)
    page.goto(f"/items/{item_id(CONTROL)}")
    expect(page.locator("mark")).to_have_count(0)
    follow(page.get_by_role("link", name="Switch highlights on"))
    assert marked(page) == ["KICKED IN"]
    page = open_house(control_highlights=True).sign_in(ANN)
    page.goto(f"/items/{item_id(CONTROL)}")
    assert marked(page) == ["KICKED IN"]


def test_a_script_in_a_text_is_shown_and_does_not_run(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto(f"/items/{item_id(HOSTILE)}")
    assert HOSTILE in page.title()
    expect(page.locator(".entries")).to_contain_text(SCRIPT)
    assert page.locator("main img, main script").count() == 0
    follow(page.get_by_role("button", name="Claim this item"))
    places = page.locator("[name=crimes-0-place] option").all_text_contents()
    assert [each for each in places if "<script>" in each]
    assert HOSTILE in page.title()
    found = crime(HOSTILE, "threats_to_kill", "KILL ME")
    expect(page.locator(f"[data-place='1:{found.start}:{found.end}']")).to_contain_text("KILL ME")


def test_an_item_without_a_narrative_says_so_and_can_be_decided(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto(f"/items/{item_id(EMPTY)}")
    expect(page.locator("main")).to_contain_text("there is no narrative to read")
    follow(page.get_by_role("button", name="Claim this item"))
    expect(page.get_by_role("button", name="Save and next")).to_be_visible()
    page.keyboard.press("u")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(LINKED)
    assert [each.act for each in house.store.history(item_id(EMPTY))] == ["claim", "decide"]


def test_the_watch_sees_what_it_is_there_for(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto("/queue")
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    page.evaluate("setTimeout(() => { throw new Error('a bug') })")
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.2/pixel.png'}))")
    with page.expect_response("**/static/none.png"):
        page.evaluate("document.body.append(Object.assign(new Image(), {src: '/static/none.png'}))")
    found = "\n".join(house.watch.problems)
    house.watch.problems.clear()
    for trouble in ("inline style", "a bug", "127.0.0.2", "404"):
        assert trouble in found
