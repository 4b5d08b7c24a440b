"""The table of groups that a force gives for fairness figures alone; no model learns from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

from triage.errors import UsageError
from triage.learning.fairness import ALL, NOT_GIVEN
from triage.reading.grouping import comparable

if TYPE_CHECKING:
    import polars as pl

ENDINGS = (".csv", ".parquet")
KEY = "record_ref"
#: More kinds, or more values of one, are no groups but descriptions of single people.
KINDS_MOST, VALUES_MOST = 8, 40
_CHARACTERS_MOST = 60
#: Kinds that are there anyway, and names that the figures use themselves.
_TAKEN, _OWN_NAMES = frozenset({"source", "family"}), frozenset({ALL, NOT_GIVEN})
#: In a table of fewer rows one column may divide another by chance; its cells are hidden anyway.
_ROWS_TO_TELL = 50


def read_groups(path: Path) -> dict[str, dict[str, str]]:
    """Return for each kind of group the value of each record, by its reference.

    Parameters
    ----------
    path : Path
        A table with ``record_ref`` and a column for each kind, such as ``victim_sex``, ``age_band`` or
        ``area``; an empty cell is not given.

    Raises
    ------
    UsageError
        If it cannot be read, has no reference or no other column, names a record twice, or a column has so
        many values that they are no groups; no value is ever quoted.
    """
    frame = _frame(path)
    kinds = [name for name in frame.columns if name != KEY]
    if any(not name.isprintable() or len(name) > _CHARACTERS_MOST for name in kinds):
        raise UsageError(
            "the table of groups has a column whose name is too long, or holds line breaks or the like",
            where=str(path),
            mend=f"name the columns in plain words of at most {_CHARACTERS_MOST} characters",
        )
    taken = sorted({name for name in kinds if name in _TAKEN or "_duplicated_" in name})
    if taken:
        raise UsageError(
            f"the table of groups has a column twice, or one of the name of what is there anyway: {taken[0]}",
            where=str(path),
            mend="give each kind of group one column, and another name than those of sources and families",
        )
    if KEY not in frame.columns or not 1 <= len(kinds) <= KINDS_MOST:
        raise UsageError(
            f"the table of groups needs {KEY} and one to {KINDS_MOST} other columns",
            where=str(path),
            mend=f"give {KEY} and a column for each kind of group, such as victim_sex, age_band, area",
        )
    references = [comparable(each) if each is not None else "" for each in frame[KEY].to_list()]
    if "" in references or len({*references}) < len(references):
        raise UsageError(
            "the table of groups has a record without a reference, or one twice",
            where=f"{path}, column {KEY}",
            mend="give one row a record",
        )
    found: dict[str, dict[str, str]] = {}
    for kind in kinds:
        values = [" ".join((value or "").split()) for value in frame[kind].to_list()]
        if any(not value.isprintable() or len(value) > _CHARACTERS_MOST for value in values) or (
            {*values} & _OWN_NAMES
        ):
            raise UsageError(
                "a group's name is too long, holds what cannot be printed, or is one of "
                f"{', '.join(sorted(_OWN_NAMES))}",
                where=f"{path}, column {kind}",
                mend=f"name groups in plain words of at most {_CHARACTERS_MOST} characters",
            )
        if len({*values}) > VALUES_MOST:
            raise UsageError(
                f"a column has more than {VALUES_MOST} different values, which are no groups",
                where=f"{path}, column {kind}",
                mend="put values together, such as ages to age bands, or leave the column out",
            )
        found[kind] = dict(zip(references, values, strict=True))
    _check_not_nested(found, path)
    return found


def matched(groups: Mapping[str, Mapping[str, str]], record_refs: Iterable[str]) -> str:
    """Return a sentence on how many queued records the table of groups has a row for.

    Raises
    ------
    UsageError
        If it has none of them.
    """
    wanted = {*map(comparable, record_refs)}
    found = len(wanted & {reference for values in groups.values() for reference in values})
    if wanted and not found:
        raise UsageError(
            f"the table of groups has a row for none of the {len(wanted)} queued records",
            where="--groups",
            mend=f"give in {KEY} the references as they stand in the queue",
        )
    return f"groups: {found} of {len(wanted)} queued records have a row"


def _check_not_nested(groups: Mapping[str, Mapping[str, str]], path: Path) -> None:
    """Pass if no kind divides another: from the two tables hidden groups could be worked out."""
    for one, other in permutations(groups, 2):
        parts: dict[str, set[str]] = {}
        given = [
            (each, groups[other][ref]) for ref, each in groups[one].items() if each and groups[other][ref]
        ]
        for value, within in given:
            parts.setdefault(value, set()).add(within)
        if len(given) < _ROWS_TO_TELL or len({each for _, each in given}) < 2:
            continue
        if all(len(each) == 1 for each in parts.values()):
            raise UsageError(
                f"one column divides another ({one}, {other}): small groups could be worked out",
                where=str(path),
                mend="give one of the two",
            )


def _frame(path: Path) -> pl.DataFrame:
    import polars as pl

    if path.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"the ending {path.suffix!r} is unknown; known: {', '.join(ENDINGS)}",
            where=str(path),
            mend="give the table of groups as one of these",
        )
    if not path.is_file():
        raise UsageError("there is no such file", where=str(path), mend="name the table of groups")
    try:
        if path.suffix.lower() == ".csv":
            return pl.read_csv(path, infer_schema=False)
        return pl.read_parquet(path).cast(pl.String)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = type(error).__name__
    raise UsageError(
        f"the table of groups cannot be read ({reason})",
        where=str(path),
        mend="write it again: CSV in UTF-8 with commas, or Parquet of plain columns",
    )
