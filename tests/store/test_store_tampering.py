"""Whoever changes the audit events behind the store's back is found out: a thousand random ways."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from tests.store.nights import event
from tests.store_servers import fresh_postgresql
from triage.store import Store, open_store
from triage.store import audit as trail
from triage.store.rows import FAULTS, Chain

EVENTS, TAMPERINGS, CUTS = 9, 1000, 100
COLUMNS = ("number", "at", "actor", "action", "subject", "run_id", "details", "previous_hash", "hash")
Row = dict[str, Any]
Tamper = Callable[[list[Row], random.Random], None]


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with events, whose triggers somebody has removed."""
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('tampering') / 'triage.db'}") as store:
        store.prepare()
        for minute in range(EVENTS):
            action = ("consultation", "alteration", "disclosure")[minute % 3]
            store.record(event(action, f"item-{minute}", minute, parts=minute, reason="Ö"))
        with store._engine.begin() as connection:
            connection.execute(text("DROP TRIGGER audit_events_no_update"))
            connection.execute(text("DROP TRIGGER audit_events_no_delete"))
        yield store


def rehash(row: Row) -> None:
    """Give a row the hash of its content, as whoever knows how would."""
    row["hash"] = trail.digest_of(row)


def rechain(rows: list[Row], start: int = 0) -> None:
    """Write the chain anew from a row on."""
    for at in range(start, len(rows)):
        rows[at] |= {"number": at + 1, "previous_hash": rows[at - 1]["hash"] if at else trail.FIRST}
        rehash(rows[at])


def another(row: Row, column: str, rows: list[Row], chance: random.Random) -> Any:
    """Return another value for a column, of any kind that SQLite lets in."""
    if column == "number":
        return chance.choice([0, -1, 10**6, EVENTS + 1, row["number"] + 1000])
    was = row[column]
    at = chance.randrange(len(was)) if was else 0
    choices = [
        was[:at] + chance.choice("0aZ é\x00") + was[at + 1 :],
        was[:at] + was[at + 1 :],
        was + " ",
        was.swapcase(),
        was.encode(),
        was.encode() + b"\xff",
        "",
        chance.random(),
        chance.randrange(10**6),
        float("inf"),
        chance.choice(rows)[column],
        was.replace(":", ": "),
        "{}",
        "no json",
    ]
    return chance.choice(choices)


def change(rows: list[Row], chance: random.Random) -> None:
    """Change some columns of a row."""
    row = chance.choice(rows)
    for column in chance.sample(COLUMNS, chance.choice([1, 1, 1, 2, 3])):
        row[column] = another(row, column, rows, chance)


def change_and_rehash(rows: list[Row], chance: random.Random) -> None:
    """Change a row that others follow, and give it its new hash."""
    row = chance.choice(rows[:-1])
    column = chance.choice(("actor", "action", "subject", "run_id"))
    row[column] = f"{row[column]}{chance.choice('xyz ')}"
    rehash(row)


def delete(rows: list[Row], chance: random.Random) -> None:
    """Take rows out that others follow."""
    for _ in range(chance.choice([1, 1, 2, 4])):
        del rows[chance.randrange(len(rows) - 1)]


def delete_and_renumber(rows: list[Row], chance: random.Random) -> None:
    """Take rows out and close the gap, with or without new hashes."""
    delete(rows, chance)
    hashed = chance.random() < 0.5
    for number, row in enumerate(rows, 1):
        moved, row["number"] = row["number"] != number, number
        if moved and hashed:
            rehash(row)


def insert(rows: list[Row], chance: random.Random) -> None:
    """Put a forged row before others, with or without its hash and with or without room for it."""
    at = chance.randrange(len(rows))
    forged = rows[at] | {
        "actor": "somebody",
        "previous_hash": chance.choice([rows[at]["previous_hash"], rows[at]["hash"], trail.FIRST]),
        "hash": f"{chance.getrandbits(256):064x}",
    }
    if chance.random() < 0.7:
        for row in rows[at:]:
            row["number"] += 1
            if chance.random() < 0.5:
                rehash(row)
    else:
        forged["number"] = chance.choice([0, -3])
    if chance.random() < 0.5:
        rehash(forged)
    rows.insert(at, forged)


