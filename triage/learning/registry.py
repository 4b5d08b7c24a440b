"""The fitted models on disk: put in whole, and checked against their manifest before they are loaded."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

from triage.errors import ModelError
from triage.ranking.scoring import Ranker

_MODEL, _MANIFEST, _CARD = "model.joblib", "manifest.json", "card.md"
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
    registry_dir: Path, *, recipe: str, model: Ranker, as_of: datetime, training: Mapping[str, Any]
) -> str:
    """Put a fitted model into the registry as one step, and return its id.

    The id is ``<recipe>-<as_of>-<hash8>``; the hash is of recipe, training data and library versions, so that
    the same build has the same id and is kept once.
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
    manifest |= {"model_id": model_id, "sha256": {_MODEL: hashlib.sha256(content).hexdigest()}}
    try:
        registry_dir.mkdir(parents=True, exist_ok=True)
        parts = Path(tempfile.mkdtemp(prefix=".building-", dir=registry_dir))
    except OSError as error:
        raise _unwritable(registry_dir, error) from None
    try:
        (parts / _MODEL).write_bytes(content)
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
