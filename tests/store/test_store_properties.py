"""Whatever is published, published again, read and purged: what was there stays, and the chain holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.nights import FIRST_NIGHT, event, night
from triage.store import Store, open_store

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 5), st.integers(0, 4)),
        st.tuples(st.just("consult"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("disclose"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("purge"), st.integers(88, 97), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=12, deadline=None)
@given(acts=ACTS)
def test_nothing_that_was_there_changes(
    fresh_store_url: Callable[[], str], acts: list[tuple[str, int, int]]
) -> None:
    with open_store(fresh_store_url()) as store:
        store.prepare()
        queues: dict[str, object] = {}
        items: dict[str, object] = {}
        events: tuple[object, ...] = ()
        for act, number, size in acts:
            logged = _do(store, act, number, size, queues)
            for run_id, queue in queues.items():
                assert store.queue(run_id) == queue
            queues |= {run.run_id: store.queue(run.run_id) for run in store.runs()}
            for item_id, item in items.items():
                assert store.item(item_id) == item
            items |= {row.item.item_id: row.item for queue in queues.values() for row in queue}
            now = store.events()
            assert now[: len(events)] == events
            assert len(now) == len(events) + logged
            events = now
        chain = store.verify_chain()
        assert (chain.events, chain.broken_at) == (len(events), None)


def _do(store: Store, act: str, number: int, size: int, queues: dict[str, object]) -> int:
    as_of = FIRST_NIGHT + timedelta(days=number)
    if act == "publish":
        carried = store.unread_items(as_of, 2)
        added = store.publish(
            night(f"run-{number}", size, day=number, carried=carried), event(subject=f"run-{number}")
        )
        assert added == (f"run-{number}" not in queues)
        return int(added)
    if act == "purge":
        return int(store.purge_texts(as_of, event("erasure", "texts")) > 0)
    if act == "disclose":
        store.disclose(f"run-{number}", event("disclosure", f"run-{number}"))
        return 1
    found = sorted({row.item.record_ref for run in store.runs() for row in store.queue(run.run_id)})
    if number >= len(found):
        return 0
    (item,) = store.items_of(found[number])
    assert len(store.consult(item.item_id, event("consultation", item.item_id))) == len(item.parts)
    return 1
