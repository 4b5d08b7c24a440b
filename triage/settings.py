"""The settings of a force, with a default for every one, read from ``triage.toml`` and ``TRIAGE_*``.

Precedence: environment, then the TOML file, then the defaults. Every wrong setting is named in one
message. The table of settings in the README is printed from this class.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as NotJsonError

from triage.errors import SettingsError, known_names

Share = Annotated[float, Field(ge=0, le=1)]
FILE_VARIABLE = "TRIAGE_SETTINGS"
DEFAULT_FILE = "triage.toml"
_PREFIX = "TRIAGE_"
_FIELD = re.compile(r'field "(\w+)"')


class Settings(BaseSettings):
    """All that a force can set; the unit stands in the name."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    data_dir: Path = Field(Path("var"), description="Folder for the store, run files and Prefect's own data.")
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the store; empty means SQLite in `data_dir`."
    )
    registry_dir: Path = Field(Path("models/registry"), description="Folder of the fitted models.")
    signing_key_file: Path | None = Field(
        None,
        description="File with the private key that signs models; empty means a local key in `registry_dir`.",
    )
    trusted_keys_dir: Path | None = Field(
        None,
        description="Folder of the public keys whose models are loaded; empty means the key that signs.",
    )
    model_retention_days: int = Field(
        730,
        ge=1,
        le=36_600,
        description="Age of its training data at which `triage models prune` removes a model.",
    )
    mapping_file: Path | None = Field(
        None, description="TOML file that says which of the force's columns is which; see docs/mapping.md."
    )
    recipe: str = Field(
        "linear",
        description="Recipe of the model that ranks until one is promoted (a name in `models.RECIPES`).",
    )
    timezone: str = Field("Europe/London", description="Zone of times that carry no offset.")
    own_force_prefixes: tuple[str, ...] = Field(
        (),
        description="First parts of this force's crime references, such as `42`; others are another force's.",
    )
    budget_items: int = Field(40, ge=1, le=100_000, description="Items that the audit team can read a night.")
    rule_share_max: Share = Field(0.5, description="Most of the budget that the rule arm may take.")
    control_share: Share = Field(0.1, description="Share of the budget drawn at random.")
    control_unreadable_items: int = Field(
        1,
        ge=0,
        le=100_000,
        description="Of those, items drawn from the records without a readable narrative.",
    )
    control_key_file: Path | None = Field(
        None,
        description="File with the secret key of the random draw; empty means `control.key` in `data_dir`.",
    )
    maturity_hours: float = Field(
        24.0, ge=0, le=8784, description="Age at which a record that is still open becomes eligible."
    )
    carry_over_days: int = Field(
        14, ge=0, le=3660, description="Days for which an undecided item stays in the queue."
    )
    repeat_hours: float = Field(
        24.0, ge=0, le=8784, description="Longest time between two near-identical records of one matter."
    )
    repeat_similarity: Share = Field(
        0.6, description="Least Jaccard similarity of three-word shingles of near-identical records."
    )
    repeat_min_words: int = Field(
        20,
        ge=3,
        le=100_000,
        description="Shortest text compared with others, so that stock phrases do not link.",
    )
    rejected_share_max: Share = Field(
        0.05, description="Share of rejected rows above which the run fails with exit code 11."
    )
    assumed_prevalence: float = Field(
        0.05, gt=0, lt=1, description="Share of records with an unrecorded crime that scores assume."
    )
    retention_days: int = Field(
        90, ge=1, le=36_600, description="Days for which the text of a queued item is kept."
    )
    training_weight_max: float = Field(
        20.0,
        ge=1,
        le=100_000,
        description="Most that a decision on a drawn item weighs in training; one on a ranked item weighs 1.",
    )
    claim_minutes: float = Field(
        45.0, gt=0, le=1440, description="Time after which an item that nobody decided is free again."
    )
    correction_hours: float = Field(
        24.0, ge=0, le=8784, description="Time within which an auditor may correct a decision."
    )
    second_review_share: Share = Field(
        0.1, description='Share of decisions that a second auditor reads blind; "cannot say" always is.'
    )
    control_highlights: bool = Field(
        False, description="Whether items of the control arm open with the places marked."
    )
    access_mode: Literal["local", "proxy", "oidc"] = Field(
        "local",
        description="How people sign in: one-time link on this machine, reverse proxy, OpenID Connect.",
    )
    role_members: dict[str, tuple[str, ...]] = Field(
        {}, description="Role to the names or groups that have it; see docs/serving.md."
    )
    public_url: str = Field("", description="Address under which people reach the pages, with its scheme.")
    proxy_networks: tuple[str, ...] = Field(
        ("127.0.0.1/32", "::1/128"), description="Networks from which the proxy's headers are believed."
    )
    proxy_user_header: str = Field("X-Forwarded-User", description="Header with the person's name.")
    proxy_groups_header: str = Field("X-Forwarded-Groups", description="Header with the person's groups.")
    oidc_issuer: str = Field("", description="Address of the OpenID provider.")
    oidc_client_id: str = Field("", description="Name under which the provider knows the pages.")
    oidc_client_secret_file: Path | None = Field(None, description="File with the client's secret.")
    oidc_name_claim: str = Field("preferred_username", description="Claim with the person's name.")
    oidc_groups_claim: str = Field("groups", description="Claim with the person's groups.")
    session_hours: float = Field(10.0, gt=0, le=24, description="Longest time signed in.")
    session_idle_minutes: float = Field(
        60.0, gt=0, le=1440, description="Longest time signed in without a page."
    )
    requests_per_minute: int = Field(240, ge=10, le=100_000, description="Most requests of one person.")
    upload_bytes_max: int = Field(
        20_000_000, ge=1, le=500_000_000, description="Largest workbook that is taken back."
    )
    workbook_hours: float = Field(
        72.0, gt=0, le=744, description="Time for which items in a workbook stay claimed."
    )
    monitor_recent_days: int = Field(
        28, ge=1, le=366, description="Days of nights that monitoring looks at, up to the last one."
    )
    monitor_reference_days: int = Field(
        56, ge=1, le=3660, description="Days before these with which it compares them."
    )
    monitor_psi_look: float = Field(
        0.1, gt=0, description="Population stability index of codes, lengths or scores from which to look."
    )
    monitor_psi_act: float = Field(0.25, gt=0, description="The same from which to act.")
    monitor_auc_look: Share = Field(
        0.6, description="How well recent texts can be told from earlier ones (AUC), from which to look."
    )
    monitor_auc_act: Share = Field(0.75, description="The same from which to act.")
    monitor_new_words_look: Share = Field(
        0.02, description="New words among recent ones, beyond what is expected, from which to look."
    )
    monitor_new_words_act: Share = Field(0.05, description="The same from which to act.")
    monitor_calibration_look: float = Field(
        1.5, ge=1, description="Times more or fewer missed crimes in the control than scores say, to look."
    )
    monitor_calibration_act: float = Field(2.0, ge=1, description="The same from which to act.")
    monitor_precision_look: Share = Field(
        0.1, description="Fall of the share of an arm's reads that find something, from which to look."
    )
    monitor_precision_act: Share = Field(0.2, description="The same from which to act.")
    small_cell_items: int = Field(
        10, ge=2, le=1000, description="Records below which figures by group are hidden."
    )
    label_lag_days: float = Field(
        7.0, ge=0, le=366, description="Days from a decision until retraining counts it as known."
    )
    retrain_recipes: tuple[str, ...] = Field(
        ("linear",),
        min_length=1,
        description="Recipes of the challengers that retraining builds (names in `models.RECIPES`).",
    )
    retrain_nights: int = Field(
        56, ge=1, le=3660, description="Most past nights on which challengers and champion are judged."
    )
    retrain_windows: int = Field(
        1, ge=1, le=52, description="Parts of these nights; a challenger is built anew before each."
    )
    retrain_gain_min: Share = Field(
        0.0, description="Least gain for *better*, as a share of what the champion finds (docs/retrain.md)."
    )
    retrain_loss_max: Share = Field(
        0.1, description="Largest loss for *not worse*, as a share of what the champion finds."
    )
    retrain_calibration_loss_max: Share = Field(
        0.05, description="Rise of the calibration error from which a comparison warns."
    )
    retrain_missed_min: int = Field(
        30, ge=1, le=100_000, description="Fewest items with an unrecorded crime for any verdict."
    )
    marking: str = Field("OFFICIAL-SENSITIVE", min_length=1, description="Security marking on every export.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("is not a time zone of the IANA database, such as Europe/London") from error
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment before the TOML file; no .env file and no secrets folder."""
        path = Path(os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)
        return (
            init_settings,
            EnvSettingsSource(settings_cls, env_prefix=_PREFIX),
            TomlConfigSettingsSource(settings_cls, toml_file=path if path.exists() else None),
        )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of times that carry no offset."""
        return ZoneInfo(self.timezone)

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the store, which may hold a password: never print it."""
        if self.database_url is not None and self.database_url.get_secret_value():
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'triage.db').as_posix()}"

    @property
    def control_key_path(self) -> Path:
        """The file that holds the secret key of the random draw."""
        return self.control_key_file or self.data_dir / "control.key"


def load(**overrides: Any) -> Settings:
    """Read the settings once, at the edge; every error is named in one message.

    Raises
    ------
    SettingsError
        If a setting is unknown, of the wrong kind or out of range, or the file cannot be read.
    """
    named = os.environ.get(FILE_VARIABLE)
    where = named or DEFAULT_FILE
    if named and not Path(named).is_file():
        raise SettingsError(
            "the settings file does not exist, or is no file",
            where=named,
            mend=f"create it, or unset {FILE_VARIABLE}",
        )
    known = set(Settings.model_fields)
    strangers = sorted(
        name
        for name in os.environ
        if name.startswith(_PREFIX)
        and name != FILE_VARIABLE
        and name.removeprefix(_PREFIX).lower() not in known
    )
    problems = [f"{name}: {known_names(name.removeprefix(_PREFIX).lower(), known)}" for name in strangers]
    settings: Settings | None = None
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            name = ".".join(str(part) for part in each["loc"])
            if each["type"] == "extra_forbidden":
                problems.append(f"{name}: {known_names(name, known)}")
            else:
                problems.append(f"{name}: {each['msg']}")
    except NotJsonError as error:
        field = _FIELD.search(str(error))
        variable = f"{_PREFIX}{field[1].upper()}" if field else "an environment variable"
        problems.append(f"{variable}: is not JSON, which a list or a table is written in there")
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"the file is not readable TOML: {type(error).__name__} {error}")
    if problems or settings is None:
        raise SettingsError(
            "settings are wrong:\n" + "\n".join(f"    {problem}" for problem in problems),
            where=f"{where} and the environment variables {_PREFIX}*",
            mend="correct the settings named above; README.md has the table of all settings",
        )
    return settings


def table() -> str:
    """Return the Markdown table of settings that the README shows."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default.as_posix() if isinstance(field.default, Path) else field.default
        default = ", ".join(default) if isinstance(default, tuple) else default
        shown = "" if default in (None, "", {}) else f"`{default}`"
        lines.append(f"| `{name}` | {shown} | {field.description} |")
    return "\n".join(lines)
