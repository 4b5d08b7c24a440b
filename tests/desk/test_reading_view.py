"""Evidence is marked exactly where it stands, and no text can act on a screen or forge a mark."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from triage.desk.reading_view import (
    CLOSE,
    OPEN,
    bracketed,
    coloured,
    entry_lines,
    excerpt,
    family_style,
    harmless,
    label,
    segments,
    without_brackets,
)
from triage.language.disclosures import STATUSES
from triage.language.offences import FAMILIES
from triage.ranking.scoring import LOWERS
from triage.reading.records import Entry
from triage.store.rows import ItemEvidence as Evidence

#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True)
TEXT = "22:14 CALL: HE GRABBED HER THROAT zebra quorum marmalade\n22:40 UPD: [red]ALL QUIET[/red] :smile:\n"
LABELS = (*FAMILIES, *(label("rape", status) for status in STATUSES), label("", LOWERS))
MARKS = str.maketrans({OPEN: "[", CLOSE: "]"})


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, list[Evidence]]:
    """Any text, surrogates and controls included, with any spans inside it."""
    text = draw(st.text(st.characters(codec=None) | st.sampled_from(f"{OPEN}{CLOSE}\x1b\r\n: "), min_size=1))
    spans = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        spans.append(Evidence(draw(st.sampled_from(LABELS)), start, end))
    return text, spans


@STEADY
@given(marked_texts())
@example((f"{OPEN}rape: no{CLOSE}", [Evidence("rape", 0, 10), Evidence("theft", 3, 5)]))
def test_taking_the_marks_out_gives_back_the_text(case: tuple[str, list[Evidence]]) -> None:
    text, spans = case
    cut = segments(text, spans)
    assert "".join(each.text for each in cut) == text
    assert without_brackets(bracketed(cut)) == harmless(text).translate(MARKS)


@STEADY
@given(marked_texts())
def test_every_character_carries_the_families_of_its_spans(case: tuple[str, list[Evidence]]) -> None:
    text, spans = case
    position = 0
    for each in segments(text, spans):
        for _ in each.text:
            wanted = {s.family for s in spans if s.start <= position < s.end}
            assert set(each.families) == wanted
            position += 1


@STEADY
@given(st.text(st.characters(codec=None)))
def test_harmless_text_has_the_same_length_and_can_be_written(text: str) -> None:
    shown = harmless(text)
    assert len(shown) == len(text)
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert "\u202e" not in shown
    shown.encode("utf-8")


@STEADY
@given(marked_texts())
def test_a_terminal_gets_no_escape_sequence_that_was_in_the_text(case: tuple[str, list[Evidence]]) -> None:
    text, spans = case
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, color_system=None, width=10_000)
    console.print(coloured(segments(text, spans)), soft_wrap=True, end="")
    assert "\x1b" not in out.getvalue()


def test_colour_is_written_by_us_alone() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="256", width=200)
    console.print(coloured(segments("he \x1b[31mraped her", [Evidence("rape", 3, 17)])), end="")
    assert out.getvalue() == ("he \x1b[1;30;48;5;212m␛[31mraped her\x1b[0m\x1b[3m‹rape›\x1b[0m")


def test_overlapping_spans_name_every_family() -> None:
    start = TEXT.index("GRABBED")
    spans = [
        Evidence("non_fatal_strangulation", start, start + 18),
        Evidence("violence_with_injury", start, start + 7),
    ]
    shown = bracketed(segments(TEXT, spans))
    assert (
        "⟦non_fatal_strangulation, violence_with_injury: GRABBED⟧⟦non_fatal_strangulation:  HER THROAT⟧"
        in shown
    )


def test_entries_stand_on_their_own_lines_and_split_evidence() -> None:
    edge = TEXT.index("22:40")
    spans = [Evidence("rape", edge - 10, edge + 5), Evidence("theft", question="q1")]
    lines = entry_lines(TEXT, spans, [Entry(0, edge, "22:14"), Entry(edge, len(TEXT), "22:40")])
    assert [bracketed(line) for line in lines] == [
        "22:14 CALL: HE GRABBED HER THROAT zebra quorum ⟦rape: marmalade⟧",
        "⟦rape: 22:40⟧ UPD: [red]ALL QUIET[/red] :smile:",
    ]


def test_rich_markup_and_emoji_codes_in_a_text_stay_text() -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(coloured(segments(TEXT, ())), soft_wrap=True)
    assert "[red]ALL QUIET[/red] :smile:" in out.getvalue()


@pytest.mark.parametrize(("start", "end"), [(0, 0), (5, 3), (-1, 3), (0, 10_000)])
def test_offsets_of_another_text_are_a_bug(start: int, end: int, canary: str) -> None:
    with pytest.raises(ValueError, match="lies outside") as caught:
        segments(TEXT, [Evidence("rape", start, end)])
    assert canary not in str(caught.value)


def test_an_excerpt_is_short_and_on_one_line() -> None:
    text = "x" * 500 + "\nHE RAPED HER\n" + "y" * 500
    start = text.index("RAPED")
    assert excerpt(text, Evidence("rape", start, start + 5), around=6) == "… xx HE ⟦RAPED⟧ HER y…"
    assert len(excerpt(text, Evidence("rape", 0, len(text)))) < 250


def test_every_family_has_a_colour() -> None:
    assert len({family_style(family) for family in FAMILIES}) == len(FAMILIES)


@pytest.mark.parametrize("status", STATUSES)
def test_a_label_keeps_the_colour_of_its_family_and_says_how_the_text_speaks(status: str) -> None:
    for family in FAMILIES:
        assert family_style(label(family, status)) == family_style(family)
        assert label(family, "") == label(family, "asserted") == family
    said = status.replace("_", " ")
    assert label("rape", status) == ("rape" if status == "asserted" else f"rape ({said})")


def test_what_speaks_against_has_no_family_and_stands_beside_one() -> None:
    against = label("", LOWERS)
    assert not any(family in against for family in FAMILIES)
    assert LOWERS not in STATUSES
    start = TEXT.index("GRABBED")
    spans = [Evidence("rape", start, start + 18), Evidence(against, start, start + 7)]
    assert f"⟦rape, {against}: GRABBED⟧⟦rape:  HER THROAT⟧" in bracketed(segments(TEXT, spans))
