"""Which clause carries a family, read among its neighbours."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from triage.language.disclosures import PHRASES
from triage.language.offences import FAMILIES
from triage.language.text import Reading, read_texts
from triage.ranking.clause_layer import ClauseLayer, ClauseOdds, _candidates, _inputs
from triage.ranking.fitted import FLOOR, Bools, Floats
from triage.reading.records import Record

COLUMNS = len(FAMILIES) + 2


def reading_of(texts: list[str]) -> Reading:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    records = [Record("incidents", f"L{at}", moment, moment, text) for at, text in enumerate(texts)]
    return read_texts(records, PHRASES)


@pytest.fixture(scope="module")
def told() -> tuple[Reading, Floats, Bools]:
    """Six hundred records of four clauses: the second seems an act, unless the third takes it away."""
    chance = np.random.default_rng(0)
    reading = reading_of(["A. B. C. D."] * 600)
    clauses = chance.normal(-2, 0.3, size=(2400, COLUMNS))
    clauses[1::4, 0] = chance.normal(1, 0.3, size=600)
    cancelled = chance.random(600) < 0.5
    clauses[2::4, -1] = np.where(cancelled, 2.0, -2.0)
    carries = np.zeros((2400, len(FAMILIES)), dtype=bool)
    carries[1::4, 0] = ~cancelled
    return reading, clauses, carries


def test_an_act_that_the_next_clause_takes_away_is_not_carried(
    told: tuple[Reading, Floats, Bools],
) -> None:
    reading, clauses, carries = told
    half = np.arange(600) < 300
    layer = ClauseLayer().fit(reading, clauses, carries, half)
    found = layer.predict(reading, clauses)
    surest = found.strongest(reading.owners, 600, len(FAMILIES))[300:, 0, 0]
    stands = carries[1::4, 0][300:]
    assert surest[stands].min() > 0 > surest[~stands].max()


def test_weights_count(told: tuple[Reading, Floats, Bools]) -> None:
    reading, clauses, carries = told
    everyone = np.ones(600, dtype=bool)
    heavy = np.where(carries[1::4, 0], 9.0, 1.0)
    blurred = clauses.copy()
    blurred[2::4, -1] = 0.0
    said = [
        ClauseLayer().fit(reading, blurred, carries, everyone, weight).predict(reading, blurred)
        for weight in (None, heavy)
    ]
    assert said[1].log_odds.mean() > said[0].log_odds.mean() + 1


def test_with_nothing_to_learn_a_clause_counts_as_its_reader_says(
    told: tuple[Reading, Floats, Bools],
) -> None:
    reading, clauses, carries = told
    nobody = np.zeros(600, dtype=bool)
    for rows, marks in ((nobody, carries), (~nobody, np.zeros_like(carries))):
        layer = ClauseLayer().fit(reading, clauses, marks, rows)
        found = layer.predict(reading, clauses)
        assert found.log_odds.tolist() == clauses[found.clauses, found.families].tolist()


def test_the_two_largest_margins_of_a_record_and_family_are_looked_at() -> None:
    reading = reading_of(["A. B. C. D.", "", "E. F."])
    clauses = np.full((6, COLUMNS), -2.0)
    clauses[:4, 0] = [0.1, 0.5, 0.3, 0.5]
    clauses[:, 3] = [-0.9, -0.7, -0.9, -0.9, 1.0, -0.9]
    clauses[:, -2:] = 5.0
    at, family = _candidates(reading, clauses, np.ones(3, dtype=bool))
    assert list(zip(at.tolist(), family.tolist(), strict=True)) == [(1, 0), (1, 3), (3, 0), (4, 3)]
    assert _candidates(reading, clauses, np.array([False, True, True]))[0].tolist() == [4]


def test_neighbours_are_of_the_same_record() -> None:
    reading = reading_of(["A. B. C.", "D. E."])
    clauses = np.arange(5 * COLUMNS, dtype=float).reshape(5, COLUMNS) / 100
    found = _inputs(reading, clauses, np.array([1, 3]), np.array([0, 2]))
    own, two_before, before, after, two_after = (found[:, 3 * at : 3 * at + 3] for at in range(5))
    none = [-3.0, -3.0, -3.0]
    assert own.tolist() == [clauses[1, [0, -2, -1]].tolist(), clauses[3, [2, -2, -1]].tolist()]
    assert before.tolist() == [clauses[0, [0, -2, -1]].tolist(), none]
    assert after.tolist() == [clauses[2, [0, -2, -1]].tolist(), clauses[4, [2, -2, -1]].tolist()]
    assert two_before.tolist() == [none, none]
    assert two_after.tolist() == [none, none]
    assert found[:, 15] == pytest.approx([0.14, 0.12])
    assert found.shape == (2, 16)


def test_each_record_has_its_strongest_clauses_in_any_company() -> None:
    carried = ClauseOdds(np.array([0, 1, 1, 4]), np.array([2, 2, 3, 2]), np.array([-9.0, 1.5, 0.5, 2.5]))
    owners = np.array([0, 0, 0, 2, 2])
    found = carried.strongest(owners, 3, 4)
    assert found.shape == (3, 4, 2)
    assert found[0, 2].tolist() == [1.5, FLOOR]
    assert found[0, 3].tolist() == [0.5, FLOOR]
    assert found[2, 2].tolist() == [2.5, FLOOR]
    assert (found[1] == FLOOR).all()


def test_clauses_that_were_looked_at_go_before_all_others() -> None:
    margins = np.array([[3.0, 50.0], [1.0, -50.0], [2.0, 0.0]])
    carried = ClauseOdds(np.array([1, 2]), np.array([0, 1]), np.array([-8.0, 0.5]))
    found = carried.over(margins)
    assert np.argsort(-found[:, 0]).tolist() == [1, 0, 2]
    assert np.argsort(-found[:, 1]).tolist() == [2, 0, 1]
    assert margins[1, 0] == 1.0


def test_of_clauses_that_carry_a_family_alike_the_one_with_the_larger_margin_goes_first() -> None:
    margins = np.array([[0.2], [1.5], [0.4]])
    alike = ClauseOdds(np.array([0, 1, 2]), np.zeros(3, dtype=np.int64), np.array([0.7, 0.7, 0.7]))
    assert np.argsort(-alike.over(margins)[:, 0]).tolist() == [1, 2, 0]
    surer = ClauseOdds(np.array([0, 1, 2]), np.zeros(3, dtype=np.int64), np.array([0.8, 0.7, 0.7]))
    assert np.argsort(-surer.over(margins)[:, 0]).tolist() == [0, 1, 2]


def test_a_night_without_texts_has_no_clause() -> None:
    for texts in ([], ["", ""]):
        reading = reading_of(texts)
        clauses = np.zeros((0, COLUMNS))
        layer = ClauseLayer().fit(
            reading, clauses, np.zeros((0, len(FAMILIES)), dtype=bool), np.ones(len(texts), dtype=bool)
        )
        found = layer.predict(reading, clauses)
        assert not len(found.clauses)
        assert (found.strongest(reading.owners, len(texts), 3) == FLOOR).all()
        assert found.over(clauses[:, :-2]).shape == (0, len(FAMILIES))
