"""Whatever is written into a workbook comes back as it was meant, or is refused; no file breaks that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.desk.workbooks import (
    NO_CRIME,
    Grids,
    answered,
    bring_back,
    cells_of,
    changed,
    kinds,
    later,
    put,
    read,
    save,
    take_away,
)
from tests.store.nights import FIRST_NIGHT, event, night
from triage.desk.workbook import Exported, digest
from triage.desk.workbook_cells import PIECE_CHARACTERS, PIECE_LINES, pieces
from triage.desk.workbook_file import WorkbookError, read_sheets
from triage.desk.workbook_outcome import accepted_choices, read_outcome
from triage.desk.workbook_sheet import CRIMES, DECISIONS, choice_text, outcome_columns
from triage.language.offences import FAMILIES
from triage.review.outcomes import Field, FoundCrime, Outcome, crime_fields, item_fields
from triage.settings import Settings
from triage.store import Store, open_store

#: The same examples every time, however busy the machine is.
STEADY = settings(deadline=None, derandomize=True)
AT = later(FIRST_NIGHT, hours=2)
ITEMS = 5
OUTCOME_HEADINGS = {column.heading for column in outcome_columns()}
REFERENCES = st.text("abcXYZ019_./:- =+", min_size=1, max_size=20).map(str.strip).filter(bool)
#: As Excel writes them: no NUL, no half of a surrogate pair, and line breaks are line feeds.
NOTES = (
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r\ufffe\uffff"), max_size=60)
    .map(str.strip)
    .filter(bool)
)


def answers(field: Field) -> st.SearchStrategy[str]:
    if field.kind == "choice":
        return st.sampled_from(sorted(field.choices))
    if field.kind == "number":
        return st.integers(1, 99).map(str)
    if field.kind == "date":
        return st.dates(min_value=later(AT, days=-40_000).date()).map(lambda day: day.isoformat())
    if field.kind == "text":
        return NOTES
    # A sign in front, or a code of a family, has tests of its own.
    return REFERENCES.filter(lambda text: text[0] not in "=+-" and "=" not in text and "+" not in text)


def some(fields: tuple[Field, ...], disclosed: str) -> st.SearchStrategy[dict[str, str]]:
    allowed = [field for field in fields if not field.needs or disclosed in field.needs]
    return st.fixed_dictionaries({}, optional={field.name: answers(field) for field in allowed})


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    """Any outcome that the review takes."""
    disclosed = draw(st.sampled_from(["yes", "no", "cannot_say"]))
    plain = tuple(field for field in crime_fields() if field.name != "offence_code")
    crime = st.builds(FoundCrime, st.sampled_from(FAMILIES), values=some(plain, disclosed))
    crimes = tuple(draw(st.lists(crime, min_size=1, max_size=CRIMES))) if disclosed == "yes" else ()
    return Outcome(disclosed, crimes, draw(some(item_fields()[1:], disclosed)))


@STEADY
@given(outcomes())
def test_an_outcome_in_cells_is_read_as_that_outcome(outcome: Outcome) -> None:
    assert read_outcome(cells_of(outcome)) == (outcome, ())


@settings(STEADY, max_examples=30)
@given(written=st.lists(outcomes(), min_size=1, max_size=8))
@example(written=[Outcome("no", values={"notes": "_x000D_ _x0041_ \x1b \t x"})])
def test_an_outcome_in_a_file_is_read_as_that_outcome(
    tmp_path_factory: pytest.TempPathFactory, written: list[Outcome]
) -> None:
    headings = [column.heading for column in outcome_columns()]
    grid: list[list[Any]] = [headings]
    for outcome in written:
        cells = cells_of(outcome)
        grid.append([cells[heading] for heading in headings])
    path = save({DECISIONS: grid}, tmp_path_factory.mktemp("book") / "book.xlsx")
    sheet = read_sheets(path.read_bytes(), [DECISIONS], bytes_max=10_000_000)[DECISIONS]
    assert [read_outcome(cells) for _, cells in sheet.rows] == [(outcome, ()) for outcome in written]


@STEADY
@given(
    st.fixed_dictionaries(
        {
            column.heading: st.one_of(
                st.just(""),
                st.text(max_size=8),
                st.integers(-5, 10**16),
                st.floats(),
                st.booleans(),
                st.dates(),
                st.datetimes(),
                st.times(),
                st.timedeltas(),
                st.sampled_from([*column.field.choices, *column.field.choices.values(), "1", "R1"]),
            )
            for column in outcome_columns()
        }
    )
)
def test_any_cells_give_an_outcome_or_name_columns(cells: dict[str, Any]) -> None:
    outcome, problems = read_outcome(cells)
    filled = any(not isinstance(cell, str) or cell.strip() for cell in cells.values())
    assert (outcome is not None) != (bool(problems) or not filled)
    assert {problem.column for problem in problems} <= OUTCOME_HEADINGS


def test_no_two_choices_of_a_column_can_be_confused() -> None:
    for column in outcome_columns():
        shown = [choice_text(*choice) for choice in column.field.choices.items()]
        known = accepted_choices(column.field.name, column.crime)
        assert [known[" ".join(text.casefold().split())] for text in shown] == list(column.field.choices)
        # Each choice can be told by its value, its title, and its text in the list.
        ways = {each.casefold() for pair in column.field.choices.items() for each in pair} | {
            text.casefold() for text in shown
        }
        assert set(known) == {" ".join(way.split()) for way in ways}


@STEADY
@given(st.text(st.characters(codec=None)), st.text(st.sampled_from(" \t\r\n"), max_size=3))
def test_blanks_do_not_change_what_a_cell_is_recognised_by(text: str, blanks: str) -> None:
    assert digest(f"{blanks}{text}{blanks}") == digest(text)


@settings(STEADY, max_examples=50)
@given(st.text(st.sampled_from("x🦓 \n"), max_size=200), st.integers(1, 800))
def test_pieces_fit_and_together_are_the_text(text: str, times: int) -> None:
    whole = text * times
    cut = pieces(whole)
    assert "".join(cut) == whole
    for piece in cut:
        assert len(piece.encode("utf-16-le")) // 2 <= PIECE_CHARACTERS
        assert piece.count("\n") <= PIECE_LINES
    assert "" not in cut or cut == [""]


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a force."""
    return Settings(data_dir=tmp_path_factory.mktemp("force"))


