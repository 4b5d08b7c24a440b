"""Scoring a whole extract, a part of its records at a time: columns and arrays, so that memory stays flat."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from triage.ranking.recorded import each_once, recorded_counts
from triage.ranking.scoring import Disclosed, Ranker, Scores, weigh
from triage.reading import Mapping, check_rejected_share, read_extract, rejects_told
from triage.reading.columns import Records
from triage.reading.grouping import Groups, Keys, group
from triage.reading.linking import is_long_past
from triage.reading.records import Crime
from triage.settings import Settings

#: Records scored at a time, and bytes of their texts: a night of few and huge logs takes no more memory.
PART_RECORDS, PART_BYTES = 1_000, 4_000_000
#: Whether a family is recorded once or more often is all that is asked.
_ENOUGH = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Crimes recorded for a matter, by the place of its first record.
Crimes = dict[int, tuple[Crime, ...]]


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows of the score file, and what the command says of them; ``notes`` are the reader's."""

    frame: pl.DataFrame
    rejected: int
    notes: tuple[str, ...]
    unknown_codes: tuple[str, ...]
    model_id: str


def score_extract(
    extract: Path,
    settings: Settings,
    *,
    mapping: Mapping,
    moment: datetime | None,
    named: Callable[[], str | None],
    model: Callable[[str | None], LoadedModel],
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
    named : callable
        Gives the id of the model, if it need not be built first.
    model : callable
        Loads the model of that id, or else the one to be built, once the extract is known to be readable.
    helpers : Helpers
        Processes that find out what records disclose while this one links them, and scores.

    Raises
    ------
    ExtractError
        If the extract cannot be read, or too many of its rows are rejected.
    """
    # What is imported stays: the collector need not go through it again and again.
    gc.freeze()
    # Which model ranks may change meanwhile: helpers and this process go by the same one.
    known = named()
    scoring = _Scoring(settings, helpers, known)
    imported = partial(import_module, "spacy.tokenizer")
    read = read_extract(
        extract, settings, mapping=mapping, as_of=moment, hashed=False, meanwhile=imported, taken=scoring.take
    )
    check_rejected_share(read, settings)
    crimes = [crime for crime in read.crimes if moment is None or crime.recorded_at <= moment]
    loaded = model(known)
    return Scored(
        frame=scoring.ranked(loaded, crimes),
        rejected=sum(count.rejected for count in read.counts.values()),
        notes=(*read.notes, *rejects_told(read.rejects)),
        unknown_codes=unknown_codes(crime.offence_code for crime in read.crimes),
        model_id=loaded.model_id,
    )


class _Scoring:
    """Takes the records of an extract, table by table, and scores them once all are there.

    Where the model is known, helpers begin with the first table, while this process still reads.
    """

    def __init__(self, settings: Settings, helpers: Helpers, known: str | None) -> None:
        self._settings, self._helpers = settings, helpers
        self._parts: dict[int, Records] = {}
        self._known = known

    def take(self, source: str, table: pl.DataFrame) -> None:
        """Take the records of one table, each part with memory of its own, which goes with it."""
        # Not sooner: where there is nothing to read, helpers would be ended while they are still called.
        if self._known is not None and not self._parts:
            self._begin(self._known)
        for part in Records({source: table}).parts(PART_RECORDS, PART_BYTES):
            copied = BytesIO()
            part.tables[source].write_ipc(copied)
            number = len(self._parts)
            self._parts[number] = Records({source: pl.read_ipc(copied.getvalue())})
            self._helpers.add(self._parts[number])

    def ranked(self, loaded: LoadedModel, crimes: Sequence[Crime]) -> pl.DataFrame:
        """Return the rows of the score file."""
        model = loaded.model
        if self._known is None:
            self._begin(loaded.model_id)
        # Linking takes records in the order of table and reference, whatever table was read first.
        ordered = sorted(self._parts, key=lambda number: (*self._parts[number].tables, number))
        lasts = dict(zip(ordered, accumulate(len(self._parts[number]) for number in ordered), strict=True))
        leads, recorded = self._linked(crimes)
        frames = []
        for number, disclosed in self._helpers.results(partial(_disclose, model)):
            # Its texts go as soon as it is scored.
            part = self._parts.pop(number)
            its = leads[lasts[number] - len(part) : lasts[number]]
            frames.append(part_frame(_weighed(model, disclosed, part, its, recorded, self._settings)))
        return ranked_frame(frames)

    def _linked(self, crimes: Sequence[Crime]) -> tuple[Sequence[int], Crimes]:
        """Return the lead of each record's matter, and the crimes recorded for it; the texts go."""
        keys = Keys.of(_joined(self._parts.values()))
        groups = group(keys, crimes, self._settings, borne_out=True)
        past = _long_past(groups, keys.opened_at)
        return groups.leads, {
            lead: _two_of_each([found[name] for name in found if (lead, name) not in past])
            for lead, found in groups.crimes_of.items()
        }

    def _begin(self, model_id: str) -> None:
        kept = (self._settings.registry_dir.absolute(), model_id, trusted_by(self._settings))
        self._helpers.begin(there=partial(_disclose_by_name, *kept))


def _long_past(groups: Groups, opened_at: Sequence[int]) -> set[tuple[int, str]]:
    """Return the leads of matters with the crimes, long past, that their texts merely name."""
    first: dict[int, int] = {}
    for place, lead in enumerate(groups.leads if groups.only_claimed else ()):
        if lead in groups.only_claimed:
            first[lead] = min(first.get(lead, opened_at[place]), opened_at[place])
    return {
        (lead, name)
        for lead, names in groups.only_claimed.items()
        for name in names
        if is_long_past(groups.crimes_of[lead][name], _EPOCH + timedelta(microseconds=first[lead]))
    }


def _two_of_each(crimes: Collection[Crime]) -> tuple[Crime, ...]:
    """Return at most two crimes of each code and status, since every record of a matter asks for them."""
    found: dict[tuple[str, str], list[Crime]] = {}
    for crime in each_once(crimes):
        each = found.setdefault((crime.offence_code, crime.status), [])
        if len(each) < _ENOUGH:
            each.append(crime)
    return tuple(crime for each in found.values() for crime in each)


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
    crimes: Crimes,
    settings: Settings,
) -> Scores:
    [(source, columns)] = part.tables.items()
    opened_at = pl.from_epoch(columns.get_column("opened_at"), "us").dt.replace_time_zone("UTC")
    days = opened_at.dt.convert_time_zone(settings.timezone).dt.date().to_list()
    recorded = recorded_counts([crimes.get(lead, ()) for lead in leads], days)
    keys = [(source, reference) for reference in columns.get_column("record_ref").to_list()]
    return weigh(model, disclosed, keys, days, recorded, settings)


@lru_cache(maxsize=1)
def _model(registry_dir: Path, model_id: str, trusted: TrustedKeys) -> Ranker:
    return load(registry_dir, model_id, trusted=trusted).model


def _disclose_by_name(registry_dir: Path, model_id: str, trusted: TrustedKeys, part: Records) -> Disclosed:
    return _disclose(_model(registry_dir, model_id, trusted), part)


def _disclose(model: Ranker, part: Records) -> Disclosed:
    # One thread in each process: the last bits of a product may depend on their number.
    with threadpool_limits(limits=1):
        return model.disclose(part)
