"""Scoring a whole extract, a part of its records at a time: columns and arrays, so that memory stays flat."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from importlib import import_module
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
from triage.reading import Mapping, check_rejected_share, read_extract, rejects_told
from triage.reading.columns import Records, texts_of
from triage.reading.grouping import Keys, group
from triage.reading.kept_texts import KeptTexts, TextStore
from triage.reading.records import Crime
from triage.settings import Settings

#: Records scored at a time, and bytes of their texts: a night of few and huge logs takes no more memory.
PART_RECORDS, PART_BYTES = 1_000, 4_000_000
#: Crimes recorded for a matter, by the place of its first record.
Crimes = dict[int, tuple[Crime, ...]]


@dataclass(frozen=True, slots=True)
class _Part:
    """Some records of one table, whose texts lie in a file."""

    source: str
    frame: pl.DataFrame
    texts: KeptTexts

    def records(self) -> Records:
        """Return the records with their texts."""
        return Records({self.source: self.frame.with_columns(self.texts.all())})


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
    store: TextStore,
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
    store : TextStore
        Keeps the texts meanwhile; open for as long as there are helpers, which are given texts from it.

    Raises
    ------
    UsageError
        If there is no space for the texts.
    ExtractError
        If the extract cannot be read, or too many of its rows are rejected.
    """
    # What is imported stays: the collector need not go through it again and again.
    gc.freeze()
    # Which model ranks may change meanwhile: helpers and this process go by the same one.
    known = named()
    scoring = _Scoring(settings, helpers, known, store)
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

    def __init__(self, settings: Settings, helpers: Helpers, known: str | None, store: TextStore) -> None:
        self._settings, self._helpers, self._store = settings, helpers, store
        self._parts: dict[int, _Part] = {}
        self._known = known

    def take(self, source: str, table: pl.DataFrame) -> None:
        """Take the records of one table, whose texts go into the file."""
        # Not sooner: where there is nothing to read, helpers would be ended while they are still called.
        if self._known is not None and not self._parts:
            self._begin(self._known)
        for part in Records({source: table}).parts(PART_RECORDS, PART_BYTES):
            frame = part.tables[source]
            kept = _Part(source, frame.drop("text", strict=False), self._store.keep(texts_of(frame)))
            self._parts[len(self._parts)] = kept
            self._helpers.add(kept.records)

    def ranked(self, loaded: LoadedModel, crimes: Sequence[Crime]) -> pl.DataFrame:
        """Return the rows of the score file."""
        model = loaded.model
        if self._known is None:
            self._begin(loaded.model_id)
        leads_of, recorded = self._linked(crimes)
        frames = []
        for number, disclosed in self._helpers.results(partial(_disclose, model)):
            part = self._parts.pop(number)
            leads = leads_of.pop(number)
            frames.append(part_frame(_weighed(model, disclosed, part, leads, recorded, self._settings)))
        return ranked_frame(frames)

    def _linked(self, crimes: Sequence[Crime]) -> tuple[dict[int, Sequence[int]], Crimes]:
        """Return for each part the first records of its records' matters, and the crimes by these."""
        # Linking takes records in the order of table and reference, whatever table was read first.
        ordered = sorted(self._parts, key=lambda number: (self._parts[number].source, number))
        parts = [self._parts[number] for number in ordered]
        texts = KeptTexts.joined(self._store, (part.texts for part in parts))
        groups = group(Keys.of(_joined(parts), texts), crimes, self._settings, borne_out=True)
        ends = accumulate(part.frame.height for part in parts)
        leads = {
            number: groups.leads[end - part.frame.height : end]
            for number, part, end in zip(ordered, parts, ends, strict=True)
        }
        return leads, {lead: _one_of_each(found.values()) for lead, found in groups.crimes_of.items()}

    def _begin(self, model_id: str) -> None:
        kept = (self._settings.registry_dir.absolute(), model_id, trusted_by(self._settings))
        self._helpers.begin(there=partial(_disclose_by_name, *kept))


def _one_of_each(crimes: Iterable[Crime]) -> tuple[Crime, ...]:
    """Return one crime of each code and status, since every record of a matter asks for them."""
    return tuple({(crime.offence_code, crime.status): crime for crime in crimes}.values())


def _joined(parts: Iterable[_Part]) -> Records:
    """Return the records of parts, without texts."""
    frames: dict[str, list[pl.DataFrame]] = {}
    for part in parts:
        frames.setdefault(part.source, []).append(part.frame)
    return Records({source: pl.concat(found, rechunk=False) for source, found in frames.items()})


def _weighed(
    model: Ranker,
    disclosed: Disclosed,
    part: _Part,
    leads: Sequence[int],
    crimes: Crimes,
    settings: Settings,
) -> Scores:
    days = pl.from_epoch(part.frame.get_column("opened_at"), "us").dt.date().to_list()
    recorded = recorded_masks([crimes.get(lead, ()) for lead in leads], days)
    keys = [(part.source, reference) for reference in part.frame.get_column("record_ref").to_list()]
    return weigh(model, disclosed, keys, recorded, settings)


@lru_cache(maxsize=1)
def _model(registry_dir: Path, model_id: str, trusted: TrustedKeys) -> Ranker:
    return load(registry_dir, model_id, trusted=trusted).model


def _disclose_by_name(registry_dir: Path, model_id: str, trusted: TrustedKeys, part: Records) -> Disclosed:
    return _disclose(_model(registry_dir, model_id, trusted), part)


def _disclose(model: Ranker, part: Records) -> Disclosed:
    # One thread in each process: the last bits of a product may depend on their number.
    with threadpool_limits(limits=1):
        return model.disclose(part)
