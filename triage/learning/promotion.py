"""A person chooses the model that ranks, goes back to the one before, and clears old ones away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from triage.errors import ModelError, UsageError
from triage.learning import champion
from triage.learning.champion import Promotion
from triage.learning.manifest import listing
from triage.learning.registry import serving, verified_model
from triage.learning.signing import Signer, TrustedKeys
from triage.learning.verified import check_versions

#: A model that is being removed has this before its name.
_REMOVED = ".removed-"


def promote(
    registry_dir: Path,
    model_id: str,
    *,
    recipe: str,
    actor: str,
    at: datetime,
    reason: str,
    trusted: TrustedKeys,
    signer: Signer,
    recorded: Callable[[Promotion], None],
    heard: Collection[str] = (),
) -> Promotion:
    """Make a model the one that ranks from the next night on.

    Parameters
    ----------
    registry_dir, model_id : Path, str
        The registry, and a model of it.
    recipe : str
        Recipe of the settings, whose first model served if nobody promoted one before.
    actor, at, reason : str, datetime, str
        Who does it, when and why.
    trusted, signer : TrustedKeys, Signer
        The keys that are believed, and the one that signs the promotion.
    recorded : callable
        Writes the audit event; called before the log is written, so that nothing is promoted without one.
    heard : collection of str
        Hashes of the promotions that the audit log knows.

    Raises
    ------
    ModelError
        If the model could not be loaded, or the log of promotions was altered.
    UsageError
        If it was promoted already and stands, or the reason is missing.
    """
    checked = verified_model(registry_dir, model_id, trusted)
    check_versions(checked.manifest, registry_dir / model_id)
    with champion.changing(registry_dir):
        # Whoever moves from the local key to a registrar's promotes on top of what the local one signed.
        # So does whoever changed the key, if the audit log heard of the promotion that the old one signed.
        before = champion.standing(registry_dir, trusted.and_local(registry_dir), heard=heard)
        if before is None:
            first = serving(registry_dir, recipe, trusted)
            previous = first.model_id if first is not None and first.model_id != model_id else ""
        else:
            previous = before.model_id
            if before.model_id == model_id and trusted.has(before.key_id):
                raise UsageError("this model ranks already", where=model_id, mend="see `triage models list`")
        one = champion.followed_by(
            champion.log_of(registry_dir),
            act="promote",
            model_id=model_id,
            previous=previous,
            manifest_sha256=checked.manifest_sha256,
            actor=actor,
            at=at,
            reason=reason,
            signer=signer,
        )
        recorded(one)
        champion.append(registry_dir, one)
    return one


def roll_back(
    registry_dir: Path,
    *,
    actor: str,
    at: datetime,
    reason: str,
    trusted: TrustedKeys,
    signer: Signer,
    recorded: Callable[[Promotion], None],
) -> Promotion:
    """Make the model that ranked before the champion rank again; parameters as in ``promote``.

    Raises
    ------
    UsageError
        If no model served before the one that ranks.
    ModelError
        If the earlier model could not be loaded, or the log of promotions was altered.
    """
    with champion.changing(registry_dir):
        champion.standing(registry_dir, trusted.and_local(registry_dir))
        log = champion.log_of(registry_dir)
        served = champion.succession(log)
        if len(served) < 2:
            raise UsageError(
                "there is no earlier model to go back to",
                where=str(registry_dir),
                mend="promote the one that should rank: `triage models promote`",
            )
        checked = verified_model(registry_dir, served[-2], trusted)
        check_versions(checked.manifest, registry_dir / served[-2])
        one = champion.followed_by(
            log,
            act="roll_back",
            model_id=served[-2],
            previous=served[-1],
            manifest_sha256=checked.manifest_sha256,
            actor=actor,
            at=at,
            reason=reason,
            signer=signer,
        )
        recorded(one)
        champion.append(registry_dir, one)
    return one


def prune(
    registry_dir: Path, *, older_than: datetime, keep: Collection[str], recorded: Callable[[str], None]
) -> tuple[str, ...]:
    """Remove models whose training data ends before a moment, and return their ids.

    Never removed: those of ``keep``, the champion and the one before it.

    Parameters
    ----------
    registry_dir : Path
        Folder of the registry.
    older_than : datetime
        The moment, aware.
    keep : collection of str
        Ids of further models that stay, such as the one that serves without a promotion.
    recorded : callable
        Writes the audit event of one model; called before it is removed.

    Raises
    ------
    ModelError
        If a manifest or the log cannot be read, or a folder cannot be removed.
    """
    with champion.changing(registry_dir):
        for left in registry_dir.glob(f"{_REMOVED}*"):
            # What an interrupted one left behind.
            _remove(left)
        stays = {*keep, *champion.succession(champion.log_of(registry_dir))[-2:]}
        old = [
            str(each["model_id"])
            for each in listing(registry_dir)
            if datetime.fromisoformat(each["as_of"]) < older_than and each["model_id"] not in stays
        ]
        for model_id in old:
            recorded(model_id)
            # Renamed first: a folder that is half removed is no model.
            gone = registry_dir / f"{_REMOVED}{model_id}"
            try:
                os.replace(registry_dir / model_id, gone)
            except OSError as error:
                raise _not_removed(registry_dir / model_id, error) from None
            _remove(gone)
    return tuple(old)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise _not_removed(folder, error) from None


def _not_removed(folder: Path, error: OSError) -> ModelError:
    return ModelError(
        f"the model cannot be removed ({type(error).__name__})",
        where=str(folder),
        mend="make the folder of the registry writable",
    )
