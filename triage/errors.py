"""What can go wrong for a user, in plain words: one exit code and one HTTP status per cause.

Anything that is not a :class:`UserError` is a bug and propagates with its traceback (exit code 1).
Messages quote references, columns, counts and file names, never a value of a text column.
"""

from __future__ import annotations

from collections.abc import Iterable


class UserError(Exception):
    """Tells the user what is wrong, where, and how to mend it; shown without a traceback.

    Parameters
    ----------
    what : str
        What is wrong, without record text.
    where : str, optional
        File, column, setting or record reference.
    mend : str, optional
        What the user can do about it.
    """

    exit_code = 2
    http_status = 400

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        super().__init__(str(self))

    def __str__(self) -> str:
        """Return the message on one to three lines.

        >>> print(UserError("no such table", where="extract/", mend="export it again"))
        no such table
          where: extract/
          mend:  export it again
        """
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.mend:
            lines.append(f"  mend:  {self.mend}")
        return "\n".join(lines)


class UsageError(UserError):
    """The command was called with words it does not know."""

    exit_code = 2


class SettingsError(UserError):
    """One or more settings are wrong; the message names all of them at once."""

    exit_code = 10


class ExtractError(UserError):
    """The extract cannot be read, or too many of its rows were rejected."""

    exit_code = 11
    http_status = 422


class ModelError(UserError):
    """The model is missing, altered or unsigned."""

    exit_code = 12
    http_status = 503


class StoreError(UserError):
    """The store cannot be reached, is of another version, or is held by another run."""

    exit_code = 13
    http_status = 503


class ConflictError(UserError):
    """Somebody was quicker, or the item's state does not allow the act."""

    exit_code = 2
    http_status = 409


class PermissionDeniedError(UserError):
    """The user's role does not allow this act."""

    exit_code = 14
    http_status = 403


def known_names(unknown: str, known: Iterable[str]) -> str:
    """Say that a name is unknown and list the known ones.

    >>> known_names("linaer", ["linear", "dash_count"])
    "'linaer' is unknown; known: dash_count, linear"
    """
    return f"{unknown!r} is unknown; known: {', '.join(sorted(known)) or 'none yet'}"
