"""A workbook that comes back: each row is taken or refused by name, and nothing is taken twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.desk.conftest import AS_OF
from tests.desk.workbooks import (
    FIRST_QUESTION,
    NO_CRIME,
    RULES,
    Grids,
    answered,
    bring_back,
    cells_of,
    changed,
    kinds,
    later,
    put,
    read,
    take_away,
)
from tests.store.nights import event, night
from triage.desk.workbook import Exported
from triage.desk.workbook_sheet import DECISIONS, KEYS
from triage.errors import PermissionDeniedError
from triage.review.decisions import ReviewEvent
from triage.review.outcomes import FoundCrime, Outcome
from triage.settings import Settings
from triage.store import Publication, Store

AT = later(AS_OF, hours=5)
THEN = later(AT, hours=20)
FAMILY, CODE = "Crime 1: Family", "Crime 1: Home Office code, if known"
CRIME = Outcome(
    "yes",
    (
        FoundCrime("rape", values={"victim_number": "2", "offence_date": "2025-12-31", "historic": "yes"}),
        FoundCrime("violence_without_injury", values={"offence_code": "105/01"}),
    ),
    {"reason_not_recorded": "R6", "action": "returned", "notes": "zebra quorum\nmarmalade"},
)


@pytest.fixture
def force(tmp_path: Path) -> Settings:
    """The settings of a force whose files lie in the test's own folder."""
    return Settings(data_dir=tmp_path / "var")


@pytest.fixture
def away(published_file: Store, force: Settings, tmp_path: Path) -> Exported:
    """A workbook of three items that an auditor took away."""
    return take_away(published_file, force, tmp_path, AT)


def decisions(store: Store, publication: Publication) -> list[ReviewEvent]:
    return [
        done for item in publication.items for done in store.history(item.item_id) if done.act == "decide"
    ]


def test_rows_become_decisions_and_the_log_names_the_workbook(
    published_file: Store, force: Settings, publication: Publication, away: Exported, canary: str
) -> None:
    back = answered(away.path, cells_of(CRIME), {}, cells_of(NO_CRIME))
    imported = bring_back(published_file, force, back, THEN)
    assert kinds(imported) == ["taken", "empty", "taken"]
    assert imported.summary == "2 taken, 0 already taken, 1 empty"
    made = decisions(published_file, publication)
    assert [each.outcome for each in made] == [CRIME, NO_CRIME]
    assert {(each.actor, each.at) for each in made} == {("an.auditor", THEN)}
    logged = [each.event for each in published_file.events()][-2:]
    assert [(each.action, each.subject, each.details) for each in logged] == [
        ("alteration", item.item_id, {"act": "decide", "event": 2, "workbook": away.export_id})
        for item in (publication.items[0], publication.items[2])
    ]
    assert canary not in str(published_file.events())


def test_the_same_file_again_changes_nothing_and_says_so(
    published_file: Store, force: Settings, away: Exported
) -> None:
    back = answered(away.path, cells_of(CRIME), {}, cells_of(NO_CRIME))
    bring_back(published_file, force, back, THEN)
    events = published_file.events()
    # Also much later, when the claims are long over.
    for at in (THEN, later(THEN, days=30)):
        again = bring_back(published_file, force, back, at)
        assert kinds(again) == ["already taken", "empty", "already taken"]
        assert again.summary == "0 taken, 2 already taken, 1 empty; nothing was changed"
    assert published_file.events() == events


def test_a_check_writes_nothing(published_file: Store, force: Settings, away: Exported) -> None:
    events = published_file.events()
    back = answered(away.path, cells_of(CRIME), {FIRST_QUESTION: "Yes"})
    imported = bring_back(published_file, force, back, THEN, check=True)
    assert kinds(imported) == ["taken", "not valid", "empty"]
    assert imported.summary.endswith("only checked, nothing was written")
    assert published_file.events() == events


