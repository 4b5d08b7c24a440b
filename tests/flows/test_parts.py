"""The parts of the night that need no night: its id, its key, its guard, its words."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from flows import runfiles
from flows.command import main
from flows.control_key import control_key
from flows.failures import NightFailedError, guarded, passing
from flows.identity import Request, known_at, newest_moment, run_id_of, settings_digest
from flows.items import content_hash, is_eligible, is_readable, new_item, weigh
from flows.progress import shown
from tests.conftest import CANARY
from tests.flows.conftest import NOW
from tests.flows.extracts import CUT, plain_night
from triage.errors import ExtractError, StoreError, UsageError
from triage.language.offences import FAMILIES
from triage.ranking.scoring import AGAIN, ANY, FURTHER, LOWERS, OPEN, Evidence, RecordScore
from triage.reading import read_extract
from triage.reading.linking import Linked, Matter
from triage.reading.records import Record
from triage.settings import Settings
from triage.store import ItemEvidence

A_NIGHT = {"as_of": CUT, "digest": "d", "model_id": "m", "settings_sha256": "s", "key": b"k" * 32}


def record(**changes: object) -> Record:
    plain = Record("incidents", "L-1", CUT - timedelta(hours=5), CUT - timedelta(hours=4), CANARY)
    return replace(plain, **changes)


@pytest.mark.parametrize(
    "changed",
    [
        {"as_of": CUT + timedelta(seconds=1)},
        {"digest": "e"},
        {"model_id": "n"},
        {"settings_sha256": "t"},
        {"key": b"l" * 32},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_part_of_a_night_changes_its_id(changed: dict[str, object]) -> None:
    assert run_id_of(**A_NIGHT) == run_id_of(**A_NIGHT)
    assert run_id_of(**A_NIGHT | changed) != run_id_of(**A_NIGHT)


def test_settings_that_do_not_change_the_queue_do_not_change_its_id() -> None:
    assert settings_digest(Settings()) == settings_digest(Settings(data_dir="elsewhere", retention_days=7))
    assert settings_digest(Settings()) != settings_digest(Settings(budget_items=41))
    assert settings_digest(Settings()) != settings_digest(Settings(control_share=0.11))


def test_the_moment_is_the_newest_of_the_extract_up_to_now(tmp_path: Path) -> None:
    extract = read_extract(plain_night(tmp_path), Settings())
    newest = max(crime.recorded_at for crime in extract.crimes)
    assert newest_moment(extract, NOW) == newest
    assert newest_moment(extract, newest - timedelta(seconds=1)) < newest
    assert newest_moment(replace(extract, records=(), crimes=()), NOW) is None
    assert len(known_at(extract, newest - timedelta(seconds=1)).crimes) == len(extract.crimes) - 1


def test_an_item_keeps_what_its_text_says_of_each_place() -> None:
    log = record()
    form = record(source="assessments", record_ref="D-1", incident_ref="L-1")
    told = (Evidence("rape", 0, 5, status="denied_by_suspect"), Evidence("", 6, 12, status=LOWERS))
    asked = (Evidence("theft", question="q23"),)
    scores = [
        RecordScore(
            each.source, each.record_ref, p, (0.1,) * len(FAMILIES), 0.3, 0.2, 0.15, 0.05, (), evidence, "00"
        )
        for each, p, evidence in ((log, 0.4, told), (form, 0.6, asked))
    ]
    linked = Linked((Matter("L-1", (log, form)),), (), {})
    [weighed] = weigh(linked, scores, as_of=CUT, settings=Settings())
    item, _ = new_item(
        weighed,
        run_id="run",
        arm="ranked",
        inclusion_probability=1.0,
        draw=None,
        as_of=CUT,
        settings=Settings(),
    )
    assert item.evidence == (
        ItemEvidence("theft", question="q23", part=2),
        ItemEvidence("rape", 0, 5, part=1, status="denied_by_suspect"),
        ItemEvidence("", 6, 12, part=1, status=LOWERS),
    )
    kept = [item.p_families[name] for name in (ANY, OPEN, FURTHER, AGAIN)]
    assert kept == [0.3, 0.2, 0.15, 0.05]


@pytest.mark.parametrize("wrong", ["yesterday", "", "2026-13-01", "0001-01-01T00:00+14:00", CANARY])
def test_a_wrong_moment_is_a_usage_error(wrong: str) -> None:
    with pytest.raises(UsageError) as caught:
        Request(Path(), wrong).moment(Settings(), NOW)
    assert CANARY not in str(caught.value)


def test_a_moment_without_an_offset_is_in_london() -> None:
    assert Request(Path(), "2026-07-01T04:00").moment(Settings(), NOW) == datetime(2026, 7, 1, 3, tzinfo=UTC)


def test_contents_are_told_apart_by_text_and_answers_and_not_by_order() -> None:
    one, two = record(), record(source="referrals", record_ref="R-1")
    both = content_hash(Matter("L-1", (one, two)))
    assert both == content_hash(Matter("L-1", (two, one)))
    assert both != content_hash(Matter("L-1", (one,)))
    assert both != content_hash(Matter("L-1", (one, replace(two, text=two.text + " "))))
    assert both != content_hash(Matter("L-1", (one, replace(two, answers={18: "Y"}))))
    assert both == content_hash(Matter("L-1", (one, replace(two, closing_code="FILED"))))


def test_a_matter_waits_for_its_youngest_part() -> None:
    old, young = record(), record(record_ref="L-2", opened_at=CUT - timedelta(hours=1), closed_at=None)
    assert is_eligible(Matter("L-1", (old,)), CUT, 24)
    assert not is_eligible(Matter("L-1", (old, young)), CUT, 24)
    assert is_eligible(Matter("L-1", (old, young)), CUT, 1)
    assert not is_eligible(Matter("L-1", (record(opened_at=CUT + timedelta(seconds=1)),)), CUT, 0)


@pytest.mark.parametrize(
    ("text", "answers", "readable"),
    [
        ("", {}, False),
        (" - / 22:14 .", {}, False),
        ("OK", {}, True),
        ("", {3: "NK"}, False),
        ("", {3: "N"}, True),
    ],
)
def test_what_can_be_read(text: str, answers: dict[int, str], readable: bool) -> None:
    assert is_readable(Matter("L-1", (record(text=text, answers=answers),))) is readable


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "control.key"
    key = control_key(path)
    assert len(key) == 32
    assert control_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["control.key"]


def test_of_processes_that_start_at_once_all_use_one_key(tmp_path: Path) -> None:
    path = tmp_path / "control.key"
    script = (
        "import sys; from pathlib import Path; from flows.control_key import control_key;"
        "print(control_key(Path(sys.argv[1])).hex())"
    )
    words = [sys.executable, "-c", script, str(path)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    told = {process.communicate()[0] for process in running}
    assert told == {path.read_text()}


@pytest.mark.parametrize("content", ["", "abc", "g" * 64, "a" * 63, "a" * 66], ids=len)
def test_a_damaged_key_is_never_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "control.key"
    path.write_text(content)
    with pytest.raises(StoreError, match="random draw"):
        control_key(path)
    assert path.read_text() == content


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "queue.csv"
    runfiles.written(path, lambda part: part.write_bytes(b"first"))

    def breaks(part: Path) -> None:
        part.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "no space")

    with pytest.raises(StoreError, match="cannot be written"):
        runfiles.written(path, breaks)
    assert path.read_bytes() == b"first"


def test_a_bug_loses_its_message_and_a_users_error_keeps_it() -> None:
    @guarded
    def buggy() -> None:
        try:
            int(CANARY)
        except ValueError as error:
            raise KeyError(CANARY) from error

    with pytest.raises(NightFailedError) as caught:
        buggy()
    assert caught.value.kind == "KeyError"
    assert caught.value.frames[-1].startswith("tests/flows/test_parts.py:")
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in str(vars(caught.value))

    @guarded
    def wrong() -> None:
        raise ExtractError("no such table")

    with pytest.raises(ExtractError, match="no such table"):
        wrong()


@given(st.sampled_from(sorted(errno.errorcode)), st.integers(0, 3))
@settings(max_examples=50, derandomize=True)
def test_only_disturbances_are_tried_again(number: int, depth: int) -> None:
    error: BaseException = OSError(number, "disk")
    for _ in range(depth):
        outer = ExtractError("unreadable")
        outer.__cause__ = error
        error = outer
    expected = number in {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNRESET, errno.EAGAIN}
    expected |= number in {errno.EBUSY, errno.EINTR, errno.ENETDOWN, errno.ENETUNREACH}
    expected |= number in {errno.EHOSTUNREACH, errno.ECONNABORTED}
    assert passing(error) is expected


def test_progress_is_a_line_of_counts_where_there_is_no_terminal() -> None:
    lines: list[str] = []
    with shown(Console(file=io.StringIO()), lines.append, "read") as report:
        report(500, None, "rows of incidents")
        report(700, 700, "rows of incidents")
    assert lines == ["read rows of incidents: 700 of 700"]


def test_progress_is_a_bar_in_a_terminal() -> None:
    screen = io.StringIO()
    with shown(Console(file=screen, force_terminal=True), lambda line: None, "scored") as report:
        report(1, 3, "records")
    assert "scored records" in screen.getvalue()


@pytest.mark.parametrize("words", [[], ["--extract"], ["--extract", "x", "--budget", "many"], ["--wat"]])
def test_wrong_words_end_with_code_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_wrong_values_end_with_their_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_DATA_DIR", str(tmp_path / "data"))
    assert main(["--extract", str(tmp_path), "--as-of", "soon"]) == 2
    assert main(["--extract", str(tmp_path), "--budget", "0"]) == 10
    assert not (tmp_path / "data").exists()


def test_a_night_of_the_future_is_refused_and_the_present_is_not() -> None:
    now = datetime(2026, 11, 3, 4, 5, tzinfo=UTC)
    assert Request(Path(), "2026-11-03T04:05").moment(Settings(), now) == now
    with pytest.raises(UsageError, match="in the future") as caught:
        Request(Path(), "2027-11-03T04:05").moment(Settings(), now)
    assert "--as-of" in str(caught.value)
