"""Champion and challenger on the same nights: what is read, figures by hand, intervals, verdicts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.learning import metrics
from triage.learning.comparison import Comparison, Figure, Rule, compare, verdict
from triage.learning.metrics import Floats
from triage.learning.paired import Calibration, Judged, Precision, Queue, drawn_weights, extend
from triage.learning.temporal import known_at, windows

RULE = Rule(missed_min=5, cell_missed_min=3)


def items(
    missed: list[int], weights: list[float] | None = None, *, certain: list[int] | None = None
) -> Judged:
    size = len(missed)
    return Judged(
        windows=np.zeros(size, dtype=np.int64),
        groups=np.arange(size),
        missed=np.array(missed, dtype=bool),
        weights=np.array(weights or [1.0] * size),
        certain=np.array(certain or [1] * size, dtype=bool),
        first=np.zeros(size, dtype=bool),
    )


def compared(judged: Judged, champion: Floats, challenger: Floats, **options: object) -> Comparison:
    return compare(
        judged,
        champion,
        challenger,
        families=judged.missed[:, None],
        family_names=("rape",),
        cells={"source": np.where(np.arange(len(judged.missed)) % 2, "incidents", "referrals")},
        rule=RULE,
        draws=200,
        **options,  # type: ignore[arg-type]
    )


def period(
    quality: tuple[float, float], *, seed: int, nights: int = 40, eligible: int = 200
) -> tuple[Judged, Floats, Floats]:
    """Return nights of which the champion's top 18 and two drawn ones were read; a tenth are missed."""
    generator = np.random.default_rng(seed)
    size = nights * eligible
    missed = generator.random(size) < 0.1
    scores = [1 / (1 + np.exp(2 - each * missed - generator.normal(size=size))) for each in quality]
    weights, certain = np.zeros(size), np.zeros(size, dtype=bool)
    for begin in range(0, size, eligible):
        order = begin + np.argsort(-scores[0][begin : begin + eligible])
        certain[order[:18]] = True
        weights[generator.choice(order[18:], 2, replace=False)] = (eligible - 18) / 2
    weights[certain] = 1.0
    read = weights > 0
    judged = items(missed[read].tolist(), weights[read].tolist(), certain=certain[read].tolist())
    return judged, scores[0][read], scores[1][read]


def test_a_budget_reads_the_top_and_the_last_item_in_part() -> None:
    judged = items([1, 0, 0, 1], [1.0, 1.0, 6.0, 2.0], certain=[1, 1, 0, 0])
    score = np.array([0.2, 0.1, 0.9, 0.5])
    assert Queue(judged, score).read(judged.weights[None, :])[0] == pytest.approx([0, 0, 2 / 6, 0])
    assert Queue(judged, -score).read(judged.weights[None, :])[0] == pytest.approx([1, 1, 0, 0])


def test_equal_scores_are_read_alike_and_rules_go_first() -> None:
    judged = replace(items([1, 0, 1, 0]), certain=np.array([True, True, False, False]))
    level = Queue(judged, np.full(4, 0.3)).read(np.ones((1, 4)))[0]
    assert level == pytest.approx([0.5] * 4)
    ruled = replace(judged, first=np.array([False, False, False, True]))
    assert Queue(ruled, np.array([0.9, 0.8, 0.7, 0.1])).read(np.ones((1, 4)))[0].tolist() == [1, 0, 0, 1]


def test_each_window_reads_its_own_budget() -> None:
    judged = replace(items([1, 0, 1, 0]), windows=np.array([0, 0, 1, 1]), certain=np.array([True, False] * 2))
    assert Queue(judged, np.array([0.1, 0.2, 0.8, 0.9])).read(np.ones((1, 4)))[0].tolist() == [0, 1, 0, 1]


