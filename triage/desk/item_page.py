"""One item as an auditor reads it: what it is, why it is here, its records with the evidence marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from triage.desk.listing import moment
from triage.desk.reading_view import Segment, Span, bracketed, coloured, entry_lines, harmless, label
from triage.language.forms import question_numbered, question_words
from triage.language.offences import FAMILIES, family_of
from triage.ranking.rules import RULES, title_of
from triage.reading.entries import split_entries
from triage.store.rows import Item, ItemCrime, ItemEvidence, ItemText, QueueRow

CLOSING_SENTENCE = "A suggestion for audit, not a finding."
LINKS = {
    "incident": "same incident",
    "repeat": "repeated call about one matter",
    "duplicate_claim": "its text names the other record",
    "same_reference": "same reference",
}


def item_page(
    item: Item,
    texts: Sequence[ItemText],
    place: QueueRow | None = None,
    *,
    zone: ZoneInfo,
    marking: str,
    colour: bool,
) -> Iterator[Text]:
    """Give the lines of an item's page, each without its line break.

    Parameters
    ----------
    item : Item
        As it was queued; neither arm nor probabilities are shown, since an auditor should not know the one
        before deciding, and the others give it away.
    texts : sequence of ItemText
        The item's parts.
    place : QueueRow, optional
        Its latest place: families, rules and crimes as of that night go before those of the item.
    zone : ZoneInfo
        Zone of the times shown.
    marking : str
        Security marking, the first and the last line.
    colour : bool
        Mark evidence by colour; else by brackets, for files and pipes.

    Raises
    ------
    ValueError
        If evidence lies outside its text.
    """
    yield Text(marking, style="bold")
    yield Text(harmless(f"{item.record_ref} ({item.source})"), style="bold")
    crimes = {each.crime_ref: each for text in texts for each in text.crimes}
    if place is not None:
        item = replace(item, families=place.families, rules=place.rules)
        crimes = {each.crime_ref: each for each in place.crimes}
    listed = tuple(each for _, each in sorted(crimes.items()))
    yield from _head(item, listed, zone)
    yield from _reasons(item, listed)
    for part in sorted(texts, key=lambda each: each.part):
        evidence = [each for each in item.evidence if each.part == part.part]
        yield Text("")
        yield Text(
            harmless(f"Part {part.part} of {len(texts)}: {part.record_ref} ({part.source})"), style="bold"
        )
        yield from _facts(part, zone)
        yield from _body(part, evidence, item.rules, colour=colour, zone=zone)
    yield Text("")
    yield Text(CLOSING_SENTENCE, style="italic")
    yield Text(marking, style="bold")


def question_number(question: str) -> int | None:
    """Return the number of a form's question, None where it has none.

    >>> question_number("q19"), question_number("7"), question_number("grade")
    (19, 7, None)
    """
    digits = question.lower().removeprefix("q")
    return int(digits) if digits.isdecimal() else None


def _line(label: str, value: str) -> Text:
    return Text(harmless(f"  {label:<16} {value}"))


def _head(item: Item, crimes: Sequence[ItemCrime], zone: ZoneInfo) -> Iterator[Text]:
    yield _line("item", f"{item.item_id}, first queued by run {item.run_id}")
    yield _line("times", f"as in {zone.key}")
    if len(item.parts) > 1:
        for number, part in enumerate(item.parts, start=1):
            why = LINKS.get(part.link, part.link)
            yield _line(
                "parts" if number == 1 else "", f"{number}. {part.record_ref} ({part.source}) {why}".rstrip()
            )
    listed = [crime_line(each, zone) for each in crimes] or ["none known on the night of its latest queue"]
    for number, each in enumerate(listed):
        yield _line("" if number else "recorded crimes", each)


def crime_line(crime: ItemCrime, zone: ZoneInfo) -> str:
    """Return a recorded crime as a line for people."""
    at = moment(datetime.fromisoformat(crime.recorded_at), zone)
    # The moment is that of the recording: the extract does not say when a crime was cancelled.
    status = "" if crime.status == "recorded" else f", since {crime.status}"
    return f"{crime.crime_ref}: {crime.offence_code}, recorded {at}{status}"


def suggestion(family: str, title: str, crimes: Iterable[ItemCrime]) -> str:
    """Return an unrecorded family as it is suggested; one that is recorded, for another victim.

    >>> suggestion("theft", "Theft", [])
    'Theft'
    """
    known = [family_of(crime.offence_code) for crime in crimes if crime.status == "recorded"].count(family)
    if not known:
        return title
    return f"{title}, perhaps of another victim than the recorded {'one' if known == 1 else 'ones'}"


def _reasons(item: Item, crimes: Sequence[ItemCrime]) -> Iterator[Text]:
    yield Text("")
    yield Text("Why it is here", style="bold")
    known = [name for name in FAMILIES if name in item.p_families]
    likely = sorted(known, key=lambda name: -item.p_families[name])
    for number, family in enumerate(item.families or ("none stands out",)):
        yield _line("" if number else "unrecorded", suggestion(family, family, crimes))
    others = [name for name in likely if name not in item.families]
    if others:
        yield _line("other families", ", ".join(others[:3]))
    for number, rule in enumerate(item.rules):
        yield _line("" if number else "rules", title_of(rule))


def _facts(part: ItemText, zone: ZoneInfo) -> Iterator[Text]:
    closed = moment(part.closed_at, zone) if part.closed_at else "still open"
    yield _line("opened", f"{moment(part.opened_at, zone)}, closed {closed}")
    if part.opening_code or part.closing_code:
        yield _line("codes", f"opening {part.opening_code or '-'}, closing {part.closing_code or '-'}")
    if part.form_version:
        yield _line("form", part.form_version)
    for number, claim in enumerate(part.claims or ()):
        named = f"{claim.kind} {claim.reference}: {claim.status.replace('_', ' ')}"
        yield _line("" if number else "text refers to", named)


def _body(
    part: ItemText,
    evidence: Sequence[ItemEvidence],
    rules: Sequence[str],
    *,
    colour: bool,
    zone: ZoneInfo,
) -> Iterator[Text]:
    if part.text is None:
        yield _line("text", f"purged or erased; its retention date was {moment(part.retain_until, zone)}")
        return
    for number, answer in sorted((part.answers or {}).items()):
        speaking = [each.family for each in evidence if question_number(each.question) == number]
        speaking += ruled_families(part.form_version, number, answer, rules)
        families = tuple(dict.fromkeys(speaking))
        said = f"{question_words(part.form_version, number)} {answer}"
        yield Text("    ") + _marked([Segment(said, families)], colour=colour)
    if not part.text.strip():
        yield _line("text", "empty: there is no narrative to read")
        return
    yield Text("")
    spans = [
        Span(label(each.family, each.status), each.start, each.end)
        for each in evidence
        if each.start is not None and each.end is not None
    ]
    for line in entry_lines(part.text, spans, split_entries(part.text)):
        yield _marked(line, colour=colour)


def ruled_families(form_version: str, number: int, answer: str, rules: Sequence[str]) -> list[str]:
    """Return the families that an answer speaks of by the rules that an item met."""
    asked = question_numbered(form_version, number)
    if asked is None or answer != "Y":
        return []
    met = (RULES[name] for name in rules if name in RULES)
    return [family for rule in met if rule.question == asked.name for family in sorted(rule.families)]


def _marked(line: Sequence[Segment], *, colour: bool) -> Text:
    return coloured(line) if colour else Text(bracketed(line), end="")
