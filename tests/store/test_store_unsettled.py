"""Whatever still waits for somebody is found without reading what was settled long ago."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.store.nights import FIRST_NIGHT, NO_CRIME, RULES, decide, event, night
from triage.review.outcomes import FoundCrime, Outcome
from triage.store import Store

CRIME = Outcome("yes", (FoundCrime("theft"),))
UNSURE = Outcome("cannot_say")
ALL = replace(RULES, second_review_share=1.0)


def act(store: Store, item_id: str, name: str, by: str, outcome: Outcome | None = None) -> None:
    store.act(
        item_id,
        name,
        actor=by,
        roles={"auditor", "registrar"},
        at=FIRST_NIGHT,
        token=f"{item_id} {name} {by}",
        rules=ALL,
        outcome=outcome,
        chance=0.5,
    )


def test_what_waits_is_found_and_what_is_settled_is_not_read(store: Store) -> None:
    published = night(items=10)
    store.publish(published, event())
    ids = [item.item_id for item in published.items]
    untouched, claimed, once, unsure, drawn, differ, ruled, reopened, corrected, surer = ids
    act(store, claimed, "claim", "one")
    for item_id in (once, corrected, reopened):
        decide(store, item_id, FIRST_NIGHT, NO_CRIME, by="one")
    for item_id in (unsure, surer):
        decide(store, item_id, FIRST_NIGHT, UNSURE, by="one")
    act(store, surer, "correct", "one", NO_CRIME)
    for item_id in (drawn, differ, ruled):
        act(store, item_id, "claim", "one")
        act(store, item_id, "decide", "one", NO_CRIME)
    for item_id in (differ, ruled):
        act(store, item_id, "claim", "two")
        act(store, item_id, "decide", "two", CRIME)
    act(store, ruled, "rule", "registrar", CRIME)
    act(store, corrected, "correct", "one", UNSURE)
    later = FIRST_NIGHT + timedelta(hours=RULES.correction_hours)
    store.act(reopened, "reopen", actor="registrar", roles={"registrar"}, at=later, token="r", rules=RULES)
    found = store.reviews_unsettled(FIRST_NIGHT, RULES)
    assert set(found) == {claimed, unsure, drawn, differ, reopened, corrected, surer}
    every = store.reviews_touched(FIRST_NIGHT, RULES)
    assert {each: every[each] for each in found} == found
    assert untouched not in every
    assert set(store.reviews_open("run-1", FIRST_NIGHT, RULES)) == {untouched, *found}
    waiting = {item_id for item_id, each in every.items() if each.state not in ("decided", "closed")}
    assert waiting <= set(found)
