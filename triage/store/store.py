"""The store: one transaction per act, with its audit event; what is written stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from triage.errors import UsageError
from triage.ranking.allocation import Draw
from triage.review.decisions import DECIDING
from triage.store import audit as trail
from triage.store.coding import add, draw_of, item_of, place_values, plain, queue_row_of, run_of, text_of
from triage.store.erasure import Erasure, erased_items
from triage.store.outcomes import Outcomes
from triage.store.reviews import Reviews
from triage.store.rows import AuditEvent, Chain, Chained, Item, ItemText, Publication, QueueRow, Run
from triage.store.servers import engine_for, parsed
from triage.store.tables import (
    audit_events,
    draws,
    item_texts,
    places,
    queue_items,
    rejects,
    review_events,
    runs,
)

# Well below the bound on parameters of SQLite (32,766) and PostgreSQL (65,535).
_CHUNK = 5000


def open_store(url: str) -> Store:
    """Return the store at an address; it connects on first use.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql://user@host/database``.

    Raises
    ------
    StoreError
        If the address is of neither kind, or the driver of PostgreSQL is not installed.
    """
    return Store(engine_for(parsed(url)))


class Store(Erasure, Reviews, Outcomes):
    """What the nights have published and who read it; a context manager, or ``close`` it.

    Every method raises ``StoreError`` if the server cannot be reached or refuses. A method that writes takes
    the audit event and writes both or neither.
    """

    # Writing

    def publish(self, publication: Publication, audit: AuditEvent) -> bool:
        """Add a night as a whole, or nothing; False if this run was published before.

        Raises
        ------
        StoreError
            If another run has stored one of its items or draws, or one of its strings cannot be stored.
        """
        run = publication.run

        def work(connection: Connection) -> bool:
            if connection.scalar(select(runs.c.run_id).where(runs.c.run_id == run.run_id)):
                return False
            number = (connection.scalar(select(func.max(runs.c.number))) or 0) + 1
            add(connection, runs, [{**plain(run), "number": number}])
            add(connection, queue_items, map(plain, publication.items))
            add(connection, item_texts, map(plain, publication.texts))
            add(connection, places, place_values(run.run_id, publication.places))
            add(connection, draws, ({**plain(draw), "run_id": run.run_id} for draw in publication.draws))
            add(
                connection,
                rejects,
                (
                    {
                        "run_id": run.run_id,
                        "number": order,
                        "file": row.file,
                        "table_name": row.table,
                        "row_number": row.row_number,
                        "column_name": row.column,
                        "rule": row.rule,
                    }
                    for order, row in enumerate(publication.rejects, 1)
                ),
            )
            trail.append(connection, audit)
            return True

        return self._write(work)

    def record(self, audit: AuditEvent) -> None:
        """Add an audit event alone."""
        self._write(lambda connection: trail.append(connection, audit))

    def consult(self, item_id: str, audit: AuditEvent) -> tuple[ItemText, ...]:
        """Return an item's texts and log the consultation in the same transaction.

        Raises
        ------
        UsageError
            If no item has this id.
        """
        _expect("consultation", audit)

        def work(connection: Connection) -> tuple[ItemText, ...]:
            texts = _texts(connection, item_id)
            if not texts:
                raise UsageError(
                    "no item has this id", where=item_id, mend="`triage queue list` shows the ids"
                )
            trail.append(connection, audit)
            return texts

        return self._write(work)

    def disclose(self, run_id: str | None, audit: AuditEvent) -> tuple[QueueRow, ...]:
        """Return a run's queue for export (None: the latest) and log it as a disclosure."""
        _expect("disclosure", audit)

        def work(connection: Connection) -> tuple[QueueRow, ...]:
            rows = _queue(connection, run_id)
            trail.append(connection, audit)
            return rows

        return self._write(work)

    # Reading

    def run(self, run_id: str) -> Run | None:
        """Return a run, None if it was never published."""
        found = self._read(
            lambda connection: connection.execute(_runs().where(runs.c.run_id == run_id)).first()
        )
        return run_of(found) if found else None

    def latest_run(self) -> Run | None:
        """Return the run that stands: the one as of the latest moment, of two the one published last.

        None if there is none. A past night that is run again therefore replaces no later queue.
        """
        found = self._read(lambda connection: connection.execute(_runs().limit(1)).first())
        return run_of(found) if found else None

    def runs(self) -> tuple[Run, ...]:
        """Return all runs, the one that stands first."""
        return tuple(map(run_of, self._rows(_runs())))

    def queue(self, run_id: str | None = None) -> tuple[QueueRow, ...]:
        """Return a run's queue in order (None: that of the run that stands); empty if there is none."""
        return self._read(lambda connection: _queue(connection, run_id))

    def order(self, run_id: str) -> tuple[str, ...]:
        """Return the ids of a run's items in the order of its queue."""
        query = select(places.c.item_id).where(places.c.run_id == run_id).order_by(places.c.position)
        return tuple(row.item_id for row in self._rows(query))

    def item(self, item_id: str) -> Item | None:
        """Return an item, None if no item has this id."""
        found = self._items(select(queue_items).where(queue_items.c.item_id == item_id))
        return found[0] if found else None

    def items_of(self, record_ref: str) -> tuple[Item, ...]:
        """Return the items with this reference, of their matter or of any part, oldest first."""
        parts = select(item_texts.c.item_id).where(item_texts.c.record_ref == record_ref)
        return self._items(
            select(queue_items).where(
                or_(
                    queue_items.c.record_ref == record_ref,
                    queue_items.c.root == record_ref,
                    queue_items.c.item_id.in_(parts),
                )
            )
        )

    def unread_items(self, as_of: datetime, carry_over_days: int) -> tuple[Item, ...]:
        """Return items queued before a moment, at most so many days, that nobody has decided, oldest first.

        An item whose texts were erased is never read again.
        """
        decided = select(review_events.c.item_id).where(review_events.c.act.in_(DECIDING))
        return self._items(
            select(queue_items).where(
                queue_items.c.queued_at < as_of,
                queue_items.c.queued_at >= as_of - timedelta(days=carry_over_days),
                queue_items.c.item_id.not_in(decided),
                queue_items.c.item_id.not_in(erased_items()),
            )
        )

    def place_of(self, item_id: str) -> QueueRow | None:
        """Return the item's place in the latest run that has it, None if it never had one."""
        latest = _runs().with_only_columns(runs.c.run_id).join(places, places.c.run_id == runs.c.run_id)

        def work(connection: Connection) -> QueueRow | None:
            run_id = connection.scalar(latest.where(places.c.item_id == item_id).limit(1))
            rows = _queue(connection, run_id, item_id) if run_id else ()
            return rows[0] if rows else None

        return self._read(work)

    def texts(self, item_id: str) -> tuple[ItemText, ...]:
        """Return an item's texts, for the machine: what a person sees goes through ``consult``."""
        return self._read(lambda connection: _texts(connection, item_id))

    def known_contents(self, content_hashes: Iterable[str]) -> set[str]:
        """Return those of these contents of single records that were ever queued, as a lead or a part."""
        column = item_texts.c.content_hash
        return {row.content_hash for row in self._chunked(select(column), column, content_hashes)}

    def draws_made(self, roots: Iterable[str]) -> dict[str, Draw]:
        """Return the draws already made for these matters, by root."""
        made = map(draw_of, self._chunked(select(draws), draws.c.root, roots))
        return {draw.root: draw for draw in made}

    def events(self) -> tuple[Chained, ...]:
        """Return the audit events in order."""
        query = select(audit_events).order_by(audit_events.c.number)
        found = self._rows(query)
        return tuple(map(trail.event_of, found))

    def verify_chain(self, noted: str = "") -> Chain:
        """Return whether the audit events are as they were written, and where they first are not.

        ``noted`` is a head of the chain that somebody noted elsewhere: it says where it stands now.
        """
        return self._read(lambda connection: trail.verify(connection, noted))

    def _rows(self, query: Select[Any]) -> list[Any]:
        return self._read(lambda connection: list(connection.execute(query)))

    def _items(self, query: Select[Any]) -> tuple[Item, ...]:
        ordered = query.order_by(queue_items.c.queued_at, queue_items.c.item_id)
        found = self._rows(ordered)
        return tuple(item_of(row._mapping) for row in found)

    def _chunked(self, query: Select[Any], column: Any, values: Iterable[str]) -> list[Any]:
        remaining = iter(sorted(set(values)))
        found: list[Any] = []
        while chunk := list(islice(remaining, _CHUNK)):
            found += self._rows(query.where(column.in_(chunk)))
        return found


def _expect(action: str, audit: AuditEvent) -> None:
    if audit.action != action:
        raise ValueError(f"this act is logged as {action}, not as {audit.action}")


def _runs() -> Select[Any]:
    return select(runs).order_by(runs.c.as_of.desc(), runs.c.number.desc())


def _texts(connection: Connection, item_id: str) -> tuple[ItemText, ...]:
    query = select(item_texts).where(item_texts.c.item_id == item_id).order_by(item_texts.c.part)
    return tuple(map(text_of, connection.execute(query)))


def _queue(connection: Connection, run_id: str | None, item_id: str = "") -> tuple[QueueRow, ...]:
    if run_id is None:
        run_id = connection.scalar(_runs().with_only_columns(runs.c.run_id).limit(1))
    names = [column.name for column in queue_items.columns]
    query = (
        select(places, *(column.label(f"item_{column.name}") for column in queue_items.columns))
        .join(queue_items, queue_items.c.item_id == places.c.item_id)
        .where(places.c.run_id == run_id)
        .order_by(places.c.position)
    )
    if item_id:
        query = query.where(places.c.item_id == item_id)
    return tuple(queue_row_of(row, names) for row in connection.execute(query))
