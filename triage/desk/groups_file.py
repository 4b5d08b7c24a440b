"""The table of groups that a force gives for fairness figures alone; no model learns from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from triage.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

ENDINGS = (".csv", ".parquet")
KEY = "record_ref"
#: More kinds, or more values of one, are no groups but descriptions of single people.
KINDS_MOST, VALUES_MOST = 8, 40


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
    if KEY not in frame.columns or not 1 <= len(kinds) <= KINDS_MOST:
        raise UsageError(
            f"the table of groups needs {KEY} and one to {KINDS_MOST} other columns",
            where=str(path),
            mend=f"give {KEY} and a column for each kind of group, such as victim_sex, age_band, area",
        )
    references = frame[KEY].to_list()
    if None in references or len({*references}) < len(references):
        raise UsageError(
            "the table of groups has a record without a reference, or one twice",
            where=f"{path}, column {KEY}",
            mend="give one row a record",
        )
    found: dict[str, dict[str, str]] = {}
    for kind in kinds:
        values = [(value or "").strip() for value in frame[kind].to_list()]
        if len({*values}) > VALUES_MOST:
            raise UsageError(
                f"a column has more than {VALUES_MOST} different values, which are no groups",
                where=f"{path}, column {kind}",
                mend="put values together, such as ages to age bands, or leave the column out",
            )
        found[kind] = dict(zip(references, values, strict=True))
    return found


def _frame(path: Path) -> pl.DataFrame:
    import polars as pl

    if path.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"the ending {path.suffix!r} is unknown; known: {', '.join(ENDINGS)}",
            where=str(path),
            mend="give the table of groups as one of these",
        )
    try:
        if path.suffix.lower() == ".csv":
            return pl.read_csv(path, infer_schema=False)
        return pl.read_parquet(path).cast(pl.String)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = type(error).__name__
    raise UsageError(
        f"the table of groups cannot be read ({reason})", where=str(path), mend="write it again, in UTF-8"
    )
