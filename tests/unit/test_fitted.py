"""Lines and trees as plain arrays say what scikit-learn's own objects say, which scoring does not load."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models import linear
from training_data.build import CORPUS_DIR, TrainingTable, corpus_table
from triage.ranking.fitted import Bools, Floats, Trees, expit
from triage.ranking.fitting import booster, fit_line, fit_trees
from triage.reading.records import Record

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def known() -> tuple[Floats, Bools]:
    """Nine hundred rows, of which one input is constant, one has few values and two count together."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=(900, 6))
    x[:, 4] = 1.0
    x[:, 5] = chance.integers(3, size=900)
    return x, (x[:, 0] * x[:, 1] > 0.2) | (x[:, 5] == 2)


def test_trees_say_what_scikit_learn_says(known: tuple[Floats, Bools]) -> None:
    x, y = known
    fitted = booster().fit(x, y)
    unseen = np.random.default_rng(1).normal(size=(500, 6)) * 3
    for rows in (x, unseen, x[:1], x[:0]):
        said = fitted.decision_function(rows) if len(rows) else np.zeros(0)
        assert Trees.of(fitted).margins(rows) == pytest.approx(said, abs=1e-12)


def test_a_value_at_a_threshold_goes_as_scikit_learn_sends_it(known: tuple[Floats, Bools]) -> None:
    x, y = known
    fitted = booster().fit(x, y)
    trees = Trees.of(fitted)
    rows = []
    for column, thresholds in enumerate(trees.thresholds):
        for value in thresholds:
            for moved in (np.nextafter(value, -np.inf), value, np.nextafter(value, np.inf)):
                rows.append(x[len(rows) % len(x)].copy())
                rows[-1][column] = moved
    assert len(rows) > 100
    assert trees.margins(np.array(rows)) == pytest.approx(fitted.decision_function(np.array(rows)), abs=1e-12)


def test_a_single_leaf_and_sixteen_leaves_are_kept_and_more_refused(known: tuple[Floats, Bools]) -> None:
    x, y = known
    stump = booster().set_params(min_samples_leaf=len(x)).fit(x, y)
    assert Trees.of(stump).margins(x) == pytest.approx(stump.decision_function(x), abs=1e-12)
    many = booster().set_params(max_leaf_nodes=16, min_samples_leaf=2).fit(x, y)
    assert Trees.of(many).margins(x) == pytest.approx(many.decision_function(x), abs=1e-12)
    too_many = booster().set_params(max_leaf_nodes=17, min_samples_leaf=2).fit(x, y)
    with pytest.raises(ValueError, match="17 leaves; at most 16"):
        Trees.of(too_many)


def test_a_line_says_what_scikit_learn_says(known: tuple[Floats, Bools]) -> None:
    x, y = known
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=3000)).fit(x, y)
    assert fit_line(x, y, None).margins(x) == pytest.approx(pipeline.decision_function(x), abs=1e-9)
    bare = LogisticRegression(C=0.3, max_iter=3000).fit(sp.csr_matrix(x), y)
    found = fit_line(sp.csr_matrix(x), y, None, scaled=False).margins(sp.csr_matrix(x))
    assert found == pytest.approx(bare.decision_function(x), abs=1e-9)


def test_inputs_that_rows_share_count_as_if_each_row_had_them(known: tuple[Floats, Bools]) -> None:
    x, y = known
    own, shared = x[:, :2], x[::3, 2:]
    whole = np.column_stack([own, np.repeat(shared, 3, axis=0)])
    for fitted in (fit_line(whole, y, None), fit_trees(whole, y, None)):
        assert fitted.margins(own, shared) == pytest.approx(fitted.margins(whole), abs=1e-12)
        assert np.ptp(fitted.margins(whole)) > 1


def test_weights_count_as_often_as_they_say(known: tuple[Floats, Bools]) -> None:
    x, y = known
    weight = np.where(y, 5.0, 1.0)
    assert fit_line(x, y, weight).margins(x).mean() > fit_line(x, y, None).margins(x).mean() + 0.5
    assert fit_trees(x, y, weight).margins(x).mean() > fit_trees(x, y, None).margins(x).mean() + 0.5


def test_probabilities_of_any_log_odds_are_finite_and_keep_their_order() -> None:
    margins = np.array([-1000.0, -700.0, -40.0, 0.0, 40.0, 1000.0])
    found = expit(margins)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()
    assert found[3] == 0.5
    assert found[1] > 0


def test_other_inputs_than_were_fitted_on_are_refused(known: tuple[Floats, Bools]) -> None:
    x, y = known
    for part in (fit_line(x, y, None), fit_trees(x, y, None)):
        for wrong, shared in ((x[:, :4], None), (np.hstack([x, x]), None), (x[:, :2], x[::3, :3])):
            with pytest.raises(ValueError, match=r"inputs were given; it was fitted on 6"):
                part.margins(wrong, shared)
        with pytest.raises(ValueError, match="900 rows cannot share 7 evenly"):
            part.margins(x[:, :2], x[:7, 2:])
        with pytest.raises(ValueError, match="900 rows cannot share 0 evenly"):
            part.margins(x[:, :2], x[:0, 2:])
        assert part.margins(x[:0, :2], x[:0, 2:]).shape == (0,)


ASKED = """
import sys, joblib, triage.desk.score_extract, models.linear
model, some = joblib.load(sys.argv[1])
found = model.disclose(some)
recorded = (found.chances.p_family > 2).astype(int)
recorded[0, 0] = 1
print(model.unrecorded(found.chances, recorded).p.round(9).tolist())
print([name for name in sys.modules if name.split(".")[0] == "sklearn"])
"""
SOME = [
    Record("incidents", f"A{at}", AT, AT, text)
    for at, text in enumerate(["He punched her in the face. She is fine now.", "A dog ran off.", ""])
]


def test_scoring_loads_no_scikit_learn(tmp_path: Path) -> None:
    """It takes as long to import as everything else that `triage score` does before it reads."""
    examples = corpus_table([CORPUS_DIR / "w8.jsonl", CORPUS_DIR / "w9.jsonl"]).examples[::4]
    model = linear.build(TrainingTable(examples, ""))
    joblib.dump((model, SOME), tmp_path / "model.joblib")
    asked = [sys.executable, "-c", ASKED, str(tmp_path / "model.joblib")]
    said = subprocess.run(asked, capture_output=True, text=True, check=True)
    found = model.disclose(SOME)
    recorded = np.zeros(found.chances.p_family.shape, dtype=int)
    recorded[0, 0] = 1
    here = model.unrecorded(found.chances, recorded).p
    assert said.stdout.splitlines() == [str(here.round(9).tolist()), "[]"]
