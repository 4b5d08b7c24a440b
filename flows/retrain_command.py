"""The command ``python -m flows.retrain``: arguments, Prefect's server, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from flows import runtime


def parser() -> argparse.ArgumentParser:
    """Return the command's words."""
    words = argparse.ArgumentParser(
        prog="python -m flows.retrain",
        description="Builds challengers, compares them with the champion on past nights, and stops.",
        epilog="Exit codes: 0 done; 2 usage; 10 settings; 11 extract; 12 model; 13 store; 1 a bug.",
    )
    words.add_argument(
        "--history", metavar="DIR", action="append", help="an extract of past records; may repeat"
    )
    words.add_argument("--as-of", metavar="TIME", help="ISO 8601; default: the present")
    return words


def main(arguments: Sequence[str]) -> int:
    """Run the retraining and return its exit code.

    Parameters
    ----------
    arguments : sequence of str
        The words after the command.
    """
    for stream in (sys.stdout, sys.stderr):
        # A folder's name that the terminal's encoding cannot show must not end the retraining.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    given = parser().parse_args(arguments)

    from flows.failures import NightFailedError
    from triage.errors import UserError

    try:
        _run(given.history, given.as_of)
    except UserError as error:
        _say(str(error))
        return error.exit_code
    except NightFailedError as bug:
        _say(f"A bug ended the retraining: {bug.kind}. Please report these lines:")
        for frame in bug.frames:
            _say(f"  {frame}")
        return 1
    return 0


def _run(history: list[str] | None, as_of: str | None) -> None:
    from triage.settings import load

    if not runtime.start_prefect(load().data_dir, _say):
        from flows.retrain import retrain_alone

        retrain_alone(history, as_of)
        return
    from flows.retrain import retrain

    retrain(history, as_of)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
