"""What was done with personal data: a chain of hashes that shows any later change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, select, type_coerce

from triage.store.coding import add, plain
from triage.store.rows import AuditEvent, Chain, Chained
from triage.store.tables import audit_events, canonical

#: What the first event names as the hash before it.
FIRST = "0" * 64
# As SQLite holds a moment, so that the stored text and a moment read from PostgreSQL give one hash.
_MOMENT = "%Y-%m-%d %H:%M:%S.%f"


def digest_of(row: Mapping[Any, Any]) -> str:
    """Return the hash of an event: SHA-256 of the canonical JSON of its stored values.

    ``hash`` itself is left out; ``details`` is taken as the text that is stored and a moment in one form, so
    that a value that was tampered with needs no reading to be hashed.

    Source: the chain follows Schneier & Kelsey, "Secure audit logs to support computer forensics", ACM TISSEC
    2(2), 1999, section 4, without their keys.
    """
    content = {name: value for name, value in row.items() if name != "hash"}
    at = content["at"]
    content["at"] = at.astimezone(UTC).strftime(_MOMENT) if isinstance(at, datetime) else at
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def append(connection: Connection, event: AuditEvent) -> None:
    """Add an event to the chain; the caller holds the write lock, or two writers could fork it."""
    last = connection.execute(
        select(audit_events.c.number, audit_events.c.hash).order_by(audit_events.c.number.desc()).limit(1)
    ).first()
    values = plain(event) | {
        "number": last.number + 1 if last else 1,
        "previous_hash": last.hash if last else FIRST,
    }
    digest = digest_of(values | {"details": canonical(values["details"])})
    add(connection, audit_events, [values | {"hash": digest}])


def event_of(row: Row[Any]) -> Chained:
    """Read an event."""
    values = row._mapping
    details = {
        key: tuple(each) if isinstance(each, list) else each for key, each in values["details"].items()
    }
    event = AuditEvent(
        at=values["at"],
        actor=values["actor"],
        action=values["action"],
        subject=values["subject"],
        run_id=values["run_id"],
        details=details,
    )
    return Chained(values["number"], event, values["previous_hash"], values["hash"])


def verify(connection: Connection) -> Chain:
    """Return whether each event has the hash of its content and follows the one before."""
    columns = [
        type_coerce(column, Text).label(column.name) if column.name in {"at", "details"} else column
        for column in audit_events.columns
    ]
    rows = connection.execution_options(yield_per=1000).execute(
        select(*columns).order_by(audit_events.c.number)
    )
    head, events, broken_at = FIRST, 0, None
    for row in rows:
        values = row._mapping
        events += 1
        sound = (
            values["number"] == events
            and values["previous_hash"] == head
            and values["hash"] == digest_of(values)
        )
        if not sound and broken_at is None:
            broken_at = events
        head = values["hash"]
    return Chain(events=events, head=head, broken_at=broken_at)
