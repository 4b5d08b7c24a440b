"""The commands ``triage models``: which models there are, who signed them, and which one a person chose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triage.errors import ModelError, UsageError, known_names

if TYPE_CHECKING:
    from triage.learning.champion import Promotion
    from triage.learning.signing import TrustedKeys
    from triage.settings import Settings
    from triage.store.store import Store

ActorOption = Annotated[
    str | None,
    typer.Option(
        "--actor", metavar="NAME", help="Who does it; the name of the login by default. It is logged."
    ),
]
ModelArgument = Annotated[str, typer.Argument(metavar="ID", help="A model's id, or its recipe's newest.")]


def add_models(app: typer.Typer, *, actor: Callable[[str | None], str]) -> None:
    """Add the commands to the group, which hands in how it knows who is asking."""

    @app.callback(invoke_without_command=True)
    def plainly(context: typer.Context) -> None:
        """List the registered models, and choose which one ranks."""
        if context.invoked_subcommand is None:
            _list()

    @app.command("list")
    def list_models() -> None:
        """List the registered models: who signed them, which one ranks, and how many records were erased."""
        _list()

    @app.command()
    def show(model: ModelArgument) -> None:
        """Print a model's card and whether it is as it was signed, after verifying it."""
        from triage.learning.manifest import CARD
        from triage.learning.registry import verified_model

        settings, trusted = _settings()
        checked = verified_model(settings.registry_dir, model, trusted)
        typer.echo(checked.files[CARD].decode("utf-8"))
        typer.echo(f"verified: signed with the key {checked.signed_by.name} ({checked.signed_by.key_id})")

    @app.command()
    def diff(
        first: Annotated[str, typer.Argument(metavar="A", help="A model's id, or its recipe's newest.")],
        second: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    ) -> None:
        """Print in what the manifests of two models differ: data, figures, versions, settings, signature."""
        from triage.desk.listing import a_console, a_table
        from triage.learning.registry import verified_model

        settings, trusted = _settings()
        one, other = (
            dict(_flat(verified_model(settings.registry_dir, name, trusted).manifest))
            for name in (first, second)
        )
        rows = [
            (name, one.get(name, ""), other.get(name, ""))
            for name in sorted({*one, *other})
            if one.get(name) != other.get(name)
        ]
        headings = [("what", False), (first, False), (second, False)]
        a_console().print(a_table(f"{len(rows)} differences", headings, rows))

    @app.command()
    def promote(
        model: Annotated[str, typer.Argument(metavar="ID", help="The id of the model.")],
        reason: Annotated[
            str, typer.Option("--reason", metavar="TEXT", help="Why, without any record's text; it is kept.")
        ],
        name: ActorOption = None,
    ) -> None:
        """Make a model the one that ranks from the next night on; the registrar's word, signed and logged."""
        from triage.learning import promotion
        from triage.learning.signing import signer_of

        settings, trusted = _settings()
        who = actor(name)
        check_may_promote(settings, who)
        _check_id(settings, model)
        with _store(settings) as store:
            done = promotion.promote(
                settings.registry_dir,
                model,
                recipe=settings.recipe,
                actor=who,
                at=datetime.now(UTC),
                reason=reason,
                trusted=trusted,
                signer=signer_of(settings),
                recorded=lambda one: _record(store, one),
                heard=_heads(store),
            )
        _tell(done)

    @app.command()
    def rollback(
        reason: Annotated[
            str, typer.Option("--reason", metavar="TEXT", help="Why, without any record's text; it is kept.")
        ] = "",
        name: ActorOption = None,
    ) -> None:
        """Make the model that ranked before the champion rank again, the same to the last bit."""
        from triage.learning import promotion
        from triage.learning.signing import signer_of

        settings, trusted = _settings()
        who = actor(name)
        check_may_promote(settings, who)
        with _store(settings) as store:
            done = promotion.roll_back(
                settings.registry_dir,
                actor=who,
                at=datetime.now(UTC),
                reason=reason,
                trusted=trusted,
                signer=signer_of(settings),
                recorded=lambda one: _record(store, one),
            )
        _tell(done)

    @app.command()
    def prune(name: ActorOption = None) -> None:
        """Remove models past `model_retention_days`; never the one that ranks, nor the one before it."""
        from triage.learning import promotion
        from triage.learning.registry import serving
        from triage.store.rows import AuditEvent

        settings, trusted = _settings()
        who = actor(name)
        check_may_promote(settings, who)
        now = datetime.now(UTC)
        ranks = serving(settings.registry_dir, settings.recipe, trusted)
        with _store(settings) as store:
            gone = promotion.prune(
                settings.registry_dir,
                older_than=now - timedelta(days=settings.model_retention_days),
                keep=[ranks.model_id] if ranks is not None else [],
                recorded=lambda model_id: store.record(AuditEvent(now, who, "erasure", model_id)),
            )
        typer.echo(f"{len(gone)} models removed" + "".join(f"\n{model_id}" for model_id in gone))

    @app.command()
    def verify() -> None:
        """Tell whether every model and the log of promotions are as they were signed."""
        settings, trusted = _settings()
        faults = 0
        for what, fault in _verified(settings, trusted):
            typer.echo(f"{what}: {fault or 'as it was signed'}")
            faults += bool(fault)
        if faults:
            raise ModelError(
                f"{faults} of these are not as they were signed, or cannot be loaded here",
                where=str(settings.registry_dir),
                mend="build unsigned ones and those of other versions again; for all else tell the registrar",
            )

    @app.command()
    def key(
        make: Annotated[
            Path | None,
            typer.Option("--make", metavar="FILE", help="Make a private key, and FILE's public half (.pem)."),
        ] = None,
    ) -> None:
        """Print which keys are trusted and which one signs, or make a key for the registrar."""
        from triage.learning.signing import make_key

        if make is not None:
            public = make_key(make)
            typer.echo(f"private key: {make}\npublic key: {public}")
            typer.echo(
                "set `signing_key_file` to the private one where models are built, and put "
                f"{public.name} into the folder `trusted_keys_dir` wherever they are loaded",
                err=True,
            )
            return
        settings, trusted = _settings()
        path = settings.signing_key_file
        typer.echo(f"signs: {path if path is not None else 'a local key, made on first use'}")
        for each in trusted.keys:
            typer.echo(f"trusted: {each.name} {each.key_id}{' (local)' if each.local else ''}")
        if not trusted.keys:
            typer.echo("trusted: none yet")


