"""The fitted models on disk: put in whole and signed, chosen by a person, verified before they are loaded."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from triage.errors import ModelError
from triage.learning import champion
from triage.learning.champion import Promotion
from triage.learning.erased import Users, mark_erased, marked_listing, sources_content, users_of
from triage.learning.manifest import (
    ATRS,
    CARD,
    FORMAT,
    MANIFEST,
    MEND,
    MEND_PROMOTED,
    MODEL,
    SIGNATURE,
    SOURCES,
    is_local,
    key_of,
    library_versions,
    listing,
    number_of,
    other_versions,
)
from triage.learning.signing import Signer, TrustedKeys, local_signer
from triage.learning.verified import Verified, check_versions, verified
from triage.ranking.scoring import Ranker

__all__ = [
    "LoadedModel",
    "Serving",
    "Users",
    "find",
    "listing",
    "load",
    "mark_erased",
    "marked_listing",
    "register",
    "serving",
    "users_of",
    "verified_model",
]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model of the registry, every byte of which was verified before it was loaded."""

    model_id: str
    model: Ranker
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Serving:
    """The model that a night uses, the promotion that made it so (None: nobody ever promoted one).

    ``local`` is whether the key that signed it is the one that the set-up made.
    """

    model_id: str
    promotion: Promotion | None
    local: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads the queue should know of the model, as sentences."""
        said = []
        if self.promotion is None:
            said.append("the model was never promoted by a person: the first one built serves")
        elif self.promotion.local:
            said.append("the promotion of the model is signed with this machine's local key")
        if self.local:
            said.append("the model is signed with this machine's local key, not by the registrar")
        return tuple(said)


def register(
    registry_dir: Path,
    *,
    recipe: str,
    model: Ranker,
    as_of: datetime,
    training: Mapping[str, Any],
    sources: Iterable[tuple[str, str]] = (),
    signer: Signer | None = None,
    metrics: Mapping[str, Any] | None = None,
    fairness: Mapping[str, Any] | None = None,
    seed: int | None = None,
    settings_sha256: str = "",
    git_commit: str = "",
) -> str:
    """Put a fitted model into the registry as one step, signed, with its documents, and return its id.

    Parameters
    ----------
    registry_dir : Path
        Folder of the registry.
    recipe : str
        How it was built.
    model : Ranker
        What was built.
    as_of : datetime
        The moment up to which its training data is known.
    training : mapping
        Counts and hashes of the training data, for the manifest: names, numbers and nested mappings.
    sources : iterable of (str, str)
        Tables and references of the real records that it learnt from; their hashes are kept beside it, so
        that an erasure can mark it.
    signer : Signer, optional
        The key that signs; the local key of the registry by default.
    metrics : mapping, optional
        Figures of it: numbers, or mappings of ``estimate``, ``low`` and ``high``; nested by group.
    fairness : mapping, optional
        Yield and misses by group of what auditors read, as ``fairness_json`` gives it.
    seed : int, optional
        Seed of whatever was drawn while building.
    settings_sha256, git_commit : str, optional
        Digest of the settings, and the commit of the source that built it.

    Returns
    -------
    str
        ``<recipe>-<as_of>-<hash8>``; the hash is of recipe, training data, figures and library versions, so
        that the same build has the same id and is kept once.

    Raises
    ------
    ModelError
        If the registry cannot be written, or has a model of this id that another key signed.
    """
    import joblib

    from triage.learning.cards import atrs_record, card

    signer = signer or local_signer(registry_dir)
    manifest: dict[str, Any] = {
        "recipe": recipe,
        "as_of": as_of.astimezone(UTC).isoformat(),
        "training": dict(training),
        "learnt_prevalence": float(model.learnt_prevalence),
        "metrics": dict(metrics or {}),
        "seed": seed,
        "python": platform.python_version(),
        "libraries": library_versions(),
    }
    if fairness:
        manifest["fairness"] = dict(fairness)
    identity = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:8]
    model_id = f"{recipe}-{as_of.astimezone(UTC):%Y%m%d}-{identity}"
    target = registry_dir / model_id
    if target.exists():
        verified(target, TrustedKeys((signer.public,)))
        return model_id
    manifest |= {
        "format": FORMAT,
        "model_id": model_id,
        "number": max(map(number_of, listing(registry_dir)), default=0) + 1,
        "git_commit": git_commit,
        "settings_sha256": settings_sha256,
        "signed_by": {
            "key_id": signer.public.key_id,
            "kind": "local" if signer.local else "registrar",
            "name": signer.name,
        },
    }
    buffer = BytesIO()
    joblib.dump(model, buffer)
    kept = {
        MODEL: buffer.getvalue(),
        SOURCES: sources_content(model_id, sources),
        CARD: card(manifest).encode(),
        ATRS: atrs_record(manifest).encode(),
    }
    manifest |= {"sha256": {name: hashlib.sha256(each).hexdigest() for name, each in kept.items()}}
    content = json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n"
    _put(target, kept | {MANIFEST: content, SIGNATURE: signer.sign(content)})
    return model_id


def find(registry_dir: Path, name: str, trusted: TrustedKeys) -> str | None:
    """Return the id that a name means: itself, or the newest model of the recipe; None if there is none.

    Of a recipe only models count that say to be signed with a trusted key, and of these first the ones that
    were built with the library versions of this machine.
    """
    manifests = listing(registry_dir)
    if any(name == each["model_id"] for each in manifests):
        return name
    found = _candidates(manifests, name, trusted)
    return str(found[0]["model_id"]) if found else None


def serving(registry_dir: Path, recipe: str, trusted: TrustedKeys) -> Serving | None:
    """Return the model that ranks: the one that a person promoted last, or the first one built of the recipe.

    None if nobody promoted any and no model of the recipe is signed with a trusted key: then one is to be
    built. Models that are unsigned, or signed with another key, are passed over and never loaded.

    Raises
    ------
    ModelError
        If the log of promotions was altered or the last one is not signed with a trusted key.
    """
    promotion = champion.standing(registry_dir, trusted)
    manifests = listing(registry_dir)
    if promotion is not None:
        local = any(is_local(each) for each in manifests if each["model_id"] == promotion.model_id)
        return Serving(promotion.model_id, promotion, local)
    found = _candidates(sorted(manifests, key=number_of), recipe, trusted)
    return Serving(str(found[0]["model_id"]), None, is_local(found[0])) if found else None


def verified_model(registry_dir: Path, name: str, trusted: TrustedKeys) -> Verified:
    """Return the files of the model that a name means, after verifying every one of them.

    Raises
    ------
    ModelError
        As ``load``, except for versions and what was promoted.
    """
    model_id = find(registry_dir, name, trusted)
    if model_id is None:
        known = ", ".join(each["model_id"] for each in listing(registry_dir)) or "none"
        raise ModelError(f"no model {name!r}; known: {known}", where=str(registry_dir), mend=MEND)
    return verified(registry_dir / model_id, trusted)


def load(registry_dir: Path, name: str, *, trusted: TrustedKeys) -> LoadedModel:
    """Load a model after verifying its signature and every file of it.

    Parameters
    ----------
    registry_dir : Path
        Folder of the registry.
    name : str
        A model id, or a recipe's name, which means its newest model.
    trusted : TrustedKeys
        The keys that are believed; see ``signing.trusted_by``.

    Raises
    ------
    ModelError
        If there is no such model; it is unsigned, altered, truncated, signed with another key or holds what
        does not belong there; it is not the one that was promoted; or it was built with other versions.
    """
    import joblib

    checked = verified_model(registry_dir, name, trusted)
    model_id = str(checked.manifest["model_id"])
    pinned = [one.manifest_sha256 for one in champion.log_of(registry_dir) if one.model_id == model_id]
    folder = registry_dir / model_id
    if pinned and pinned[-1] != checked.manifest_sha256:
        raise ModelError(
            "the model is not the one that was promoted under this id",
            where=str(folder),
            mend="restore it from a backup, or promote another model: `triage models promote`",
        )
    check_versions(checked.manifest, folder)
    try:
        model = joblib.load(BytesIO(checked.files[MODEL]))
    except (AttributeError, ImportError, TypeError) as error:
        # The file is whole, so it is the code that it was built with that is no longer here.
        raise ModelError(
            f"the model was built by another version of the recipe ({type(error).__name__})",
            where=str(folder),
            mend=MEND_PROMOTED,
        ) from None
    return LoadedModel(model_id, model, checked.manifest)


def _candidates(
    manifests: Iterable[dict[str, Any]], recipe: str, trusted: TrustedKeys
) -> list[dict[str, Any]]:
    """Return the manifests of a recipe that say a trusted key signed them, those of these versions first."""
    found = [each for each in manifests if each["recipe"] == recipe and trusted.has(key_of(each))]
    return sorted(found, key=lambda each: bool(other_versions(each)))


def _put(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a model's folder whole, or nothing."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        parts = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    except OSError as error:
        raise _unwritable(target.parent, error) from None
    try:
        for name, content in files.items():
            (parts / name).write_bytes(content)
            (parts / name).chmod(0o640)
        parts.chmod(0o750)
        os.replace(parts, target)
    except OSError as error:
        # Another process may have put the same build there first; then its copy serves.
        if not target.exists():
            raise _unwritable(target, error) from None
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> ModelError:
    return ModelError(
        f"the model cannot be written ({type(error).__name__})",
        where=str(path),
        mend="make the folder writable, or set `registry_dir` to another one",
    )
