"""The queue as a workbook: what stands in it, what is locked, and whose items they are then."""

from __future__ import annotations

import re
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.desk.conftest import AS_OF, RUN_ID
from tests.desk.workbooks import (
    FIRST_QUESTION,
    NO_CRIME,
    RULES,
    answered,
    bring_back,
    cells_of,
    kinds,
    later,
    read,
    take_away,
)
from tests.store.nights import decide, event, night
from triage.desk.workbook import workbook_key
from triage.desk.workbook_import import ACCEPTED, REFUSED
from triage.desk.workbook_sheet import DECISIONS, KEYS, LISTS, NOTES, described, outcome_columns
from triage.errors import ConflictError, PermissionDeniedError, StoreError, UsageError
from triage.review.outcomes import Outcome, item_fields
from triage.settings import Settings
from triage.store import Publication, Store

AT = later(AS_OF, hours=5)
EXCEL_CELL = 32_767


@pytest.fixture
def force(tmp_path: Path) -> Settings:
    """The settings of a force whose files lie in the test's own folder."""
    return Settings(data_dir=tmp_path / "var")


def xml(path: Path, part: str) -> str:
    with zipfile.ZipFile(path) as parts:
        return parts.read(part).decode()


def rows_of(path: Path) -> list[dict[str, object]]:
    headings, *rows = read(path)[DECISIONS]
    return [dict(zip(headings, row, strict=True)) for row in rows]


def claim(store: Store, item_id: str, by: str, act: str = "claim", minute: int = 0) -> None:
    store.act(
        item_id,
        act,
        actor=by,
        roles={"auditor"},
        at=later(AT, minutes=minute),
        token=f"{item_id} {act} {by} {minute}",
        rules=RULES,
    )


def test_a_row_shows_an_item_and_never_its_arm_or_score(
    published_file: Store, force: Settings, tmp_path: Path, canary: str
) -> None:
    made = take_away(published_file, force, tmp_path, AT)
    first, hostile, empty = rows_of(made.path)
    assert [row["place"] for row in (first, hostile, empty)] == [1, 2, 3]
    assert (first["reference"], first["source"], first["opened"]) == (
        "XX-1",
        "incidents",
        "12 Oct 2026 22:00",
    )
    text = str(first["text"])
    assert text.startswith(
        "Part 1 of 2: XX-1 (incidents), opened 12 Oct 2026 22:00, closed 13 Oct 2026 00:00"
    )
    assert f"\n22:14 CALL: HE GRABBED HER THROAT {canary}\n22:40 UPD: ALL QUIET" in text
    assert "Form: dash-police-27\nQ1 injury: N\nQ18 strangulation: Y\nShe says" in text
    assert first["families suggested"] == "Non-fatal strangulation"
    assert first["places that say so"] == (
        "Non-fatal strangulation: question 18 Y\n"
        f"Non-fatal strangulation: 22:14 CALL: HE ⟦GRABBED HER THROAT⟧ {canary} 22:40 UPD: ALL Q…\n"
        f"speaks against: … HROAT {canary} 22:40 UPD: ⟦ALL QUIET⟧, CRIMED 42/70123/26"
    )
    assert first["recorded crimes"] == "42/1/26: 105/01, recorded 13 Oct 2026 09:00"
    assert "Theft and vehicle crime (denied by suspect): ⟦" in str(hostile["places that say so"])
    assert all(first[column.heading] == "" for column in outcome_columns())
    told = str(read(made.path))
    assert not re.search(r"\b(arm|score|ranked|control|0\.83|0\.02)\b", told)


def test_a_text_of_a_stranger_stays_text(published_file: Store, force: Settings, tmp_path: Path) -> None:
    publication = night(items=1, day=230, words="=1+1\n+1\n-1\n@SUM(A1)\n\t=2\r=3 _x000D_ =cmd|' /C calc'!A0")
    published_file.publish(publication, event())
    made = take_away(published_file, force, tmp_path, later(AS_OF, days=7))
    row = rows_of(made.path)[0]
    assert "\n=1+1\n+1\n-1\n@SUM(A1)\n\t=2␍=3 _x000D_ =cmd|' /C calc'!A0" in str(row["text"])
    for number in range(1, 5):
        sheet = xml(made.path, f"xl/worksheets/sheet{number}.xml")
        assert not re.search(r"<f[ >]|<hyperlink|<mergeCell", sheet)


def test_a_reference_that_is_a_formula_is_guarded(
    published_file: Store, force: Settings, tmp_path: Path
) -> None:
    made = take_away(published_file, force, tmp_path, AT)
    assert rows_of(made.path)[1]["reference"] == "'=XX-2"
    answers = answered(made.path, {}, cells_of(NO_CRIME))
    assert kinds(bring_back(published_file, force, answers, AT)) == ["empty", "taken", "empty"]


