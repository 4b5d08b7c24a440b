"""One retraining: what it learns from is gathered, the reading is logged, and the report is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from triage.desk.files import replacing
from triage.desk.groups_file import matched
from triage.desk.past import past_matters
from triage.errors import UsageError
from triage.learning.retrain_report import Retrained
from triage.learning.temporal import Material
from triage.reading.linking import Matter
from triage.review.decisions import review_rules
from triage.settings import Settings
from triage.store import AuditEvent, Store

FOLDER, REPORT = "retrain", "report.json"
Say = Callable[[str], None]
#: Builds, judges and registers challengers: ``models.retraining.retrain``, which this room must not import.
Retrainer = Callable[[Material, Settings, datetime, Say], Retrained]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a retraining is asked for.

    ``corpus`` are labelled files, empty for the corpus that ships, None for none; ``history`` are folders of
    past extracts; ``groups`` is as :func:`triage.desk.groups_file.read_groups` gives it.
    """

    corpus: tuple[Path, ...] | None = ()
    history: tuple[Path, ...] = ()
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def run_retraining(
    store: Store,
    settings: Settings,
    wanted: Wanted,
    retrain: Retrainer,
    *,
    actor: str,
    as_of: datetime,
    now: datetime,
    say: Say,
) -> tuple[Retrained, Path]:
    """Build challengers, judge them beside the champion, keep the report, and return it with its file.

    The plain function behind ``triage retrain`` and the retrain flow. Nothing is promoted. Texts are read
    into memory alone; that records were combined to learn from is logged before any is read.

    Parameters
    ----------
    store : Store
        With nights and decisions.
    settings : Settings
        Of the force.
    wanted : Wanted
        What is asked for.
    retrain : callable
        ``models.retraining.retrain``.
    actor : str
        Who asks, for the log.
    as_of : datetime
        The present that nights and decisions are looked at from, aware.
    now : datetime
        The clock, for the log.
    say : callable
        Told what begins; counts and ids only.

    Raises
    ------
    UserError
        If settings, an extract, a model or the report's folder are wrong; see ``models.retraining.retrain``.
    """
    rules = review_rules(settings)
    folder = _made(settings.data_dir / FOLDER / f"{as_of:%Y%m%dT%H%M%SZ}")
    if wanted.groups:
        say(matched(wanted.groups, [each.record_ref for each in store.queued(as_of)]))
    asked: dict[str, str | tuple[str, ...]] = {"as_of": as_of.isoformat(), "groups": tuple(wanted.groups)}
    store.record(AuditEvent(now, actor, "combination", "retraining", details=asked))
    matters: list[Matter] = []
    digests = []
    for extract in wanted.history:
        past = past_matters(extract, settings)
        matters += past.matters
        digests.append(past.digest)
        say(past.said)
    report = retrain(
        Material(
            decided=lambda moment: store.decided(moment, rules),
            queued=store.queued,
            corpus=wanted.corpus,
            history=matters,
            digests=digests,
            groups=wanted.groups,
        ),
        settings,
        as_of,
        say,
    )
    for each in report.judgements:
        noted: dict[str, int | str | tuple[str, ...]] = {
            "champion": report.champion,
            "verdict": each.verdict.word,
            "records": each.records,
        }
        store.record(AuditEvent(now, actor, "combination", each.model_id, details=noted))
    return report, _kept(report, folder)


def _made(folder: Path) -> Path:
    """Return the folder of the report, made before hours are spent on what could not be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder of the report cannot be made ({type(error).__name__})",
            where=str(folder),
            mend="check the permissions of the data folder",
        ) from None
    return folder


def _kept(report: Retrained, folder: Path) -> Path:
    path = folder / REPORT
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(report.as_json(), indent=1) + "\n", encoding="utf-8")
    return path
