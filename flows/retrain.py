"""Retraining as a Prefect flow: challengers beside the champion on past nights, a note, and then it stops.

``python -m flows.retrain`` runs it; ``flows/prefect.yaml`` deploys it. A person promotes.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Prefect reads its environment when it is first imported: the command sets it, then imports this module.
    from flows.retrain_command import main

    sys.exit(main(sys.argv[1:]))

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext

from flows import runtime
from flows.failures import guarded
from models.retraining import retrain as build_and_judge
from triage.desk.retrain_run import Say, Wanted, run_retraining
from triage.desk.score_command import parsed_moment
from triage.learning.retrain_report import Retrained, lines
from triage.settings import load
from triage.store import open_store

ACTOR = "retrain"
ARTIFACT_KEY = "retraining"


def retrained(history: Sequence[str], as_of: str | None, say: Say) -> Retrained:
    """Run the retraining and return its report, which is kept in the data folder too.

    Parameters
    ----------
    history : sequence of str
        Folders of past extracts with their crimes.
    as_of : str or None
        ISO 8601; None for now.
    say : callable
        Told what begins; counts and ids only.

    Raises
    ------
    UserError
        As ``run_retraining`` raises it.
    """
    settings, now = load(), datetime.now(UTC)
    with open_store(settings.store_url) as store:
        store.check()
        report, _ = run_retraining(
            store,
            settings,
            Wanted(history=tuple(map(Path, history))),
            build_and_judge,
            actor=ACTOR,
            as_of=parsed_moment(as_of, settings.zone).astimezone(UTC) if as_of else now,
            now=now,
            say=say,
        )
    return report


@flow(name="retrain", validate_parameters=True, persist_result=False, log_prints=False)
@guarded
def retrain(history: list[str] | None = None, as_of: str | None = None) -> None:
    """Build challengers, judge them beside the champion on past nights, and leave a note; promote nothing.

    Parameters
    ----------
    history : list of str, optional
        Folders of past extracts with their crimes; without them challengers learn from corpus and decisions.
    as_of : str, optional
        ISO 8601; without it the present.
    """
    runtime.drop_tracebacks()
    if FlowRunContext.get() is None:
        _printed(retrained(history or (), as_of, _heard))
        return
    logger = get_run_logger()
    report = retrained(history or (), as_of, logger.info)
    for each in report.judgements:
        logger.info("%s: %s", each.model_id, each.verdict.word)
    create_markdown_artifact(note(report), key=ARTIFACT_KEY, description="The last retraining")
    _printed(report)


@guarded
def retrain_alone(history: list[str] | None, as_of: str | None) -> None:
    """Do the same without Prefect, where it cannot start."""
    _printed(retrained(history or (), as_of, _heard))


def note(report: Retrained) -> str:
    """Return the report as the one artifact that Prefect keeps: counts, figures and ids, no references."""
    return "\n".join(["# Retraining", "", "```text", *lines(report), "```", ""])


def _printed(report: Retrained) -> None:
    sys.stdout.write("\n".join([*lines(report), ""]))


def _heard(line: str) -> None:
    sys.stderr.write(f"{line}\n")
