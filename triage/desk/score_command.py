"""The command ``triage score``: every record of an extract into a file, without the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from triage.errors import UsageError

if TYPE_CHECKING:
    from triage.learning.registry import LoadedModel
    from triage.reading import Mapping
    from triage.settings import Settings


def add_score(
    app: typer.Typer,
    *,
    named: Callable[[Settings, str | None], str | None],
    loaded: Callable[[Settings, str | None], LoadedModel],
) -> None:
    """Add the command to the program, which hands in which model a name means, and how one is loaded."""

    @app.command()
    def score(
        extract: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the extract.")],
        out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write: .csv or .parquet.")],
        model: Annotated[
            str | None,
            typer.Option("--model", metavar="NAME", help="A model or recipe; the one that ranks by default."),
        ] = None,
        mapping: Annotated[
            Path | None,
            typer.Option("--mapping", metavar="FILE", help="TOML file that says which column is which."),
        ] = None,
        as_of: Annotated[
            str | None,
            typer.Option(
                "--as-of", metavar="TIME", help="ISO 8601: crimes recorded later are not yet known."
            ),
        ] = None,
        jobs: Annotated[
            int, typer.Option("--jobs", min=1, metavar="N", help="Processes that score; same result for any.")
        ] = 1,
    ) -> None:
        """Score every record of an extract into a file, without touching the store."""
        from triage.desk.files import checked_target
        from triage.desk.score_file import ENDINGS, write_frame
        from triage.settings import load

        started = perf_counter()
        settings = load(**({"mapping_file": mapping} if mapping else {}))
        checked_target(out, ENDINGS)

        from triage.reading import mapping_for

        columns = mapping_for(extract, settings)
        if _is_of_extract(out, extract, columns):
            raise UsageError(
                "the output would replace a table of the extract",
                where=str(out),
                mend="write to another folder, or under another name",
            )
        settings = columns.applied_to(settings)
        moment = parsed_moment(as_of, settings.zone) if as_of else None

        from triage.desk.helpers import Helpers

        with Helpers(jobs - 1, modules=("triage.desk.score_extract", "spacy.tokenizer", "models")) as helpers:
            from triage.desk.score_extract import score_extract

            scored = score_extract(
                extract,
                settings,
                mapping=columns,
                moment=moment,
                named=lambda: named(settings, model),
                model=lambda known: loaded(settings, known or model),
                helpers=helpers,
            )
        write_frame(scored.frame, out)
        for note in scored.notes:
            typer.echo(note, err=True)
        if scored.unknown_codes:
            typer.echo(
                f"offence codes that no family knows cover nothing: {', '.join(scored.unknown_codes)}",
                err=True,
            )
        counted = (
            f"{scored.frame.height} records scored, {scored.rejected} rows rejected, model {scored.model_id}"
        )
        typer.echo(f"{counted}, {perf_counter() - started:.1f} seconds", err=True)


def parsed_moment(text: str, zone: ZoneInfo) -> datetime:
    """Return an ISO 8601 time as an aware one; without an offset it is a time of `zone`.

    Raises
    ------
    UsageError
        If it is not ISO 8601, or lies outside the years that records have.

    >>> parsed_moment("2026-10-14T04:00", ZoneInfo("Europe/London")).isoformat()
    '2026-10-14T04:00:00+01:00'
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "the time is not ISO 8601", where="--as-of", mend="write it like 2026-10-14T04:00"
        ) from None
    if not 1900 < moment.year < 2200:
        raise UsageError(
            "the time lies outside 1901 to 2199", where="--as-of", mend="write it like 2026-10-14T04:00"
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def past_moment(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Return what `parsed_moment` does, in UTC, if it is not later than now.

    Raises
    ------
    UsageError
        If it is later, or no moment.
    """
    moment = parsed_moment(text, zone).astimezone(UTC)
    if moment > now:
        raise UsageError(
            "the moment is in the future: what is known then is not known yet",
            where="--as-of",
            mend="name a past moment, or leave it out",
        )
    return moment


def _is_of_extract(out: Path, extract: Path, columns: Mapping) -> bool:
    from triage.reading.records import TABLES

    if not extract.is_dir():
        return False
    names = {*TABLES, *(columns.of(each).file or each for each in TABLES)}
    known = {name.casefold() for name in names}
    if out.resolve().parent == extract.resolve() and _names(out) & known:
        return True
    try:
        return out.exists() and any(path.samefile(out) for path in extract.iterdir() if _names(path) & known)
    except OSError:
        return False  # what cannot be looked at cannot be read either, which reading says


def _names(path: Path) -> set[str]:
    return {path.stem.casefold(), path.name.casefold()}
