"""A published queue as a table for a spreadsheet: references, reasons and short excerpts of evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from triage.desk.export import Cell, Column, Sheet
from triage.desk.item_page import CLOSING_SENTENCE, question_number
from triage.desk.listing import age, moment
from triage.desk.reading_view import excerpt, label
from triage.language.offences import TITLES
from triage.ranking.rules import title_of
from triage.store.rows import Item, ItemText, QueueRow, Run

EXCERPTS = 3
COLUMNS = (
    Column("marking", 20, "Security marking of this row."),
    Column("position", 9, "Place in the queue; 1 is read first."),
    Column("reference", 24, "Reference of the record, or of the first of several about one matter."),
    Column("source", 18, "Table of the extract that the record came from."),
    Column(
        "families",
        34,
        "Offence families disclosed and not recorded, or not for every victim; likeliest first.",
    ),
    Column("reasons", 40, "Why the item is in the queue: rules that it met, and likely families."),
    Column(
        "evidence",
        70,
        f"Up to {EXCERPTS} short excerpts, the evidence in ⟦ ⟧; read the whole record to decide.",
    ),
    Column("opened", 18, "When the record was opened, in the force's time zone."),
    Column("age", 8, "Age at the run's as-of moment, in hours (h) or days (d)."),
    Column("parts", 40, "All records of the matter, read together."),
    Column("carried", 9, "yes: queued by an earlier run and not yet read."),
    Column("item", 20, "Number of the item in the store."),
)


def queue_sheet(
    rows: Sequence[QueueRow],
    texts: Mapping[str, Sequence[ItemText]],
    run: Run,
    *,
    marking: str,
    zone: ZoneInfo,
) -> Sheet:
    """Return a run's queue as a table to export; the same run gives the same table.

    Parameters
    ----------
    rows : sequence of QueueRow
        The places of the run.
    texts : mapping of str to sequence of ItemText
        Item number to the texts of its parts, for the excerpts.
    run : Run
        The run that published the queue.
    marking : str
        Security marking of every row and page.
    zone : ZoneInfo
        Zone of the times shown.
    """
    return Sheet(
        title=f"Crime recording audit queue, run {run.run_id}",
        marking=marking,
        as_of=run.as_of,
        columns=COLUMNS,
        rows=tuple(_row(row, texts.get(row.item.item_id, ()), run, marking, zone) for row in rows),
        notes=(
            ("What it is", CLOSING_SENTENCE),
            ("Run", run.run_id),
            ("As of", f"{moment(run.as_of, zone)} ({zone.key})"),
            ("Model", run.model_id),
            ("Items", str(len(rows))),
        ),
    )


def _row(
    row: QueueRow, texts: Sequence[ItemText], run: Run, marking: str, zone: ZoneInfo
) -> tuple[Cell, ...]:
    item = row.item
    return (
        marking,
        row.position,
        item.record_ref,
        item.source,
        "; ".join(row.families),
        reasons(row),
        evidence_cell(item, texts),
        moment(item.opened_at, zone),
        age(item.opened_at, run.as_of),
        "; ".join(f"{part.record_ref} ({part.source})" for part in item.parts),
        "yes" if row.carried else "",
        item.item_id,
    )


def reasons(row: QueueRow) -> str:
    """Return why an item is queued, in words: the rules that it met, then its likeliest families.

    Without numbers: a low one would tell the auditor that the item was drawn at random.
    """
    likely = [TITLES.get(family, family) for family in row.families]
    met = [title_of(rule) for rule in row.rules]
    return "; ".join([*met, *([f"likeliest {', '.join(likely)}"] if likely else [])])


def evidence_cell(item: Item, texts: Sequence[ItemText]) -> str:
    """Return the best excerpts of an item, one a line, each with its family; erased texts give none."""
    by_part = {text.part: text for text in texts}
    lines = []
    for each in item.evidence:
        text = by_part.get(each.part)
        if text is None or text.text is None or not each.family:
            continue
        if each.start is None:
            number = question_number(each.question)
            answer = (text.answers or {}).get(number, "") if number is not None else ""
            lines.append(f"{each.family}: question {number or each.question} {answer}".rstrip())
        else:
            lines.append(f"{label(each.family, each.status)}: {excerpt(text.text, each)}")
    return "\n".join(lines[:EXCERPTS])
