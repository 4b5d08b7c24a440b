"""Drift figures: nothing moves without a cause, and what moves is found, in codes, numbers and texts."""

from __future__ import annotations

import numpy as np
import pytest

from triage.learning.drift import (
    NAMED_LEAST,
    REST,
    TEXTS_MOST,
    has_words,
    names_shift,
    numbers_shift,
    psi,
    psi_chance,
    text_shift,
)

PLACES = ("lane", "park", "high street", "station", "school", "canal", "bridge", "market")
EVENTS = (
    "noise at night",
    "he shouted at her",
    "dog found",
    "door damaged",
    "alarm sounding",
    "car blocked in",
)


def logs(count: int, seed: int, ending: str = "advice given") -> list[str]:
    generator = np.random.default_rng(seed)
    return [
        f"{generator.integers(24)}:14 caller at {generator.choice(PLACES)} states "
        f"{generator.choice(EVENTS)}, {ending}"
        for _ in range(count)
    ]


def test_the_index_by_hand() -> None:
    # (0.5 - 0.25) ln 2 + (0.5 - 0.75) ln (2 / 3), with so many records that the halves added do not show.
    assert psi(np.array([5e6, 5e6]), np.array([2.5e6, 7.5e6])) == pytest.approx(0.2747, abs=1e-4)
    assert psi(np.array([30.0, 70.0]), np.array([30.0, 70.0])) == 0


def test_an_empty_bin_gives_a_number() -> None:
    assert np.isfinite(psi(np.array([0.0, 40.0]), np.array([20.0, 20.0])))


def test_by_chance_the_index_stays_below_its_bound_nineteen_times_in_twenty() -> None:
    generator = np.random.default_rng(1)
    drawn = [generator.multinomial(n, [0.4, 0.3, 0.2, 0.1], 1000) for n in (500, 300)]
    beyond = np.mean(
        [psi(*map(np.asarray, both)) > psi_chance(4, 500, 300) for both in zip(*drawn, strict=True)]
    )
    assert 0.03 < beyond < 0.07


def test_codes_that_move_are_named_and_rare_ones_never_are() -> None:
    before = ["domestic"] * 300 + ["asb"] * 200 + ["SMITH JOHN 07700"] * (NAMED_LEAST - 1) + [""] * 50
    after = ["domestic"] * 100 + ["asb"] * 200 + ["new code"] * 90 + [""] * 50
    shift = names_shift("closing code", before, after)
    assert {each.name for each in shift.bins} == {"domestic", "asb", "new code", "none", REST}
    assert sum(each.reference for each in shift.bins) == pytest.approx(1)
    assert sum(each.recent for each in shift.bins) == pytest.approx(1)
    assert shift.psi > 0.25 > shift.psi_chance
    assert shift.ks is None
    assert names_shift("closing code", before, before).psi == 0


def test_many_codes_are_named_up_to_a_bound() -> None:
    before = [f"code {number}" for number in range(40) for _ in range(20)]
    shift = names_shift("opening code", before, before)
    assert len(shift.bins) == 21
    assert shift.psi == 0


def test_lengths_that_move_are_found() -> None:
    generator = np.random.default_rng(2)
    before, after = generator.gamma(2, 200, 2000), generator.gamma(2, 200, 1500)
    same, moved = numbers_shift("length", before, after), numbers_shift("length", before, after * 2)
    assert same.psi < 0.1
    assert same.psi < 2 * same.psi_chance
    assert moved.psi > 0.25
    assert same.ks is not None
    assert moved.ks is not None
    assert same.ks < 0.06 < 0.2 < moved.ks


def test_a_column_of_one_value_that_becomes_another() -> None:
    shift = numbers_shift("length", np.zeros(200), np.full(200, 7.0))
    assert shift.psi > 1
    assert shift.ks == 1
    assert numbers_shift("length", np.zeros(200), np.zeros(150)).psi == 0


def test_texts_of_one_kind_cannot_be_told_apart() -> None:
    shift = text_shift(logs(120, 1), logs(100, 2))
    assert (shift.reference, shift.recent) == (120, 100)
    assert shift.new_words <= shift.new_words_chance
    # One labelling in twenty lies beyond its bound; this is a steady example of the others.
    assert shift.auc <= shift.auc_chance
    assert shift.auc_chance == pytest.approx(0.57, abs=0.05)


def test_a_new_template_is_found_by_its_words_and_its_order() -> None:
    new = text_shift(logs(100, 1), logs(80, 2, "victim consent obtained via portal"))
    assert new.auc > 0.95 > new.auc_chance
    assert new.new_words > 0.2 > new.new_words_chance
    # The same words in another order: nothing is new, and the pairs tell.
    turned = text_shift(logs(100, 1), logs(80, 2, "given advice"))
    assert turned.new_words <= turned.new_words_chance
    assert turned.auc > 0.95


def test_dates_do_not_tell_the_windows_apart() -> None:
    before = [f"{text} 14/02/2026" for text in logs(100, 1)]
    after = [f"{text} 23/11/2026" for text in logs(100, 2)]
    shift = text_shift(before, after)
    assert shift.auc <= shift.auc_chance
    assert shift.new_words == shift.new_words_expected == 0


def test_the_same_seed_gives_the_same_figures_and_many_texts_are_drawn_from() -> None:
    few = logs(60, 1)
    assert text_shift(few, few[::-1], seed=4) == text_shift(few, few[::-1], seed=4)
    assert TEXTS_MOST >= 1000


def test_no_common_words_give_a_half() -> None:
    texts = ["".join(chr(97 + (at // 26**place) % 26) for place in range(4)) for at in range(120)]
    shift = text_shift(texts[:60], texts[60:])
    assert shift.auc == shift.auc_chance == 0.5
    assert shift.new_words == 1


@pytest.mark.parametrize(("text", "has"), [("", False), (" - 1 ? ", False), ("OK", True), ("née", True)])
def test_a_text_has_words_or_not(text: str, has: bool) -> None:
    assert has_words(text) == has