def check_may_promote(settings: Settings, actor: str) -> None:
    """Pass if a person may choose the model that ranks; where nobody was given a role, anybody may.

    Raises
    ------
    PermissionDeniedError
        Otherwise. At the command line only names count, not groups.
    """
    from triage.review.permissions import require

    if settings.access_mode != "local" or settings.role_members:
        require([role for role, members in settings.role_members.items() if actor in members], "promote")


def _settings() -> tuple[Settings, TrustedKeys]:
    from triage.learning.signing import trusted_by
    from triage.settings import load

    settings = load()
    return settings, trusted_by(settings)


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    from triage.store import open_store

    with open_store(settings.store_url) as store:
        # A model may be promoted before the first night, which makes the store.
        store.prepare()
        yield store


def _check_id(settings: Settings, model_id: str) -> None:
    """Pass if it is an id: a recipe's newest may be another one tomorrow."""
    from triage.learning.registry import listing

    known = [each["model_id"] for each in listing(settings.registry_dir)]
    if model_id not in known:
        raise UsageError(
            f"the model {known_names(model_id, known)}", where="ID", mend="see `triage models list`"
        )


def _record(store: Store, one: Promotion) -> None:
    from triage.store.rows import AuditEvent

    details: Mapping[str, int | str] = {
        "act": one.act,
        "number": one.number,
        "previous": one.previous,
        "key": one.key_id,
        "head": one.hash,
    }
    store.record(AuditEvent(one.at, one.actor, "alteration", one.model_id, details=details))


def _tell(done: Promotion) -> None:
    instead = f" instead of {done.previous}" if done.previous else ""
    typer.echo(f"{done.model_id} ranks from the next night on{instead}")
    if done.local:
        typer.echo("signed with this machine's local key, not by the registrar", err=True)


def _list() -> None:
    from triage.desk.listing import a_console, models_table
    from triage.learning.erased import marked_listing
    from triage.learning.registry import serving

    settings, trusted = _settings()
    ranks = serving(settings.registry_dir, settings.recipe, trusted)
    manifests = marked_listing(settings.registry_dir)
    a_console().print(models_table(manifests, ranks, trusted, zone=settings.zone))


def _verified(settings: Settings, trusted: TrustedKeys) -> Iterator[tuple[str, str]]:
    """Yield what was looked at and its fault, empty where there is none."""
    from triage.learning import champion
    from triage.learning.verified import check_versions, verified

    for folder in sorted(settings.registry_dir.glob("[!.]*")):
        if folder.name == champion.LOG:
            continue
        try:
            check_versions(verified(folder, trusted).manifest, folder)
        except ModelError as error:
            yield folder.name, error.what
        else:
            yield folder.name, ""
    try:
        champion.standing(settings.registry_dir, trusted)
        log = champion.log_of(settings.registry_dir)
    except ModelError as error:
        yield champion.LOG, f"{error.what} ({error.where})"
        return
    yield champion.LOG, _missing(settings, {one.hash for one in log})


def _missing(settings: Settings, hashes: set[str]) -> str:
    """Return a sentence if the log of promotions and the store's audit log do not know the same ones."""
    from triage.store import open_store

    if settings.database_url is None and not (settings.data_dir / "triage.db").exists():
        return "" if not hashes else "there is no store whose audit log could be compared"
    with open_store(settings.store_url) as store:
        store.check()
        known = _heads(store)
    lacking, unheard = len(known - hashes), len(hashes - known)
    faults = (
        f"{lacking} promotions of the audit log are not in it" if lacking else "",
        f"{unheard} promotions in it are not in the audit log" if unheard else "",
    )
    return "; ".join(filter(None, faults))


def _heads(store: Store) -> set[str]:
    """Return the hashes of the promotions that the audit log knows."""
    return {
        str(each.event.details["head"])
        for each in store.events()
        if each.event.action == "alteration" and {"act", "head"} <= set(each.event.details)
    }


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            for at, each in enumerate(value):
                yield from _flat(each, f"{before}{name}.{each.get('name', at)}.")
        else:
            yield f"{before}{name}", str(value)
