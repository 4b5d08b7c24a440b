"""What the nights and the auditors left, gathered for monitoring, and the files that it writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from triage.desk.doubts import FIGURES, FOLDER
from triage.desk.files import replacing
from triage.desk.groups_file import matched
from triage.errors import StoreError, UsageError
from triage.figures.monitor_charts import charts
from triage.learning.audited import Audited, audited_items
from triage.learning.drift import TEXTS_LEAST
from triage.learning.fairness import Dimension, fairness, fairness_json, fairness_markdown
from triage.learning.monitor_report import report
from triage.learning.monitoring import Monitoring, Observed, ReadText, Stream, Which, monitor
from triage.review.decisions import pairs, review_rules
from triage.store import AuditEvent, Run, Store

if TYPE_CHECKING:
    import polars as pl

    from triage.settings import Settings

_NAMED = ("source", "record_ref")
_COLUMNS = ("score_01", "characters", "opening_code", "closing_code")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What monitoring is asked for: a moment, the groups of records, and extracts whose texts are compared.

    Without ``as_of`` the windows end with the last night, and all decisions up to now count. ``extract`` and
    ``reference`` go together; without them the texts of queued items are compared.
    """

    as_of: datetime | None = None
    groups: Mapping[str, Mapping[str, str]] | None = None
    extract: Path | None = None
    reference: Path | None = None


@dataclass(frozen=True, slots=True)
class Monitored:
    """What monitoring found, and the folder that holds its files."""

    found: Monitoring
    groups: tuple[Dimension, ...]
    folder: Path


def run_monitoring(
    store: Store, settings: Settings, wanted: Wanted, *, actor: str, now: datetime
) -> Monitored:
    """Compare the last weeks with those before, write what was found to the data folder, and return it.

    The plain function behind ``triage monitor`` and the weekly flow. Texts are read into memory alone, and
    the reading is logged.

    Parameters
    ----------
    store : Store
        With the nights.
    settings : Settings
        Of the force.
    wanted : Wanted
        What is asked for.
    actor : str
        Who asks, for the log.
    now : datetime
        The moment, aware.

    Raises
    ------
    UsageError
        If no night has been published up to the moment, or the files cannot be written.
    StoreError
        If a run's file of scores cannot be read.
    ExtractError
        If an extract cannot be read.
    """
    if (wanted.extract is None) != (wanted.reference is None):
        raise UsageError(
            "an extract to compare needs the other one",
            where="--extract, --reference",
            mend="give the recent extract and the earlier one, or neither",
        )
    published = [run for run in store.runs() if wanted.as_of is None or run.as_of <= wanted.as_of]
    if not published:
        raise UsageError(
            "no night has been published yet" + (" by then" if wanted.as_of is not None else ""),
            where="the store" if wanted.as_of is None else "--as-of",
            mend="run the night first: `make nightly`"
            + ("" if wanted.as_of is None else ", or name a later moment"),
        )
    end = wanted.as_of or published[0].as_of
    since = end - timedelta(days=settings.monitor_recent_days + settings.monitor_reference_days)
    runs = [run for run in reversed(published) if run.as_of > since]
    items, observed = _observed(store, settings, wanted, runs or published[:1], end, now)
    details: dict[str, int | tuple[str, ...]] = {
        "items": len(items),
        "texts": sum(map(len, observed.texts.values())) + len(observed.read),
        "groups": tuple(wanted.groups or ()),
    }
    store.record(
        AuditEvent(now, actor, "combination", "monitoring", runs[-1].run_id if runs else "", details)
    )
    if wanted.groups:
        matched(wanted.groups, [each.record_ref for each in items])
    found = monitor(observed, settings)
    dimensions = (
        fairness(items, wanted.groups, least=settings.small_cell_items) if wanted.groups is not None else ()
    )
    folder = settings.data_dir / FOLDER / f"{end:%Y%m%dT%H%MZ}"
    _write(folder, found, dimensions, settings)
    return Monitored(found, dimensions, folder)


def _observed(
    store: Store, settings: Settings, wanted: Wanted, runs: Sequence[Run], end: datetime, now: datetime
) -> tuple[tuple[Audited, ...], Observed]:
    known = wanted.as_of or now
    recent_since = end - timedelta(days=settings.monitor_recent_days)
    rules = review_rules(settings)
    reviews = store.reviews_touched(known, rules)
    first = {item_id: each.first.actor for item_id, each in reviews.items() if each.first is not None}
    decided = {each.queued.item_id: each for each in store.decided(known, rules)}
    ranked_by = {run.run_id: run.model_id for run in runs}
    queued = [each for each in store.queued(known) if each.run_id in ranked_by]
    items = tuple(
        replace(
            item,
            model_id=ranked_by[each.run_id],
            reader=first.get(item.item_id, "") if item.answer else "",
        )
        for each, item in zip(queued, audited_items(queued, decided.values()), strict=True)
    )
    notes: list[str] = []
    streams = _streams(settings, runs, recent_since, notes)
    texts, texts_from = _texts(store, settings, wanted, items, recent_since)
    read = [
        ReadText(
            item_id,
            each.queued.root,
            "\n".join(record.text for record in each.records),
            each.queued.score_01,
            each.label.outcome.disclosed,
        )
        for item_id, each in decided.items()
        if each.found is not None and each.text == "kept"
    ]
    twice = [(one, two) for one, two in pairs(tuple(reviews.values())) if two.at <= known]
    return items, Observed(
        end=end,
        model_id=runs[-1].model_id,
        streams=streams,
        texts=texts,
        texts_from=texts_from,
        items=items,
        pairs=twice,
        read=read,
        notes=tuple(notes),
    )


