"""Every page against WCAG 2.2 AA: what axe checks, and reflow, focus and size of targets besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import House, follow
from tests.browser.invented import HOSTILE, LINKED, item_id
from triage.review.outcomes import FoundCrime, Outcome

ANN, BEN, RAE, ADA, VAL = "ann.auditor", "ben.auditor", "rae.registrar", "ada.administrator", "val.viewer"
#: Items of the night that are brought into a state.
DECIDED, TWICE, DISPUTED, CLOSED = "XX-0422", "XX-0425", "RF-0031", "XX-0440"
CRIME = Outcome("yes", (FoundCrime("theft"),), {"reason_not_recorded": "R4", "notes": "amber teapot"})


def nothing(page: Page) -> None:
    """Leave a page as it stands."""


def click(selector: str, page: Page) -> None:
    """Click something."""
    page.locator(selector).click()


def press(key: str, page: Page) -> None:
    """Press a key."""
    page.keyboard.press(key)


def look_up(reference: str, page: Page) -> None:
    """Search for a reference."""
    page.get_by_label("Reference").fill(reference)
    follow(page.locator("main button"))


READ, DISPUTE = f"/items/{item_id(LINKED)}", f"/desk/disputes/{item_id(DISPUTED)}"
#: Who looks at which page, and what is done there first.
PAGES: tuple[tuple[str, str, Callable[[Page], None]], ...] = (
    ("", "/queue", nothing),
    ("sam.stranger", "/queue", nothing),
    (VAL, "/queue", nothing),
    (RAE, "/queue?arm=control&finished=1", nothing),
    (ANN, READ, nothing),
    (ANN, READ, partial(click, "[data-save]")),
    (ANN, READ, partial(press, "?")),
    (ANN, f"{READ}?highlights=off", nothing),
    (ANN, f"/items/{item_id(DECIDED)}?correct=1", nothing),
    (BEN, f"/items/{item_id(TWICE)}", nothing),
    (BEN, f"/items/{item_id(HOSTILE)}", nothing),
    (RAE, f"/items/{item_id(CLOSED)}", nothing),
    (ANN, "/mine", nothing),
    (BEN, "/keys", nothing),
    (BEN, "/search", partial(look_up, LINKED)),
    (BEN, "/search", partial(look_up, "")),
    (BEN, "/workbook", nothing),
    (RAE, "/desk", nothing),
    (RAE, DISPUTE, nothing),
    (RAE, DISPUTE, partial(click, "#rule .main")),
    (RAE, f"/desk/disputes/{item_id(CLOSED)}", nothing),
    (RAE, "/desk/feedback", nothing),
    (ADA, "/audit", nothing),
)
#: A page 1280 pixels wide at 400 % zoom (WCAG 2.2, 1.4.10).
REFLOWED = 320
AXE: dict[str, Any] = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    "rules": {"target-size": {"enabled": True}},  # axe leaves it off unless it is asked for
    "resultTypes": ["violations"],
    "preload": False,
}
#: Those of its rules that look at colours or at where things stand.
LOOKS = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]
SEEN_AGAIN = {**AXE, "runOnly": {"type": "rule", "values": LOOKS}}
#: Returns controls whose focus cannot be seen: without an outline, outside the window, or under something.
UNSEEN_FOCUS = """() => {
  const open = document.querySelector("dialog[open]") || document;
  const wrong = [];
  for (const each of open.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")) {
    if (each.tabIndex < 0 || !each.checkVisibility({visibilityProperty: true})) continue;
    each.focus({focusVisible: true});
    const style = getComputedStyle(each), box = each.getBoundingClientRect();
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const x = box.left + Math.min(box.width / 2, 8), y = box.top + Math.min(box.height / 2, 8);
    const top = document.elementFromPoint(x, y);
    const seen = outlined && top && (each.contains(top) || top.contains(each));
    if (!seen) wrong.push(each.outerHTML.slice(0, 99));
  }
  return wrong;
}"""
#: Returns controls smaller than 24 by 24 pixels; links in sentences may be (WCAG 2.2, 2.5.8).
SMALL_TARGETS = """() => {
  const all = "button, label.radio, input, select, textarea, summary, nav a, td a, th a, li > a";
  return [...document.querySelectorAll(all)]
    .filter((each) => each.checkVisibility({visibilityProperty: true}))
    .filter((each) => !each.matches("[type=radio], [type=checkbox], [type=hidden], .hidden"))
    .filter((each) => Math.min(each.offsetWidth, each.offsetHeight) < 24)
    .map((each) => each.outerHTML.slice(0, 99));
}"""


def decide(house: House, reference: str, by: str, outcome: Outcome, chance: float = 1.0) -> None:
    """Let somebody claim and decide an item."""
    for act, given in (("claim", None), ("decide", outcome)):
        house.store.act(
            item_id(reference),
            act,
            actor=by,
            roles={"auditor"},
            at=house.clock(),
            token=f"{reference} {act} {by}",
            rules=house.rules,
            outcome=given,
            chance=chance,
        )


@pytest.fixture
def worked(open_house: Any) -> House:
    """A night in which every state of an item can be seen."""
    house: House = open_house(second_review_share=0.5)
    decide(house, DECIDED, ANN, CRIME)
    decide(house, TWICE, ANN, Outcome("cannot_say"))
    decide(house, DISPUTED, ANN, CRIME, chance=0.0)
    decide(house, DISPUTED, BEN, Outcome("no"))
    decide(house, CLOSED, ANN, CRIME, chance=0.0)
    decide(house, CLOSED, BEN, CRIME)
    house.store.act(
        item_id(LINKED),
        "claim",
        actor=ANN,
        roles={"auditor"},
        at=house.clock(),
        token="reading",
        rules=house.rules,
    )
    return house


def visits(house: House) -> Iterator[tuple[str, Page]]:
    """Give every page as somebody has it before them, with a name for it."""
    people: dict[str, Page] = {}
    for number, (who, address, do) in enumerate(PAGES):
        if who not in people:
            people[who] = house.sign_in(who)
        page = people[who]
        at(page, 1280)
        page.goto(address)
        page.wait_for_load_state()
        do(page)
        page.wait_for_load_state()
        yield f"{number}. {who} {address}", page


def at(page: Page, width: int, scheme: Any = "light") -> None:
    """Show a page at a width and in a colour scheme."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)


