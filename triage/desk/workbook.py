"""The queue as a workbook to be decided offline: items claimed for one person, each row sealed."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from triage.desk.export import Cell
from triage.desk.files import checked_target
from triage.desk.item_page import CLOSING_SENTENCE
from triage.desk.listing import moment
from triage.desk.workbook_cells import locked_cells
from triage.desk.workbook_sheet import (
    CRIMES,
    ITEM,
    Book,
    headings,
    name_with_marking,
    write_book,
)
from triage.errors import ConflictError, PermissionDeniedError, UsageError, UserError, known_names
from triage.key_file import secret_key
from triage.review.decisions import Review, ReviewRules, may
from triage.review.permissions import require
from triage.settings import Settings
from triage.store.rows import AuditEvent, Detail, ItemText, QueueRow, Run
from triage.store.store import Store

ENDINGS = (".xlsx",)
#: Headings of the table of keys, before one for each locked column.
KEY_HEADINGS = (ITEM, "events seen", "exported for", "export", "hash")


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export made: the file, whose items until when, and how many could not be had."""

    export_id: str
    path: Path
    run_id: str
    items: int
    left_out: int
    held_until: datetime


@dataclass(frozen=True, slots=True)
class _Held:
    """An item that the exporter has: place, texts, how many events it has had, until when, and since now."""

    row: QueueRow
    texts: tuple[ItemText, ...]
    seen: int
    until: datetime
    lent: bool


@dataclass(frozen=True, slots=True)
class _Export:
    """Who exports, with what rules; ``rules`` claim for as long as a workbook may be away."""

    store: Store
    export_id: str
    actor: str
    roles: Collection[str]
    at: datetime
    rules: ReviewRules

    def act(self, act: str, item_id: str, about: str = "") -> int:
        """Do one act to an item, and return the number of its event."""
        return self.store.act(
            item_id,
            act,
            actor=self.actor,
            roles=self.roles,
            at=self.at,
            token=token(self.export_id, about or act, item_id),
            rules=self.rules,
            details={"workbook": self.export_id},
        ).number

    def hold(self, row: QueueRow, review: Review, page_claim: timedelta) -> _Held | None:
        """Return the item once it is this person's, None where somebody was quicker or nothing is left."""
        texts = self.store.texts(row.item.item_id)
        if any(part.text is None for part in texts):
            return None
        until = review.held_until
        if review.holder == self.actor and until is not None and until > self.at + page_claim:
            return _Held(row, texts, review.events, until, lent=False)
        try:
            if review.state == "claimed":
                self.act("release", row.item.item_id)
            seen = self.act("claim", row.item.item_id)
        except (ConflictError, PermissionDeniedError):
            return None
        until = self.at + timedelta(minutes=self.rules.claim_minutes)
        return _Held(row, texts, seen, until, lent=True)


def export_workbook(
    store: Store,
    settings: Settings,
    out: Path,
    *,
    actor: str,
    roles: Collection[str],
    at: datetime,
    rules: ReviewRules,
    run_id: str | None = None,
    mine: bool = False,
    limit: int | None = None,
) -> Exported:
    """Claim items of a queue for one person and write them as a workbook to fill in, or do neither.

    An item that the person holds already stays theirs: a claim that a page made is lengthened, one that a
    workbook made is left, so that the older workbook can still be brought back.

    Parameters
    ----------
    store : Store
        Holds the queue; the export is logged as a disclosure, each claim as an alteration.
    settings : Settings
        Of the force.
    out : Path
        The file to write; the marking is added to its name unless it stands there.
    actor, roles : str, collection of str
        For whom, and as what.
    at : datetime
        The moment, aware.
    rules : ReviewRules
        Of the review; claims are lengthened to ``workbook_hours``.
    run_id : str, optional
        The queue; that of the latest run by default.
    mine : bool
        Only items that the person holds already.
    limit : int, optional
        Most items, in the queue's order.

    Raises
    ------
    PermissionDeniedError
        If no role may export.
    ConflictError
        If no item is free for this person.
    UsageError
        If the run is unknown or the file cannot be written.
    """
    require(roles, "export_queue")
    path = name_with_marking(checked_target(out, ENDINGS), settings.marking)
    key = workbook_key(settings.data_dir / "workbook.key")
    run = _run(store, run_id)
    lengthened = replace(rules, claim_minutes=settings.workbook_hours * 60)
    export = _Export(store, secrets.token_hex(8), actor, roles, at, lengthened)
    page_claim = timedelta(minutes=rules.claim_minutes)
    reviews = store.reviews_of_run(run.run_id, at, rules)
    held: list[_Held] = []
    left_out = 0
    for row in store.queue(run.run_id):
        review = reviews[row.item.item_id]
        own = review.holder == actor
        free = not mine and not review.holder and may(review, "claim", actor=actor, roles=roles)
        if not (own or free) or len(held) == limit:
            continue
        had = export.hold(row, review, page_claim)
        held, left_out = ([*held, had], left_out) if had else (held, left_out + 1)
    if not held:
        raise ConflictError(
            "no item of this queue is free for you",
            where=f"run {run.run_id}",
            mend="wait for the next night, or until a colleague releases some",
        )
    parts = sum(len(each.texts) for each in held)
    counts: dict[str, Detail] = {"workbook": export.export_id, "items": len(held), "parts": parts}
    try:
        store.record(AuditEvent(at, actor, "disclosure", run.run_id, run.run_id, counts))
        write_book(_book(held, run, settings, export, key), path)
    except UserError:
        for each in held:
            if each.lent:
                with suppress(ConflictError, PermissionDeniedError):
                    export.act("release", each.row.item.item_id, about="give back")
        raise
    until = min(each.until for each in held)
    return Exported(export.export_id, path, run.run_id, len(held), left_out, until)


