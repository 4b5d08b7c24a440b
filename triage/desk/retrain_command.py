"""The command ``triage retrain``: challengers beside the champion on past nights, then it stops."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.errors import UsageError

if TYPE_CHECKING:
    from triage.desk.retrain_run import Retrainer


def add_retrain(
    app: typer.Typer, *, retrain: Callable[[], Retrainer], actor: Callable[[str | None], str]
) -> None:
    """Add the command to the program, which hands in what this room must not import.

    Parameters
    ----------
    app : Typer
        The program.
    retrain : callable
        Gives ``models.retraining.retrain`` when the command runs.
    actor : callable
        Gives the name of whoever asks.
    """

    @app.command("retrain")
    def command(
        recipe: Annotated[
            list[str] | None,
            typer.Option(
                "--recipe", metavar="NAME", help="A challenger; may repeat; those of the settings by default."
            ),
        ] = None,
        corpus: Annotated[
            list[Path] | None,
            typer.Option(
                "--corpus",
                metavar="FILE",
                help="Labelled records (JSONL); may repeat; the shipped corpus by default.",
            ),
        ] = None,
        no_corpus: Annotated[
            bool, typer.Option("--no-corpus", help="Learn from decisions and history alone.")
        ] = False,
        history: Annotated[
            list[Path] | None,
            typer.Option(
                "--history",
                metavar="DIR",
                help="An extract of past records with their crimes; may repeat.",
            ),
        ] = None,
        mapping: Annotated[
            Path | None,
            typer.Option(
                "--mapping", metavar="FILE", help="TOML file that says which column of a history is which."
            ),
        ] = None,
        groups: Annotated[
            Path | None,
            typer.Option(
                "--groups",
                metavar="FILE",
                help="Groups of records, for report and cards alone: .csv, .parquet.",
            ),
        ] = None,
        as_of: Annotated[
            str | None,
            typer.Option("--as-of", metavar="TIME", help="ISO 8601: what came later is not yet known."),
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
        """Build challengers, compare them with the champion on past nights, and stop: a person promotes."""
        from triage.desk.retrain_run import Wanted, run_retraining
        from triage.desk.score_command import parsed_moment
        from triage.learning.retrain_report import lines
        from triage.settings import load
        from triage.store import open_store

        named = {"mapping_file": mapping, "retrain_recipes": tuple(dict.fromkeys(recipe or ()))}
        settings = load(**{name: value for name, value in named.items() if value})
        who, now = actor(name), datetime.now(UTC)
        moment = parsed_moment(as_of, settings.zone).astimezone(UTC) if as_of else now
        wanted = Wanted(_corpus(corpus, no_corpus), tuple(history or ()), _groups(groups))
        with open_store(settings.store_url) as store:
            store.check()
            report, path = run_retraining(
                store,
                settings,
                wanted,
                retrain(),
                actor=who,
                as_of=moment,
                now=now,
                say=lambda line: typer.echo(line, err=True),
            )
        for line in lines(report):
            typer.echo(line)
        typer.echo(f"report written to {path}", err=True)


def _corpus(files: list[Path] | None, no_corpus: bool) -> tuple[Path, ...] | None:
    if no_corpus and files:
        raise UsageError(
            "--no-corpus with corpus files", where="--no-corpus", mend="give one of the two, or neither"
        )
    return None if no_corpus else tuple(files or ())


def _groups(path: Path | None) -> dict[str, dict[str, str]]:
    from triage.desk.groups_file import read_groups

    return read_groups(path) if path is not None else {}
