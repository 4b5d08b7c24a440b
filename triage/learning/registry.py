"""The fitted models on disk: put in whole, and checked against their manifest before they are loaded."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

from triage.errors import ModelError
from triage.ranking.scoring import Ranker
from triage.reading.records import RECORD_TABLES

_MODEL, _MANIFEST, _CARD = "model.joblib", "manifest.json", "card.md"
#: Which records a model was built from, as keyed hashes; and which of these were erased since, one a line.
_SOURCES, _MARKS = "sources.json.gz", "marks.jsonl"
#: Hexadecimal digits of such a hash: 128 bits.
_HASH_DIGITS = 32
#: Libraries whose version a pickled model depends on.
_LIBRARIES = ("crime-recording-triage", "joblib", "numpy", "scikit-learn", "scipy", "spacy")
_MEND = "build it again: `triage train`"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model of the registry whose files are as they were when it was built."""

    model_id: str
    model: Ranker
    manifest: Mapping[str, Any]


def register(
    registry_dir: Path,
    *,
    recipe: str,
    model: Ranker,
    as_of: datetime,
    training: Mapping[str, Any],
    sources: Iterable[tuple[str, str]] = (),
) -> str:
    """Put a fitted model into the registry as one step, and return its id.

    The id is ``<recipe>-<as_of>-<hash8>``; the hash is of recipe, training data and library versions, so that
    the same build has the same id and is kept once. ``sources`` are the tables and references of the real
    records that it learnt from; their hashes are kept beside it, so that an erasure can mark it.
    """
    import joblib

    manifest: dict[str, Any] = {
        "recipe": recipe,
        "as_of": as_of.astimezone(UTC).isoformat(),
        "training": dict(training),
        "learnt_prevalence": model.learnt_prevalence,
        "python": platform.python_version(),
        "libraries": _versions(),
    }
    identity = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:8]
    model_id = f"{recipe}-{as_of.astimezone(UTC):%Y%m%d}-{identity}"
    target = registry_dir / model_id
    if target.exists():
        return model_id
    buffer = BytesIO()
    joblib.dump(model, buffer, compress=3)
    content = buffer.getvalue()
    hashes = sorted({_source_hash(model_id, *source) for source in sources})
    listed = gzip.compress(json.dumps(hashes).encode(), mtime=0)
    kept = {_MODEL: content, _SOURCES: listed}
    manifest |= {
        "model_id": model_id,
        "sha256": {name: hashlib.sha256(each).hexdigest() for name, each in kept.items()},
    }
    try:
        registry_dir.mkdir(parents=True, exist_ok=True)
        parts = Path(tempfile.mkdtemp(prefix=".building-", dir=registry_dir))
    except OSError as error:
        raise _unwritable(registry_dir, error) from None
    try:
        for name, each in kept.items():
            (parts / name).write_bytes(each)
        (parts / _CARD).write_text(_card(manifest), encoding="utf-8")
        (parts / _MANIFEST).write_text(
            json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        parts.chmod(0o755)
        os.replace(parts, target)
    except OSError as error:
        # Another process may have put the same build there first; then its copy serves.
        if not target.exists():
            raise _unwritable(target, error) from None
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    return model_id


def listing(registry_dir: Path) -> tuple[dict[str, Any], ...]:
    """Return the manifests of all models, newest first.

    Raises
    ------
    ModelError
        If a manifest cannot be read.
    """
    paths = sorted(registry_dir.glob(f"[!.]*/{_MANIFEST}"))
    manifests = [_manifest(path) for path in paths]
    return tuple(sorted(manifests, key=lambda each: (each["as_of"], each["model_id"]), reverse=True))


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


def find(registry_dir: Path, name: str) -> str | None:
    """Return the id that a name means: itself, or the newest model of the recipe; None if there is none."""
    for manifest in listing(registry_dir):
        if name in (manifest["model_id"], manifest["recipe"]):
            return str(manifest["model_id"])
    return None


def load(registry_dir: Path, name: str) -> LoadedModel:
    """Load a model after checking that its file is the one its manifest describes.

    Parameters
    ----------
    registry_dir : Path
        Folder of the registry.
    name : str
        A model id, or a recipe's name, which means its newest model.

    Raises
    ------
    ModelError
        If there is no such model, it was altered, or it was built with other library versions.
    """
    import joblib

    model_id = find(registry_dir, name)
    if model_id is None:
        known = ", ".join(each["model_id"] for each in listing(registry_dir)) or "none"
        raise ModelError(f"no model {name!r}; known: {known}", where=str(registry_dir), mend=_MEND)
    folder = registry_dir / model_id
    manifest = _manifest(folder / _MANIFEST)
    try:
        content = (folder / _MODEL).read_bytes()
    except OSError as error:
        raise ModelError(
            f"the model's file cannot be read ({type(error).__name__})", where=str(folder), mend=_MEND
        ) from None
    if hashlib.sha256(content).hexdigest() != manifest["sha256"][_MODEL]:
        raise ModelError(
            "the model's file is not the one that was registered: its SHA-256 differs",
            where=str(folder / _MODEL),
            mend="restore it from a backup, or remove the folder and build again: `triage train`",
        )
    differing = [
        f"{library} {built} (here {_versions()[library]})"
        for library, built in manifest["libraries"].items()
        if _versions().get(library) != built
    ]
    if differing:
        raise ModelError(
            "the model was built with other versions: " + ", ".join(differing), where=str(folder), mend=_MEND
        )
    try:
        model = joblib.load(BytesIO(content))
    except (AttributeError, ImportError, TypeError) as error:
        # The file is whole, so it is the code that it was built with that is no longer here.
        raise ModelError(
            f"the model was built by another version of the recipe ({type(error).__name__})",
            where=str(folder),
            mend=_MEND,
        ) from None
    return LoadedModel(model_id, model, manifest)


@dataclass(frozen=True, slots=True)
class Users:
    """Ids of the models that learnt from a record, and of those that kept no list of their records."""

    used: tuple[str, ...]
    unknown: tuple[str, ...]


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
        if _SOURCES not in manifest["sha256"]:
            unknown.append(model_id)
        elif _hashes_of(registry_dir / model_id, manifest) & _hashes_of_reference(model_id, record_ref):
            used.append(model_id)
    return Users(tuple(used), tuple(unknown))


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
        found = _hashes_of(folder, _manifest(folder / _MANIFEST)) & _hashes_of_reference(model_id, record_ref)
        lines = [
            json.dumps({"at": at.astimezone(UTC).isoformat(), "record": each}) + "\n"
            for each in sorted(found - _marks(folder))
        ]
        try:
            with (folder / _MARKS).open("a", encoding="utf-8") as file:
                file.writelines(lines)
        except OSError as error:
            raise _unwritable(folder / _MARKS, error) from None
    return used


def _source_hash(model_id: str, source: str, record_ref: str) -> str:
    """Return the hash of a record's table and reference, keyed so that two models' lists do not compare."""
    named = json.dumps([source, record_ref]).encode()
    return hmac.new(model_id.encode(), named, hashlib.sha256).hexdigest()[:_HASH_DIGITS]


def _hashes_of_reference(model_id: str, record_ref: str) -> set[str]:
    return {_source_hash(model_id, table, record_ref) for table in RECORD_TABLES}


def _hashes_of(folder: Path, manifest: Mapping[str, Any]) -> set[str]:
    path = folder / _SOURCES
    mend = "restore it from a backup, or remove the folder and build again: `triage train`"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the model's list of records cannot be read ({type(error).__name__})", where=str(path), mend=mend
        ) from None
    if hashlib.sha256(content).hexdigest() != manifest["sha256"][_SOURCES]:
        raise ModelError("the model's list of records was altered", where=str(path), mend=mend)
    return set(json.loads(gzip.decompress(content)))


