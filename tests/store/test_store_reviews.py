"""What people do to items is kept once, with its audit event, and by one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from tests.store.nights import CANARY, FIRST_NIGHT, NO_CRIME, RULES, decide, event, night
from triage.errors import ConflictError, PermissionDeniedError, StoreError, UsageError
from triage.review.decisions import ReviewEvent
from triage.review.outcomes import FoundCrime, Outcome
from triage.store import Store, open_store
from triage.store.tables import audit_events, review_events

ITEM = night().items[0].item_id
OTHER = night().items[1].item_id
FULL = Outcome(
    "yes",
    (FoundCrime("burglary", 1, 3, 9, values={"victim_number": "2"}), FoundCrime("theft", 2, question=16)),
    {"reason_not_recorded": "R7", "notes": f"{CANARY} – née Ö 🦓"},
)


@pytest.fixture
def queued(store: Store) -> Store:
    """A store with one night."""
    store.publish(night(), event())
    return store


def act(store: Store, name: str, item_id: str = ITEM, **more: Any) -> ReviewEvent:
    """Do one act; ann, an auditor, claims it unless told otherwise."""
    said = {
        "actor": "ann",
        "roles": {"auditor"},
        "at": FIRST_NIGHT,
        "token": f"{item_id} {name} {more.get('actor', 'ann')}",
        "rules": RULES,
    }
    return store.act(item_id, name, **(said | more))


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the two tables hold."""
    with store._engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in (review_events, audit_events)
        }


def test_an_act_comes_back_as_it_was_done_with_its_audit_event(queued: Store) -> None:
    claimed = act(queued, "claim", details={"workbook": "w-1"})
    decided = act(queued, "decide", at=FIRST_NIGHT + timedelta(minutes=5), outcome=FULL)
    assert queued.history(ITEM) == (claimed, decided)
    assert (claimed.number, decided.number, claimed.hold_minutes) == (1, 2, RULES.claim_minutes)
    assert queued.history(ITEM)[1].outcome == FULL
    logged = [each.event for each in queued.events()[1:]]
    assert [(each.at, each.actor, each.action, each.subject, each.details) for each in logged] == [
        (claimed.at, "ann", "alteration", ITEM, {"act": "claim", "event": 1, "workbook": "w-1"}),
        (decided.at, "ann", "alteration", ITEM, {"act": "decide", "event": 2}),
    ]
    assert CANARY not in str(rows(queued)["audit_events"])


def test_notes_stand_apart_from_the_coded_outcome(queued: Store) -> None:
    act(queued, "claim")
    act(queued, "decide", outcome=FULL)
    with queued._engine.connect() as connection:
        outcome, notes = connection.execute(
            text("SELECT outcome, notes FROM review_events WHERE number = 2")
        ).one()
    assert CANARY not in outcome
    assert notes == FULL.values["notes"]


def test_a_refused_act_leaves_nothing(queued: Store) -> None:
    act(queued, "claim")
    before = rows(queued)
    refusals: list[tuple[type[Exception], dict[str, Any]]] = [
        (PermissionDeniedError, {"name": "claim", "actor": "viv", "roles": {"viewer"}}),
        (ConflictError, {"name": "claim", "actor": "bob"}),
        (PermissionDeniedError, {"name": "decide", "actor": "bob", "outcome": NO_CRIME}),
        (ConflictError, {"name": "decide", "outcome": NO_CRIME, "seen": 2}),
        (UsageError, {"name": "decide"}),
        (UsageError, {"name": "claim", "item_id": "0" * 16}),
        (UsageError, {"name": "unknown"}),
        (ValueError, {"name": "decide", "outcome": NO_CRIME, "details": {"text": "x" * 201}}),
        (StoreError, {"name": "decide", "outcome": Outcome("no", values={"notes": "a\x00b"})}),
    ]
    for kind, tried in refusals:
        with pytest.raises(kind) as refused:
            act(queued, **tried)
        assert CANARY not in str(refused.value)
    assert rows(queued) == before


def test_a_server_that_refuses_the_audit_event_undoes_the_act(queued: Store) -> None:
    with queued._engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(
                text(
                    "CREATE TRIGGER broken BEFORE INSERT ON audit_events "
                    "BEGIN SELECT RAISE(ABORT, 'broken'); END"
                )
            )
        else:
            connection.execute(text("ALTER TABLE audit_events ADD CHECK (number < 2)"))
    before = rows(queued)
    with pytest.raises(StoreError):
        act(queued, "claim")
    assert rows(queued) == before


