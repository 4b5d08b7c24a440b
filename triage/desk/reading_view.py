"""A record's text as an auditor reads it: evidence marked in place, and nothing in it able to act."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from rich.text import Text

from triage.language.disclosures import STATUSES
from triage.language.offences import FAMILIES
from triage.reading.records import Entry

OPEN, CLOSE = "⟦", "⟧"
_MARK = re.compile(f"{OPEN}[^:{CLOSE}]*: |{CLOSE}")
#: Zero-width joiners, which scripts and emoji need and which move nothing on a screen.
_KEPT_FORMATS = frozenset("\u200c\u200d")
_REPLACED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: Code points that XML, and so a workbook, cannot hold.
_NO_CHARACTERS = frozenset("\ufffe\uffff")
#: Background colours of the 256-colour palette on which black is readable; the tag tells families apart too.
_BACKGROUNDS = (217, 223, 210, 203, 183, 177, 212, 218, 180, 186, 229, 151, 159, 153, 252)


class Evidence(Protocol):
    """A place that is evidence of a family, or labelled otherwise, whichever room it comes from."""

    @property
    def family(self) -> str:
        """Name of the family."""
        ...

    @property
    def start(self) -> int | None:
        """Offset of the first character, None for an answer."""
        ...

    @property
    def end(self) -> int | None:
        """Offset after the last character, None for an answer."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one text that is evidence of a family, as character offsets."""

    family: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text with the families that it is evidence of, none where it is plain."""

    text: str
    families: tuple[str, ...] = ()


def harmless(text: str) -> str:
    r"""Return the text with every character that could act on a screen shown instead, one for one.

    Escape sequences, bidirectional overrides and other controls become symbols; line feeds and tabs stay. The
    length never changes, so that offsets of evidence hold.

    Source: Unicode general categories Cc, Cf, Cs, Zl and Zp (Unicode Standard Annex 44); control pictures of
    the block U+2400.

    >>> harmless("a\x1b[31mb\r\nc")
    'a␛[31mb \nc'
    """
    return "".join(_shown(character, text[index + 1 : index + 2]) for index, character in enumerate(text))


def _shown(character: str, following: str) -> str:
    if character in "\n\t" or character in _KEPT_FORMATS:
        return character
    if character == "\r" and following == "\n":
        return " "
    if unicodedata.category(character) not in _REPLACED and character not in _NO_CHARACTERS:
        return character
    if character < "\x20":
        return chr(0x2400 + ord(character))
    return "␡" if character == "\x7f" else "\ufffd"


def segments(text: str, evidence: Iterable[Evidence]) -> tuple[Segment, ...]:
    """Return the text cut at every edge of evidence; joined together it is the text again.

    Where spans overlap, the shared stretch names the families of all of them in the order of `evidence`.
    Evidence that is an answer to a question has no place in the text and is left out.

    Raises
    ------
    ValueError
        If a span is empty or lies outside the text: offsets that belong to another text.

    >>> segments("grabbed her neck", [Span("non_fatal_strangulation", 12, 16)])[1]
    Segment(text='neck', families=('non_fatal_strangulation',))
    """
    spans = [(each.family, each.start, each.end) for each in evidence]
    placed = [(family, start, end) for family, start, end in spans if start is not None and end is not None]
    for _, start, end in placed:
        if not 0 <= start < end <= len(text):
            raise ValueError(f"evidence at {start} to {end} lies outside a text of {len(text)} characters")
    edges = sorted({0, len(text), *(edge for _, start, end in placed for edge in (start, end))})
    cut: list[Segment] = []
    for left, right in pairwise(edges):
        families = tuple(dict.fromkeys(f for f, start, end in placed if start <= left and right <= end))
        if cut and cut[-1].families == families:
            cut[-1] = Segment(cut[-1].text + text[left:right], families)
        else:
            cut.append(Segment(text[left:right], families))
    return tuple(cut)


def entry_lines(
    text: str, evidence: Sequence[Evidence], entries: Sequence[Entry]
) -> tuple[tuple[Segment, ...], ...]:
    """Return one line of segments for each entry, without the line breaks between entries.

    Parameters
    ----------
    text : str
        The record's text.
    evidence : sequence of Evidence
        Spans are offsets into `text`; one that crosses an entry's edge is marked in both.
    entries : sequence of Entry
        They cover the text without gap or overlap; an empty sequence means one entry.
    """
    lines = []
    for entry in entries or (Entry(0, len(text)),):
        body = text[entry.start : entry.end].rstrip("\r\n")
        end = entry.start + len(body)
        inside = [
            Span(each.family, max(each.start, entry.start) - entry.start, min(each.end, end) - entry.start)
            for each in evidence
            if each.start is not None and each.end is not None and each.start < end and each.end > entry.start
        ]
        if body:
            lines.append(segments(body, inside))
    return tuple(lines)


def bracketed(cut: Iterable[Segment]) -> str:
    """Return the text with evidence in brackets that name its families, for files and pipes.

    Brackets of this kind in the text itself become square ones, so that nobody can write a mark into
    a record.

    >>> bracketed([Segment("he "), Segment("raped her", ("rape",))])
    'he ⟦rape: raped her⟧'
    """
    return "".join(
        f"{OPEN}{', '.join(each.families)}: {_plain(each.text)}{CLOSE}"
        if each.families
        else _plain(each.text)
        for each in cut
    )


def _plain(text: str) -> str:
    return harmless(text).replace(OPEN, "[").replace(CLOSE, "]")


def without_brackets(marked: str) -> str:
    """Return bracketed text with the marks taken out again.

    >>> without_brackets("he ⟦rape: raped her⟧")
    'he raped her'
    """
    return _MARK.sub("", marked)


def coloured(cut: Iterable[Segment]) -> Text:
    """Return the text with evidence on a coloured ground, followed by the family's name, for a terminal."""
    shown = Text(no_wrap=False, end="")
    for each in cut:
        if not each.families:
            shown.append(harmless(each.text))
            continue
        shown.append(harmless(each.text), style=f"bold {family_style(each.families[0])}")
        shown.append(f"‹{', '.join(each.families)}›", style="italic")
    return shown


