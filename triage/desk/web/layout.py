"""An item as its page shows it: its records entry by entry, and the places that say so, numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import HTTPException

from triage.desk.item_page import LINKS, crime_line, question_number, ruled_families, suggestion
from triage.desk.listing import moment
from triage.desk.reading_view import Span, entry_lines, harmless
from triage.desk.web.desk import Desk, Person
from triage.language.disclosures import STANDING, STATUSES
from triage.language.forms import about, question_words
from triage.language.offences import TITLES
from triage.ranking.rules import title_of
from triage.ranking.scoring import LOWERS
from triage.reading.entries import split_entries
from triage.reading.records import Entry
from triage.store import AuditEvent, Item, ItemText, QueueRow, Store

_ITEM_ID = re.compile(r"[0-9a-f]{16}")
#: A stamp and its author stand within so many characters of an entry's beginning.
_HEAD_CHARACTERS = 40
_HEAD_REST = re.compile(r"(?:[ ]?(?:hrs?|hours)\b\.?)?[\])>]?", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[ \t]*[:,;–—-]?[ \t]*")
_CLAUSE_END = re.compile(r"(?<=[.?!])\s+|[\r\n]+")
#: A part offers at most about so many clauses to choose from, and shows so many characters of each.
_CLAUSES_MOST, _CLAUSE_CHARACTERS = 150, 70


@dataclass(frozen=True, slots=True)
class Place:
    """A place that says so, numbered in the order of reading.

    ``value`` names it in a form: ``part:start:end`` in a text, ``part:q16`` for an answer. ``against`` says
    that it lowered the score, ``weak`` that it speaks of the act in a way that counts for less.
    """

    number: int
    value: str
    part: int
    start: int
    end: int
    family: str
    label: str
    words: str
    against: bool
    weak: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; ``begins`` and ``ends`` are the places whose first or last stretch it is."""

    text: str
    places: tuple[Place, ...] = ()
    begins: tuple[Place, ...] = ()
    ends: tuple[Place, ...] = ()

    @property
    def against(self) -> bool:
        """Whether all its places speak against a disclosure."""
        return all(place.against for place in self.places)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry: its stamp and author as written, and what follows."""

    head: tuple[Piece, ...]
    body: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a form: the question's number, what it is about, and the families it speaks of."""

    number: int
    about: str
    given: str
    places: tuple[Place, ...]
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch that can be named as evidence though nothing marked it."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class PartView:
    """One record of the item; ``gone`` says why it has no text, empty where it has one."""

    number: int
    record_ref: str
    source: str
    link: str
    facts: tuple[tuple[str, str], ...]
    claims: tuple[str, ...]
    gone: str
    lines: tuple[Line, ...]
    answers: tuple[Answer, ...]
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class ItemView:
    """What the page of an item shows, whoever asks; never its arm or score."""

    item_id: str
    record_ref: str
    source: str
    parts: tuple[PartView, ...]
    places: tuple[Place, ...]
    crimes: tuple[str, ...]
    families: tuple[str, ...]
    rules: tuple[str, ...]

    @property
    def offered(self) -> frozenset[str]:
        """Values of all places and clauses that a form may name."""
        clauses = (clause.value for part in self.parts for clause in part.clauses)
        return frozenset((*clauses, *(place.value for place in self.places)))


def item_or_404(store: Store, item_id: str) -> Item:
    """Return an item by the id of an address, whatever a stranger wrote there.

    Raises
    ------
    HTTPException
        404 if no item has this id.
    """
    item = store.item(item_id) if _ITEM_ID.fullmatch(item_id) else None
    if item is None:
        raise HTTPException(404, "no item has this id")
    return item


def consulted(desk: Desk, person: Person, item: Item, page: str) -> ItemView:
    """Return an item for a page, and log who consults it on which page.

    Raises
    ------
    PermissionDeniedError
        If the person may not see records.
    """
    person.require("see_record")
    event = AuditEvent(desk.now(), person.name, "consultation", item.item_id, details={"page": page})
    texts = desk.store.consult(item.item_id, event)
    return item_view(item, texts, desk.store.place_of(item.item_id), zone=desk.settings.zone, now=desk.now())


