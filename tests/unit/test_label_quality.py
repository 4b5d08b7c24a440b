"""Decisions that others contradict: confident learning against the paper's own example and planted errors."""

from __future__ import annotations

import numpy as np
import pytest

from triage.learning.label_quality import KIND_LEAST, doubts, out_of_fold

NO, YES = 0, 1
BAD = "caller states he punched her in the face and she was bruised, advice given, log {}"
QUIET = "bins overturned by foxes in the lane again, council told, all in order, log {}"


def test_a_confident_contradiction_is_found_and_an_unsure_one_is_not() -> None:
    labels = np.array([NO, NO, NO, YES, YES, YES])
    yes = np.array([0.05, 0.15, 0.9, 0.9, 0.8, 0.55])
    found = doubts(labels, np.column_stack([1 - yes, yes]))
    # Thresholds: 0.63 for no, 0.75 for yes. The last is unsure for either label, and is left alone.
    assert [(each.place, each.given, each.suggested) for each in found] == [(2, NO, YES)]
    assert found[0].margin == pytest.approx(0.8)


def test_a_label_that_is_rarely_sure_has_a_low_threshold() -> None:
    labels = np.array([NO] * 4 + [YES] * 3)
    # Nothing reaches a half for yes, yet the third "no" looks more like a yes than the yeses do.
    yes = np.array([0.1, 0.1, 0.48, 0.1, 0.3, 0.3, 0.3])
    assert doubts(labels, np.column_stack([1 - yes, yes])) == ()
    three = np.column_stack([0.3 - yes * 0.2, yes, 0.7 - yes * 0.8])
    found = doubts(labels, np.column_stack([three[:, 0] + three[:, 2], yes]) * [0.4, 1.0])
    assert [each.place for each in found] == [2]


def test_labels_that_all_agree_with_the_probabilities_are_not_doubted() -> None:
    yes = np.linspace(0, 1, 20)
    labels = (yes > 0.5).astype(int)
    assert doubts(labels, np.column_stack([1 - yes, yes])) == ()


def test_three_labels() -> None:
    p = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.1, 0.0, 0.9]])
    found = doubts(np.array([0, 1, 2, 1]), p)
    assert [(each.place, each.suggested) for each in found] == [(3, 2)]


def test_planted_errors_are_found_from_the_texts_of_other_matters() -> None:
    generator = np.random.default_rng(3)
    labels = np.array([NO, YES] * 60)
    texts = [(BAD if label else QUIET).format(generator.integers(9)) for label in labels]
    wrong = np.array([4, 11, 50, 87, 100])
    given = labels.copy()
    given[wrong] = 1 - given[wrong]
    score = np.full(120, 0.3)
    groups = [f"matter {at}" for at in range(120)]
    p = out_of_fold(texts, score, given, groups)
    assert p.shape == (120, 2)
    assert p.sum(axis=1) == pytest.approx(np.ones(120))
    assert {each.place for each in doubts(given, p)} == set(wrong.tolist())


def test_a_record_never_speaks_for_another_of_its_matter() -> None:
    # Each matter has words of its own and is read twice: only its own other reading could tell its label.
    generator = np.random.default_rng(5)
    of = np.repeat(np.arange(2 * KIND_LEAST), 2)
    labels = generator.integers(0, 2, 2 * KIND_LEAST)[of]
    texts = [f"{'qwertyuiop'[each % 10] * 3}{'abcdefghij'[each // 10] * 4} stands here" for each in of]
    scores = np.full(len(of), 0.2)
    known = out_of_fold(texts, scores, labels, [f"record {at}" for at in range(len(of))])
    unknown = out_of_fold(texts, scores, labels, [f"matter {each}" for each in of])
    assert np.mean((known[:, 1] > 0.5) == labels) > 0.9
    assert np.mean((unknown[:, 1] > 0.5) == labels) < 0.7


def test_without_a_common_word_the_score_alone_speaks() -> None:
    labels = np.array([NO, YES] * 40)
    texts = ["".join(chr(97 + (at // 26**place) % 26) for place in range(4)) for at in range(80)]
    p = out_of_fold(texts, np.where(labels, 0.9, 0.1), labels, [str(at) for at in range(80)])
    assert ((p[:, 1] > 0.5) == labels).all()
