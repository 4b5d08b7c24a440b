"""The command ``triage``: what people and scripts call; a command imports what it needs when it runs."""

from __future__ import annotations

import gc
import getpass
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from triage.desk.audit_command import add_audit
from triage.desk.erase_command import add_erase
from triage.desk.evaluate_command import add_evaluate
from triage.desk.models_command import add_models
from triage.desk.monitor_command import add_monitor
from triage.desk.replay_command import add_replay
from triage.desk.retrain_command import add_retrain
from triage.desk.score_command import add_score
from triage.desk.serve_command import add_serve
from triage.desk.train_command import Taught, add_train
from triage.desk.workbook_command import add_workbook
from triage.errors import UsageError, UserError, known_names

if TYPE_CHECKING:
    from rich.text import Text

    from triage.desk.retrain_run import Retrainer
    from triage.learning.registry import LoadedModel
    from triage.learning.replay import Learner
    from triage.settings import Settings
    from triage.store.rows import AuditEvent, Run
    from triage.store.store import Store

_ACTOR_CHARACTERS = 100


class _Group(TyperGroup):
    """Prints a user's error in plain words and ends with its exit code; a bug goes on up."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(error.exit_code) from None


_LOOK: dict[str, Any] = {
    "cls": _Group,
    "no_args_is_help": True,
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 100},
}
app = typer.Typer(
    help="Finds records whose text discloses a crime that was never recorded, for audit.", **_LOOK
)
queue_app = typer.Typer(help="The published queue: list it, read an item, export it.", **_LOOK)
store_app = typer.Typer(help="The store: check it, or bring it to this version.", **_LOOK)
workbook_app = typer.Typer(help="The queue as a workbook, to be filled in offline and taken back.", **_LOOK)
models_app = typer.Typer(
    help="The models: list them, and choose which one ranks.", **{**_LOOK, "no_args_is_help": False}
)
audit_app = typer.Typer(help="The audit log: verify it, or list it.", **_LOOK)
app.add_typer(queue_app, name="queue")
app.add_typer(workbook_app, name="workbook")
app.add_typer(audit_app, name="audit")
app.add_typer(models_app, name="models")
app.add_typer(store_app, name="store")

#: New objects at which Python looks for those that nothing needs any more.
_LOOKED_THROUGH_AT = 100_000

RunOption = Annotated[
    str | None, typer.Option("--run", metavar="ID", help="A run; the latest one by default.")
]
ActorOption = Annotated[
    str | None,
    typer.Option(
        "--actor", metavar="NAME", help="Who does it; the name of the login by default. It is logged."
    ),
]


def main() -> None:
    """Run the command; a character that the output cannot show is written as its number."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    # Most of what a command makes while it starts lives as long as it does; looking through it at every 700
    # new objects, as Python does by itself, takes a twentieth of the time of a score.
    gc.set_threshold(_LOOKED_THROUGH_AT)
    app()


add_score(app, named=lambda *wanted: _named(*wanted), loaded=lambda *wanted: _model(*wanted))
add_train(app, build=lambda *given: _build(*given), actor=lambda name: _actor(name))
add_retrain(app, retrain=lambda: _retrainer(), actor=lambda name: _actor(name))
add_evaluate(app, model=lambda *wanted: _model(*wanted), labelled=lambda paths: _labelled(paths))
add_replay(app, learner=lambda texts, seed: _text_learner(texts, seed))
add_serve(app)
add_monitor(app, actor=lambda name: _actor(name))
add_workbook(workbook_app, actor=lambda name: _actor(name))
add_erase(app, actor=lambda name: _actor(name))
add_audit(audit_app)
add_models(models_app, actor=lambda name: _actor(name))


@queue_app.command("list")
def queue_list(
    run: RunOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Most items shown.")
    ] = None,
    arms: Annotated[
        bool,
        typer.Option(
            "--arms", help="Show arm and score; an auditor should not know the arm before deciding."
        ),
    ] = False,
) -> None:
    """Print a published queue in reading order, without any text."""
    from triage.desk.listing import a_console, queue_table

    settings = _settings()
    with _store(settings) as store:
        published = _run(store, run)
        rows = store.queue(published.run_id)
    table = queue_table(rows, published, zone=settings.zone, arms=arms, limit=limit)
    a_console().print(settings.marking, table, settings.marking, sep="\n")


@queue_app.command("show")
def queue_show(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="Reference of a queued record, or of a part.")
    ],
    actor: ActorOption = None,
    earlier: Annotated[
        bool,
        typer.Option("--earlier", help="Show earlier items of this reference too, with their other text."),
    ] = False,
) -> None:
    """Print an item's records with the evidence marked; the reading is logged as a consultation."""
    from triage.desk.item_page import item_page
    from triage.desk.listing import a_console, paints

    settings = _settings()
    who = _actor(actor)
    console = a_console()
    pages: list[Text] = []
    with _store(settings) as store:
        items = store.items_of(reference)[::-1]
        for item in items if earlier else items[:1]:
            texts = store.consult(item.item_id, _event(who, "consultation", item.item_id, item.run_id))
            place = store.place_of(item.item_id)
            pages += item_page(
                item, texts, place, zone=settings.zone, marking=settings.marking, colour=paints(console)
            )
    if not items:
        raise UsageError(
            "no queued item has this reference", where="REF", mend="see `triage queue list` for references"
        )
    for line in pages:
        console.print(line, soft_wrap=not console.is_terminal)
    if len(items) > 1 and not earlier:
        typer.echo(f"{len(items) - 1} earlier items have this reference: see --earlier", err=True)


