"""What a row of the workbook shows of an item: its records, entry by entry, and why it is queued."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from triage.desk.export import Cell, guarded
from triage.desk.item_page import crime_line, question_number
from triage.desk.listing import moment
from triage.desk.queue_export import reasons
from triage.desk.reading_view import excerpt, label
from triage.desk.workbook_sheet import ITEM, text_heading
from triage.language.forms import question_words
from triage.language.offences import TITLES
from triage.reading.entries import split_entries
from triage.store.rows import ItemText, QueueRow

#: Source: "Excel specifications and limits": 32,767 characters and 253 line feeds in a cell; some are left
#: for the apostrophe in front and for programs that count otherwise.
PIECE_CHARACTERS, PIECE_LINES = 32_000, 250


def pieces(text: str) -> list[str]:
    r"""Return a text cut into stretches that fit into cells, at line breaks or blanks where there are any.

    Together they are the text again. Characters are counted as Excel does, those beyond U+FFFF twice.

    >>> pieces("one\ntwo"), [len(piece) for piece in pieces("x" * 70_000)]
    (['one\ntwo'], [32000, 32000, 6000])
    """
    cut = []
    while text:
        fits = _characters_that_fit(text)
        if fits < len(text):
            at = max(text.rfind("\n", 1, fits), text.rfind(" ", fits - 200, fits))
            fits = at + 1 if at > fits // 2 else fits
        cut.append(text[:fits])
        text = text[fits:]
    return cut or [""]


def _characters_that_fit(text: str) -> int:
    units = lines = 0
    for index, character in enumerate(text):
        units += 2 if character > "\uffff" else 1
        lines += character == "\n"
        if units > PIECE_CHARACTERS or lines > PIECE_LINES:
            return index
    return len(text)


def locked_cells(
    row: QueueRow, texts: Sequence[ItemText], *, zone: ZoneInfo, places: bool
) -> dict[str, Cell]:
    """Return the cells of an item that nobody may change, by heading; arm and score are not among them.

    Parameters
    ----------
    row : QueueRow
        The item's place.
    texts : sequence of ItemText
        Its parts.
    zone : ZoneInfo
        Zone of the times shown.
    places : bool
        Whether to show the words that say so; without them an item is read as one drawn at random is.
    """
    item = row.item
    cells: dict[str, Cell] = {
        "place": row.position,
        "reference": item.record_ref,
        ITEM: item.item_id,
        "source": item.source,
        "opened": moment(item.opened_at, zone),
        "families suggested": "; ".join(TITLES.get(family, family) for family in row.families),
        "why it is here": reasons(row),
        "places that say so": _places(row, texts) if places else "",
        "recorded crimes": "\n".join(crime_line(crime, zone) for crime in row.crimes),
    }
    ready: dict[str, Cell] = {
        heading: guarded(pieces(cell)[0]) if isinstance(cell, str) else cell
        for heading, cell in cells.items()
    }
    read = "\n\n".join(_part(text, len(texts), zone) for text in texts)
    return ready | {text_heading(at): guarded(piece) for at, piece in enumerate(pieces(read), 1)}


def _part(part: ItemText, of: int, zone: ZoneInfo) -> str:
    closed = f"closed {moment(part.closed_at, zone)}" if part.closed_at else "still open"
    lines = [
        f"Part {part.part} of {of}: {part.record_ref} ({part.source}), "
        f"opened {moment(part.opened_at, zone)}, {closed}"
    ]
    if part.opening_code or part.closing_code:
        lines.append(f"Codes: opening {part.opening_code or '-'}, closing {part.closing_code or '-'}")
    if part.form_version:
        lines.append(f"Form: {part.form_version}")
    for number, answer in sorted((part.answers or {}).items()):
        lines.append(f"{question_words(part.form_version, number)}: {answer}")
    text = part.text or ""
    lines += [text[entry.start : entry.end].strip("\r\n ") for entry in split_entries(text)]
    return "\n".join(line for line in lines if line.strip())


def _places(row: QueueRow, texts: Sequence[ItemText]) -> str:
    by_part = {text.part: text for text in texts}
    lines = []
    for each in row.item.evidence:
        part = by_part.get(each.part)
        if part is None or part.text is None:
            continue
        said = label(TITLES.get(each.family, each.family), each.status)
        number = question_number(each.question)
        if each.start is None:
            answer = (part.answers or {}).get(number, "") if number is not None else ""
            lines.append(f"{said}: question {number or each.question} {answer}".rstrip())
        else:
            lines.append(f"{said}: {excerpt(part.text, each)}")
    return "\n".join(dict.fromkeys(lines))
