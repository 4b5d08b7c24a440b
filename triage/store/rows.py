"""The rows of the store as the rest of the house sees them, with no database in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from triage.ranking.allocation import Draw
from triage.reading.linking import Claim
from triage.reading.records import RejectedRow

#: What may be done with personal data, as the log names it.
#: Source: Data Protection Act 2018, section 62(1); domain.md 7.1.
ACTIONS = ("collection", "alteration", "consultation", "disclosure", "combination", "erasure")

#: Longest string in an audit event, so that no narrative fits into one.
AUDIT_CHARACTERS_MAX = 200

Detail = int | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what to what and when; ``details`` holds ids and counts only, never record text.

    Parameters
    ----------
    at : datetime
        The moment, aware.
    actor : str
        A user's name, or the command that ran by itself (``nightly``).
    action : str
        One of ``ACTIONS``.
    subject : str
        The id of what it was done to: a run, an item, a model.
    run_id : str, optional
        The run that it belongs to, empty where there is none.
    details : mapping, optional
        Ids and counts: whole numbers, short strings and tuples of short strings.

    Raises
    ------
    ValueError
        If a part is of the wrong kind; the message names the part and never shows it.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    run_id: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"the action of an audit event is one of {', '.join(ACTIONS)}")
        if self.at.tzinfo is None:
            raise ValueError("the moment of an audit event carries an offset")
        if not self.actor or not self.subject:
            raise ValueError("an audit event names its actor and its subject")
        named = {"actor": self.actor, "subject": self.subject, "run_id": self.run_id, **self.details}
        for name, value in named.items():
            strings = value if isinstance(value, tuple) else (value,)
            for each in strings:
                if isinstance(each, int):
                    continue
                if not isinstance(each, str) or not each.isprintable() or len(each) > AUDIT_CHARACTERS_MAX:
                    raise ValueError(
                        f"{name!r} of an audit event holds something other than counts and short ids"
                    )


@dataclass(frozen=True, slots=True)
class Chained:
    """One audit event as stored: its number from 1, and the hashes that tie it to the last."""

    number: int
    event: AuditEvent
    previous_hash: str
    hash: str


#: What can be wrong with a place in the chain of audit events.
FAULTS = {
    "altered": "its content is not what its hash was made of",
    "removed": "the event with this number is missing",
    "inserted": "the event does not belong to the one before it: either was put in or written anew",
    "reordered": "the event that stands there was written at another place",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """Whether the audit events are as they were written.

    ``broken_at`` is the place, from 1, at which they first are not, None where all hold, and ``fault`` what
    is wrong there: a key of :data:`FAULTS`. Events removed from the end, and a chain that was written anew,
    leave no trace in the chain itself: ``noted_at`` is the number of the event that had a head noted
    elsewhere as its hash, 0 for that of an empty log, None where no event has it.
    """

    events: int
    head: str
    broken_at: int | None = None
    fault: str = ""
    noted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One published night: what it read, with which model and settings, and with what counts.

    ``status`` is ``complete`` or ``partial``; ``notes`` are sentences on columns, codes and what is missing.
    """

    run_id: str
    published_at: datetime
    as_of: datetime
    extract_digest: str
    model_id: str
    settings_digest: str
    recipe: str
    budget_items: int
    counts: Mapping[str, int | Mapping[str, int]] = field(default_factory=dict)
    status: str = "complete"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One record of an item; ``link`` says why it stands with the lead, empty for the lead."""

    source: str
    record_ref: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class ItemEvidence:
    """Where an item says so: character offsets into one part's text, or a question of its form.

    ``part`` counts from 1 in the order of ``Item.parts``. ``status`` is what the text says of the act named
    there, empty where no phrase names one; a place that lowered the score has no family and ``lowers``.
    """

    family: str
    start: int | None = None
    end: int | None = None
    question: str = ""
    part: int = 1
    status: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One matter as it was first queued; nothing of it ever changes.

    ``run_id``, ``arm``, ``score_01``, ``inclusion_probability`` and ``queued_at`` (the run's as-of moment)
    are those of the night that first queued it. ``random_number`` is the permanent random number in [0, 1),
    None where no draw was made. ``p_families`` maps a family to the probability that it is disclosed;
    ``families`` names the unrecorded ones, likeliest first. ``parts`` are in reading order, the lead first.
    """

    item_id: str
    run_id: str
    source: str
    record_ref: str
    root: str
    content_hash: str
    arm: str
    inclusion_probability: float
    random_number: float | None
    stratum: str
    score_01: float
    tiebreak: str
    opened_at: datetime
    queued_at: datetime
    retain_until: datetime
    parts: tuple[Part, ...]
    p_families: Mapping[str, float] = field(default_factory=dict)
    families: tuple[str, ...] = ()
    evidence: tuple[ItemEvidence, ...] = ()
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemCrime:
    """One crime recorded for an item's matter when it was queued."""

    crime_ref: str
    offence_code: str
    recorded_at: str
    status: str = "recorded"


