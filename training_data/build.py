"""One training table from the labelled corpus, a force's recorded history and its audit outcomes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from training_data.clauses import clause_files, clauses_in
from training_data.decisions import decision_examples
from training_data.examples import Example
from training_data.groups import Kin, grouped
from training_data.history import history_examples
from training_data.labelled import labelled_record
from training_data.weights import WeightReport, selection_weights
from triage.errors import UsageError
from triage.reading.grouping import comparable
from triage.reading.linking import Matter
from triage.reading.records import Record
from triage.review.labels import Decided, Queued
from triage.settings import Settings

CORPUS_DIR = Path(__file__).parent / "corpus"
#: Records `…a` and `…b` of a writer are a contrast pair.
_PAIR_LETTER = re.compile(r"(?<=[0-9])[ab]$")


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """Labelled records, and the SHA-256 of what they were read from.

    ``clauses`` are single ones, labelled like records, that teach the readers and no layer. ``counts``
    says how many records came from where and what became of the decisions; ``weights`` how the decisions were
    weighed, None without any.
    """

    examples: tuple[Example, ...]
    digest: str
    counts: Mapping[str, int] = field(default_factory=dict)
    weights: WeightReport | None = None
    clauses: tuple[Example, ...] = ()


def corpus_files() -> tuple[Path, ...]:
    """Return the files of the corpus that ships with the project."""
    return tuple(sorted(CORPUS_DIR.glob("*.jsonl")))


def corpus_table(paths: Sequence[Path] = ()) -> TrainingTable:
    """Return the training table of labelled files, by default of the corpus that ships with its clauses.

    Raises
    ------
    UsageError
        If a file cannot be read or a line is not a labelled record; the message names file and line.
    """
    examples: list[Example] = []
    digest = hashlib.sha256()
    for path in paths or corpus_files():
        try:
            content = path.read_bytes()
            lines = content.decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"the corpus file cannot be read ({type(error).__name__})",
                where=str(path),
                mend="name a readable file of labelled records in JSON Lines, UTF-8",
            ) from None
        digest.update(content)
        for number, line in enumerate(lines, start=1):
            if line.strip():
                examples.append(labelled_record(line, f"{path.name}, line {number}"))
    if not examples:
        raise UsageError(
            "no labelled records found",
            where=", ".join(map(str, paths)) or str(CORPUS_DIR),
            mend="name a corpus file that holds records",
        )
    examples.sort(key=lambda each: each.record.record_ref)
    clauses: list[Example] = []
    for path in () if paths else clause_files():
        content = path.read_bytes()
        digest.update(content)
        clauses += clauses_in(content, path.name)
    return TrainingTable(tuple(examples), digest.hexdigest(), clauses=tuple(clauses))


def training_table(
    *,
    corpus: Sequence[Path] | None = (),
    history: Sequence[Matter] = (),
    decided: Sequence[Decided] = (),
    queued: Sequence[Queued] = (),
    as_of: datetime,
    settings: Settings,
    digests: Sequence[str] = (),
) -> TrainingTable:
    """Return all that can be learnt from as of a moment as one table, each record with its weight and group.

    A past record that auditors decided is learnt from as they decided it, not as history. Together the
    decisions of ``n`` records weigh as much as ``n`` labelled records.

    Parameters
    ----------
    corpus : sequence of Path, optional
        Labelled files; by default the corpus that ships. None for no labelled records.
    history : sequence of Matter, optional
        A force's past records with their crimes; of them, what was known at the moment.
    decided : sequence of Decided, optional
        Closed items as of the moment, as the store gives them.
    queued : sequence of Queued, optional
        All items queued up to the moment: the decided then stand for those of their kind that nobody read.
    as_of : datetime
        The moment, aware.
    settings : Settings
        ``training_weight_max``; ``repeat_similarity`` and ``repeat_min_words`` for near-duplicates.
    digests : sequence of str, optional
        Digests of the extracts that the history was read from.

    Returns
    -------
    TrainingTable
        ``counts``: ``corpus``, ``history`` and ``decided`` records, and single ``clauses``;
        ``history_later`` and ``history_decided`` (past records left out since they were opened later, or
        auditors decided them); ``groups``; and ``decisions``, in all and by what became of them
        (``decisions_used``; see :func:`training_data.decisions.decision_examples`).

    Raises
    ------
    UsageError
        If a corpus file cannot be read; if there is a history in which no crime was recorded; if nothing is
        left to learn from.
    ValueError
        If a decision is later than the moment: a bug of the caller.
    """
    if any(each.label.closed_at > as_of for each in decided):
        raise ValueError("a decision is later than the moment of the table")
    table = TrainingTable((), "") if corpus is None else corpus_table(corpus)
    names: list[Collection[str]] = [_corpus_names(each) for each in table.examples]
    counts, report = {"corpus": len(table.examples), "clauses": len(table.clauses)}, None
    if history:
        past = [_known_at(matter, as_of) for matter in history]
        read = frozenset(part for each in decided for part in each.parts)
        left = [_without(matter, read) for matter in past]
        table = with_history(table, left, digests)
        named = {record.key: _names(matter, record) for matter in left for record in matter.records}
        names += [named[each.record.key] for each in table.examples[len(names) :]]
        counts["history"] = _records(left)
        counts["history_later"] = _records(history) - _records(past)
        counts["history_decided"] = _records(past) - _records(left)
    if decided:
        weights = selection_weights(decided, queued=queued, cap=settings.training_weight_max)
        found = decision_examples(decided, weights.learning.tolist())
        names += [Kin.of_decided(decided[place]).names for place in found.places]
        digest = hashlib.sha256("\n".join([table.digest, *map(_digest, decided)]).encode())
        table = replace(table, examples=(*table.examples, *found.examples), digest=digest.hexdigest())
        counts["decided"], report = len(found.examples), weights.report
        counts |= {"decisions": len(decided)}
        counts |= {f"decisions_{became}": number for became, number in found.counts.items()}
    if not table.examples:
        raise UsageError(
            "there is nothing to learn from",
            where=f"{len(decided)} decisions",
            mend="learn from the corpus or a history, too, or when decisions are closed whose texts are kept",
        )
    examples = grouped(table.examples, names, settings)
    counts["groups"] = len({each.group for each in examples})
    return replace(table, examples=examples, counts=counts, weights=report)


def check_both_kinds(table: TrainingTable) -> None:
    """Pass if some records of a table hold a crime that is not recorded, and some do not.

    Raises
    ------
    UsageError
        Otherwise: a model would have nothing to tell apart.
    """
    if len({each.missed for each in table.examples}) < 2:
        which = "each" if any(each.missed for each in table.examples) else "none"
        raise UsageError(
            f"there is nothing to tell apart: {which} of the records holds a crime that is not recorded",
            where=f"{len(table.examples)} records",
            mend="learn from the corpus, too, or when decisions of both answers are closed",
        )


def _corpus_names(example: Example) -> tuple[str, ...]:
    # No force's reference has a blank at its end: none is taken for one of the corpus.
    return (_PAIR_LETTER.sub("", example.record.record_ref) + " ",)


def _names(matter: Matter, record: Record) -> tuple[str, ...]:
    return (comparable(matter.root), comparable(record.record_ref))


def _known_at(matter: Matter, as_of: datetime) -> Matter:
    """Return a past matter as it was known at a moment."""
    return replace(
        matter,
        records=tuple(record for record in matter.records if record.opened_at <= as_of),
        crimes=tuple(crime for crime in matter.crimes if crime.recorded_at <= as_of),
    )


def _without(matter: Matter, read: Collection[tuple[str, str]]) -> Matter:
    return replace(matter, records=tuple(record for record in matter.records if record.key not in read))


def _records(matters: Sequence[Matter]) -> int:
    return sum(len(matter.records) for matter in matters)


def _digest(decided: Decided) -> str:
    """Return the SHA-256 of a decision; the item's id stands for what was read."""
    content = [
        decided.queued.item_id,
        decided.queued.arm,
        decided.queued.entry_probability,
        {**decided.label.outcome.as_json(), "values": {}},
        decided.label.version,
        decided.recorded,
        decided.text,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def with_history(table: TrainingTable, matters: Sequence[Matter], digests: Sequence[str]) -> TrainingTable:
    """Return the table with a force's past records added; without labelled records, history alone.

    Parameters
    ----------
    table : TrainingTable
        Labelled records.
    matters : sequence of Matter
        Past records linked with their crimes.
    digests : sequence of str
        Digests of the extracts that they were read from.

    Raises
    ------
    UsageError
        If no crime was recorded for any past record, so that nothing can be learnt from them.
    """
    history = history_examples(matters, len(table.examples))
    if not any(example.disclosed for example in history):
        raise UsageError(
            "no record of the history has a recorded crime of a known family",
            where=f"{len(history)} past records",
            mend="give the `crimes` table with the records that the crimes were raised from",
        )
    digest = hashlib.sha256("\n".join([table.digest, *digests]).encode())
    return replace(table, examples=(*table.examples, *history), digest=digest.hexdigest())
