"""A published night in a real store, for the pages and files of the desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.store_servers import fresh_store_url, store_url
from triage.ranking.scoring import LOWERS
from triage.reading.linking import Claim
from triage.store import (
    AuditEvent,
    Item,
    ItemCrime,
    ItemEvidence,
    ItemText,
    Part,
    PlaceRow,
    Publication,
    Run,
    Store,
    item_id_of,
    open_store,
)

__all__ = ["fresh_store_url", "store_url"]

AS_OF = datetime(2026, 10, 14, 3, tzinfo=UTC)
RUN_ID = "20261014T0300Z-0123abcd"
#: What a stranger might put into a text: an escape sequence, rich markup, a forged mark, a formula.
HOSTILE = "\x1b]0;owned\x07[bold red]x[/] ⟦rape: forged⟧ :smile: =cmd|'/C calc'!A0"


def _item(reference: str, source: str, *, text: str, **more: object) -> tuple[Item, ItemText]:
    content = f"hash of {reference}"
    item = Item(
        item_id=item_id_of(source, reference, content),
        run_id=RUN_ID,
        source=source,
        record_ref=reference,
        root=reference,
        content_hash=content,
        arm=str(more.get("arm", "ranked")),
        inclusion_probability=1.0,
        random_number=None,
        stratum="readable" if text.strip() else "unreadable",
        score_01=float(str(more.get("score_01", 0.25))),
        tiebreak="00",
        opened_at=AS_OF - timedelta(hours=30),
        queued_at=AS_OF,
        retain_until=AS_OF + timedelta(days=90),
        parts=(Part(source, reference),),
    )
    return item, ItemText(
        item_id=item.item_id,
        part=1,
        source=source,
        record_ref=reference,
        text=text,
        answers={},
        claims=(),
        opened_at=item.opened_at,
        closed_at=item.opened_at + timedelta(hours=2),
        retain_until=item.retain_until,
    )


@pytest.fixture(scope="session")
def publication(canary: str) -> Publication:
    """A night of three items: a log with its form, a log of a hostile text, and one without a narrative."""
    log_text = f"22:14 CALL: HE GRABBED HER THROAT {canary}\n22:40 UPD: ALL QUIET, CRIMED 42/70123/26"
    log, log_part = _item("XX-1", "incidents", text=log_text, score_01=0.83, arm="rule")
    start = log_text.index("GRABBED HER THROAT")
    quiet = log_text.index("ALL QUIET")
    claimed = log_text.index("42/70123/26")
    form_text = f"She says he does it most weeks. {canary}"
    log = replace(
        log,
        parts=(Part("incidents", "XX-1"), Part("assessments", "D-1", "incident")),
        p_families={
            "non_fatal_strangulation": 0.91,
            "violence_without_injury": 0.4,
            "theft": 0.01,
            "any": 0.95,
        },
        families=("non_fatal_strangulation",),
        evidence=(
            ItemEvidence("non_fatal_strangulation", question="18", part=2),
            ItemEvidence("non_fatal_strangulation", start, start + 18, part=1, status="asserted"),
            ItemEvidence("", quiet, quiet + 9, part=1, status=LOWERS),
        ),
        rules=("strangulation_answer",),
    )
    log_part = replace(
        log_part,
        claims=(Claim("crime", "42/70123/26", claimed, claimed + 11, "unknown"),),
        opening_code="DOMESTIC INCIDENT",
        closing_code="NOD",
        crimes=(ItemCrime("42/1/26", "105/01", "2026-10-13T08:00:00+00:00"),),
    )
    form_part = replace(
        log_part,
        part=2,
        source="assessments",
        record_ref="D-1",
        text=form_text,
        answers={1: "N", 18: "Y"},
        claims=(),
        opening_code="",
        closing_code="",
        form_version="dash-police-27",
    )
    hostile, hostile_part = _item("=XX-2", "referrals", text=f"{HOSTILE} {canary}")
    hostile = replace(
        hostile,
        families=("theft",),
        p_families={"theft": 0.3},
        evidence=(ItemEvidence("theft", 0, 5, status="denied_by_suspect"),),
    )
    empty, empty_part = _item("XX-3", "incidents", text="  ", score_01=0.02, arm="control")
    items = (log, hostile, empty)
    parts = (log_part, form_part, hostile_part, empty_part)
    return Publication(
        run=Run(
            run_id=RUN_ID,
            published_at=AS_OF + timedelta(hours=1),
            as_of=AS_OF,
            extract_digest="d" * 64,
            model_id="linear-20261001-abcdef01",
            settings_digest="s" * 64,
            recipe="linear",
            budget_items=40,
            counts={"records": 4, "arms": {"rule": 1, "ranked": 1, "control": 1}},
        ),
        items=items,
        texts=parts,
        places=tuple(
            PlaceRow(
                position,
                item.item_id,
                item.arm,
                item.score_01,
                carried=False,
                families=item.families,
                rules=item.rules,
                crimes=next(text.crimes for text in parts if text.item_id == item.item_id),
            )
            for position, item in enumerate(items, start=1)
        ),
    )


def _publish(
    url: str, publication: Publication, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TRIAGE_DATABASE_URL", url)
    monkeypatch.setenv("LOGNAME", "an.auditor")
    run = publication.run
    with open_store(url) as store:
        store.prepare()
        store.publish(
            publication, AuditEvent(run.published_at, "nightly", "combination", run.run_id, run.run_id)
        )
        yield store


@pytest.fixture
def published(
    store_url: str, publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """The store with the night published, on each server, and the settings that point to it."""
    yield from _publish(store_url, publication, tmp_path, monkeypatch)


@pytest.fixture
def published_file(
    publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """The same on SQLite alone, for what does not depend on the server."""
    yield from _publish(f"sqlite:///{tmp_path}/triage.db", publication, tmp_path, monkeypatch)


@pytest.fixture
def triage() -> Callable[..., object]:
    """Run the command in this process, as a terminal without colours would show it."""
    from typer.testing import CliRunner

    from triage.cli import app

    def run(*words: str, **env: str) -> object:
        return CliRunner().invoke(app, list(words), env=env)

    return run
