"""The table of who may do what: whole, without gaps, and as the document shows it."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from triage.errors import PermissionDeniedError
from triage.review.decisions import DECIDING
from triage.review.permissions import (
    ACTS,
    PASSAGES,
    PERMISSIONS,
    ROLES,
    STATES,
    diagram,
    has,
    require,
    roles_that_may,
    table,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "review.md"
MOVES = [
    (state, after, act.name)
    for act in (*ACTS.values(), *PASSAGES.values())
    for state, following in act.moves.items()
    for after in following
]


def test_every_state_is_reached_from_the_queue_and_left_but_by_none() -> None:
    reached = {"queued"}
    while more := {after for state, after, _ in MOVES if state in reached} - reached:
        reached |= more
    assert reached == set(STATES)
    assert {state for state, _, _ in MOVES} == set(STATES)


def test_moves_name_known_states_once() -> None:
    assert {name for move in MOVES for name in move[:2]} <= set(STATES)
    assert len(set(MOVES)) == len(MOVES)
    for act in (*ACTS.values(), *PASSAGES.values()):
        assert all(act.moves.values()), act.name


def test_names_are_used_once_for_one_thing() -> None:
    written = tomllib.loads(files("triage.review").joinpath("states.toml").read_text(encoding="utf-8"))
    names = [each["name"] for each in (*written["act"], *written["passage"])]
    names += [*written["states"], *written["permissions"]]
    assert len(set(names)) == len(names)
    assert all(sentence.endswith(".") for sentence in STATES.values())
    assert set(DECIDING) <= set(ACTS)


def test_roles_are_known_and_each_may_do_something() -> None:
    given = [*(act.roles for act in ACTS.values()), *PERMISSIONS.values()]
    assert all(given)
    assert {role for roles in given for role in roles} == set(ROLES)
    assert all(not each.roles for each in PASSAGES.values())


def test_a_viewer_and_an_administrator_do_nothing_to_an_item() -> None:
    for act in ACTS.values():
        assert {"viewer", "administrator"}.isdisjoint(act.roles), act.name
    assert not has({"administrator"}, "see_record")
    assert not has({"auditor", "viewer", "administrator"}, "see_arms")


def test_only_the_registrar_rules_reopens_and_erases() -> None:
    for what in ("rule", "reopen", "erase", "promote"):
        assert roles_that_may(what) == ("registrar",)


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_permission_is_required_of_each_role(permission: str) -> None:
    for role in ROLES:
        if role in PERMISSIONS[permission]:
            assert has({role, "nobody"}, permission)
            require([role], permission)
        else:
            assert not has({role}, permission)
            with pytest.raises(PermissionDeniedError, match=PERMISSIONS[permission][0]) as refused:
                require([role], permission)
            assert (refused.value.exit_code, refused.value.http_status) == (14, 403)
    assert not has((), permission)


def test_the_document_shows_the_diagram_and_the_table_of_the_code() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert f"```mermaid\n{diagram()}\n```" in document
    assert f"\n{table()}\n" in f"{document}\n"
    assert document.count("stateDiagram-v2") == 1
    assert document.count("| what | viewer") == 1
