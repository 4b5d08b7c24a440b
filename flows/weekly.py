"""The week's monitoring as a Prefect flow: the last weeks against those before, and a note with the alarms.

``python -m flows.weekly`` runs it; ``flows/prefect.yaml`` deploys it.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Prefect reads its environment when it is first imported: the command sets it, then imports this module.
    from flows.weekly_command import main

    sys.exit(main(sys.argv[1:]))

from datetime import UTC, datetime
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext

from flows import runtime
from flows.failures import guarded
from triage.desk.monitor_run import Wanted, run_monitoring
from triage.desk.score_command import parsed_moment
from triage.learning.monitor_report import note
from triage.settings import load
from triage.store import open_store

ACTOR = "weekly"
ARTIFACT_KEY = "monitoring"


def monitored(as_of: str | None, extract: str | None, reference: str | None) -> tuple[str, int]:
    """Run the monitoring and return its note, and how many alarms it raised.

    Parameters
    ----------
    as_of : str or None
        ISO 8601; None for the last night.
    extract, reference : str or None
        Folders of a recent and an earlier extract, whose texts are compared.

    Raises
    ------
    UserError
        As ``run_monitoring`` raises it.
    """
    settings = load()
    wanted = Wanted(
        as_of=parsed_moment(as_of, settings.zone).astimezone(UTC) if as_of else None,
        extract=Path(extract) if extract else None,
        reference=Path(reference) if reference else None,
    )
    with open_store(settings.store_url) as store:
        store.check()
        done = run_monitoring(store, settings, wanted, actor=ACTOR, now=datetime.now(UTC))
    return note(done.found), len(done.found.alarms)


@flow(name="weekly", validate_parameters=True, persist_result=False, log_prints=False)
@guarded
def weekly(as_of: str | None = None, extract: str | None = None, reference: str | None = None) -> None:
    """Compare the last weeks with those before, and leave a note with the alarms.

    Parameters
    ----------
    as_of : str, optional
        ISO 8601; without it the windows end with the last night.
    extract, reference : str, optional
        Folders of a recent and an earlier extract whose texts are compared; without them, of queued items.
    """
    runtime.drop_tracebacks()
    words, alarms = monitored(as_of, extract, reference)
    if FlowRunContext.get() is not None:
        create_markdown_artifact(words, key=ARTIFACT_KEY, description=f"Monitoring: {alarms} alarms")
        if alarms:
            get_run_logger().warning("monitoring: %d alarms, see the note %s", alarms, ARTIFACT_KEY)
    sys.stdout.write(words)


@guarded
def weekly_alone(as_of: str | None, extract: str | None, reference: str | None) -> None:
    """Do the same without Prefect, where it cannot start, and print the note."""
    words, _ = monitored(as_of, extract, reference)
    sys.stdout.write(words)
