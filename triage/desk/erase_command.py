"""The command ``triage erase``: all that the program keeps of one record goes, and the log says so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.errors import StoreError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from triage.settings import Settings
    from triage.store.store import Store

#: What a night writes of every record, and what a killed night may leave beside it; see flows/runfiles.py.
_SCORES, _LEFTOVERS = "runs/*/scores.parquet", "runs/*/.*scores*"


@dataclass(frozen=True, slots=True)
class Held:
    """Where something of a record is held: items, files of scores, models that learnt from it.

    ``unknown`` are models that kept no list of their records.
    """

    items: int
    files: tuple[Path, ...]
    models: tuple[str, ...]
    unknown: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.items or self.files or self.models)


def add_erase(app: typer.Typer, *, actor: Callable[[str | None], str]) -> None:
    """Add the command to the program, which hands in how it knows who is asking."""

    @app.command()
    def erase(
        record_ref: Annotated[str, typer.Argument(metavar="RECORD_REF", help="Reference of the record.")],
        yes: Annotated[
            bool, typer.Option("--yes", help="Do not ask; needed where nobody can answer.")
        ] = False,
        name: Annotated[
            str | None,
            typer.Option(
                "--actor",
                metavar="NAME",
                help="Who does it; the name of the login by default. It is logged.",
            ),
        ] = None,
    ) -> None:
        """Erase text, evidence and scores of a record for good, and mark the models that learnt from it."""
        from triage.settings import load
        from triage.store import open_store

        settings = load()
        who = actor(name)
        check_may_erase(settings, who)
        with open_store(settings.store_url) as opened:
            opened.check()
            held = held_of(opened, settings, record_ref)
            if not held:
                raise UsageError(
                    "nothing is held under this reference",
                    where=record_ref,
                    mend="write it as `triage queue list` or the extract does",
                )
            typer.echo(f"{record_ref}: {_counted(held)}", err=True)
            if not yes:
                _ask()
            held = erase_record(opened, settings, record_ref, actor=who, at=datetime.now(UTC))
        typer.echo(f"erased: {_counted(held)}", err=True)
        if held.models:
            typer.echo(f"marked, build them again without the record: {', '.join(held.models)}", err=True)
        if held.unknown:
            typer.echo(f"models of which it is not known: {', '.join(held.unknown)}", err=True)
        typer.echo(
            "not reached: the force's own systems, extracts, exports, backups and server logs", err=True
        )


def check_may_erase(settings: Settings, actor: str) -> None:
    """Pass if a person has a role that may erase; on a machine of one person, anybody.

    Raises
    ------
    PermissionDeniedError
        Otherwise. At the command line only names count, not groups.
    """
    from triage.review.permissions import require

    if settings.access_mode != "local":
        require([role for role, members in settings.role_members.items() if actor in members], "erase")


def held_of(store: Store, settings: Settings, record_ref: str) -> Held:
    """Return where something of a record is held.

    Raises
    ------
    StoreError
        If the store or a file of scores cannot be read.
    ModelError
        If a model's manifest or its list of records cannot be read.
    """
    from triage.learning.registry import users_of

    items = [
        item
        for item in store.items_of(record_ref)
        if any(part.record_ref == record_ref for part in item.parts)
    ]
    files = [
        path
        for path in sorted(settings.data_dir.glob(_SCORES))
        if record_ref in _frame(path, ["record_ref"])["record_ref"]
    ]
    users = users_of(settings.registry_dir, record_ref)
    return Held(len(items), tuple(files), users.used, users.unknown)


def erase_record(store: Store, settings: Settings, record_ref: str, *, actor: str, at: datetime) -> Held:
    """Erase a record in the store and in the files of every run, mark models, and return where it was.

    The store comes first, with the event that names the counts; whoever is killed after it does it again.

    Raises
    ------
    StoreError
        If a night is running, which could write the record anew, or store or files refuse.
    ModelError
        If a model cannot be marked.
    """
    from triage.learning.registry import mark_erased
    from triage.store.rows import AuditEvent

    with store.night_lock():
        held = held_of(store, settings, record_ref)
        counts = {"run_files": len(held.files), "models": len(held.models)}
        event = AuditEvent(at, actor, "erasure", record_ref, details=counts)
        if held.items:
            store.erase(record_ref, event)
        else:
            store.record(event)
        for path in settings.data_dir.glob(_LEFTOVERS):
            path.unlink(missing_ok=True)
        for path in held.files:
            _without(path, record_ref)
        mark_erased(settings.registry_dir, record_ref, at)
    return held


def _frame(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(path, columns=columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = type(error).__name__
    raise StoreError(
        f"a file of a run cannot be read ({reason})",
        where=str(path),
        mend="restore it from a backup, or remove it",
    )


def _without(path: Path, record_ref: str) -> None:
    """Write a file of scores anew without the rows of a record."""
    import polars as pl

    from triage.desk.files import replacing

    kept = _frame(path).filter(pl.col("record_ref") != record_ref)
    with replacing(path, mode=path.stat().st_mode & 0o777) as temporary:
        kept.write_parquet(temporary, compression="zstd", statistics=False)


def _counted(held: Held) -> str:
    return f"{held.items} items, {len(held.files)} run files, {len(held.models)} models"


def _ask() -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody can be asked here whether to erase", where="--yes", mend="add --yes if it is meant"
        )
    if not typer.confirm("Erase for good?", err=True):
        raise UsageError("nothing was erased", where="RECORD_REF", mend="answer y to erase")
