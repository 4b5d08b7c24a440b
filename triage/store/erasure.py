"""What the store may lose: texts at their date, and all that was kept of one record, on order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, null, or_, select, update

from triage.errors import UsageError
from triage.store import audit as trail
from triage.store.connected import Connected
from triage.store.rows import AuditEvent
from triage.store.servers import wipe_free_space
from triage.store.tables import item_texts, queue_items, review_events

#: Columns of a part that hold what somebody wrote or answered.
_WRITTEN = ("text", "answers", "claims")


def erased_items() -> Select[Any]:
    """Return the ids of items that an erasure emptied: no probabilities, and a part without text."""
    emptied = select(item_texts.c.item_id).where(item_texts.c.text.is_(None))
    return select(queue_items.c.item_id).where(
        queue_items.c.p_families == {}, queue_items.c.item_id.in_(emptied)
    )


@dataclass(frozen=True, slots=True)
class Erased:
    """How much an erasure emptied: items, parts of items, and notes of auditors; 0 for what was empty."""

    items: int
    parts: int
    notes: int


class Erasure(Connected):
    """The part of the store that empties; coded outcomes and the audit events stay."""

    def erase(self, record_ref: str, audit: AuditEvent) -> Erased:
        """Empty what is kept of a record, in every item that it is a part of, and log it.

        Of the record: text, answers and claims. Of each such item: probabilities, evidence and the notes of
        its review, since they may tell of any of its parts. The event is written each time that somebody
        orders it, with the counts in its details.

        Parameters
        ----------
        record_ref : str
            The record's reference, in whatever table.
        audit : AuditEvent
            An erasure whose subject is the reference.

        Raises
        ------
        UsageError
            If no part of any item has this reference.

        Source: Data Protection Act 2018, section 47 (erasure); domain.md 7.1.
        """
        _expect_erasure(audit)
        if audit.subject != record_ref:
            raise ValueError("the subject of an erasure is the reference that is erased")

        def work(connection: Connection) -> Erased:
            of_record = item_texts.c.record_ref == record_ref
            touched = list(connection.scalars(select(item_texts.c.item_id).where(of_record).distinct()))
            if not touched:
                raise UsageError(
                    "no queued record has this reference",
                    where=record_ref,
                    mend="`triage queue show` finds items by the reference of any of their parts",
                )
            parts = _empty_parts(connection, of_record)
            items = connection.execute(
                update(queue_items)
                .where(
                    queue_items.c.item_id.in_(touched),
                    or_(queue_items.c.p_families != {}, queue_items.c.evidence != []),
                )
                .values(p_families={}, evidence=[])
            ).rowcount
            notes = _empty_notes(connection, review_events.c.item_id.in_(touched))
            counts = {"items": items, "parts": parts, "notes": notes}
            trail.append(connection, replace(audit, details={**audit.details, **counts}))
            return Erased(items, parts, notes)

        erased = self._write(work)
        self._plainly(lambda: wipe_free_space(self._engine))
        return erased

    def purge_texts(self, as_of: datetime, audit: AuditEvent) -> int:
        """Empty texts and notes whose retention date has come; returns how many parts.

        Of each part: text, answers and claims; of each item: the notes of its review. The event is written
        with the counts as ``parts`` and ``notes`` in its details, and only if there was any.

        Source: Data Protection Act 2018, section 39 (storage limitation); domain.md 7.1.
        """
        _expect_erasure(audit)

        def work(connection: Connection) -> int:
            parts = _empty_parts(connection, item_texts.c.retain_until <= as_of)
            due = select(queue_items.c.item_id).where(queue_items.c.retain_until <= as_of)
            notes = _empty_notes(connection, review_events.c.item_id.in_(due))
            if parts or notes:
                counts = {"parts": parts, **({"notes": notes} if notes else {})}
                trail.append(connection, replace(audit, details={**audit.details, **counts}))
            return parts

        parts = self._write(work)
        # Also after an empty purge: an earlier one may have been killed before this step.
        self._plainly(lambda: wipe_free_space(self._engine))
        return parts


def _expect_erasure(audit: AuditEvent) -> None:
    if audit.action != "erasure":
        raise ValueError(f"this act is logged as erasure, not as {audit.action}")


def _empty_parts(connection: Connection, which: ColumnElement[bool]) -> int:
    filled = or_(*(item_texts.c[name].is_not(None) for name in _WRITTEN))
    emptied = update(item_texts).where(and_(which, filled)).values({name: null() for name in _WRITTEN})
    return connection.execute(emptied).rowcount


def _empty_notes(connection: Connection, which: ColumnElement[bool]) -> int:
    emptied = update(review_events).where(which, review_events.c.notes.is_not(None)).values(notes=null())
    return connection.execute(emptied).rowcount
