"""``triage monitor`` on real stores: what it finds, what it cannot say, and what it never tells."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.weeks import DAYS, ITEMS, LAST, WEEKS, is_assault, publish_weeks, text_of
from triage.desk.doubts import doubted_items
from triage.desk.monitor_command import check_may_monitor
from triage.settings import Settings
from triage.store import Store, open_store

Triage = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store, and settings of two windows of four weeks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "a.registrar")
    monkeypatch.setenv("TRIAGE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRIAGE_MONITOR_RECENT_DAYS", str(DAYS))
    monkeypatch.setenv("TRIAGE_MONITOR_REFERENCE_DAYS", str(DAYS))
    (tmp_path / "data").mkdir()
    with open_store(f"sqlite:///{tmp_path}/data/triage.db") as opened:
        opened.prepare()
        yield opened


def written(tmp_path: Path) -> tuple[dict[str, Any], Path]:
    folder = tmp_path / "data" / "monitor" / f"{LAST:%Y%m%dT%H%MZ}"
    return json.loads((folder / "monitoring.json").read_text()), folder


def test_steady_weeks_raise_no_alarm_and_every_figure_is_there(
    store: Store, tmp_path: Path, triage: Triage, canary: str
) -> None:
    publish_weeks(store, tmp_path / "data")
    result = triage("monitor")
    assert result.exit_code == 0, result.output
    assert "No alarm." in result.stdout
    found, folder = written(tmp_path)
    assert {each["name"] for each in found["shifts"]} == {
        "source",
        "opening code",
        "closing code",
        "length",
        "score",
    }
    assert all(each["psi"] < 0.01 for each in found["shifts"])
    assert found["texts_from"] == "queued items, which the model chose"
    assert found["text"]["auc"] < 0.6
    assert found["control"]["items"] == WEEKS * 4
    assert len(found["precision"]) == 2 * WEEKS
    assert {each["arm"] for each in found["changes"]} == {"ranked", "control"}
    assert sum(each["count"] for each in found["cannot_say_by_week"]) == WEEKS
    assert found["agreement"]["disclosed"]["items"] == WEEKS
    assert found["doubts"] == []
    report = (folder / "report.md").read_text()
    assert report.startswith("OFFICIAL-SENSITIVE\n")
    pictures = sorted(folder.glob("*.svg"))
    assert [each.name for each in pictures] == ["calibration.svg", "drift.svg", "precision.svg", "scores.svg"]
    for picture in pictures:
        drawn = picture.read_text()
        title = re.search("<title>(.+?)</title>", drawn)
        assert '<svg role="img"' in drawn
        assert title is not None
        assert f"![{html.unescape(title[1])}]({picture.name})" in report
    everything = result.output + "".join(each.read_text() for each in folder.iterdir())
    assert canary not in everything.lower()
    assert "PUNCHED" not in everything


def test_what_moved_is_named_and_said_what_to_do(store: Store, tmp_path: Path, triage: Triage) -> None:
    late = WEEKS // 2
    publish_weeks(
        store,
        tmp_path / "data",
        text=lambda week, number: (
            text_of(number) + (" VIA NEW PORTAL, CONSENT TICKED" if week >= late else "")
        ),
        said=lambda week, number: is_assault(number) and (week < late or number < 4),
        closing_code=lambda week, number: (
            "SINGLE HOME" if week >= late else ("ADVICE", "NO TRACE")[number % 2]
        ),
    )
    result = triage("monitor")
    for words in (
        "ACT: closing code has moved",
        "“SINGLE HOME” went from 0.0% to 100.0%",
        "ACT: texts can be told from those of before",
        "more new words than two like windows have",
        "ACT: fewer reads find a missed crime",
        "- where: ranked arm",
        "- what to do: ",
    ):
        assert words in result.stdout, words


def test_before_any_decision_it_says_what_it_cannot_say(store: Store, tmp_path: Path, triage: Triage) -> None:
    publish_weeks(store, tmp_path / "data", decided=False)
    result = triage("monitor")
    assert result.exit_code == 0
    for words in (
        "no item of the random control has been decided yet",
        "precision and “cannot say”: no item",
        "no item has been read by two people yet",
        "decisions that others contradict: 0 with a crime and 0 without",
    ):
        assert words in result.stdout, words
    found, folder = written(tmp_path)
    assert found["control"]["items"] == 0
    assert {each.name for each in folder.glob("*.svg")} == {"drift.svg", "scores.svg"}


def test_a_moment_before_looks_at_what_was_known_then(store: Store, tmp_path: Path, triage: Triage) -> None:
    publish_weeks(store, tmp_path / "data")
    early = triage("monitor", "--as-of", "2026-10-06T00:00:00+00:00")
    assert early.exit_code == 0
    folder = tmp_path / "data" / "monitor" / "20261006T0000Z"
    found = json.loads((folder / "monitoring.json").read_text())
    # Of the fifth night only the item that two people read is closed; one decision may still be corrected.
    assert sum(each["items"] for each in found["cannot_say_by_week"]) == 4 * ITEMS + 1
    none = triage("monitor", "--as-of", "2020-01-01")
    assert none.exit_code == 2
    assert "no night has been published yet" in none.stderr


def test_decisions_that_others_contradict_are_listed_and_stand(
    store: Store, tmp_path: Path, triage: Triage
) -> None:
    wrong = {(2, 11), (5, 6)}
    publish_weeks(
        store, tmp_path / "data", said=lambda week, number: is_assault(number) != ((week, number) in wrong)
    )
    result = triage("monitor")
    assert "2 decisions that others contradict wait on the registrar's desk" in result.stdout
    assert "L-2-011" in result.stdout
    assert "L-5-006" in result.stdout
    listed = doubted_items(Settings())
    assert {(given, suggested) for _, given, suggested in listed} == {("no", "yes"), ("yes", "no")}
    for item_id, given, _ in listed:
        (decision,) = [each for each in store.history(item_id) if each.act == "decide"]
        assert decision.outcome is not None
        assert decision.outcome.disclosed == given


def test_groups_give_figures_of_fairness_and_no_value_of_theirs_goes_elsewhere(
    store: Store, tmp_path: Path, triage: Triage
) -> None:
    publish_weeks(store, tmp_path / "data")
    lines = ["record_ref,victim_sex,age_band"]
    lines += [
        f"L-{week}-{number:03d},{'F' if number % 2 else 'M'}," for week in range(8) for number in range(20)
    ]
    lines[3] = "L-0-002,X,16-17"
    (tmp_path / "groups.csv").write_text("\n".join(lines) + "\n")
    assert triage("monitor", "--groups", "groups.csv").exit_code == 0
    _, folder = written(tmp_path)
    by = {each["name"]: each for each in json.loads((folder / "fairness.json").read_text())["by"]}
    assert set(by) == {"source", "victim_sex", "age_band"}
    sexes = {each["name"]: each for each in by["victim_sex"]["cells"]}
    assert sexes["X"]["read"] is None
    # One record is hidden, and another group with it.
    assert sum(each["read"] is None for each in sexes.values()) == 2
    assert "### By victim sex" in (folder / "fairness.md").read_text()
    assert "16-17" not in (folder / "report.md").read_text() + (folder / "monitoring.json").read_text()
    last = store.events()[-1].event
    assert (last.subject, last.actor, last.details["groups"]) == (
        "monitoring",
        "a.registrar",
        ("victim_sex", "age_band"),
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("victim_sex\nF\n", "needs record_ref"),
        ("record_ref\nL-1\n", "one to 8 other columns"),
        ("record_ref,sex\nL-1,F\nL-1,M\n", "or one twice"),
        ("record_ref,name\n" + "".join(f"L-{n},person {n}\n" for n in range(60)), "more than 40"),
        ("", "cannot be read"),
    ],
)
def test_a_table_that_holds_no_groups_is_refused_without_its_values(
    store: Store, tmp_path: Path, triage: Triage, content: str, words: str
) -> None:
    assert store.runs() == ()
    (tmp_path / "groups.csv").write_text(content)
    result = triage("monitor", "--groups", "groups.csv")
    assert result.exit_code == 2
    assert words in result.stderr
    assert "person 3" not in result.stderr


def test_words_that_do_not_fit(store: Store, tmp_path: Path, triage: Triage) -> None:
    publish_weeks(store, tmp_path / "data", decided=False)
    assert "needs the other one" in triage("monitor", "--extract", str(tmp_path)).stderr
    assert "known: .csv, .parquet" in triage("monitor", "--groups", "groups.pdf").stderr
    member = {"TRIAGE_ACCESS_MODE": "proxy", "TRIAGE_ROLE_MEMBERS": '{"registrar": ["a.registrar"]}'}
    assert triage("monitor", "--actor", "an.auditor", **member).exit_code == 14
    check_may_monitor(
        Settings(access_mode="proxy", role_members={"registrar": ("a.registrar",)}), "a.registrar"
    )


def test_extracts_are_compared_record_by_record(store: Store, tmp_path: Path, triage: Triage) -> None:
    publish_weeks(store, tmp_path / "data", decided=False)
    for name, ending in (("old", "ADVICE GIVEN"), ("new", "ADVICE GIVEN VIA NEW PORTAL")):
        folder = tmp_path / name
        folder.mkdir()
        rows = [
            f"X-{at},2026-10-20T10:00:00+00:00,{text_of(at).replace(',', '')} {ending}" for at in range(70)
        ]
        (folder / "incidents.csv").write_text("\n".join(["record_ref,opened_at,text", *rows]) + "\n")
    assert triage("monitor", "--extract", "new", "--reference", "old").exit_code == 0
    found, _ = written(tmp_path)
    assert found["texts_from"] == "all records of two extracts"
    assert (found["text"]["reference"], found["text"]["recent"]) == (70, 70)
    assert found["text"]["auc"] > 0.9
