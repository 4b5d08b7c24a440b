"""What is published comes back as it was, once, on both servers; nothing changes afterwards."""

from __future__ import annotations

import traceback
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.store.nights import CANARY, CRIME, FIRST_NIGHT, decide, event, night
from triage.errors import StoreError, UsageError
from triage.review.outcomes import Outcome
from triage.store import QueueRow, Store, open_store
from triage.store.tables import metadata


def test_a_night_comes_back_as_it_was_published(store: Store) -> None:
    published = night()
    assert store.publish(published, event())
    assert store.run("run-1") == published.run
    assert store.latest_run() == published.run
    assert store.run("run-1").as_of.utcoffset() == timedelta(0)
    expected = tuple(
        QueueRow(
            "run-1",
            place.position,
            place.arm,
            place.score_01,
            place.carried,
            item,
            place.families,
            place.rules,
            place.crimes,
        )
        for place, item in zip(published.places, published.items, strict=True)
    )
    assert store.queue() == store.queue("run-1") == expected
    for item in published.items:
        assert store.item(item.item_id) == item
        assert store.texts(item.item_id) == tuple(
            each for each in published.texts if each.item_id == item.item_id
        )
    assert store.draws_made(draw.root for draw in published.draws) == {
        draw.root: draw for draw in published.draws
    }
    parts = {text.content_hash for text in published.texts}
    assert store.known_contents([*parts, "0" * 64]) == parts


def test_an_empty_store_holds_nothing(store: Store) -> None:
    assert store.latest_run() is None
    assert store.run("run-1") is None
    assert store.queue() == ()
    assert store.items_of("L-1") == ()
    assert store.draws_made([]) == {}
    assert store.known_contents(["0" * 64]) == set()
    assert store.place_of("0" * 16) is None
    assert store.verify_chain().events == 0


def test_a_run_is_published_once(store: Store) -> None:
    assert store.publish(night(), event())
    before = _dump(store)
    assert not store.publish(night(), event(minute=1))
    assert _dump(store) == before


def test_the_run_of_the_latest_moment_stands_and_of_two_the_later_published(store: Store) -> None:
    store.publish(night("run-2", day=1), event())
    store.publish(night("run-1", day=0), event())
    store.publish(night("run-3", day=1), event())
    assert [run.run_id for run in store.runs()] == ["run-3", "run-2", "run-1"]
    assert store.latest_run() == store.run("run-3")
    assert {row.run_id for row in store.queue()} == {"run-3"}
    assert {row.run_id for row in store.queue("run-2")} == {"run-2"}


def test_a_place_says_what_stood_that_night(store: Store) -> None:
    first = night()
    store.publish(first, event())
    store.publish(night("run-2", 1, day=1, carried=first.items[:1]), event())
    again, once = store.place_of(first.items[0].item_id), store.place_of(first.items[1].item_id)
    assert again is not None
    assert once is not None
    assert (again.run_id, again.families, again.rules, again.crimes) == ("run-2", ("rape",), (), (CRIME,))
    assert (once.run_id, once.families, once.rules) == ("run-1", first.items[1].families, once.item.rules)


def test_an_item_waits_until_it_is_decided(store: Store) -> None:
    first = night()
    store.publish(first, event())
    shown, decided = first.items[0].item_id, first.items[1].item_id
    store.disclose("run-1", event("disclosure", "run-1"))
    store.consult(shown, event("consultation", shown))
    decide(store, decided, FIRST_NIGHT)
    left = {item.item_id for item in store.unread_items(FIRST_NIGHT + timedelta(days=1), 14)}
    assert left == {item.item_id for item in first.items} - {decided}


def test_an_item_queued_before_is_refused_as_a_whole(store: Store) -> None:
    first = night()
    store.publish(first, event())
    before = _dump(store)
    items = tuple(replace(item, run_id="run-2") for item in first.items)
    again = replace(first, run=replace(first.run, run_id="run-2"), items=items)
    with pytest.raises(StoreError, match="contradicts"):
        store.publish(again, event())
    assert _dump(store) == before


def test_a_carried_item_keeps_its_first_run(store: Store) -> None:
    first = night()
    store.publish(first, event())
    second = night("run-2", 1, day=1, carried=first.items[:2])
    assert store.publish(second, event())
    queue = store.queue()
    assert [row.carried for row in queue] == [True, True, False]
    assert queue[0].item == first.items[0]
    assert queue[0].score_01 == second.places[0].score_01


