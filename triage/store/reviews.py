"""What people did to items, as the store keeps it: one row an act, for good."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, and_, case, func, or_, select, type_coerce

from triage.errors import ConflictError, UsageError
from triage.review.decisions import DECIDING, Review, ReviewEvent, ReviewRules, next_event, review_of
from triage.review.outcomes import Outcome
from triage.store import audit as trail
from triage.store.coding import add
from triage.store.connected import Connected
from triage.store.erasure import erased_items
from triage.store.rows import AuditEvent, Detail
from triage.store.tables import places, queue_items, review_events, runs


class Reviews(Connected):
    """The part of the store that holds claims, decisions and rulings."""

    def act(
        self,
        item_id: str,
        act: str,
        *,
        actor: str,
        roles: Collection[str],
        at: datetime,
        token: str,
        rules: ReviewRules,
        seen: int | None = None,
        outcome: Outcome | None = None,
        chance: float = 1.0,
        details: Mapping[str, Detail] | None = None,
    ) -> ReviewEvent:
        """Do one act to one item and log it, or refuse; the same token twice is one act.

        See :func:`triage.review.decisions.next_event` for the parameters; ``details`` go into the audit
        event.

        Raises
        ------
        UsageError
            If no item has this id.
        PermissionDeniedError
            If the role, or this person, may not do it.
        ConflictError
            If the item's state does not allow it, or it has changed since the page was shown, or was erased,
            or the token belongs to another act or outcome.
        """

        def work(connection: Connection) -> ReviewEvent:
            done = connection.execute(_events().where(review_events.c.token == token)).first()
            if done is not None:
                event = event_of(done)
                if (event.item_id, event.actor, event.act, event.outcome) != (item_id, actor, act, outcome):
                    raise ConflictError(
                        "this form was sent before, with something else", where=item_id, mend="open it again"
                    )
                return event
            if outcome is not None and _is_erased(connection, item_id):
                raise ConflictError(
                    "what was kept of this item was erased",
                    where=item_id,
                    mend="leave it; nothing more is written of it",
                )
            review = _review(connection, item_id, at, rules)
            event = next_event(
                review,
                act,
                actor=actor,
                roles=roles,
                at=at,
                token=token,
                seen=seen,
                outcome=outcome,
                chance=chance,
                rules=rules,
            )
            add(connection, review_events, [_row_of(event)])
            noted = {"act": act, "event": event.number, **(details or {})}
            trail.append(connection, AuditEvent(at, actor, "alteration", item_id, details=noted))
            return event

        return self._write(work)

    def review(self, item_id: str, now: datetime, rules: ReviewRules) -> Review:
        """Return where an item stands.

        Raises
        ------
        UsageError
            If no item has this id.
        """
        return self._read(lambda connection: _review(connection, item_id, now, rules))

    def reviews_of_run(self, run_id: str, now: datetime, rules: ReviewRules) -> dict[str, Review]:
        """Return where every item of a run's queue stands, by id."""
        return self._reviews(select(places.c.item_id).where(places.c.run_id == run_id), now, rules)

    def reviews_touched(self, now: datetime, rules: ReviewRules) -> dict[str, Review]:
        """Return where every item stands to which anything was ever done, by id."""
        return self._reviews(select(review_events.c.item_id).distinct(), now, rules)

    def reviews_unsettled(self, now: datetime, rules: ReviewRules) -> dict[str, Review]:
        """Return where items stand that may still wait for somebody, by id.

        Left out are those whose last act was a ruling, or that nobody need read a second time.
        """
        touched = select(review_events.c.item_id).distinct()
        return self._reviews(touched.where(review_events.c.item_id.not_in(_settled())), now, rules)

    def reviews_open(self, run_id: str, now: datetime, rules: ReviewRules) -> dict[str, Review]:
        """Return where items of a run's queue stand that may still wait for somebody, by id."""
        queued = select(places.c.item_id).where(places.c.run_id == run_id)
        return self._reviews(queued.where(places.c.item_id.not_in(_settled())), now, rules)

    def history(self, item_id: str) -> tuple[ReviewEvent, ...]:
        """Return all that was done to an item, in order."""
        query = _events().where(review_events.c.item_id == item_id)
        return self._read(lambda connection: tuple(map(event_of, connection.execute(query))))

    def decisions_of(self, actor: str) -> tuple[ReviewEvent, ...]:
        """Return a person's decisions, corrections and rulings, the latest first."""
        query = (
            select(review_events)
            .where(review_events.c.actor == actor, review_events.c.act.in_(DECIDING))
            .order_by(review_events.c.at.desc(), review_events.c.item_id)
        )
        return self._read(lambda connection: tuple(map(event_of, connection.execute(query))))

    def _reviews(self, wanted: Select[Any], now: datetime, rules: ReviewRules) -> dict[str, Review]:
        items = select(queue_items.c.item_id, queue_items.c.queued_at).where(
            queue_items.c.item_id.in_(wanted)
        )
        events = _events().where(review_events.c.item_id.in_(wanted))

        def work(connection: Connection) -> dict[str, Review]:
            found = list(connection.execute(items))
            if not found:
                return {}
            night = _night(connection)
            done = {
                item_id: list(map(event_of, rows))
                for item_id, rows in groupby(connection.execute(events), key=lambda row: row.item_id)
            }
            return {
                row.item_id: review_of(
                    row.item_id, row.queued_at, done.get(row.item_id, ()), now, rules, night=night
                )
                for row in found
            }

        return self._read(work)


