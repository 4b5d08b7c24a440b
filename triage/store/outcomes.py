"""What was decided as of a moment, as the store knows it: the source of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from triage.language.offences import FAMILIES, family_of
from triage.reading.records import Record
from triage.review.decisions import ReviewRules
from triage.review.labels import Decided, Kept, Label, Queued, entry_probability, label_of
from triage.store.coding import text_of
from triage.store.connected import Connected
from triage.store.erasure import erased_items
from triage.store.reviews import event_of
from triage.store.rows import ItemText
from triage.store.tables import draws, item_texts, places, queue_items, review_events, runs

_QUEUED = (
    queue_items.c.item_id,
    queue_items.c.root,
    queue_items.c.run_id,
    queue_items.c.arm,
    queue_items.c.stratum,
    queue_items.c.inclusion_probability,
    queue_items.c.score_01,
    queue_items.c.queued_at,
    queue_items.c.source,
    queue_items.c.record_ref,
)


class Outcomes(Connected):
    """The part of the store that hands out what was decided."""

    def decided(self, as_of: datetime, rules: ReviewRules) -> tuple[Decided, ...]:
        """Return the items that were closed at a moment with the outcome that counted then, oldest first.

        Decisions, rulings, runs and draws later than the moment do not count. A text that was purged or
        erased since is not there any more, whatever the moment.

        Parameters
        ----------
        as_of : datetime
            The moment, aware.
        rules : ReviewRules
            ``correction_hours`` says when one decision is final.
        """
        return self._read(lambda connection: _decided(connection, as_of, rules))

    def queued(self, as_of: datetime) -> tuple[Queued, ...]:
        """Return how each item came into the queue, of all queued up to a moment, oldest first."""
        return self._read(lambda connection: _queued(connection, as_of))


def _queued(connection: Connection, as_of: datetime) -> tuple[Queued, ...]:
    query = select(*_QUEUED).where(queue_items.c.queued_at <= as_of)
    rows = list(connection.execute(query.order_by(queue_items.c.queued_at, queue_items.c.item_id)))
    drawn = {
        row.root: (row.as_of, row.inclusion_probability, row.drawn)
        for row in connection.execute(
            select(draws.c.root, draws.c.inclusion_probability, draws.c.drawn, runs.c.as_of)
            .join(runs, runs.c.run_id == draws.c.run_id)
            .where(runs.c.as_of <= as_of, draws.c.root.in_(select(queue_items.c.root)))
        )
    }
    first: dict[str, Any] = {}
    for row in rows:
        first.setdefault(row.root, row)
    return tuple(
        Queued(
            **row._mapping,
            entry_probability=entry_probability(
                first[row.root].inclusion_probability, first[row.root].queued_at, drawn.get(row.root)
            ),
        )
        for row in rows
    )


def _decided(connection: Connection, as_of: datetime, rules: ReviewRules) -> tuple[Decided, ...]:
    touched = select(review_events.c.item_id).where(review_events.c.at <= as_of)
    events = select(review_events).where(review_events.c.item_id.in_(touched))
    rows = connection.execute(events.order_by(review_events.c.item_id, review_events.c.number))
    done = {item_id: list(map(event_of, group)) for item_id, group in groupby(rows, lambda row: row.item_id)}
    labels = {
        queued: label
        for queued in _queued(connection, as_of)
        if (label := label_of(queued.item_id, queued.queued_at, done.get(queued.item_id, ()), as_of, rules))
    }
    parts = item_texts.select().where(item_texts.c.item_id.in_(touched))
    texts = {
        item_id: tuple(map(text_of, group))
        for item_id, group in groupby(
            connection.execute(parts.order_by(item_texts.c.item_id, item_texts.c.part)),
            lambda row: row.item_id,
        )
    }
    erased = set(connection.scalars(erased_items()))
    shown = _crimes_shown(connection, as_of)
    return tuple(
        _with_texts(
            queued,
            label,
            texts[queued.item_id],
            _families(shown[queued.item_id], label.decided_at),
            erased=queued.item_id in erased,
        )
        for queued, label in labels.items()
    )


def _crimes_shown(connection: Connection, as_of: datetime) -> dict[str, list[Any]]:
    """Return the places of each item with anything done to it, in the order of publication."""
    touched = select(review_events.c.item_id).where(review_events.c.at <= as_of)
    query = (
        select(places.c.item_id, places.c.crimes, runs.c.published_at)
        .join(runs, runs.c.run_id == places.c.run_id)
        .where(places.c.item_id.in_(touched))
        .order_by(places.c.item_id, runs.c.number)
    )
    return {
        item_id: list(group) for item_id, group in groupby(connection.execute(query), lambda row: row.item_id)
    }


def _families(shown: Sequence[Any], decided_at: datetime) -> tuple[str, ...]:
    """Return the families recorded as of the last queue published before the decision."""
    before = [row for row in shown if row.published_at <= decided_at]
    crimes: Sequence[Mapping[str, str]] = (before or shown[:1])[-1].crimes
    found = {family_of(crime["offence_code"]) for crime in crimes if crime["status"] == "recorded"}
    return tuple(family for family in FAMILIES if family in found)


def _with_texts(
    queued: Queued, label: Label, texts: Sequence[ItemText], recorded: tuple[str, ...], *, erased: bool
) -> Decided:
    whole = all(text.text is not None for text in texts)
    kept: Kept = "erased" if erased else "kept" if whole else "purged"
    return Decided(
        queued=queued,
        parts=tuple((text.source, text.record_ref) for text in texts),
        records=tuple(map(_record, texts)) if kept == "kept" else (),
        recorded=recorded,
        label=label,
        text=kept,
    )


def _record(text: ItemText) -> Record:
    return Record(
        source=text.source,
        record_ref=text.record_ref,
        opened_at=text.opened_at,
        closed_at=text.closed_at,
        text=text.text or "",
        opening_code=text.opening_code,
        closing_code=text.closing_code,
        team=text.team,
        supervisor_ref=text.supervisor_ref,
        form_version=text.form_version,
        answers=dict(text.answers or {}),
    )
