"""The command ``python -m flows.weekly``: arguments, Prefect's server, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from flows import runtime


def parser() -> argparse.ArgumentParser:
    """Return the command's words."""
    words = argparse.ArgumentParser(
        prog="python -m flows.weekly",
        description="Compares the last weeks of nights with those before, and says where to look or act.",
        epilog="Exit codes: 0 done; 2 usage; 10 settings; 11 extract; 13 store; 1 a bug.",
    )
    words.add_argument("--as-of", metavar="TIME", help="ISO 8601; default: the last night")
    words.add_argument("--extract", metavar="DIR", help="a recent extract; needs --reference")
    words.add_argument("--reference", metavar="DIR", help="the earlier extract")
    return words


def main(arguments: Sequence[str]) -> int:
    """Run the week's monitoring and return its exit code.

    Parameters
    ----------
    arguments : sequence of str
        The words after the command.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    given = parser().parse_args(arguments)

    from flows.failures import NightFailedError
    from triage.errors import UserError
    from triage.settings import load

    try:
        if runtime.start_prefect(load().data_dir, _say):
            from flows.weekly import weekly

            weekly(given.as_of, given.extract, given.reference)
        else:
            from flows.weekly import weekly_alone

            weekly_alone(given.as_of, given.extract, given.reference)
    except UserError as error:
        _say(str(error))
        return error.exit_code
    except NightFailedError as bug:
        _say(f"A bug ended the monitoring: {bug.kind}. Please report these lines:")
        for frame in bug.frames:
            _say(f"  {frame}")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