def test_cannot_say_goes_to_a_second_reader_who_learns_nothing_of_it(
    published_file: Store, force: Settings, publication: Publication, away: Exported, tmp_path: Path
) -> None:
    bring_back(published_file, force, answered(away.path, cells_of(Outcome("cannot_say"))), THEN)
    first = publication.items[0].item_id
    assert published_file.review(first, THEN, RULES).state == "second_review"
    second = take_away(published_file, force, tmp_path, THEN, by="a.second", name="second.xlsx")
    assert "annot say" not in str(read(second.path)[DECISIONS][1:])
    answers = answered(second.path, cells_of(NO_CRIME), name="second back.xlsx")
    assert kinds(bring_back(published_file, force, answers, THEN, by="a.second")) == ["taken"]
    assert published_file.review(first, THEN, RULES).state == "disputed"


def test_a_decision_may_be_drawn_for_a_second_review(
    published_file: Store, force: Settings, publication: Publication, away: Exported
) -> None:
    rules = replace(RULES, second_review_share=0.5)
    for item, chance in zip(publication.items[:2], (0.4, 0.6), strict=True):
        bring_back(
            published_file,
            force,
            answered(away.path, *([cells_of(NO_CRIME)] * (publication.items.index(item) + 1))),
            THEN,
            chance=chance,
            rules=rules,
        )
    states = [published_file.review(item.item_id, THEN, rules).state for item in publication.items]
    assert states == ["second_review", "decided", "claimed"]


def test_an_edited_row_is_refused_with_its_columns_and_the_rest_taken(
    published_file: Store, force: Settings, publication: Publication, away: Exported, canary: str
) -> None:
    def change(grids: Grids) -> None:
        put(grids, 1, cells_of(CRIME) | {"opened": "1 Jan 2026 00:00", "reference": canary})
        put(grids, 2, cells_of(NO_CRIME))

    imported = bring_back(published_file, force, changed(away.path, change), THEN)
    assert kinds(imported) == ["edited", "taken", "empty"]
    (refused,) = imported.refused
    # The reference is the store's: what stands in the cell may be anything.
    assert (refused.row, refused.reference, refused.column) == (2, "XX-1", "reference, opened")
    assert canary not in repr(imported)
    assert len(decisions(published_file, publication)) == 1


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("release", "it has changed since the export"),
        ("decide", "it has changed since the export"),
        ("wait", "your claim on it has ended"),
    ],
)
def test_an_item_that_changed_meanwhile_is_stale(
    published_file: Store,
    force: Settings,
    publication: Publication,
    away: Exported,
    act: str,
    said: str,
) -> None:
    item_id, at = publication.items[0].item_id, later(AT, hours=73) if act == "wait" else THEN
    if act != "wait":
        published_file.act(
            item_id,
            act,
            actor="an.auditor",
            roles={"auditor"},
            at=AT,
            token="page",
            rules=RULES,
            outcome=NO_CRIME if act == "decide" else None,
        )
    imported = bring_back(published_file, force, answered(away.path, cells_of(CRIME)), at)
    (refused,) = imported.refused
    assert (refused.kind, refused.reference) == ("stale", "XX-1")
    assert refused.what.startswith(said)
    assert [each.outcome for each in decisions(published_file, publication)] == (
        [NO_CRIME] if act == "decide" else []
    )


def test_another_answer_in_a_row_that_was_taken_is_stale(
    published_file: Store, force: Settings, publication: Publication, away: Exported
) -> None:
    bring_back(published_file, force, answered(away.path, cells_of(NO_CRIME)), THEN)
    imported = bring_back(published_file, force, answered(away.path, cells_of(CRIME)), THEN)
    assert [(fate.kind, fate.what) for fate in imported.refused] == [
        ("stale", "it was decided from this workbook before, with another outcome")
    ]
    assert [each.outcome for each in decisions(published_file, publication)] == [NO_CRIME]


def test_an_item_in_two_rows_is_refused_in_both(
    published_file: Store, force: Settings, away: Exported
) -> None:
    def change(grids: Grids) -> None:
        put(grids, 1, cells_of(NO_CRIME))
        put(grids, 2, cells_of(NO_CRIME))
        grids[DECISIONS].append(list(grids[DECISIONS][1]))
        put(grids, 4, cells_of(CRIME))

    imported = bring_back(published_file, force, changed(away.path, change), THEN)
    assert kinds(imported) == ["duplicate", "taken", "empty", "duplicate"]
    assert {fate.reference for fate in imported.refused} == {"XX-1"}