@queue_app.command("export")
def queue_export(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write: .csv or .xlsx.")],
    run: RunOption = None,
    actor: ActorOption = None,
) -> None:
    """Write a published queue with excerpts of its evidence; logged as a disclosure."""
    from triage.desk.export import ENDINGS, write_sheet
    from triage.desk.files import checked_target
    from triage.desk.queue_export import queue_sheet

    settings = _settings()
    checked_target(out, ENDINGS)
    who = _actor(actor)
    with _store(settings) as store:
        published = _run(store, run)
        rows = store.disclose(published.run_id, _event(who, "disclosure", published.run_id, published.run_id))
        texts = {row.item.item_id: store.texts(row.item.item_id) for row in rows}
    write_sheet(queue_sheet(rows, texts, published, marking=settings.marking, zone=settings.zone), out)
    typer.echo(f"{len(rows)} items of run {published.run_id} written to {out}", err=True)


@store_app.command("upgrade")
def store_upgrade(actor: ActorOption = None) -> None:
    """Bring the store's tables to this version; nothing that it holds is lost."""
    with _opened(_settings()) as store:
        changed = store.upgrade(_event(_actor(actor), "alteration", "store", ""))
    typer.echo("the store was brought to this version" if changed else "the store is of this version already")


@store_app.command("check")
def store_check() -> None:
    """Tell whether the store can be reached, is of this version and has an unbroken audit log."""
    from triage.desk.audit_command import broken

    with _store(_settings()) as store:
        chain, published = store.verify_chain(), len(store.runs())
    if chain.broken_at is not None:
        raise broken(chain)
    typer.echo(f"the store is of this version; {published} runs, {chain.events} audit events, unbroken")


@app.command()
def runs() -> None:
    """List the published runs with their counts, newest first."""
    from triage.desk.listing import a_console, runs_table

    settings = _settings()
    with _store(settings) as store:
        published = store.runs()
    a_console().print(runs_table(published, zone=settings.zone))


@app.command("settings")
def show_settings() -> None:
    """List the settings in effect; secrets are not shown."""
    from triage.desk.listing import a_console, settings_table

    a_console().print(settings_table(_settings()))


def _settings(**overrides: Any) -> Settings:
    from triage.settings import load

    return load(**overrides)


def _opened(settings: Settings) -> Store:
    from triage.store import open_store

    return open_store(settings.store_url)


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    with _opened(settings) as store:
        store.check()
        yield store


def _run(store: Store, run_id: str | None) -> Run:
    found = store.run(run_id) if run_id else store.latest_run()
    if found is not None:
        return found
    known = [each.run_id for each in store.runs()]
    if run_id and known:
        raise UsageError(f"the run {known_names(run_id, known)}", where="--run", mend="see `triage runs`")
    raise UsageError(
        "no queue has been published yet", where="the store", mend="run the night first: `make nightly`"
    )


def _actor(name: str | None) -> str:
    try:
        actor = (name if name is not None else getpass.getuser()).strip()
    except (KeyError, OSError, ImportError):
        actor = ""
    if not actor or not actor.isprintable() or len(actor) > _ACTOR_CHARACTERS:
        raise UsageError(
            "it is not known who does this, and it is to be logged",
            where="--actor",
            mend=f"give a name of 1 to {_ACTOR_CHARACTERS} printable characters with --actor",
        )
    return actor


def _event(actor: str, action: str, subject: str, run_id: str) -> AuditEvent:
    from triage.store.rows import AuditEvent

    return AuditEvent(at=datetime.now(UTC), actor=actor, action=action, subject=subject, run_id=run_id)


def _named(settings: Settings, name: str | None) -> str | None:
    """Return the id of the model that a name means, by default of the one that ranks, if there is one."""
    from triage.learning.registry import find, serving
    from triage.learning.signing import trusted_by

    trusted = trusted_by(settings)
    if name is not None:
        return find(settings.registry_dir, name, trusted)
    ranks = serving(settings.registry_dir, settings.recipe, trusted)
    return ranks.model_id if ranks is not None else None


def _model(settings: Settings, name: str | None) -> LoadedModel:
    """Load a model, by default the one that ranks; a recipe without a signed one is built first."""
    from models import RECIPES
    from triage.learning.registry import load
    from triage.learning.signing import trusted_by

    trusted = trusted_by(settings)
    wanted = _named(settings, name)
    if wanted is None and (name is None or name in RECIPES):
        recipe = name or settings.recipe
        typer.echo(f"no signed model of the recipe {recipe} yet: building one", err=True)
        wanted = _build(settings, recipe)
        # The first build may have made the local key.
        trusted = trusted_by(settings)
    return load(settings.registry_dir, wanted or str(name), trusted=trusted)


def _labelled(paths: Sequence[Path]) -> Any:
    from training_data.build import corpus_table

    return corpus_table(paths).examples


def _text_learner(texts: Sequence[Sequence[str]], seed: int) -> Learner:
    from models.text_learner import TextLearner

    return TextLearner(texts, seed=seed)


def _retrainer() -> Retrainer:
    from models.retraining import retrain

    return retrain


def _build(settings: Settings, recipe: str, taught: Taught | None = None) -> str:
    from models import build_and_register

    if taught is None:
        return build_and_register(recipe, settings, as_of=datetime.now(UTC))
    return build_and_register(
        recipe,
        settings,
        as_of=taught.as_of,
        corpus=taught.corpus,
        history=taught.history,
        decided=taught.decided,
        queued=taught.queued,
        digests=taught.digests,
        groups=taught.groups,
    )
