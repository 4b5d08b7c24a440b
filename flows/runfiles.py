"""The files of a run: whole or not there, without text, and the same bytes for the same night."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from flows.places import QueueLine
from triage.desk.score_file import score_frame
from triage.errors import StoreError
from triage.ranking.scoring import RecordScore

QUEUE_COLUMNS = (
    "position",
    "record_ref",
    "source",
    "arm",
    "inclusion_probability",
    "score_01",
    "families",
    "rules",
    "carried",
)


def run_folder(data_dir: Path, run_id: str) -> Path:
    """Return the folder of a run's files."""
    return data_dir / "runs" / run_id


def written(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place and move it there, so that it is whole or not there.

    Parameters
    ----------
    path : Path
        The file. The lock of the night makes this process the only one that writes it.
    write : callable
        Writes to the path that it is given.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise StoreError(
            f"a file of the run cannot be written ({type(error).__name__})",
            where=str(path),
            mend="check the permissions and free space of the data folder",
        ) from error


def write_scores(
    path: Path,
    scores: Sequence[RecordScore],
    *,
    contents: Mapping[tuple[str, str], str],
    eligible: Mapping[tuple[str, str], bool],
    arms: Mapping[tuple[str, str], str],
    inputs: Mapping[tuple[str, str], tuple[int, str, str]],
) -> None:
    """Write one row per record: the columns of the score file, then what the night made of its matter.

    Parameters
    ----------
    path : Path
        A Parquet file.
    scores : sequence of RecordScore
        One per record.
    contents, eligible, arms : mapping
        By a record's key: the content hash of its matter, whether it is eligible, and its arm tonight.
    inputs : mapping
        By a record's key: characters of its text, opening and closing code, for monitoring.
    """
    import polars as pl

    frame = score_frame(scores)
    keys = list(zip(frame["source"], frame["record_ref"], strict=True))
    frame = frame.with_columns(
        pl.Series("content_hash", [contents[key] for key in keys], dtype=pl.String),
        pl.Series("eligible", [eligible[key] for key in keys], dtype=pl.Boolean),
        pl.Series("arm", [arms.get(key, "") for key in keys], dtype=pl.String),
        pl.Series("characters", [inputs[key][0] for key in keys], dtype=pl.Int64),
        pl.Series("opening_code", [inputs[key][1] for key in keys], dtype=pl.String),
        pl.Series("closing_code", [inputs[key][2] for key in keys], dtype=pl.String),
    )
    written(path, lambda part: frame.write_parquet(part, compression="zstd", statistics=False))


def write_queue(path: Path, lines: Sequence[QueueLine]) -> None:
    """Write the queue without text and without the time of day, one line per place."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(QUEUE_COLUMNS)
    for line in lines:
        writer.writerow(
            (
                line.position,
                line.record_ref,
                line.source,
                line.arm,
                repr(line.inclusion_probability),
                repr(line.score_01),
                ";".join(line.families),
                ";".join(line.rules),
                "yes" if line.carried else "no",
            )
        )
    content = buffer.getvalue().encode()
    written(path, lambda part: part.write_bytes(content))
