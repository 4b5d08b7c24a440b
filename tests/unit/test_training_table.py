"""Decisions become examples as of a date, and no group of records stands on both sides of a split."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from tests.conftest import CANARY
from tests.decided import FIRST_NIGHT, decided, of_version, said
from training_data.build import TrainingTable, corpus_files, training_table
from training_data.groups import splits
from triage.errors import UsageError
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record
from triage.review.labels import Decided
from triage.review.outcomes import FoundCrime, Outcome
from triage.settings import Settings

SETTINGS = Settings()
AS_OF = FIRST_NIGHT + timedelta(days=400)
STEADY = hypothesis(deadline=None, derandomize=True, max_examples=20)


def table(*given: Decided, **more: object) -> TrainingTable:
    """Return the table of these decisions alone, unless more is named."""
    named = {"corpus": None, "decided": given, "as_of": AS_OF, "settings": SETTINGS} | more
    return training_table(**named)  # type: ignore[arg-type]


def past(number: int, *, days: int = 0, text: str = "", code: str = "105/01") -> Matter:
    """Return a past matter with one log and one crime."""
    at = FIRST_NIGHT + timedelta(days=days)
    record = Record("incidents", f"F-{number}-1", at, at, text or said(number))
    return Matter(f"R-{number}", (record,), (Crime(f"C-{number}", record.record_ref, at, code),))


def test_a_decision_is_an_example_that_says_where_it_comes_from() -> None:
    one = decided(1, "yes", arm="control", p=0.25, entry=0.25)
    [example] = table(one).examples
    assert (example.disclosed, example.recorded, example.missed) == (("burglary",), (), True)
    assert (example.arm, example.inclusion_probability) == ("control", 0.25)
    assert (example.decided_at, example.label_version) == (one.label.decided_at, one.label.version)
    assert (example.record, example.marked, example.weight) == (one.records[0], False, 1.0)


def test_a_crime_is_of_the_part_in_which_it_was_found_and_of_the_lead_without_a_place() -> None:
    outcome = Outcome(
        "yes", (FoundCrime("rape", 2, question=24), FoundCrime("theft"), FoundCrime("robbery", 9))
    )
    one = decided(1, outcome, texts=("the log", "the form"), recorded=("burglary",))
    lead, form = table(one).examples
    assert lead.disclosed == ("robbery", "burglary", "theft")
    assert form.disclosed == ("rape", "burglary")
    assert lead.recorded == form.recorded == ("burglary",)
    assert lead.missed
    assert form.missed


def test_a_second_crime_of_a_recorded_family_counts_as_missed_and_a_no_never_does() -> None:
    found, nothing = table(
        decided(1, "yes", recorded=("burglary",)), decided(2, recorded=("burglary",))
    ).examples
    assert (found.disclosed, found.recorded, found.missed) == (("burglary",), ("burglary",), True)
    assert (nothing.disclosed, nothing.recorded, nothing.missed) == (("burglary",), ("burglary",), False)


def test_what_gives_no_example_is_counted() -> None:
    elsewhere = Outcome("no", values={"recorded_elsewhere": "42/1/26"})
    made = table(
        decided(1),
        decided(2, "cannot_say"),
        decided(3, elsewhere),
        decided(4, "yes", kept="purged"),
        decided(5, "yes", kept="erased"),
        decided(6, "cannot_say", kept="erased"),
    )
    assert len(made.examples) == 1
    assert {name: number for name, number in made.counts.items() if name.startswith("decisions")} == {
        "decisions": 6,
        "decisions_used": 1,
        "decisions_cannot_say": 1,
        "decisions_recorded_elsewhere": 1,
        "decisions_purged": 1,
        "decisions_erased": 2,
    }
    assert made.weights is not None
    assert made.weights.decisions == 6


def test_nothing_left_to_learn_from_is_said_without_a_text() -> None:
    with pytest.raises(UsageError, match="nothing to learn from") as caught:
        table(decided(1, "cannot_say"))
    assert CANARY not in str(caught.value)


def test_a_decision_later_than_the_table_is_a_bug() -> None:
    one = decided(1)
    assert table(one, as_of=one.label.closed_at).examples
    with pytest.raises(ValueError, match="later"):
        table(one, as_of=one.label.closed_at - timedelta(microseconds=1))


def test_history_is_as_of_the_date_and_gives_way_to_decisions() -> None:
    matters = [past(1), past(2, days=3), past(3, days=500), past(4)]
    late = replace(matters[3], crimes=(replace(matters[3].crimes[0], recorded_at=AS_OF + timedelta(days=1)),))
    made = table(decided(1, "yes"), history=[*matters[:3], late])
    by_ref = {example.record.record_ref: example for example in made.examples}
    assert set(by_ref) == {"F-1-1", "F-2-1", "F-4-1"}
    assert (by_ref["F-1-1"].arm, by_ref["F-2-1"].arm) == ("ranked", "")
    assert by_ref["F-2-1"].disclosed == ("violence_without_injury",)
    assert by_ref["F-4-1"].disclosed == ()
    assert {name: made.counts[name] for name in ("history", "history_later", "history_decided")} == {
        "history": 2,
        "history_later": 1,
        "history_decided": 1,
    }


def test_the_corpus_alone_is_the_table_that_it_was() -> None:
    [path] = [each for each in corpus_files() if each.stem == "w8"]
    made = table(corpus=(path,), decided=())
    pairs = {example.record.record_ref[:-1] for example in made.examples}
    assert {example.author for example in made.examples} == {"w8"}
    assert {example.weight for example in made.examples} == {1.0}
    assert len({example.group for example in made.examples}) <= len(pairs)
    by_pair: dict[str, set[str]] = {}
    for example in made.examples:
        by_pair.setdefault(example.record.record_ref[:-1], set()).add(example.group)
    assert all(len(groups) == 1 for groups in by_pair.values())


def test_the_digest_follows_outcome_date_and_text_kept() -> None:
    tables = [
        table(decided(1), decided(2)),
        table(decided(1), decided(2, "yes")),
        table(decided(1), decided(2, kept="purged")),
        table(decided(1)),
    ]
    assert len({each.digest for each in tables}) == 4
    assert table(decided(1), decided(2)).digest == tables[0].digest


def test_kin_share_a_group_and_what_learners_hold_out() -> None:
    story = said(20)
    first = decided(1)
    items = [
        first,
        of_version(first, 101, said(33)),  # the same record, written anew
        decided(2, texts=(said(2), said(3))),  # a log and its form
        decided(4, root="R-2"),  # linked with them later
        decided(5, texts=(story,)),
        decided(6, texts=(story.replace("spoke", "talked"),), day=300),  # nearly the same, months later
        decided(7, texts=("no reply at 0412",), day=10),
        decided(8, texts=("No reply at 0655.",), day=200),  # the same but for numbers
        decided(9),
    ]
    examples = table(*items).examples
    groups = {example.record.text: example.group for example in examples}
    assert groups[first.records[0].text] == groups[said(33)]
    assert groups[said(2)] == groups[said(3)] == groups[said(4)]
    assert groups[story] == groups[story.replace("spoke", "talked")]
    assert groups["no reply at 0412"] == groups["No reply at 0655."]
    assert len(set(groups.values())) == 5
    authors = {example.group: example.author for example in examples}
    assert all(authors[example.group] == example.author for example in examples)
    assert len(set(authors.values())) > 1


def test_a_past_record_and_a_decision_on_its_matter_are_kin() -> None:
    linked = replace(past(50), root="R-1")
    made = table(decided(1), decided(2, day=200), decided(3, day=300), history=[linked, past(60, days=5)])
    of = {example.record.record_ref: example for example in made.examples}
    assert of["F-1-1"].group == of["F-50-1"].group
    assert of["F-1-1"].author == of["F-50-1"].author
    assert of["F-60-1"].group not in {of["F-1-1"].group, of["F-2-1"].group}


@STEADY
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),  # matter
            st.integers(0, 5),  # story, each told in two wordings
            st.booleans(),
            st.integers(0, 300),  # day
            st.booleans(),  # also in the history
        ),
        min_size=1,
        max_size=24,
    )
)
def test_no_group_stands_on_both_sides(told: list[tuple[int, int, bool, int, bool]]) -> None:
    items, matters = [], []
    for number, (root, story, reworded, day, recorded) in enumerate(told):
        text = said(40 + story)
        text = text.replace("officer", "constable") if reworded else text
        if recorded:
            matters.append(replace(past(number, days=day, text=text), root=f"M-{root}"))
        else:
            items.append(decided(number, root=f"M-{root}", texts=(text,), day=day))
    examples = table(*items, history=matters).examples
    assert len(examples) == len(told)
    roots = {f"F-{number}-1": root for number, (root, *_) in enumerate(told)}
    stories = {f"F-{number}-1": story for number, (_, story, *_) in enumerate(told)}
    tested = []
    sides = [*splits(examples)]
    authors = np.array([example.author for example in examples])
    sides += [
        (np.flatnonzero(authors != each), np.flatnonzero(authors == each)) for each in sorted(set(authors))
    ]
    for learnt, test in sides:
        for kind in (roots, stories):
            before = {kind[examples[place].record.record_ref] for place in learnt}
            after = {kind[examples[place].record.record_ref] for place in test}
            assert before.isdisjoint(after)
    for _, test in splits(examples):
        tested += test.tolist()
    several = len({example.group for example in examples}) > 1
    assert sorted(tested) == (list(range(len(examples))) if several else [])


def test_weights_are_of_mean_one_and_capped_by_the_setting(tmp_path: Path) -> None:
    items = [decided(number) for number in range(9)]
    items.append(decided(9, arm="control", p=0.001, entry=0.001))
    for cap, largest in ((20.0, 20.0), (1.0, 1.0)):
        made = table(*items, settings=Settings(training_weight_max=cap))
        weights = [example.weight for example in made.examples]
        assert np.mean(weights) == pytest.approx(1.0)
        assert max(weights) / min(weights) == pytest.approx(largest)
        assert made.weights is not None
        assert (made.weights.largest, made.weights.capped) == (1000.0, 1)


def test_single_clauses_stay_with_the_corpus_that_ships() -> None:
    shipped = table(corpus=(), history=[past(1)])
    assert len(shipped.clauses) == shipped.counts["clauses"] > 10_000
    assert table(decided(1, "yes"), corpus=()).clauses == shipped.clauses
    named = table(corpus=corpus_files()[:1])
    assert (named.clauses, named.counts["clauses"]) == ((), 0)
    alone = table(decided(1, "yes"))
    assert (alone.clauses, alone.counts["clauses"]) == ((), 0)
