"""The learner for any text table: what ranks rows nobody has read from the few that somebody has."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from triage.learning.metrics import Bools, Floats, Ints

#: Weight of all relevant rows to that of all irrelevant ones. Source: ELAS u4 of ASReview.
_RATIO = 9.8
#: Inverse regularisation of the reader of words. Source: the same.
_WORDS_C = 0.11
#: Regularisation of the reader of topics, whose rows have length 1.
_TOPICS_ALPHA = 1.0
#: Directions into which the texts of the whole table are folded, without any label.
_TOPICS = 100
#: Unread rows taken for irrelevant each time. Source: AutoTAR, Cormack & Grossman 2015.
_PRESUMED = 100
#: A word in more than this share of the rows tells nothing.
_MOST_ROWS = 0.95
_WORD = re.compile(r"(?u)\b\w\w+\b")


class TextLearner:
    """Ranks the rows of a table by two readers of its texts, learnt anew from all that was read so far.

    One reads words and pairs of words, in the row as a whole and in each column by itself, so that a word in
    a short title counts for more than in a long text. The other reads topics (latent semantic analysis), so
    that a row may resemble the relevant ones without a word in common. The texts of the whole table are
    known beforehand, and no label but those of the rows read. Each time some unread rows are taken for
    irrelevant, as most are: what was read are the likeliest rows, and says little of the others. A row
    without a word comes last.

    Parameters
    ----------
    columns : sequence of sequence of str
        The texts of the rows, one sequence a column.
    seed : int
        Decides which unread rows are taken for irrelevant.

    Source: a linear support vector machine on TF-IDF with the parameters of ELAS u4, the default of
    ASReview; presumed irrelevant rows, Cormack & Grossman 2015 (AutoTAR); words weighed by field, Robertson,
    Zaragoza & Taylor 2004; latent semantic analysis, Deerwester et al. 1990; the mean of standardised
    margins of unlike models, Lee 1997.
    """

    def __init__(self, columns: Sequence[Sequence[str]], *, seed: int = 0) -> None:
        whole = [" ".join(row) for row in zip(*columns, strict=True)]
        fields = [whole, *(columns if len(columns) > 1 else ())]
        self._seed = seed
        words = hstack([_tfidf(each, (1, 2)) for each in fields], format="csr")
        self._words = normalize(words) if words.shape[1] else words
        self._topics = _topics(_tfidf(whole, (1, 1)), seed)
        self._empty = np.diff(self._words.indptr) == 0

    def margins(self, read: Ints, relevant: Bools, left: Ints) -> Floats:
        """Return how relevant each unread row looks, shape (left,); minus infinity for one without a word.

        As long as nothing relevant was read, rows look relevant that are unlike the irrelevant ones.
        """
        looked = left[~self._empty[left]]
        margins = np.full(len(left), -np.inf)
        if not len(looked):
            return margins
        if relevant.any():
            learnt, y = self._with_presumed(read, relevant, looked)
            found = _standard(self._of_words(learnt, y, looked)) + _standard(
                self._of_topics(learnt, y, looked)
            )
        else:
            found = -np.asarray(self._words[looked] @ np.asarray(self._words[read].sum(axis=0)).ravel())
        margins[~self._empty[left]] = found
        return margins

    def _with_presumed(self, read: Ints, relevant: Bools, looked: Ints) -> tuple[Ints, Bools]:
        """Return the rows to learn from: those read, and some unread ones taken for irrelevant."""
        generator = np.random.default_rng([self._seed, len(read)])
        presumed = generator.choice(looked, min(_PRESUMED, len(looked)), replace=False)
        return np.concatenate([read, presumed]), np.append(relevant, np.zeros(len(presumed), dtype=bool))

    def _of_words(self, learnt: Ints, relevant: Bools, looked: Ints) -> Floats:
        reader = LinearSVC(C=_WORDS_C, random_state=0)
        reader.fit(self._words[learnt], relevant, sample_weight=_weights(relevant))
        return np.asarray(reader.decision_function(self._words[looked]))

    def _of_topics(self, learnt: Ints, relevant: Bools, looked: Ints) -> Floats:
        """Return the margins of a weighted ridge regression, which has a closed form."""
        x, weights = self._topics[learnt], _weights(relevant)
        squares = x.T @ (weights[:, None] * x)
        # Not the constant, which is the last.
        slopes = np.arange(x.shape[1] - 1)
        squares[slopes, slopes] += _TOPICS_ALPHA
        wanted = x.T @ (weights * np.where(relevant, 1.0, -1.0))
        return np.asarray(self._topics[looked] @ np.linalg.solve(squares, wanted))


def _tfidf(texts: Sequence[str], lengths: tuple[int, int]) -> csr_matrix:
    """Return the weighted words and runs of words of texts, rows of length 1, or 0 where there is no word."""
    nothing = csr_matrix((len(texts), 0))
    if not any(_WORD.search(text) for text in texts):
        return nothing
    counter = CountVectorizer(ngram_range=lengths, token_pattern=_WORD.pattern, dtype=np.float64)
    counts = counter.fit_transform(texts)
    rows = np.bincount(counts.indices, minlength=counts.shape[1])
    kept = rows <= max(_MOST_ROWS * len(texts), 1)
    return TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, kept]) if kept.any() else nothing


def _topics(words: csr_matrix, seed: int) -> Floats:
    """Return the topics of the rows, each row of length 1, and a constant as the last column."""
    rows = np.bincount(words.indices, minlength=words.shape[1])
    words = words[:, rows > 1]
    topics = min(_TOPICS, words.shape[0] - 1, words.shape[1] - 1)
    constant = np.ones((words.shape[0], 1))
    if topics < 1:
        return constant
    folded = TruncatedSVD(topics, n_iter=3, random_state=seed).fit_transform(words)
    return np.column_stack([normalize(folded), constant])


def _weights(relevant: Bools) -> Floats:
    """Return weights of mean 1 under which the relevant weigh so much more than the irrelevant together."""
    share = relevant.mean()
    weights = np.where(relevant, _RATIO / share, 1.0 / (1.0 - share))
    return np.asarray(weights / weights.mean())


def _standard(margins: Floats) -> Floats:
    spread = float(margins.std())
    return (margins - margins.mean()) / spread if spread > 0 else np.zeros(len(margins))
