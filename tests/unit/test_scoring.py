"""Disclosed minus recorded: order, ties, evidence and the prevalence that scores assume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models import RECIPES
from tests.conftest import CANARY
from triage.language.offences import FAMILIES
from triage.learning import registry
from triage.ranking.classifier import shift_prevalence
from triage.ranking.scoring import (
    Ranker,
    RecordScore,
    keep_probabilities,
    recorded_mask,
    rescore,
    score_matters,
)
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record
from triage.settings import Settings

AT = datetime(2026, 10, 14, tzinfo=UTC)
SETTINGS = Settings()


@pytest.fixture(scope="module", params=sorted(RECIPES))
def model(request: pytest.FixtureRequest, registry_dir: Path) -> Ranker:
    return registry.load(registry_dir, request.param).model


@pytest.fixture(scope="module")
def linear(registry_dir: Path) -> Ranker:
    return registry.load(registry_dir, "linear").model


def matter(ref: str, text: str, *crimes: str, status: str = "recorded", **fields: object) -> Matter:
    record = Record("incidents", ref, AT, AT, text, **fields)  # type: ignore[arg-type]
    rows = (Crime(f"CR{n}-{ref}", ref, AT, code, status) for n, code in enumerate(crimes))
    return Matter(ref, (record,), tuple(rows))


def score(model: Ranker, matters: Sequence[Matter], settings: Settings = SETTINGS) -> dict[str, RecordScore]:
    return {each.record_ref: each for each in score_matters(model, matters, settings=settings)}


STRANGLED = f"SHE SAID HE PUT BOTH HANDS ROUND HER THROAT AND SHE COULDNT BREATHE. {CANARY}. NFA."
DULL = f"REPORT OF A LOOSE DOG ON THE FIELD. OWNER FOUND. {CANARY}."


def test_every_recipe_gives_probabilities_and_a_total_order(model: Ranker) -> None:
    matters = [matter(f"A{n}", STRANGLED if n % 3 == 0 else DULL) for n in range(9)]
    scores = score_matters(model, matters, settings=SETTINGS)
    assert len(scores) == 9
    assert all(0 <= p <= 1 for each in scores for p in (each.score_01, each.p_any, *each.p_family))
    keys = [(-each.score_01, each.tiebreak) for each in scores]
    assert keys == sorted(keys)
    assert len(set(keys)) == 9


def test_order_of_input_never_matters(linear: Ranker) -> None:
    matters = [matter(f"A{n}", f"{STRANGLED} {n}" if n % 2 else f"{DULL} {n}") for n in range(30)]
    assert score_matters(linear, matters, settings=SETTINGS) == score_matters(
        linear, matters[::-1], settings=SETTINGS
    )


def test_a_disclosure_goes_before_a_dull_log_and_says_where(linear: Ranker) -> None:
    scores = score(linear, [matter("A1", STRANGLED), matter("A2", DULL)])
    assert scores["A1"].score_01 > scores["A2"].score_01
    assert scores["A1"].unrecorded_families[0] == "non_fatal_strangulation"
    best = scores["A1"].evidence[0]
    assert "HANDS ROUND HER THROAT" in STRANGLED[best.start : best.end]


def test_a_recorded_crime_is_taken_away(linear: Ranker) -> None:
    scores = score(
        linear,
        [
            matter("A1", STRANGLED),
            matter("A2", STRANGLED, "008/77"),
            matter("A3", STRANGLED, "008/77", status="cancelled"),
        ],
    )
    assert scores["A2"].score_01 < scores["A1"].score_01
    assert "non_fatal_strangulation" not in scores["A2"].unrecorded_families
    assert scores["A3"].score_01 == scores["A1"].score_01


def test_a_yes_on_the_form_is_evidence(linear: Ranker) -> None:
    answers = {18: "Y", 16: "N"}
    [only] = score(linear, [matter("A1", "", form_version="dash-police-27", answers=answers)]).values()
    assert [each.question for each in only.evidence] == ["q18"]


def test_an_empty_record_has_a_score_and_no_evidence(model: Ranker) -> None:
    [only] = score(model, [matter("A1", "")]).values()
    assert only.evidence == ()


def test_scores_move_with_the_prevalence_they_assume(linear: Ranker) -> None:
    matters = [matter("A1", STRANGLED)]
    low, high = (
        score(linear, matters, SETTINGS.model_copy(update={"assumed_prevalence": p}))["A1"].score_01
        for p in (0.01, 0.2)
    )
    assert low < high


def test_shift_prevalence_is_undone_by_its_reverse() -> None:
    p = np.array([0.01, 0.3, 0.9])
    assert shift_prevalence(shift_prevalence(p, 0.4, 0.05), 0.05, 0.4) == pytest.approx(p)


def test_rescoring_without_news_keeps_score_and_families(linear: Ranker) -> None:
    for crimes in ((), ("105/01",)):
        [before] = score(linear, [matter("A1", STRANGLED, *crimes)]).values()
        rows = matter("A1", "", *crimes).crimes
        again, families = rescore(linear, keep_probabilities(before), rows, SETTINGS)
        assert again == pytest.approx(before.score_01, rel=1e-4)
        assert families == before.unrecorded_families


def test_covered_families_count_as_recorded() -> None:
    crime = Crime("C1", "A1", AT, "034/01")
    mask = recorded_mask([crime])
    assert {name for name, hit in zip(FAMILIES, mask, strict=True) if hit} == {"robbery", "theft"}
    assert not recorded_mask([replace(crime, status="transferred")]).any()
    assert not recorded_mask([replace(crime, offence_code="999/99")]).any()


@dataclass(frozen=True)
class Told:
    done: list[tuple[int, int]]

    def __call__(self, done: int, total: int) -> None:
        self.done.append((done, total))


def test_progress_counts_to_the_end(linear: Ranker) -> None:
    told = Told([])
    score_matters(linear, [matter(f"A{n}", DULL) for n in range(501)], settings=SETTINGS, progress=told)
    assert told.done == [(500, 501), (501, 501)]
