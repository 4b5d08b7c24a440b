"""What the readers say of each record is gathered from its clauses, its passages and its acts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.conftest import CANARY
from triage.language.disclosures import PHRASES, STANDING, STATUSES, find
from triage.language.offences import FAMILIES
from triage.language.text import read_texts
from triage.ranking.fitted import FLOOR, Floats, expit
from triage.ranking.signals import OF_CLAUSES, Signals, gather
from triage.reading.records import Record

AT = datetime(2026, 10, 14, tzinfo=UTC)


def record(text: str) -> Record:
    return Record("incidents", "A1", AT, AT, text)


def signals_of(texts: Sequence[str], clauses: Floats, carried: Floats | None = None) -> Signals:
    reading = read_texts([record(text) for text in texts], PHRASES)
    whole = np.zeros((reading.records, len(FAMILIES) + 2))
    if carried is None:
        carried = np.full((reading.records, len(FAMILIES), 2), FLOOR)
    return gather(reading, find(reading), whole, clauses, clauses[:, -2:], carried)


def test_the_best_clauses_of_each_record_are_gathered() -> None:
    columns = len(FAMILIES) + 2
    margins = np.full((4, columns), -1.0)
    margins[:, 0] = [0.5, 2.0, 1.0, -3.0]
    families = signals_of(["A. B. C.", "", "D."], margins).families
    best, total, second = (families[:, 0, at] for at in (1, 2, 3))
    assert best.tolist() == [2.0, FLOOR, -3.0]
    assert second.tolist() == [1.0, FLOOR, FLOOR]
    assert total == pytest.approx([np.logaddexp(0, [0.5, 2.0, 1.0]).sum(), 0.0, np.logaddexp(0, -3.0)])


def test_what_cancels_is_looked_for_beside_the_strongest_clause_of_the_same_record_only() -> None:
    margins = np.full((8, len(FAMILIES) + 2), -1.0)
    margins[:, -2] = [0, 3, 0, 0, 0, 3, 0, 0]
    margins[:, -1] = [1, 2, 3, 4, 9, 5, 6, 9]
    records = signals_of(["A. B. C. D.", "E.", "F. G. H."], margins).records
    at = OF_CLAUSES - 3
    assert records[:, at : at + 3].tolist() == [[2, 4, 1], [9, -3, -3], [5, 9, -3]]


def test_how_surely_clauses_carry_families_is_gathered() -> None:
    carried = np.full((3, len(FAMILIES), 2), FLOOR)
    carried[0, 1], carried[1, 2] = [0.5, -1.0], [2.0, FLOOR]
    carried[1, 4, 0] = 1.0
    found = signals_of(["A.", "B. C.", ""], np.zeros((3, len(FAMILIES) + 2)), carried)
    assert found.families[:, :, -2:].tolist() == carried.tolist()
    none = [np.prod(1 - expit(row)) for row in carried[:, :, 0]]
    either = [float(np.log(1 - each) - np.log(each)) for each in none]
    assert found.records[:, :2] == pytest.approx(np.column_stack([[0.5, 2.0, FLOOR], either]))
    assert np.array_equal(found.rows(np.array([False, True, False])).families, found.families[1:2])
    assert [len(rows) for rows in found.by_family()] == [3 * len(FAMILIES), 3]


def test_acts_count_by_family_as_standing_or_cancelled() -> None:
    texts = [f"HE PUNCHED HER IN THE FACE. {CANARY}", "AT NO POINT DID HE PUNCH HER IN THE FACE", "HE LEFT"]
    reading = read_texts([record(text) for text in texts], PHRASES)
    stated = find(reading)
    found = signals_of(texts, np.zeros((len(reading.owners), len(FAMILIES) + 2)))
    family = FAMILIES.index("violence_without_injury")
    standing = np.bincount(reading.owners[stated.clauses], stated.statuses < len(STANDING), 3)
    assert standing.tolist()[0] > 0
    assert standing.tolist()[1:] == [0, 0]
    assert found.families[0, family, 4] > 0 == found.families[0, family, 5]
    assert found.families[1, family, 5] > 0 == found.families[1, family, 4]
    denied = STATUSES.index("denied_by_victim") - len(STATUSES)
    assert found.records[:, denied].tolist() == [0.0, np.log(2), 0.0]


def test_further_clauses_that_say_nothing_change_only_what_is_not_of_the_best_clauses() -> None:
    clauses = np.random.default_rng(0).normal(size=(2, len(FAMILIES) + 2))
    dull = np.full((4, len(FAMILIES) + 2), FLOOR)
    amid = np.concatenate([dull, clauses, dull])
    carried = np.random.default_rng(1).normal(size=(1, len(FAMILIES), 2))
    short = signals_of(["A. B."], clauses, carried).records[0]
    long = signals_of(["C. D. E. F. A. B. G. H. I. J."], amid, carried).records[0]
    assert short[:OF_CLAUSES].tolist() == long[:OF_CLAUSES].tolist()
    assert (short[OF_CLAUSES:] != long[OF_CLAUSES:]).any()


def test_the_best_passage_of_each_record_is_gathered() -> None:
    reading = read_texts([record(text) for text in ("A. B. C.", "", "D.")], PHRASES)
    passages = np.array([[1.0, 4.0], [3.0, 0.0], [2.0, 5.0], [0.0, -1.0]])
    clauses, whole = np.full((4, len(FAMILIES) + 2), -1.0), np.zeros((3, len(FAMILIES) + 2))
    carried = np.full((3, len(FAMILIES), 2), FLOOR)
    found = gather(reading, find(reading), whole, clauses, passages, carried).records
    # A passage is diluted by what stands beside a clause: it is not among what single clauses say.
    assert found[:, OF_CLAUSES : OF_CLAUSES + 2].tolist() == [[3.0, 5.0], [FLOOR, FLOOR], [0.0, -1.0]]
