"""What a night is asked for, and its id: the same night has the same id, on every machine."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from triage.desk.score_command import past_moment
from triage.reading.records import Extract
from triage.settings import Settings, load

#: Settings that do not change who is queued, or that the extract's digest or the model's id stands for.
_NOT_OF_THE_QUEUE = {
    "control_key_file",
    "data_dir",
    "database_url",
    "mapping_file",
    "marking",
    "model_retention_days",
    "recipe",
    "registry_dir",
    "rejected_share_max",
    "retention_days",
    "signing_key_file",
    "small_cell_items",
    "training_weight_max",
    "trusted_keys_dir",
    "label_lag_days",
    *(name for name in Settings.model_fields if name.startswith(("monitor_", "retrain_"))),
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a night is asked for: paths, a moment and a number, never text."""

    extract: Path
    as_of: str | None = None
    budget: int | None = None
    mapping: Path | None = None

    def settings(self) -> Settings:
        """Read the settings, with those that the request names instead of the force's.

        Raises
        ------
        SettingsError
            If any is wrong.
        """
        named = {"budget_items": self.budget, "mapping_file": self.mapping}
        return load(**{name: value for name, value in named.items() if value is not None})

    def moment(self, settings: Settings, now: datetime) -> datetime | None:
        """Return the as-of moment that the request names, in UTC; None if it names none.

        Raises
        ------
        UsageError
            If it is not a moment of ISO 8601, or later than now: texts would be purged before their time, and
            no later night would replace this one's queue.
        """
        if self.as_of is None:
            return None
        return past_moment(self.as_of, settings.zone, now)


def newest_moment(extract: Extract, now: datetime) -> datetime | None:
    """Return the latest moment that the extract names up to now, so that a second run is the same night.

    None if it names none.

    Parameters
    ----------
    extract : Extract
        An extract; moments after ``now`` are typing errors and do not count.
    now : datetime
        The clock.
    """
    newest = max((moment for moment in extract.moments if moment <= now), default=None)
    return newest.astimezone(UTC) if newest else None


def settings_digest(settings: Settings) -> str:
    """Return the SHA-256 of the settings that change who is queued."""
    values = settings.model_dump(mode="json", exclude=_NOT_OF_THE_QUEUE)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def run_id_of(*, as_of: datetime, digest: str, model_id: str, settings_sha256: str, key: bytes) -> str:
    """Return the id of a night: the same for the same extract, moment, model, settings, key and release.

    >>> run_id_of(as_of=datetime(2026, 10, 14, 3, tzinfo=UTC), digest="d", model_id="m", settings_sha256="s",
    ...           key=b"k")[:15]
    '20261014T0300Z-'
    """
    # Of the key only a digest that tells two keys apart and nothing else.
    key_mark = hmac.new(key, b"run id", hashlib.sha256).hexdigest()
    parts = [
        as_of.isoformat(),
        digest,
        model_id,
        settings_sha256,
        key_mark,
        version("crime-recording-triage"),
    ]
    return f"{as_of:%Y%m%dT%H%MZ}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]}"


def known_at(extract: Extract, as_of: datetime) -> Extract:
    """Return the extract without the crimes recorded later than a moment; who closed later is still open."""
    return replace(
        extract,
        crimes=tuple(crime for crime in extract.crimes if crime.recorded_at <= as_of),
        records=tuple(
            replace(record, closed_at=None) if record.closed_at and record.closed_at > as_of else record
            for record in extract.records
        ),
    )
