"""Which records a model learnt from, as hashes that tell nothing, and which of these were erased since."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from triage.errors import ModelError
from triage.learning.manifest import MARKS, RESTORE, SOURCES, Manifest, content_of, listing, read
from triage.reading.records import RECORD_TABLES

#: Hexadecimal digits of such a hash: 128 bits.
_HASH_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Users:
    """Ids of the models that learnt from a record, and of those that kept no list of their records."""

    used: tuple[str, ...]
    unknown: tuple[str, ...]


def sources_content(model_id: str, sources: Iterable[tuple[str, str]]) -> bytes:
    """Return the file that lists, as hashes, the tables and references of what a model learnt from."""
    hashes = sorted({_source_hash(model_id, *source) for source in sources})
    return gzip.compress(json.dumps(hashes).encode(), mtime=0)


def marked_listing(registry_dir: Path) -> tuple[dict[str, Any], ...]:
    """Return what ``listing`` does, each with ``erased``: how many of its records were erased since.

    Raises
    ------
    ModelError
        If a manifest or a model's marks cannot be read.
    """
    return tuple(
        each | {"erased": len(_marks(registry_dir / each["model_id"]))} for each in listing(registry_dir)
    )


def users_of(registry_dir: Path, record_ref: str) -> Users:
    """Return which models learnt from the records with a reference, in whatever table.

    Raises
    ------
    ModelError
        If a model's manifest or list cannot be read, or the list was altered.
    """
    used, unknown = [], []
    for manifest in listing(registry_dir):
        model_id = str(manifest["model_id"])
        if SOURCES not in manifest["sha256"]:
            unknown.append(model_id)
        elif _hashes_of(registry_dir / model_id, manifest) & _hashes_of_reference(model_id, record_ref):
            used.append(model_id)
    return Users(tuple(used), tuple(unknown))


def records_learnt(registry_dir: Path, model_id: str) -> int | None:
    """Return how many real records a model learnt from, by its list; None if it kept none.

    Raises
    ------
    ModelError
        If the model's manifest or list cannot be read, or the list was altered.
    """
    folder = registry_dir / model_id
    manifest = read(folder)
    return len(_hashes_of(folder, manifest)) if SOURCES in manifest["sha256"] else None


def mark_erased(registry_dir: Path, record_ref: str, at: datetime) -> tuple[str, ...]:
    """Mark every model that learnt from a record as one of whose records was erased; returns their ids.

    A model stays as it is and can be loaded; a record is marked once.

    Raises
    ------
    ModelError
        If a model's files cannot be read or the mark cannot be written.
    """
    used = users_of(registry_dir, record_ref).used
    for model_id in used:
        folder = registry_dir / model_id
        found = _hashes_of(folder, read(folder)) & _hashes_of_reference(model_id, record_ref)
        lines = [
            json.dumps({"at": at.astimezone(UTC).isoformat(), "record": each}) + "\n"
            for each in sorted(found - _marks(folder))
        ]
        try:
            with (folder / MARKS).open("a", encoding="utf-8") as file:
                file.writelines(lines)
        except OSError as error:
            raise ModelError(
                f"the model's marks cannot be written ({type(error).__name__})",
                where=str(folder / MARKS),
                mend="make the folder writable, or set `registry_dir` to another one",
            ) from None
    return used


def _source_hash(model_id: str, source: str, record_ref: str) -> str:
    """Return the hash of a record's table and reference, keyed so that two models' lists do not compare."""
    named = json.dumps([source, record_ref]).encode()
    return hmac.new(model_id.encode(), named, hashlib.sha256).hexdigest()[:_HASH_DIGITS]


def _hashes_of_reference(model_id: str, record_ref: str) -> set[str]:
    return {_source_hash(model_id, table, record_ref) for table in RECORD_TABLES}


def _hashes_of(folder: Path, manifest: Manifest) -> set[str]:
    path = folder / SOURCES
    content = content_of(path, "the model's list of records")
    if hashlib.sha256(content).hexdigest() != manifest["sha256"][SOURCES]:
        raise ModelError("the model's list of records was altered", where=str(path), mend=RESTORE)
    return set(json.loads(gzip.decompress(content)))


def _marks(folder: Path) -> set[str]:
    path = folder / MARKS
    try:
        content = content_of(path, "the model's marks") if os.path.lexists(path) else b""
        return {str(json.loads(line)["record"]) for line in content.decode().splitlines()}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"the model's marks cannot be read ({type(error).__name__})",
            where=str(path),
            mend="restore the file from a backup, or remove the model's folder and build again",
        ) from None
