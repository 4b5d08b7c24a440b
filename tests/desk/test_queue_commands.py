"""The queue at a terminal and in files: what is shown, what is logged, and what never shows."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from python_calamine import CalamineWorkbook

from triage.desk.item_page import item_page
from triage.desk.queue_export import evidence_cell
from triage.ranking.scoring import LOWERS
from triage.store import AuditEvent, Publication, Store

Triage = Callable[..., Any]


def last_event(store: Store) -> AuditEvent:
    return store.events()[-1].event


def test_list_shows_the_queue_without_text_or_arm(published: Store, triage: Triage, canary: str) -> None:
    result = triage("queue", "list")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == lines[-1] == "OFFICIAL-SENSITIVE"
    first = next(line for line in lines if "XX-1" in line).split()
    assert first[:4] == ["1", "XX-1", "incidents", "non_fatal_strangulation"]
    assert "0.830" not in result.stdout
    assert " 12 Oct 2026 22:00 " in " ".join(first)
    assert "30 h" in " ".join(first)
    assert "control" not in result.stdout
    assert canary not in result.output


def test_list_shows_arms_only_when_asked(published_file: Store, triage: Triage) -> None:
    shown = triage("queue", "list", "--arms", "--limit", "2").stdout
    assert re.search(r"1\s+XX-1\s+rule\s+incidents\s+0\.830", shown)
    assert "2 of 3 items" in shown
    assert "XX-3" not in shown


def test_list_logs_nothing(published_file: Store, triage: Triage) -> None:
    before = len(published_file.events())
    triage("queue", "list")
    assert len(published_file.events()) == before


def test_show_gives_the_whole_item_with_its_evidence(published: Store, triage: Triage, canary: str) -> None:
    result = triage("queue", "show", "XX-1", "--actor", "a.reader")
    assert result.exit_code == 0, result.stderr
    shown = result.stdout
    for wanted in (
        f"22:14 CALL: HE ⟦non_fatal_strangulation: GRABBED HER THROAT⟧ {canary}\n",
        "\n22:40 UPD: ⟦speaks against: ALL QUIET⟧, CRIMED 42/70123/26\n",
        "    Q1 injury N\n    ⟦non_fatal_strangulation: Q18 strangulation Y⟧\n",
        "12 Oct 2026 22:00, closed 13 Oct 2026 00:00",
        "opening DOMESTIC INCIDENT, closing NOD",
        "42/1/26: 105/01, recorded",
        "crime 42/70123/26: unknown",
        "2. D-1 (assessments) same incident",
        "unrecorded       non_fatal_strangulation\n",
        "Strangulation answered yes",
    ):
        assert wanted in shown
    assert shown.startswith("OFFICIAL-SENSITIVE\nXX-1 (incidents)\n")
    assert shown.endswith("\nA suggestion for audit, not a finding.\nOFFICIAL-SENSITIVE\n")
    # Neither arm nor probability: both tell, or let guess, which items are the control arm's.
    assert not re.search(r"\barm\b|\bany 0|0\.[89]|score|probability", shown)


def test_the_answer_that_met_a_rule_is_marked_without_a_model(publication: Publication) -> None:
    item, texts = replace(publication.items[0], evidence=()), publication.texts[:2]
    page = item_page(item, texts, zone=ZoneInfo("Europe/London"), marking="SECRET", colour=False)
    lines = [line.plain for line in page]
    assert "    ⟦non_fatal_strangulation: Q18 strangulation Y⟧" in lines
    assert "    Q1 injury N" in lines
    assert lines[0] == lines[-1] == "SECRET"
    assert sum("⟦" in line for line in lines) == 1


def test_a_recorded_family_is_suggested_for_another_victim(publication: Publication) -> None:
    item = replace(publication.items[0], families=("violence_without_injury", "rape"))
    texts = publication.texts[:2]
    for status, said in (
        ("recorded", ", perhaps of another victim than the recorded one"),
        ("cancelled", ""),
    ):
        crimes = tuple(replace(each, status=status) for text in texts for each in text.crimes)
        changed = [replace(text, crimes=crimes) for text in texts]
        page = item_page(item, changed, zone=ZoneInfo("Europe/London"), marking="SECRET", colour=False)
        lines = [line.plain.strip() for line in page]
        assert f"unrecorded       violence_without_injury{said}" in lines
        assert "rape" in lines


def test_show_logs_one_consultation_without_text(
    published: Store, publication: Publication, triage: Triage, canary: str
) -> None:
    before = len(published.events())
    triage("queue", "show", "XX-1", "--actor", "a.reader")
    assert len(published.events()) == before + 1
    event = last_event(published)
    assert (event.actor, event.action, event.subject) == (
        "a.reader",
        "consultation",
        publication.items[0].item_id,
    )
    assert canary not in repr(event)


def test_the_login_name_is_the_actor(published_file: Store, triage: Triage) -> None:
    triage("queue", "show", "XX-3")
    assert last_event(published_file).actor == "an.auditor"


def test_a_part_finds_its_item(published: Store, triage: Triage) -> None:
    assert triage("queue", "show", "D-1").stdout == triage("queue", "show", "XX-1").stdout


def test_a_record_without_narrative_says_so(published_file: Store, triage: Triage) -> None:
    assert "empty: there is no narrative to read" in triage("queue", "show", "XX-3").stdout


def test_an_erased_text_says_so(
    published: Store, publication: Publication, triage: Triage, canary: str
) -> None:
    later = publication.run.as_of + timedelta(days=91)
    published.purge_texts(later, AuditEvent(later, "purge", "erasure", "texts"))
    result = triage("queue", "show", "XX-1")
    assert result.exit_code == 0
    assert "purged or erased; its retention date was 12 Jan 2027" in result.stdout
    assert canary not in result.stdout


def test_a_hostile_text_cannot_act_on_the_screen(published_file: Store, triage: Triage) -> None:
    shown = triage("queue", "show", "=XX-2").stdout
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "⟦theft (denied by suspect): ␛]0;o⟧wned␇[bold red]x[/] [rape: forged] :smile:" in shown


def test_colour_marks_evidence_in_a_terminal(published_file: Store, triage: Triage) -> None:
    shown = triage("queue", "show", "XX-1", FORCE_COLOR="1", TERM="xterm-256color", COLUMNS="200").stdout
    assert re.search(
        "\x1b\\[1;30;48;5;210mGRABBED HER THROAT\x1b\\[0m\x1b\\[3m‹non_fatal_strangulation›", shown
    )
    assert "⟦" not in shown
    plain = triage("queue", "show", "XX-1", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1").stdout
    assert "⟦non_fatal_strangulation: GRABBED HER THROAT⟧" in plain


def test_an_unknown_reference_ends_with_2_and_logs_nothing(published_file: Store, triage: Triage) -> None:
    before = len(published_file.events())
    result = triage("queue", "show", "ABSENT")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("no queued item has this reference\n")
    assert len(published_file.events()) == before


def test_a_later_text_of_one_reference_comes_first(
    published: Store, publication: Publication, triage: Triage, canary: str
) -> None:
    item, text = publication.items[2], publication.texts[3]
    run = replace(
        publication.run, run_id="20261015T0300Z-ffff0000", as_of=publication.run.as_of + timedelta(days=1)
    )
    again = replace(item, item_id="feed", run_id=run.run_id, content_hash="other", queued_at=run.as_of)
    place = replace(publication.places[2], position=1, item_id="feed")
    later = replace(text, item_id="feed", text=f"SHE CALLED BACK {canary}")
    published.publish(
        Publication(run=run, items=(again,), texts=(later,), places=(place,)),
        AuditEvent(run.published_at, "nightly", "combination", run.run_id, run.run_id),
    )
    result = triage("queue", "show", "XX-3")
    assert "SHE CALLED BACK" in result.stdout
    assert "empty" not in result.stdout
    assert "1 earlier items" in result.stderr
    both = triage("queue", "show", "XX-3", "--earlier").stdout
    assert both.index("SHE CALLED BACK") < both.index("empty: there is no narrative")
    assert "1 of 1 items" in triage("queue", "list").stdout
    assert "3 of 3 items" in triage("queue", "list", "--run", publication.run.run_id).stdout


def test_csv_export_is_marked_safe_and_logged(
    published: Store, publication: Publication, triage: Triage, tmp_path: Path, canary: str
) -> None:
    out = tmp_path / "queue.csv"
    result = triage("queue", "export", "--out", str(out), "--actor", "a.reader")
    assert result.exit_code == 0, result.stderr
    assert canary not in result.output
    rows = list(csv.DictReader(io.StringIO(out.read_bytes().decode("utf-8-sig"), newline="")))
    assert [row["reference"] for row in rows] == ["XX-1", "'=XX-2", "XX-3"]
    assert {row["marking"] for row in rows} == {"OFFICIAL-SENSITIVE"}
    assert rows[0]["evidence"] == (
        "non_fatal_strangulation: question 18 Y\nnon_fatal_strangulation: "
        f"22:14 CALL: HE ⟦GRABBED HER THROAT⟧ {canary} 22:40 UPD: ALL Q…"
    )
    assert rows[0]["reasons"].startswith("Strangulation answered yes")
    assert rows[0]["reasons"].endswith("likeliest Non-fatal strangulation")
    assert "arm" not in rows[0]
    event = last_event(published)
    assert (event.actor, event.action, event.subject) == ("a.reader", "disclosure", publication.run.run_id)


def test_an_excerpt_says_how_the_text_speaks_and_what_speaks_against_is_left_out(
    publication: Publication,
) -> None:
    (log, *_), texts = publication.items, publication.texts[:2]
    statuses = ("denied_by_suspect", "", LOWERS, "historic", "asserted", "future")
    evidence = tuple(
        replace(log.evidence[1], family="" if status == LOWERS else "rape", status=status)
        for status in statuses
    )
    lines = evidence_cell(replace(log, evidence=evidence), texts).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["rape (denied by suspect)", "rape", "rape (historic)"]
    assert evidence_cell(replace(log, evidence=evidence[2:3]), texts) == ""


def test_the_page_marks_what_speaks_against_and_how_an_act_is_told(publication: Publication) -> None:
    (log, *_), texts = publication.items, publication.texts[:2]
    spans = [replace(each, status="historic") for each in log.evidence if each.family]
    item = replace(log, evidence=(*spans, *(each for each in log.evidence if not each.family)))
    page = item_page(item, texts, zone=ZoneInfo("Europe/London"), marking="SECRET", colour=False)
    shown = "\n".join(line.plain for line in page)
    assert "HE ⟦non_fatal_strangulation (historic): GRABBED HER THROAT⟧" in shown
    assert "UPD: ⟦speaks against: ALL QUIET⟧," in shown


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_the_same_run_exports_to_the_same_bytes(
    published_file: Store, triage: Triage, tmp_path: Path, ending: str
) -> None:
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    for out in (first, second):
        assert triage("queue", "export", "--out", str(out)).exit_code == 0
    assert first.read_bytes() == second.read_bytes()


def test_xlsx_export_reads_back(published_file: Store, triage: Triage, tmp_path: Path) -> None:
    out = tmp_path / "queue.xlsx"
    assert triage("queue", "export", "--out", str(out)).exit_code == 0
    book = CalamineWorkbook.from_path(str(out))
    rows = book.get_sheet_by_name("Queue").to_python()
    assert rows[0][:3] == ["marking", "position", "reference"]
    assert [row[1:4] for row in rows[1:]] == [
        [1, "XX-1", "incidents"],
        [2, "'=XX-2", "referrals"],
        [3, "XX-3", "incidents"],
    ]
    notes = dict(book.get_sheet_by_name("Notes").to_python())
    assert notes["What it is"] == "A suggestion for audit, not a finding."
    assert notes["Model"] == "linear-20261001-abcdef01"


def test_a_wrong_ending_is_refused_before_anything_is_logged(
    published_file: Store, triage: Triage, tmp_path: Path
) -> None:
    before = len(published_file.events())
    result = triage("queue", "export", "--out", str(tmp_path / "queue.ods"))
    assert result.exit_code == 2
    assert ".csv, .xlsx" in result.stderr
    assert len(published_file.events()) == before


@pytest.mark.parametrize("words", [("list",), ("export", "--out", "a.csv")])
def test_an_unknown_run_lists_the_known_ones(
    published_file: Store, publication: Publication, triage: Triage, words: tuple[str, ...]
) -> None:
    result = triage("queue", *words, "--run", "absent")
    assert result.exit_code == 2
    assert publication.run.run_id in result.stderr


@pytest.mark.parametrize("actor", ["", "  ", "a\nb", "x" * 101])
def test_an_unreadable_actor_is_refused(published_file: Store, triage: Triage, actor: str) -> None:
    result = triage("queue", "show", "XX-1", "--actor", actor)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--actor" in result.stderr


def test_runs_and_store_check(published: Store, triage: Triage, publication: Publication) -> None:
    runs = triage("runs").stdout
    assert publication.run.run_id in runs
    assert "arms (control 1, ranked 1, rule 1), records 4" in runs
    checked = triage("store", "check")
    assert (checked.exit_code, checked.stdout) == (
        0,
        "the store is of this version; 1 runs, 1 audit events, unbroken\n",
    )


def test_without_a_store_the_queue_ends_with_13(
    triage: Triage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = triage("queue", "list")
    assert result.exit_code == 13
    assert "mend:" in result.stderr
    assert list(tmp_path.rglob("*.db")) == []


def test_upgrade_makes_a_store_whose_queue_is_empty(
    triage: Triage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert triage("store", "upgrade", "--actor", "an.administrator").stdout.startswith(
        "the store was brought"
    )
    assert "already" in triage("store", "upgrade", "--actor", "an.administrator").stdout
    result = triage("queue", "list")
    assert result.exit_code == 2
    assert "no queue has been published yet" in result.stderr


def test_the_real_command_shows_text_in_one_place_only(published_file: Store, canary: str) -> None:
    """A terminal that knows only ASCII still gets the text, its marks as numbers."""
    words = [sys.executable, "-m", "triage", "queue", "show", "XX-1", "--actor", "a.reader"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, check=True, env=environment)
    assert canary.encode() in done.stdout
    assert b"\\u27e6non_fatal_strangulation: GRABBED HER THROAT\\u27e7" in done.stdout
    assert done.stderr == b""
