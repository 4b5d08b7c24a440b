"""Whole columns say what each row of them says: moments, texts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage.language.text import read_texts
from triage.reading.checks import plain_records
from triage.reading.columns import Records, micros
from triage.reading.records import Record
from triage.reading.tables import Reader

STEADY = settings(deadline=None, derandomize=True, max_examples=300)
LONDON = ZoneInfo("Europe/London")
AT = datetime(2026, 10, 14, tzinfo=UTC)
DAYS = st.sampled_from(
    ["2026-10-13", "1900-01-01", "2199-12-31", "2200-12-31", "1899-12-31", "2026-02-30", "20261013"]
)
CLOCKS = st.sampled_from(
    ["10:05:00", "23:59:60", "24:00:00", "10:05", "01:30:00.123456", "01:30:00.5", "1:30:00"]
)
OFFSETS = st.sampled_from(["Z", "+00:00", "-05:30", "+23:59", "+24:00", "", "+0100", "z"])
PLAIN = st.tuples(DAYS, st.sampled_from("T \n"), CLOCKS, OFFSETS).map("".join)
CELLS = PLAIN | st.sampled_from(
    ["", " ", "yesterday", "2026-10-25T01:30:00", "2026-10-13T10:05:00Z\n2026-10-13T10:05:00Z"]
)
COLUMN = st.lists(st.just("2026-10-13T10:05:00+00:00"), max_size=3).flatmap(
    lambda good: st.lists(CELLS, max_size=3).map(lambda cells: [*good, *cells])
)
ANSWERS = st.dictionaries(st.integers(1, 27), st.sampled_from(["Y", "N", "NK"]), max_size=4)


@STEADY
@given(COLUMN, st.sampled_from([(), ("%d/%m/%Y %H:%M",)]))
@example(["2026-10-13T10:05:00+00:00", "2026-10-13T10:05:00Z"], ())
@example(["2026-10-13 10:05:00.000001-05:30"], ())
@example(["2026-02-30T10:05:00Z"], ())
def test_a_column_of_moments_is_read_as_each_of_its_cells(cells: list[str], formats: tuple[str, ...]) -> None:
    reader = Reader(LONDON, formats)
    moments = [reader.moment(cell) for cell in cells]
    references = [f"R{number}" for number in range(len(cells))]
    made, odd = plain_records(
        "referrals", {"record_ref": references, "received_at": cells, "text": references}, reader
    )
    assert odd == {place for place, moment in enumerate(moments) if moment is None}
    assert [made["opened_at"][place] for place in range(len(cells)) if place not in odd] == [
        micros(moment) for moment in moments if moment is not None
    ]


@STEADY
@given(COLUMN)
@example(["", "2026-10-13T10:05:00Z", "", "2025-10-13T10:05:00Z"])
def test_a_column_of_closings_is_read_as_each_of_its_cells(cells: list[str]) -> None:
    reader, opened = Reader(LONDON), "2026-03-01T00:00:00Z"
    references = [f"R{number}" for number in range(len(cells))]
    knowncells = {
        "record_ref": references,
        "opened_at": [opened] * len(cells),
        "closed_at": cells,
        "text": references,
    }
    made, odd = plain_records("incidents", knowncells, reader)
    for place, cell in enumerate(cells):
        moment = reader.moment(cell) if cell else None
        if cell and (moment is None or moment < datetime.fromisoformat(opened)):
            assert place in odd
        else:
            assert place not in odd
            assert made["closed_at"][place] == (None if moment is None else micros(moment))


def a_record(number: int, source: str, text: str, answers: dict[int, str]) -> Record:
    form = {"form_version": "dash-police-27", "answers": answers} if source == "assessments" else {}
    return Record(source, f"{source}-{number}", AT, AT, text, **form)  # type: ignore[arg-type]


@settings(STEADY, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["incidents", "assessments", "referrals"]), st.text(max_size=9), ANSWERS)
    )
)
def test_columns_are_read_as_the_records_that_they_hold(
    told: Sequence[tuple[str, str, dict[int, str]]],
) -> None:
    made = [
        a_record(number, source, f"HE LEFT. {text}", answers)
        for number, (source, text, answers) in enumerate(told)
    ]
    columns = Records.of(made)
    whole, each = read_texts(columns), read_texts(list(columns))
    assert columns.texts() == [record.text for record in columns]
    for name in ("words", "clauses", "owners", "starts", "ends", "questions", "hits"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(each, name))
    assert [*whole.types] == [*each.types]


@STEADY
@given(
    st.lists(st.text("aé", max_size=9), max_size=12),
    st.lists(st.text("b", max_size=9), max_size=3),
    st.integers(1, 5),
    st.integers(1, 20),
)
@example(["a" * 9], [], 1, 1)
def test_parts_hold_all_records_in_order_and_no_more_than_asked(
    logs: list[str], letters: list[str], most: int, most_bytes: int
) -> None:
    known = [
        Record(source, f"R{number:02}", AT, AT, text)
        for source, texts in (("incidents", logs), ("referrals", letters))
        for number, text in enumerate(texts)
    ]
    records = Records.of(known)
    parts = [[*part] for part in records.parts(most, most_bytes)]
    assert [record for part in parts for record in part] == [*records]
    sizes = [sum(len(record.text.encode()) for record in part) for part in parts]
    for part, size, after in zip(parts, sizes, [*parts[1:], None][: len(parts)], strict=True):
        assert len({record.source for record in part}) == 1
        assert len(part) == 1 or (len(part) <= most and size <= most_bytes)
        if after is not None and after[0].source == part[0].source and len(part) < most:
            assert size + len(after[0].text.encode()) > most_bytes
    assert [len(part) for part in Records.of(known).parts(2)] == [
        min(2, len(texts) - at) for texts in (logs, letters) for at in range(0, len(texts), 2)
    ]
