"""Files that are either whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triage.errors import UsageError


def checked_target(path: Path, endings: tuple[str, ...]) -> Path:
    """Return the file to write, after checking its ending and its folder, before any work is done.

    Raises
    ------
    UsageError
        If the ending is not one of `endings`, the folder does not exist, or the name is a folder.
    """
    if path.suffix.lower() not in endings:
        raise UsageError(
            f"the ending {path.suffix!r} is unknown; known: {', '.join(endings)}",
            where=str(path),
            mend="give the output file one of these endings",
        )
    if not path.parent.is_dir():
        raise UsageError(
            "the folder of the output file does not exist",
            where=str(path.parent),
            mend="create it, or name another",
        )
    if path.is_dir():
        raise UsageError("the output file is a folder", where=str(path), mend="name a file")
    return path


@contextmanager
def replacing(path: Path, *, mode: int = 0o600) -> Iterator[Path]:
    """Give a temporary file in the same folder that becomes `path` when the block ends without error.

    Parameters
    ----------
    path : Path
        The file to write; an older one stays as it is until the new one is whole.
    mode : int
        Permission bits of the finished file; only the owner may read it unless told otherwise.

    Raises
    ------
    UsageError
        If the file cannot be written there.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _unwritable(path, error) from None
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the output file cannot be written ({type(error).__name__})",
        where=str(path),
        mend="check the permissions and free space of its folder",
    )