def append(rows: list[Row], chance: random.Random) -> None:
    """Put a forged row at the end that does not follow the last."""
    forged = rows[-1] | {"number": len(rows) + 1, "hash": f"{chance.getrandbits(256):064x}"}
    if chance.random() < 0.5:
        rehash(forged)
    else:
        forged["previous_hash"] = rows[-1]["hash"]
    rows.append(forged)


def swap(rows: list[Row], chance: random.Random) -> None:
    """Let two rows change places, or some of their columns."""
    one, other = chance.sample(rows, 2)
    columns = chance.choice([("number",), COLUMNS[1:], COLUMNS[1:-2], ("hash",), chance.sample(COLUMNS, 4)])
    for column in columns:
        one[column], other[column] = other[column], one[column]


def shuffle(rows: list[Row], chance: random.Random) -> None:
    """Number the rows in another order, with or without new hashes."""
    numbers = [row["number"] for row in rows]
    chance.shuffle(numbers)
    hashed = chance.random() < 0.5
    for number, row in zip(numbers, rows, strict=True):
        moved, row["number"] = row["number"] != number, number
        if moved and hashed:
            rehash(row)


WAYS: tuple[Tamper, ...] = (
    change,
    change,
    change_and_rehash,
    delete,
    delete_and_renumber,
    insert,
    append,
    swap,
    shuffle,
)


def cut_off(rows: list[Row], chance: random.Random) -> None:
    """Take away the end."""
    del rows[chance.randrange(len(rows)) :]


def write_anew(rows: list[Row], chance: random.Random) -> None:
    """Change, add or take away a row and write the chain anew from there."""
    at = chance.randrange(len(rows))
    how = chance.choice(["change", "insert", "delete"])
    if how == "change":
        rows[at]["actor"] = "somebody"
    elif how == "insert":
        rows.insert(at, rows[at] | {"actor": "somebody"})
    else:
        del rows[at]
    rechain(rows, at)


def rows_of(connection: Connection) -> list[Row]:
    """Return the rows as they are stored, by number."""
    columns = ", ".join(f"{name}" for name in COLUMNS)
    found = connection.exec_driver_sql(f"SELECT {columns} FROM audit_events ORDER BY number")
    return [dict(row._mapping) for row in found]


def tampered(store: Store, way: Tamper, chance: random.Random, noted: str) -> Chain | None:
    """Return what verifying says after a tampering, which is undone; None where it changed nothing.

    Nor does one that the keys of the table refuse: two rows of one number or hash.
    """
    with store._engine.connect() as connection:
        before, rows = rows_of(connection), rows_of(connection)
        way(rows, chance)
        connection.exec_driver_sql("DELETE FROM audit_events")
        places = ", ".join("?" for _ in COLUMNS)
        for row in rows:
            values = tuple(row[name] for name in COLUMNS)
            try:
                connection.exec_driver_sql(
                    f"INSERT INTO audit_events ({', '.join(COLUMNS)}) VALUES ({places})", values
                )
            except IntegrityError:
                return None
        unchanged = _stored(connection) == _canonical(before)
        return None if unchanged else trail.verify(connection, noted)


def _stored(connection: Connection) -> list[Row]:
    columns = ", ".join(f"typeof({name}) || ':' || hex({name}) AS {name}" for name in COLUMNS)
    found = connection.exec_driver_sql(f"SELECT {columns} FROM audit_events ORDER BY number")
    return [dict(row._mapping) for row in found]


def _canonical(rows: list[Row]) -> list[Row]:
    """Return rows of integers and texts as ``_stored`` shows them."""
    return [
        {
            name: f"{'integer' if isinstance(value, int) else 'text'}:{str(value).encode().hex().upper()}"
            for name, value in row.items()
        }
        for row in rows
    ]


def test_the_untouched_chain_holds(unguarded: Store) -> None:
    with unguarded._engine.connect() as connection:
        assert _stored(connection) == _canonical(rows_of(connection)), "no change must be known as none"
    chain = unguarded.verify_chain()
    assert (chain.events, chain.broken_at, chain.fault, chain.noted_at) == (EVENTS, None, "", None)


