"""The command ``triage replay``: review of a labelled text table played again."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from triage.errors import UsageError

if TYPE_CHECKING:
    from triage.learning.metrics import Bools, Ints
    from triage.learning.replay import Curve, Learner

#: Makes what ranks the rows of a table from their texts, one tuple per column of text, and a seed.
LearnerOf = Callable[["Sequence[Sequence[str]]", int], "Learner"]


def add_replay(app: typer.Typer, *, learner: LearnerOf) -> None:
    """Add the command to the program, which hands in what this room must not import.

    Parameters
    ----------
    app : Typer
        The program.
    learner : callable
        Makes the learner of a table from its columns of text and the seed.
    """

    @app.command()
    def replay(
        table: Annotated[
            Path, typer.Argument(metavar="FILE", help="Labelled table: .csv, .parquet, .jsonl or .xlsx.")
        ],
        text: Annotated[list[str], typer.Option("--text", metavar="COL", help="Column of text; may repeat.")],
        label: Annotated[
            str, typer.Option("--label", metavar="COL", help="Column of 1 or 0, true or false, yes or no.")
        ],
        out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Curve to write: .csv.")],
        seed: Annotated[
            int,
            typer.Option(
                "--seed", min=0, max=2**32 - 1, metavar="N", help="Same seed, same order of reading."
            ),
        ] = 0,
        start_with: Annotated[
            str | None,
            typer.Option(
                "--start-with", metavar="ROWS", help="Rows read first, such as 17,204; the first row is 1."
            ),
        ] = None,
        start_relevant: Annotated[
            int,
            typer.Option(
                "--start-relevant", min=0, metavar="N", help="Relevant rows drawn to be read first."
            ),
        ] = 1,
        start_irrelevant: Annotated[
            int,
            typer.Option("--start-irrelevant", min=0, metavar="N", help="Irrelevant rows drawn likewise."),
        ] = 1,
        batch: Annotated[
            int | None,
            typer.Option(
                "--batch",
                min=1,
                metavar="N",
                help="Rows read before learning again; by default one in a hundred of those read.",
            ),
        ] = None,
    ) -> None:
        """Play the review of a labelled table again: how many reads find how much."""
        from triage.desk.files import checked_target
        from triage.learning.replay import curve_of, first_rows, growing
        from triage.learning.replay import replay as replayed
        from triage.learning.replay_table import read_labelled

        started = perf_counter()
        checked_target(out, (".csv",))
        if out.resolve() == table.resolve():
            raise UsageError(
                "the output would replace the table", where=str(out), mend="write under another name"
            )
        if not table.is_file():
            raise UsageError("there is no such file", where=str(table), mend="name a labelled table")
        known = read_labelled(table, text, label)
        first = (
            _chosen(start_with, known.relevant)
            if start_with is not None
            else first_rows(known.relevant, seed, of_relevant=start_relevant, of_irrelevant=start_irrelevant)
        )
        order = replayed(
            known.relevant,
            learner(known.texts, seed),
            first,
            seed=seed,
            batch=growing if batch is None else lambda _: batch,
        )
        curve = curve_of(table.stem, order, known.relevant)
        _write(curve, out)
        typer.echo(_summary(curve))
        rows = ", ".join(str(at + 1) for at in first.tolist()[:10])
        more = ", …" if len(first) > 10 else ""
        typer.echo(f"read first: {rows}{more}; {perf_counter() - started:.1f} seconds", err=True)


def _chosen(words: str, relevant: Bools) -> Ints:
    """Return the rows that the words name, counted from 0."""
    import numpy as np

    mend = f"give row numbers from 1 to {len(relevant)} with commas between, each once"
    try:
        rows = [int(word) for word in words.split(",")]
    except ValueError:
        raise UsageError("not all of it are row numbers", where="--start-with", mend=mend) from None
    if len({*rows}) < len(rows) or not all(1 <= row <= len(relevant) for row in rows):
        raise UsageError("a row is named twice or is not there", where="--start-with", mend=mend)
    return np.array(rows, dtype=np.int64) - 1


def _write(curve: Curve, out: Path) -> None:
    from triage.desk.files import replacing

    with replacing(out, mode=0o640) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("reads", "found"))
        lines.writerows(enumerate(curve.found.tolist(), start=1))


def _summary(curve: Curve) -> str:
    from triage.learning.replay import RECALLS

    records = len(curve.found)
    lines = [f"{records} rows, {curve.relevant} of them relevant; reads include the rows read first"]
    for recall in (*RECALLS, 1.0):
        reads = curve.reads_to(recall)
        assert reads is not None  # all rows are read
        lines.append(f"{recall:>4.0%} of the relevant found after {reads} reads ({reads / records:.1%})")
    return "\n".join(lines)
