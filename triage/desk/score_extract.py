"""Scoring a whole extract, a part of its records at a time: columns and arrays, so that memory stays flat."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from importlib import import_module
from io import BytesIO
from itertools import accumulate
from pathlib import Path

import polars as pl
from threadpoolctl import threadpool_limits

from triage.desk.helpers import Helpers
from triage.desk.score_file import part_frame, ranked_frame
from triage.language.offences import unknown_codes
from triage.learning.registry import LoadedModel, load
from triage.learning.signing import TrustedKeys, trusted_by
from triage.ranking.scoring import Disclosed, Ranker, Scores, recorded_masks, weigh
from triage.reading import Mapping, check_rejected_share, read_extract
from triage.reading.columns import Records
from triage.reading.grouping import Groups, Keys, group
from triage.settings import Settings

#: Records scored at a time.
PART_RECORDS = 1_000


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
    helpers: Helpers,
) -> Scored:
    """Return the scores of every record of an extract, the same for any number of helpers.

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
    helpers : Helpers
        Processes that find out what records disclose while this one links them, and scores.

    Raises
    ------
    ExtractError
        If the extract cannot be read, or too many of its rows are rejected.
    """
    # What is imported stays: the collector need not go through it again and again.
    gc.freeze()
    imported = partial(import_module, "spacy.tokenizer")
    read = read_extract(extract, settings, mapping=mapping, as_of=moment, hashed=False, meanwhile=imported)
    check_rejected_share(read, settings)
    rejected = sum(count.rejected for count in read.counts.values())
    unknown = unknown_codes(crime.offence_code for crime in read.crimes)
    crimes = [crime for crime in read.crimes if moment is None or crime.recorded_at <= moment]
    parts = dict(enumerate(_parts(Records.of(read.records))))
    del read
    loaded = model()
    helpers.begin(
        list(parts.values()),
        here=partial(_disclose, loaded.model),
        there=partial(
            _disclose_by_name, settings.registry_dir.absolute(), loaded.model_id, trusted_by(settings)
        ),
    )
    groups = group(Keys.of(_joined(parts.values())), crimes, settings, borne_out=True)
    firsts = [0, *accumulate(map(len, parts.values()))]
    frames: dict[int, pl.DataFrame] = {}
    for number, disclosed in helpers.results():
        leads = groups.leads[firsts[number] : firsts[number + 1]]
        # Its texts go as soon as it is scored.
        scores = _weighed(loaded.model, disclosed, parts.pop(number), leads, groups, settings)
        frames[number] = part_frame(scores)
    ranked = ranked_frame([frames.pop(number) for number in sorted(frames)])
    return Scored(frame=ranked, rejected=rejected, unknown_codes=unknown, model_id=loaded.model_id)


def _parts(records: Records) -> Iterator[Records]:
    """Give the records in the order of their keys, each part with memory of its own, which goes with it.

    The tables are taken out of the records one by one, so that no more than one is held twice.
    """
    tables = records.tables
    for source in sorted(tables):
        for part in Records({source: tables.pop(source)}).parts(PART_RECORDS):
            copied = BytesIO()
            part.tables[source].write_ipc(copied)
            yield Records({source: pl.read_ipc(copied.getvalue())})


def _joined(parts: Iterable[Records]) -> Records:
    """Return the records of parts, whose memory is not copied."""
    frames: dict[str, list[pl.DataFrame]] = {}
    for part in parts:
        for source, frame in part.tables.items():
            frames.setdefault(source, []).append(frame)
    return Records({source: pl.concat(found, rechunk=False) for source, found in frames.items()})


def _weighed(
    model: Ranker,
    disclosed: Disclosed,
    part: Records,
    leads: Sequence[int],
    groups: Groups,
    settings: Settings,
) -> Scores:
    [(source, columns)] = part.tables.items()
    days = pl.from_epoch(columns.get_column("opened_at"), "us").dt.date().to_list()
    recorded = recorded_masks([[*groups.crimes_of.get(lead, {}).values()] for lead in leads], days)
    keys = [(source, reference) for reference in columns.get_column("record_ref").to_list()]
    return weigh(model, disclosed, keys, recorded, settings)


@lru_cache(maxsize=1)
def _model(registry_dir: Path, model_id: str, trusted: TrustedKeys) -> Ranker:
    return load(registry_dir, model_id, trusted=trusted).model


def _disclose_by_name(registry_dir: Path, model_id: str, trusted: TrustedKeys, part: Records) -> Disclosed:
    return _disclose(_model(registry_dir, model_id, trusted), part)


def _disclose(model: Ranker, part: Records) -> Disclosed:
    # One thread in each process: the last bits of a product may depend on their number.
    with threadpool_limits(limits=1):
        return model.disclose(list(part))
