"""Scoring a whole extract, a part of its records at a time: columns and arrays, so that memory stays flat."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import polars as pl
from joblib.externals.loky import ProcessPoolExecutor
from threadpoolctl import threadpool_limits

from triage.desk.score_file import part_frame, ranked_frame
from triage.language.offences import unknown_codes
from triage.learning.registry import LoadedModel, load
from triage.ranking.scoring import Disclosed, Marks, Ranker, recorded_masks, weigh
from triage.reading import Mapping, check_rejected_share, read_extract
from triage.reading.columns import Records
from triage.reading.grouping import Keys, group
from triage.settings import Settings

#: Records scored at a time.
PART_RECORDS = 1_000
#: Parts that wait with a helper, so that it works on while this process links records.
_WAITING_PARTS = 16
#: What a helper needs to score, imported while this process reads.
_MODULES = ("spacy.tokenizer", "triage.ranking.classifier")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows of the score file, and what the command says of them."""

    frame: pl.DataFrame
    rejected: int
    unknown_codes: tuple[str, ...]
    model_id: str


def score_extract(
    extract: Path,
    settings: Settings,
    *,
    mapping: Mapping,
    moment: datetime | None,
    model: Callable[[], LoadedModel],
    jobs: int,
) -> Scored:
    """Return the scores of every record of an extract, the same for any number of jobs.

    Parameters
    ----------
    extract : Path
        What `read_extract` reads.
    settings : Settings
        With those of the mapping applied.
    mapping : Mapping
        Which column is which.
    moment : datetime or None
        Crimes recorded later are not yet known.
    model : callable
        Loads the model, once the extract is known to be readable.
    jobs : int
        Processes that score, this one among them.

    Raises
    ------
    ExtractError
        If the extract cannot be read, or too many of its rows are rejected.
    """
    # What is imported stays: the collector need not go through it again and again.
    gc.freeze()
    with _Helpers(jobs - 1) as helpers:
        read = read_extract(extract, settings, mapping=mapping, as_of=moment)
        check_rejected_share(read, settings)
        crimes = [crime for crime in read.crimes if moment is None or crime.recorded_at <= moment]
        loaded = model()
        records = Records.of(read.records)
        parts = [
            part
            for source in sorted(records.tables)
            for part in Records({source: records.tables[source]}).parts(PART_RECORDS)
        ]
        helpers.begin(parts, loaded, settings.registry_dir)
        groups = group(Keys.of(records), crimes, settings)
        firsts = [0]
        for part in parts:
            firsts.append(firsts[-1] + len(part))
        frames: dict[int, pl.DataFrame] = {}
        for number, disclosed in helpers.disclosed():
            leads = groups.leads[firsts[number] : firsts[number + 1]]
            [(source, columns)] = parts[number].tables.items()
            days = pl.from_epoch(columns.get_column("opened_at"), "us").dt.date().to_list()
            recorded = recorded_masks([[*groups.crimes_of.get(lead, {}).values()] for lead in leads], days)
            keys = [(source, reference) for reference in columns.get_column("record_ref").to_list()]
            frames[number] = part_frame(weigh(loaded.model, disclosed, keys, recorded, settings))
    return Scored(
        frame=ranked_frame([frames[number] for number in range(len(parts))]),
        rejected=sum(count.rejected for count in read.counts.values()),
        unknown_codes=unknown_codes(crime.offence_code for crime in read.crimes),
        model_id=loaded.model_id,
    )


class _Helpers:
    """Other processes that find out what records disclose while this one does so too."""

    def __init__(self, processes: int) -> None:
        self._executor: Any = None
        self._most = processes * _WAITING_PARTS
        self._waiting: deque[tuple[int, Records]] = deque()
        self._running: dict[Future[Disclosed], int] = {}
        if processes:
            # Not joblib's own pool, in which a model may have to be built meanwhile.
            self._executor = ProcessPoolExecutor(max_workers=processes, env=_ONE_THREAD)
            for _ in range(processes):
                self._executor.submit(_prepare)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(kill_workers=True)

    def begin(self, parts: list[Records], loaded: LoadedModel, registry_dir: Path) -> None:
        """Hand the first parts out."""
        self._waiting.extend(enumerate(parts))
        self._model, self._named = loaded.model, (registry_dir.absolute(), loaded.model_id)
        self._hand_out()

    def disclosed(self) -> Iterator[tuple[int, Disclosed]]:
        """Give the number of each part and what its records disclose, in any order."""
        while self._waiting or self._running:
            for done in [each for each in self._running if each.done()]:
                yield self._running.pop(done), done.result()
            self._hand_out()
            if self._waiting:
                number, part = self._waiting.popleft()
                yield number, _disclose(self._model, part)
            elif self._running:
                wait(self._running, return_when=FIRST_COMPLETED)

    def _hand_out(self) -> None:
        while self._executor is not None and len(self._waiting) > 1 and len(self._running) < self._most:
            number, part = self._waiting.popleft()
            self._running[self._executor.submit(_help, *self._named, part)] = number


def _prepare() -> None:
    for name in _MODULES:
        import_module(name)


def _help(registry_dir: Path, model_id: str, part: Records) -> Disclosed:
    return _disclose(_model(registry_dir, model_id), part)


@lru_cache(maxsize=1)
def _model(registry_dir: Path, model_id: str) -> Ranker:
    return load(registry_dir, model_id).model


def _disclose(model: Ranker, part: Records) -> Disclosed:
    # One thread in each process: the last bits of a product may depend on their number.
    with threadpool_limits(limits=1):
        found = model.disclose(list(part))
    marks = found.marks if isinstance(found.marks, Marks) else Marks.of(found.marks)
    return Disclosed(found.p_family, found.p_any, found.p_open, marks)
