"""Secret keys in files: made whole on first use, for their owner alone, never replaced, never shown."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from triage.errors import StoreError, UserError

KEY_BYTES = 32
_KEY = re.compile(rb"[0-9a-f]{64}\n?")


def secret_key(path: Path, *, name: str, user: str, lost: str, error: type[UserError] = StoreError) -> bytes:
    """Return the secret key of a file, 32 bytes; made on first use.

    Parameters
    ----------
    path : Path
        The file, 64 hexadecimal digits.
    name : str
        What the key is of, for messages: ``the sessions``.
    user : str
        Who has to be able to read it: ``who serves the pages``.
    lost : str
        What to do if the file holds something else.
    error : type of UserError
        What is raised.

    Raises
    ------
    UserError
        Of the kind given, if the file cannot be read or made, or holds something else.
    """
    try:
        if not path.exists():
            _make(path)
        content = path.read_bytes()
    except OSError as failure:
        raise error(
            f"the key of {name} cannot be read or made ({type(failure).__name__})",
            where=str(path),
            mend=f"make the folder writable and the file readable for the user {user}",
        ) from failure
    if not _KEY.fullmatch(content):
        raise error(
            f"the file does not hold the key of {name} (64 hexadecimal digits)", where=str(path), mend=lost
        )
    return bytes.fromhex(content.decode())


def _make(path: Path) -> None:
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
