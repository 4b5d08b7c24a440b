"""A workbook that comes back: each row is taken as a decision, or refused by name."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from triage.desk.workbook import KEY_HEADINGS, digest, seal, token, workbook_key
from triage.desk.workbook_file import Sheet, Value, WorkbookError, is_blank, read_sheets
from triage.desk.workbook_outcome import is_whole, read_outcome
from triage.desk.workbook_sheet import DECISIONS, ITEM, KEYS, outcome_columns
from triage.errors import ConflictError, PermissionDeniedError
from triage.review.decisions import ReviewRules, next_event
from triage.review.outcomes import Outcome
from triage.review.permissions import require
from triage.settings import Settings
from triage.store.store import Store

#: What a row may come to that changes nothing further.
ACCEPTED = ("taken", "already taken", "empty")
#: Why a row may be refused.
REFUSED = ("edited", "stale", "duplicate", "foreign", "not yours", "not valid")


@dataclass(frozen=True, slots=True)
class Fate:
    """What a row came to.

    ``row`` is its number in the sheet. ``kind`` is one of ``ACCEPTED``, or of ``REFUSED`` if it was refused.
    ``reference`` is the record's as the store has it, empty where the row cannot be trusted to name one;
    ``column`` names what is wrong with an outcome, ``what`` and ``mend`` say it.
    """

    row: int
    kind: str
    reference: str = ""
    column: str = ""
    what: str = ""
    mend: str = ""

    @property
    def refused(self) -> bool:
        """Whether the row was refused."""
        return self.kind in REFUSED

    @property
    def said(self) -> str:
        """What is wrong, with the column where one is."""
        return f"{self.column}: {self.what}" if self.column else self.what


@dataclass(frozen=True, slots=True)
class Imported:
    """The fate of each row of a workbook, in the order of the sheet; ``checked`` if nothing was written."""

    fates: tuple[Fate, ...]
    checked: bool

    @property
    def refused(self) -> tuple[Fate, ...]:
        """The rows that were refused."""
        return tuple(fate for fate in self.fates if fate.refused)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows came to what: the accepted kinds first, then those refused that occurred."""
        counted = Counter(fate.kind for fate in self.fates)
        return {kind: counted.pop(kind, 0) for kind in ACCEPTED} | dict(sorted(counted.items()))

    @property
    def summary(self) -> str:
        """The counts in one line, and that nothing is new where nothing is."""
        told = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        if self.checked:
            return f"{told}; only checked, nothing was written"
        return told if self.counts["taken"] else f"{told}; nothing was changed"


@dataclass(frozen=True, slots=True)
class _Key:
    """What the workbook's table of keys says of one item."""

    item_id: str
    seen: int
    actor: str
    export_id: str
    hash: str
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Import:
    """Who brings a workbook back, and to which store."""

    store: Store
    key: bytes
    actor: str
    roles: Collection[str]
    at: datetime
    rules: ReviewRules
    chance: Callable[[], float]
    check: bool

    def fate(self, number: int, cells: Mapping[str, Value], key: _Key | None) -> Fate:
        """Return what a row comes to, having written its decision if it is taken."""
        if key is None or not _is_ours(key, self.key):
            return _refused(number, "foreign")
        item = self.store.item(key.item_id)
        if item is None:
            return _refused(number, "foreign")
        changed = [name for name, kept in key.digests.items() if digest(cells[name]) != kept]
        if changed:
            return _refused(number, "edited", item.record_ref, ", ".join(changed))
        if key.actor != self.actor:
            return _refused(number, "not yours", item.record_ref)
        outcome, problems = read_outcome(cells)
        if problems:
            first, *more = problems
            what = "; ".join([first.what, *(f"{each.column}: {each.what}" for each in more)])
            return Fate(number, "not valid", item.record_ref, first.column, what, _MEND["not valid"])
        if outcome is None:
            return Fate(number, "empty", item.record_ref)
        kind, what = self._decided(key, outcome)
        if kind in ACCEPTED:
            return Fate(number, kind, item.record_ref)
        return Fate(number, kind, item.record_ref, "", what, _MEND["stale"])

    def _decided(self, key: _Key, outcome: Outcome) -> tuple[str, str]:
        """Write a decision, or say why not; a decision that this workbook gave before is left as it is."""
        sent = token(key.export_id, "decide", key.item_id)
        earlier = next((event for event in self.store.history(key.item_id) if event.token == sent), None)
        if earlier is not None:
            if earlier.outcome == outcome:
                return "already taken", ""
            return "stale", "it was decided from this workbook before, with another outcome"
        review = self.store.review(key.item_id, self.at, self.rules)
        if review.events != key.seen:
            return "stale", "it has changed since the export: on its page, or by a newer workbook"
        if review.holder != self.actor:
            return "stale", "your claim on it has ended"
        try:
            if self.check:
                next_event(
                    review,
                    "decide",
                    actor=self.actor,
                    roles=self.roles,
                    at=self.at,
                    token=sent,
                    seen=key.seen,
                    outcome=outcome,
                    rules=self.rules,
                )
            else:
                self.store.act(
                    key.item_id,
                    "decide",
                    actor=self.actor,
                    roles=self.roles,
                    at=self.at,
                    token=sent,
                    seen=key.seen,
                    outcome=outcome,
                    chance=self.chance(),
                    rules=self.rules,
                    details={"workbook": key.export_id},
                )
        except (ConflictError, PermissionDeniedError) as error:
            return "stale", error.what
        return "taken", ""


