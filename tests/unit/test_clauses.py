"""Single clauses teach both readers, the one of records a little, and no layer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.linear import labels_of
from tests.conftest import CANARY
from training_data.build import CORPUS_DIR, corpus_table
from training_data.clauses import clause_files, clauses_in
from training_data.examples import Example
from triage.errors import UsageError
from triage.language.disclosures import PHRASES
from triage.language.offences import FAMILIES
from triage.language.text import Reading, read_texts
from triage.ranking.classifier import DisclosureModel
from triage.ranking.fitted import Bools, Floats
from triage.ranking.readers import UnitReader

LINE = {"id": "c1-0001", "text": f"he frimbled her {CANARY}", "discloses": ["robbery"], "cancels": False}


def content(*changes: dict[str, object]) -> bytes:
    return "\n".join(json.dumps(LINE | change) for change in changes).encode()


@pytest.fixture(scope="module")
def whole() -> tuple[Example, ...]:
    return corpus_table([CORPUS_DIR / f"{name}.jsonl" for name in ("w1", "w7")]).examples[::4]


def test_a_clause_is_evidence_from_end_to_end(canary: str) -> None:
    told, fact, plain = clauses_in(
        content({}, {"discloses": [], "cancels": True}, {"discloses": []}), "c1.jsonl"
    )
    assert (told.author, told.disclosed, told.evidence, told.cancels) == (
        "c1",
        ("robbery",),
        (LINE["text"],),
        (),
    )
    assert (fact.disclosed, fact.cancels) == ((), (LINE["text"],))
    assert (plain.disclosed, plain.cancels) == ((), ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"discloses": ["mugging"]}, "family 'mugging' is unknown"),
        ({"cancels": True}, "or cancels, or neither"),
        ({"discloses": ["robbery", "robbery"]}, "each family once"),
        ({"cancels": "no"}, "not a labelled clause"),
        ({"cancels": 0}, "not a labelled clause"),
        ({"text": " "}, "not a labelled clause"),
        ({"text": 7}, "not a labelled clause"),
        ({"discloses": None}, "not a labelled clause"),
        ({"id": 7}, "not a labelled clause"),
    ],
)
def test_what_is_no_labelled_clause_is_refused(change: dict[str, object], said: str, canary: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        clauses_in(content({}, change), "c1.jsonl")
    assert "c1.jsonl, line 2" in str(refused.value)
    assert canary not in str(refused.value)


def test_blank_lines_are_passed_over() -> None:
    assert len(clauses_in(content({}) + b"\n\n" + content({"id": "c1-0002"}) + b"\n", "c1.jsonl")) == 2


def test_a_file_in_another_encoding_is_refused() -> None:
    with pytest.raises(UsageError, match="not in UTF-8"):
        clauses_in("c1-0001 \u00a3".encode("latin-1"), "c1.jsonl")


def test_a_file_that_is_no_json_is_refused() -> None:
    with pytest.raises(UsageError, match=r"not a labelled clause \(JSONDecodeError\)"):
        clauses_in(b"c1-0001\ttheft", "c1.jsonl")


def said_of(model: DisclosureModel, reading: Reading) -> Floats:
    """Return what the reader of clauses says of each, taken alone, shape (clauses, families + 2)."""
    known = model.vocabulary_.known(reading.types), model.vocabulary_.spelling(reading.types)
    units = model.vocabulary_.units(reading).clauses
    return model.clause_reader_.margins(units, model.clause_reader_.type_vectors(*known))


def test_clauses_teach_both_readers_and_no_layer(whole: tuple[Example, ...], canary: str) -> None:
    single = [
        *clauses_in(content(*({"text": f"he frimbled her {what}"} for what in "abcdefgh")), "c1.jsonl"),
        *clauses_in(
            content(*({"text": f"the bus was late {what}", "discloses": []} for what in "abcd")), "c1.jsonl"
        ),
    ]
    reading = read_texts([each.record for each in (*whole, *single)], PHRASES)
    labels = labels_of(reading, whole, single)
    assert labels.whole.tolist() == [True] * len(whole) + [False] * len(single)
    learnt: list[Bools] = []

    class Watched(DisclosureModel):
        def fit_readers(self, material: Any, rows: Bools) -> tuple[UnitReader, UnitReader, UnitReader]:
            learnt.append(rows)
            return super().fit_readers(material, rows)

    taught = Watched().fit(reading, labels)
    # Whoever is held out, the single clauses are learnt from.
    assert len(learnt) == 3  # two writers, each held out once, and then all
    assert all(rows[~labels.whole].all() for rows in learnt)
    assert [int(rows[labels.whole].sum()) < len(whole) for rows in learnt] == [True, True, False]
    assert len(taught.held_out_.p_any) == len(taught.held_out_.p_open) == len(whole)

    asked = read_texts([single[0].record], PHRASES)
    robbery = FAMILIES.index("robbery")
    untaught = DisclosureModel().fit(
        read_texts([each.record for each in whole], PHRASES),
        labels_of(read_texts([each.record for each in whole], PHRASES), whole),
    )
    assert said_of(taught, asked)[0, robbery] > 0 > said_of(untaught, asked)[0, robbery]
    # No whole record has the word: the reader of records learnt it from the clauses too, but less.
    word = taught.vocabulary_.words_["frimbled"]
    by_clauses, by_records = (
        reader.coef_["words"][word][robbery] for reader in (taught.clause_reader_, taught.record_reader_)
    )
    assert by_clauses > by_records > 0


def test_labelled_files_that_are_named_come_without_the_clauses_that_ship() -> None:
    assert corpus_table([CORPUS_DIR / "w1.jsonl"]).clauses == ()


def test_the_clauses_that_ship_are_whole() -> None:
    clauses = corpus_table().clauses
    assert [path.stem for path in clause_files()] == sorted({each.author for each in clauses})
    assert len({each.record.record_ref for each in clauses}) == len(clauses)
    assert len({" ".join(each.record.text.casefold().split()) for each in clauses}) == len(clauses)
    assert {family for each in clauses for family in each.disclosed} == set(FAMILIES)
    assert all(len(each.record.text) < 250 for each in clauses)
    sheet = " ".join((CORPUS_DIR / "DATASHEET.md").read_text(encoding="utf-8").split())
    disclosing = sum(bool(each.disclosed) for each in clauses)
    cancelling = sum(bool(each.cancels) for each in clauses)
    assert f"{len(clauses):,} single clauses" in sheet
    assert f"{disclosing:,} say an offence, {cancelling:,} take one away" in sheet
    assert f"{len(clauses) - disclosing - cancelling:,} do neither" in sheet
