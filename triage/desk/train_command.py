"""The command ``triage train``: a model from labelled records, a force's own history and its decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.errors import UsageError

#: Past records from which alone a model learns so little that it is said: of some 3,500 it ranked no better
#: than plain words did (docs/ucpd.md).
_FEW = 3_000

if TYPE_CHECKING:
    from triage.reading.linking import Matter
    from triage.review.labels import Decided, Queued
    from triage.settings import Settings


@dataclass(frozen=True, slots=True)
class Taught:
    """What a model is to learn from; see ``models.build_and_register``."""

    as_of: datetime
    corpus: Sequence[Path] | None = ()
    history: Sequence[Matter] = ()
    digests: Sequence[str] = ()
    decided: Sequence[Decided] = ()
    queued: Sequence[Queued] = ()
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


#: Builds and registers a model from settings, recipe and what it is to learn from, and returns its id.
Builder = Callable[["Settings", str, Taught], str]


def add_train(app: typer.Typer, *, build: Builder, actor: Callable[[str | None], str]) -> None:
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
        no_corpus: Annotated[
            bool, typer.Option("--no-corpus", help="Learn from history and decisions alone.")
        ] = False,
        history: Annotated[
            list[Path] | None,
            typer.Option(
                "--history",
                metavar="DIR",
                help="An extract of past records with their crimes; may repeat.",
            ),
        ] = None,
        decisions: Annotated[
            bool, typer.Option("--decisions", help="Learn from what auditors decided, by the store.")
        ] = False,
        groups: Annotated[
            Path | None,
            typer.Option(
                "--groups", metavar="FILE", help="Groups of records, for the card alone: .csv, .parquet."
            ),
        ] = None,
        as_of: Annotated[
            str | None,
            typer.Option(
                "--as-of", metavar="TIME", help="Learn what was known then (ISO 8601); now by default."
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
        from triage.desk.groups_file import matched, read_groups
        from triage.desk.past import past_matters
        from triage.desk.score_command import past_moment
        from triage.reading.mapping import harmless_path
        from triage.settings import load

        settings = load(**({"mapping_file": mapping} if mapping else {}))
        now = datetime.now(UTC)
        moment = past_moment(as_of, settings.zone, now) if as_of else now
        files = (*(corpus or ()), *(more or ()))
        if no_corpus and (files or not (history or decisions)):
            raise UsageError(
                "--no-corpus with corpus files" if files else "--no-corpus leaves nothing to learn from",
                where="--no-corpus",
                mend="give past records with --history DIR or take --decisions, and no corpus file",
            )
        if groups and not decisions:
            raise UsageError(
                "--groups without --decisions",
                where="--groups",
                mend="take --decisions too: yield and misses by group are those of decided records",
            )
        by_group = read_groups(groups) if groups else {}
        matters: list[Matter] = []
        digests = []
        for folder in history or ():
            past = past_matters(folder, settings)
            if past.digest in digests:
                raise UsageError(
                    "the same past records are given twice",
                    where=harmless_path(folder),
                    mend="name each history once; twice they would count for more than they say",
                )
            matters.extend(past.matters)
            digests.append(past.digest)
            typer.echo(past.said, err=True)
        past_records = sum(len(matter.records) for matter in matters)
        if no_corpus and not decisions and past_records < _FEW:
            typer.echo(
                f"note: {past_records:,} past records alone teach little; without --no-corpus the model"
                " learns from the corpus, too",
                err=True,
            )
        known = _decisions(settings, moment, actor(None), tuple(by_group)) if decisions else ((), ())
        if by_group:
            typer.echo(matched(by_group, [each.record_ref for each in known[1]]), err=True)
        taught = Taught(moment, None if no_corpus else files, matters, digests, *known, by_group)
        typer.echo(build(settings, recipe or settings.recipe, taught))


def _decisions(
    settings: Settings, as_of: datetime, actor: str, groups: tuple[str, ...]
) -> tuple[tuple[Decided, ...], tuple[Queued, ...]]:
    """Return what was decided, and what was queued, up to a moment; that it was learnt from is logged."""
    from triage.review.decisions import review_rules
    from triage.store import AuditEvent, open_store

    with open_store(settings.store_url) as store:
        store.check()
        decided, queued = store.decided(as_of, review_rules(settings)), store.queued(as_of)
        counts: dict[str, int | str | tuple[str, ...]] = {
            "closed": len(decided),
            "queued": len(queued),
            "groups": groups,
        }
        store.record(AuditEvent(datetime.now(UTC), actor, "combination", "training", details=counts))
    typer.echo(f"{store.where}: {len(decided)} closed items of {len(queued)} queued", err=True)
    return decided, queued