def test_a_thousand_random_tamperings_are_all_found(unguarded: Store) -> None:
    chance = random.Random(20261122)  # noqa: S311
    noted = unguarded.verify_chain().head
    found, kinds, missed = 0, Counter[str](), []
    while found + len(missed) < TAMPERINGS:
        way = chance.choice(WAYS)
        chain = tampered(unguarded, way, chance, noted)
        if chain is None:
            continue
        if chain.broken_at is None:
            missed.append(way.__name__)
            continue
        found += 1
        kinds[chain.fault] += 1
        assert 1 <= chain.broken_at <= chain.events
    assert missed == []
    assert set(kinds) == set(FAULTS), "every kind of fault is told"
    assert unguarded.verify_chain().head == noted


@pytest.mark.parametrize("way", [cut_off, write_anew])
def test_what_no_chain_can_show_shows_beside_a_noted_head(unguarded: Store, way: Tamper) -> None:
    chance = random.Random(7)  # noqa: S311
    noted = unguarded.verify_chain().head
    for _ in range(CUTS):
        chain = tampered(unguarded, way, chance, noted)
        assert chain is not None
        assert chain.broken_at is None, "or it would belong to the thousand"
        assert chain.noted_at is None
    assert unguarded.verify_chain(noted).noted_at == EVENTS


def test_a_noted_head_is_found_again_as_the_log_grows(unguarded: Store) -> None:
    heads = [trail.FIRST, *(each.hash for each in unguarded.events())]
    assert [unguarded.verify_chain(head).noted_at for head in heads] == list(range(EVENTS + 1))
    assert unguarded.verify_chain("f" * 64).noted_at is None


@pytest.mark.parametrize(
    ("tampering", "broken_at", "fault"),
    [
        ("UPDATE audit_events SET actor = 'other' WHERE number = 4", 4, "altered"),
        ("UPDATE audit_events SET details = X'FF' WHERE number = 4", 4, "altered"),
        ("UPDATE audit_events SET actor = CAST(X'61FF' AS TEXT) WHERE number = 4", 4, "altered"),
        ("UPDATE audit_events SET at = 9e999 WHERE number = 4", 4, "altered"),
        ("DELETE FROM audit_events WHERE number = 4", 4, "removed"),
        ("UPDATE audit_events SET number = -number WHERE number = 4", 1, "inserted"),
        (
            "DELETE FROM audit_events WHERE number = 4;"
            "UPDATE audit_events SET number = number - 1 WHERE number > 4",
            4,
            "reordered",
        ),
        (
            "UPDATE audit_events SET number = 100 WHERE number = 6;"
            "UPDATE audit_events SET number = 6 WHERE number = 8;"
            "UPDATE audit_events SET number = 8 WHERE number = 100",
            6,
            "reordered",
        ),
    ],
)
def test_the_place_and_the_kind_are_named(
    unguarded: Store, tampering: str, broken_at: int, fault: str
) -> None:
    with unguarded._engine.connect() as connection:
        for statement in tampering.split(";"):
            connection.exec_driver_sql(statement)
        chain = trail.verify(connection)
        connection.rollback()
    assert (chain.broken_at, chain.fault) == (broken_at, fault)


@pytest.mark.parametrize(
    "moment",
    ["'infinity'", "'-infinity'", "at + interval '1 microsecond'", "'2026-03-01 06:31:15.123456+00 BC'"],
)
def test_on_postgresql_no_moment_hides_or_ends_the_reading(moment: str) -> None:
    with open_store(fresh_postgresql()) as store:
        store.prepare()
        for minute in range(3):
            store.record(event("consultation", "item", minute))
        assert store.verify_chain().broken_at is None
        with store._engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER audit_events_append_only ON audit_events")
            connection.exec_driver_sql(f"UPDATE audit_events SET at = {moment} WHERE number = 2")
        chain = store.verify_chain()
        assert (chain.broken_at, chain.fault) == (2, "altered")
