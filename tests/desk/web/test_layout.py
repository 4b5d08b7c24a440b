"""How an item is laid out, and how the pages look: contrast, no inline script, keys that are told."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import triage.desk.web
from tests.desk.conftest import AS_OF, HOSTILE
from triage.desk.reading_view import harmless
from triage.desk.web.layout import ItemView, Line, item_view
from triage.desk.web.queue_pages import KEYS
from triage.store import Item, ItemEvidence, ItemText, Publication

FOLDER = Path(triage.desk.web.__file__).parent
CSS = (FOLDER / "static" / "desk.css").read_text(encoding="utf-8")
SCRIPT = (FOLDER / "static" / "desk.js").read_text(encoding="utf-8")
LONDON = ZoneInfo("Europe/London")


def item_of(publication: Publication, number: int) -> tuple[Item, list[ItemText]]:
    item = publication.items[number]
    return item, [text for text in publication.texts if text.item_id == item.item_id]


def view_of(item: Item, texts: list[ItemText], **more: int) -> ItemView:
    return item_view(item, texts, None, zone=LONDON, now=AS_OF + timedelta(**more))


def joined(lines: tuple[Line, ...]) -> str:
    return "".join(piece.text for line in lines for piece in (*line.head, *line.body))


def test_entries_stand_by_time_and_author(publication: Publication) -> None:
    lines = view_of(*item_of(publication, 0)).parts[0].lines
    assert ["".join(piece.text for piece in line.head) for line in lines] == ["22:14 CALL: ", "22:40 UPD: "]


def test_nothing_of_a_text_is_lost_but_line_ends(publication: Publication) -> None:
    for number in (0, 1):
        item, texts = item_of(publication, number)
        view = view_of(item, texts)
        for part, text in zip(view.parts, texts, strict=True):
            assert joined(part.lines) == harmless(text.text or "").replace("\n", "")


def test_controls_in_a_text_are_shown_and_cannot_act(publication: Publication) -> None:
    shown = joined(view_of(*item_of(publication, 1)).parts[0].lines)
    assert harmless(HOSTILE) in shown
    assert "\x1b" not in shown


def test_places_are_numbered_in_reading_order_with_their_status(publication: Publication) -> None:
    places = view_of(*item_of(publication, 0)).places
    assert [(each.number, each.label, each.against) for each in places] == [
        (1, "Non-fatal strangulation: asserted", False),
        (2, "speaks against", True),
        (3, "Non-fatal strangulation", False),
    ]
    assert places[0].words == "GRABBED HER THROAT"
    assert places[2].value == "2:q18"
    assert places[2].words == "Q18 strangulation Y"


def test_overlapping_places_are_each_marked_once(publication: Publication) -> None:
    item, texts = item_of(publication, 1)
    item = replace(
        item,
        evidence=(
            ItemEvidence("theft", 2, 30, status="denied_by_victim"),
            ItemEvidence("rape", 10, 20, status="asserted"),
            ItemEvidence("robbery", 12, 10_000),
        ),
    )
    view = view_of(item, texts)
    assert [(each.family, each.weak) for each in view.places] == [("theft", True), ("rape", False)]
    pieces = [piece for line in view.parts[0].lines for piece in (*line.head, *line.body)]
    begun = [place.number for piece in pieces for place in piece.begins]
    ended = [place.number for piece in pieces for place in piece.ends]
    assert sorted(begun) == sorted(ended) == [1, 2]
    said = {
        number: "".join(p.text for p in pieces if number in [each.number for each in p.places])
        for number in (1, 2)
    }
    shown = harmless(texts[0].text or "")
    assert said == {1: shown[2:30], 2: shown[10:20]}


def test_clauses_can_be_named_and_lie_in_the_text(publication: Publication) -> None:
    item, texts = item_of(publication, 0)
    long = "He said so. " * 2_000
    view = view_of(item, [replace(texts[0], text=long), texts[1]])
    clauses = view.parts[0].clauses
    assert 100 < len(clauses) <= 300
    spans = [tuple(map(int, each.value.split(":"))) for each in clauses]
    assert all(part == 1 and 0 <= start < end <= len(long) for part, start, end in spans)
    assert " ".join(long[start:end] for _, start, end in spans).split() == long.split()
    assert view.parts[1].clauses[0].label == "Q1 injury N"
    assert {"2:q18", clauses[0].value} <= view.offered


def test_text_that_is_gone_says_why(publication: Publication) -> None:
    item, texts = item_of(publication, 0)
    gone = [replace(text, text=None, answers=None, claims=None) for text in texts]
    assert "erased before" in view_of(item, gone).parts[0].gone
    purged = view_of(item, gone, days=91)
    assert "purged" in purged.parts[0].gone
    assert purged.places == ()
    assert purged.offered == frozenset()


def test_a_yes_speaks_of_the_families_of_its_rule(publication: Publication) -> None:
    item, texts = item_of(publication, 0)
    view = view_of(replace(item, evidence=()), texts)
    assert [answer.families for answer in view.parts[1].answers] == [(), ("Non-fatal strangulation",)]


def test_a_recorded_family_is_suggested_for_another_victim(publication: Publication) -> None:
    item, texts = item_of(publication, 0)
    recorded = {crime.offence_code for text in texts for crime in text.crimes if crime.status == "recorded"}
    assert "105/01" in recorded
    item = replace(item, families=("violence_without_injury", "non_fatal_strangulation"))
    assert view_of(item, texts).families == (
        "Violence without injury, perhaps of another victim than the recorded one",
        "Non-fatal strangulation",
    )


def _schemes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    assert light.keys() == dark.keys()
    return {"light": light, "dark": dark}


def _luminance(colour: str) -> float:
    # Source: WCAG 2.2, relative luminance.
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


GROUNDS = ("ground", "panel")
TEXT = [
    *product(("ink", "soft", "link", "wrong-ink"), GROUNDS),
    *((f"{name}-ink", f"{name}-ground") for name in ("main", "mark", "against", "marking")),
    ("tag-ink", "mark-ground"),
]
EDGES = [*product(("line", "focus", "wrong-ink", "main-ground"), GROUNDS), ("focus", "mark-ground")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_edges_stand_out(scheme: str) -> None:
    colours = _schemes()[scheme]
    used = set(re.findall(r"var\(--([a-z-]+)\)", CSS))
    assert used == colours.keys() == {name for pair in (*TEXT, *EDGES) for name in pair}
    faint = [
        (ink, ground, round(found, 2))
        for pairs, least in ((TEXT, 4.5), (EDGES, 3.0))
        for ink, ground in pairs
        if (found := contrast(colours[ink], colours[ground])) < least
    ]
    assert faint == []


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("path", sorted((FOLDER / "templates").glob("*.html")), ids=lambda path: path.name)
def test_templates_hold_no_script_style_or_foreign_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\bon[a-z]+\s*=|\bstyle\s*=|<style|javascript:|https?://", text) == []
    assert re.findall(r"<script(?! src=\"/static/desk\.js\" defer></script>)", text) == []
    assert "safe" not in re.findall(r"\|\s*(\w+)", text)


def test_style_and_script_load_nothing() -> None:
    assert re.findall(r"url\(|@import|https?://", CSS) == []
    assert re.findall(r"https?://|fetch|XMLHttp|innerHTML|eval|document\.write", SCRIPT) == []


def test_the_keys_that_are_told_are_those_of_the_script() -> None:
    table = SCRIPT[SCRIPT.index("const KEYS = {") :]
    known = re.findall(r'^    "(.+?)": ', table[: table.index("};")], re.MULTILINE)
    assert sorted(known) == sorted(key for key, _ in KEYS if key != "1 to 9")
    assert "/^[1-9]$/" in SCRIPT
