"""What an audit team searches for today, as recipes: the baselines that a model must beat."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from training_data.build import TrainingTable
from triage.language.forms import question_numbered
from triage.language.offences import FAMILIES
from triage.ranking.fitted import Floats
from triage.ranking.layers import Chances, Unrecorded
from triage.ranking.marks import Ints
from triage.ranking.scoring import Disclosed, Mark, Marks
from triage.reading.records import Record

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

#: Least slope of a search's curve, in log-odds a hit.
_LEAST_SLOPE = 0.01
_PHRASES = tomllib.loads(files("models").joinpath("keywords.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class _Phrase:
    pattern: re.Pattern[str]
    family: int
    weight: float


@dataclass(frozen=True, slots=True)
class KeywordModel:
    """A search whose number of weighted hits is turned into probabilities by a fitted logistic curve."""

    find: Callable[[Record], tuple[Mark, ...]]
    any_curve: LogisticRegression
    unrecorded_curve: LogisticRegression
    family_rates: tuple[float, ...]
    learnt_prevalence: float

    def disclose(self, records: Sequence[Record]) -> Disclosed:
        """Return the share of the hits that each family has, times the chance that anything is disclosed."""
        marks = tuple(self.find(record) for record in records)
        hits = _hits(marks)
        p_any = _curve(self.any_curve, hits.sum(axis=1))
        shares = hits + np.array(self.family_rates)
        p_family = shares / shares.sum(axis=1, keepdims=True) * p_any[:, None]
        return Disclosed(Chances.plain(p_family, p_any), Marks.of(marks))

    def unrecorded(self, chances: Chances, recorded: Ints) -> Unrecorded:
        """Return the probability of an unrecorded crime from what is left of the hits."""
        left = np.where(recorded > 0, 0.0, chances.p_family).sum(axis=1)
        return Unrecorded.plain(_curve(self.unrecorded_curve, left))


def build_word_search(table: TrainingTable) -> KeywordModel:
    """Fit the fortnightly search for one word, "rape", that inspectors found in use (domain.md 3.2)."""
    return _fit(table, find_word)


def build_weighted_phrases(table: TrainingTable) -> KeywordModel:
    """Fit a weighted list of phrases of each family."""
    return _fit(table, find_phrases)


def build_dash_count(table: TrainingTable) -> KeywordModel:
    """Fit the count of questions answered yes on a form."""
    return _fit(table, find_answers)


def find_word(record: Record) -> tuple[Mark, ...]:
    """Return every place that has the word searched for."""
    return _search(record, _WORD)


def find_phrases(record: Record) -> tuple[Mark, ...]:
    """Return every place that has a phrase of the list."""
    return _search(record, _LIST)


def find_answers(record: Record) -> tuple[Mark, ...]:
    """Return one mark for each question answered yes, of the first family that the form's table names."""
    marks = []
    for number, answer in sorted(record.answers.items()):
        if answer == "Y":
            asked = question_numbered(record.form_version, number)
            named = asked.families[0] if asked and asked.families else "other_notifiable"
            family = FAMILIES.index(named)
            marks.append(Mark(family, 1.0, 0, 0, f"q{number}"))
    return tuple(marks)


def _compile(entries: Sequence[dict[str, object]]) -> tuple[_Phrase, ...]:
    return tuple(
        _Phrase(
            re.compile(rf"\b(?:{entry['pattern']})\b", re.IGNORECASE),
            FAMILIES.index(str(entry["family"])),
            float(str(entry.get("weight", 1.0))),
        )
        for entry in entries
    )


_WORD = _compile(_PHRASES["word_search"])
_LIST = _compile(_PHRASES["phrases"])


def _search(record: Record, phrases: Sequence[_Phrase]) -> tuple[Mark, ...]:
    return tuple(
        Mark(phrase.family, phrase.weight, match.start(), match.end())
        for phrase in phrases
        for match in phrase.pattern.finditer(record.text)
    )


def _hits(marks: Sequence[Sequence[Mark]]) -> Floats:
    hits = np.zeros((len(marks), len(FAMILIES)))
    for row, found in enumerate(marks):
        for mark in found:
            hits[row, mark.family] += mark.margin
    return hits


def _curve(curve: LogisticRegression, x: Floats) -> Floats:
    return np.asarray(curve.predict_proba(x.reshape(-1, 1))[:, 1])


def _rising(curve: LogisticRegression) -> None:
    """Keep a search a search: what it finds comes first, even where the records say the contrary."""
    curve.coef_ = np.maximum(curve.coef_, _LEAST_SLOPE)


def _fit(table: TrainingTable, find: Callable[[Record], tuple[Mark, ...]]) -> KeywordModel:
    from sklearn.linear_model import LogisticRegression

    examples = table.examples
    disclosed = np.array([[family in each.disclosed for family in FAMILIES] for each in examples])
    recorded = np.array([[family in each.recorded for family in FAMILIES] for each in examples])
    missed = np.array([each.missed for each in examples])
    marks = tuple(find(each.record) for each in examples)
    weights = np.array([each.weight for each in examples])
    rates = np.average(disclosed, axis=0, weights=weights) + 1e-3
    share = float(np.average(missed, weights=weights))
    any_curve = LogisticRegression().fit(
        _hits(marks).sum(axis=1).reshape(-1, 1), disclosed.any(axis=1), sample_weight=weights
    )
    _rising(any_curve)
    model = KeywordModel(find, any_curve, any_curve, tuple(rates.tolist()), share)
    found = model.disclose([each.record for each in examples])
    left = np.where(recorded, 0.0, found.chances.p_family).sum(axis=1)
    curve = LogisticRegression().fit(left.reshape(-1, 1), missed, sample_weight=weights)
    _rising(curve)
    return KeywordModel(find, any_curve, curve, tuple(rates.tolist()), share)