@given(st.data())
def test_no_budget_is_overspent_and_none_left(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 30))
    weights = data.draw(st.lists(st.floats(0.5, 50), min_size=size, max_size=size))
    certain = data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    score = np.array(data.draw(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=size, max_size=size)))
    judged = items([1] * size, weights, certain=[1, *certain[1:]])
    read = Queue(judged, score).read(judged.weights[None, :])[0]
    assert ((read >= 0) & (read <= 1)).all()
    assert (read * judged.weights).sum() == pytest.approx(judged.weights[judged.certain].sum())
    # Whoever is read at all goes before everybody who is not read to the end.
    for one, other in zip(*np.nonzero(score[:, None] > score[None, :]), strict=True):
        assert read[one] == pytest.approx(1) or read[other] == pytest.approx(0)


def test_precision_and_calibration_are_those_of_scikit_learn_and_of_the_evaluation() -> None:
    generator = np.random.default_rng(3)
    p = np.round(generator.random(300), 2)
    judged = items((generator.random(300) < p).astype(int).tolist(), (1 + generator.random(300)).tolist())
    point = judged.weights[None, :]
    expected = metrics.average_precision(judged.missed, p, judged.weights)
    assert Precision(judged.missed, p).of(point)[0] == pytest.approx(expected)
    plain = items(judged.missed.astype(int).tolist())
    table = metrics.reliability(plain.missed, p, float(plain.missed.mean()))
    error = Calibration(plain, p).error(np.ones((1, 300)))[0]
    assert error == pytest.approx(metrics.calibration_error(table))


def test_the_intercept_is_what_all_log_odds_lack() -> None:
    odds = np.random.default_rng(4).normal(size=50_000)
    truth = np.random.default_rng(5).random(50_000) < 1 / (1 + np.exp(-(odds - 1.0)))
    judged = items(truth.astype(int).tolist())
    intercept = Calibration(judged, 1 / (1 + np.exp(-odds))).intercept(np.ones((1, 50_000)))
    assert intercept[0] == pytest.approx(-1.0, abs=0.05)


def test_figures_by_hand() -> None:
    judged = items([1, 1, 0, 0, 1, 0] * 2, certain=[1, 1, 1, 0, 0, 0] * 2)
    champion = np.array([6, 5, 4, 3, 2, 1] * 2) / 10
    challenger = np.array([6, 5, 1, 2, 4, 3] * 2) / 10
    found = compared(judged, champion, challenger)
    assert found.missed == 6
    recall = found.figure("recall")
    assert (recall.champion, recall.challenger) == pytest.approx((4 / 6, 1.0))
    assert found.figure("precision").challenger == pytest.approx(1.0)
    assert found.overlap == pytest.approx(4 / 6)
    assert [(each.kind, each.name, each.missed) for each in found.cells] == [
        ("family", "rape", 6),
        ("source", "incidents", 2),
        ("source", "referrals", 4),
    ]
    assert found.cells[1].recall is None
    assert found == compared(judged, champion, challenger)


def test_a_handful_of_disagreements_is_no_certainty() -> None:
    missed = np.zeros(400, dtype=int)
    missed[:40] = 1
    judged = items(missed.tolist(), certain=[1] * 100 + [0] * 300)
    champion = np.linspace(1, 0, 400)
    few, many = champion.copy(), champion.copy()
    champion[[0, 1, 2]], champion[3:20] = 0.0, 0.0
    many[3:20], few[3:20], few[0] = 1.0, 0.0, 1.0
    few[[1, 2]] = 0.0
    assert verdict(compared(judged, champion, few), RULE).word != "better"
    assert verdict(compared(judged, champion, many), RULE).word == "better"
    equal = compared(judged, champion, champion)
    assert equal.figure("recall").low < 0 < equal.figure("recall").high


def test_more_challengers_make_wider_intervals() -> None:
    judged, champion, challenger = period((1.0, 1.5), seed=1, nights=20)
    one = compared(judged, champion, challenger).figure("recall")
    many = compared(judged, champion, challenger, comparisons=10).figure("recall")
    assert many.low < one.low
    assert many.high > one.high


def test_who_should_be_replaced_is_and_who_should_not_is_not() -> None:
    words = {
        case: [verdict(compared(*period(case, seed=seed)), RULE).word for seed in range(4)]
        for case in ((0.5, 2.5), (1.5, 1.5), (2.5, 0.5))
    }
    assert words[(0.5, 2.5)].count("better") >= 3
    assert "better" not in words[(1.5, 1.5)] + words[(2.5, 0.5)]
    assert words[(2.5, 0.5)].count("worse") >= 3