def _run(store: Store, run_id: str | None) -> Run:
    found = store.run(run_id) if run_id else store.latest_run()
    if found is not None:
        return found
    known = [each.run_id for each in store.runs()]
    raise UsageError(
        f"the run {known_names(run_id, known)}" if run_id and known else "no queue has been published yet",
        where="the queue to export",
        mend="see `triage runs`",
    )


def token(export_id: str, act: str, item_id: str) -> str:
    """Return the token of an act that a workbook does, so that the same file again does nothing."""
    return f"workbook {export_id} {act} {item_id}"


def digest(cell: object) -> str:
    """Return what a locked cell is recognised by, whatever program saved it: blanks do not count.

    >>> digest(1) == digest(1.0), digest("a  b") == digest("a\\nb "), digest("a") == digest("b")
    (True, True, False)
    """
    whole = isinstance(cell, float) and cell.is_integer()
    text = str(int(cell)) if whole and isinstance(cell, float) else str(cell)
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def seal(key: bytes, item_id: str, seen: int, actor: str, export_id: str, digests: Mapping[str, str]) -> str:
    """Return the hash that ties a row to the store that wrote it.

    Parameters
    ----------
    key : bytes
        The secret of ``workbook_key``.
    item_id : str
        The item.
    seen : int
        How many events it had had.
    actor, export_id : str
        For whom it was exported, and in which workbook.
    digests : mapping of str to str
        Heading of each locked column to the digest of its cell.

    Source: HMAC-SHA-256, RFC 2104 and FIPS 180-4.
    """
    sealed = json.dumps([item_id, seen, actor, export_id, sorted(digests.items())])
    return hmac.new(key, sealed.encode(), hashlib.sha256).hexdigest()


def workbook_key(path: Path) -> bytes:
    """Return the secret that rows are sealed with; made on first use, readable by its owner alone.

    Raises
    ------
    StoreError
        If the file cannot be read or made, or holds something else.
    """
    return secret_key(
        path,
        name="the workbooks",
        user="who exports and imports",
        lost="restore it from a backup; with a new key no workbook that is out can be taken back",
    )


def _book(held: Sequence[_Held], run: Run, settings: Settings, export: _Export, key: bytes) -> Book:
    zone = settings.zone
    rows = [
        locked_cells(
            each.row,
            each.texts,
            zone=zone,
            places=settings.control_highlights or each.row.item.arm != "control",
        )
        for each in held
    ]
    # Every row has a digest for every column: one that another row needed is empty, and must stay so.
    names = [name for name in headings(rows) if name != ITEM]
    keys: list[tuple[Cell, ...]] = [(*KEY_HEADINGS, *names)]
    for each, row in zip(held, rows, strict=True):
        item_id = each.row.item.item_id
        digests = {name: digest(row.get(name, "")) for name in names}
        sealed = seal(key, item_id, each.seen, export.actor, export.export_id, digests)
        keys.append((item_id, each.seen, export.actor, export.export_id, sealed, *digests.values()))
    until = min(each.until for each in held)
    return Book(
        title=f"Crime recording audit, workbook {export.export_id}",
        marking=settings.marking,
        made_at=export.at,
        author=export.actor,
        rows=rows,
        keys=keys,
        notes=(
            ("Marking", settings.marking),
            ("What it is", CLOSING_SENTENCE),
            ("For", export.actor),
            ("Items", f"{len(held)}, yours until {moment(until, zone)} ({zone.key})"),
            ("Run", f"{run.run_id}, as of {moment(run.as_of, zone)}"),
            ("Workbook", export.export_id),
            (
                "How to fill it in",
                "Read the text of a row and answer in the columns after the recorded crimes. The first "
                "question decides: with Yes, give the family of at least one crime; with No or Cannot say, "
                "give none. A row without any answer is skipped and stays yours until the time above.",
            ),
            (
                "What is locked",
                "All other columns. A row in which one was changed is refused when the workbook comes back.",
            ),
            (
                "Long texts",
                "A row shows only its first lines: select the cell and open the formula bar for the whole.",
            ),
            ("More crimes", f"A row has room for {CRIMES}. Decide an item with more on its page."),
            (
                "Bringing it back",
                "Save it as .xlsx, without a password, and hand it to `triage workbook import` or the "
                "workbook page. It may be brought back as often as you like: nothing is taken twice.",
            ),
        ),
    )
