"""The commands ``triage workbook export`` and ``import``: a queue decided in a spreadsheet program."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.errors import UsageError

if TYPE_CHECKING:
    from triage.desk.workbook_import import Imported
    from triage.settings import Settings

Name = Annotated[
    str | None,
    typer.Option(
        "--actor", metavar="NAME", help="Who does it; the name of the login by default. It is logged."
    ),
]


def add_workbook(app: typer.Typer, *, actor: Callable[[str | None], str]) -> None:
    """Add the commands to their group; the program hands in how it knows who is asking."""

    @app.command("export")
    def export(
        out: Annotated[Path, typer.Argument(metavar="OUT.xlsx", help="File to write.")],
        run: Annotated[
            str | None, typer.Option("--run", metavar="ID", help="A run; the latest one by default.")
        ] = None,
        mine: Annotated[bool, typer.Option("--mine", help="Only items that you hold already.")] = False,
        limit: Annotated[
            int | None, typer.Option("--limit", min=1, metavar="N", help="Most items, in the queue's order.")
        ] = None,
        name: Name = None,
    ) -> None:
        """Claim items of a queue for you and write them as a workbook to fill in offline."""
        from triage.desk.listing import moment
        from triage.desk.workbook import export_workbook
        from triage.review.decisions import review_rules
        from triage.settings import load
        from triage.store import open_store

        settings, who = load(), actor(name)
        with open_store(settings.store_url) as store:
            store.check()
            made = export_workbook(
                store,
                settings,
                out,
                actor=who,
                roles=roles_of(settings, who),
                at=datetime.now(UTC),
                rules=review_rules(settings),
                run_id=run,
                mine=mine,
                limit=limit,
            )
        left = f"; {made.left_out} could not be had" if made.left_out else ""
        until = moment(made.held_until, settings.zone)
        typer.echo(f"{made.items} items of run {made.run_id}, held for {who} until {until}{left}", err=True)
        typer.echo(str(made.path))

    @app.command("import")
    def take_back(
        file: Annotated[Path, typer.Argument(metavar="FILE.xlsx", help="Workbook to bring back.")],
        check: Annotated[
            bool, typer.Option("--check", help="Say what each row would come to, and write nothing.")
        ] = False,
        name: Name = None,
    ) -> None:
        """Take the rows of a workbook as decisions; a row that is refused is listed with its reason."""
        from triage.desk.workbook_import import import_workbook
        from triage.review.decisions import review_rules
        from triage.settings import load
        from triage.store import open_store

        settings, who = load(), actor(name)
        data = _content(file, settings)
        with open_store(settings.store_url) as store:
            store.check()
            imported = import_workbook(
                store,
                settings,
                data,
                actor=who,
                roles=roles_of(settings, who),
                at=datetime.now(UTC),
                rules=review_rules(settings),
                chance=secrets.SystemRandom().random,
                check=check,
            )
        _show(imported)
        if imported.refused:
            raise typer.Exit(UsageError.exit_code)


def roles_of(settings: Settings, actor: str) -> frozenset[str]:
    """Return a person's roles at the command line, where only names count, not groups.

    On a machine of one person that person has every role that decides, as on its pages.
    """
    if settings.access_mode == "local":
        return frozenset({"auditor", "registrar", "administrator"})
    return frozenset(role for role, members in settings.role_members.items() if actor in members)


def _content(file: Path, settings: Settings) -> bytes:
    try:
        with file.open("rb") as opened:
            # One more than fits, so that a larger file is seen to be one without being read whole.
            return opened.read(settings.upload_bytes_max + 1)
    except OSError as error:
        raise UsageError(
            f"the workbook cannot be read ({type(error).__name__})",
            where=str(file),
            mend="name a file that you may read",
        ) from None


def _show(imported: Imported) -> None:
    from triage.desk.listing import a_console, a_table

    if imported.refused:
        headings = [("row", True), ("reference", False), ("refused", False), ("what", False), ("mend", False)]
        rows = ((str(fate.row), fate.reference, fate.kind, fate.said, fate.mend) for fate in imported.refused)
        a_console().print(a_table(f"{len(imported.refused)} rows refused", headings, rows))
    typer.echo(imported.summary, err=True)
