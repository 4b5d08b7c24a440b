"""Nights one after the other: what stands, what makes way, and what an auditor is told on the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import CANARY
from tests.flows.conftest import run_night
from tests.flows.extracts import CUT, crime, incidents, write_extract
from tests.store.nights import decide
from triage.settings import Settings
from triage.store import AuditEvent, QueueRow, Store

NEXT = CUT + timedelta(days=1)


@pytest.fixture
def everyone(settings: Settings) -> Settings:
    """Settings of a team that reads all there is."""
    return settings.model_copy(update={"budget_items": 30, "control_share": 0.0})


def dash(reference: str, incident: str, text: str = "") -> dict[str, str]:
    return {
        "record_ref": reference,
        "incident_ref": incident,
        "completed_at": (CUT - timedelta(hours=3)).isoformat(),
        "form_version": "dash-police-27",
        "q18": "Y",
        "text": f"He took hold of her neck. {CANARY} {text}",
    }


def references(rows: Sequence[QueueRow]) -> list[list[str]]:
    return sorted(sorted(part.record_ref for part in row.item.parts) for row in rows)


def test_a_crime_recorded_since_is_seen_by_rules_and_reader(
    tmp_path: Path, everyone: Settings, store: Store
) -> None:
    rows = incidents(4)
    run_night(write_extract(tmp_path / "one", {"incidents": rows}), everyone, store, as_of=CUT)
    [before] = [row for row in store.queue() if row.item.record_ref == "L-002"]
    assert (before.arm, before.rules) == ("rule", ("rape_mentioned",))
    recorded = crime(7, " l-002", "rape", at=CUT + timedelta(hours=5))
    for name, tables in (
        ("with the log", {"incidents": rows, "crimes": [recorded]}),
        ("without it", {"incidents": incidents(6)[5:], "crimes": [recorded]}),
    ):
        as_of = NEXT if name == "with the log" else NEXT + timedelta(days=1)
        run_night(write_extract(tmp_path / name, tables), everyone, store, as_of=as_of)
        [after] = [row for row in store.queue() if row.item.record_ref == "L-002"]
        assert after.carried
        assert (after.arm, after.rules) == ("ranked", ())
        assert "rape" not in after.families
        assert [each.crime_ref for each in after.crimes] == [recorded["crime_ref"]]
        assert store.place_of(after.item.item_id) == after


def test_a_log_that_arrives_after_its_form_takes_the_forms_place(
    tmp_path: Path, everyone: Settings, store: Store
) -> None:
    form = dash("D-1", "L-000")
    run_night(write_extract(tmp_path / "one", {"assessments": [form]}), everyone, store, as_of=CUT)
    assert references(store.queue()) == [["D-1"]]
    both = {"assessments": [form], "incidents": incidents(1)}
    run_night(write_extract(tmp_path / "two", both), everyone, store, as_of=NEXT)
    assert references(store.queue()) == [["D-1", "L-000"]]


def test_what_is_left_of_a_matter_is_not_queued_again(
    tmp_path: Path, everyone: Settings, store: Store
) -> None:
    form = dash("D-1", "L-000")
    both = {"assessments": [form], "incidents": incidents(1)}
    run_night(write_extract(tmp_path / "one", both), everyone, store, as_of=CUT)
    run_night(write_extract(tmp_path / "two", {"assessments": [form]}), everyone, store, as_of=NEXT)
    [row] = store.queue()
    assert row.carried
    assert references([row]) == [["D-1", "L-000"]]


def test_a_control_item_whose_text_changed_stands_once_with_its_chance(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    # Without the story that a rule sends to the top: the draw is by a key that each test makes anew.
    rows = [row for row in incidents(46) if "RAPED" not in row["text"]]
    run_night(write_extract(tmp_path / "one", {"incidents": rows}), settings, store, as_of=CUT)
    [drawn] = [row.item for row in store.queue() if row.arm == "control"]
    changed = " UPDATE 09:00 NO REPLY AT THE DOOR"
    rows = [
        row | {"text": row["text"] + (changed if row["record_ref"] == drawn.record_ref else "")}
        for row in rows
    ]
    run_night(write_extract(tmp_path / "two", {"incidents": rows}), settings, store, as_of=NEXT)
    [again] = [row for row in store.queue() if row.item.record_ref == drawn.record_ref]
    assert not again.carried
    assert (again.arm, again.item.inclusion_probability) == ("control", drawn.inclusion_probability)
    assert again.item.random_number == drawn.random_number


def test_an_item_that_was_decided_is_not_carried(tmp_path: Path, everyone: Settings, store: Store) -> None:
    extract = write_extract(tmp_path / "one", {"incidents": incidents(3)})
    run_night(extract, everyone, store, as_of=CUT)
    shown, decided = (row.item for row in store.queue()[:2])
    store.consult(shown.item_id, AuditEvent(CUT, "an.auditor", "consultation", shown.item_id))
    decide(store, decided.item_id, CUT)
    run_night(extract, everyone, store, as_of=NEXT)
    left = {row.item.item_id for row in store.queue()}
    assert len(left) == 2
    assert shown.item_id in left
    assert decided.item_id not in left


def test_items_too_old_leave_the_queue_and_are_counted(
    tmp_path: Path, everyone: Settings, store: Store
) -> None:
    extract = write_extract(tmp_path / "one", {"incidents": incidents(3)})
    run_night(extract, everyone, store, as_of=CUT)
    late = run_night(extract, everyone, store, as_of=CUT + timedelta(days=15))
    assert store.queue() == ()
    assert late.published is not None
    assert late.published.counts["expired"] == 3


def test_a_past_night_run_again_replaces_no_later_queue(
    tmp_path: Path, everyone: Settings, store: Store
) -> None:
    extract = write_extract(tmp_path / "one", {"incidents": incidents(3)})
    today = run_night(extract, everyone, store, as_of=NEXT)
    run_night(extract, everyone, store, as_of=CUT)
    assert today.published is not None
    assert {row.run_id for row in store.queue()} == {today.published.run_id}


def test_an_unknown_offence_code_is_named(tmp_path: Path, everyone: Settings, store: Store) -> None:
    tables = {"incidents": incidents(2), "crimes": [crime(1, "L-000", "999/99", at=CUT)]}
    night = run_night(write_extract(tmp_path / "one", tables), everyone, store, as_of=CUT)
    assert night.published is not None
    assert any("999/99" in note for note in night.published.notes)


def test_texts_past_their_retention_date_are_emptied(
    tmp_path: Path, everyone: Settings, store: Store
) -> None:
    short = everyone.model_copy(update={"retention_days": 20})
    run_night(write_extract(tmp_path / "one", {"incidents": incidents(2)}), short, store, as_of=CUT)
    [first, second] = [row.item.item_id for row in store.queue()]
    later = write_extract(tmp_path / "two", {"incidents": incidents(3)[2:]})
    run_night(later, short, store, as_of=CUT + timedelta(days=19))
    assert all(text.text for item in (first, second) for text in store.texts(item))
    run_night(later, short, store, as_of=CUT + timedelta(days=21))
    assert [text.text for item in (first, second) for text in store.texts(item)] == [None, None]
    assert [each.event.action for each in store.events()].count("erasure") == 1
