"""Whether a model's folder is as it was signed; nothing of it is unpickled before that is known."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.errors import ModelError
from triage.learning.manifest import (
    ALLOWED,
    FORMAT,
    MANIFEST,
    MEND,
    MEND_PROMOTED,
    RESTORE,
    SIGNATURE,
    VOUCHED,
    content_of,
    key_of,
    other_versions,
    parsed,
)
from triage.learning.signing import SIGNATURE_BYTES, PublicKey, TrustedKeys


@dataclass(frozen=True, slots=True)
class Verified:
    """A model's folder whose every byte the signature of a trusted key vouches for.

    ``files`` are the bytes that were hashed, so that what is loaded is what was verified.
    """

    manifest: Mapping[str, Any]
    manifest_sha256: str
    signed_by: PublicKey
    files: Mapping[str, bytes]


def verified(folder: Path, trusted: TrustedKeys) -> Verified:
    """Return a model's files after checking signature, hashes, and that nothing else stands there.

    Raises
    ------
    ModelError
        If it is unsigned, altered, truncated, signed by a key that is not trusted, or of another form; if its
        folder holds a link or a file that does not belong there. The message names which.
    """
    _check_folder(folder)
    content = content_of(folder / MANIFEST, "the model's manifest")
    manifest = parsed(content, folder)
    if "format" not in manifest:
        raise ModelError(
            "the model is unsigned: it was built by an older version of this program",
            where=str(folder),
            mend=MEND,
        )
    if manifest["format"] != FORMAT:
        raise ModelError(
            f"the model's manifest is of another form than {FORMAT}: another version built it",
            where=str(folder),
            mend=MEND,
        )
    if not (folder / SIGNATURE).exists():
        raise ModelError("the model is unsigned: its signature is gone", where=str(folder), mend=RESTORE)
    signature = content_of(folder / SIGNATURE, "the model's signature")
    signed_by = trusted.who_signed(content, signature)
    if signed_by is None:
        raise _refused(folder, manifest, signature, trusted)
    return Verified(
        manifest,
        hashlib.sha256(content).hexdigest(),
        signed_by,
        {name: _vouched(folder, name, manifest) for name in VOUCHED},
    )


def check_versions(manifest: Mapping[str, Any], folder: Path) -> None:
    """Pass if the model was built with the library versions that are installed here.

    Raises
    ------
    ModelError
        Otherwise; the message names each library.
    """
    differing = other_versions(manifest)
    if differing:
        raise ModelError(
            "the model was built with other versions: " + ", ".join(differing),
            where=str(folder),
            mend=MEND_PROMOTED,
        )


def _check_folder(folder: Path) -> None:
    try:
        if folder.is_symlink() or not folder.is_dir():
            raise ModelError("the model's folder is a link, or no folder", where=str(folder), mend=RESTORE)
        for each in sorted(folder.iterdir()):
            if each.name not in ALLOWED:
                raise ModelError(
                    f"the model's folder holds something that does not belong there: {each.name!r}",
                    where=str(folder),
                    mend="find out who put it there; then " + RESTORE,
                )
            if not stat.S_ISREG(each.lstat().st_mode):
                raise ModelError(
                    f"{each.name} of the model is a link, or no plain file", where=str(folder), mend=RESTORE
                )
    except OSError as error:
        raise ModelError(
            f"the model's folder cannot be read ({type(error).__name__})", where=str(folder), mend=RESTORE
        ) from None


def _refused(folder: Path, manifest: Mapping[str, Any], signature: bytes, trusted: TrustedKeys) -> ModelError:
    key_id = key_of(manifest)
    if len(signature) != SIGNATURE_BYTES:
        return ModelError(
            f"the model's signature is of {len(signature)} bytes and not of {SIGNATURE_BYTES}",
            where=str(folder / SIGNATURE),
            mend=RESTORE,
        )
    if trusted.has(key_id):
        return ModelError(
            "the model's manifest or signature is not the one that was signed",
            where=str(folder / MANIFEST),
            mend=RESTORE,
        )
    known = ", ".join(f"{key.name} {key.key_id}" for key in trusted.keys) or "none"
    return ModelError(
        f"the model was signed with the key {key_id!r}, which is not trusted here (trusted: {known})",
        where=str(folder),
        mend=f"{MEND}; or put the public key of who signed it into the folder `trusted_keys_dir`",
    )


def _vouched(folder: Path, name: str, manifest: Mapping[str, Any]) -> bytes:
    path = folder / name
    content = content_of(path, "the model's file")
    if hashlib.sha256(content).hexdigest() != manifest["sha256"].get(name):
        raise ModelError(
            "the model's file is not the one that was signed: its SHA-256 differs",
            where=str(path),
            mend=RESTORE,
        )
    return content