def test_only_the_outcome_can_be_filled_in(published_file: Store, force: Settings, tmp_path: Path) -> None:
    made = take_away(published_file, force, tmp_path, AT)
    sheet, styles = xml(made.path, "xl/worksheets/sheet1.xml"), xml(made.path, "xl/styles.xml")
    assert re.search(r'<sheetProtection sheet="1"[^>]*autoFilter="0"', sheet)
    assert 'sort="0"' not in sheet
    looks_of = styles.split("<cellXfs")[1].split("</cellXfs>")[0].split("<xf ")[1:]
    unlocked = [index for index, look in enumerate(looks_of) if 'locked="0"' in look]
    looks = re.findall(r'<c r="([A-Z]+)2" s="(\d+)"', sheet)
    locked = len(looks) - len(outcome_columns())
    assert [int(look) in unlocked for _, look in looks] == [False] * locked + [True] * len(outcome_columns())
    assert len(re.findall(r"<dataValidation ", sheet)) == len(outcome_columns())
    assert re.search(r'<pane xSplit="2" ySplit="1"[^>]*state="frozen"', sheet)
    assert 'ref="A1:' in xml(made.path, "xl/tables/table1.xml")
    assert "$A:$B,Decisions!$1:$1" in xml(made.path, "xl/workbook.xml")


def test_lists_offer_what_the_outcomes_know(published_file: Store, force: Settings, tmp_path: Path) -> None:
    made = take_away(published_file, force, tmp_path, AT)
    sheet = xml(made.path, "xl/worksheets/sheet1.xml")
    assert f"<formula1>{LISTS}!$A$2:$A$4</formula1>" in sheet
    lists = read(made.path)[LISTS]
    by_label = {str(lists[0][index]): [row[index] for row in lists[1:] if row[index]] for index in range(11)}
    reasons = next(field for field in item_fields() if field.name == "reason_not_recorded")
    assert by_label[reasons.label] == [f"{code} {title}" for code, title in reasons.choices.items()]
    assert by_label[FIRST_QUESTION] == ["Yes", "No", "Cannot say"]
    notes = dict(read(made.path)[NOTES])
    assert "R14 System or backlog" in notes[f"{reasons.label}: choices"]
    assert set(read(made.path)[DECISIONS][0]) - {column.heading for column in outcome_columns()} <= set(notes)


def test_the_marking_stands_everywhere_and_the_keys_are_out_of_sight(
    published_file: Store, force: Settings, tmp_path: Path
) -> None:
    made = take_away(published_file, force, tmp_path, AT)
    assert made.path.name == "away OFFICIAL-SENSITIVE.xlsx"
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    for number in (1, 2):
        assert xml(made.path, f"xl/worksheets/sheet{number}.xml").count("&amp;COFFICIAL-SENSITIVE") == 2
    core = xml(made.path, "docProps/core.xml")
    assert f"<dc:title>Crime recording audit, workbook {made.export_id}</dc:title>" in core
    assert "<dc:subject>OFFICIAL-SENSITIVE</dc:subject>" in core
    book = xml(made.path, "xl/workbook.xml")
    assert re.search(f'name="{KEYS}"[^>]*state="veryHidden"', book)
    assert re.search(f'name="{LISTS}"[^>]*state="hidden"', book)
    assert dict(read(made.path)[NOTES])["Marking"] == "OFFICIAL-SENSITIVE"


def test_items_are_claimed_for_as_long_and_all_is_logged(
    published_file: Store, force: Settings, tmp_path: Path, canary: str
) -> None:
    made = take_away(published_file, force, tmp_path, AT)
    assert (made.items, made.left_out, made.held_until) == (3, 0, later(AT, hours=72))
    for review in published_file.reviews_of_run(RUN_ID, later(AT, hours=71.9), RULES).values():
        assert (review.state, review.holder) == ("claimed", "an.auditor")
    *claims, disclosed = [each.event for each in published_file.events()][1:]
    assert [(each.action, each.details) for each in claims] == [
        ("alteration", {"act": "claim", "event": 1, "workbook": made.export_id})
    ] * 3
    assert (disclosed.action, disclosed.subject, disclosed.actor) == ("disclosure", RUN_ID, "an.auditor")
    assert disclosed.details == {"workbook": made.export_id, "items": 3, "parts": 4}
    assert canary not in str(published_file.events())


def test_what_a_colleague_holds_stays_with_them(
    published_file: Store, force: Settings, publication: Publication, tmp_path: Path
) -> None:
    first, second, third = (item.item_id for item in publication.items)
    claim(published_file, first, "a.colleague")
    decide(published_file, second, AT, Outcome("cannot_say"), by="an.auditor")
    decide(published_file, third, AT, Outcome("cannot_say"), by="a.colleague")
    made = take_away(published_file, force, tmp_path, AT)
    # Their own "cannot say" is for somebody else to read; a colleague's is for them, and says nothing of it.
    assert [row["item"] for row in rows_of(made.path)] == [third]
    assert "annot say" not in str(rows_of(made.path))
    with pytest.raises(ConflictError):
        take_away(published_file, force, tmp_path, AT, by="a.third", mine=True)


