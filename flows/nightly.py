"""The night as a Prefect flow: an extract is read, its records scored, the queue published, a note left.

``python -m flows.nightly --extract DIR`` runs it; ``flows/prefect.yaml`` deploys it.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Prefect reads its environment when it is first imported: the command sets it, then imports this module.
    from flows.command import main

    sys.exit(main(sys.argv[1:]))

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.context import FlowRunContext
from prefect.tasks import Task
from rich.console import Console

from flows import runtime
from flows.failures import guarded, passing
from flows.identity import Request
from flows.progress import shown
from flows.steps import Night
from flows.summary import ARTIFACT_KEY, Summary, markdown, print_summary
from triage.store import open_store

#: Width of the printed queue where there is no terminal to ask.
PLAIN_COLUMNS = 120
#: Nothing is cached and no result is kept: both would write records to disk.
_KEEP_NOTHING: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
#: Tasks of this process's last flow run, for which Prefect's database is awaited.
_called: list[str] = []


def _within_prefect() -> bool:
    return FlowRunContext.get() is not None


def _log(line: str) -> None:
    if _within_prefect():
        get_run_logger().info(line)
    else:
        Console(stderr=True).print(line, markup=False, highlight=False)


def _may_pass(of: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return passing(error if isinstance(error, BaseException) else None)


@task(
    name="read the extract",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=_may_pass,
    **_KEEP_NOTHING,
)
@guarded
def read(night: Night) -> None:
    """Read the extract; again after a while where disk or network failed."""
    with shown(Console(stderr=True), _log, "read") as report:
        night.read(report)


@task(name="build a model", **_KEEP_NOTHING)
@guarded
def build_model(night: Night) -> None:
    """Build the first model, on a fresh machine."""
    night.build_model()


@task(name="score the records", **_KEEP_NOTHING)
@guarded
def score(night: Night) -> None:
    """Link the records to matters and score them."""
    with shown(Console(stderr=True), _log, "scored") as report:
        night.score(report)


@task(name="publish the queue", **_KEEP_NOTHING)
@guarded
def publish(night: Night) -> None:
    """Decide who is read tonight and publish the queue."""
    night.publish()


@task(name="leave a note", **_KEEP_NOTHING)
@guarded
def note(night: Night) -> None:
    """Print the night, and leave its counts with Prefect."""
    summary = night.summary()
    print_summary(summary, Console(width=None if sys.stdout.isatty() else PLAIN_COLUMNS))
    if _within_prefect():
        create_markdown_artifact(markdown(summary), key=ARTIFACT_KEY, description="The last night")


def in_order(request: Request, call: Callable[[Task[[Night], None], Night], None]) -> Summary:
    """Run the steps of a night while its lock is held.

    Parameters
    ----------
    request : Request
        What is asked for.
    call : callable
        Runs a step: as a Prefect task, or plainly.
    """
    settings = request.settings()
    with open_store(settings.store_url) as store, store.night_lock():
        store.prepare()
        night = Night(request, settings, store, clock=lambda: datetime.now(UTC))
        call(read, night)
        if night.lacks_model:
            _log(f"no signed model of the recipe {settings.recipe} yet: building one, in a few minutes")
            call(build_model, night)
        night.identify()
        if not night.was_published:
            call(score, night)
            call(publish, night)
        call(note, night)
        return night.summary()


@flow(name="nightly", validate_parameters=True, persist_result=False, log_prints=False)
@guarded
def nightly(
    extract: str, as_of: str | None = None, budget: int | None = None, mapping: str | None = None
) -> None:
    """Publish tonight's queue from an extract.

    Parameters
    ----------
    extract : str
        Folder of the extract, or a mapping file with a ``[database]`` section.
    as_of : str, optional
        ISO 8601; without it the newest moment that the extract names.
    budget : int, optional
        Items that the audit team can read; without it that of the settings.
    mapping : str, optional
        Mapping file; without it that of the settings.
    """
    runtime.drop_tracebacks()
    request = Request(Path(extract), as_of, budget, Path(mapping) if mapping else None)
    in_order(request, _as_task)


def _as_task(step: Task[[Night], None], night: Night) -> None:
    _called.append(step.name)
    step(night)


@guarded
def nightly_alone(request: Request) -> None:
    """Publish tonight's queue without Prefect, where it cannot start: its records are a convenience."""
    in_order(request, lambda step, night: step.fn(night))


def run_flow(request: Request) -> None:
    """Run the flow in this process, and wait until Prefect holds its task runs.

    Raises
    ------
    UserError
        As the steps raise it.
    NightFailedError
        If a bug ended the night.
    """
    _called.clear()
    runtime.drop_tracebacks()
    state = nightly(
        str(request.extract),
        request.as_of,
        request.budget,
        str(request.mapping) if request.mapping else None,
        return_state=True,
    )
    if state.state_details.flow_run_id is not None:
        runtime.drain(state.state_details.flow_run_id, len(_called))
    state.result()
