"""Ten items worked without a mouse, and what the keys do on the way."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.browser.invented import crime, item_id
from triage.review.decisions import ReviewEvent
from triage.review.outcomes import FoundCrime, Outcome

ANN = "ann.auditor"
#: Reference, keys, answer, and the crimes that they make, in the order of the queue.
WORKED = (
    # The last place is the answer of the form: the crime is named with the place in focus.
    (
        "XX-0417",
        "k 3 2 Enter",
        "yes",
        (
            FoundCrime("non_fatal_strangulation", part=2, question=18),
            crime("XX-0417", "violence_without_injury", "SLAPPED HER"),
        ),
    ),
    ("XX-0422", "c Enter", "no", ()),
    # To the second place and back to the first; the second is of the same family.
    (
        "RF-0031",
        "j j k 1 Enter",
        "yes",
        (crime("RF-0031", "violence_with_injury", "hit him with a belt"),),
    ),
    ("XX-0425", "u Enter", "cannot_say", ()),
    # Nothing chosen yet: Enter saves nothing, and what is missing has the focus.
    ("XX-0431", "Enter 4 Enter", "yes", (crime("XX-0431", "threats_to_kill", "KILL ME"),)),
    (
        "DN-0107",
        "5 6 Enter",
        "yes",
        (
            crime("DN-0107", "stalking_harassment", "follows her to work"),
            crime("DN-0107", "controlling_coercive_behaviour", "takes her wages"),
        ),
    ),
    # A family taken back leaves no crime behind.
    ("XX-0440", "1 1 c Enter", "no", ()),
    ("XX-0448", "Theft Space Save Enter", "yes", (crime("XX-0448", "theft", "TAKEN FROM BAG"),)),
    # Drawn at random: nothing is marked, the keys go from entry to entry, and no place is taken by itself.
    ("XX-0451", "j j 9 c Enter", "no", ()),
    ("XX-0459", "9 Enter", "yes", (crime("XX-0459", "robbery", "SNATCHED PHONE AND PUSHED"),)),
)
#: Words that stand for going to a control by Tab.
REACHED = {"Theft": "[data-toggle=theft]", "Save": "[data-save]"}


def press(page: Page, keys: str) -> None:
    """Press keys, or go to a control by Tab."""
    for key in keys.split():
        if key in REACHED:
            tab_to(page, REACHED[key])
        else:
            page.keyboard.press(key)


def shows(page: Page, heading: str) -> None:
    """Pass once a page with this heading stands, its script with it."""
    expect(page.locator("h1")).to_contain_text(heading)
    page.wait_for_load_state()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until a control has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")


def done(house: House, reference: str) -> tuple[ReviewEvent, ...]:
    """Return what was done to an item."""
    return house.store.history(item_id(reference))


def test_ten_items_are_worked_by_keyboard_alone(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto("/queue")
    tab_to(page, "#next button")
    page.keyboard.press("Enter")
    for reference, keys, _, _ in WORKED:
        shows(page, reference)
        press(page, keys)
    shows(page, "XX-0463")
    for reference, _, answer, crimes in WORKED:
        claimed, decided = done(house, reference)
        assert (claimed.act, decided.act, decided.actor) == ("claim", "decide", ANN)
        assert decided.outcome == Outcome(answer, crimes), reference


def test_question_mark_shows_the_keys_and_hides_them(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto(f"/items/{item_id('XX-0417')}")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("save and go to the next item")
    page.keyboard.press("?")
    expect(keys).to_be_hidden()
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.goto("/queue")
    page.keyboard.press("?")
    shows(page, "Keys")


def test_n_goes_on_without_a_decision_and_r_gives_back(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto("/queue")
    page.keyboard.press("n")
    shows(page, "XX-0417")
    page.keyboard.press("n")
    shows(page, "XX-0422")
    page.keyboard.press("r")
    shows(page, "Queue")
    assert [each.act for each in done(house, "XX-0417")] == ["claim"]
    assert [each.act for each in done(house, "XX-0422")] == ["claim", "release"]


def test_keys_are_letters_where_one_writes_and_silent_when_switched_off(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto("/queue")
    page.keyboard.press("n")
    shows(page, "XX-0417")
    page.get_by_text("How it was handled").click()
    page.get_by_label("Notes").focus()
    page.keyboard.type("cur 1 n?")
    assert page.get_by_label("Notes").input_value() == "cur 1 n?"
    assert page.locator("[name=crime_disclosed]:checked").count() == 0
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("Control+u")
    page.keyboard.press("?")
    page.get_by_role("button", name="Keys are on").click()
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    assert page.locator("[name=crime_disclosed]:checked").count() == 0
    page.reload()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    assert [each.act for each in done(house, "XX-0417")] == ["claim"]


def test_enter_after_a_click_on_a_family_saves(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto("/queue")
    page.keyboard.press("n")
    shows(page, "XX-0417")
    page.get_by_role("button", name="Rape").click()
    expect(page.get_by_role("button", name="Rape")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    shows(page, "XX-0422")
    outcome = done(house, "XX-0417")[-1].outcome
    assert outcome is not None
    assert outcome.families == {"rape"}
