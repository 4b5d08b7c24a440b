"""What a user would write with scikit-learn, as a recipe: the baseline that a model must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training_data.build import TrainingTable
from triage.language.offences import FAMILIES
from triage.ranking.layers import Chances, Unrecorded
from triage.ranking.marks import Ints
from triage.ranking.scoring import Disclosed, Marks
from triage.reading.records import Record

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import FeatureUnion


@dataclass(frozen=True, slots=True)
class PlainModel:
    """TF-IDF of the whole text and one logistic regression for every family and for "any family".

    ``columns`` are those that differed between records; the others keep their share, ``shares``.
    """

    vectoriser: FeatureUnion
    classifiers: tuple[LogisticRegression, ...]
    columns: tuple[int, ...]
    shares: tuple[float, ...]
    learnt_prevalence: float

    def disclose(self, records: Sequence[Record]) -> Disclosed:
        """Return the probabilities of the whole texts; such a model shows no places."""
        words = self.vectoriser.transform([_text(record) for record in records])
        p = np.tile(np.array(self.shares), (len(records), 1))
        for column, classifier in zip(self.columns, self.classifiers, strict=True):
            p[:, column] = classifier.predict_proba(words)[:, 1]
        return Disclosed(Chances.plain(p[:, :-1], p[:, -1]), Marks.of([()] * len(records)))

    def unrecorded(self, chances: Chances, recorded: Ints) -> Unrecorded:
        """Return the chance that anything is disclosed; where something is recorded, that of another family.

        Nothing calibrates it: these are the probabilities as scikit-learn gives them.
        """
        known = recorded > 0
        another = 1.0 - np.prod(np.where(known, 1.0, 1.0 - chances.p_family), axis=1)
        return Unrecorded.plain(np.asarray(np.where(known.any(axis=1), another, chances.p_any)))


def build(table: TrainingTable) -> PlainModel:
    """Fit TF-IDF of words, word pairs and characters with logistic regressions.

    Source: the method that screening tools ship, ELAS u4 of ASReview among them; here with probabilities.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_union

    examples = table.examples
    disclosed = np.array([[family in each.disclosed for family in FAMILIES] for each in examples])
    labels = np.column_stack([disclosed, disclosed.any(axis=1)])
    weights = np.array([each.weight for each in examples])
    vectoriser = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=2, sublinear_tf=True),
    )
    words = vectoriser.fit_transform([_text(each.record) for each in examples])
    for _, each in vectoriser.transformer_list:
        # An address in memory, by which scikit-learn knows checked stop words: another one in each process.
        each.__dict__.pop("_stop_words_id", None)
    columns = tuple(np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0)).tolist())
    # The dual problem takes a tenth of the time of the primal one where texts are fewer than features.
    classifiers = tuple(
        LogisticRegression(C=10.0, solver="liblinear", dual=True, random_state=0, max_iter=1000).fit(
            words, labels[:, column], sample_weight=weights
        )
        for column in columns
    )
    missed = float(np.average([each.missed for each in examples], weights=weights))
    shares = np.average(labels, axis=0, weights=weights)
    return PlainModel(vectoriser, classifiers, columns, tuple(shares.tolist()), missed)


def _text(record: Record) -> str:
    answers = (f"q{number}_{answer}" for number, answer in sorted(record.answers.items()))
    return " ".join((record.text, *answers))