def item_view(
    item: Item, texts: Sequence[ItemText], row: QueueRow | None, *, zone: ZoneInfo, now: datetime
) -> ItemView:
    """Return what the page of an item shows.

    Parameters
    ----------
    item : Item
        As it was queued.
    texts : sequence of ItemText
        Its parts.
    row : QueueRow, optional
        Its latest place: families, rules and crimes as of that night go before those of the item.
    zone : ZoneInfo
        Zone of the times shown.
    now : datetime
        Tells a text that was purged at its date from one erased before.
    """
    ordered = sorted(texts, key=lambda each: each.part)
    crimes = {each.crime_ref: each for text in ordered for each in text.crimes}
    if row is not None:
        crimes = {each.crime_ref: each for each in row.crimes}
    source = row if row is not None else item
    places = tuple(_places(item, ordered))
    links = {number: part.link for number, part in enumerate(item.parts, 1)}
    return ItemView(
        item_id=item.item_id,
        record_ref=harmless(item.record_ref),
        source=source_words(item.source),
        parts=tuple(
            _part(text, links.get(text.part, ""), places, source.rules, zone=zone, now=now)
            for text in ordered
        ),
        places=places,
        crimes=tuple(harmless(crime_line(each, zone)) for _, each in sorted(crimes.items())),
        families=tuple(suggestion(name, TITLES.get(name, name), crimes.values()) for name in source.families),
        rules=tuple(title_of(name) for name in source.rules),
    )


def source_words(source: str) -> str:
    """Return the name of a table as people read it.

    >>> source_words("domestic_noncrimes")
    'domestic noncrimes'
    """
    return source.replace("_", " ")


def _places(item: Item, texts: Sequence[ItemText]) -> Iterator[Place]:
    """Give the item's places in the order of reading: part by part, answers before the text."""
    parts = {text.part: text for text in texts}
    found = []
    for each in item.evidence:
        part = parts.get(each.part)
        if part is None or part.text is None:
            continue
        number = question_number(each.question) if each.question else None
        if number is not None:
            answer = (part.answers or {}).get(number, "")
            words = f"{question_words(part.form_version, number)} {answer}"
            found.append((each.part, -1, number, f"{each.part}:q{number}", words, each))
        elif each.start is not None and each.end is not None and each.end <= len(part.text):
            words = part.text[each.start : each.end]
            value = f"{each.part}:{each.start}:{each.end}"
            found.append((each.part, each.start, each.end, value, words, each))
    found.sort(key=lambda known: known[:3])
    for count, (part_number, start, end, value, words, each) in enumerate(found, 1):
        yield Place(
            number=count,
            value=value,
            part=part_number,
            start=start,
            end=end,
            family=each.family,
            label=_label(each.family, each.status),
            words=_short(words),
            against=each.status == LOWERS or not each.family,
            weak=each.status in STATUSES and each.status not in STANDING,
        )


def _label(family: str, status: str) -> str:
    if not family or status == LOWERS:
        return "speaks against"
    title = TITLES.get(family, family)
    return f"{title}: {status.replace('_', ' ')}" if status else title


def _part(
    part: ItemText,
    link: str,
    places: Sequence[Place],
    rules: Sequence[str],
    *,
    zone: ZoneInfo,
    now: datetime,
) -> PartView:
    closed = moment(part.closed_at, zone) if part.closed_at else "still open"
    facts = [("Opened", moment(part.opened_at, zone)), ("Closed", closed)]
    facts += [
        (name, harmless(value))
        for name, value in (
            ("Opening code", part.opening_code),
            ("Closing code", part.closing_code),
            ("Form", part.form_version),
        )
        if value
    ]
    here = {str(place.number): place for place in places if place.part == part.part}
    text = part.text or ""
    answers = tuple(_answers(part, tuple(here.values()), rules))
    return PartView(
        number=part.part,
        record_ref=harmless(part.record_ref),
        source=source_words(part.source),
        link=LINKS.get(link, link),
        facts=tuple(facts),
        claims=tuple(
            harmless(f"{each.kind} {each.reference}: {each.status.replace('_', ' ')}")
            for each in part.claims or ()
        ),
        gone=_gone(part, zone, now),
        lines=_lines(text, here) if text.strip() else (),
        answers=answers,
        clauses=(*_answer_clauses(part.part, answers), *_clauses(part.part, text)),
    )