@dataclass(frozen=True, slots=True)
class ItemText:
    """What an auditor reads of one part of an item.

    ``text``, ``answers`` and ``claims`` are None once the retention date has passed and the purge has run.
    ``part`` counts from 1 in the order of ``Item.parts``.
    """

    item_id: str
    part: int
    source: str
    record_ref: str
    text: str | None
    answers: Mapping[int, str] | None
    claims: tuple[Claim, ...] | None
    opened_at: datetime
    closed_at: datetime | None
    retain_until: datetime
    opening_code: str = ""
    closing_code: str = ""
    form_version: str = ""
    crimes: tuple[ItemCrime, ...] = ()
    content_hash: str = ""
    team: str = ""
    supervisor_ref: str = ""


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One place of a run's queue, from 1 (read first).

    ``score_01``, ``families``, ``rules`` and ``crimes`` are as of that night: crimes recorded since an item
    was queued have changed them.
    """

    position: int
    item_id: str
    arm: str
    score_01: float
    carried: bool
    families: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    crimes: tuple[ItemCrime, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One place of a published queue with the item that stands there; see :class:`PlaceRow`."""

    run_id: str
    position: int
    arm: str
    score_01: float
    carried: bool
    item: Item
    families: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    crimes: tuple[ItemCrime, ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """All that a night adds to the store, in one transaction.

    ``items`` are the ones queued for the first time, ``texts`` their parts, ``places`` the whole queue from 1
    (new and carried), ``draws`` the draws made tonight, ``rejects`` the rows set aside.

    Raises
    ------
    ValueError
        If the pieces do not belong together; the message quotes ids only.
    """

    run: Run
    items: tuple[Item, ...] = ()
    texts: tuple[ItemText, ...] = ()
    places: tuple[PlaceRow, ...] = ()
    draws: tuple[Draw, ...] = ()
    rejects: tuple[RejectedRow, ...] = ()

    def __post_init__(self) -> None:
        if [place.position for place in self.places] != list(range(1, len(self.places) + 1)):
            raise ValueError("the places of a publication count from 1 without gaps")
        new = {place.item_id for place in self.places if not place.carried}
        if new != {item.item_id for item in self.items}:
            raise ValueError("the places that are not carried are those of the new items")
        texts = {
            item_id: [(text.part, text.source, text.record_ref) for text in group]
            for item_id, group in groupby(
                sorted(self.texts, key=attrgetter("item_id", "part")), key=attrgetter("item_id")
            )
        }
        if texts.keys() - new:
            raise ValueError("a text belongs to no new item")
        for item in self.items:
            if item.run_id != self.run.run_id:
                raise ValueError(f"item {item.item_id} names another run")
            parts = [(number, part.source, part.record_ref) for number, part in enumerate(item.parts, 1)]
            if texts.get(item.item_id, []) != parts:
                raise ValueError(f"item {item.item_id}: its texts are not those of its parts")


def item_id_of(source: str, record_ref: str, content_hash: str) -> str:
    """Return the id of an item: 16 hexadecimal digits, from its lead and its content alone.

    >>> item_id_of("incidents", "L-1", "ab") == item_id_of("incidents", "L-1", "ab")
    True
    >>> item_id_of("incidents", "L-1", "ab") == item_id_of("incidents", "L-1", "ac")
    False
    """
    named = json.dumps([source, record_ref, content_hash])
    return hashlib.sha256(named.encode()).hexdigest()[:16]
