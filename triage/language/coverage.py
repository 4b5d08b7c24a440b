"""Which families a recorded crime accounts for, from ``coverage.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files

_TABLE = tomllib.loads(files("triage.language").joinpath("coverage.toml").read_text(encoding="utf-8"))
_COVERS = {name: frozenset(covered) for name, covered in _TABLE["covers"].items()}


def covered_families(recorded: Iterable[str]) -> frozenset[str]:
    """Return the recorded families and those that they cover.

    Source: domain.md 1.4, as ``coverage.toml`` says.

    >>> sorted(covered_families(["robbery"]))
    ['robbery', 'theft']
    """
    names = frozenset(recorded)
    return names.union(*(_COVERS.get(name, frozenset()) for name in names))
