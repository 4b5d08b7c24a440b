"""The secret key of the random draw: made whole on first use, never replaced, never shown."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from triage.errors import StoreError

KEY_BYTES = 32
_KEY = re.compile(rb"[0-9a-f]{64}\n?")


def control_key(path: Path) -> bytes:
    """Return the secret key of the random draw; made on first use, readable by its owner alone.

    Parameters
    ----------
    path : Path
        The file, 64 hexadecimal digits.

    Returns
    -------
    bytes
        32 bytes.

    Raises
    ------
    StoreError
        If the file cannot be read or made, or holds something else.
    """
    try:
        if not path.exists():
            _make_key(path)
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"the key of the random draw cannot be read or made ({type(error).__name__})",
            where=str(path),
            mend="make the folder writable and the file readable for the user who runs the night",
        ) from error
    if not _KEY.fullmatch(content):
        raise StoreError(
            "the file does not hold the key of the random draw (64 hexadecimal digits)",
            where=str(path),
            mend="restore it from a backup; a new key draws anew, so note the date if you remove the file",
        )
    return bytes.fromhex(content.decode())


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(KEY_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link fails where the file exists: of two that start at once one key wins, and it is whole.
            os.link(part, path)
        except FileExistsError:
            return
    finally:
        part.unlink(missing_ok=True)
