"""What is disclosed, weighed against what is recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triage.language.offences import FAMILIES
from triage.ranking.fitted import noisy_or
from triage.ranking.layers import BesideLayer, Chances, UnrecordedLayer


def test_what_is_recorded_lowers_the_chance_of_an_unrecorded_crime() -> None:
    chance = np.random.default_rng(0)
    p = chance.random((600, len(FAMILIES))) ** 6
    recorded = chance.random(p.shape) < 0.1
    missed = np.where(recorded, 0, p).max(axis=1) > 0.7
    recorded = recorded.astype(int)
    chances = Chances.plain(p, noisy_or(p))
    layer = UnrecordedLayer().fit(chances, recorded, p > 0.7, missed, np.zeros(len(p), dtype=bool))
    none, strongest = np.zeros_like(recorded), np.zeros_like(recorded)
    strongest[np.arange(len(p)), p.argmax(axis=1)] = 1
    open_, closed = (layer.predict(chances, each).p for each in (none, strongest))
    ordered = np.sort(p, axis=1)
    sure = (ordered[:, -1] > 0.9) & (ordered[:, -2] < 0.3)
    assert sure.any()
    assert (closed[sure] < open_[sure]).all()
    found = layer.predict(chances, recorded)
    assert np.corrcoef(found.p, missed)[0, 1] > 0.7
    assert not found.again.any()


def test_another_victim_counts_where_a_crime_of_the_family_is_recorded_once() -> None:
    chance = np.random.default_rng(0)
    p = np.full((900, len(FAMILIES)), 0.01)
    p[:, 0] = 0.95
    recorded = np.zeros(p.shape, dtype=int)
    recorded[:600, 0] = 1
    recorded[400:600, 0] = 2
    told = chance.random(900)
    again = (told > 0.8) & (recorded[:, 0] == 1)
    missed = again | (recorded[:, 0] == 0)
    chances = replace(Chances.plain(p, p[:, 0]), p_again=told)
    found = UnrecordedLayer().fit(chances, recorded, p > 0.5, missed, again).predict(chances, recorded)
    one, two, none = slice(400), slice(400, 600), slice(600, 900)
    assert found.p[one][again[one]].min() > found.p[one][~again[one]].mean() + 0.2
    assert (found.p >= found.again).all()
    assert found.again[two].mean() < found.again[one].mean() / 2
    assert not found.again[none].any()
    assert found.p[none].min() > 0.7


def test_a_family_counts_less_beside_one_that_it_is_mistaken_for() -> None:
    """Recorded is always the first family; the second is then read into the text and never disclosed."""
    chance = np.random.default_rng(0)
    p = chance.random((900, len(FAMILIES))) ** 3
    recorded = np.zeros(p.shape, dtype=bool)
    recorded[:600, 0] = True
    p[:600, 1] = 0.8
    disclosed = chance.random(p.shape) < p
    disclosed[:600, 1] = False
    layer = BesideLayer().fit(p, recorded, disclosed)
    found = layer.predict(p, recorded)
    assert found[:600, 1].max() < 0.1
    assert (found[600:] == p[600:]).all()
    assert (found[:600, 0] == p[:600, 0]).all()
    for family in range(2, len(FAMILIES)):
        assert found[:600, family].mean() == pytest.approx(disclosed[:600, family].mean(), abs=0.05)
    one_by_one = np.vstack([layer.predict(p[at : at + 1], recorded[at : at + 1]) for at in range(0, 900, 90)])
    assert one_by_one == pytest.approx(found[::90], abs=1e-12)


def test_with_nothing_recorded_or_nothing_to_learn_probabilities_stay() -> None:
    p = np.random.default_rng(0).random((40, len(FAMILIES)))
    none, some = np.zeros(p.shape, dtype=bool), np.zeros(p.shape, dtype=bool)
    some[:, 3] = True
    for recorded, disclosed in ((none, p > 0.5), (some, none), (some, ~none)):
        layer = BesideLayer().fit(p, recorded, disclosed)
        assert (layer.predict(p, some) == p).all()
