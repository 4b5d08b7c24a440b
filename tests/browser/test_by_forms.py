"""The same work where no script runs, and what is typed wrong on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import House, follow
from tests.browser.invented import CRIME, crime, item_id
from triage.review.outcomes import FoundCrime, Outcome

ANN = "ann.auditor"


@dataclass(frozen=True)
class Filled:
    """One item: what is chosen in the form, and the outcome that it makes."""

    reference: str
    answer: str
    crimes: tuple[FoundCrime, ...] = ()
    values: dict[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """The outcome."""
        return Outcome(self.answer, self.crimes, self.values)


def _with(found: FoundCrime, **values: Any) -> FoundCrime:
    return FoundCrime(found.family, found.part, found.start, found.end, found.question, values)


WORKED = (
    Filled(
        "XX-0417",
        "yes",
        (
            _with(FoundCrime("non_fatal_strangulation", part=2, question=18), victim_number="1"),
            _with(
                crime("XX-0417", "violence_without_injury", "SLAPPED HER"),
                offence_code="105/01",
                offence_date="2026-05-09",
                historic="yes",
            ),
        ),
        {"reason_not_recorded": "R6", "rationale_on_log": "none", "supervisor_check": "no"},
    ),
    Filled("XX-0422", "no", values={"recorded_elsewhere": CRIME.crime_ref}),
    Filled(
        "RF-0031",
        "yes",
        (crime("RF-0031", "violence_with_injury", "hit him with a belt"),),
        {"safeguarding_gap": "yes", "action": "referred", "notes": "Ask the school.\nTwice."},
    ),
    Filled("XX-0425", "cannot_say", values={"n100_due": "no"}),
    Filled("XX-0431", "yes", (crime("XX-0431", "threats_to_kill", "KILL ME"),)),
    Filled("DN-0107", "yes", (FoundCrime("controlling_coercive_behaviour"),)),
    Filled("XX-0440", "no", values={"recorded_within_24_hours": "not_applicable"}),
    Filled("XX-0448", "yes", (crime("XX-0448", "theft", "TAKEN FROM BAG"),), {"crime_reference": "42/7/26"}),
    Filled("XX-0451", "no"),
    Filled("XX-0459", "yes", (crime("XX-0459", "robbery", "SNATCHED PHONE AND PUSHED"),)),
)


def fill(page: Page, filled: Filled) -> None:
    """Fill the form of the page that stands."""
    page.locator(f"[name=crime_disclosed][value={filled.answer}]").check()
    open_all(page)
    for number, found in enumerate(filled.crimes):
        where = (
            f"{found.part}:q{found.question}" if found.question else f"{found.part}:{found.start}:{found.end}"
        )
        chosen = {"family": found.family, "place": where if found.part else "", **found.values}
        for name, value in chosen.items():
            put(page, f"crimes-{number}-{name}", value)
    for name, value in filled.values.items():
        put(page, name, value)


def open_all(page: Page) -> None:
    """Open every part of the page that is folded."""
    folded = page.locator("main details:not([open]) > summary")
    while folded.count():
        folded.first.click()


def put(page: Page, name: str, value: str) -> None:
    """Put a value into a field, whatever its kind."""
    control = page.locator(f"[name={name}]")
    if control.evaluate("each => each.tagName") == "SELECT":
        control.select_option(value)
    else:
        control.fill(value)


def save(page: Page, button: str = "Save and next") -> None:
    """Send the form."""
    follow(page.get_by_role("button", name=button, exact=True))


def test_ten_items_are_worked_without_a_script(house: House) -> None:
    page = house.sign_in(ANN, script=False)
    page.goto("/queue")
    follow(page.get_by_role("button", name="Start"))
    for filled in WORKED:
        expect(page.locator("h1")).to_contain_text(filled.reference)
        fill(page, filled)
        save(page)
    expect(page.locator("h1")).to_contain_text("XX-0463")
    for filled in WORKED:
        claimed, decided = house.store.history(item_id(filled.reference))
        assert (claimed.act, decided.act, decided.actor) == ("claim", "decide", ANN)
        assert decided.outcome == filled.outcome, filled.reference


def test_nothing_offers_what_only_a_script_does(house: House) -> None:
    page = house.sign_in(ANN, script=False)
    page.goto("/queue")
    follow(page.get_by_role("button", name="Start"))
    expect(page.locator("h1")).to_contain_text("XX-0417")
    assert page.locator(".scripted").count() > 0
    for each in page.locator(".scripted").all():
        expect(each).to_be_hidden()


def test_every_mistake_is_named_at_its_field_and_nothing_typed_is_lost(house: House) -> None:
    page = house.sign_in(ANN)
    page.goto("/queue")
    follow(page.get_by_role("button", name="Start"))
    fill(
        page,
        Filled(
            "XX-0417",
            "yes",
            (_with(crime("XX-0417", "violence_without_injury", "SLAPPED HER"), victim_number="many"),),
            {"crime_reference": "42?", "notes": "kept as typed"},
        ),
    )
    put(page, "crimes-1-offence_code", "8/77")
    save(page)
    errors = page.get_by_role("alert")
    expect(errors).to_be_focused()
    assert page.title().startswith("Error: ")
    wrong = page.locator("[aria-invalid]")
    assert {each.get_attribute("name") for each in wrong.all()} == {
        "crimes-0-victim_number",
        "crimes-1-family",
        "crime_reference",
    }
    for link in errors.get_by_role("link").all():
        link.click()
        target = str(link.get_attribute("href"))
        expect(page.locator(target)).to_be_focused()
    assert page.locator("[name=notes]").input_value() == "kept as typed"
    assert page.locator("[name=crimes-1-offence_code]").input_value() == "8/77"
    assert [each.act for each in house.store.history(item_id("XX-0417"))] == ["claim"]
    put(page, "crimes-0-victim_number", "2")
    put(page, "crimes-1-offence_code", "")
    put(page, "crime_reference", "42/7/26")
    save(page)
    expect(page.locator("h1")).to_contain_text("XX-0422")
    assert house.store.history(item_id("XX-0417"))[-1].act == "decide"


def test_a_row_is_added_without_losing_what_was_typed(house: House) -> None:
    page = house.sign_in(ANN, script=False)
    page.goto("/queue")
    follow(page.get_by_role("button", name="Start"))
    rows = page.locator("fieldset.crime")
    expect(rows).to_have_count(3)
    fill(page, Filled("XX-0417", "yes", (FoundCrime("rape"), FoundCrime("theft"), FoundCrime("burglary"))))
    put(page, "notes", "kept as typed")
    save(page, "Add a row")
    expect(rows).to_have_count(4)
    put(page, "crimes-3-family", "robbery")
    save(page, "Save")
    expect(page.locator("h1")).to_have_text("Queue")
    outcome = house.store.history(item_id("XX-0417"))[-1].outcome
    assert outcome is not None
    assert [each.family for each in outcome.crimes] == ["rape", "theft", "burglary", "robbery"]
    assert outcome.values["notes"] == "kept as typed"