def test_drawn_items_of_which_none_was_missed_are_no_proof() -> None:
    judged, champion, challenger = period((1.5, 1.5), seed=2, nights=20)
    none = replace(judged, missed=judged.missed & judged.certain)
    recall = compared(none, champion, challenger).figure("recall")
    shares = [Queue(none, score).read(none.weights[None, :])[0] for score in (champion, challenger)]
    added = extend(none, *shares)
    (weights, invented), *_ = drawn_weights(none, added, seed=0, draws=100)
    assert weights.shape == (100, len(none.missed))
    assert invented.mean(axis=0) == pytest.approx(added.sizes * added.shapes, rel=0.6, abs=1.0)
    assert recall.high > recall.difference + 0.02


@pytest.mark.parametrize(
    ("low", "difference", "high", "word"),
    [
        (0.01, 0.1, 0.2, "better"),
        (-0.04, 0.0, 0.1, "not worse"),
        (-0.04, -0.02, -0.01, "not worse"),
        (-0.3, -0.2, -0.1, "worse"),
        (-0.3, 0.0, 0.3, "not enough evidence"),
    ],
)
def test_the_rule(low: float, difference: float, high: float, word: str) -> None:
    judged = items([1, 0] * 20, certain=[1] * 20 + [0] * 20)
    found = compared(judged, np.linspace(1, 0, 40), np.linspace(1, 0, 40))
    recall = Figure("recall", 0.5, 0.5 + difference, difference, low, high)
    found = replace(found, figures=(recall, *found.figures[1:]))
    assert verdict(found, RULE).word == word
    few = verdict(found, replace(RULE, missed_min=21))
    assert few.word == "not enough evidence"
    assert "21 are needed" in few.reason
    demanding = verdict(found, replace(RULE, gain_min=0.1)).word
    assert demanding == ("not worse" if word == "better" else word)


def test_cautions_name_what_got_worse() -> None:
    generator = np.random.default_rng(7)
    missed = generator.random(600) < 0.4
    judged = items(missed.astype(int).tolist(), certain=[1] * 300 + [0] * 300)
    champion = np.clip(missed * 0.5 + generator.random(600) * 0.5, 0, 1)
    odd = np.arange(600) % 2 == 1
    challenger = np.where(odd, champion / 10, champion)
    said = verdict(compared(judged, champion, challenger), RULE)
    assert any(each.startswith("source incidents") for each in said.cautions)
    assert any(each.startswith("average precision") for each in said.cautions)
    timid = verdict(compared(judged, champion, champion / 10), RULE).cautions
    assert len(timid) == 1
    assert timid[0].startswith("calibration error")
    assert not verdict(compared(judged, champion, champion), RULE).cautions


def test_windows_come_after_what_the_champion_knew() -> None:
    days = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day) for day in range(10)]
    (whole,) = windows([*days, *days], champion_knew=None, nights_most=4)
    assert whole.nights == tuple(days[6:])
    assert whole.cut_off == days[6]
    assert known_at(whole.cut_off, 2.5) == days[3] + timedelta(hours=12)
    later = windows(days, champion_knew=days[7], nights_most=4, parts=3)
    assert [each.nights for each in later] == [(days[8],), (days[9],)]
    assert windows(days, champion_knew=days[9], nights_most=4) == ()


def test_a_small_part_is_hidden_with_the_next_so_that_nobody_can_subtract() -> None:
    judged, champion, challenger = period((1.0, 1.5), seed=4)
    missed = np.flatnonzero(judged.missed)
    names = np.full(len(judged.missed), "West", dtype=object)
    names[missed[:3]], names[missed[3:23]] = "North", "East"
    found = compare(
        judged,
        champion,
        challenger,
        families=judged.missed[:, None],
        family_names=("rape",),
        cells={"area": names.astype(str)},
        rule=replace(RULE, cell_missed_min=10),
        draws=50,
    )
    shown = {cell.name for cell in found.cells if cell.kind == "area" and cell.recall is not None}
    assert shown == {"West"}
