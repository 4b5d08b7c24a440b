"""The command ``python -m flows.nightly``: arguments, Prefect's server, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from flows import runtime


def parser() -> argparse.ArgumentParser:
    """Return the command's words."""
    words = argparse.ArgumentParser(
        prog="python -m flows.nightly",
        description="Runs a night: reads an extract, ranks its records and publishes the queue for auditors.",
        epilog="Exit codes: 0 done; 2 usage; 10 settings; 11 extract; 12 model; 13 store; 1 a bug.",
    )
    words.add_argument("--extract", required=True, type=Path, metavar="DIR", help="folder of the extract")
    words.add_argument(
        "--as-of", metavar="TIME", help="ISO 8601; default: the newest moment that the extract names"
    )
    words.add_argument("--budget", type=int, metavar="N", help="items that the audit team can read")
    words.add_argument("--mapping", type=Path, metavar="FILE", help="mapping file (docs/mapping.md)")
    return words


def main(arguments: Sequence[str]) -> int:
    """Run a night and return its exit code.

    Parameters
    ----------
    arguments : sequence of str
        The words after the command.
    """
    for stream in (sys.stdout, sys.stderr):
        # A reference that the terminal's encoding cannot show must not end the night.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    given = parser().parse_args(arguments)

    from flows.failures import NightFailedError
    from triage.errors import UserError

    try:
        _run(given.extract, given.as_of, given.budget, given.mapping)
    except UserError as error:
        _say(str(error))
        return error.exit_code
    except NightFailedError as bug:
        _say(f"A bug ended the night: {bug.kind}. Yesterday's queue stands. Please report these lines:")
        for frame in bug.frames:
            _say(f"  {frame}")
        return 1
    return 0


def _run(extract: Path, as_of: str | None, budget: int | None, mapping: Path | None) -> None:
    from flows.identity import Request

    request = Request(extract, as_of, budget, mapping)
    settings = request.settings()
    request.moment(settings, datetime.now(UTC))
    if runtime.start_prefect(settings.data_dir, _say, meanwhile=_import_rooms):
        from flows.nightly import run_flow

        run_flow(request)
    else:
        from flows.nightly import nightly_alone

        nightly_alone(request)


def _import_rooms() -> None:
    # What the night needs, imported while Prefect's server starts.
    import models.linear  # noqa: F401


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
