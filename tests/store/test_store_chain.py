"""The chain of audit events shows every later change."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.store.nights import event
from triage.store import Store


@pytest.fixture
def logged(store: Store) -> Store:
    """A store with five events, whose triggers somebody has removed."""
    for minute in range(5):
        store.record(event("consultation", f"item-{minute}", minute, parts=minute, reason="Ö"))
    with store._engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER audit_events_no_update"))
            connection.execute(text("DROP TRIGGER audit_events_no_delete"))
        else:
            connection.execute(text("DROP TRIGGER audit_events_append_only ON audit_events"))
    return store


def test_an_untouched_chain_holds(logged: Store) -> None:
    chain = logged.verify_chain()
    assert (chain.events, chain.broken_at) == (5, None)
    assert chain.head == logged.events()[-1].hash
    assert [each.previous_hash for each in logged.events()[1:]] == [
        each.hash for each in logged.events()[:-1]
    ]


@pytest.mark.parametrize(
    ("act", "broken_at"),
    [
        ("UPDATE audit_events SET actor = 'auditor.two' WHERE number = 3", 3),
        ("UPDATE audit_events SET subject = 'item-9' WHERE number = 1", 1),
        ("UPDATE audit_events SET action = 'disclosure' WHERE number = 5", 5),
        ("UPDATE audit_events SET run_id = 'run-9' WHERE number = 2", 2),
        ("UPDATE audit_events SET at = '2020-01-01 00:00:00.000000+00' WHERE number = 4", 4),
        ("UPDATE audit_events SET details = '{\"parts\":9}' WHERE number = 2", 2),
        ("UPDATE audit_events SET details = 'no json' WHERE number = 2", 2),
        ("UPDATE audit_events SET hash = previous_hash WHERE number = 2", 2),
        ("DELETE FROM audit_events WHERE number = 3", 3),
        ("DELETE FROM audit_events WHERE number = 1", 1),
        ("UPDATE audit_events SET number = 9 WHERE number = 2", 2),
    ],
)
def test_a_change_shows_where_it_was_made(logged: Store, act: str, broken_at: int) -> None:
    if "hash = previous_hash" in act:
        act = f"UPDATE audit_events SET hash = '{'f' * 64}' WHERE number = 2"
    with logged._engine.begin() as connection:
        connection.exec_driver_sql(act)
    assert logged.verify_chain().broken_at == broken_at


def test_events_removed_from_the_end_show_in_the_head_only(logged: Store) -> None:
    head = logged.verify_chain().head
    with logged._engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_events WHERE number = 5"))
    chain = logged.verify_chain()
    assert chain.broken_at is None
    assert chain.head != head