def test_the_same_token_is_one_act(queued: Store) -> None:
    claimed = act(queued, "claim")
    decided = act(queued, "decide", outcome=NO_CRIME)
    before = rows(queued)
    for at in (FIRST_NIGHT, FIRST_NIGHT + timedelta(days=30)):
        assert act(queued, "claim", at=at) == claimed
        assert act(queued, "decide", at=at, outcome=NO_CRIME, seen=1) == decided
        # Sent again with another answer: whoever changed it must not believe that it was saved.
        with pytest.raises(ConflictError, match="sent before"):
            act(queued, "decide", at=at, outcome=Outcome("cannot_say"))
    assert rows(queued) == before


def test_nothing_more_is_written_of_an_erased_item(queued: Store) -> None:
    act(queued, "claim")
    act(queued, "decide", outcome=NO_CRIME)
    reference = night().items[0].record_ref
    queued.erase(reference, event("erasure", reference))
    before = rows(queued)
    with pytest.raises(ConflictError, match="erased"):
        act(queued, "correct", outcome=Outcome("no", values={"notes": CANARY}))
    assert rows(queued) == before


@pytest.mark.parametrize("other", [{"actor": "bob"}, {"item_id": OTHER}, {"name": "release"}])
def test_a_token_of_another_act_is_refused(queued: Store, other: dict[str, str]) -> None:
    token = act(queued, "claim").token
    before = rows(queued)
    with pytest.raises(ConflictError, match="sent before"):
        act(queued, **{"name": "claim", "token": token, **other})
    assert rows(queued) == before


def test_where_items_stand_is_the_same_one_by_one_and_together(queued: Store) -> None:
    decide(queued, ITEM, FIRST_NIGHT)
    act(queued, "claim", OTHER)
    for now in (FIRST_NIGHT, FIRST_NIGHT + timedelta(hours=1), FIRST_NIGHT + timedelta(days=20)):
        of_run = queued.reviews_of_run("run-1", now, RULES)
        assert of_run == {item.item_id: queued.review(item.item_id, now, RULES) for item in night().items}
        assert queued.reviews_touched(now, RULES) == {each: of_run[each] for each in (ITEM, OTHER)}
    assert queued.reviews_of_run("run-2", FIRST_NIGHT, RULES) == {}
    assert [each.state for each in of_run.values()].count("closed") == 1


def test_no_item_that_waits_for_somebody_is_taken_for_settled(store: Store) -> None:
    published = night(items=8)
    store.publish(published, event())
    claimed, second, corrected, disputed, reopened, ruled, decided, _ = (
        item.item_id for item in published.items
    )
    act(store, "claim", claimed)
    for item_id in (second, corrected, disputed, ruled):
        decide(store, item_id, FIRST_NIGHT, Outcome("cannot_say"), by="ann")
    act(store, "correct", corrected, outcome=NO_CRIME)
    for item_id in (disputed, ruled):
        decide(store, item_id, FIRST_NIGHT, NO_CRIME, by="bob")
    for item_id in (reopened, decided):
        decide(store, item_id, FIRST_NIGHT, by="ann")
    later = FIRST_NIGHT + timedelta(days=2)
    registrar = {"actor": "reg", "roles": {"registrar"}, "at": later}
    act(store, "reopen", reopened, **registrar)
    act(store, "rule", ruled, outcome=NO_CRIME, **registrar)
    reviews = store.reviews_touched(FIRST_NIGHT, RULES)
    assert {item_id: reviews[item_id].state for item_id in (claimed, corrected, disputed)} == {
        claimed: "claimed",
        corrected: "second_review",
        disputed: "disputed",
    }
    unsettled = store.reviews_unsettled(later, RULES)
    assert unsettled.keys() == {claimed, second, corrected, disputed, reopened}
    assert unsettled == {
        item_id: review
        for item_id, review in store.reviews_touched(later, RULES).items()
        if item_id in unsettled
    }


def test_my_decisions_are_mine_and_the_latest_first(queued: Store) -> None:
    decide(queued, ITEM, FIRST_NIGHT, by="ann")
    decide(queued, OTHER, FIRST_NIGHT + timedelta(hours=1), by="ann")
    act(queued, "correct", at=FIRST_NIGHT + timedelta(hours=2), outcome=FULL)
    decide(queued, night().items[2].item_id, FIRST_NIGHT, by="bob")
    mine = queued.decisions_of("ann")
    assert [(each.item_id, each.act) for each in mine] == [
        (ITEM, "correct"),
        (OTHER, "decide"),
        (ITEM, "decide"),
    ]
    assert queued.decisions_of("viv") == ()


