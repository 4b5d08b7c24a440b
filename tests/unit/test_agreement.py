"""Agreement of two readers, against published examples and scikit-learn's own kappa."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from triage.review import agreement as module
from triage.review.agreement import (
    PAIR_ITEMS_LEAST,
    agreement,
    agreements,
    cohen_kappa,
    gwet_ac1,
    krippendorff_alpha,
)
from triage.review.decisions import ReviewEvent
from triage.review.outcomes import FoundCrime, Outcome

#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True)
ANSWERS = ("yes", "no", "cannot_say")
NO, CANNOT_SAY = Outcome("no"), Outcome("cannot_say")


def yes(*families: str) -> Outcome:
    return Outcome("yes", tuple(FoundCrime(family) for family in families))


def from_table(table: Sequence[Sequence[int]], names: Sequence[str] = ANSWERS) -> tuple[list[str], list[str]]:
    """The two readings that a table of counts stands for."""
    cells = [
        (one, two)
        for row, one in zip(table, names, strict=False)
        for count, two in zip(row, names, strict=False)
        for _ in range(count)
    ]
    return [one for one, _ in cells], [two for _, two in cells]


def read_by(first: str, second: str, one: Outcome, two: Outcome, *, drawn: bool = True) -> module.Pair:
    def event(number: int, actor: str, outcome: Outcome) -> ReviewEvent:
        at = datetime(2026, 11, 2, 9, tzinfo=UTC)
        token = f"{actor} {number}"
        return ReviewEvent(
            "0011223344556677", number, at, actor, "decide", token, outcome, drawn and number == 1
        )

    return event(1, first, one), event(2, second, two)


# Source of the first: data set cont3x3abstractors of irrCAC for R, by Gwet, with its manual's figures. The
# second is worked by hand: shares 120.5/125 and 4.5/125, chance 0.0694 for AC1 and 0.9453 for kappa.
@pytest.mark.parametrize(
    ("table", "categories", "kappa", "ac1"),
    [
        ([[13, 0, 0], [0, 20, 7], [0, 4, 56]], 3, 0.7964094, 0.8493305),
        ([[118, 5], [2, 0]], 2, -0.0234, 0.9408),
    ],
)
def test_worked_examples(table: Sequence[Sequence[int]], categories: int, kappa: float, ac1: float) -> None:
    one, two = from_table(table)
    places = 7 if categories == 3 else 4
    assert round(cohen_kappa(one, two, ANSWERS[:categories]) or 0, places) == kappa
    assert round(gwet_ac1(one, two, ANSWERS[:categories]) or 0, places) == ac1


# Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability: section A (two readers), section C
# (four readers, some of whom did not read an item; a dot for that).
@pytest.mark.parametrize(
    ("readers", "alpha"),
    [
        (("0100000010", "1110010000"), 0.095),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743),
    ],
)
def test_alpha_of_the_authors_own_examples(readers: Sequence[str], alpha: float) -> None:
    read = [[None if answer == "." else answer for answer in item] for item in zip(*readers, strict=True)]
    found = krippendorff_alpha(read, "012345")
    assert found.estimate is not None
    assert found.low is not None
    assert found.high is not None
    assert round(found.estimate, 3) == alpha
    assert found.low < found.estimate < found.high


def test_alpha_of_two_readers_is_scotts_pi_for_few_items() -> None:
    one, two = from_table([[30, 4, 1], [6, 50, 2], [1, 2, 4]])
    shares = [(one.count(each) + two.count(each)) / 200 for each in ANSWERS]
    chance = sum(each**2 for each in shares)
    pi = (0.84 - chance) / (1 - chance)
    assert agreement(one, two, ANSWERS).alpha.estimate == pytest.approx(1 - (1 - pi) * 199 / 200)


def test_alpha_says_what_it_cannot() -> None:
    assert krippendorff_alpha([["a", None], [None, "b"]], "ab").reason == "no item was read twice"
    assert krippendorff_alpha([["a", "a"], ["b"]], "ab").reason == "only one answer was ever given"
    full = krippendorff_alpha([["a", "a"], ["b", "b", "b"]], "ab")
    assert full.estimate == 1
    assert "never differed" in full.reason
    with pytest.raises(ValueError, match="known answers"):
        krippendorff_alpha([["c", "a"]], "ab")


def test_an_answer_that_nobody_gave_counts_in_chance() -> None:
    one, two = from_table([[10, 2], [3, 15]])
    assert gwet_ac1(one, two, ANSWERS) != gwet_ac1(one, two, ANSWERS[:2])


@STEADY
@given(st.lists(st.tuples(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)), min_size=1, max_size=40))
def test_kappa_of_many_tables_at_once_is_that_of_scikit_learn(read: list[tuple[str, str]]) -> None:
    one, two = [each for each, _ in read], [each for _, each in read]
    assume(len({*one, *two}) > 1)
    table = module._table(one, two, ANSWERS) / len(read)
    assert module._kappas(table[np.newaxis])[0] == pytest.approx(cohen_kappa_score(one, two), abs=1e-12)


@STEADY
@given(st.lists(st.tuples(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)), max_size=40))
def test_every_figure_is_a_number_or_says_why_not(read: list[tuple[str, str]]) -> None:
    found = agreement([one for one, _ in read], [two for _, two in read], ANSWERS)
    assert found.items == len(read)
    for figure in (found.share, found.kappa, found.ac1, found.alpha):
        for value in (figure.estimate, figure.low, figure.high):
            assert value is None or -1 <= value <= 1
        whole = figure.estimate is not None and figure.low is not None and figure.high is not None
        assert bool(figure.reason) != whole
        if figure.low is not None and figure.high is not None:
            assert figure.low <= figure.high


def test_intervals_hold_the_estimate_and_come_back_with_the_seed() -> None:
    one, two = from_table([[30, 4, 1], [6, 50, 2], [1, 2, 4]])
    found = agreement(one, two, ANSWERS, seed=7)
    for figure in (found.share, found.kappa, found.ac1, found.alpha):
        assert figure.estimate is not None
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < figure.estimate < figure.high
    assert agreement(one, two, ANSWERS, seed=7) == found
    assert agreement(one, two, ANSWERS, seed=8) != found


def test_the_interval_is_about_as_wide_as_gwets_standard_error_says() -> None:
    # irrCAC gives 0.7964 (0.680, 0.913) for kappa on these data.
    one, two = from_table([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
    kappa = agreement(one, two, ANSWERS).kappa
    assert kappa.low == pytest.approx(0.680, abs=0.03)
    assert kappa.high == pytest.approx(0.913, abs=0.03)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[0, 0], [0, 0]], "no item was read twice"),
        ([[0, 0], [0, 12]], "only one answer was ever given"),
    ],
)
def test_what_is_undefined_says_why(table: Sequence[Sequence[int]], reason: str) -> None:
    found = agreement(*from_table(table), ANSWERS)
    assert (found.kappa.estimate, found.kappa.reason) == (None, reason)
    assert (found.ac1.estimate, found.ac1.reason) == (None, reason)


def test_full_agreement_has_no_interval_from_resampling() -> None:
    found = agreement(*from_table([[5, 0], [0, 7]]), ANSWERS)
    assert (found.kappa.estimate, found.kappa.low) == (1.0, None)
    assert "never differed" in found.kappa.reason
    assert found.share.low is not None
    assert found.share.low < 0.8


def test_one_differing_item_is_too_little_for_an_interval_of_kappa() -> None:
    # Without that item, in a third of the resamples, kappa is undefined.
    found = agreement(*from_table([[0, 1], [0, 30]]), ANSWERS)
    assert found.kappa.estimate == 0
    assert found.kappa.low is None
    assert "too few" in found.kappa.reason
    assert found.ac1.low is not None


def test_readings_must_belong_together() -> None:
    with pytest.raises(ValueError, match="same items"):
        agreement(["yes"], ["yes", "no"], ANSWERS)
    with pytest.raises(ValueError, match="known answers"):
        agreement(["perhaps"], ["no"], ANSWERS)


def test_families_are_those_that_anyone_named() -> None:
    found = agreements(
        [
            read_by("a", "b", yes("rape"), yes("rape", "burglary")),
            read_by("b", "a", NO, NO),
            read_by("a", "c", CANNOT_SAY, yes("rape")),
        ]
    )
    assert list(found.families) == ["rape", "burglary"]
    assert (found.families["rape"].items, found.families["rape"].same) == (3, 2)
    assert (found.disclosed.items, found.disclosed.same) == (3, 2)


def test_items_read_twice_for_a_cannot_say_are_not_among_the_drawn() -> None:
    found = agreements(
        [read_by("a", "b", NO, NO), read_by("a", "b", CANNOT_SAY, NO, drawn=False), read_by("a", "b", NO, NO)]
    )
    assert found.disclosed.items == 3
    assert found.drawn.items == 2


def test_two_people_are_compared_from_ten_items_on_whoever_read_first() -> None:
    pairs = [read_by("a", "b", NO, yes("theft"))] * 4 + [read_by("b", "a", yes("theft"), NO)] * 5
    assert PAIR_ITEMS_LEAST == 10
    assert not agreements(pairs).people
    found = agreements([*pairs, read_by("b", "a", NO, NO), read_by("a", "c", NO, NO)])
    assert list(found.people) == [("a", "b")]
    assert (found.people["a", "b"].items, found.people["a", "b"].same) == (10, 1)
    # By name, not by turn: a said no throughout, so that kappa is 0; by turn it would be below.
    assert found.people["a", "b"].kappa.estimate == 0


def test_no_pairs_give_no_figures() -> None:
    found = agreements([])
    assert found.disclosed.share.estimate is None
    assert not found.families
    assert not found.people