def test_unread_items_are_those_of_earlier_nights_within_the_days(store: Store) -> None:
    first, second = night("run-1", 2), night("run-2", 1, day=3)
    store.publish(first, event())
    store.publish(second, event())
    assert store.unread_items(FIRST_NIGHT, 14) == ()
    by_id = tuple(sorted(first.items, key=lambda item: item.item_id))
    assert store.unread_items(FIRST_NIGHT + timedelta(days=3), 14) == by_id
    both = store.unread_items(FIRST_NIGHT + timedelta(days=14), 14)
    assert both[-1] == second.items[0]
    assert len(both) == 3
    assert store.unread_items(FIRST_NIGHT + timedelta(days=14, microseconds=1), 14) == second.items


@pytest.mark.parametrize("reference", ["run-1/L-2", "run-1/DASH-2", "run-1/ROOT-2"])
def test_any_reference_of_a_matter_finds_its_item(store: Store, reference: str) -> None:
    published = night()
    store.publish(published, event())
    assert store.items_of(reference) == (published.items[1],)


def test_reading_a_text_or_exporting_a_queue_is_logged(store: Store) -> None:
    published = night()
    store.publish(published, event(records=10))
    item_id = published.items[0].item_id
    assert store.consult(item_id, event("consultation", item_id)) == published.texts[:2]
    assert store.disclose(None, event("disclosure", "run-1", rows=3)) == store.queue()
    store.record(event("alteration", "model"))
    logged = store.events()
    assert [each.event.action for each in logged] == [
        "collection",
        "consultation",
        "disclosure",
        "alteration",
    ]
    assert logged[0].event == event(records=10)
    assert [each.number for each in logged] == [1, 2, 3, 4]


def test_what_cannot_be_consulted_is_not_logged(store: Store) -> None:
    with pytest.raises(UsageError, match="no item has this id"):
        store.consult("0" * 16, event("consultation", "0" * 16))
    with pytest.raises(ValueError, match="consultation"):
        store.consult("0" * 16, event("collection"))
    with pytest.raises(ValueError, match="disclosure"):
        store.disclose(None, event("collection"))
    with pytest.raises(ValueError, match="erasure"):
        store.purge_texts(FIRST_NIGHT, event("collection"))
    assert store.events() == ()


def test_texts_are_emptied_at_their_date_and_nothing_else(store: Store) -> None:
    published = night()
    store.publish(published, event())
    due = published.items[0].retain_until
    assert store.purge_texts(due - timedelta(microseconds=1), event("erasure", "texts")) == 0
    assert store.purge_texts(due, event("erasure", "texts")) == 6
    assert store.purge_texts(due, event("erasure", "texts")) == 0
    for before in published.texts:
        after = store.texts(before.item_id)[before.part - 1]
        assert after == replace(before, text=None, answers=None, claims=None)
    assert [item.item for item in store.queue()] == list(published.items)
    assert [each.event.details for each in store.events()] == [{}, {"parts": 6}]
    assert store.verify_chain().broken_at is None
    assert CANARY not in str(_dump(store))


def test_a_purged_text_leaves_no_bytes_in_the_file_of_sqlite(store: Store) -> None:
    published = night(words="long enough to need pages of its own " * 2000)
    store.publish(published, event())
    if store._file is None:
        with store._engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM item_texts WHERE text LIKE '%pages%'")) == 6
        return
    files = [Path(f"{store._file}{ending}") for ending in ("", "-wal")]
    assert any(CANARY.encode() in file.read_bytes() for file in files)
    store.purge_texts(published.items[0].retain_until, event("erasure", "texts"))
    assert not any(CANARY.encode() in file.read_bytes() for file in files if file.exists())


@pytest.mark.parametrize("character", ["\x00", "\ud800"])
def test_a_character_that_no_server_keeps_is_refused_with_its_place(store: Store, character: str) -> None:
    before = _dump(store)
    with pytest.raises(StoreError, match="table item_texts, column text") as caught:
        store.publish(night(words=character), event())
    assert CANARY not in _everything(caught.value)
    assert _dump(store) == before


def test_a_failing_insert_shows_no_text(store: Store) -> None:
    published = night()
    first = published.texts[0]
    broken = replace(published, texts=(replace(first, closed_at=FIRST_NIGHT), *published.texts[1:]))
    with store._engine.begin() as connection:
        _break_texts(connection)
    with pytest.raises(StoreError) as caught:
        store.publish(broken, event())
    assert CANARY not in _everything(caught.value)
    assert caught.value.__context__ is None
    assert store.latest_run() is None