def _gone(part: ItemText, zone: ZoneInfo, now: datetime) -> str:
    if part.text is not None:
        return ""
    if now >= part.retain_until:
        return f"The text was purged: its retention date was {moment(part.retain_until, zone)}."
    return "The text was erased before its retention date."


def _answers(part: ItemText, places: Sequence[Place], rules: Sequence[str]) -> Iterator[Answer]:
    for number, given in sorted((part.answers or {}).items()):
        spoken = [place for place in places if place.value == f"{part.part}:q{number}"]
        named = [place.label for place in spoken]
        ruled = ruled_families(part.form_version, number, given, rules)
        named += [TITLES[family] for family in ruled if family in TITLES]
        families = tuple(dict.fromkeys(named))
        yield Answer(number, about(part.form_version, number), given, tuple(spoken), families)


def _lines(text: str, places: Mapping[str, Place]) -> tuple[Line, ...]:
    spans = [Span(number, place.start, place.end) for number, place in places.items() if place.start >= 0]
    rows = []
    for entry in split_entries(text):
        middle = entry.start + _head_length(text[entry.start : entry.end], entry)
        cut = [
            [piece for line in entry_lines(text, spans, (Entry(start, end),)) for piece in line]
            for start, end in ((entry.start, middle), (middle, entry.end))
            if start < end
        ]
        head, body = cut if len(cut) == 2 else ([], cut[0])
        if head or body:
            rows.append((head, body))
    begun: set[str] = set()
    left: dict[str, int] = {}
    for head, body in rows:
        for piece in (*head, *body):
            for number in piece.families:
                left[number] = left.get(number, 0) + 1

    def shown(piece_text: str, numbers: tuple[str, ...]) -> Piece:
        begins, ends = [], []
        for number in numbers:
            if number not in begun:
                begun.add(number)
                begins.append(places[number])
            left[number] -= 1
            if not left[number]:
                ends.append(places[number])
        marked = tuple(places[number] for number in numbers)
        return Piece(harmless(piece_text), marked, tuple(begins), tuple(ends))

    return tuple(
        Line(
            tuple([shown(each.text, each.families) for each in head]),
            tuple([shown(each.text, each.families) for each in body]),
        )
        for head, body in rows
    )


def _head_length(written: str, entry: Entry) -> int:
    """Return how many characters of an entry are its stamp and author.

    >>> _head_length("22:31 UPD TA12: ALL QUIET", Entry(0, 25, "22:31", "UPD TA12"))
    16
    """
    at = written.find(entry.clock, 0, _HEAD_CHARACTERS) if entry.clock else -1
    if at < 0:
        return 0
    end = at + len(entry.clock)
    rest = _HEAD_REST.match(written, end)
    end = rest.end() if rest else end
    author = written.find(entry.author, end, end + _HEAD_CHARACTERS) if entry.author else -1
    if author >= 0:
        end = author + len(entry.author)
    marks = _PUNCTUATION.match(written, end)
    return marks.end() if marks else end


def _answer_clauses(part: int, answers: Sequence[Answer]) -> Iterator[Clause]:
    for each in answers:
        yield Clause(f"{part}:q{each.number}", f"Q{each.number} {each.about} {each.given}".strip())


def _clauses(part: int, text: str) -> Iterator[Clause]:
    least = len(text) // _CLAUSES_MOST
    for entry in split_entries(text):
        start = entry.start
        ends = [match.start() for match in _CLAUSE_END.finditer(text, entry.start, entry.end)]
        for end in (*ends, entry.end):
            said = text[start:end].strip()
            if not said or (end - start < least and end != entry.end):
                continue
            first = text.index(said, start)
            yield Clause(f"{part}:{first}:{first + len(said)}", _short(said))
            start = end


def _short(words: str) -> str:
    shown = " ".join(harmless(words).split())
    return shown if len(shown) <= _CLAUSE_CHARACTERS else f"{shown[: _CLAUSE_CHARACTERS - 1]}…"