def label(family: str, status: str) -> str:
    """Return what a mark in the text says: the family, and how the text speaks of the act if not plainly.

    >>> label("rape", "denied_by_suspect"), label("rape", "asserted"), label("", "lowers")
    ('rape (denied by suspect)', 'rape', 'speaks against')
    """
    if not family:
        return "speaks against"
    return family if status in ("", STATUSES[0]) else f"{family} ({status.replace('_', ' ')})"


def family_style(named: str) -> str:
    """Return the rich style of a label: always the same colour a family, with black letters on it.

    >>> family_style("rape"), family_style("rape (historic)"), family_style("speaks against")
    ('black on color(212)', 'black on color(212)', 'black on color(252)')
    """
    family = named.split(" (")[0]
    at = FAMILIES.index(family) if family in FAMILIES else len(_BACKGROUNDS) - 1
    return f"black on color({_BACKGROUNDS[at % len(_BACKGROUNDS)]})"


def excerpt(text: str, span: Evidence, *, around: int = 40, longest: int = 240) -> str:
    """Return a short stretch around a piece of evidence, on one line, the evidence in brackets.

    Parameters
    ----------
    text : str
        The record's text.
    span : Evidence
        A span with offsets into `text`.
    around, longest : int
        Characters shown on each side, and the most characters of the evidence itself.

    >>> excerpt("CALLER STATES HE RAPED HER LAST WEEK", Span("rape", 17, 26), around=8)
    '… ATES HE ⟦RAPED HER⟧ LAST WE…'
    """
    if span.start is None or span.end is None:
        raise ValueError("an answer to a question has no place in the text")
    inside = text[span.start : span.end]
    before, after = max(0, span.start - around), min(len(text), span.end + around)
    shown = _plain(inside[:longest]) + ("…" if len(inside) > longest else "")
    pieces = (
        "… " if before else "",
        _plain(text[before : span.start]),
        f"{OPEN}{shown}{CLOSE}",
        _plain(text[span.end : after]),
        "…" if after < len(text) else "",
    )
    return " ".join("".join(pieces).split())
