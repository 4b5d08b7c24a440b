"""Who may do what: the table of ``states.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files

from triage.errors import PermissionDeniedError


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a person does to an item, or, for a passage, that time does.

    ``moves`` maps each state in which it may be done to the states that may follow; ``roles`` is empty for a
    passage.
    """

    name: str
    roles: tuple[str, ...]
    moves: Mapping[str, tuple[str, ...]]


_TABLE = tomllib.loads(files("triage.review").joinpath("states.toml").read_text(encoding="utf-8"))


def _acts(kind: str) -> dict[str, Act]:
    return {
        entry["name"]: Act(
            entry["name"],
            tuple(entry.get("roles", ())),
            {state: tuple(following) for state, following in entry["moves"].items()},
        )
        for entry in _TABLE[kind]
    }


ROLES: tuple[str, ...] = tuple(_TABLE["roles"])
#: Each state with the sentence that the documentation shows.
STATES: Mapping[str, str] = _TABLE["states"]
ACTS: Mapping[str, Act] = _acts("act")
PASSAGES: Mapping[str, Act] = _acts("passage")
#: What moves no item, and the roles that may do it.
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    name: tuple(roles) for name, roles in _TABLE["permissions"].items()
}


def roles_that_may(what: str) -> tuple[str, ...]:
    """Return the roles that may do an act, or have a permission.

    >>> roles_that_may("rule")
    ('registrar',)
    """
    return ACTS[what].roles if what in ACTS else PERMISSIONS[what]


def has(roles: Collection[str], permission: str) -> bool:
    """Return whether any of the roles has a permission."""
    return not set(roles).isdisjoint(PERMISSIONS[permission])


def require(roles: Collection[str], permission: str) -> None:
    """Pass if any of the roles has a permission.

    Raises
    ------
    PermissionDeniedError
        Otherwise; the message names the roles that have it.
    """
    if not has(roles, permission):
        allowed = " and ".join(roles_that_may(permission))
        raise PermissionDeniedError(
            f"{permission.replace('_', ' ')} is for {allowed}", mend="ask for the role, or someone who has it"
        )


def diagram() -> str:
    """Return the states and moves as a Mermaid diagram, as docs/review.md shows it."""
    lines = ["stateDiagram-v2", "    [*] --> queued"]
    for act in (*ACTS.values(), *PASSAGES.values()):
        for state, following in act.moves.items():
            lines += [f"    {state} --> {after}: {act.name}" for after in following]
    return "\n".join(lines)


def table() -> str:
    """Return the Markdown table of roles, states and acts that docs/review.md shows."""
    lines = ["| what | " + " | ".join(ROLES) + " | in the states |", "|---|" + "---|" * (len(ROLES) + 1)]
    for act in ACTS.values():
        cells = ["yes" if role in act.roles else "" for role in ROLES]
        lines.append(f"| {act.name} | {' | '.join(cells)} | {', '.join(act.moves)} |")
    for name, roles in PERMISSIONS.items():
        cells = ["yes" if role in roles else "" for role in ROLES]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} | |")
    return "\n".join(lines)
