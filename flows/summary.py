"""What a night says at its end: counts, the first items without their text, and where to read them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from triage.ranking.allocation import ARMS
from triage.reading.records import TABLES
from triage.store import QueueRow, Run

FIRST_ITEMS = 10
ARTIFACT_KEY = "nightly"


@dataclass(frozen=True, slots=True)
class Summary:
    """A published run and its queue; ``minutes`` is what this process took."""

    run: Run
    queue: tuple[QueueRow, ...]
    was_published: bool
    minutes: float
    store: str
    folder: Path


def _number(counts: Mapping[str, int | Mapping[str, int]], name: str) -> int:
    value = counts.get(name, 0)
    return value if isinstance(value, int) else sum(value.values())


def _by_table(counts: Mapping[str, int | Mapping[str, int]], name: str) -> str:
    value = counts.get(name, 0)
    tables = {} if isinstance(value, int) else value
    named = ", ".join(f"{table} {tables[table]:,}" for table in TABLES if tables.get(table))
    return f"{_number(counts, name):,}" + (f" ({named})" if named else "")


def count_lines(summary: Summary) -> list[tuple[str, str]]:
    """Return name and value of everything that the night counted, in the order of its work."""
    run, counts = summary.run, summary.run.counts
    arms = ", ".join(f"{arm} {_number(counts, arm)}" for arm in ARMS)
    lines = [
        ("rows in", _by_table(counts, "rows")),
        ("rejected", _by_table(counts, "rejected")),
        ("records", f"{_number(counts, 'records'):,}"),
        (
            "crimes",
            f"{_number(counts, 'crimes'):,} ({_number(counts, 'orphan_crimes'):,} of no record here, "
            f"{_number(counts, 'crimes_recorded_later'):,} recorded later)",
        ),
        (
            "matters",
            f"{_number(counts, 'matters'):,} "
            f"({_number(counts, 'linked_records'):,} records linked to another)",
        ),
        (
            "eligible",
            f"{_number(counts, 'eligible_matters'):,} ({_number(counts, 'queued_before'):,} queued before)",
        ),
        (
            "queued",
            f"{len(summary.queue)} of {run.budget_items}: {arms}; carried {_number(counts, 'carried')}",
        ),
    ]
    left = {
        "rule items beyond their share": _number(counts, "rule_overflow"),
        "carried items beyond the budget": _number(counts, "carried_over_budget"),
        "replaced by a newer text": _number(counts, "superseded"),
    }
    if any(left.values()):
        lines.append(("set aside", ", ".join(f"{name} {count}" for name, count in left.items() if count)))
    lines += [("as of", f"{run.as_of:%Y-%m-%d %H:%M} UTC"), ("model", run.model_id), ("run", run.run_id)]
    if run.status != "complete":
        lines.append(("status", f"{run.status}: no crimes in the extract, so all that is disclosed counts"))
    lines.append(("minutes", f"{summary.minutes:.2f}"))
    return lines


def print_summary(summary: Summary, console: Console) -> None:
    """Print counts, the first ten items by reference, and where to read them; never text.

    Parameters
    ----------
    summary : Summary
        The night.
    console : Console
        Plain lines where it is not a terminal.
    """
    state = "already published, nothing added" if summary.was_published else "published"
    # What comes from the extract is printed as it is: brackets in a reference are no markup.
    console.print(f"Night {summary.run.run_id}: {state}", style="bold", markup=False, highlight=False)
    for name, value in count_lines(summary):
        console.print(f"  {name:<10} {value}", markup=False, highlight=False, soft_wrap=True)
    for note in summary.run.notes:
        console.print(f"  note       {note}", markup=False, highlight=False, soft_wrap=True)
    if summary.queue:
        console.print(_first_items(summary, console))
        first = summary.queue[0].item.record_ref
        console.print("Read them:  triage queue list", markup=False, highlight=False)
        console.print(
            f"            triage queue show {_as_word(_plain(first))}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"Run files:  {summary.folder}", markup=False, highlight=False, soft_wrap=True)


def _first_items(summary: Summary, console: Console) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("reference", no_wrap=True)
    table.add_column("arm", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("families", overflow="fold")
    for row in summary.queue[:FIRST_ITEMS]:
        cells = (
            str(row.position),
            _plain(row.item.record_ref),
            row.arm,
            f"{row.score_01:.3f}",
            ", ".join(row.item.families) + (" (carried)" if row.carried else ""),
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _plain(reference: str) -> str:
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in reference
    )


def _as_word(reference: str) -> str:
    """Return a reference as a shell takes it: for one word, and for no option."""
    return f"{'-- ' if reference.startswith('-') else ''}{shlex.quote(reference)}"


def markdown(summary: Summary) -> str:
    """Return the night as the one artifact that Prefect keeps: counts, model and minutes, no references."""
    lines = [
        f"# Night {summary.run.run_id}",
        "",
        "already published, nothing added" if summary.was_published else "published",
        "",
        "| what | how many |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in count_lines(summary))])
