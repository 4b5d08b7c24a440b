"""What stands in a model's folder: its files, its manifest, and which libraries it was built with."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from triage.errors import ModelError

MODEL, MANIFEST, SIGNATURE = "model.joblib", "manifest.json", "signature"
CARD, ATRS = "card.md", "atrs.md"
#: Which records a model was built from, as keyed hashes; and which of these were erased since, one a line.
SOURCES, MARKS = "sources.json.gz", "marks.jsonl"
#: What the manifest vouches for by its hash.
VOUCHED = (MODEL, SOURCES, CARD, ATRS)
#: All that may stand in the folder: marks are written after the model was signed, and are never loaded.
ALLOWED = frozenset({*VOUCHED, MANIFEST, SIGNATURE, MARKS})
#: Form of the manifest; models of the first form carry no signature.
FORMAT = 2
#: Libraries whose version a pickled model depends on.
LIBRARIES = ("crime-recording-triage", "joblib", "numpy", "scikit-learn", "scipy", "spacy")
_NUMBER_MOST = 1_000_000_000
MEND = "build it again: `triage train`"
#: The same where the model may be one that a person promoted, which ranks until another is.
MEND_PROMOTED = f"{MEND}; if it was promoted, promote the new one: `triage models promote`"
RESTORE = "restore it from a backup, or remove the folder and build again: `triage train`"

Manifest = Mapping[str, Any]


def library_versions() -> dict[str, str]:
    """Return the versions that are installed here."""
    return {library: version(library) for library in LIBRARIES}


def other_versions(manifest: Manifest) -> tuple[str, ...]:
    """Return the libraries whose version is another one than the model was built with."""
    here = library_versions()
    return tuple(
        f"{library} {built} (here {here.get(library, 'none')})"
        for library, built in manifest["libraries"].items()
        if here.get(library) != built
    )


def key_of(manifest: Manifest) -> str:
    """Return the id of the key that a manifest says it was signed with; empty in unsigned ones."""
    signed_by = manifest.get("signed_by")
    return str(signed_by.get("key_id", "")) if isinstance(signed_by, dict) else ""


def is_local(manifest: Manifest) -> bool:
    """Return whether a manifest says that the key which the set-up made signed it."""
    return bool(key_of(manifest)) and manifest["signed_by"].get("kind") == "local"


def number_of(manifest: Manifest) -> int:
    """Return a model's place in the order in which they were registered; 0 before these were numbered."""
    number = manifest.get("number", 0)
    return number if isinstance(number, int) and 0 <= number < _NUMBER_MOST else 0


def listing(registry_dir: Path) -> tuple[dict[str, Any], ...]:
    """Return the manifests of all models as they stand there, unverified, newest first.

    Raises
    ------
    ModelError
        If a manifest cannot be read, or a model has none.
    """
    for path in sorted(registry_dir.glob(f"[!.]*/{MODEL}")):
        if not (path.parent / MANIFEST).exists():
            raise ModelError(
                "the model has no manifest",
                where=str(path.parent),
                mend="restore the folder from a backup, or move it away",
            )
    manifests = [read(path.parent) for path in sorted(registry_dir.glob(f"[!.]*/{MANIFEST}"))]
    newest = sorted(manifests, key=lambda each: (each["as_of"], number_of(each), each["model_id"]))
    return tuple(reversed(newest))


def read(folder: Path) -> dict[str, Any]:
    """Return the manifest of a model's folder, unverified.

    Raises
    ------
    ModelError
        If it cannot be read, lacks a part, or is another model's.
    """
    return parsed(content_of(folder / MANIFEST, "the model's manifest"), folder)


def parsed(content: bytes, folder: Path) -> dict[str, Any]:
    """Return a manifest from its bytes; see ``read``."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(content)
        named = (manifest["model_id"], manifest["recipe"], manifest["as_of"], manifest["sha256"][MODEL])
        manifest["libraries"].items()
        if not all(isinstance(each, str) for each in named):
            raise TypeError("a name in the manifest is no text")
        moment = datetime.fromisoformat(manifest["as_of"])
        if moment.tzinfo is None or not 1900 < moment.year < 2200:
            raise ValueError("the moment carries no offset, or is none of these centuries")
        if not isinstance(manifest.get("training", {}), dict):
            raise TypeError("the training data is no object")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"the model's manifest cannot be read ({type(error).__name__})", where=str(path), mend=RESTORE
        ) from None
    if manifest["model_id"] != folder.name:
        raise ModelError(
            "the model's manifest belongs to another model",
            where=str(path),
            mend=f"remove the folder; {MEND}",
        )
    return manifest


def content_of(path: Path, what: str, mend: str = RESTORE) -> bytes:
    """Return the bytes of a plain file, never following a link.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it is, for the message: ``the model's file``.
    mend : str
        How to mend it, for the message.

    Raises
    ------
    ModelError
        If it is missing, a link or no plain file, or cannot be read.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ModelError(f"{what} is a link, or no plain file", where=str(path), mend=mend)
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            return file.read()
    except OSError as error:
        raise ModelError(
            f"{what} cannot be read ({type(error).__name__})", where=str(path), mend=mend
        ) from None
