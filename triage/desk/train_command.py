"""The command ``triage train``: a model from labelled records and a force's own history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.errors import UsageError

if TYPE_CHECKING:
    from triage.reading.linking import Matter
    from triage.settings import Settings

#: Builds and registers a model from settings, recipe, labelled files (None for none), past matters, digests.
Builder = Callable[["Settings", str, "Sequence[Path] | None", "Sequence[Matter]", Sequence[str]], str]


def add_train(app: typer.Typer, *, build: Builder) -> None:
    """Add the command to the program, which hands in what this room must not import."""

    @app.command()
    def train(
        recipe: Annotated[
            str | None,
            typer.Option("--recipe", metavar="NAME", help="How to build; that of the settings by default."),
        ] = None,
        corpus: Annotated[
            list[Path] | None,
            typer.Option(
                "--corpus", metavar="FILE", help="Labelled records (JSONL); the shipped corpus by default."
            ),
        ] = None,
        no_corpus: Annotated[bool, typer.Option("--no-corpus", help="Learn from the history alone.")] = False,
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
        more: Annotated[
            list[Path] | None, typer.Argument(metavar="FILE", help="Further corpus files.")
        ] = None,
    ) -> None:
        """Build a model, register it and print its id."""
        from triage.settings import load

        settings = load(**({"mapping_file": mapping} if mapping else {}))
        files = (*(corpus or ()), *(more or ()))
        if no_corpus and (files or not history):
            raise UsageError(
                "--no-corpus leaves nothing to learn from"
                if not history
                else "--no-corpus with corpus files",
                where="--no-corpus",
                mend="give the past records with --history DIR, and no corpus file",
            )
        matters: list[Matter] = []
        digests = []
        for folder in history or ():
            found, digest = _past(folder, settings)
            matters.extend(found)
            digests.append(digest)
            typer.echo(f"{folder}: {sum(len(each.records) for each in found)} past records", err=True)
        typer.echo(build(settings, recipe or settings.recipe, None if no_corpus else files, matters, digests))


def _past(folder: Path, settings: Settings) -> tuple[Sequence[Matter], str]:
    """Return the matters of a past extract, and the digest of its content."""
    from triage.reading import check_rejected_share, mapping_for, read_extract
    from triage.reading.linking import link

    columns = mapping_for(folder, settings)
    mapped = columns.applied_to(settings)
    read = read_extract(folder, mapped, mapping=columns)
    check_rejected_share(read, mapped)
    return link(read, mapped).matters, read.digest
