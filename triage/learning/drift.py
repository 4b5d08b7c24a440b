"""How far what comes in has moved since a reference: codes, lengths, scores and texts, from arrays alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.stats import chi2, ks_2samp, rankdata
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from threadpoolctl import threadpool_limits

from triage.learning.metrics import Bools, Floats, Ints

#: A value of a column has a bin of its own if it takes this share of either window, and so many records; the
#: others are one bin, so that no rare value is ever named.
NAMED_SHARE, NAMED_LEAST = 0.01, 10
#: Values named at most, the most frequent first.
NAMED_MOST = 20
REST = "other"
#: Records of a window from which on a shift is stated, and texts from which on texts are compared.
RECORDS_LEAST, TEXTS_LEAST = 100, 50
#: Texts of a window that are compared at most; a draw of them, the same for the same texts and seed.
TEXTS_MOST = 1000
#: Random labellings against which the texts' figures are set, and the quantile that is taken from them.
LABELLINGS, CHANCE = 200, 0.95
_BINS, _FOLDS = 10, 5
#: Ridge penalty on texts of unit length.
_PENALTY = 1.0
_WORD = re.compile(r"[^\W_]{2,}")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class ShiftBin:
    """One bin: its name, and the share of the reference and of the recent records that lie in it."""

    name: str
    reference: float
    recent: float


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one column has moved.

    ``reference`` and ``recent`` are counts of records. ``psi`` is the population stability index,
    ``psi_chance`` what it stays below in 95 % of cases although nothing moves, and ``ks`` the largest
    distance of the two distribution functions, None for a column of names.
    """

    name: str
    reference: int
    recent: int
    psi: float
    psi_chance: float
    ks: float | None
    bins: tuple[ShiftBin, ...]


@dataclass(frozen=True, slots=True)
class TextShift:
    """How far texts have moved; ``reference`` and ``recent`` are counts of texts.

    ``new_words`` is the share of the recent words that stand in no text of the reference, and
    ``new_words_expected`` and ``new_words_chance`` its median and 95th percentile if the texts are put into
    the two windows at random. ``auc`` is how well a classifier of word pairs tells recent texts from those of
    the reference (0.5: not at all), ``auc_chance`` the 95th percentile of the same at random labels.
    """

    reference: int
    recent: int
    new_words: float
    new_words_expected: float
    new_words_chance: float
    auc: float
    auc_chance: float


def psi(reference: Floats, recent: Floats) -> float:
    """Return the population stability index of counts in the same bins.

    Half a record is added to each bin, so that an empty one gives a number.

    Source: Siddiqi 2006, Credit Risk Scorecards, ch. 8: sum of (p - q) ln(p / q).

    >>> round(psi(np.array([50.0, 50.0]), np.array([25.0, 75.0])), 2)
    0.27
    """
    p, q = reference + 0.5, recent + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((p - q) * np.log(p / q)))


def psi_chance(bins: int, reference: int, recent: int) -> float:
    """Return what the index stays below in 95 % of cases although both windows are drawn alike.

    Source: Yurdakul & Naranjo 2020, Journal of Risk Model Validation 14(4): the index over (1/n + 1/m) is
    near chi-squared with one degree of freedom less than bins.
    """
    if bins < 2:
        return 0.0
    return float(chi2.ppf(CHANCE, bins - 1) * (1 / reference + 1 / recent))


def names_shift(name: str, reference: Sequence[str], recent: Sequence[str]) -> Shift:
    """Return how far a column of names or codes has moved; rare values are taken together.

    Parameters
    ----------
    name : str
        What the column is called in the report.
    reference, recent : sequence of str
        One value a record; empty for none.
    """
    before, after = Counter(reference), Counter(recent)
    named = [
        value
        for value, count in (before + after).most_common()
        if count >= NAMED_LEAST
        and (before[value] >= NAMED_SHARE * len(reference) or after[value] >= NAMED_SHARE * len(recent))
    ][:NAMED_MOST]
    labels = [value or "none" for value in named]
    counts = [np.array([of[value] for value in named], dtype=float) for of in (before, after)]
    rest = [len(reference) - counts[0].sum(), len(recent) - counts[1].sum()]
    if any(rest):
        labels.append(REST)
        counts = [np.append(each, left) for each, left in zip(counts, rest, strict=True)]
    return _shift(name, labels, counts[0], counts[1], None)


def numbers_shift(name: str, reference: Floats, recent: Floats) -> Shift:
    """Return how far a column of numbers has moved, in bins that hold like parts of the reference.

    Parameters
    ----------
    name : str
        What the column is called in the report.
    reference, recent : array, shape (records,)
        One number a record.
    """
    edges = np.unique(np.quantile(reference, np.arange(1, _BINS) / _BINS))
    counts = [
        np.bincount(np.searchsorted(edges, each), minlength=len(edges) + 1).astype(float)
        for each in (reference, recent)
    ]
    shown = [f"{edge:.3g}" for edge in edges]
    labels = [f"up to {shown[0]}", *(f"up to {each}" for each in shown[1:]), f"above {shown[-1]}"]
    # Only values above an edge lie beyond it: a column of one value has an empty last bin.
    held = counts[0] + counts[1] > 0
    distance = float(ks_2samp(reference, recent, method="asymp").statistic)
    kept = [label for label, any_in in zip(labels, held, strict=True) if any_in]
    return _shift(name, kept, counts[0][held], counts[1][held], distance)


