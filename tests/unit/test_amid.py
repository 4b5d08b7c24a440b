"""Copies of labelled records amid entries of innocent ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models import linear
from training_data.amid import amid
from training_data.build import TrainingTable
from training_data.examples import UNDATED, Example
from triage.ranking.classifier import DisclosureModel, Labels
from triage.reading.records import Record


def example(author: str, number: int, text: str, **said: object) -> Example:
    record = Record("incidents", f"{author}-{number:03}", UNDATED, UNDATED, text)
    return replace(Example(record, author, (), (), ()), **said)  # type: ignore[arg-type]


@pytest.fixture
def examples() -> list[Example]:
    """Sixty records of w1, of which twenty disclose and twenty look like it; w2 has too few clean ones."""
    told, near, clean = [], [], []
    for number in range(20):
        theft = f"Her purse {number} was stolen"
        told.append(example("w1", number, f"Called in. {theft}.", disclosed=("theft",), evidence=(theft,)))
        near.append(example("w1", 20 + number, f"Purse {number} gone. Found it.", cancels=("Found it",)))
        clean.append(example("w1", 40 + number, f"Cat {number} up a tree. Keys {number} held. No reply."))
    return [*told, *near, *clean, example("w2", 1, "Bins out. Dog barks.")]


def test_a_copy_holds_its_record_amid_entries_of_its_authors_innocent_records(
    examples: list[Example],
) -> None:
    by_reference = {each.record.record_ref: each for each in examples}
    copies = amid(examples, 1.0)
    assert [each.record.record_ref for each in copies] == [*by_reference][:-1]
    for copy in copies:
        known = by_reference[copy.record.record_ref]
        assert replace(copy, record=known.record) == known
        before, after = copy.record.text.split(known.record.text, 1)
        entries = [entry for entry in (before + after).split("\n") if entry]
        assert len(entries) >= 8
        for entry in entries:
            assert entry.split()[0] in ("Cat", "Keys", "No")


def test_the_share_says_how_many_and_the_same_examples_give_the_same_copies(examples: list[Example]) -> None:
    assert amid(examples, 0.0) == []
    some = amid(examples, 0.5)
    assert 15 <= len(some) <= 45
    assert amid(examples, 0.5) == some


def test_records_whose_evidence_nobody_marked_are_not_copied(examples: list[Example]) -> None:
    unmarked = [replace(each, marked=False) for each in examples]
    assert amid(unmarked, 1.0) == []
    history = [replace(each, marked=False) if each.disclosed else each for each in examples]
    assert {bool(each.disclosed) for each in amid(history, 1.0)} == {False}


def test_clauses_of_copies_are_learnt_from_where_they_stand_first(
    monkeypatch: pytest.MonkeyPatch, examples: list[Example]
) -> None:
    class LabelledError(Exception):
        """Ends the fit once its labels are known."""

    seen: list[Labels] = []

    def fit(_: DisclosureModel, reading: object, y: Labels) -> None:
        seen.append(y)
        raise LabelledError

    monkeypatch.setattr(linear, "AMID_SHARE", 1.0)
    monkeypatch.setattr(DisclosureModel, "fit", fit)
    clause = example("c1", 1, "His bike was taken", disclosed=("theft",), evidence=("His bike was taken",))
    with pytest.raises(LabelledError):
        linear.build(TrainingTable(tuple(examples), "", clauses=(clause,)))
    [labels] = seen
    copies = len(amid(examples, 1.0))
    first, copied = np.arange(len(examples)), len(examples) + np.arange(copies)
    assert labels.marked[first].all()
    assert labels.marked[-1]
    assert not labels.marked[copied].any()
    # The layers learn from them all the same.
    assert labels.whole[copied].all()
    assert labels.placed[copied].all()
