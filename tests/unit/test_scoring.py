"""Disclosed minus recorded: order, ties, batches, evidence and the prevalence that scores assume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import models.linear
from models import RECIPES
from tests.conftest import CANARY
from training_data.build import CORPUS_DIR, corpus_table
from triage.desk.score_file import evidence_json
from triage.language.disclosures import STATUSES
from triage.learning import registry
from triage.learning.signing import trusted_by
from triage.ranking import scoring
from triage.ranking.fitted import logit
from triage.ranking.layers import shift_prevalence
from triage.ranking.marks import Mark, Marks, lowering, shown
from triage.ranking.scoring import (
    LOWERS,
    OPEN,
    Ranker,
    RecordScore,
    keep_probabilities,
    rescore,
    score_matters,
)
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record
from triage.settings import Settings

AT = datetime(2026, 10, 14, tzinfo=UTC)
SETTINGS = Settings()


def loaded(registry_dir: Path, name: str) -> Ranker:
    trusted = trusted_by(Settings(registry_dir=registry_dir))
    return registry.load(registry_dir, name, trusted=trusted).model


@pytest.fixture(scope="module", params=sorted(RECIPES))
def model(request: pytest.FixtureRequest, registry_dir: Path) -> Ranker:
    return loaded(registry_dir, request.param)


@pytest.fixture(scope="module")
def linear(registry_dir: Path) -> Ranker:
    return loaded(registry_dir, "linear")


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
    for each in scores:
        assert all(
            0 <= p <= 1
            for p in (each.score_01, each.p_any, each.p_open, each.p_further, each.p_again, *each.p_family)
        )
    keys = [(-each.score_01, each.tiebreak) for each in scores]
    assert keys == sorted(keys)
    assert len(set(keys)) == 9


@pytest.fixture(scope="module")
def of_the_corpus() -> tuple[Matter, ...]:
    """Matters of the corpus, with what is recorded for them, and one without a narrative."""
    matters = [
        Matter(
            each.record.record_ref,
            (replace(each.record, opened_at=AT, closed_at=AT),),
            tuple(Crime(f"C{n}", each.record.record_ref, AT, name) for n, name in enumerate(each.recorded)),
        )
        for each in corpus_table().examples[::17]
    ]
    return (*matters, matter("EMPTY", ""))


def test_order_of_input_never_matters(model: Ranker, of_the_corpus: Sequence[Matter]) -> None:
    assert score_matters(model, of_the_corpus, settings=SETTINGS) == score_matters(
        model, of_the_corpus[::-1], settings=SETTINGS
    )


@pytest.mark.parametrize("batch", [2, 7, 50, 10_000])
def test_scores_are_the_same_whatever_the_batch(
    monkeypatch: pytest.MonkeyPatch, model: Ranker, of_the_corpus: Sequence[Matter], batch: int
) -> None:
    """All of a score, to the last of its nine decimals."""
    before = score_matters(model, of_the_corpus, settings=SETTINGS)
    assert len(before) == len(of_the_corpus)
    monkeypatch.setattr(scoring, "_BATCH", batch)
    assert score_matters(model, of_the_corpus, settings=SETTINGS) == before


def test_evidence_lies_within_its_text_or_is_an_answer(
    model: Ranker, of_the_corpus: Sequence[Matter]
) -> None:
    texts = {each.root: each.lead for each in of_the_corpus}
    for each in score_matters(model, of_the_corpus, settings=SETTINGS):
        record = texts[each.record_ref]
        speaking = [place for place in each.evidence if place.family]
        places = [(place.start, place.end, place.question) for place in each.evidence]
        assert len(set(places)) == len(places)
        assert len(speaking) <= 5
        assert {place.family for place in speaking} <= set(each.unrecorded_families)
        assert tuple(speaking) == each.evidence[: len(speaking)]
        for place in each.evidence:
            if place.question:
                assert record.answers[int(place.question.removeprefix("q"))] == "Y"
                assert place.start is place.end is None
            else:
                assert place.start is not None
                assert place.end is not None
                assert 0 <= place.start < place.end <= len(record.text)
                assert record.text[place.start : place.end].strip()


def test_what_lowered_a_score_is_named_without_a_family_and_not_in_the_file(
    linear: Ranker, of_the_corpus: Sequence[Matter]
) -> None:
    scores = score_matters(linear, of_the_corpus, settings=SETTINGS)
    lowering = [place for each in scores for place in each.evidence if place.status == LOWERS]
    assert len(lowering) > 5
    assert {place.family for place in lowering} == {""}
    assert LOWERS not in STATUSES
    for each in scores:
        assert len([place for place in each.evidence if not place.family]) <= 2
        assert all(place.status == LOWERS for place in each.evidence if not place.family)
        assert evidence_json(each.evidence) == evidence_json([p for p in each.evidence if p.family])
        assert "lowers" not in evidence_json(each.evidence)


def test_evidence_says_how_the_text_speaks_of_an_act(linear: Ranker) -> None:
    denied = f"SUSPECT DENIES THAT HE GRABBED HER BY THE THROAT AND SHE COULDNT BREATHE. {CANARY}."
    scores = score(linear, [matter("A1", STRANGLED), matter("A2", denied), matter("A3", DULL)])
    assert scores["A1"].evidence[0].status == "asserted"
    assert scores["A2"].evidence[0].status == "denied_by_suspect"
    known = {"", LOWERS, *STATUSES}
    assert {place.status for each in scores.values() for place in each.evidence} <= known


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
    assert not any(place.family == "non_fatal_strangulation" for place in scores["A2"].evidence)
    assert scores["A3"].score_01 == scores["A1"].score_01


def test_a_yes_on_the_form_is_evidence(linear: Ranker) -> None:
    answers = {18: "Y", 16: "N"}
    form = matter("A1", "", form_version="dash-police-27", answers=answers)
    only = score(linear, [form, matter("A2", DULL)])["A1"]
    assert [each.question for each in only.evidence] == ["q18"]
    assert only.unrecorded_families[0] == "non_fatal_strangulation"


def test_an_empty_record_has_a_score_and_no_evidence(model: Ranker) -> None:
    assert score(model, [matter("A1", ""), matter("A2", DULL)])["A1"].evidence == ()


def test_records_that_are_all_empty_have_scores(linear: Ranker) -> None:
    assert score(linear, [matter("A1", ""), matter("A2", " ")])["A1"].evidence == ()


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


def test_rescoring_without_news_keeps_score_and_families(model: Ranker) -> None:
    for crimes in ((), ("105/01",), ("8/77",)):
        [before] = score(model, [matter("A1", STRANGLED, *crimes)]).values()
        rows = matter("A1", "", *crimes).crimes
        again, families = rescore(model, keep_probabilities(before), rows, SETTINGS, AT.date())
        assert again == pytest.approx(before.score_01, rel=1e-4)
        assert families == before.unrecorded_families


def test_rescoring_against_a_new_crime_is_scoring_with_it(linear: Ranker) -> None:
    [before] = score(linear, [matter("A1", STRANGLED)]).values()
    [after] = score(linear, [matter("A1", STRANGLED, "8/77")]).values()
    rows = matter("A1", "", "8/77").crimes
    again, families = rescore(linear, keep_probabilities(before), rows, SETTINGS, AT.date())
    assert again == pytest.approx(after.score_01, rel=1e-4)
    assert again < before.score_01
    assert families == after.unrecorded_families


def test_an_item_of_an_earlier_version_is_rescored(linear: Ranker) -> None:
    [before] = score(linear, [matter("A1", STRANGLED)]).values()
    kept = keep_probabilities(before)
    del kept[OPEN]
    again, families = rescore(linear, kept, (), SETTINGS, AT.date())
    assert 0 < again < 1
    assert families == before.unrecorded_families


PLACES = st.tuples(st.integers(0, 3), st.integers(5, 8), st.sampled_from(["", "q2", "q10", "q18"]))
MARKS = st.builds(
    lambda family, margin, place: Mark(family, margin, *(place if not place[2] else (0, 0, place[2]))),
    st.integers(-1, 4),
    st.sampled_from([-1.0, 0.0, 0.5, 2.0]),
    PLACES,
)


@hypothesis_settings(deadline=None, derandomize=True)
@given(st.lists(st.lists(MARKS, max_size=14), min_size=1, max_size=4), st.sets(st.integers(0, 4)), st.data())
def test_evidence_is_the_strongest_places_each_once(
    found: list[list[Mark]], named: set[int], data: st.DataObject
) -> None:
    """Worked out for all records at once, it is what one gets mark by mark."""
    chances = st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=15, max_size=15)
    p = np.array([data.draw(chances) for _ in found])
    flags = np.array([[family in named for family in range(15)]] * len(found))
    marks = Marks.of(found)
    best = shown(marks, p, flags)
    against = lowering(marks, best)
    for row, mine in enumerate(found):
        fitting = sorted(
            (mark for mark in mine if mark.family in named),
            key=lambda mark: (
                -(mark.margin + logit(p[row])[mark.family]),
                mark.start,
                mark.question,
                mark.family,
            ),
        )
        places = list(dict.fromkeys((mark.start, mark.end, mark.question) for mark in fitting))[:5]
        assert places_of(best, row) == places
        speaking = sorted(
            (mark for mark in mine if mark.family < 0), key=lambda mark: (-mark.margin, mark.start)
        )
        rest = [(mark.start, mark.end, mark.question) for mark in speaking]
        assert places_of(against, row) == [place for place in rest if place not in places][:2]


def places_of(marks: Marks, row: int) -> list[tuple[int, int, str]]:
    kept = marks.rows(marks.owners == row)
    return [
        (start, end, f"q{question}" if question else "")
        for start, end, question in zip(
            kept.starts.tolist(), kept.ends.tolist(), kept.questions.tolist(), strict=True
        )
    ]


def test_an_assault_recorded_before_2022_accounts_for_a_strangulation(linear: Ranker) -> None:
    now = matter("A1", STRANGLED, "8/6")
    before = replace(now, records=(replace(now.lead, opened_at=datetime(2020, 1, 1, tzinfo=UTC)),))
    assert "non_fatal_strangulation" in score(linear, [now])["A1"].unrecorded_families
    assert "non_fatal_strangulation" not in score(linear, [before])["A1"].unrecorded_families


def test_a_strangulation_reported_before_2022_is_named_as_the_assault_it_was(linear: Ranker) -> None:
    now = matter("A1", STRANGLED)
    before = replace(now, records=(replace(now.lead, opened_at=datetime(2022, 6, 6, 12, tzinfo=UTC)),))
    first = replace(now, records=(replace(now.lead, opened_at=datetime(2022, 6, 7, 12, tzinfo=UTC)),))
    scores = [score(linear, [each])["A1"] for each in (first, before)]
    assert [each.unrecorded_families[0] for each in scores] == [
        "non_fatal_strangulation",
        "violence_without_injury",
    ]
    assert scores[1].evidence[0].family == "violence_without_injury"
    assert "non_fatal_strangulation" not in scores[1].unrecorded_families
    assert scores[1].score_01 == pytest.approx(scores[0].score_01, rel=0.5)
    recorded = replace(before, crimes=(Crime("C1", "A1", AT, "non_fatal_strangulation"),))
    assert score(linear, [recorded])["A1"].score_01 < scores[1].score_01 / 2


def test_a_second_clause_of_a_family_is_marked_only_where_it_carries_it(
    linear: Ranker, of_the_corpus: Sequence[Matter]
) -> None:
    marks = linear.disclose([each.records[0] for each in of_the_corpus]).marks
    found: dict[tuple[int, int], list[float]] = {}
    for owner, family, margin in zip(marks.owners, marks.families, marks.margins, strict=True):
        if family >= 0:
            found.setdefault((int(owner), int(family)), []).append(float(margin))
    seconds = [min(margins) for margins in found.values() if len(margins) == 2]
    assert max(map(len, found.values())) == 2
    assert 0 < len(seconds) < len(found)
    assert min(seconds) > models.linear._SECOND_FROM > min(map(max, found.values()))


@pytest.fixture(scope="module")
def several() -> Ranker:
    """A model that learnt of several victims, too."""
    names = ("w1", "w8", "w85", "w86", "w88", "w94")
    return models.linear.build(corpus_table([CORPUS_DIR / f"{name}.jsonl" for name in names]))


def test_another_victim_than_the_recorded_one_raises_a_score(several: Ranker) -> None:
    first = f"Shane punched Kelly in the mouth and split her lip. {CANARY}."
    brother = " Her brother came to fetch her and Shane punched him as well, his nose is broken."
    one, two = "8/6", ("8/6", "8/6")
    found = score(
        several,
        [matter("A1", first, one), matter("A2", first + brother, one), matter("A3", first + brother, *two)],
    )
    assert found["A2"].score_01 > 3 * found["A1"].score_01
    assert found["A2"].score_01 > 3 * found["A3"].score_01
    assert found["A2"].p_again > found["A1"].p_again
    kept = keep_probabilities(found["A2"])
    crimes = [*matter("A2", "", *two).crimes]
    for known, ref in ((crimes[:1], "A2"), (crimes, "A3")):
        again, families = rescore(several, kept, known, SETTINGS, AT.date())
        assert again == pytest.approx(found[ref].score_01, abs=1e-6)
        assert families == found[ref].unrecorded_families


def test_the_day_of_a_report_is_the_forces_own(linear: Ranker) -> None:
    """Half past midnight in summer is the day before in universal time."""
    now = matter("A1", STRANGLED)
    first = datetime(2022, 6, 7, 0, 30, tzinfo=ZoneInfo("Europe/London"))
    found = score(linear, [replace(now, records=(replace(now.lead, opened_at=first.astimezone(UTC)),))])
    assert found["A1"].unrecorded_families[0] == "non_fatal_strangulation"


@dataclass(frozen=True)
class Told:
    done: list[tuple[int, int]]

    def __call__(self, done: int, total: int) -> None:
        self.done.append((done, total))


def test_progress_counts_to_the_end(linear: Ranker) -> None:
    told = Told([])
    score_matters(linear, [matter(f"A{n}", DULL) for n in range(501)], settings=SETTINGS, progress=told)
    assert told.done == [(500, 501), (501, 501)]
