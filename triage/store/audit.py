"""What was done with personal data: a chain of hashes that shows any later change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, func, select, type_coerce

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


def verify(connection: Connection, noted: str = "") -> Chain:
    """Return whether each event has the hash of its content and follows the one before.

    Parameters
    ----------
    connection : Connection
        To the store.
    noted : str, optional
        A head of the chain that was noted elsewhere.
    """
    query = select(*_as_stored(connection)).order_by(audit_events.c.number)
    head, events, broken_at, fault = FIRST, 0, None, ""
    noted_at = 0 if noted == FIRST else None
    suspect: Mapping[Any, Any] = {}
    with _any_bytes(connection):
        for row in connection.execution_options(yield_per=1000).execute(query):
            values = row._mapping
            events += 1
            if broken_at is None and (fault := _fault(values, events, head)):
                broken_at, suspect = events, values
            head = values["hash"]
            noted_at = events if head == noted else noted_at
    if fault == "altered" and any(_sound({**suspect, "number": each}) for each in range(1, events + 2)):
        fault = "reordered"
    return Chain(events=events, head=str(head), broken_at=broken_at, fault=fault, noted_at=noted_at)


def _fault(values: Mapping[Any, Any], place: int, head: str) -> str:
    """Return what is wrong with an event that stands at a place, empty if nothing is."""
    if values["number"] != place:
        return "removed" if values["number"] > place else "inserted"
    if not _sound(values):
        return "altered"
    return "" if values["previous_hash"] == head else "inserted"


def _sound(values: Mapping[Any, Any]) -> bool:
    try:
        return bool(values["hash"] == digest_of(values))
    except (TypeError, ValueError):  # a value of a kind that the store never writes
        return False


def _as_stored(connection: Connection) -> list[ColumnElement[Any]]:
    """Return the columns as text that needs no reading, a moment in the form that is hashed."""
    if connection.dialect.name == "sqlite":
        at: ColumnElement[Any] = type_coerce(audit_events.c.at, Text)
    else:
        in_utc = func.timezone("UTC", audit_events.c.at)
        # With its era, or a year before Christ would read like the year that was written.
        at = func.replace(func.to_char(in_utc, "YYYY-MM-DD HH24:MI:SS.US BC"), " AD", "")
    special = {"at": at, "details": type_coerce(audit_events.c.details, Text)}
    return [special.get(each.name, each).label(each.name) for each in audit_events.columns]


@contextmanager
def _any_bytes(connection: Connection) -> Iterator[None]:
    """Let SQLite hand out text that is no UTF-8, at which it would otherwise stop reading."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = str