_WHAT = {
    "edited": "a locked cell was changed",
    "duplicate": "the same item stands in more than one row",
    "foreign": "the row was not written by this store, or its item number was changed",
    "not yours": "it was exported for somebody else",
}
_MEND = {
    "edited": "copy your answers into the row of a new export",
    "duplicate": "keep one of the rows and bring the workbook back",
    "foreign": "copy your answers into the row of an export of this store",
    "not yours": "let them bring it back, or export the item yourself",
    "not valid": "correct it and bring the workbook back",
    "stale": "see its page; if it is still to be decided, export it again and copy your answers",
}


def import_workbook(
    store: Store,
    settings: Settings,
    data: bytes,
    *,
    actor: str,
    roles: Collection[str],
    at: datetime,
    rules: ReviewRules,
    chance: Callable[[], float],
    check: bool = False,
) -> Imported:
    """Take each row of a workbook as a decision, or refuse it by name; the same file again changes nothing.

    Parameters
    ----------
    store : Store
        Keeps the decisions; each is logged as one from a page is, with the number of the workbook.
    settings : Settings
        Of the force.
    data : bytes
        The file, from anybody.
    actor, roles : str, collection of str
        Who brings it back, and as what.
    at : datetime
        The moment, aware.
    rules : ReviewRules
        Of the review.
    chance : callable
        Gives a random number in [0, 1) for each decision, which may draw it for a second review.
    check : bool
        Say what each row would come to, and write nothing.

    Raises
    ------
    PermissionDeniedError
        If no role may import.
    WorkbookError
        If the file is no workbook of this program, or is too large.
    """
    require(roles, "import_decisions")
    sheets = read_sheets(data, (DECISIONS, KEYS), bytes_max=settings.upload_bytes_max)
    keys = _keys(sheets[KEYS])
    rows = _rows(sheets[DECISIONS], keys)
    times = Counter(str(cells[ITEM]).strip() for _, cells in rows)
    secret = workbook_key(settings.data_dir / "workbook.key")
    work = _Import(store, secret, actor, roles, at, rules, chance, check)
    fates = []
    for number, cells in rows:
        item_id = str(cells[ITEM]).strip()
        key = keys.get(item_id)
        if times[item_id] > 1 and key is not None:
            item = store.item(item_id) if _is_ours(key, secret) else None
            fates.append(_refused(number, "duplicate", item.record_ref if item else ""))
        else:
            fates.append(work.fate(number, cells, key))
    return Imported(tuple(fates), check)


def _refused(number: int, kind: str, reference: str = "", column: str = "") -> Fate:
    return Fate(number, kind, reference, column, _WHAT[kind], _MEND[kind])


def _keys(sheet: Sheet) -> dict[str, _Key]:
    missing = [name for name in KEY_HEADINGS if name not in sheet.headings]
    if missing:
        raise WorkbookError(
            f"the sheet {KEYS} has no column {missing[0]}",
            where="the workbook",
            mend="export the workbook again",
        )
    locked = [name for name in sheet.headings if name not in KEY_HEADINGS]
    keys: dict[str, _Key] = {}
    for _, cells in sheet.rows:
        item_id, seen, actor, export_id, sealed = (cells[name] for name in KEY_HEADINGS)
        keys[str(item_id)] = _Key(
            str(item_id),
            int(seen) if is_whole(seen) else 0,
            str(actor),
            str(export_id),
            str(sealed),
            {name: str(cells[name]) for name in locked},
        )
    return keys


def _rows(sheet: Sheet, keys: Mapping[str, _Key]) -> list[tuple[int, Mapping[str, Value]]]:
    """Return the rows that hold something in our columns; a column that somebody added is left out."""
    locked = {name for key in keys.values() for name in key.digests}
    wanted = [ITEM, *sorted(locked), *(column.heading for column in outcome_columns())]
    missing = [name for name in wanted if name not in sheet.headings]
    if missing:
        raise WorkbookError(
            f"{len(missing)} columns of the sheet {DECISIONS} are missing or were renamed",
            where=f"column {missing[0]!r}" if missing[0] not in locked else "a locked column",
            mend="undo that, or export the workbook again",
        )
    return [(number, cells) for number, cells in sheet.rows if not all(is_blank(cells[n]) for n in wanted)]


def _is_ours(key: _Key, secret: bytes) -> bool:
    wanted = seal(secret, key.item_id, key.seen, key.actor, key.export_id, key.digests)
    return hmac.compare_digest(wanted.encode(), key.hash.encode())
