"""The flow with a real Prefect server: what it keeps, what it must never see, and how a night ends."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows import runtime
from tests.flows.broken import BrokenModel
from tests.flows.extracts import CUT, incidents, plain_night, write_extract
from triage.learning import registry
from triage.settings import Settings
from triage.store import open_store

Command = Callable[..., int]
ROOT = Path(__file__).resolve().parents[2]


def searched(folder: Path, phrase: str) -> list[str]:
    """Return the files of a folder that hold a phrase, in any case."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and phrase.encode().lower() in path.read_bytes().lower()
    )


def test_a_night_through_prefect(
    night_command: Command,
    prefect_home: Path,
    settings: Settings,
    tmp_path: Path,
    canary: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    extract = plain_night(tmp_path / "the-extract")
    assert night_command("--extract", extract, "--as-of", CUT.isoformat()) == 0
    told = capfd.readouterr()
    for words in ("rows in    14", "queued     5 of 5", "control", "triage queue list", "weighted_phrases-"):
        assert words in told.out
    run_rows, task_rows, artifacts = asyncio.run(_kept())
    assert run_rows[-1] == ("nightly", "COMPLETED")
    assert sorted(name.rsplit("-", 1)[0] for name, state in task_rows if state == "COMPLETED")[-4:] == [
        "leave a note",
        "publish the queue",
        "read the extract",
        "score the records",
    ]
    assert "| queued | 5 of 5" in artifacts[-1]
    assert "L-0" not in artifacts[-1]

    assert night_command("--extract", extract, "--as-of", CUT.isoformat()) == 0
    assert "already published, nothing added" in capfd.readouterr().out
    assert canary not in (told.out + told.err + caplog.text).lower()
    # The search would find the phrase: it finds what Prefect may hold.
    assert searched(prefect_home, "the-extract")
    assert searched(prefect_home, canary) == []
    assert searched(settings.data_dir / "runs", canary) == []


async def _kept() -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[str]]:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        flows = {flow.id: flow.name for flow in await client.read_flows()}
        runs = await client.read_flow_runs()
        tasks = await client.read_task_runs()
        artifacts = await client.read_artifacts()
    return (
        [(flows[run.flow_id], run.state_type.name if run.state_type else "") for run in runs],
        [(run.name, run.state_type.name if run.state_type else "") for run in tasks],
        [str(artifact.data) for artifact in artifacts],
    )


