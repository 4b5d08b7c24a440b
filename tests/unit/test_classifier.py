"""What records disclose: the same alone as together, learnt across groups, weighed by layers that add up."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.linear import labels_of
from tests.conftest import CANARY
from training_data.build import CORPUS_DIR, corpus_table
from training_data.examples import Example
from triage.language.disclosures import PHRASES
from triage.language.features import Vocabulary
from triage.language.offences import FAMILIES
from triage.language.text import Reading, read_texts
from triage.ranking import classifier
from triage.ranking.classifier import DisclosureModel, Labels, fold_numbers
from triage.ranking.clause_layer import ClauseLayer
from triage.ranking.fitted import Bools, expit, logit, noisy_or
from triage.ranking.layers import BlendedLayer
from triage.ranking.passages import window_of
from triage.reading.records import Record

AT = datetime(2026, 10, 14, tzinfo=UTC)
#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True)
#: What two ways of adding up the same numbers may differ by.
CLOSE = 1e-9
STRANGLED = f"He put both hands round her throat and she could not breathe. {CANARY}."
DULL = f"Report of a loose dog on the field. Owner found. {CANARY}."


def record(text: str) -> Record:
    return Record("incidents", "A1", AT, AT, text)


@pytest.fixture(scope="module")
def examples() -> tuple[Example, ...]:
    return corpus_table([CORPUS_DIR / f"{name}.jsonl" for name in ("w1", "w7", "w8", "w9")]).examples[::6]


@pytest.fixture(scope="module")
def reading(examples: Sequence[Example]) -> Reading:
    return read_texts([each.record for each in examples], PHRASES)


@pytest.fixture(scope="module")
def labels(reading: Reading, examples: Sequence[Example]) -> Labels:
    return labels_of(reading, examples)


@pytest.fixture(scope="module")
def model(reading: Reading, labels: Labels) -> DisclosureModel:
    return DisclosureModel().fit(reading, labels)


def test_a_model_gives_a_probability_for_every_family_and_for_any(
    model: DisclosureModel, reading: Reading
) -> None:
    found = model.predict(reading)
    assert found.chances.p_family.shape == (reading.records, len(FAMILIES))
    assert found.chances.p_any.shape == found.chances.p_open.shape == (reading.records,)
    assert found.clauses.shape == (len(reading.owners), len(FAMILIES))
    assert found.cancelling.shape == (len(reading.owners),)
    for p in (found.chances.p_family, found.chances.p_any, found.chances.p_open):
        assert p.min() >= 0
        assert p.max() <= 1
        assert p.std() > 0.01


def test_a_disclosure_is_more_probable_than_a_dull_log(model: DisclosureModel) -> None:
    reading = read_texts([record(STRANGLED), record(DULL)], PHRASES)
    found = model.predict(reading)
    assert found.chances.p_any[0] > found.chances.p_any[1]
    family = FAMILIES.index("non_fatal_strangulation")
    assert found.chances.p_family[0, family] > found.chances.p_family[1, family]


def test_predictions_are_the_same_in_any_batch(model: DisclosureModel, examples: Sequence[Example]) -> None:
    records = [each.record for each in examples]
    together = model.predict(read_texts(records, PHRASES))
    for row in range(0, len(records), 10):
        alone = model.predict(read_texts([record(DULL), records[row]], PHRASES))
        assert alone.chances.p_family[1] == pytest.approx(together.chances.p_family[row], abs=CLOSE)
        assert alone.chances.p_any[1] == pytest.approx(together.chances.p_any[row], abs=CLOSE)
        assert alone.chances.p_open[1] == pytest.approx(together.chances.p_open[row], abs=CLOSE)


def test_a_record_without_words_is_read(model: DisclosureModel) -> None:
    found = model.predict(read_texts([record(""), record(DULL), record("\n")], PHRASES))
    assert np.isfinite(found.chances.p_family).all()
    assert found.chances.p_any[0] == found.chances.p_any[2]


def test_a_stored_model_predicts_the_same(model: DisclosureModel, reading: Reading) -> None:
    before = model.predict(reading)
    stored = pickle.dumps(model)
    after = pickle.loads(stored).predict(reading)  # noqa: S301 (what this test has just written)
    assert np.array_equal(after.chances.p_family, before.chances.p_family)
    assert np.array_equal(after.chances.p_open, before.chances.p_open)
    assert CANARY.encode() not in stored


def test_the_same_records_make_the_same_model(
    model: DisclosureModel, reading: Reading, labels: Labels
) -> None:
    again = DisclosureModel().fit(reading, labels)
    assert np.array_equal(again.predict(reading).chances.p_family, model.predict(reading).chances.p_family)
    assert np.array_equal(again.held_out_.p_open, model.held_out_.p_open)


def test_another_layout_is_another_version_of_the_project() -> None:
    """By its version the registry passes over a model of before, once there is one of now."""
    assert (version("crime-recording-triage"), classifier._LAYOUT) == ("0.3.0", 6)


def test_a_model_of_another_layout_is_refused(model: DisclosureModel) -> None:
    state = model.__getstate__()
    kept = DisclosureModel.__new__(DisclosureModel)
    for other in ({**state, "layout": 1}, {name: value for name, value in state.items() if name != "layout"}):
        with pytest.raises(TypeError, match="another version"):
            kept.__setstate__(other)


def test_the_layer_of_clauses_learns_from_records_of_others_with_evidence_marked(
    reading: Reading, labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[Bools] = []

    class Watched(ClauseLayer):
        def fit(self, *given: Any) -> Self:
            learnt.append(given[3])
            return super().fit(*given)

    monkeypatch.setattr(classifier, "ClauseLayer", Watched)
    some = np.arange(reading.records) % 3 > 0
    DisclosureModel().fit(reading, replace(labels, placed=some))
    folds = fold_numbers(labels.groups)
    assert [each.tolist() for each in learnt[:-1]] == [
        (some & (folds != fold)).tolist() for fold in range(folds.max() + 1)
    ]
    assert learnt[-1].tolist() == some.tolist()


def test_held_out_probabilities_were_never_learnt(
    model: DisclosureModel, reading: Reading, labels: Labels
) -> None:
    """Labels of one group turned round change what the others are given, and not what it is given itself."""
    mine = labels.groups == "w8"
    turned = replace(labels, families=labels.families.copy(), clauses=labels.clauses.copy())
    turned.families[mine] = ~labels.families[mine]
    known, spelt = model.vocabulary_.known(reading.types), model.vocabulary_.spelling(reading.types)
    units = model.vocabulary_.units(reading).records
    found = []
    for each in (labels, turned):
        material = _material(model, reading, each)
        reader, *_ = model.fit_readers(material, ~mine)
        found.append(reader.margins(units.rows(mine), reader.type_vectors(known, spelt)))
    assert np.array_equal(*found)
    assert model.held_out_.p_any[mine].mean() > 0
    assert not np.allclose(model.held_out_.p_any, model.predict(reading).chances.p_any)


def _material(model: DisclosureModel, reading: Reading, labels: Labels) -> classifier._Material:
    vocabulary = model.vocabulary_
    return classifier._Material(
        reading,
        *vocabulary.units(reading),
        vocabulary.known(reading.types),
        vocabulary.spelling(reading.types),
        window_of(reading),
        labels,
    )


def test_an_act_that_another_clause_takes_away_still_reads_as_one(examples: Sequence[Example]) -> None:
    """Twice as often as not the act is taken away; by itself it tells of a robbery all the same."""
    told = "Two males robbed him of his phone"
    undone = "the phone was at home all along"
    usual = replace(examples[0], record=record(f"{told}."), recorded=(), cancels=())
    standing = replace(usual, disclosed=("robbery",), evidence=(told,))
    taken_away = replace(
        usual, record=record(f"{told}. {undone}."), disclosed=(), evidence=(), cancels=(undone,)
    )
    several = [standing] * 10 + [taken_away] * 20
    reading = read_texts([each.record for each in several], PHRASES)
    model = DisclosureModel()
    model.vocabulary_ = Vocabulary().fit(reading)
    material = _material(model, reading, labels_of(reading, several))
    _, reader, _ = model.fit_readers(material, np.ones(reading.records, dtype=bool))
    vectors = reader.type_vectors(material.known, material.spelt)
    act, fact = reader.margins(material.clauses, vectors)[-2:]
    assert act[FAMILIES.index("robbery")] > 0 > act[-1]
    assert fact[FAMILIES.index("robbery")] < 0 < fact[-1]


@STEADY
@given(st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=60))
def test_a_group_is_never_split_and_folds_are_of_like_size(names: list[str]) -> None:
    folds = fold_numbers(np.array(names))
    assert {
        len({fold for fold, name in zip(folds, names, strict=True) if name == each}) for each in names
    } == {1}
    assert sorted(set(folds.tolist())) == list(range(min(classifier._FOLDS_MOST, len(set(names)))))
    sizes = np.bincount(folds)
    assert sizes.max() - sizes.min() <= max(names.count(each) for each in names)


def test_evidence_is_laid_over_the_clauses_that_hold_it(examples: Sequence[Example]) -> None:
    text = f"SHE CALLED. HE PUNCHED HER IN THE FACE. THEN HE LEFT, {CANARY}. HIS BROTHER SAW IT ON FILM."
    told = replace(
        examples[0],
        record=replace(record(text), form_version="dash-police-27", answers={18: "Y", 17: "N"}),
        disclosed=("violence_with_injury", "non_fatal_strangulation"),
        evidence=("HE PUNCHED HER", "Q18=Y"),
        cancels=("HIS BROTHER SAW IT",),
        marked=True,
    )
    reading = read_texts([examples[1].record, told.record], PHRASES)
    found = labels_of(reading, [replace(examples[1], disclosed=(), evidence=(), cancels=()), told])
    mine = np.flatnonzero(reading.owners == 1)
    family = {name: found.clauses[mine, FAMILIES.index(name)].tolist() for name in told.disclosed}
    assert family["violence_with_injury"] == [False, True, False, False, False, False]
    assert family["non_fatal_strangulation"] == [False, False, False, False, False, True]
    assert found.cancelling[mine].tolist() == [False, False, False, True, False, False]
    assert found.clauses.sum() == 2
    assert found.marked.tolist() == [True, True]


def test_of_several_victims_only_the_marked_one_is_known(examples: Sequence[Example]) -> None:
    """Of the first victim no clause is marked, and none is said to be innocent."""
    text = "Shane punched Kelly in the mouth. He punched her brother too. The cat is fine."
    plain = replace(
        examples[0],
        record=record(text),
        disclosed=("violence_without_injury",),
        recorded=("violence_without_injury",),
        evidence=("He punched her brother too",),
        cancels=(),
    )
    again = replace(plain, again=plain.disclosed)
    both = replace(plain, recorded=plain.disclosed * 2)
    assert [each.missed for each in (plain, again, both)] == [False, True, False]
    assert [each.lacking for each in (plain, again)] == [(), again.disclosed]
    told = [plain, again, both, replace(plain, recorded=())]
    found = labels_of(read_texts([each.record for each in told], PHRASES), told)
    assert found.beside.tolist() == [True, True, True, False]
    assert found.again.tolist() == [False, True, False, False]
    assert found.placed.tolist() == [True, False, False, True]
    assert found.several[:, FAMILIES.index("violence_without_injury")].tolist() == [False, True, True, False]
    assert found.several.sum() == 2


def test_a_further_crime_is_learnt_from_records_with_one_recorded_alone(
    model: DisclosureModel, reading: Reading, labels: Labels
) -> None:
    """Whether records without any are missed changes nothing of what is learnt of a further crime."""
    turned = replace(labels, missed=np.where(labels.beside, labels.missed, ~labels.missed))
    known, spelt = model.vocabulary_.known(reading.types), model.vocabulary_.spelling(reading.types)
    readers = [
        model.fit_readers(_material(model, reading, each), np.ones(reading.records, dtype=bool))[0]
        for each in (labels, turned, replace(labels, missed=~labels.missed))
    ]
    units = model.vocabulary_.units(reading).records
    found = [each.margins(units, each.type_vectors(known, spelt))[:, -2] for each in readers]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_yes_says_what_the_narrative_discloses(examples: Sequence[Example]) -> None:
    told = replace(
        examples[0],
        record=replace(
            record("He said that he would kill her."),
            form_version="dash-safelives-24",
            answers={1: "Y", 12: "NK", 14: "Y", 15: "N"},  # injury, control, threat to kill, strangulation
        ),
        disclosed=("threats_to_kill", "non_fatal_strangulation"),
        evidence=("he would kill her", "nowhere"),
        cancels=(),
    )
    reading = read_texts([told.record], PHRASES)
    found = labels_of(reading, [told]).clauses
    assert reading.questions[found[:, FAMILIES.index("threats_to_kill")]].tolist() == [0, 14]
    assert found.sum() == 2
    assert not labels_of(reading, [replace(told, evidence=(), marked=False)]).clauses.any()


# Layers
def test_first_inputs_have_a_voice_of_their_own() -> None:
    """The second input, which decides where the layer learnt, is absent where it is used."""
    chance = np.random.default_rng(0)
    y = chance.random(2_000) < 0.5
    x = np.column_stack([y + chance.normal(size=2_000), 4 * y + chance.normal(size=2_000)])
    elsewhere = np.column_stack([np.array([-1.0, 2.0]), np.zeros(2)])
    apart = [np.ptp(logit(BlendedLayer(alone).fit(x, y).predict(elsewhere))) for alone in (0, 1)]
    assert apart[1] > apart[0]
    one = BlendedLayer(1).fit(x, y)
    voices = [one.line_.margins(x), one.trees_.margins(x), one.alone_.margins(x[:, :1])]
    assert one.predict(x) == pytest.approx(expit(np.mean(voices, axis=0)))


def test_a_blend_orders_as_its_inputs_and_follows_weights() -> None:
    x = np.linspace(-3, 3, 400)[:, None]
    y = x[:, 0] + np.sin(37 * x[:, 0]) > 0
    p = BlendedLayer().fit(x, y).predict(x)
    assert np.corrcoef(p, x[:, 0])[0, 1] > 0.9
    heavier = BlendedLayer().fit(x, y, np.where(y, 9.0, 1.0)).predict(x)
    assert heavier.mean() > p.mean()


@STEADY
@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
def test_at_least_one_is_as_probable_as_the_likeliest_and_less_than_all_together(p: list[float]) -> None:
    found = float(noisy_or(np.array([p]))[0])
    assert max(p) - 1e-6 <= found <= min(1.0, sum(p)) + 1e-9


@STEADY
@given(st.floats(1e-6, 1 - 1e-6))
def test_log_odds_are_undone(p: float) -> None:
    assert 1 / (1 + np.exp(-logit(np.array([p])))) == pytest.approx(p, abs=1e-9)
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
