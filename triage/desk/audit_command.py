"""The commands ``triage audit``: whether the log of who did what is whole, and what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from triage.errors import StoreError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from triage.store.rows import Chain, Chained
    from triage.store.store import Store

_KEEP = "keep a copy of the store as it is and tell the information security officer"
_HASH = re.compile(r"[0-9a-f]{64}")
_EVENTS_LISTED = 50


def add_audit(app: typer.Typer) -> None:
    """Add the commands to the group."""

    @app.command()
    def verify(
        head: Annotated[
            str | None,
            typer.Option("--head", metavar="HASH", help="A head noted earlier, which must still be there."),
        ] = None,
    ) -> None:
        """Tell whether every event of the audit log is as it was written; print their number and the head."""
        from triage.settings import load
        from triage.store import open_store

        noted = (head or "").strip().lower()
        if head is not None and not _HASH.fullmatch(noted):
            raise UsageError(
                "the head is not a SHA-256 in hexadecimal digits",
                where="--head",
                mend="give the 64 digits that `triage audit verify` printed",
            )
        with open_store(load().store_url) as opened:
            opened.check()
            chain = opened.verify_chain(noted)
        if chain.broken_at is not None:
            raise broken(chain)
        if noted and chain.noted_at is None:
            raise StoreError(
                f"none of the {chain.events} audit events has the noted head: events were removed from the "
                "end, or the log was written anew",
                where="audit_events",
                mend=_KEEP,
            )
        typer.echo(f"{chain.events} audit events, unbroken")
        typer.echo(f"head {chain.head}")
        if chain.noted_at is not None:
            typer.echo(
                f"the noted head is that of event {chain.noted_at}; "
                f"{chain.events - chain.noted_at} events were written since"
            )

    @app.command("list")
    def list_events(
        actor: Annotated[
            str | None, typer.Option("--actor", metavar="NAME", help="Only what this person or command did.")
        ] = None,
        action: Annotated[
            str | None, typer.Option("--action", metavar="NAME", help="Only one kind, such as erasure.")
        ] = None,
        subject: Annotated[
            str | None, typer.Option("--subject", metavar="ID", help="Only what was done to this.")
        ] = None,
        limit: Annotated[
            int, typer.Option("--limit", min=1, metavar="N", help="Most events shown, the latest ones.")
        ] = _EVENTS_LISTED,
    ) -> None:
        """Print who did what to what and when, the latest last; never a record's text."""
        from triage.desk.listing import a_console
        from triage.errors import known_names
        from triage.settings import load
        from triage.store import open_store
        from triage.store.rows import ACTIONS

        if action is not None and action not in ACTIONS:
            raise UsageError(
                f"the action {known_names(action, ACTIONS)}", where="--action", mend="name one of these"
            )
        settings = load()
        with open_store(settings.store_url) as opened:
            opened.check()
            chain = opened.verify_chain()
            if chain.broken_at is not None:
                typer.echo(str(broken(chain)), err=True)
            events = _events(opened)
        wanted = {"actor": actor, "action": action, "subject": subject}
        found = [
            each
            for each in events
            if all(value is None or getattr(each.event, name) == value for name, value in wanted.items())
        ]
        a_console().print(events_table(found[-limit:], found=len(found), zone=settings.zone))


def broken(chain: Chain) -> StoreError:
    """Return the error that says where a chain is broken, and how."""
    from triage.store.rows import FAULTS

    return StoreError(
        f"the audit log is broken at event {chain.broken_at} of {chain.events} ({chain.fault}): "
        f"{FAULTS[chain.fault]}",
        where="audit_events",
        mend=_KEEP,
    )


def events_table(events: Sequence[Chained], *, found: int, zone: ZoneInfo) -> Table:
    """Return audit events, one a line.

    Parameters
    ----------
    events : sequence of Chained
        Those to be shown.
    found : int
        How many there are with those that are not shown.
    zone : ZoneInfo
        Zone of the times.
    """
    from triage.desk.listing import a_table

    return a_table(
        f"{len(events)} of {found} audit events",
        [("number", True), *((name, False) for name in ("at", "actor", "action", "subject", "details"))],
        (
            (
                str(each.number),
                f"{each.event.at.astimezone(zone):%d %b %Y %H:%M:%S}",
                each.event.actor,
                each.event.action,
                each.event.subject,
                ", ".join(f"{name} {_shown(value)}" for name, value in each.event.details.items()),
            )
            for each in events
        ),
    )


def _shown(value: object) -> str:
    return ";".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _events(store: Store) -> Sequence[Chained]:
    """Return the events, or say that one of them was altered so that it cannot be read."""
    try:
        return store.events()
    except (ValueError, TypeError, AttributeError, KeyError):
        pass
    raise StoreError("an audit event was altered so that it cannot be read", where="audit_events", mend=_KEEP)
