"""Settings: defaults, precedence, and every error in one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage import settings
from triage.errors import SettingsError

pytestmark = pytest.mark.usefixtures("away")


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_setting_has_a_default() -> None:
    assert settings.load().budget_items == 40


def test_environment_goes_before_the_file(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (away / "triage.toml").write_text("budget_items = 12\nretention_days = 5\n")
    monkeypatch.setenv("TRIAGE_BUDGET_ITEMS", "13")
    loaded = settings.load()
    assert (loaded.budget_items, loaded.retention_days) == (13, 5)


def test_all_errors_come_in_one_message(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (away / "triage.toml").write_text(
        "budget_items = 0\ncontrol_share = 2.0\nbudgit = 1\ntimezone = 'Mars/Base'\n"
    )
    monkeypatch.setenv("TRIAGE_RECIPEE", "linear")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    message = str(caught.value)
    for name in ("budget_items", "control_share", "budgit", "timezone", "TRIAGE_RECIPEE"):
        assert name in message
    assert "known: " in message
    assert caught.value.exit_code == 10


def test_a_variable_that_should_be_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_ROLE_MEMBERS", "registrar: ann")
    with pytest.raises(SettingsError, match="TRIAGE_ROLE_MEMBERS: is not JSON"):
        settings.load()


def test_a_broken_file_is_named(away: Path) -> None:
    (away / "triage.toml").write_text("budget_items = \n")
    with pytest.raises(SettingsError, match=r"triage\.toml"):
        settings.load()


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_SETTINGS", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        settings.load()


def test_a_password_in_the_store_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_DATABASE_URL", "postgresql://triage:hunter2@db/triage")
    loaded = settings.load()
    assert "hunter2" not in repr(loaded)
    assert "hunter2" in loaded.store_url


def test_the_table_names_every_setting() -> None:
    for name in settings.Settings.model_fields:
        assert f"| `{name}` |" in settings.table()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPEAT_HOURS", "1e300"),
        ("MATURITY_HOURS", "inf"),
        ("CARRY_OVER_DAYS", "999999999"),
        ("BUDGET_ITEMS", "99999999999999999999"),
        ("RETENTION_DAYS", "99999999"),
    ],
)
def test_numbers_that_no_calendar_holds_are_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TRIAGE_{name}", value)
    with pytest.raises(SettingsError, match=name.lower()):
        settings.load()


def test_a_folder_is_no_settings_file(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_SETTINGS", str(away))
    with pytest.raises(SettingsError, match="no file"):
        settings.load()


def test_nesting_without_end_is_named(away: Path) -> None:
    (away / "triage.toml").write_text("budget_items = " + "[" * 5000)
    with pytest.raises(SettingsError, match="RecursionError"):
        settings.load()