def invented_item(grids: Grids) -> None:
    put(grids, 1, {"item": "0123456789abcdef"})


def no_item(grids: Grids) -> None:
    put(grids, 1, {"item": "  "})


def invented_hash(grids: Grids) -> None:
    grids[KEYS][1][grids[KEYS][0].index("hash")] = "0" * 64


def other_number_of_events(grids: Grids) -> None:
    grids[KEYS][1][grids[KEYS][0].index("events seen")] = 2


def no_number_of_events(grids: Grids) -> None:
    grids[KEYS][1][grids[KEYS][0].index("events seen")] = "one"


def other_person(grids: Grids) -> None:
    grids[KEYS][1][grids[KEYS][0].index("exported for")] = "a.colleague"


def key_of_another_item(grids: Grids) -> None:
    grids[KEYS][1][1:] = grids[KEYS][2][1:]


def digest_to_the_changed_text(grids: Grids) -> None:
    put(grids, 1, {"opened": "1 Jan 2026 00:00"})
    grids[KEYS][1][grids[KEYS][0].index("opened")] = "ab" * 16


@pytest.mark.parametrize(
    "change",
    [
        invented_item,
        no_item,
        invented_hash,
        other_number_of_events,
        no_number_of_events,
        other_person,
        key_of_another_item,
        digest_to_the_changed_text,
    ],
)
def test_a_row_made_by_hand_is_foreign(
    published_file: Store,
    force: Settings,
    publication: Publication,
    away: Exported,
    change: Callable[[Grids], None],
) -> None:
    def both(grids: Grids) -> None:
        put(grids, 1, cells_of(NO_CRIME))
        change(grids)

    back = changed(away.path, both)
    imported = bring_back(published_file, force, back, THEN, by="an.auditor")
    assert kinds(imported) == ["foreign", "empty", "empty"]
    assert imported.refused[0].reference == ""
    assert decisions(published_file, publication) == []


def test_a_workbook_of_another_store_is_foreign(
    published_file: Store, force: Settings, publication: Publication, away: Exported, tmp_path: Path
) -> None:
    elsewhere = force.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    back = answered(away.path, cells_of(NO_CRIME))
    assert kinds(bring_back(published_file, elsewhere, back, THEN)) == ["foreign"] * 3
    assert decisions(published_file, publication) == []


def test_nobody_brings_back_what_another_took_away(
    published_file: Store, force: Settings, publication: Publication, away: Exported
) -> None:
    back = answered(away.path, cells_of(NO_CRIME))
    imported = bring_back(published_file, force, back, THEN, by="a.colleague", roles={"registrar"})
    assert kinds(imported) == ["not yours"] * 3
    with pytest.raises(PermissionDeniedError):
        bring_back(published_file, force, back, THEN, roles={"viewer"})
    assert decisions(published_file, publication) == []