def test_a_claim_of_a_page_is_lengthened_and_one_of_a_workbook_left(
    published_file: Store, force: Settings, publication: Publication, tmp_path: Path
) -> None:
    claim(published_file, publication.items[1].item_id, "an.auditor")
    older = take_away(published_file, force, tmp_path, AT, mine=True)
    assert [row["place"] for row in rows_of(older.path)] == [2]
    newer = take_away(published_file, force, tmp_path, later(AT, hours=1), name="newer.xlsx")
    assert newer.items == 3
    assert newer.held_until == older.held_until == later(AT, hours=72)
    answers = answered(older.path, cells_of(NO_CRIME))
    assert kinds(bring_back(published_file, force, answers, later(AT, hours=2))) == ["taken"]


def test_so_many_items_and_no_more(published_file: Store, force: Settings, tmp_path: Path) -> None:
    made = take_away(published_file, force, tmp_path, AT, limit=2)
    assert [row["place"] for row in rows_of(made.path)] == [1, 2]
    assert take_away(published_file, force, tmp_path, AT, by="a.colleague", name="b.xlsx").items == 1


def test_an_erased_item_is_left_out(published_file: Store, force: Settings, tmp_path: Path) -> None:
    published_file.purge_texts(later(AS_OF, days=91), event("erasure", "texts"))
    with pytest.raises(ConflictError):
        take_away(published_file, force, tmp_path, AT)
    assert not list(tmp_path.glob("*.xlsx"))


def test_a_file_that_cannot_be_written_leaves_nobody_holding_anything(
    published_file: Store, force: Settings, tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        take_away(published_file, force, tmp_path, AT, name=f"{'x' * 245}.xlsx")
    reviews = published_file.reviews_of_run(RUN_ID, AT, RULES).values()
    assert {(review.state, review.holder, review.events) for review in reviews} == {("queued", "", 2)}
    assert take_away(published_file, force, tmp_path, AT).items == 3


@pytest.mark.parametrize("name", ["queue.csv", "absent/queue.xlsx"])
def test_a_target_that_cannot_be_is_refused_before_anything_is_claimed(
    published_file: Store, force: Settings, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError):
        take_away(published_file, force, tmp_path, AT, name=name)
    with pytest.raises(UsageError, match="unknown"):
        take_away(published_file, force, tmp_path, AT, run_id="absent")
    assert len(published_file.events()) == 1


def test_a_viewer_takes_nothing_away(published_file: Store, force: Settings, tmp_path: Path) -> None:
    with pytest.raises(PermissionDeniedError):
        take_away(published_file, force, tmp_path, AT, roles={"viewer"})


@pytest.mark.parametrize("shown", [False, True])
def test_a_control_item_shows_its_places_only_where_a_force_wants_it(
    published_file: Store,
    force: Settings,
    tmp_path: Path,
    shown: bool,
) -> None:
    ranked = night(items=1, day=230)
    drawn = replace(
        ranked,
        items=tuple(replace(item, arm="control") for item in ranked.items),
        places=tuple(replace(place, arm="control") for place in ranked.places),
    )
    published_file.publish(drawn, event())
    settings = force.model_copy(update={"control_highlights": shown})
    made = take_away(published_file, settings, tmp_path, later(AS_OF, days=7))
    assert bool(rows_of(made.path)[0]["places that say so"]) == shown


@pytest.mark.parametrize("words", ["x" * 70_000, "🦓" * 40_000, "line\n" * 700, "=1 " * 25_000])
def test_a_long_text_goes_on_in_further_columns(
    published_file: Store, force: Settings, tmp_path: Path, words: str
) -> None:
    published_file.publish(night(items=2, day=230, words=words), event())
    made = take_away(published_file, force, tmp_path, later(AS_OF, days=7))
    row = rows_of(made.path)[0]
    names = [name for name in row if re.fullmatch(r"text( \d+)?", name)]
    assert names[:2] == ["text", "text 2"]
    cells = [str(row[name]) for name in names]
    assert all(len(cell.encode("utf-16-le")) // 2 <= EXCEL_CELL and cell.count("\n") <= 253 for cell in cells)
    joined = "".join(cell.removeprefix("'") for cell in cells)
    assert joined.count(words.strip()) == 2
    answers = answered(made.path, cells_of(NO_CRIME))
    assert kinds(bring_back(published_file, force, answers, later(AS_OF, days=7))) == ["taken", "empty"]


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "workbook.key"
    key = workbook_key(path)
    assert len(key) == 32
    assert workbook_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["workbook.key"]


@pytest.mark.parametrize("content", ["", "ab" * 16, "no key", "zz" * 32])
def test_another_key_file_is_not_believed(tmp_path: Path, content: str) -> None:
    path = tmp_path / "workbook.key"
    path.write_text(content)
    with pytest.raises(StoreError):
        workbook_key(path)
    assert path.read_text() == content


def test_the_document_tells_every_column_and_every_fate() -> None:
    page = (Path(__file__).parents[2] / "docs" / "workbook.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- columns:.*?-->\n(.*?)\n<!-- /columns -->", page, re.DOTALL)
    assert shown is not None
    assert shown[1] == described()
    told = re.findall(r"^\| ((?:refused: )?[a-z ]+) \|", page.split("| a row is |")[1], re.MULTILINE)
    assert told == [*ACCEPTED, *(f"refused: {kind}" for kind in REFUSED)]
