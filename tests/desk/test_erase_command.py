"""Erasing a record where the program keeps it, and asking the log who did what."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import text

from flows.runfiles import run_folder, written
from models import build_and_register
from triage.learning import registry
from triage.learning.signing import trusted_by
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record
from triage.settings import Settings
from triage.store import AuditEvent, Store

Triage = Callable[..., Any]
AS_OF = datetime(2026, 10, 14, 3, tzinfo=UTC)
SCORES = {
    "record_ref": ["XX-1", "D-1", "XX-2", "OTHER-1"],
    "source": ["incidents", "assessments", "referrals", "incidents"],
    "score_01": [0.9, 0.8, 0.1, 0.05],
    "evidence": ['[{"family":"theft","start":3,"end":9}]', "[]", "[]", "[]"],
}


@pytest.fixture
def settings(published_file: Store, tmp_path: Path) -> Settings:
    """The settings of the published night, with the files of two runs and no model yet."""
    found = Settings(data_dir=tmp_path / "var", registry_dir=tmp_path / "models" / "registry")
    for run_id in ("run-1", "run-2"):
        path = run_folder(found.data_dir, run_id) / "scores.parquet"
        written(path, pl.DataFrame(SCORES).write_parquet)
    return found


def a_model(settings: Settings, reference: str, *, number: int = 0) -> str:
    """Build a model that learnt from a past record."""
    opened = AS_OF - timedelta(days=300)
    record = Record("incidents", reference, opened, opened, "HE RAPED HER")
    crime = Crime(f"42/{number}/25", reference, opened, "rape")
    matter = Matter(reference, (record,), (crime,))
    return build_and_register("dash_count", settings, as_of=AS_OF, history=[matter], digests=[str(number)])


def references(settings: Settings) -> list[list[str]]:
    """Return the references in the files of each run."""
    paths = sorted(settings.data_dir.glob("runs/*/scores.parquet"))
    return [pl.read_parquet(path)["record_ref"].to_list() for path in paths]


def test_a_record_goes_from_store_files_and_models_are_marked(
    published_file: Store, settings: Settings, triage: Triage, canary: str
) -> None:
    used, other = a_model(settings, "XX-1", number=1), a_model(settings, "XX-9", number=2)
    result = triage("erase", "XX-1", "--yes", "--actor", "the.registrar")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "erased: 1 items, 2 run files, 1 models" in result.stderr
    assert f"build them again without the record: {used}" in result.stderr
    assert canary not in result.output
    assert references(settings) == [["D-1", "XX-2", "OTHER-1"]] * 2
    (item,) = published_file.items_of("XX-1")
    assert (dict(item.p_families), item.evidence) == ({}, ())
    assert [part.text is None for part in published_file.texts(item.item_id)] == [True, False]
    logged = published_file.events()[-1].event
    assert (logged.actor, logged.action, logged.subject) == ("the.registrar", "erasure", "XX-1")
    assert logged.details == {"run_files": 2, "models": 1, "items": 1, "parts": 1, "notes": 0}
    marks = {each["model_id"]: each["erased"] for each in registry.marked_listing(settings.registry_dir)}
    assert marks == {used: 1, other: 0}
    assert "XX-1" not in (settings.registry_dir / used / "marks.jsonl").read_text(encoding="utf-8")
    loaded = registry.load(settings.registry_dir, used, trusted=trusted_by(settings))
    assert loaded.model_id == used, "a marked model still ranks"
    shown = triage("models").stdout
    assert re.search(rf"{used} .* 1\s*$", shown, re.MULTILINE)
    assert re.search(rf"{other} .* \d+\s*$", shown, re.MULTILINE)
    assert "erased" in shown


def test_erasing_again_marks_and_removes_nothing_more(
    published_file: Store, settings: Settings, triage: Triage
) -> None:
    used = a_model(settings, "XX-1")
    assert triage("erase", "XX-1", "--yes").exit_code == 0
    before = {path: path.read_bytes() for path in settings.data_dir.parent.rglob("*") if path.is_file()}
    again = triage("erase", "XX-1", "--yes")
    assert again.exit_code == 0, again.output
    assert "erased: 1 items, 0 run files, 1 models" in again.stderr
    unlike = {path.name for path, content in before.items() if path.read_bytes() != content}
    assert unlike <= {"triage.db", "triage.db-wal", "triage.db-shm"}
    assert published_file.events()[-1].event.details["parts"] == 0
    assert len((settings.registry_dir / used / "marks.jsonl").read_text().splitlines()) == 1


def test_a_record_that_was_never_queued_goes_too(
    published_file: Store, settings: Settings, triage: Triage
) -> None:
    result = triage("erase", "OTHER-1", "--yes")
    assert result.exit_code == 0, result.output
    assert references(settings) == [["XX-1", "D-1", "XX-2"]] * 2
    assert published_file.events()[-1].event.details == {"run_files": 2, "models": 0}


@pytest.mark.parametrize("reference", ["XX-9", "xx-1", "", "XX-1 "])
def test_an_unknown_reference_is_an_error(
    published_file: Store, settings: Settings, triage: Triage, reference: str
) -> None:
    before = len(published_file.events())
    result = triage("erase", "--yes", "--", reference)
    assert result.exit_code == 2
    assert "nothing is held under this reference" in result.stderr
    assert len(published_file.events()) == before


def test_nobody_is_asked_without_a_terminal(
    published_file: Store, settings: Settings, triage: Triage, canary: str
) -> None:
    result = triage("erase", "XX-1")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    assert canary in str(published_file.texts(published_file.items_of("XX-1")[0].item_id))


@pytest.mark.parametrize(("answer", "erased"), [("n", False), ("", False), ("y", True)])
def test_a_terminal_is_asked_first(
    published_file: Store, settings: Settings, answer: str, erased: bool
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb") as keyboard:
        process = subprocess.Popen(
            [sys.executable, "-m", "triage", "erase", "XX-1"],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        os.close(theirs)
        keyboard.write(f"{answer}\n".encode())
        keyboard.flush()
        _, told = process.communicate()
    assert "1 items, 2 run files, 0 models" in told
    assert "Erase for good? [y/N]" in told
    assert process.returncode == (0 if erased else 2), told
    (item,) = published_file.items_of("XX-1")
    assert (item.evidence == ()) == erased
    assert ("XX-1" not in references(settings)[0]) == erased


@pytest.mark.parametrize(("actor", "code"), [("fay.registrar", 0), ("an.auditor", 14), ("forces-group", 14)])
def test_only_who_has_the_role_erases_where_people_sign_in(
    published_file: Store,
    settings: Settings,
    triage: Triage,
    monkeypatch: pytest.MonkeyPatch,
    actor: str,
    code: int,
) -> None:
    members = {"registrar": ["fay.registrar"], "auditor": ["an.auditor"], "administrator": ["forces-group"]}
    monkeypatch.setenv("TRIAGE_ACCESS_MODE", "proxy")
    monkeypatch.setenv("TRIAGE_ROLE_MEMBERS", json.dumps(members))
    before = len(published_file.events())
    result = triage("erase", "XX-1", "--yes", "--actor", actor)
    assert result.exit_code == code, result.output
    assert (len(published_file.events()) > before) == (code == 0)
    assert code == 0 or "erase is for registrar" in result.stderr


def test_no_record_is_erased_while_a_night_runs(
    published_file: Store, settings: Settings, triage: Triage
) -> None:
    with published_file.night_lock():
        result = triage("erase", "XX-1", "--yes")
    assert result.exit_code == 13
    assert "another night is running" in result.stderr
    assert "XX-1" in references(settings)[0]


def test_what_a_killed_night_left_goes_too(published_file: Store, settings: Settings, triage: Triage) -> None:
    left = run_folder(settings.data_dir, "run-3") / ".scores.parquet.part"
    left.parent.mkdir()
    pl.DataFrame(SCORES).write_parquet(left)
    assert triage("erase", "XX-1", "--yes").exit_code == 0
    assert not left.exists()


def test_a_file_that_cannot_be_read_stops_before_anything_is_erased(
    published_file: Store, settings: Settings, triage: Triage, canary: str
) -> None:
    path = run_folder(settings.data_dir, "run-1") / "scores.parquet"
    path.write_bytes(b"no parquet")
    result = triage("erase", "XX-1", "--yes")
    assert result.exit_code == 13
    assert "run-1/scores.parquet" in result.stderr
    assert canary in str(published_file.texts(published_file.items_of("XX-1")[0].item_id))


@pytest.mark.parametrize("name", ["sources.json.gz", "marks.jsonl"])
def test_a_list_or_mark_of_a_model_that_was_altered_is_named(
    published_file: Store, settings: Settings, triage: Triage, name: str
) -> None:
    path = settings.registry_dir / a_model(settings, "XX-1") / name
    path.write_bytes(b"altered")
    result = triage("erase", "XX-1", "--yes")
    assert result.exit_code == 12
    assert name in result.stderr
    path.unlink()


def test_a_model_without_a_list_is_said_to_be_unknown(
    published_file: Store, settings: Settings, triage: Triage
) -> None:
    model_id = a_model(settings, "XX-1")
    path = settings.registry_dir / model_id / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["sha256"]["sources.json.gz"]
    path.write_text(json.dumps(manifest))
    result = triage("erase", "XX-1", "--yes")
    assert result.exit_code == 0
    assert f"models of which it is not known: {model_id}" in result.stderr


def test_the_shipped_corpus_is_in_no_list_and_own_labelled_records_are(
    settings: Settings, tmp_path: Path
) -> None:
    shipped = build_and_register("dash_count", settings, as_of=AS_OF)
    corpus = Path(__file__).parents[2] / "training_data" / "corpus" / "w1.jsonl"
    own = tmp_path / "own.jsonl"
    own.write_text(corpus.read_text(encoding="utf-8"), encoding="utf-8")
    reference = json.loads(own.read_text(encoding="utf-8").splitlines()[0])["id"]
    built = build_and_register("dash_count", settings, as_of=AS_OF, corpus=[own])
    assert built != shipped
    assert registry.users_of(settings.registry_dir, reference) == registry.Users((built,), ())


# The log


def test_verify_prints_events_and_head(published: Store, triage: Triage) -> None:
    head = published.verify_chain().head
    result = triage("audit", "verify")
    assert (result.exit_code, result.stdout) == (0, f"1 audit events, unbroken\nhead {head}\n")
    published.record(AuditEvent(AS_OF, "fay", "alteration", "model"))
    grown = triage("audit", "verify", "--head", head.upper())
    assert grown.exit_code == 0
    assert "the noted head is that of event 1; 1 events were written since" in grown.stdout


@pytest.mark.parametrize(
    ("tampering", "told"),
    [
        ("UPDATE audit_events SET actor = 'other' WHERE number = 2", "event 2 of 3 (altered)"),
        ("DELETE FROM audit_events WHERE number = 2", "event 2 of 2 (removed)"),
        ("UPDATE audit_events SET number = 0 WHERE number = 3", "event 1 of 3 (inserted)"),
    ],
)
def test_verify_names_the_first_bad_event(
    published_file: Store, triage: Triage, tampering: str, told: str
) -> None:
    for subject in ("one", "two"):
        published_file.record(AuditEvent(AS_OF, "fay", "alteration", subject))
    _unguarded(published_file, tampering)
    for command in (("audit", "verify"), ("store", "check")):
        result = triage(*command)
        assert result.exit_code == 13
        assert told in result.stderr
    listed = triage("audit", "list")
    assert told in listed.stderr
    assert listed.exit_code == 0


def test_verify_sees_a_cut_off_end_only_beside_a_noted_head(published_file: Store, triage: Triage) -> None:
    published_file.record(AuditEvent(AS_OF, "fay", "alteration", "model"))
    head = published_file.verify_chain().head
    _unguarded(published_file, "DELETE FROM audit_events WHERE number = 2")
    assert triage("audit", "verify").exit_code == 0
    result = triage("audit", "verify", "--head", head)
    assert result.exit_code == 13
    assert "removed from the end" in result.stderr


@pytest.mark.parametrize("head", ["", "abc", "g" * 64, "f" * 65])
def test_a_head_that_is_none_is_refused(published_file: Store, triage: Triage, head: str) -> None:
    assert triage("audit", "verify", "--head", head).exit_code == 2


def test_list_shows_what_is_asked_for(published_file: Store, triage: Triage, canary: str) -> None:
    for minute, (actor, action, subject) in enumerate(
        [("fay", "alteration", "one"), ("fay", "consultation", "two"), ("kim", "consultation", "one")]
    ):
        at = AS_OF + timedelta(minutes=minute)
        published_file.record(
            AuditEvent(at, actor, action, subject, details={"act": "claim", "of": ("a", "b")})
        )
    asked: list[tuple[tuple[str, ...], list[str]]] = [
        ((), ["1", "2", "3", "4"]),
        (("--actor", "fay"), ["2", "3"]),
        (("--action", "consultation"), ["3", "4"]),
        (("--subject", "one"), ["2", "4"]),
        (("--actor", "fay", "--subject", "one"), ["2"]),
        (("--actor", "nobody"), []),
        (("--limit", "2"), ["3", "4"]),
    ]
    for words, numbers in asked:
        result = triage("audit", "list", *words)
        assert result.exit_code == 0, result.output
        assert re.findall(r"^ *(\d+) +\d\d \w+ 2026", result.stdout, re.MULTILINE) == numbers, words
        assert canary not in result.output
    assert re.search(
        r"3 +14 Oct 2026 04:01:00 +fay +consultation +two +act claim, of a;b", triage("audit", "list").stdout
    )
    assert "2 of 4 audit events" in triage("audit", "list", "--limit", "2").stdout


def test_an_unknown_action_lists_the_known(published_file: Store, triage: Triage) -> None:
    result = triage("audit", "list", "--action", "reading")
    assert result.exit_code == 2
    assert "consultation" in result.stderr


def test_a_log_that_cannot_be_read_says_so(published_file: Store, triage: Triage) -> None:
    _unguarded(published_file, "UPDATE audit_events SET details = 'no json' WHERE number = 1")
    result = triage("audit", "list")
    assert result.exit_code == 13
    assert "cannot be read" in result.stderr


def _unguarded(store: Store, tampering: str) -> None:
    with store._engine.begin() as connection:
        for trigger in ("audit_events_no_update", "audit_events_no_delete"):
            connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
        connection.execute(text(tampering))