def _streams(
    settings: Settings, runs: Sequence[Run], recent_since: datetime, notes: list[str]
) -> dict[Which, Stream]:
    """Return the eligible records of each window, each in the window in which it first appears."""
    import polars as pl

    frames: list[pl.DataFrame] = []
    lacking = 0
    for run in runs:
        path = settings.data_dir / "runs" / run.run_id / "scores.parquet"
        if not path.exists():
            lacking += 1
            continue
        which = "recent" if run.as_of > recent_since else "reference"
        frames.append(
            _scores(path).with_columns(
                pl.lit(which).alias("window"), pl.lit(run.model_id == runs[-1].model_id).alias("same_model")
            )
        )
    if lacking:
        notes.append(f"{lacking} of {len(runs)} nights have no file of scores any more")
    if not frames:
        return {"reference": Stream(), "recent": Stream()}
    every = pl.concat(frames, how="diagonal").unique(_NAMED, keep="first", maintain_order=True)
    return {which: _stream(every.filter(pl.col("window") == which)) for which in ("reference", "recent")}


def _scores(path: Path) -> pl.DataFrame:
    """Return the eligible records of a run; files of earlier releases hold neither lengths nor codes."""
    import polars as pl

    try:
        held = pl.read_parquet_schema(path)
        wanted = [name for name in (*_NAMED, *_COLUMNS) if name in held]
        return pl.read_parquet(path, columns=[*wanted, "eligible"]).filter("eligible").drop("eligible")
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = type(error).__name__
    raise StoreError(
        f"a file of a run cannot be read ({reason})",
        where=str(path),
        mend="restore it from a backup, or remove it",
    )


def _stream(frame: pl.DataFrame) -> Stream:
    def numbers(name: str) -> Any:
        return frame[name].drop_nulls().to_numpy().astype(float) if name in frame.columns else np.zeros(0)

    def names(name: str) -> list[str]:
        return frame[name].drop_nulls().to_list() if name in frame.columns else []

    return Stream(
        sources=names("source"),
        scores=frame.filter("same_model")["score_01"].to_numpy(),
        characters=numbers("characters"),
        opening_codes=names("opening_code"),
        closing_codes=names("closing_code"),
    )


def _texts(
    store: Store, settings: Settings, wanted: Wanted, items: Sequence[Audited], recent_since: datetime
) -> tuple[dict[Which, Sequence[str]], str]:
    """Return the texts of the two windows and what they are.

    The random control is compared with itself if it is large enough: what the model chose moves with it.
    """
    if wanted.extract is not None and wanted.reference is not None:
        both: dict[Which, Sequence[str]] = {
            "reference": _extract_texts(wanted.reference, settings),
            "recent": _extract_texts(wanted.extract, settings),
        }
        return both, "all records of two extracts"
    kept = [
        (each.arm, "recent" if each.queued_at > recent_since else "reference", text)
        for each in items
        if (text := "\n".join(part.text for part in store.texts(each.item_id) if part.text))
    ]

    def of(arms: Sequence[str]) -> dict[Which, Sequence[str]]:
        return {
            "reference": [text for arm, which, text in kept if arm in arms and which == "reference"],
            "recent": [text for arm, which, text in kept if arm in arms and which == "recent"],
        }

    control = of(["control"])
    if min(map(len, control.values())) >= TEXTS_LEAST:
        return control, "items of the random control"
    return of(sorted({arm for arm, _, _ in kept})), "queued items, which the model chose"


def _extract_texts(path: Path, settings: Settings) -> list[str]:
    from triage.reading import check_rejected_share, mapping_for, read_extract

    columns = mapping_for(path, settings)
    mapped = columns.applied_to(settings)
    extract = read_extract(path, mapped, mapping=columns)
    check_rejected_share(extract, mapped)
    return [record.text for record in extract.records]


def _write(folder: Path, found: Monitoring, groups: Sequence[Dimension], settings: Settings) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder of the monitoring cannot be made ({type(error).__name__})",
            where=str(folder),
            mend="check the permissions of the data folder",
        ) from None
    drawn = _drawn(folder, found, settings)
    marked = f"{settings.marking}\n\n{{}}\n{settings.marking}\n"
    contents = {FIGURES: _json(asdict(found)), "report.md": marked.format(report(found, drawn))}
    if groups:
        section = fairness_markdown(groups, least=settings.small_cell_items)
        contents |= {
            "fairness.json": _json(fairness_json(groups, least=settings.small_cell_items)),
            "fairness.md": marked.format(section),
        }
    for name in {"fairness.json", "fairness.md"} - contents.keys():
        # Of an earlier monitoring of the same moment.
        (folder / name).unlink(missing_ok=True)
    for name, content in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")


def _drawn(folder: Path, found: Monitoring, settings: Settings) -> list[tuple[str, str]]:
    """Draw what can be drawn, and return file name and description of each; nothing without matplotlib."""
    if find_spec("matplotlib") is None:
        return []
    pictures = charts(found, settings)
    for each in pictures:
        with replacing(folder / each.name) as temporary:
            each.draw(temporary)
    return [(each.name, each.words) for each in pictures]


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, allow_nan=False, default=_iso) + "\n"


def _iso(value: date) -> str:
    return value.isoformat()