def violations(page: Page, options: dict[str, Any]) -> list[str]:
    """Return what axe finds wrong, each with its first place."""
    found: list[str] = page.evaluate(
        """async (options) => {
          const { violations } = await axe.run(options);
          return violations.map(({ id, nodes }) => `${id}: ${nodes.length}, ${nodes[0].html.slice(0, 150)}`);
        }""",
        options,
    )
    return found


def wider(page: Page, width: int) -> list[int]:
    """Return the width of what stands on a page, if it is wider than the window."""
    wide = int(page.evaluate("document.documentElement.scrollWidth"))
    return [wide] if wide > width else []


def test_every_page_is_accessible(worked: House) -> None:
    script, found = Axe().axe_script, []
    for name, page in visits(worked):
        page.evaluate(script)
        for width, scheme, options in ((1280, "light", AXE), (800, "dark", SEEN_AGAIN)):
            at(page, width, scheme)
            found += [f"{name} at {width}, {scheme}: {each}" for each in violations(page, options)]
            found += [f"{name} at {width}, too small: {each}" for each in page.evaluate(SMALL_TARGETS)]
            found += [f"{name} at {width}, focus unseen: {each}" for each in page.evaluate(UNSEEN_FOCUS)]
            found += [f"{name} at {width}: {wide} wide" for wide in wider(page, width)]
        at(page, REFLOWED)
        found += [f"{name} at {REFLOWED}: {wide} wide" for wide in wider(page, REFLOWED)]
    if found:
        pytest.fail("\n".join(found))