def test_failed_nights_say_what_is_wrong_and_never_what_is_written(
    night_command: Command,
    prefect_home: Path,
    settings: Settings,
    tmp_path: Path,
    canary: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("INFO")
    bad = [row | {"closed_at": canary, "record_ref": f"{canary}\n"} for row in incidents(9)]
    rejected = write_extract(tmp_path / "rejected", {"incidents": bad})
    assert night_command("--extract", rejected) == 11
    assert night_command("--extract", tmp_path / "nowhere") == 11
    unclosed = tmp_path / "unclosed"
    unclosed.mkdir()
    header = "record_ref,opened_at,text\n"
    (unclosed / "incidents.csv").write_text(f'{header}L-1,2026-10-13T01:00,"{canary}\n' * 3)
    assert night_command("--extract", unclosed) == 11
    monkeypatch.setenv("TRIAGE_RECIPE", "no_such_recipe")
    extract = plain_night(tmp_path / "extract")
    assert night_command("--extract", extract) == 12

    monkeypatch.setenv("TRIAGE_RECIPE", "broken")
    monkeypatch.setenv("TRIAGE_REGISTRY_DIR", str(tmp_path / "registry"))
    registry.register(tmp_path / "registry", recipe="broken", model=BrokenModel(), as_of=CUT, training={})
    assert night_command("--extract", extract) == 1
    told = capfd.readouterr()
    assert "A bug ended the night: RuntimeError" in told.err
    assert "tests/flows/broken.py" in told.err
    assert "Traceback" not in told.err + caplog.text
    assert "9 of 9 rows were rejected" in told.err
    assert f"where: {settings.data_dir / 'rejects.csv'}" in told.err
    assert searched(settings.data_dir, canary) == []
    assert "NightFailedError" in caplog.text
    assert canary not in (told.out + told.err + caplog.text).lower()
    assert searched(prefect_home, "NightFailedError")
    assert searched(prefect_home, canary) == []
    with open_store(settings.store_url) as store:
        assert store.runs() == ()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
def test_a_disturbed_disk_is_tried_again(
    night_command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from flows import nightly

    monkeypatch.setattr(nightly, "read", nightly.read.with_options(retry_delay_seconds=0))
    extract = tmp_path / "extract"
    extract.mkdir()
    # Its first byte gives an input/output error, as a broken disk does.
    (extract / "incidents.csv").symlink_to("/proc/self/mem")
    assert night_command("--extract", extract) in {1, 11}
    assert capfd.readouterr().err.count("Retry") == 2


def test_one_night_at_a_time(
    night_command: Command, settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    extract = plain_night(tmp_path / "extract")
    with open_store(settings.store_url) as store, store.night_lock():
        assert night_command("--extract", extract) == 13
    assert "another night is running" in capfd.readouterr().err
    assert night_command("--extract", extract) == 0


@pytest.mark.usefixtures("prefect_home")
def test_a_process_of_its_own_prints_no_text(settings: Settings, tmp_path: Path, canary: str) -> None:
    environment = {
        **os.environ,
        "TRIAGE_DATA_DIR": str(settings.data_dir),
        "TRIAGE_REGISTRY_DIR": str(tmp_path / "registry"),
        "TRIAGE_RECIPE": "broken",
        "PYTHONPATH": str(ROOT),
    }
    registry.register(tmp_path / "registry", recipe="broken", model=BrokenModel(), as_of=CUT, training={})
    words = [sys.executable, "-m", "flows.nightly", "--extract", str(plain_night(tmp_path / "extract"))]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 1
    assert "A bug ended the night: RuntimeError" in ended.stderr
    assert canary not in (ended.stdout + ended.stderr).lower()
    assert "Traceback" not in ended.stderr


@pytest.mark.usefixtures("prefect_home")
def test_the_deployment_names_the_flow_and_its_parameters() -> None:
    from flows.nightly import nightly

    deployed = yaml.safe_load((ROOT / "flows" / "prefect.yaml").read_text(encoding="utf-8"))
    (night,) = (each for each in deployed["deployments"] if each["name"] == "nightly")
    assert night["entrypoint"] == "flows/nightly.py:nightly"
    assert set(night["parameters"]) == set(inspect.signature(nightly.fn).parameters)
    assert night["schedules"] == [{"cron": "0 4 * * *", "timezone": "Europe/London", "active": True}]
    assert night["concurrency_limit"]["limit"] == 1
    environment = night["work_pool"]["job_variables"]["env"]
    assert environment.items() <= runtime.ENVIRONMENT.items()
    assert {"DO_NOT_TRACK", "PREFECT_RESULTS_PERSIST_BY_DEFAULT"} <= set(environment)


def test_a_killed_night_takes_its_server_with_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from flows.runtime import NightServer\n"
        "server = NightServer(Path(sys.argv[1])); server.start()\n"
        "print(server._child.pid, flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as night:
        assert night.stdout is not None
        server = int(night.stdout.readline())
        os.kill(server, 0)
        night.send_signal(signal.SIGKILL)
    end = time.monotonic() + 20
    while _alive(server):
        assert time.monotonic() < end, "the server outlived its night"
        time.sleep(0.05)


def _alive(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    if status.parent.parent.exists():
        # A zombie waits only for whoever inherited it to collect it.
        return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_without_prefect_the_night_is_published_all_the_same(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.command import main

    monkeypatch.setenv(runtime.API_URL, "http://127.0.0.1:9/api")
    monkeypatch.setattr(runtime, "ANSWER_SECONDS", 0.2)
    for name in ("data_dir", "registry_dir", "recipe", "budget_items"):
        monkeypatch.setenv(f"TRIAGE_{name.upper()}", str(getattr(settings, name)))
    assert main(["--extract", str(plain_night(tmp_path / "extract"))]) == 0
    told = capfd.readouterr()
    assert "runs without it" in told.err
    assert "queued     5 of 5" in told.out
