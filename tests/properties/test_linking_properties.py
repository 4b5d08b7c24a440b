"""What holds of linking for any extract: nothing lost, nothing twice, no order, no second opinion."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triage.reading.linking import Linked, link
from triage.reading.records import CRIME_STATUSES, RECORD_TABLES, Crime, Extract, Record
from triage.settings import Settings

CANARY = "zebra quorum marmalade"
NIGHT = datetime(2026, 11, 3, tzinfo=UTC)
REFERENCES = [*(f"XX-{number:04d}" for number in range(12)), "42/5/26", "42/8/26"]
STORIES = [
    " ".join(
        f"{letter}{word}" for word in ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st", "uv", "wx")
    )
    for letter in "pqr"
]
CLAIMS = [
    "",
    "DUP OF LOG 3",
    "SEE LOG XX-0007",
    "CRIMED 42/5/26",
    "CR 42/0006/26",
    "N100 42/8/26",
    "CRIME 99/4/26",
]


@pytest.fixture(autouse=True)
def _no_settings_file(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("nowhere"))


@st.composite
def extracts(draw: st.DrawFn) -> Extract:
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(RECORD_TABLES), st.sampled_from(REFERENCES)), unique=True, max_size=14
        )
    )
    records = []
    for source, reference in keys:
        opened = NIGHT + timedelta(hours=draw(st.integers(-400, 60)))
        story = draw(st.sampled_from(["", *STORIES]))
        text = f"{CANARY} {story} {story.upper()} {draw(st.sampled_from(CLAIMS))}"
        incident_ref = "" if source == "incidents" else draw(st.sampled_from(["", *REFERENCES]))
        area = draw(st.sampled_from(["", "N", "S"]))
        records.append(Record(source, reference, opened, None, text, incident_ref=incident_ref, area=area))
    numbers = draw(st.lists(st.integers(1, 9), unique=True, max_size=8))
    crimes = [
        Crime(
            f"42/{number}/26",
            draw(st.sampled_from(REFERENCES)),
            NIGHT,
            "105/01",
            draw(st.sampled_from(CRIME_STATUSES)),
        )
        for number in numbers
    ]
    return Extract(tuple(records), tuple(crimes), (), {}, (), "")


def _settings() -> Settings:
    return Settings(repeat_min_words=10, own_force_prefixes=("42",))


@given(extracts())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_record_is_in_exactly_one_matter_and_no_crime_is_lost(extract: Extract) -> None:
    linked = link(extract, _settings())
    placed = [record.key for matter in linked.matters for record in matter.records]
    assert sorted(placed) == sorted(record.key for record in extract.records)
    assert len({matter.root.casefold() for matter in linked.matters}) == len(linked.matters)
    known = {record.record_ref for record in extract.records} | {
        record.incident_ref for record in extract.records
    }
    in_matters = {crime for matter in linked.matters for crime in matter.crimes}
    cancelled = {record.record_ref for record in extract.records if record.source == "cancelled_crimes"}
    crimes = {
        replace(crime, status="cancelled") if crime.crime_ref in cancelled else crime
        for crime in extract.crimes
    }
    assert set(linked.orphan_crimes) == {crime for crime in crimes if crime.record_ref not in known}
    assert crimes == in_matters | set(linked.orphan_crimes)
    assert linked.counts["crimes_cancelled_by_record"] == len(
        cancelled & {crime.crime_ref for crime in crimes}
    )
    for matter in linked.matters:
        assert set(matter.links) == {record.key for record in matter.records[1:]}
        assert len(matter.crimes) == len(set(matter.crimes))
        raised = {record.record_ref for record in matter.records} | {
            record.incident_ref for record in matter.records
        }
        own = {crime.crime_ref for crime in matter.crimes if crime.record_ref in raised}
        assert matter.claimed <= {crime.crime_ref for crime in matter.crimes} - own - cancelled


@given(extracts())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_shared_references_are_never_apart(extract: Extract) -> None:
    linked = link(extract, _settings())
    place = {record.key: matter.root for matter in linked.matters for record in matter.records}
    for one in extract.records:
        for other in extract.records:
            mine, theirs = (
                {one.record_ref, one.incident_ref} - {""},
                {other.record_ref, other.incident_ref} - {""},
            )
            if mine & theirs:
                assert place[one.key] == place[other.key]


@given(extracts(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_order_of_rows_changes_nothing(extract: Extract, random: object) -> None:
    records, crimes = list(extract.records), list(extract.crimes)
    random.shuffle(records)  # type: ignore[attr-defined]
    random.shuffle(crimes)  # type: ignore[attr-defined]
    shuffled = Extract(tuple(records), tuple(crimes), (), {}, (), "")
    assert link(shuffled, _settings()) == link(extract, _settings())


@given(extracts())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_linking_a_matter_again_gives_the_matter(extract: Extract) -> None:
    linked = link(extract, _settings())
    for matter in linked.matters:
        again: Linked = link(Extract(matter.records, extract.crimes, (), {}, (), ""), _settings())
        assert [each.records for each in again.matters] == [matter.records]
        assert [each.root for each in again.matters] == [matter.root]
        # A crime of this matter may have been cancelled by a record of another.
        assert [[crime.crime_ref for crime in each.crimes] for each in again.matters] == [
            [crime.crime_ref for crime in matter.crimes]
        ]
        assert [each.claimed for each in again.matters] == [matter.claimed]


@given(extracts())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_claims_lie_within_the_text_and_verified_ones_exist(extract: Extract) -> None:
    crimes = {crime.crime_ref for crime in extract.crimes}
    references = {record.record_ref for record in extract.records}
    texts = {record.key: record.text for record in extract.records}
    for matter in link(extract, _settings()).matters:
        held = {crime.crime_ref for crime in matter.crimes}
        for key, claims in matter.claims.items():
            for claim in claims:
                assert 0 <= claim.start < claim.end <= len(texts[key])
                if claim.status == "verified":
                    assert claim.reference in (references if claim.kind == "duplicate" else crimes & held)


def test_the_corpus_links_to_itself_only() -> None:
    """The invented records are about different matters: only contrast pairs may read as repeated calls."""
    corpus = Path(__file__).parents[2] / "training_data" / "corpus"
    rows = [
        json.loads(line)
        for path in sorted(corpus.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    records = tuple(
        Record("incidents", row["id"], NIGHT, None, row["text"])
        for row in rows
        if row["id"][-1].isdigit()  # w8-001a and w8-001b are such a pair
    )
    counts = link(Extract(records, (), (), {}, (), ""), Settings()).counts
    assert counts["linked_repeat"] == 0
