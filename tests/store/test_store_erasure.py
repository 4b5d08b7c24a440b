"""An erased record leaves nothing that tells of it; whatever else the store holds stays as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.store.nights import CANARY, FIRST_NIGHT, decide, event, night
from tests.store_servers import fresh_postgresql
from triage.errors import UsageError
from triage.review.outcomes import FoundCrime, Outcome
from triage.store import Erased, Store, open_store
from triage.store.tables import metadata

NOTED = Outcome(
    "yes", (FoundCrime("burglary"),), {"notes": f"{CANARY} of the auditor", "reason_not_recorded": "R1"}
)
PUBLISHED = night()
ITEM = PUBLISHED.items[0]
LEAD, FORM = (part.record_ref for part in ITEM.parts)


@pytest.fixture
def reviewed(store: Store) -> Store:
    """A store with a night of which every item was decided, with notes."""
    store.publish(PUBLISHED, event())
    for item in PUBLISHED.items:
        decide(store, item.item_id, FIRST_NIGHT, NOTED)
    return store


def ordered(reference: str) -> Any:
    return event("erasure", reference, 60, models=1)


def tables(store: Store) -> dict[str, list[dict[str, Any]]]:
    with store._engine.connect() as connection:
        return {
            table.name: [
                dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key))
            ]
            for table in metadata.sorted_tables
        }


def emptied(before: dict[str, list[dict[str, Any]]], item_id: str, *references: str) -> dict[str, Any]:
    """Return the tables as they are to be after an erasure."""
    for row in before["item_texts"]:
        if row["record_ref"] in references:
            row |= {"text": None, "answers": None, "claims": None}
    for row in before["queue_items"]:
        if row["item_id"] == item_id:
            row |= {"p_families": {}, "evidence": []}
    for row in before["review_events"]:
        if row["item_id"] == item_id:
            row["notes"] = None
    return before


@pytest.mark.parametrize("reference", [LEAD, FORM])
def test_what_tells_of_the_record_goes_and_nothing_else(reviewed: Store, reference: str) -> None:
    expected = emptied(tables(reviewed), ITEM.item_id, reference)
    assert reviewed.erase(reference, ordered(reference)) == Erased(items=1, parts=1, notes=1)
    after = tables(reviewed)
    (logged,) = after["audit_events"][len(expected["audit_events"]) :]
    expected["audit_events"].append(logged)
    assert after == expected
    assert (logged["action"], logged["subject"], logged["actor"]) == ("erasure", reference, "auditor.one")
    assert logged["details"] == {"models": 1, "items": 1, "parts": 1, "notes": 1}
    assert reviewed.verify_chain().broken_at is None


def test_an_item_shows_as_erased_and_its_coded_outcome_stays(reviewed: Store) -> None:
    reviewed.erase(LEAD, ordered(LEAD))
    item = reviewed.item(ITEM.item_id)
    assert item is not None
    assert (dict(item.p_families), item.evidence) == ({}, ())
    assert item == replace(ITEM, p_families={}, evidence=())
    assert [part.text is None for part in reviewed.texts(ITEM.item_id)] == [True, False]
    last = reviewed.history(ITEM.item_id)[-1].outcome
    assert last == replace(NOTED, values={"reason_not_recorded": "R1"})
    assert reviewed.items_of(LEAD) == (item,)


def test_erasing_again_changes_nothing_but_the_log(reviewed: Store) -> None:
    reviewed.erase(LEAD, ordered(LEAD))
    before = tables(reviewed)
    assert reviewed.erase(LEAD, ordered(LEAD)) == Erased(0, 0, 0)
    after = tables(reviewed)
    assert after.pop("audit_events")[:-1] == before.pop("audit_events")
    assert after == before


def test_a_record_of_several_items_is_erased_in_each(store: Store) -> None:
    first, second = night("run-1", 1), night("run-2", 1, day=1)
    part = replace(second.items[0].parts[1], source="assessments", record_ref=FORM)
    item = replace(second.items[0], parts=(second.items[0].parts[0], part))
    texts = (second.texts[0], replace(second.texts[1], record_ref=FORM, source="assessments"))
    store.publish(first, event())
    store.publish(replace(second, items=(item,), texts=texts), event())
    assert store.erase(FORM, ordered(FORM)) == Erased(items=2, parts=2, notes=0)
    for each in (first.items[0], item):
        assert [kept.text is None for kept in store.texts(each.item_id)] == [False, True]


@pytest.mark.parametrize("reference", ["XX-9", f"{LEAD}x", LEAD.lower(), "%", ITEM.root])
def test_an_unknown_reference_is_an_error_and_changes_nothing(reviewed: Store, reference: str) -> None:
    before = tables(reviewed)
    with pytest.raises(UsageError, match="no queued record has this reference") as refused:
        reviewed.erase(reference, ordered(reference))
    assert (refused.value.where, refused.value.exit_code) == (reference, 2)
    assert tables(reviewed) == before


def test_an_erasure_is_logged_as_one_of_that_record(reviewed: Store) -> None:
    before = tables(reviewed)
    with pytest.raises(ValueError, match="logged as erasure"):
        reviewed.erase(LEAD, event("alteration", LEAD))
    with pytest.raises(ValueError, match="subject"):
        reviewed.erase(LEAD, ordered(FORM))
    assert tables(reviewed) == before


def test_an_erased_item_that_nobody_decided_is_never_carried_over(store: Store) -> None:
    store.publish(PUBLISHED, event())
    store.erase(FORM, ordered(FORM))
    left = {item.item_id for item in store.unread_items(FIRST_NIGHT + timedelta(days=1), 14)}
    assert left == {item.item_id for item in PUBLISHED.items[1:]}
    assert store.known_contents([PUBLISHED.texts[0].content_hash]), "it is never queued as new either"


def test_the_purge_empties_notes_with_the_texts(reviewed: Store) -> None:
    due = ITEM.retain_until

    def purge(at: datetime) -> int:
        return reviewed.purge_texts(at, event("erasure", "texts"))

    assert purge(due - timedelta(microseconds=1)) == 0
    assert reviewed.history(ITEM.item_id)[-1].outcome == NOTED
    assert purge(due) == 6
    assert reviewed.history(ITEM.item_id)[-1].outcome == replace(NOTED, values={"reason_not_recorded": "R1"})
    assert reviewed.events()[-1].event.details == {"parts": 6, "notes": 3}
    assert CANARY not in str(tables(reviewed))
    number = reviewed.verify_chain().events
    assert purge(due) == 0
    assert reviewed.verify_chain().events == number


def test_notes_written_after_the_purge_go_with_the_next(store: Store) -> None:
    store.publish(PUBLISHED, event())
    store.purge_texts(ITEM.retain_until, event("erasure", "texts"))
    decide(store, ITEM.item_id, FIRST_NIGHT, NOTED)
    assert store.purge_texts(ITEM.retain_until, event("erasure", "texts")) == 0
    assert store.events()[-1].event.details == {"parts": 0, "notes": 1}
    assert CANARY not in str(tables(store))


def test_what_was_erased_leaves_no_bytes_in_the_files_of_sqlite(tmp_path: Path) -> None:
    words = "long enough to need pages of its own " * 2000
    with open_store(f"sqlite:///{tmp_path / 'triage.db'}") as store:
        store.prepare()
        store.publish(night(items=1, words=words), event())
        decide(store, ITEM.item_id, FIRST_NIGHT, NOTED)
        files = [Path(f"{store._file}{ending}") for ending in ("", "-wal")]
        assert any(CANARY.encode() in file.read_bytes() for file in files)
        for reference in (LEAD, FORM):
            store.erase(reference, ordered(reference))
        assert not any(CANARY.encode() in file.read_bytes() for file in files if file.exists())


def test_postgresql_may_use_the_space_of_what_was_erased_again() -> None:
    with open_store(fresh_postgresql()) as store:
        store.prepare()
        store.publish(PUBLISHED, event())
        store.erase(LEAD, ordered(LEAD))
        with store._engine.connect() as connection:
            connection.execute(text("SELECT pg_stat_force_next_flush()"))
            cleared = "SELECT relname FROM pg_stat_user_tables WHERE last_vacuum IS NOT NULL"
            assert set(connection.scalars(text(cleared))) >= {"item_texts", "queue_items", "review_events"}
