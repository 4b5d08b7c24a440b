"""What was decided is handed out as it was known at a moment, with how each item came into the queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from alembic import command
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.store.nights import CANARY, CRIME, FIRST_NIGHT, NO_CRIME, RULES, decide, event, night
from triage.errors import StoreError
from triage.ranking.allocation import Draw
from triage.review.decisions import ReviewEvent
from triage.review.labels import Label, label_of
from triage.review.outcomes import FoundCrime, Outcome, label_version
from triage.store import Publication, Store, open_store, schema
from triage.store.tables import canonical

THEFT = Outcome("yes", (FoundCrime("theft"),), {"notes": CANARY})
RAPE = Outcome("yes", (FoundCrime("rape"),))
TWICE = replace(RULES, second_review_share=1.0)
ITEM = night().items[0]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def act(store: Store, name: str, at: datetime, by: str = "ann", outcome: Outcome | None = None) -> None:
    """Do one act to the first item; every decision is drawn for a second review."""
    store.act(
        ITEM.item_id,
        name,
        actor=by,
        roles={"auditor", "registrar"},
        at=at,
        token=f"{name} {by} {at}",
        rules=TWICE,
        outcome=outcome,
        chance=0.5,
    )


def labels(store: Store, as_of: datetime) -> dict[str, Label]:
    return {each.queued.item_id: each.label for each in store.decided(as_of, RULES)}


def test_a_decision_counts_from_when_it_may_no_longer_be_corrected(store: Store) -> None:
    store.publish(night(), event())
    decide(store, ITEM.item_id, FIRST_NIGHT + HOUR, THEFT)
    closed = FIRST_NIGHT + HOUR + DAY
    assert store.decided(closed - timedelta(microseconds=1), RULES) == ()
    [one] = store.decided(closed, RULES)
    assert one.label == Label(THEFT, "one", FIRST_NIGHT + HOUR, closed, label_version())
    assert (one.found, one.text) == (True, "kept")
    assert one.parts == tuple((part.source, part.record_ref) for part in ITEM.parts)
    assert [record.key for record in one.records] == list(one.parts)
    assert one.records[0].text == store.texts(ITEM.item_id)[0].text
    assert one.records[1].answers == {19: "Y", 2: "NK"}
    assert one.queued.score_01 == ITEM.score_01


def test_a_correction_after_the_moment_does_not_count(store: Store) -> None:
    store.publish(night(), event())
    decide(store, ITEM.item_id, FIRST_NIGHT + HOUR, THEFT, by="ann")
    patient = replace(RULES, correction_hours=72)
    moment = FIRST_NIGHT + 3 * DAY + 2 * HOUR
    store.act(
        ITEM.item_id,
        "correct",
        actor="ann",
        roles={"auditor"},
        at=moment - 20 * HOUR,
        token="mend",
        rules=patient,
        outcome=NO_CRIME,
    )
    before = store.decided(moment - 21 * HOUR, RULES)
    assert [each.label.outcome for each in before] == [THEFT]
    [after] = store.decided(moment + 3 * DAY, patient)
    assert (after.label.outcome, after.label.decided_at) == (NO_CRIME, moment - 20 * HOUR)


def test_two_who_agree_close_it_at_once_and_a_ruling_wins(store: Store) -> None:
    store.publish(night(), event())
    at = FIRST_NIGHT
    act(store, "claim", at)
    act(store, "decide", at, outcome=THEFT)
    act(store, "claim", at + 30 * HOUR, by="bob")
    assert labels(store, at + 30 * HOUR) == {}
    act(store, "decide", at + 30 * HOUR, by="bob", outcome=RAPE)
    assert labels(store, at + 40 * HOUR) == {}
    act(store, "rule", at + 50 * HOUR, by="reg", outcome=NO_CRIME)
    ruled = labels(store, at + 50 * HOUR)[ITEM.item_id]
    assert (ruled.outcome, ruled.basis) == (NO_CRIME, "ruling")
    assert ruled.decided_at == ruled.closed_at == at + 50 * HOUR
    act(store, "reopen", at + 60 * HOUR, by="reg")
    assert labels(store, at + 59 * HOUR)[ITEM.item_id] == ruled
    assert labels(store, at + 61 * HOUR) == {}
    act(store, "claim", at + 70 * HOUR)
    act(store, "decide", at + 70 * HOUR, outcome=THEFT)
    act(store, "claim", at + 71 * HOUR, by="bob")
    act(store, "decide", at + 71 * HOUR, by="bob", outcome=replace(THEFT, values={}))
    agreed = labels(store, at + 71 * HOUR)[ITEM.item_id]
    assert (agreed.outcome, agreed.basis, agreed.decided_at) == (THEFT, "two", at + 71 * HOUR)


def test_recorded_is_what_the_queue_showed_when_it_was_decided(store: Store) -> None:
    first = night()
    store.publish(first, event())
    one, two, _ = first.items
    decide(store, one.item_id, FIRST_NIGHT + HOUR)
    # On the second night a crime of the carried item is in the queue; the first item was decided before.
    store.publish(night("run-2", day=1, carried=(two,)), event())
    decide(store, two.item_id, FIRST_NIGHT + DAY + HOUR)
    recorded = {each.queued.item_id: each.recorded for each in store.decided(FIRST_NIGHT + 9 * DAY, RULES)}
    assert CRIME.offence_code == "105/01"
    assert recorded == {one.item_id: (), two.item_id: ("violence_without_injury",)}


def test_what_was_purged_or_erased_keeps_its_outcome_and_no_text(store: Store) -> None:
    published = night()
    store.publish(published, event())
    for item in published.items:
        decide(store, item.item_id, FIRST_NIGHT + HOUR, THEFT)
    late = FIRST_NIGHT + 200 * DAY
    store.erase(
        published.items[1].parts[1].record_ref, event("erasure", published.items[1].parts[1].record_ref)
    )
    kept = [each.text for each in store.decided(late, RULES)]
    assert sorted(kept) == ["erased", "kept", "kept"]
    store.purge_texts(late, event("erasure", "texts"))
    gone = store.decided(late, RULES)
    assert sorted(each.text for each in gone) == ["erased", "purged", "purged"]
    assert all(each.records == () and len(each.parts) == 2 for each in gone)
    assert {each.label.outcome.disclosed for each in gone} == {"yes"}
    assert CANARY not in repr(gone)


def drawn(published: Publication, *draws: Draw) -> Publication:
    return replace(published, draws=draws)


def arms(store: Store, as_of: datetime) -> dict[str, tuple[str, float | None]]:
    return {each.root: (each.arm, each.entry_probability) for each in store.queued(as_of)}


def test_a_matter_came_with_the_chance_of_its_first_draw_or_for_certain(store: Store) -> None:
    first, second = night(), night("run-2", items=4, day=1)
    certain, control, renewed = first.items
    lost, later, again, fresh = second.items
    control = replace(control, arm="control", inclusion_probability=0.25)
    renewed = replace(renewed, arm="control", inclusion_probability=0.25)
    # Another content of matters of the first night: read for certain, and drawn a second time in its stead.
    again = replace(again, root=certain.root)
    fresh = replace(fresh, root=renewed.root)
    later = replace(later, arm="control", inclusion_probability=0.5)
    store.publish(
        drawn(
            replace(first, items=(certain, control, renewed)),
            Draw(control.root, control.content_hash, "readable", 0.1, 0.25, True),
            Draw(renewed.root, renewed.content_hash, "readable", 0.2, 0.25, True),
            Draw(lost.root, lost.content_hash, "readable", 0.9, 0.25, False),
        ),
        event(),
    )
    store.publish(
        drawn(
            replace(second, items=(lost, later, again, fresh)),
            Draw(later.root, later.content_hash, "readable", 0.3, 0.5, True),
            Draw(certain.root, again.content_hash, "readable", 0.8, 0.5, False),
        ),
        event(),
    )
    assert arms(store, FIRST_NIGHT) == {
        certain.root: ("ranked", 1.0),
        control.root: ("control", 0.25),
        renewed.root: ("control", 0.25),
    }
    assert arms(store, FIRST_NIGHT + DAY) == {
        certain.root: ("ranked", 1.0),
        control.root: ("control", 0.25),
        renewed.root: ("ranked", 0.25),
        lost.root: ("ranked", None),
        later.root: ("control", 0.5),
    }
    assert arms(store, FIRST_NIGHT - DAY) == {}


ACTS = st.tuples(
    st.sampled_from(["decide", "correct", "rule", "reopen"]),
    st.sampled_from([NO_CRIME, RAPE, Outcome("cannot_say")]),
    st.integers(0, 40),
)


@hypothesis(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(ACTS, max_size=8), st.integers(0, 300))
def test_nothing_later_than_the_moment_changes_a_label(
    acts: list[tuple[str, Outcome, int]], hours: int
) -> None:
    at, events = FIRST_NIGHT, []
    for number, (name, outcome, gap) in enumerate(acts, 1):
        at += gap * HOUR
        carried = None if name == "reopen" else outcome
        events.append(ReviewEvent("i", number, at, f"p{number}", name, str(number), carried))
    as_of = FIRST_NIGHT + hours * HOUR
    known = [each for each in events if each.at <= as_of]
    label = label_of("i", FIRST_NIGHT, events, as_of, RULES)
    assert label == label_of("i", FIRST_NIGHT, known, as_of, RULES)
    if label is not None:
        assert label.decided_at <= label.closed_at <= as_of
        assert label.outcome in [each.outcome for each in known]


def test_an_act_of_an_earlier_revision_has_no_label_version(store: Store) -> None:
    store.publish(night(), event())
    decide(store, ITEM.item_id, FIRST_NIGHT + HOUR)
    claimed, decided = store.history(ITEM.item_id)
    assert (claimed.label_version, decided.label_version) == ("", label_version())
    with store._engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO review_events SELECT item_id, 3, at, actor, 'reopen', 'three', "
                "NULL, NULL, drawn, 0, NULL FROM review_events WHERE number = 1"
            )
        )
    assert store.history(ITEM.item_id)[2].label_version == ""


def test_a_store_of_the_revision_before_keeps_its_decisions_and_guards_the_new_column(store_url: str) -> None:
    with open_store(store_url) as store:
        store._create_file()
        config = schema._config()
        with store._writer.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0002")
        with pytest.raises(StoreError, match="revision 0002"):
            store.check()
        store.publish(night(), event())
        with store._writer.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO review_events (item_id, number, at, actor, act, token, outcome, drawn,"
                    " hold_minutes) VALUES (:item, 1, :at, 'ann', 'rule', 'old', :outcome, :drawn, 0)"
                ),
                {
                    "item": ITEM.item_id,
                    "at": FIRST_NIGHT.replace(tzinfo=None) if "sqlite" in store_url else FIRST_NIGHT,
                    "outcome": canonical(NO_CRIME.as_json()),
                    "drawn": False,
                },
            )
        assert store.upgrade(event("alteration", "store"))
        store.check()
        [one] = store.decided(FIRST_NIGHT, RULES)
        assert (one.label.basis, one.label.version) == ("ruling", "")
        with pytest.raises(DBAPIError, match="append-only"), store._writer.begin() as connection:
            connection.execute(text("UPDATE review_events SET label_version = 'mine'"))