def test_what_is_decided_is_not_carried_over_and_what_is_claimed_is(queued: Store) -> None:
    decide(queued, ITEM, FIRST_NIGHT)
    act(queued, "claim", OTHER)
    left = {item.item_id for item in queued.unread_items(FIRST_NIGHT + timedelta(days=1), 14)}
    assert left == {item.item_id for item in night().items[1:]}


def race(url: str, people: int, work: Callable[[Store, int], object]) -> list[object]:
    """Let people do something at once, each with a connection of their own; return what each got."""
    got: list[object] = [None] * people
    start = threading.Barrier(people)

    def run(number: int) -> None:
        with open_store(url) as own:
            own.check()
            start.wait()
            try:
                got[number] = work(own, number)
            except (ConflictError, PermissionDeniedError) as error:
                got[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_of_many_who_claim_one_item_one_gets_it(queued: Store, store_url: str) -> None:
    for item in night().items:
        got = race(
            store_url, 6, lambda own, number, of=item.item_id: act(own, "claim", of, actor=f"a{number}")
        )
        won = [each for each in got if isinstance(each, ReviewEvent)]
        assert len(won) == 1
        assert sum(isinstance(each, ConflictError) for each in got) == 5
        assert queued.review(item.item_id, FIRST_NIGHT, RULES).holder == won[0].actor
        assert queued.history(item.item_id) == (won[0],)
    chain = queued.verify_chain()
    assert (chain.events, chain.broken_at) == (4, None)


def test_of_many_who_read_second_one_gets_it(queued: Store, store_url: str) -> None:
    act(queued, "claim", actor="first")
    act(queued, "decide", actor="first", outcome=Outcome("cannot_say"))
    got = race(store_url, 4, lambda own, number: act(own, "claim", actor=f"a{number}"))
    assert sum(isinstance(each, ReviewEvent) for each in got) == 1
    assert sum(isinstance(each, PermissionDeniedError) for each in got) == 3


def test_a_form_sent_many_times_at_once_is_one_act(queued: Store, store_url: str) -> None:
    act(queued, "claim")
    got = race(store_url, 6, lambda own, _: act(own, "decide", outcome=FULL, seen=1))
    assert all(each == got[0] for each in got)
    assert len(queued.history(ITEM)) == 2
    assert queued.verify_chain().events == 3


CHANGES = [
    "DELETE FROM review_events",
    *(
        f"UPDATE review_events SET {change} WHERE act = 'decide'"
        for change in (
            "notes = 'other'",
            "notes = notes",
            "notes = ''",
            "notes = NULL, outcome = NULL",
            "notes = NULL, item_id = 'other'",
            "notes = NULL, number = 9",
            "notes = NULL, at = '2020-01-01 00:00:00.000000'",
            "notes = NULL, actor = 'another'",
            "notes = NULL, act = 'rule'",
            "notes = NULL, token = 'another'",
            "notes = NULL, hold_minutes = 9",
            "notes = NULL, drawn = NOT drawn",
        )
    ),
    "DELETE FROM queue_items",
    "UPDATE queue_items SET p_families = '{}'",
    "UPDATE queue_items SET evidence = '[]'",
    *(
        f"UPDATE queue_items SET p_families = '{{}}', evidence = '[]', {change}"
        for change in (
            "families = '[]'",
            "score_01 = 0.5",
            "arm = 'rule'",
            "record_ref = 'other'",
            "parts = '[]'",
        )
    ),
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_database_refuses_any_other_change(queued: Store, change: str) -> None:
    decide(queued, OTHER, FIRST_NIGHT, FULL)
    with queued._engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(text(change))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE review_events SET notes = NULL",
        "UPDATE queue_items SET p_families = '{}', evidence = '[]'",
        "UPDATE item_texts SET text = NULL, answers = NULL, claims = NULL",
    ],
)
def test_the_database_lets_an_erasure_pass(queued: Store, change: str) -> None:
    decide(queued, OTHER, FIRST_NIGHT, FULL)
    with queued._engine.begin() as connection:
        assert connection.execute(text(change)).rowcount > 0


def test_an_act_of_an_earlier_hour_is_kept_in_the_order_that_it_came(queued: Store) -> None:
    act(queued, "claim")
    late = act(queued, "release", at=FIRST_NIGHT - timedelta(hours=1))
    assert [each.number for each in queued.history(ITEM)] == [1, 2]
    assert queued.history(ITEM)[1] == replace(late, at=FIRST_NIGHT - timedelta(hours=1))
    assert queued.review(ITEM, FIRST_NIGHT, RULES).state == "queued"
