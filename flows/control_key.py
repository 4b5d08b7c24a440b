"""The secret key of the random draw."""

from __future__ import annotations

from pathlib import Path

from triage.key_file import secret_key


def control_key(path: Path) -> bytes:
    """Return the secret key of the random draw, 32 bytes; made on first use, never replaced.

    Raises
    ------
    StoreError
        If the file cannot be read or made, or holds something else.
    """
    return secret_key(
        path,
        name="the random draw",
        user="who runs the night",
        lost="restore it from a backup; a new key draws anew, so note the date if you remove the file",
    )
