"""The night step by step, on SQLite and on PostgreSQL."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import create_engine, inspect, text

from tests.flows.conftest import run_night
from tests.flows.extracts import CUT, crime, incidents, plain_night, write_extract
from triage.errors import ExtractError, StoreError
from triage.ranking.allocation import ARMS
from triage.settings import Settings
from triage.store import Store, open_store
from triage.store.servers import parsed


def row_counts(url: str) -> dict[str, int]:
    """Return the number of rows of every table of a store."""
    engine = create_engine(parsed(url))
    with engine.connect() as connection:
        counts = {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
            for name in inspect(connection).get_table_names()
        }
    engine.dispose()
    return counts


def files_of(settings: Settings) -> dict[str, bytes]:
    """Return the run files by name."""
    runs = settings.data_dir / "runs"
    return {
        path.relative_to(runs).as_posix(): path.read_bytes() for path in runs.rglob("*") if path.is_file()
    }


def queue_lines(settings: Settings, run_id: str) -> list[dict[str, str]]:
    """Return the run's queue file."""
    with (settings.data_dir / "runs" / run_id / "queue.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def published_id(night: object) -> str:
    """Return the id of the run that a night published or found."""
    run = night.published  # type: ignore[attr-defined]
    assert run is not None
    return str(run.run_id)


def test_a_night_publishes_its_queue(tmp_path: Path, settings: Settings, store: Store) -> None:
    night = run_night(plain_night(tmp_path / "extract"), settings, store)
    run_id = published_id(night)
    queue = store.queue()
    assert [row.position for row in queue] == [1, 2, 3, 4, 5]
    assert {row.arm for row in queue} == set(ARMS)
    lines = queue_lines(settings, run_id)
    assert [(line["record_ref"], line["arm"]) for line in lines] == [
        (row.item.record_ref, row.arm) for row in queue
    ]
    assert [float(line["score_01"]) for line in lines] == [row.score_01 for row in queue]
    run = store.latest_run()
    assert run is not None
    assert run.counts["rows"] == {
        "incidents": 12,
        "crimes": 2,
        **dict.fromkeys(("domestic_noncrimes", "assessments", "referrals", "cancelled_crimes"), 0),
    }
    assert (run.counts["records"], run.counts["orphan_crimes"]) == (12, 1)
    assert sum(int(str(run.counts[arm])) for arm in ARMS) == len(queue)
    assert [event.event.action for event in store.events()] == ["collection", "combination"]
    assert store.verify_chain().broken_at is None


def test_the_same_night_again_adds_nothing(
    tmp_path: Path, settings: Settings, store: Store, store_url: str
) -> None:
    extract = plain_night(tmp_path / "extract")
    first = run_night(extract, settings, store)
    rows, files = row_counts(store_url), files_of(settings)
    assert rows["places"] == 5
    again = run_night(extract, settings, store)
    assert again.was_published
    assert published_id(again) == published_id(first)
    assert (row_counts(store_url), files_of(settings)) == (rows, files)


def test_the_same_night_on_another_machine_is_the_same_bytes(
    tmp_path: Path, settings: Settings, store: Store, fresh_store_url: Callable[[], str]
) -> None:
    extract = plain_night(tmp_path / "extract")
    run_night(extract, settings, store)
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    elsewhere.data_dir.mkdir()
    (elsewhere.data_dir / "control.key").write_bytes((settings.data_dir / "control.key").read_bytes())
    shuffled = write_extract(
        tmp_path / "shuffled",
        {"incidents": incidents(12)[::-1], "crimes": _rows(extract / "crimes.csv")[::-1]},
    )
    with open_store(fresh_store_url()) as other:
        other.prepare()
        run_night(shuffled, elsewhere, other)
        assert other.queue() == store.queue()
    assert files_of(elsewhere) == files_of(settings)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_changed_text_is_queued_again_and_an_unchanged_one_is_not(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    everyone = settings.model_copy(update={"budget_items": 30, "carry_over_days": 0})
    rows = incidents(6)
    run_night(write_extract(tmp_path / "one", {"incidents": rows}), everyone, store, as_of=CUT)
    assert len(store.queue()) == 6
    rows[3] = rows[3] | {"text": rows[3]["text"] + " UPDATE 09:00 SHE NOW STS HE PUNCHED HER"}
    two = write_extract(tmp_path / "two", {"incidents": rows})
    run_night(two, everyone, store, as_of=CUT + timedelta(days=1))
    assert [row.item.record_ref for row in store.queue()] == ["L-003"]
    contents = {(item.record_ref, item.content_hash) for item in store.items_of("L-003")}
    assert len(contents) == 2


def test_unread_items_are_carried_and_weighed_against_tonights_crimes(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    everyone = settings.model_copy(update={"budget_items": 30, "control_share": 0.0})
    run_night(write_extract(tmp_path / "one", {"incidents": incidents(3)}), everyone, store, as_of=CUT)
    before = {row.item.record_ref: row for row in store.queue()}
    at = CUT + timedelta(hours=5)
    later = write_extract(
        tmp_path / "two",
        {"incidents": incidents(4)[3:], "crimes": [crime(7, "L-000", "violence_with_injury", at=at)]},
    )
    run_night(later, everyone, store, as_of=CUT + timedelta(days=1))
    after = {row.item.record_ref: row for row in store.queue()}
    assert after["L-000"].carried
    assert after["L-000"].score_01 < before["L-000"].score_01
    assert after["L-000"].item == before["L-000"].item
    assert after["L-002"].score_01 == pytest.approx(before["L-002"].score_01, abs=1e-8)


def test_a_larger_budget_the_same_night_keeps_what_was_queued(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    extract = plain_night(tmp_path / "extract")
    small = run_night(extract, settings, store)
    queued = {row.item.item_id for row in store.queue()}
    large = run_night(extract, settings.model_copy(update={"budget_items": 8}), store)
    assert published_id(large) != published_id(small)
    assert len(store.queue()) == 8
    assert {row.item.item_id for row in store.queue() if row.carried} == queued


def test_an_older_text_makes_way_for_a_newer_one(tmp_path: Path, settings: Settings, store: Store) -> None:
    everyone = settings.model_copy(update={"budget_items": 30, "control_share": 0.0})
    rows = incidents(3)
    run_night(write_extract(tmp_path / "one", {"incidents": rows}), everyone, store, as_of=CUT)
    rows[1] = rows[1] | {"text": rows[1]["text"] + " UPDATE 09:00 HE PUNCHED HER"}
    two = write_extract(tmp_path / "two", {"incidents": rows})
    night = run_night(two, everyone, store, as_of=CUT + timedelta(days=1))
    assert [row.item.record_ref for row in store.queue()].count("L-001") == 1
    assert night.published is not None
    assert night.published.counts["superseded"] == 1


def test_crimes_recorded_later_are_not_yet_known(tmp_path: Path, settings: Settings, store: Store) -> None:
    later = crime(9, "L-002", "rape", at=CUT + timedelta(minutes=1))
    extract = write_extract(tmp_path / "extract", {"incidents": incidents(4), "crimes": [later]})
    night = run_night(extract, settings, store, as_of=CUT)
    assert night.published is not None
    assert night.published.counts["crimes_recorded_later"] == 1
    assert "rape_mentioned" in {rule for row in store.queue() for rule in row.item.rules}
    after = run_night(extract, settings, store, as_of=CUT + timedelta(hours=1))
    assert after.published is not None
    assert after.published.counts["crimes_recorded_later"] == 0
    assert published_id(after) != published_id(night)


def test_records_that_may_still_be_recorded_in_time_wait(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    rows = incidents(4)
    rows[0] |= {"opened_at": (CUT - timedelta(hours=3)).isoformat(), "closed_at": ""}
    rows[1] |= {"opened_at": (CUT - timedelta(hours=25)).isoformat(), "closed_at": ""}
    rows[2] |= {"closed_at": (CUT + timedelta(minutes=1)).isoformat()}
    rows[2] |= {"opened_at": (CUT - timedelta(hours=2)).isoformat()}
    run_night(write_extract(tmp_path / "extract", {"incidents": rows}), settings, store, as_of=CUT)
    assert {row.item.record_ref for row in store.queue()} == {"L-001", "L-003"}
    run = store.latest_run()
    assert run is not None
    scores = pl.read_parquet(settings.data_dir / "runs" / run.run_id / "scores.parquet")
    assert dict(zip(scores["record_ref"], scores["eligible"], strict=True)) == {
        "L-000": False,
        "L-001": True,
        "L-002": False,
        "L-003": True,
    }


def test_text_stands_in_the_items_texts_alone(
    tmp_path: Path, settings: Settings, store: Store, store_url: str, canary: str
) -> None:
    run_night(plain_night(tmp_path / "extract"), settings, store)
    engine = create_engine(parsed(store_url))
    holding = set()
    with engine.connect() as connection:
        for name in inspect(connection).get_table_names():
            for row in connection.execute(text(f"SELECT * FROM {name}")):
                if canary in str(tuple(row)).lower():
                    holding.add(name)
    engine.dispose()
    assert holding == {"item_texts"}
    for content in files_of(settings).values():
        assert canary.encode() not in content.lower()


def test_a_night_with_too_many_rejects_publishes_nothing(
    tmp_path: Path, settings: Settings, store: Store, store_url: str, canary: str
) -> None:
    run_night(plain_night(tmp_path / "good"), settings, store)
    rows, queue = row_counts(store_url), store.queue()
    bad = [row | {"opened_at": canary} for row in incidents(12)]
    with pytest.raises(ExtractError) as caught:
        run_night(write_extract(tmp_path / "bad", {"incidents": bad}), settings, store)
    assert canary not in str(caught.value).lower()
    assert (row_counts(store_url), store.queue()) == (rows, queue)


def test_a_queue_that_cannot_be_written_leaves_yesterdays(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    run_night(plain_night(tmp_path / "one"), settings, store)
    queue = store.queue()
    (settings.data_dir / "runs").rename(settings.data_dir / "moved")
    (settings.data_dir / "runs").write_text("a file stands where the folder was")
    with pytest.raises(StoreError, match="cannot be written"):
        run_night(plain_night(tmp_path / "two", count=20), settings, store)
    assert store.queue() == queue


def test_without_crimes_the_run_is_partial(tmp_path: Path, settings: Settings, store: Store) -> None:
    night = run_night(write_extract(tmp_path / "extract", {"incidents": incidents(3)}), settings, store)
    assert night.published is not None
    assert night.published.status == "partial"


def test_an_unreadable_record_is_drawn_at_random_only(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    rows = incidents(8)
    rows[5] |= {"text": " -- "}
    roomy = settings.model_copy(update={"budget_items": 8, "control_unreadable_items": 1})
    run_night(write_extract(tmp_path / "extract", {"incidents": rows}), roomy, store)
    (row,) = [row for row in store.queue() if row.item.record_ref == "L-005"]
    assert (row.arm, row.item.stratum, row.item.inclusion_probability) == ("control", "unreadable", 1.0)


def test_an_earlier_moment_is_another_night(tmp_path: Path, settings: Settings, store: Store) -> None:
    extract = plain_night(tmp_path / "extract")
    ids = {published_id(run_night(extract, settings, store, as_of=CUT + timedelta(hours=n))) for n in (0, 1)}
    assert len(ids) == 2


def test_a_night_of_nothing_is_published_only_as_of_a_moment_that_is_given(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    """As of the clock, a failed export would hide the queue of its repetition, whose records are older."""
    empty = write_extract(tmp_path / "empty", {"incidents": incidents(1)})
    header, _ = (empty / "incidents.csv").read_text(encoding="utf-8").split("\n", 1)
    (empty / "incidents.csv").write_text(header + "\n", encoding="utf-8")
    with pytest.raises(ExtractError, match="which night it is") as caught:
        run_night(empty, settings, store)
    assert str(empty) in str(caught.value)
    assert "--as-of" in str(caught.value)
    assert store.latest_run() is None
    night = run_night(empty, settings, store, as_of=CUT)
    assert any("no record at all" in note for note in store.run(published_id(night)).notes)
    again = run_night(plain_night(tmp_path / "night"), settings, store, as_of=CUT)
    assert store.latest_run().run_id == published_id(again)
    assert store.queue()


def test_records_of_the_future_are_counted_in_a_note(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    rows = incidents(4)
    extract = write_extract(
        tmp_path / "night",
        {"incidents": [rows[0] | {"opened_at": "2126-11-03T02:00", "closed_at": ""}, *rows[1:]]},
    )
    notes = store.run(published_id(run_night(extract, settings, store))).notes
    assert sum("1 records are dated later" in note for note in notes) == 1
