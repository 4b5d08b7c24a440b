"""What a ranking is worth against truth: figures by hand, errors, authors left out, and the command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models import plain
from models.keywords import build_weighted_phrases
from tests.conftest import CANARY
from training_data.build import TrainingTable, corpus_table
from training_data.examples import Example
from triage.errors import UsageError
from triage.language.offences import FAMILIES
from triage.learning.evaluation import evaluate, leave_one_author_out
from triage.learning.reports import Report, comparison, details
from triage.ranking.scoring import Ranker
from triage.settings import Settings

Run = Callable[..., Any]
SETTINGS = Settings()
TEXT = f"HE HIT HER AND THEN HE TOOK HER PHONE. {CANARY}"
HIT, TOOK = "HE HIT HER", "HE TOOK HER PHONE"


def an_example(ref: str, *disclosed: str, recorded: Sequence[str] = (), source: str = "incidents") -> Example:
    record = replace(corpus_table().examples[0].record, source=source, record_ref=ref, text=TEXT)
    evidence = {"violence_without_injury": HIT, "theft": TOOK, "rape": "Q19=Y"}
    return Example(
        record,
        author=ref.split("-")[0],
        disclosed=disclosed,
        recorded=tuple(recorded),
        evidence=tuple(evidence[family] for family in disclosed),
    )


def a_row(
    ref: str, rank: int, *, named: str = "", places: Sequence[Any] = (), **cells: Any
) -> dict[str, Any]:
    return {
        "record_ref": ref,
        "source": "incidents",
        "rank": rank,
        "score_01": 1 / rank,
        **{f"p_{family}": 0.1 for family in FAMILIES},
        "unrecorded_families": named,
        "evidence": json.dumps(list(places)),
        **cells,
    }


def place(found: str, family: str = "theft") -> dict[str, Any]:
    start = TEXT.index(found)
    return {"family": family, "start": start, "end": start + len(found)}


TRUTH = [
    an_example("w1-001a", "theft"),
    an_example("w1-001b"),
    an_example("w1-002a", "violence_without_injury", "theft", recorded=["theft"]),
    an_example("w1-002b", "theft", recorded=["theft"]),
    an_example("w2-001", "rape", source="assessments"),
    an_example("w2-002"),
]
#: Read in this order: missed, clean, missed, missed, recorded, clean.
ROWS = [
    a_row("w1-001a", 1, named="theft;rape", places=[place(TOOK)], p_theft=0.9),
    a_row("w1-001b", 2, p_theft=0.2),
    a_row("w2-001", 3, named="theft;rape", places=[{"family": "rape", "question": "q19"}]),
    a_row("w1-002a", 4, named="violence_without_injury", places=[place(TOOK)], p_theft=0.8),
    a_row("w1-002b", 5, named="theft", places=[place(TOOK)], p_theft=0.1),
    a_row("w2-002", 6, p_theft=0.0),
]


def judged(truth: Sequence[Example] = TRUTH, rows: Sequence[dict[str, Any]] = ROWS, **words: Any) -> Report:
    return evaluate("mine", truth, rows, prevalence=0.05, **words)


def test_the_figures_of_a_small_ranking() -> None:
    report = judged()
    assert (report.records, report.missed, report.unlabelled) == (6, 3, 0)
    assert report.roc_auc == pytest.approx(7 / 9)
    # Missed weigh 0.1, the others 1.9: precision 1, 0.2 of 2.1 and 0.3 of 2.2.
    assert report.average_precision == pytest.approx((1 + 0.2 / 2.1 + 0.3 / 2.2) / 3)
    assert [each.found for each in report.recall] == pytest.approx([1 / 3] * 3)
    assert report.curve[40].found == pytest.approx(1.0)
    assert (report.curve[0].found, report.curve[-1].share) == (0.0, 1.0)


def test_the_first_family_must_be_one_that_is_not_recorded() -> None:
    # w1-001a and w1-002a name it first; w2-001 second.
    assert judged().top1_family == pytest.approx(2 / 3)
    swapped = [row if row["rank"] != 4 else {**row, "unrecorded_families": "theft"} for row in ROWS]
    assert judged(rows=swapped).top1_family == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("places", "shown"),
    [
        ([place("HIT")], True),
        ([place(TOOK)], False),  # evidence of what is recorded
        ([place(TOOK)] * 2 + [place(HIT)], True),
        ([place(TOOK)] * 3 + [place(HIT)], False),
        ([{"family": "theft", "start": len(HIT), "end": len(HIT) + 4}], False),  # begins where it ends
        ([{"family": "rape", "question": "q19"}], False),
        ([], False),
    ],
)
def test_evidence_counts_within_the_first_three_places(places: list[Any], shown: bool) -> None:
    rows = [row if row["rank"] != 4 else {**row, "evidence": json.dumps(places)} for row in ROWS]
    assert judged(rows=rows).evidence_top3 == pytest.approx((2 + shown) / 3)


def test_groups_families_and_pairs() -> None:
    report = judged()
    groups = {(each.kind, each.name): each for each in report.groups}
    assert groups["author", "w1"].roc_auc == pytest.approx(3 / 4)
    assert groups["author", "w2"].roc_auc == 1.0
    assert groups["source", "assessments"].roc_auc is None
    assert (groups["source", "incidents"].records, groups["source", "incidents"].missed) == (5, 2)
    assert groups["against", "recorded"].roc_auc == 1.0
    assert groups["against", "nothing disclosed"].roc_auc == pytest.approx(4 / 6)
    families = {each.name: each for each in report.families}
    theft = families["theft"]
    assert (theft.disclosed, theft.missed, theft.roc_auc, theft.recall_top10, theft.top1) == (3, 1, 1, 1, 1)
    assert theft.disclosed_roc_auc == pytest.approx(7.5 / 9)
    assert (families["rape"].recall_top10, families["rape"].top1) == (0.0, 0.0)
    assert (families["burglary"].roc_auc, families["burglary"].top1) == (None, None)
    # The second pair is one, though its author is not asked for; both are won.
    assert [(each.author, each.pairs, each.won) for each in report.pairs] == [("w1", 2, 1.0)]


def test_pairs_of_several_authors_are_also_counted_together() -> None:
    more = [an_example("w3-001a", "theft"), an_example("w3-001b")]
    rows = [*ROWS, a_row("w3-001a", 8), a_row("w3-001b", 7)]
    pairs = judged([*TRUTH, *more], rows).pairs
    assert [(each.author, each.pairs, round(each.won, 3)) for each in pairs] == [
        ("w1", 2, 1.0),
        ("w3", 1, 0.0),
        ("all", 3, 0.667),
    ]


def test_equal_scores_and_unlabelled_rows_widen_the_bounds() -> None:
    tied = [{**row, "score_01": 0.5} for row in ROWS]
    assert [(each.worst, each.best) for each in judged(rows=tied).recall] == [(0, 1)] * 3
    stranger = judged(rows=[{**row, "rank": row["rank"] + 1} for row in ROWS] + [a_row("x-1", 1, score_01=2)])
    assert stranger.unlabelled == 1
    # 1 of 7 is read first and takes a seventh of the reading; labelled, nothing is found in the top tenth.
    top, fifth = stranger.recall[1], stranger.recall[2]
    assert (top.found, top.best) == (0.0, 0.0)
    assert (fifth.found, fifth.worst) == pytest.approx((1 / 3, 1 / 3))
    assert fifth.best == pytest.approx((0.1 + 1.0) / (0.3 + 1.0))
    assert stranger.roc_auc == judged().roc_auc


def test_intervals_hold_the_figures_and_are_of_their_seed() -> None:
    report = judged()
    low, high = report.intervals["roc_auc"] or (1.0, 0.0)
    assert low < report.roc_auc < high
    assert report == judged()
    # Of two authors a draw holds w1 alone, both or w2 alone, in which order 3/4, 7/9 and 1 are the figures.
    assert judged(over="authors").intervals["roc_auc"] == pytest.approx((0.75, 1.0))
    assert (report.intervals_over, judged(over="authors").intervals_over) == ("pairs", "authors")


@pytest.mark.parametrize(
    ("truth", "says"),
    [
        (
            [*TRUTH, an_example("w9-007"), an_example("w9-008")],
            "2 of 8 labelled records have no score: w9-007",
        ),
        ([*TRUTH, TRUTH[0]], "1 records are labelled twice: w1-001a"),
        (TRUTH[1:2], "all missed, or none"),
        ([an_example(f"w9-{n}") for n in range(9)], "w9-4 …"),
    ],
)
def test_what_is_wrong_with_the_truth_is_named_without_text(truth: list[Example], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        judged(truth)
    assert CANARY not in str(caught.value)


def test_one_reference_in_two_tables_is_told_apart() -> None:
    rows = [*ROWS, a_row("w2-001", 7, source="assessments", named="rape")]
    assert judged(rows=rows).top1_family == 1.0
    with pytest.raises(UsageError, match="w2-001"):
        judged(rows=[*rows[:-1], a_row("w2-001", 7, source="referrals")])


def test_the_tables_say_what_the_report_says() -> None:
    report = judged()
    text = comparison([report, replace(report, name="other", roc_auc=0.125)])
    assert re.search(r"^ROC-AUC +0\.778 +0\.125$", text, re.MULTILINE)
    assert re.search(r"^recall in the top 10% +0\.333 +0\.333$", text, re.MULTILINE)
    assert re.search(r"^  assessments \(1 of 1\) +- +-$", text, re.MULTILINE)
    assert re.search(r"^contrast pairs won, w1 \(2\) +1\.000 +1\.000$", text, re.MULTILINE)
    assert "burglary" not in text
    assert re.search(r"^theft +3 +1 +1\.000 +1\.000 +0\.833$", details(report), re.MULTILINE)
    assert len({len(line) for line in details(report).splitlines() if line.startswith("  ")}) <= 1
    assert CANARY not in text + details(report)


SOME = tuple(each for each in corpus_table().examples if each.author in {"w1", "w2", "w3"})[::6]


def build(examples: Sequence[Example]) -> Ranker:
    return build_weighted_phrases(TrainingTable(tuple(examples), ""))


def test_an_author_is_scored_by_what_the_others_taught() -> None:
    learnt: list[set[str]] = []

    def watched(examples: Sequence[Example]) -> Ranker:
        learnt.append({each.author for each in examples})
        return build(examples)

    scores = leave_one_author_out(watched, SOME, settings=SETTINGS)
    assert learnt == [{"w2", "w3"}, {"w1", "w3"}, {"w1", "w2"}]
    assert {each.record_ref for each in scores} == {each.record.record_ref for each in SOME}
    learnt.clear()
    part = leave_one_author_out(watched, SOME, settings=SETTINGS, authors=["w2"], train_authors=["w2", "w3"])
    assert learnt == [{"w3"}]
    assert {each.record_ref.split("-")[0] for each in part} == {"w2"}
    assert leave_one_author_out(build, SOME, settings=SETTINGS, jobs=2) == scores
    learnt.clear()
    two = leave_one_author_out(watched, SOME, settings=SETTINGS, together=2)
    assert learnt == [{"w2"}, {"w1", "w3"}]
    assert sorted(each.record_ref for each in two) == sorted(each.record_ref for each in scores)


def test_what_is_recorded_is_a_crime_of_the_record() -> None:
    scores = {each.record_ref: each for each in leave_one_author_out(build, SOME, settings=SETTINGS)}
    recorded = [each for each in SOME if each.recorded]
    assert recorded
    for each in recorded:
        assert not set(scores[each.record.record_ref].unrecorded_families) & set(each.recorded)


def test_unknown_and_lonely_authors_are_refused() -> None:
    with pytest.raises(UsageError, match="'w4' is unknown; known: w1, w2, w3"):
        leave_one_author_out(build, SOME, settings=SETTINGS, authors=["w4"])
    with pytest.raises(UsageError, match="no other author"):
        leave_one_author_out(build, SOME, settings=SETTINGS, authors=["w1"], train_authors=["w1"])
    with pytest.raises(UsageError, match="no other author"):
        leave_one_author_out(build, SOME, settings=SETTINGS, together=3)
    for none in (0, -1):
        with pytest.raises(UsageError, match="cannot be left out"):
            leave_one_author_out(build, SOME, settings=SETTINGS, together=none)


def test_the_plain_recipe_reads_the_whole_text_and_takes_the_recorded_away() -> None:
    # Nobody here discloses a robbery: its classifier would have nothing to tell apart.
    taught = [each for each in SOME if "robbery" not in each.disclosed]
    model = plain.build(TrainingTable(tuple(taught), ""))
    records = [each.record for each in taught]
    disclosed = model.disclose(records)
    found = disclosed.chances
    assert np.all((found.p_family >= 0) & (found.p_family <= 1))
    assert not found.p_family[:, FAMILIES.index("robbery")].any()
    assert len(disclosed.marks) == 0
    disclosing = np.array([bool(each.disclosed) for each in taught])
    assert found.p_any[disclosing].mean() > 0.5 > found.p_any[~disclosing].mean()
    nothing = np.zeros(found.p_family.shape, dtype=int)
    assert model.unrecorded(found, nothing).p == pytest.approx(found.p_any)
    assert model.unrecorded(found, nothing + 1).p == pytest.approx(0.0)
    again = plain.build(TrainingTable(tuple(taught), "")).disclose(records).chances
    assert np.array_equal(again.p_family, found.p_family)


def test_the_plain_recipe_reads_answers() -> None:
    model = plain.build(TrainingTable(SOME, ""))
    record = replace(SOME[0].record, text="")
    silent, yes = (
        model.disclose([replace(record, answers=answers)]).chances.p_any[0]
        for answers in ({}, {18: "Y", 19: "Y"})
    )
    assert silent != yes
