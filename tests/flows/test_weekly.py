"""The monitoring through a real Prefect server: its note says what is wrong and holds no record text."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest
import yaml

from tests.flows.test_flow import ROOT, searched
from tests.weeks import DAYS, WEEKS, is_assault, publish_weeks
from triage.settings import Settings
from triage.store import open_store


async def _notes() -> list[str]:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        kept = await client.read_artifacts()
    # Other flows of this server leave notes of their own.
    return [str(each.data) for each in kept if each.key == "monitoring"]


@pytest.fixture
def weeks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of the test in the environment, with weeks whose finds stop half-way."""
    monkeypatch.setenv("TRIAGE_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("TRIAGE_MONITOR_RECENT_DAYS", str(DAYS))
    monkeypatch.setenv("TRIAGE_MONITOR_REFERENCE_DAYS", str(DAYS))
    settings.data_dir.mkdir()
    with open_store(settings.store_url) as store:
        store.prepare()
        publish_weeks(
            store,
            settings.data_dir,
            said=lambda week, number: is_assault(number) and (week < WEEKS // 2 or number < 4),
        )
    return settings


def test_the_alarm_stands_in_the_runs_note(
    prefect_home: Path,
    weeks: Settings,
    canary: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from flows.weekly_command import main

    caplog.set_level("INFO")
    assert main([]) == 0
    told = capfd.readouterr()
    [words] = asyncio.run(_notes())
    assert "ACT: fewer reads find a missed crime" in words
    assert "- what to do:" in words
    assert words in told.out
    assert "see the note monitoring" in caplog.text
    for name in ("a.first", "b.second", "L-0-0"):
        assert name not in words
    assert canary not in (told.out + told.err + caplog.text).lower()
    assert searched(prefect_home, canary) == []
    assert searched(weeks.data_dir / "monitor", canary) == []
    with open_store(weeks.store_url) as store:
        last = store.events()[-1].event
    assert (last.actor, last.subject) == ("weekly", "monitoring")


@pytest.mark.usefixtures("prefect_home")
def test_the_deployment_names_the_flow_and_its_parameters() -> None:
    from flows.weekly import weekly

    deployed = yaml.safe_load((ROOT / "flows" / "prefect.yaml").read_text(encoding="utf-8"))
    (week,) = (each for each in deployed["deployments"] if each["name"] == "weekly")
    assert week["entrypoint"] == "flows/weekly.py:weekly"
    assert set(week["parameters"]) == set(inspect.signature(weekly.fn).parameters)
    assert week["schedules"] == [{"cron": "0 6 * * 1", "timezone": "Europe/London", "active": True}]


@pytest.mark.usefixtures("prefect_home")
def test_a_week_without_a_night_ends_with_its_reason(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.weekly_command import main

    monkeypatch.setenv("TRIAGE_DATA_DIR", str(settings.data_dir))
    settings.data_dir.mkdir()
    with open_store(settings.store_url) as store:
        store.prepare()
    assert main([]) == 2
    assert "no night has been published yet" in capfd.readouterr().err


def test_without_prefect_the_note_is_printed_all_the_same(
    weeks: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows import runtime
    from flows.weekly_command import main

    monkeypatch.setenv(runtime.API_URL, "http://127.0.0.1:9/api")
    monkeypatch.setattr(runtime, "ANSWER_SECONDS", 0.2)
    assert main([]) == 0
    assert "ACT: fewer reads find a missed crime" in capfd.readouterr().out
    assert list((weeks.data_dir / "monitor").iterdir())