def test_the_database_itself_refuses_to_change_what_it_holds(store: Store) -> None:
    published = night()
    store.publish(published, event())
    decide(store, published.items[0].item_id, FIRST_NIGHT, Outcome("no", values={"notes": CANARY}))
    before = _dump(store)
    for table in metadata.sorted_tables:
        column = next(iter(table.columns)).name
        acts = [f"DELETE FROM {table.name}", f"UPDATE {table.name} SET {column} = {column}"]
        for act in CHANGES.get(table.name, acts):
            assert _refused(store, act), act
    assert _dump(store) == before


# A purge and an erasure may empty some columns, and nothing may be changed beside them.
CHANGES = {
    "item_texts": (
        "DELETE FROM item_texts",
        "UPDATE item_texts SET text = 'other'",
        "UPDATE item_texts SET text = NULL",
        "UPDATE item_texts SET text = NULL, answers = NULL, claims = NULL, retain_until = NULL",
        "UPDATE item_texts SET text = NULL, answers = NULL, claims = NULL, part = part + 10",
    ),
    "queue_items": (
        "DELETE FROM queue_items",
        "UPDATE queue_items SET p_families = '{}'",
        "UPDATE queue_items SET evidence = '[]'",
        "UPDATE queue_items SET p_families = '{}', evidence = '[]', families = '[]'",
    ),
    "review_events": (
        "DELETE FROM review_events",
        "UPDATE review_events SET notes = 'other' WHERE act = 'decide'",
        "UPDATE review_events SET notes = NULL, outcome = NULL WHERE act = 'decide'",
        "UPDATE review_events SET notes = NULL, actor = 'another'",
    ),
}


def _refused(store: Store, act: str) -> bool:
    with store._engine.connect() as connection:
        try:
            connection.execute(text(act))
        except DBAPIError as error:
            return "append-only" in str(error)
    return False


def test_many_contents_are_asked_for_in_pieces(store: Store) -> None:
    published = night(items=7)
    store.publish(published, event())
    others = [f"{number:064d}" for number in range(12_000)]
    assert len(store.draws_made(others + [draw.root for draw in published.draws])) == 7
    assert len(store.known_contents(others + [text.content_hash for text in published.texts])) == 14


def test_both_servers_hold_equal_values(store: Store, tmp_path: Path) -> None:
    published = night()
    store.publish(published, event())
    with open_store(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.prepare()
        other.publish(published, event())
        assert _dump(other) == _dump(store)


@pytest.mark.parametrize("change", ["gap", "another_run", "no_text", "unplaced", "stray_text"])
def test_pieces_that_do_not_belong_together_are_no_publication(change: str) -> None:
    whole = night()
    pieces = {
        "gap": {"places": whole.places[1:]},
        "another_run": {"items": (replace(whole.items[0], run_id="run-9"), *whole.items[1:])},
        "no_text": {"texts": whole.texts[1:]},
        "unplaced": {"places": whole.places[:-1]},
        "stray_text": {"texts": (*whole.texts, replace(whole.texts[0], item_id="f" * 16))},
    }[change]
    with pytest.raises(ValueError, match=r"places|run|text") as caught:
        replace(whole, **pieces)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "reading"},
        {"at": FIRST_NIGHT.replace(tzinfo=None)},
        {"actor": ""},
        {"details": {"text": f"{CANARY} " * 20}},
        {"details": {"text": f"{CANARY}\nmore"}},
        {"details": {"share": 0.5}},
        {"subject": f"{CANARY} " * 20},
    ],
)
def test_an_audit_event_holds_no_narrative(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="audit event") as caught:
        replace(event(), **wrong)
    assert CANARY not in str(caught.value)


def test_a_moment_of_any_offset_is_the_same_moment(store: Store) -> None:
    elsewhere = timezone(timedelta(hours=-5))
    published = night()
    moved = replace(published, run=replace(published.run, as_of=published.run.as_of.astimezone(elsewhere)))
    store.publish(moved, replace(event(), at=FIRST_NIGHT.astimezone(elsewhere)))
    assert store.run("run-1") == published.run
    assert store.events()[0].event.at == FIRST_NIGHT
    assert store.verify_chain().broken_at is None


def _dump(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store._engine.connect() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(table.select().order_by(*table.primary_key.columns))
            ]
            for table in metadata.sorted_tables
        }


def _everything(error: BaseException) -> str:
    return str(error) + "".join(traceback.format_exception(error))


def _break_texts(connection: object) -> None:
    dialect = connection.dialect.name
    if dialect == "sqlite":
        connection.execute(
            text(
                "CREATE TRIGGER broken BEFORE INSERT ON item_texts WHEN NEW.closed_at IS NOT NULL "
                "BEGIN SELECT RAISE(ABORT, 'broken') ; END"
            )
        )
    else:
        connection.execute(text("ALTER TABLE item_texts ADD CHECK (closed_at IS NULL)"))
