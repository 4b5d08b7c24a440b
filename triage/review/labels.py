"""What was decided of an item as of a moment, as a label to learn from; nothing later is ever looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Literal

from triage.reading.records import Record
from triage.review.decisions import ReviewEvent, ReviewRules, review_of
from triage.review.outcomes import Outcome

Basis = Literal["ruling", "two", "one"]
Kept = Literal["kept", "purged", "erased"]


@dataclass(frozen=True, slots=True)
class Label:
    """The outcome that counts of a closed item.

    ``basis`` says whose it is: the registrar's ``ruling``, what ``two`` agree on, or ``one`` decision.
    ``decided_at`` is when it was given, ``closed_at`` when it became final. ``version`` is that of the code
    book by which it was coded, empty where the store did not keep it yet.
    """

    outcome: Outcome
    basis: Basis
    decided_at: datetime
    closed_at: datetime
    version: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """How an item came into the queue.

    ``arm`` and ``inclusion_probability`` are the item's own. ``entry_probability`` is the chance with which
    its matter first came to be read: 1 where it was read for certain, the draw's where it was drawn, None
    where it was in a draw, was not drawn, and was queued for certain on a later night: then those who were
    drawn stand for it. ``score_01`` is as of the night that first queued it, the as-of moment ``queued_at``.
    ``source`` and ``record_ref`` are those of its lead record.
    """

    item_id: str
    root: str
    run_id: str
    arm: str
    stratum: str
    inclusion_probability: float
    entry_probability: float | None
    score_01: float
    queued_at: datetime
    source: str = ""
    record_ref: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """One closed item as of a moment: how it was queued, what was read, and the outcome that counts.

    ``parts`` are table and reference of its records, the lead first; ``records`` are these as they were
    queued, empty where a text is not kept any more: ``text`` says whether it was ``purged`` at its date or
    ``erased`` on order. ``recorded`` names the families recorded for its matter when it was decided, as the
    queue of that day showed them.
    """

    queued: Queued
    parts: tuple[tuple[str, str], ...]
    records: tuple[Record, ...]
    recorded: tuple[str, ...]
    label: Label
    text: Kept = "kept"

    @property
    def found(self) -> bool | None:
        """Whether a crime that nobody recorded was found; None for "cannot say"."""
        return {"yes": True, "no": False}.get(self.label.outcome.disclosed)


def label_of(
    item_id: str,
    queued_at: datetime,
    events: Iterable[ReviewEvent],
    as_of: datetime,
    rules: ReviewRules,
) -> Label | None:
    """Return the outcome that counts of an item as it was known at a moment; None if it was not closed.

    The ruling wins, then what two agree on, then one decision once it may no longer be corrected. What was
    done after the moment does not count, nor does an outcome that the registrar had taken back by then.

    Parameters
    ----------
    item_id, queued_at : str, datetime
        The item, and the as-of moment of the run that first queued it.
    events : iterable of ReviewEvent
        All that was done to it, in order; later ones may be among them.
    as_of : datetime
        The moment, aware.
    rules : ReviewRules
        ``correction_hours`` says when one decision is final.
    """
    # Up to the first later one: an act rests on those before it.
    known = tuple(takewhile(lambda event: event.at <= as_of, events))
    review = review_of(item_id, queued_at, known, as_of, rules, night=as_of)
    last = review.ruling or review.second or review.first
    if review.outcome is None or last is None:
        return None
    basis: Basis = "ruling" if review.ruling else "two" if review.second else "one"
    stands_after = timedelta(hours=rules.correction_hours) if basis == "one" else timedelta()
    return Label(review.outcome, basis, last.at, last.at + stands_after, last.label_version)


def entry_probability(
    inclusion_probability: float, first_queued: datetime, drawn: tuple[datetime, float, bool] | None
) -> float | None:
    """Return the chance with which a matter first came to be read; see :class:`Queued`.

    Parameters
    ----------
    inclusion_probability : float
        Of the item of the matter that was queued first.
    first_queued : datetime
        When that was.
    drawn : (datetime, float, bool) or None
        When the matter took part in a draw, with what chance, and whether it was drawn; None for never.

    >>> day = datetime(2026, 3, 1)
    >>> entry_probability(1.0, day, None), entry_probability(1.0, day, (day - timedelta(1), 0.1, False))
    (1.0, None)
    """
    if drawn is None or drawn[0] > first_queued:
        return inclusion_probability
    return drawn[1] if drawn[2] else None
