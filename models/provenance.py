"""Where a model comes from, as its manifest says it: data by kind, settings, the commit of its source."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training_data.build import TrainingTable
from training_data.examples import Example
from triage.settings import Settings

ROOT = Path(__file__).parents[1]
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
#: Where things stand on one machine, and secrets: nothing that a model depends on.
_NOT_OF_A_MODEL = (
    "control_key_file",
    "data_dir",
    "database_url",
    "mapping_file",
    "oidc_client_secret_file",
    "registry_dir",
    "signing_key_file",
    "trusted_keys_dir",
)


def training_summary(table: TrainingTable) -> dict[str, Any]:
    """Return counts of a training table's records by table, arm and version of the labels, and its SHA-256.

    A record that no auditor decided has no arm: it is of the corpus or of a history. The version is empty
    where the store did not keep it yet; ``weights`` says how decisions were weighed, if there are any.
    Beside decisions ``missed`` and ``by_source`` are of the records that no auditor decided, and stand under
    ``not_decided``: of the others they would show the small cells that the fairness section hides.
    """
    examples = table.examples
    decided = [each for each in examples if each.arm]
    labelled = [each for each in examples if not each.arm]
    counts = {
        "missed": sum(each.missed for each in labelled),
        "by_source": _counted(labelled, lambda each: each.record.source),
    }
    summary: dict[str, Any] = {
        "records": len(examples),
        "sha256": table.digest,
        **({"not_decided": counts} if decided else counts),
        "decided": len(decided),
        "by_arm": _counted(decided, lambda each: each.arm),
        "by_label_version": _counted(decided, lambda each: each.label_version),
    }
    if table.counts:
        summary["counts"] = dict(table.counts)
    if table.weights:
        summary["weights"] = asdict(table.weights)
    return summary


def settings_sha256(settings: Settings) -> str:
    """Return the SHA-256 of the settings without paths and secrets, the same on every machine."""
    values = settings.model_dump(mode="json", exclude=set(_NOT_OF_A_MODEL))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def git_commit(root: Path = ROOT) -> str:
    """Return the commit that a checkout stands at, empty where it is none or cannot be told.

    Parameters
    ----------
    root : Path
        The checkout; that of this program by default.
    """
    folder = root / ".git"
    if folder.is_file():
        # A linked worktree: the file names its folder.
        folder = (root / _text(folder).removeprefix("gitdir:").strip()).resolve()
    head = _text(folder / "HEAD")
    if not head.startswith("ref:"):
        return _commit(head)
    name = head.removeprefix("ref:").strip()
    common = (folder / (_text(folder / "commondir") or ".")).resolve()
    loose = _commit(_text(folder / name)) or _commit(_text(common / name))
    if loose:
        return loose
    packed = (line.split(" ", 1) for line in _text(common / "packed-refs").splitlines() if " " in line)
    return next((_commit(commit) for commit, ref in packed if ref == name), "")


def _counted(examples: Iterable[Example], key: Callable[[Example], str]) -> dict[str, int]:
    return dict(sorted(Counter(map(key, examples)).items()))


def _commit(text: str) -> str:
    return text if _COMMIT.fullmatch(text) else ""


def _text(path: Path) -> str:
    # A checkout that cannot be read says nothing of the model: its commit is then not known.
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