@pytest.mark.parametrize(
    ("cells", "columns"),
    [
        ({FIRST_QUESTION: "Perhaps"}, [FIRST_QUESTION]),
        ({FIRST_QUESTION: True}, [FIRST_QUESTION]),
        ({FIRST_QUESTION: "Yes"}, [FAMILY]),
        ({FIRST_QUESTION: "No", FAMILY: "Rape"}, [FAMILY]),
        ({FAMILY: "Rape"}, [FIRST_QUESTION]),
        ({"Notes": "zebra quorum marmalade"}, [FIRST_QUESTION]),
        ({FIRST_QUESTION: "Yes", CODE: "105/01"}, [FAMILY]),
        ({FIRST_QUESTION: "Yes", FAMILY: "Rape", CODE: "105/01"}, [CODE]),
        ({FIRST_QUESTION: "Yes", FAMILY: "Rape", CODE: date(2026, 1, 8)}, [CODE]),
        ({FIRST_QUESTION: "Yes", FAMILY: "Rape", "Crime 1: Victim": 1.5}, ["Crime 1: Victim"]),
        ({FIRST_QUESTION: "Yes", FAMILY: "Rape", "Crime 1: Victim": 100}, ["Crime 1: Victim"]),
        (
            {FIRST_QUESTION: "Yes", FAMILY: "Rape", "Crime 1: Date of the offence": "31/12/2025"},
            ["Crime 1: Date of the offence"],
        ),
        (
            {FIRST_QUESTION: "No", "Why it was not recorded": "R1", "Action": "zebra quorum marmalade"},
            ["Action", "Why it was not recorded"],
        ),
        ({FIRST_QUESTION: "No", "Notes": "zebra " * 700}, ["Notes"]),
        ({FIRST_QUESTION: "No", "Crime reference created": "zebra; quorum"}, ["Crime reference created"]),
    ],
)
def test_an_outcome_that_cannot_be_is_refused_by_its_columns(
    published_file: Store, force: Settings, away: Exported, cells: dict[str, Any], columns: list[str]
) -> None:
    imported = bring_back(published_file, force, answered(away.path, cells, cells_of(NO_CRIME)), THEN)
    assert kinds(imported) == ["not valid", "taken", "empty"]
    (refused,) = imported.refused
    assert refused.reference == "XX-1"
    for column in columns:
        assert re.search(rf"(^|; ){re.escape(column)}: ", refused.said), refused.said
    assert not re.search("zebra|quorum|marmalade|Perhaps|31/12", repr(imported))


def test_codes_labels_and_plain_words_are_all_understood(
    published_file: Store, force: Settings, publication: Publication, away: Exported
) -> None:
    back = answered(
        away.path,
        {FIRST_QUESTION: " YES ", FAMILY: "non_fatal_strangulation", "Why it was not recorded": "r6"},
        {FIRST_QUESTION: "cannot_say", "Already recorded elsewhere: reference": 4212345.0},
        {
            FIRST_QUESTION: "yes",
            FAMILY: "Other  Sexual offence",
            "Crime 1: Victim": "3",
            "Crime 1: Date of the offence": datetime(2026, 1, 2),
        },
    )
    assert kinds(bring_back(published_file, force, back, THEN)) == ["taken"] * 3
    assert [each.outcome for each in decisions(published_file, publication)] == [
        Outcome("yes", (FoundCrime("non_fatal_strangulation"),), {"reason_not_recorded": "R6"}),
        Outcome("cannot_say", (), {"recorded_elsewhere": "4212345"}),
        Outcome(
            "yes",
            (
                FoundCrime(
                    "other_sexual_offence", values={"victim_number": "3", "offence_date": "2026-01-02"}
                ),
            ),
        ),
    ]


def test_what_a_person_adds_around_the_rows_does_no_harm(
    published_file: Store, force: Settings, publication: Publication, away: Exported
) -> None:
    def change(grids: Grids) -> None:
        put(grids, 1, cells_of(CRIME))
        headings, first, second, third = grids[DECISIONS]
        blank = [""] * len(headings)
        rows = [blank, third, blank, [*first], blank, second, blank]
        grids[DECISIONS] = [
            [*headings, "my remark"],
            *([*row, "zebra" if any(row) else ""] for row in rows),
        ]
        grids["My sheet"] = [["zebra", 1.0]]

    imported = bring_back(published_file, force, changed(away.path, change), THEN)
    assert [(fate.row, fate.kind) for fate in imported.fates] == [(3, "empty"), (5, "taken"), (7, "empty")]
    assert [each.outcome for each in decisions(published_file, publication)] == [CRIME]


def test_items_of_several_nights_come_back_together(
    published_file: Store, force: Settings, tmp_path: Path
) -> None:
    published_file.publish(night(items=4, day=230), event())
    at = later(AS_OF, days=7)
    made = take_away(published_file, force, tmp_path, at, run_id="run-1")
    back = answered(made.path, *([cells_of(NO_CRIME)] * 4))
    assert kinds(bring_back(published_file, force, back, at)) == ["taken"] * 4
