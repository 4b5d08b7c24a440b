"""The command ``triage monitor``: whether the nights are as they were, and what to do where they are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from triage.desk.monitor_run import Monitored
    from triage.settings import Settings
    from triage.store.store import Store

#: Doubted decisions listed at the terminal; the registrar's desk has all.
_LISTED = 20


def add_monitor(app: typer.Typer, *, actor: Callable[[str | None], str]) -> None:
    """Add the command to the program, which hands in how it knows who is asking."""

    @app.command()
    def monitor(
        as_of: Annotated[
            str | None,
            typer.Option("--as-of", metavar="TIME", help="ISO 8601; the last night by default."),
        ] = None,
        extract: Annotated[
            Path | None,
            typer.Option(
                "--extract", metavar="DIR", help="A recent extract, to compare all texts; needs --reference."
            ),
        ] = None,
        reference: Annotated[
            Path | None, typer.Option("--reference", metavar="DIR", help="The earlier extract.")
        ] = None,
        groups: Annotated[
            Path | None,
            typer.Option(
                "--groups",
                metavar="FILE",
                help="Groups of records (record_ref, victim_sex, …), for fairness: .csv or .parquet.",
            ),
        ] = None,
        name: Annotated[
            str | None,
            typer.Option(
                "--actor",
                metavar="NAME",
                help="Who does it; the name of the login by default. It is logged.",
            ),
        ] = None,
    ) -> None:
        """Compare the last weeks with those before, and say where a person should look or act."""
        from triage.desk.groups_file import read_groups
        from triage.desk.monitor_run import Wanted, run_monitoring
        from triage.desk.score_command import parsed_moment
        from triage.learning.monitor_report import note
        from triage.settings import load
        from triage.store import open_store

        settings = load()
        who = actor(name)
        check_may_monitor(settings, who)
        wanted = Wanted(
            as_of=parsed_moment(as_of, settings.zone).astimezone(UTC) if as_of else None,
            groups=read_groups(groups) if groups else None,
            extract=extract,
            reference=reference,
        )
        with open_store(settings.store_url) as store:
            store.check()
            done = run_monitoring(store, settings, wanted, actor=who, now=datetime.now(UTC))
            typer.echo(note(done.found))
            _print_doubts(store, done)
        typer.echo(f"report, figures and charts: {done.folder}", err=True)


def check_may_monitor(settings: Settings, actor: str) -> None:
    """Pass if a person may see the registrar's desk, whose figures these are; on one's own machine, anybody.

    Raises
    ------
    PermissionDeniedError
        Otherwise. At the command line only names count, not groups.
    """
    from triage.review.permissions import require

    if settings.access_mode != "local":
        require([role for role, members in settings.role_members.items() if actor in members], "see_desk")


def _print_doubts(store: Store, done: Monitored) -> None:
    """Print the decisions that others contradict, by reference; nothing of them is changed."""
    from triage.desk.listing import a_console, a_table

    listed = done.found.doubts[:_LISTED]
    if not listed:
        return
    items = [store.item(each.item_id) for each in listed]
    table = a_table(
        f"{len(listed)} of {len(done.found.doubts)} decisions to look at again, the most doubtful first",
        [("reference", False), ("decided", False), ("others suggest", False), ("how strongly", True)],
        (
            (item.record_ref if item else each.item_id, each.given, each.suggested, f"{each.margin:.2f}")
            for item, each in zip(items, listed, strict=True)
        ),
    )
    a_console().print(table)