def _shift(name: str, labels: Sequence[str], reference: Floats, recent: Floats, ks: float | None) -> Shift:
    n, m = int(reference.sum()), int(recent.sum())
    bins = zip(labels, reference / n, recent / m, strict=True)
    return Shift(
        name=name,
        reference=n,
        recent=m,
        psi=psi(reference, recent),
        psi_chance=psi_chance(len(labels), n, m),
        ks=ks,
        bins=tuple(ShiftBin(label, float(p), float(q)) for label, p, q in bins),
    )


def has_words(text: str) -> bool:
    """Return whether a text has a word that can be compared."""
    return _WORD.search(text) is not None


def text_shift(reference: Sequence[str], recent: Sequence[str], *, seed: int = 0) -> TextShift:
    """Return how far texts have moved: new words, and how well recent texts can be told from earlier ones.

    Both figures are set against the same figures at random labels, since any two windows differ in some
    words. The classifier is a ridge regression on word pairs, judged on texts that it has not seen; with the
    folds fixed, one solution serves all random labels.

    Parameters
    ----------
    reference, recent : sequence of str
        Texts of the two windows, ``TEXTS_LEAST`` or more each, of which each :func:`has_words`.
    seed : int
        The same seed gives the same figures.

    Source: domain classifier: Rabanser, Gunnemann & Lipton 2019, Failing Loudly; random-label test as in
    Evidently's text drift, with the labels redrawn and the classifier fitted anew each time.
    """
    generator = np.random.default_rng(seed)
    before, after = (_some(each, generator) for each in (reference, recent))
    words = [_words(text) for text in (*before, *after)]
    is_recent = np.arange(len(words)) >= len(before)
    labels = np.column_stack(
        [is_recent, *(generator.permutation(is_recent) for _ in range(LABELLINGS))]
    ).astype(bool)
    shares = _new_word_shares(CountVectorizer(analyzer=_same).fit_transform(words), labels)
    # Many small solutions: threads would wait for each other longer than they work.
    with threadpool_limits(limits=1):
        aucs = _domain_aucs(words, labels, generator)
    return TextShift(
        reference=len(before),
        recent=len(after),
        new_words=float(shares[0]),
        new_words_expected=float(np.median(shares[1:])),
        new_words_chance=float(np.quantile(shares[1:], CHANCE)),
        auc=float(aucs[0]),
        auc_chance=float(np.quantile(aucs[1:], CHANCE)),
    )


def _some(texts: Sequence[str], generator: np.random.Generator) -> list[str]:
    if len(texts) <= TEXTS_MOST:
        return list(texts)
    return [texts[at] for at in np.sort(generator.choice(len(texts), TEXTS_MOST, replace=False))]


def _words(text: str) -> list[str]:
    """Return the words of a text in small letters; digits are all alike, so that no date tells the window."""
    return _WORD.findall(_DIGIT.sub("0", text.lower()))


def _same(words: list[str]) -> list[str]:
    return words


def _pairs(words: list[str]) -> list[str]:
    return [*words, *(f"{one} {two}" for one, two in pairwise(words))]


def _new_word_shares(counts: csr_matrix, labels: Bools) -> Floats:
    """Return the share of recent words that no reference text has, shape (labellings,)."""
    recent = labels.T.astype(np.int32)
    in_recent = np.asarray(recent @ counts)
    in_reference = np.asarray((1 - recent) @ counts)
    new = np.where(in_reference == 0, in_recent, 0).sum(axis=1)
    return np.asarray(new / np.maximum(in_recent.sum(axis=1), 1))


def _domain_aucs(words: Sequence[list[str]], labels: Bools, generator: np.random.Generator) -> Floats:
    """Return the mean ROC-AUC on texts that were held out, shape (labellings,)."""
    counts = CountVectorizer(analyzer=_pairs).fit_transform(words)
    # What stands in one text alone tells nothing of another.
    counts = counts[:, np.bincount(counts.indices, minlength=counts.shape[1]) > 1]
    if not counts.shape[1]:
        return np.full(labels.shape[1], 0.5)
    features = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    kernel = (features @ features.T).toarray()
    fold = generator.permutation(np.arange(len(words)) % _FOLDS)
    found = []
    for number in range(_FOLDS):
        held, learnt = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        targets = labels[learnt].astype(float)
        penalised = kernel[np.ix_(learnt, learnt)] + _PENALTY * np.eye(len(learnt))
        weights = np.linalg.solve(penalised, targets - targets.mean(axis=0))
        found.append(_aucs(labels[held], kernel[np.ix_(held, learnt)] @ weights))
    return np.asarray(np.nanmean(np.array(found), axis=0))


def _aucs(y: Bools, scores: Floats) -> npt.NDArray[np.float64]:
    """Return the ROC-AUC of each column; NaN where a column has one kind only."""
    positive: Ints = y.sum(axis=0)
    negative = len(y) - positive
    ranks = (rankdata(scores, axis=0) * y).sum(axis=0)
    pairs = np.where(positive * negative > 0, positive * negative, np.nan)
    return np.asarray((ranks - positive * (positive + 1) / 2) / pairs)