def _settled() -> Select[Any]:
    unsure = type_coerce(review_events.c.outcome, Text).contains('"disclosed":"cannot_say"')
    # Also of a decision that was corrected since: what is once to be read twice stays so.
    twice = or_(review_events.c.drawn, and_(review_events.c.outcome.is_not(None), unsure))
    last = (
        select(
            review_events.c.item_id,
            func.max(review_events.c.number).label("number"),
            func.sum(case((review_events.c.act == "decide", 1), else_=0)).label("decisions"),
            func.sum(case((twice, 1), else_=0)).label("twice"),
        )
        .group_by(review_events.c.item_id)
        .subquery()
    )
    latest = and_(review_events.c.item_id == last.c.item_id, review_events.c.number == last.c.number)
    once = and_(review_events.c.act.in_(("decide", "correct")), last.c.decisions == 1, last.c.twice == 0)
    return select(review_events.c.item_id).join(last, latest).where(or_(review_events.c.act == "rule", once))


def _events() -> Select[Any]:
    return select(review_events).order_by(review_events.c.item_id, review_events.c.number)


def _is_erased(connection: Connection, item_id: str) -> bool:
    return connection.execute(erased_items().where(queue_items.c.item_id == item_id)).first() is not None


def _review(connection: Connection, item_id: str, now: datetime, rules: ReviewRules) -> Review:
    queued_at = connection.scalar(select(queue_items.c.queued_at).where(queue_items.c.item_id == item_id))
    if queued_at is None:
        raise UsageError("no item has this id", where=item_id, mend="`triage queue list` shows the ids")
    rows = connection.execute(_events().where(review_events.c.item_id == item_id))
    return review_of(item_id, queued_at, map(event_of, rows), now, rules, night=_night(connection))


def _night(connection: Connection) -> datetime:
    """Return the as-of moment of the queue that stands; there are items, so there is one."""
    night: datetime = connection.scalars(select(func.max(runs.c.as_of))).one()
    return night


def _row_of(event: ReviewEvent) -> dict[str, Any]:
    kept = event.outcome.as_json() if event.outcome else None
    # Notes may name people: they stand apart, so that they can be emptied and the coded outcome stays.
    notes = kept["values"].pop("notes", None) if kept else None
    return {
        "item_id": event.item_id,
        "number": event.number,
        "at": event.at,
        "actor": event.actor,
        "act": event.act,
        "token": event.token,
        "outcome": kept,
        "notes": notes,
        "drawn": event.drawn,
        "hold_minutes": event.hold_minutes,
        "label_version": event.label_version or None,
    }


def event_of(row: Row[Any]) -> ReviewEvent:
    """Read an act on an item."""
    kept = row.outcome
    if kept is not None and row.notes:
        kept = {**kept, "values": {**kept["values"], "notes": row.notes}}
    return ReviewEvent(
        item_id=row.item_id,
        number=row.number,
        at=row.at,
        actor=row.actor,
        act=row.act,
        token=row.token,
        outcome=None if kept is None else Outcome.from_json(kept),
        drawn=row.drawn,
        hold_minutes=row.hold_minutes,
        # Acts before revision 0003 kept none.
        label_version=row.label_version or "",
    )