def _marks(folder: Path) -> set[str]:
    path = folder / _MARKS
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return {str(json.loads(line)["record"]) for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"the model's marks cannot be read ({type(error).__name__})",
            where=str(path),
            mend="restore the file from a backup, or remove the model's folder and build again",
        ) from None


def _unwritable(path: Path, error: OSError) -> ModelError:
    return ModelError(
        f"the model cannot be written ({type(error).__name__})",
        where=str(path),
        mend="make the folder writable, or set `registry_dir` to another one",
    )


def _versions() -> dict[str, str]:
    return {library: version(library) for library in _LIBRARIES}


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        manifest["model_id"], manifest["recipe"], manifest["as_of"], manifest["sha256"][_MODEL]
        manifest["libraries"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"the model's manifest cannot be read ({type(error).__name__})",
            where=str(path),
            mend="restore it from a backup, or remove the folder and build again: `triage train`",
        ) from None
    if manifest["model_id"] != path.parent.name:
        raise ModelError(
            "the model's manifest belongs to another model",
            where=str(path),
            mend=f"remove the folder; {_MEND}",
        )
    return manifest


def _card(manifest: Mapping[str, Any]) -> str:
    return (
        f"# {manifest['model_id']}\n\n"
        f"Recipe `{manifest['recipe']}`, built from {manifest['training'].get('records', 0)} labelled "
        f"records known at {manifest['as_of']}.\n\n"
        "It ranks records for human auditors and shows why. It makes no recording decision.\n"
        "The corpus that ships is invented: no figure on it is accuracy on police data.\n"
    )
