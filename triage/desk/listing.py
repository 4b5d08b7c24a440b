"""Tables that people read at a terminal: the queue, the runs and the models; never a record's text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from triage.desk.reading_view import harmless
from triage.learning.manifest import is_local, key_of
from triage.learning.registry import Serving
from triage.learning.signing import TrustedKeys
from triage.settings import Settings
from triage.store.rows import QueueRow, Run

#: Characters in a line where the output is no terminal and so has no width of its own.
PIPE_CHARACTERS = 200


def a_console() -> Console:
    """Return a console on standard output that takes nothing in a text for an instruction."""
    width = None if sys.stdout.isatty() else PIPE_CHARACTERS
    return Console(width=width, markup=False, emoji=False, highlight=False)


def paints(console: Console) -> bool:
    """Tell whether the console shows colour; where it does not, evidence is marked by brackets."""
    return console.is_terminal and console.color_system is not None and not console.no_color


def moment(when: datetime, zone: ZoneInfo) -> str:
    """Return a moment as people of that zone write it, to the minute.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 10, 13, 21, 14, tzinfo=UTC), ZoneInfo("Europe/London"))
    '13 Oct 2026 22:14'
    """
    return f"{when.astimezone(zone):%d %b %Y %H:%M}"


def age(opened_at: datetime, as_of: datetime) -> str:
    """Return how old a record was at the run's as-of moment: hours for the first two days, then days.

    >>> from datetime import timedelta, timezone
    >>> now = datetime(2026, 10, 14, tzinfo=timezone.utc)
    >>> age(now - timedelta(hours=30), now), age(now - timedelta(days=5), now)
    ('30 h', '5 d')
    """
    hours = (as_of - opened_at).total_seconds() / 3600
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"


def a_table(title: str, headings: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table whose cells are plain text.

    Parameters
    ----------
    title : str
        Stands above the table.
    headings : sequence of (str, bool)
        Each heading, and whether its column holds numbers.
    rows : iterable of sequence of str
        One cell for each heading.
    """
    table = Table(title=Text(harmless(title)), title_justify="left", box=SIMPLE, pad_edge=False)
    for heading, numeric in headings:
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(harmless(cell)) for cell in row))
    return table


def queue_table(
    rows: Sequence[QueueRow], run: Run, *, zone: ZoneInfo, arms: bool = False, limit: int | None = None
) -> Table:
    """Return the queue in reading order, without any text.

    Parameters
    ----------
    rows : sequence of QueueRow
        The places of one run.
    run : Run
        The run that published them; ages count to its as-of moment.
    zone : ZoneInfo
        Zone of the times shown.
    arms : bool
        Show arm and score; hidden by default, since an auditor should not know the arm before deciding, and
        a low score at a high place gives it away.
    limit : int, optional
        Most rows shown.
    """
    columns: list[tuple[str, bool, Callable[[QueueRow], str]]] = [
        ("position", True, lambda row: str(row.position)),
        ("reference", False, lambda row: row.item.record_ref),
        ("source", False, lambda row: row.item.source),
        ("families", False, lambda row: ", ".join(row.families)),
        ("opened", False, lambda row: moment(row.item.opened_at, zone)),
        ("age", True, lambda row: age(row.item.opened_at, run.as_of)),
        ("parts", True, lambda row: str(len(row.item.parts))),
        ("carried", False, lambda row: "yes" if row.carried else ""),
    ]
    if arms:
        columns.insert(2, ("arm", False, lambda row: row.arm))
        columns.insert(4, ("score", True, lambda row: f"{row.score_01:.3f}"))
    shown = rows[:limit]
    partial = "" if run.status == "complete" else f" ({run.status})"
    title = f"Queue of run {run.run_id}{partial}: {len(shown)} of {len(rows)} items"
    headings = [(heading, numeric) for heading, numeric, _ in columns]
    return a_table(title, headings, ([cell(row) for _, _, cell in columns] for row in shown))


def runs_table(runs: Sequence[Run], *, zone: ZoneInfo) -> Table:
    """Return the published runs, newest first, with their counts."""
    newest = sorted(runs, key=lambda run: (run.as_of, run.published_at), reverse=True)
    headings = [
        (name, name == "budget")
        for name in ("run", "as of", "published", "status", "model", "budget", "counts")
    ]
    return a_table(
        f"{len(runs)} runs",
        headings,
        (
            (
                run.run_id,
                moment(run.as_of, zone),
                moment(run.published_at, zone),
                run.status,
                run.model_id,
                str(run.budget_items),
                counts_line(run.counts),
            )
            for run in newest
        ),
    )


def counts_line(counts: Mapping[str, int | Mapping[str, int]]) -> str:
    """Return counts on one line, nested ones in brackets.

    >>> counts_line({"records": 3, "arms": {"rule": 1}})
    'records 3, arms (rule 1)'
    """
    return ", ".join(
        f"{name} ({counts_line(value)})" if isinstance(value, Mapping) else f"{name} {value}"
        for name, value in counts.items()
    )


def models_table(
    manifests: Sequence[Mapping[str, Any]], ranks: Serving | None, trusted: TrustedKeys, *, zone: ZoneInfo
) -> Table:
    """Return the registered models, in the registry's order: when and from what built, signed by whom.

    Parameters
    ----------
    manifests : sequence of mapping
        As they stand in the registry; ``erased`` says how many of a model's records were erased since.
    ranks : Serving or None
        The model that ranks.
    trusted : TrustedKeys
        The keys that are believed.
    zone : ZoneInfo
        Zone of the times shown.
    """
    numeric = {"records", "erased"}
    return a_table(
        f"{len(manifests)} models",
        [
            (name, name in numeric)
            for name in ("model", "recipe", "as of", "signed", "ranks", "records", "erased")
        ],
        (
            [
                str(manifest["model_id"]),
                str(manifest["recipe"]),
                moment(datetime.fromisoformat(manifest["as_of"]), zone),
                _signed(manifest, trusted),
                _ranks(str(manifest["model_id"]), ranks),
                str(manifest.get("training", {}).get("records", "")),
                str(manifest.get("erased") or ""),
            ]
            for manifest in manifests
        ),
    )


def _signed(manifest: Mapping[str, Any], trusted: TrustedKeys) -> str:
    """Return what a manifest says of who signed it; loading and `models verify` find out whether it is so."""
    if not key_of(manifest):
        return "unsigned, not loaded"
    name = "local" if is_local(manifest) else str(manifest["signed_by"].get("name", ""))
    return f"{name} {key_of(manifest)}" + ("" if trusted.has(key_of(manifest)) else ", not trusted")


def _ranks(model_id: str, ranks: Serving | None) -> str:
    if ranks is None or ranks.model_id != model_id:
        return ""
    if ranks.promotion is None:
        return "yes, never promoted by a person"
    return "yes, promoted by " + ranks.promotion.actor


def settings_table(settings: Settings) -> Table:
    """Return every setting with its value in effect and its default; a secret is only said to be set."""
    rows = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        shown = "(set, not shown)" if isinstance(value, SecretStr) else _setting(value)
        rows.append((name, shown, "" if value == field.default else _setting(field.default)))
    return a_table(
        "Settings in effect", [("setting", False), ("value", False), ("default, where changed", False)], rows
    )


def _setting(value: object) -> str:
    if value is None or value == ():
        return "(empty)"
    return ", ".join(str(each) for each in value) if isinstance(value, tuple) else str(value)
