"""Parquet files, which a child process reads first, since a damaged one can end the process that reads it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from triage.errors import ExtractError
from triage.reading.mapping import harmless
from triage.reading.raw import PART_ROWS, Cell, NotText, RawPart, RawTable, cell_of, check_readable, storable

_EPOCH = datetime(1970, 1, 1)
#: Reads Parquet files and nothing else, a dot for each; a core that it dumped would hold record text.
_TRIAL_READING = """
import io, pathlib, sys
try:
    import resource
except ImportError:
    pass
else:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import polars
for each in sys.argv[1:]:
    polars.read_parquet(io.BytesIO(pathlib.Path(each).read_bytes()))
    sys.stdout.write(".")
    sys.stdout.flush()
"""
#: What one count of a Parquet time is; a nanosecond has no timedelta.
_UNITS = {"ms": timedelta(milliseconds=1), "us": timedelta(microseconds=1), "ns": None}


def check_parquet(paths: Iterable[Path], meanwhile: Callable[[], object] | None = None) -> None:
    """Make sure that the Parquet files among some can be read without harm to this process.

    Parameters
    ----------
    paths : iterable of Path
        Files of any format.
    meanwhile : callable, optional
        Called once, while the child process reads; at once where there is nothing for it to read.

    Raises
    ------
    ExtractError
        If one is damaged, or is no file that can be read.
    """
    files = [path for path in paths if path.suffix.casefold() == ".parquet"]
    for path in files:
        check_readable(path, harmless(path.name))
    meanwhile = meanwhile or (lambda: None)
    if not files:
        meanwhile()
        return
    # A damaged file can end the process that reads it, past any exception: a child reads them first.
    words = [sys.executable, "-c", _TRIAL_READING, *(str(path.absolute()) for path in files)]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(words, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing) as tried:  # noqa: S603
        try:
            meanwhile()
            read, _ = tried.communicate()
        except BaseException:
            tried.kill()
            raise
    if tried.returncode != 0:
        raise ExtractError(
            "the Parquet file is damaged: truncated, corrupt or of another format",
            where=harmless(files[min(len(read), len(files) - 1)].name),
            mend="export it again",
        )


def read_parquet(data: bytes, file: str, wanted: Collection[str]) -> RawTable:
    """Return the rows of a Parquet file that passed ``check_parquet``.

    Raises
    ------
    ExtractError
        If it is damaged all the same.
    """
    with _undamaged(file):
        frame = pl.read_parquet(io.BytesIO(data))
    return RawTable(
        file,
        tuple(frame.columns),
        _parquet_parts(frame.select(sorted(set(frame.columns) & set(wanted))), file),
    )


def _parquet_parts(frame: pl.DataFrame, file: str) -> Iterator[RawPart]:
    with _undamaged(file):
        # Asked once of a whole column: many small questions take longer than reading.
        odd = {series.name for series in frame if series.dtype == pl.String and _has_nul(series)}
    for at in range(0, frame.height, PART_ROWS):
        with _undamaged(file):
            part = frame.slice(at, PART_ROWS)
            cells = {series.name: _column(series, odd=series.name in odd) for series in part}
        yield RawPart(range(at + 1, at + part.height + 1), cells)


def _has_nul(series: pl.Series) -> bool:
    return bool(series.str.contains("\0", literal=True).any())


@contextmanager
def _undamaged(file: str) -> Iterator[None]:
    try:
        yield
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        OSError,
        ValueError,
        OverflowError,
    ) as error:
        raise ExtractError(
            f"the Parquet file is damaged ({type(error).__name__}): truncated or corrupt",
            where=file,
            mend="export it again",
        ) from None


def _column(series: pl.Series, *, odd: bool) -> Sequence[Cell]:
    """Return the cells of a column; one of text is odd where a character 0 stands in it."""
    kind = series.dtype
    if isinstance(kind, pl.Datetime | pl.Date):
        # Counted in Python, because a moment beyond year 9999 has no datetime.
        unit = timedelta(days=1) if isinstance(kind, pl.Date) else _UNITS[kind.time_unit]
        aware = isinstance(kind, pl.Datetime) and kind.time_zone is not None
        return [_moment(value, unit, aware) for value in series.to_physical().to_list()]
    if isinstance(kind, pl.Categorical | pl.Enum | pl.Decimal):
        series = series.cast(pl.String)
        odd = _has_nul(series)
    elif kind.is_nested() or isinstance(kind, pl.Binary | pl.Object | pl.Duration):
        return ["" if missing else NotText.CELL for missing in series.is_null().to_list()]
    if series.dtype == pl.String:
        texts: list[str] = (series.fill_null("") if series.null_count() else series).to_list()
        return list(map(storable, texts)) if odd else texts
    return [cell_of(value) for value in series.to_list()]


def _moment(count: int | None, unit: timedelta | None, aware: bool) -> Cell:
    if count is None:
        return ""
    try:
        moment = _EPOCH + (timedelta(microseconds=count // 1000) if unit is None else count * unit)
    except OverflowError:
        return NotText.CELL
    return moment.replace(tzinfo=UTC) if aware else moment
