"""Alarms, changes and the note, from figures alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from triage.learning.alarms import alarms_of
from triage.learning.audited import Answer, Audited
from triage.learning.calibration import Calibration, calibration
from triage.learning.drift import Shift, ShiftBin, TextShift
from triage.learning.monitor_report import note, report
from triage.learning.monitoring import Observed, Share, Stream, difference, monitor
from triage.review.agreement import Figure
from triage.settings import Settings

END = datetime(2026, 10, 26, 3, tzinfo=UTC)
NOTHING = calibration(np.zeros(0, dtype=bool), np.zeros(0), np.zeros(0))
SHIFT = Shift(
    "closing code", 900, 300, 0.3, 0.02, None, (ShiftBin("NOD", 0.2, 0.6), ShiftBin("ASB", 0.8, 0.5))
)
TEXT = TextShift(200, 100, 0.09, 0.03, 0.04, 0.8, 0.55)


def control(ratio: float, low: float, high: float) -> Calibration:
    return replace(NOTHING, items=50, ratio=Figure(ratio, low, high))


def levels(
    *,
    shift: Shift | None = None,
    text: TextShift | None = None,
    of: Calibration = NOTHING,
    fall: Figure | None = None,
) -> list[str]:
    shifts = [shift] if shift else []
    falls = {"ranked": fall} if fall else {}
    return [each.level for each in alarms_of(shifts, text, of, falls, Settings())]


@pytest.mark.parametrize(
    ("psi", "chance", "expected"),
    [(0.05, 0.01, []), (0.1, 0.01, ["look"]), (0.3, 0.01, ["act"]), (0.3, 0.4, [])],
)
def test_a_shift_counts_from_its_threshold_and_beyond_chance(
    psi: float, chance: float, expected: list[str]
) -> None:
    assert levels(shift=replace(SHIFT, psi=psi, psi_chance=chance)) == expected


def test_texts_raise_an_alarm_each_for_order_and_for_new_words() -> None:
    assert levels(text=TEXT) == ["act", "act"]
    assert levels(text=replace(TEXT, auc=0.65, new_words=0.055)) == ["look", "look"]
    assert levels(text=replace(TEXT, auc=0.65, auc_chance=0.7, new_words=0.055, new_words_chance=0.06)) == []


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        ((1.3, 1.1, 1.5), []),
        ((1.6, 1.1, 2.5), ["look"]),
        ((3.0, 0.9, 6.0), []),
        ((3.0, 1.2, 6.0), ["act"]),
        ((0.4, 0.2, 0.8), ["act"]),
        ((0.0, 0.0, 0.7), ["act"]),
    ],
)
def test_calibration_counts_both_ways_and_only_beyond_its_interval(
    ratio: tuple[float, float, float], expected: list[str]
) -> None:
    assert levels(of=control(*ratio)) == expected


def test_a_fall_counts_and_a_rise_does_not() -> None:
    assert levels(fall=Figure(0.3, 0.1, 0.5)) == ["act"]
    assert levels(fall=Figure(0.15, 0.02, 0.3)) == ["look"]
    assert levels(fall=Figure(0.3, -0.1, 0.7)) == []
    assert levels(fall=Figure(-0.4, -0.6, -0.2)) == []


def test_what_asks_to_act_comes_first_and_thresholds_are_settings() -> None:
    first, second = alarms_of([replace(SHIFT, psi=0.15), SHIFT], None, NOTHING, {}, Settings())
    assert (first.level, second.level) == ("act", "look")
    assert "“NOD” went from 20.0% to 60.0%" in first.how_far
    assert alarms_of([SHIFT], None, NOTHING, {}, Settings(monitor_psi_look=0.4, monitor_psi_act=0.5)) == ()


# Source: Newcombe 1998, Statistics in Medicine 17:873-890, table II, (a) 56/70 - 48/80, method 10.
def test_the_interval_of_a_difference_is_that_of_the_source() -> None:
    from triage.learning.metrics import wilson

    one, other = (
        Share("ranked", date(2026, 3, 2), of, count, Figure(count / of, *wilson(count, of)))
        for count, of in ((56, 70), (48, 80))
    )
    found = difference(one, other)
    assert (found.estimate, found.low, found.high) == (
        pytest.approx(0.2),
        pytest.approx(0.0524, abs=1e-4),
        pytest.approx(0.3339, abs=1e-4),
    )


def observed(items: list[Audited], **more: object) -> Observed:
    empty = {"reference": Stream(), "recent": Stream()}
    given: dict[str, object] = {"streams": empty, "texts": {"reference": [], "recent": []}, **more}
    return Observed(END, "linear-1", texts_from="queued items", items=items, **given)  # type: ignore[arg-type]


def test_nothing_at_all_gives_no_alarm_and_says_what_is_missing() -> None:
    found = monitor(observed([]), Settings())
    words = note(found)
    assert "No alarm, and little that can be said yet." in words
    for said in ("0 records before and 0 now", "0 texts before and 0 now", "no item of the random control"):
        assert said in words
    assert "## Calibration on the random control" in report(found)


def test_a_column_that_files_lack_is_named_and_the_others_are_compared() -> None:
    stream = Stream(sources=["incidents"] * 120, characters=np.arange(120.0))
    found = monitor(observed([], streams={"reference": stream, "recent": stream}), Settings())
    assert [each.name for each in found.shifts] == ["source", "length"]
    assert "drift of opening code: the files of these nights do not hold it" in found.gaps
    assert "drift of score: the model that ranks now did not rank in both windows" in found.gaps


def test_shares_are_by_reader_only_from_ten_decisions_on() -> None:
    def item(number: int, answer: Answer, reader: str) -> Audited:
        return Audited(
            f"i{number}", f"L-{number}", "r", "incidents", "ranked", 1.0, 0.1, END, "m", answer, reader
        )

    items = [item(at, "cannot_say" if at % 3 == 0 else "no", "many") for at in range(12)]
    items += [item(20 + at, "no", "few") for at in range(9)]
    found = monitor(observed(items), Settings())
    assert [(each.name, each.items, each.count) for each in found.cannot_say["reader"]] == [("many", 12, 4)]
    assert [(each.name, each.items) for each in found.cannot_say["arm"]] == [("ranked", 21)]
    assert "many" not in note(found)
    assert "| many |" in report(found)
