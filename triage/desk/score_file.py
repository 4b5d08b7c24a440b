"""One row per record of an extract with its rank, score and evidence: a file that others script against."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from triage.desk.files import checked_target, replacing
from triage.language.offences import FAMILIES

if TYPE_CHECKING:
    import polars as pl

    from triage.ranking.scoring import Evidence, Marks, RecordScore, Scores

ENDINGS = (".csv", ".parquet")
DECIMALS = 9
_ROWS_WRITTEN_TOGETHER = 20_000
_TIEBREAK = "tiebreak"
COLUMNS = (
    "record_ref",
    "source",
    "rank",
    "score_01",
    *(f"p_{family}" for family in FAMILIES),
    "unrecorded_families",
    "evidence",
)


def ranked(scores: Sequence[RecordScore]) -> tuple[RecordScore, ...]:
    """Return the scores in reading order, best first; equal scores stand in the order of their hashes."""
    return tuple(
        sorted(scores, key=lambda each: (-each.score_01, each.tiebreak, each.source, each.record_ref))
    )


def evidence_json(evidence: Sequence[Evidence]) -> str:
    """Return evidence as compact JSON, best first: character offsets, or the question of an answer.

    What lowered a score is left out: the file's evidence names a family each.

    >>> from triage.ranking.scoring import Evidence
    >>> evidence_json([Evidence("rape", 3, 9), Evidence("rape", question="q19")])
    '[{"family":"rape","start":3,"end":9},{"family":"rape","question":"q19"}]'
    """
    return json.dumps(
        [
            {"family": each.family, "question": each.question}
            if each.start is None
            else {"family": each.family, "start": each.start, "end": each.end}
            for each in evidence
            if each.family
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def score_frame(scores: Sequence[RecordScore]) -> pl.DataFrame:
    """Return one row per record, sorted by `rank` (1 is read first; no ties), in the contract's columns.

    Parameters
    ----------
    scores : sequence of RecordScore
        In any order; the rank rests on `score_01` before it is rounded to nine decimals.
    """
    import polars as pl

    rows = ranked(scores)
    data: dict[str, list[object]] = {
        "record_ref": [each.record_ref for each in rows],
        "source": [each.source for each in rows],
        "rank": list(range(1, len(rows) + 1)),
        "score_01": [round(float(each.score_01), DECIMALS) for each in rows],
    }
    for index, family in enumerate(FAMILIES):
        data[f"p_{family}"] = [round(float(each.p_family[index]), DECIMALS) for each in rows]
    data["unrecorded_families"] = [";".join(each.unrecorded_families) for each in rows]
    data["evidence"] = [evidence_json(each.evidence) for each in rows]
    kinds = {"rank": pl.Int64, **dict.fromkeys(("score_01", *(f"p_{name}" for name in FAMILIES)), pl.Float64)}
    return pl.DataFrame(data, schema={name: kinds.get(name, pl.String) for name in COLUMNS})


def part_frame(scores: Scores) -> pl.DataFrame:
    """Return the columns of some of the records, but for the rank, with the hash that breaks ties."""
    import numpy as np
    import polars as pl

    from triage.ranking.scoring import tiebreak

    numbers, which = np.unique(scores.families, axis=0, return_inverse=True)
    named = [";".join(FAMILIES[at] for at in each if at >= 0) for each in numbers.tolist()]
    return pl.DataFrame(
        {
            "record_ref": [reference for _, reference in scores.keys],
            "source": [source for source, _ in scores.keys],
            "score_01": scores.score_01,
            **{f"p_{family}": scores.chances.p_family[:, at] for at, family in enumerate(FAMILIES)},
            "unrecorded_families": [named[at] for at in which.ravel().tolist()],
            "evidence": _evidence_of(scores.shown, len(scores.keys)),
            _TIEBREAK: [tiebreak(*key) for key in scores.keys],
        }
    )


def _evidence_of(marks: Marks, records: int) -> list[str]:
    """Return what `evidence_json` writes of each record's places, which stand together."""
    columns = (marks.owners, marks.families, marks.starts, marks.ends, marks.questions)
    places: list[list[str]] = [[] for _ in range(records)]
    for owner, family, start, end, question in zip(*(each.tolist() for each in columns), strict=True):
        where = f'"question":"q{question}"' if question else f'"start":{start},"end":{end}'
        places[owner].append(f'{{"family":"{FAMILIES[family]}",{where}}}')
    return [f"[{','.join(each)}]" for each in places]


def ranked_frame(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of all parts as `score_frame` does, sorted by rank; the list is emptied.

    Column by column, so that no second table of all rows is held.
    """
    import polars as pl

    if not parts:
        return score_frame(())
    frame = pl.concat(parts)
    parts.clear()
    order = frame.select(
        pl.arg_sort_by("score_01", _TIEBREAK, "source", "record_ref", descending=[True, False, False, False])
    ).to_series()
    ranks = pl.Series("rank", range(1, frame.height + 1), dtype=pl.Int64)
    return pl.DataFrame(
        [ranks if name == "rank" else frame.drop_in_place(name).gather(order) for name in COLUMNS]
    )


def write_scores(scores: Sequence[RecordScore], path: Path) -> None:
    """Write the file of scores whole or not at all; the same scores give the same bytes.

    Raises
    ------
    UsageError
        If the ending is neither `.csv` nor `.parquet`, or the file cannot be written.
    """
    checked_target(path, ENDINGS)
    write_frame(score_frame(scores), path)


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write the rows that `score_frame` or `ranked_frame` returned, whole or not at all.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    with replacing(path, mode=0o640) as temporary:
        if path.suffix.lower() == ".csv":
            frame.write_csv(temporary)
        else:
            frame.write_parquet(
                temporary, compression="zstd", statistics=False, row_group_size=_ROWS_WRITTEN_TOGETHER
            )