@pytest.fixture(scope="module")
def store(force: Settings) -> Iterator[Store]:
    """A store with one night, from which a workbook was taken away; every import only checks."""
    with open_store(force.store_url) as opened:
        opened.prepare()
        opened.publish(night(items=ITEMS, words="=1+1\n" * 300), event())
        yield opened


@pytest.fixture(scope="module")
def away(store: Store, force: Settings) -> Exported:
    """A workbook of five items."""
    return take_away(store, force, force.data_dir, AT)


@pytest.fixture(scope="module")
def filled(away: Exported) -> Path:
    """The workbook with every row answered."""
    return answered(away.path, *([cells_of(NO_CRIME)] * ITEMS), name="filled.xlsx")


@contextmanager
def back_file(filled: Path) -> Iterator[str]:
    """A name for a file that lasts as long as an example."""
    name = f"back {os.urandom(8).hex()}.xlsx"
    try:
        yield name
    finally:
        filled.with_name(name).unlink(missing_ok=True)


@settings(STEADY, max_examples=60)
@given(data=st.data(), text=st.text(st.characters(codec="utf-8"), max_size=20))
def test_an_edit_of_a_locked_cell_is_never_taken(
    store: Store, force: Settings, filled: Path, data: st.DataObject, text: str
) -> None:
    headings, *rows = read(filled)[DECISIONS]
    row = data.draw(st.integers(1, ITEMS), label="row")
    heading = data.draw(st.sampled_from([each for each in headings if each not in OUTCOME_HEADINGS]))
    old = rows[row - 1][headings.index(heading)]
    new = data.draw(st.sampled_from([text, f"{old}{text}", str(old)[:-1], old * 2]))
    assume(digest(new) != digest(old))
    with back_file(filled) as name:
        back = changed(filled, lambda grids: put(grids, row, {heading: new}), name)
        # What the file keeps of the edit: a program may write some characters otherwise.
        kept = read(back)[DECISIONS][row][headings.index(heading)]
        assume(digest(kept) != digest(old))
        came_to = kinds(bring_back(store, force, back, AT, check=True))
    assert came_to[row - 1] in {"edited", "foreign"}
    assert came_to[: row - 1] + came_to[row:] == ["taken"] * (ITEMS - 1)


@settings(STEADY, max_examples=30)
@given(data=st.data())
def test_order_absence_and_blank_rows_do_no_harm(
    store: Store, force: Settings, filled: Path, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(1, ITEMS + 1)))
    kept = order[: data.draw(st.integers(0, ITEMS))]
    gaps = data.draw(st.lists(st.integers(0, 3), min_size=ITEMS + 1, max_size=ITEMS + 1))

    def change(grids: Grids) -> None:
        headings, *rows = grids[DECISIONS]
        blank = [""] * len(headings)
        moved: list[list[Any]] = [blank] * gaps[0] + [headings]
        for gap, number in zip(gaps[1:], kept, strict=False):
            moved += [blank] * gap + [rows[number - 1]]
        grids[DECISIONS] = moved

    with back_file(filled) as name:
        imported = bring_back(store, force, changed(filled, change, name), AT, check=True)
    assert kinds(imported) == ["taken"] * len(kept)
    assert [fate.reference for fate in imported.fates] == [f"run-1/L-{number}" for number in kept]


@settings(STEADY, max_examples=150)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_and_nothing_else(
    store: Store, force: Settings, away: Exported, data: st.DataObject
) -> None:
    content = bytearray(away.path.read_bytes())
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=6)
    ):
        content[at] = byte
    cut = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    with back_file(away.path) as name:
        path = away.path.with_name(name)
        path.write_bytes(content[:cut])
        try:
            imported = bring_back(store, force, path, AT, check=True)
        except WorkbookError:
            return
    assert "taken" not in kinds(imported)
