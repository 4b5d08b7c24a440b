"""What Prefect may hear of a failure: a user's error as it is, a bug only by its kind and place."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from polars.exceptions import PanicException

from triage.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")

_ROOT = Path(__file__).resolve().parent.parent
#: Failures of a network share or a disk that may pass within a minute; a missing file does not.
PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EIO,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)


class NightFailedError(Exception):
    """A bug ended the night; holds its kind and where it arose, never its message, which could hold text.

    Parameters
    ----------
    kind : str
        Name of the exception's class.
    frames : tuple of str
        ``file:line function``, the outermost first.
    passing : bool
        Whether it looks like a disturbance of disk or network that may be over soon.
    """

    def __init__(self, kind: str, frames: tuple[str, ...], *, passing: bool = False) -> None:
        self.kind, self.frames, self.passing = kind, frames, passing
        super().__init__(f"{kind} at {frames[-1] if frames else 'an unknown place'}")


def passing(error: BaseException | None) -> bool:
    """Tell whether an error, or what it arose from, is a disturbance that may be over soon.

    >>> passing(OSError(errno.ESTALE, "stale handle")), passing(FileNotFoundError(errno.ENOENT, "no file"))
    (True, False)
    """
    while error is not None:
        if isinstance(error, NightFailedError):
            return error.passing
        if isinstance(error, OSError) and error.errno in PASSING:
            return True
        error = error.__cause__ or error.__context__
    return False


def guarded(function: Callable[P, T]) -> Callable[P, T]:
    """Let a user's error through and turn any other into a :class:`NightFailedError` without its message.

    Prefect writes an exception's message to its database in clear, and a library's message may quote what
    it was given.
    """

    @wraps(function)
    def within(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (UserError, NightFailedError):
            raise
        except (Exception, PanicException) as bug:
            failure = NightFailedError(type(bug).__name__, _frames(bug), passing=passing(bug))
            # Neither the bug nor its message may travel along as the context of what is raised.
            raise failure from None

    return within


def _frames(error: BaseException) -> tuple[str, ...]:
    return tuple(
        f"{_short(frame.filename)}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-12)
        if "prefect" not in Path(frame.filename).parts
    )


def _short(filename: str) -> str:
    path = Path(filename)
    return path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name
