"""Who is read tonight: the rule arm, the ranked arm and the random control, within a fixed budget."""

from __future__ import annotations

import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from triage.ranking.rules import priority_of
from triage.settings import Settings

ARMS = ("rule", "ranked", "control")
STRATA = ("readable", "unreadable")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One matter that could be read tonight.

    ``content_hash`` is the SHA-256 of what an auditor would read (texts and answers of all its parts): a
    matter is queued once for each content. ``stratum`` is ``readable`` or ``unreadable``. ``rules`` names the
    rules that send it to the top, first the one of highest priority. ``eligible`` is false while it may still
    be recorded in time. ``drawn_with`` is the inclusion probability of the draw that its matter won with an
    earlier content that nobody has read, None otherwise: then this content is read in its stead.
    """

    source: str
    record_ref: str
    root: str
    content_hash: str
    opened_at: datetime
    eligible: bool
    stratum: str
    score_01: float
    tiebreak: str
    rules: tuple[str, ...] = ()
    drawn_with: float | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """An item of an earlier night that nobody has read.

    ``score_01`` and ``rules`` are as of tonight, against the crimes that are known by now.
    """

    item_id: str
    arm: str
    record_ref: str
    content_hash: str
    queued_at: datetime
    score_01: float
    tiebreak: str
    inclusion_probability: float
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """The one random draw that a matter takes part in: its permanent random number and its chance.

    ``inclusion_probability`` is the chance with which the matter was drawn into the control arm, known
    before the draw; ``drawn`` says whether it was. ``random_number`` lies in [0, 1). ``content_hash`` is the
    content that it had that night; a later one takes part in no other draw.
    """

    root: str
    content_hash: str
    stratum: str
    random_number: float
    inclusion_probability: float
    drawn: bool


@dataclass(frozen=True, slots=True)
class Place:
    """One place in tonight's queue, from 1 (read first); either a new candidate or a carried item."""

    position: int
    arm: str
    inclusion_probability: float
    candidate: Candidate | None = None
    carried: Carried | None = None


@dataclass(frozen=True, slots=True)
class Allocation:
    """Tonight's queue, the draws made for it, and how many candidates each step set aside."""

    places: tuple[Place, ...]
    draws: tuple[Draw, ...]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Seat:
    """A candidate or a carried item on its way to a place."""

    arm: str
    inclusion_probability: float
    candidate: Candidate | None = None
    carried: Carried | None = None

    @property
    def item(self) -> Candidate | Carried:
        item = self.candidate or self.carried
        assert item is not None
        return item


def permanent_random_number(key: bytes, reference: str) -> float:
    """Return the number in [0, 1) that a reference keeps for ever under this key.

    Secret, so that nobody can foresee who is drawn, and the same every night, so that a run repeated is the
    same.

    Source: first 8 bytes of HMAC-SHA256 over 2**64, cut to the 53 bits of a float so that it stays below 1;
    permanent random numbers: Ohlsson (1995), Coordination of samples using permanent random numbers, in
    Business Survey Methods, ch. 9.

    >>> permanent_random_number(b"key", "XX-1") == permanent_random_number(b"key", "XX-1")
    True
    """
    digest = hmac.new(key, reference.encode("utf-8"), sha256).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def _content(item: Candidate | Carried) -> tuple[str, str]:
    return (item.record_ref, item.content_hash)


def _best_first(item: Candidate | Carried) -> tuple[float, str, str, str]:
    return (-item.score_01, item.tiebreak, item.record_ref, item.content_hash)


def _rule_order(item: Candidate | Carried) -> tuple[int, tuple[float, str, str, str]]:
    return (priority_of(item.rules), _best_first(item))


def _control_size(places: int, wanted: int, pool: Sequence[bool], unreadable: int) -> int:
    """Return how many places the control arm gets: the most, up to ``wanted``, that its frame can fill.

    The frame is who is left when the ranked arm has taken the other places. Only scores and counts decide,
    never a random number: else the chance of being drawn would depend on the draw.

    Parameters
    ----------
    places : int
        Items that ranked and control arm may have together.
    wanted : int
        Items that the control arm should have.
    pool : sequence of bool
        Who competes for the ranked arm, best first: true for one that may still take part in a draw.
    unreadable : int
        Unreadable records that may take part in a draw.
    """
    # Places that the ranked arm cannot fill go to unreadable records, which nothing else brings to a reader.
    size = min(max(min(wanted, places), places - len(pool)), len(pool) + unreadable)
    left = sum(pool[places - size :])
    while size > 0 and left + unreadable < size:
        if places - size < len(pool):
            left -= pool[places - size]
        size -= 1
    return size


def _strata_sizes(
    size: int, frame: Mapping[str, Sequence[Candidate]], wanted_unreadable: int
) -> dict[str, int]:
    """Return how many of each stratum are drawn; a place that one cannot use goes to the other."""
    readable, unreadable = len(frame["readable"]), len(frame["unreadable"])
    # The last place goes to the readable: with one place a night, the others would else never be measured.
    for_unreadable = min(wanted_unreadable, unreadable, size - 1 if readable else size)
    for_readable = min(size - max(for_unreadable, 0), readable)
    return {"readable": for_readable, "unreadable": size - for_readable}


def _draw(
    frame: Mapping[str, Sequence[Candidate]], sizes: Mapping[str, int], key: bytes
) -> tuple[list[Draw], list[_Seat]]:
    """Draw each stratum's share by the smallest random numbers; who has no chance tonight takes part later.

    Source: sequential simple random sampling with permanent random numbers, Ohlsson (1995): the n units of
    smallest number are a simple random sample of the N, so each is drawn with probability n/N exactly.
    Poisson sampling (all units with a number below n/N) has the same chances but a random size, which no
    fixed budget can hold.
    """
    draws, seats = [], []
    for stratum in STRATA:
        members, size = frame[stratum], sizes[stratum]
        if not size:
            continue
        numbered = sorted((permanent_random_number(key, each.root), each.root, each) for each in members)
        for rank, (number, root, candidate) in enumerate(numbered):
            chance = size / len(members)
            drawn = rank < size
            draws.append(Draw(root, candidate.content_hash, stratum, number, chance, drawn))
            if drawn:
                seats.append(_Seat("control", chance, candidate=candidate))
    return draws, seats


def _interleaved(ranked: list[_Seat], control: list[_Seat], key: bytes) -> list[_Seat]:
    """Return both arms as one list in which a place does not tell the arm.

    The control items go in one by one, each at a place that a second keyed number picks evenly: the places
    that they hold in the end are a random subset. The number of the draw would not do, being small if drawn.
    """
    merged = list(ranked)
    numbered = sorted(
        (permanent_random_number(key, "place\n" + "\n".join(_content(seat.item))), _content(seat.item), place)
        for place, seat in enumerate(control)
    )
    for number, _, place in numbered:
        merged.insert(math.floor(number * (len(merged) + 1)), control[place])
    return merged


def _is_readable(item: Candidate | Carried) -> bool:
    return isinstance(item, Carried) or item.stratum == "readable"


def _certain(arm: str, item: Candidate | Carried) -> _Seat:
    if isinstance(item, Candidate):
        return _Seat(arm, 1.0, candidate=item)
    return _Seat(arm, 1.0, carried=item)


def _control_wanted(settings: Settings) -> int:
    """Return how many control items a night draws: the share of the budget, but one at least.

    Where the share is nought, or a budget of one item leaves no room, none is drawn.
    """
    if not settings.control_share or settings.budget_items < 2:
        return 0
    return max(1, round(settings.budget_items * settings.control_share))


def _oldest_first(item: Carried) -> tuple[datetime, str, str, str]:
    return (item.queued_at, item.tiebreak, item.record_ref, item.content_hash)


def allocate(
    candidates: Sequence[Candidate],
    *,
    carried: Sequence[Carried],
    draws_made: Mapping[str, Draw],
    key: bytes,
    settings: Settings,
) -> Allocation:
    """Return tonight's queue of at most ``budget_items`` places and the draws made for it.

    Unread control items of earlier nights come first to their places, oldest first, as many at most as one
    night draws; so a new draw is made every night. Then the rule arm: new matters and unread items of earlier
    nights alike, by priority, up to ``rule_share_max`` of the budget; those beyond it compete as the rest do.
    ``control_share`` of the budget is drawn at random from who is neither rule nor ranked and has not been in
    a draw; the ranked arm, in which carried items compete again, has all the rest. The ranked arm has
    readable records only. The order of the input never matters.

    Parameters
    ----------
    candidates : sequence of Candidate
        Matters whose content is not queued yet; those not ``eligible`` are counted only.
    carried : sequence of Carried
        Unread items of earlier nights that have not expired.
    draws_made : mapping of str to Draw
        Root to the draw of an earlier night that this matter took part in.
    key : bytes
        The secret key of the random draw.
    settings : Settings
        ``budget_items``, ``rule_share_max``, ``control_share``, ``control_unreadable_items``.

    Returns
    -------
    Allocation
        ``counts``: ``eligible``, ``not_eligible``, ``unreadable`` (of the eligible); ``rule``, ``ranked`` and
        ``control`` (places tonight, with carried ones), ``carried`` (of these, carried); ``rule_overflow``
        (matters and items of a rule left to compete), ``carried_over_budget`` (carried control items without
        a place), ``carried_outranked`` (other carried items without a place), ``drawn_earlier`` (eligible,
        not queued, in the draw of an earlier night), ``frame`` (took part in tonight's draw), ``waiting``
        (eligible, not queued, in no draw yet).

    Raises
    ------
    ValueError
        If a content stands twice among candidates and carried items, a root twice among candidates, or a
        stratum is unknown: a bug of the caller.

    Source: domain.md 9, points 5 and 9.
    """
    contents = {_content(each) for each in candidates} | {_content(item) for item in carried}
    if len(contents) != len(candidates) + len(carried):
        raise ValueError("a content stands twice among the candidates and carried items")
    if len({candidate.root for candidate in candidates}) != len(candidates):
        raise ValueError("a root stands twice among the candidates")
    if any(candidate.stratum not in STRATA for candidate in candidates):
        raise ValueError(f"a stratum is none of {', '.join(STRATA)}")
    budget, wanted = settings.budget_items, _control_wanted(settings)
    eligible = sorted((each for each in candidates if each.eligible), key=_best_first)
    waiting = sorted((item for item in carried if item.arm == "control"), key=_oldest_first)
    again = [each for each in eligible if each.drawn_with is not None]
    held = min(wanted, len(waiting) + len(again))

    competing: list[Candidate | Carried] = [*eligible, *(item for item in carried if item.arm != "control")]
    by_rule = sorted((each for each in competing if each.rules), key=_rule_order)
    # The small amount undoes what floats take from a share such as 0.29 of 100.
    rule_items = by_rule[: min(math.floor(budget * settings.rule_share_max + 1e-9), budget - held)]
    taken = {_content(each) for each in rule_items}
    renewed = [each for each in again if _content(each) not in taken][:wanted]
    kept = waiting[: wanted - len(renewed)]
    taken |= {_content(each) for each in renewed}
    places = budget - len(rule_items) - len(renewed) - len(kept)

    rest = [each for each in competing if _content(each) not in taken]
    pool = sorted((each for each in rest if _is_readable(each)), key=_best_first)
    candidates_left = [each for each in rest if isinstance(each, Candidate)]
    fresh = {_content(each) for each in candidates_left if each.root not in draws_made}
    beside = len(fresh - {_content(item) for item in pool})
    in_pool = [_content(item) in fresh for item in pool]
    size = _control_size(places, wanted, in_pool, beside)
    ranked_items = pool[: places - size]
    taken |= {_content(item) for item in ranked_items}
    frame = {
        stratum: [
            each
            for each in candidates_left
            if each.stratum == stratum and _content(each) in fresh and _content(each) not in taken
        ]
        for stratum in STRATA
    }
    draws, drawn = _draw(frame, _strata_sizes(size, frame, settings.control_unreadable_items), key)
    # What nothing new can fill goes to control items of earlier nights beyond the share of one night.
    kept = waiting[: len(kept) + places - len(ranked_items) - len(drawn)]

    rule_seats = [_certain("rule", each) for each in rule_items]
    ranked_seats = [_certain("ranked", item) for item in ranked_items]
    control_seats = [
        *drawn,
        *(_Seat("control", item.inclusion_probability, carried=item) for item in kept),
        *(_Seat("control", each.drawn_with or 1.0, candidate=each) for each in renewed),
    ]
    seats = rule_seats + _interleaved(ranked_seats, control_seats, key)
    queued = {_content(seat.item) for seat in seats}
    unqueued = {each.root for each in eligible if _content(each) not in queued}
    in_frame = {draw.root for draw in draws}
    counts = {
        "eligible": len(eligible),
        "not_eligible": len(candidates) - len(eligible),
        "unreadable": sum(each.stratum == "unreadable" for each in eligible),
        **{arm: sum(seat.arm == arm for seat in seats) for arm in ARMS},
        "carried": sum(seat.carried is not None for seat in seats),
        "rule_overflow": len(by_rule) - len(rule_items),
        "carried_over_budget": sum(_content(item) not in queued for item in waiting),
        "carried_outranked": sum(item.arm != "control" and _content(item) not in queued for item in carried),
        "drawn_earlier": len(unqueued & set(draws_made)),
        "frame": len(draws),
        "waiting": len(unqueued - set(draws_made) - in_frame),
    }
    return Allocation(
        tuple(
            Place(position, seat.arm, seat.inclusion_probability, seat.candidate, seat.carried)
            for position, seat in enumerate(seats, start=1)
        ),
        tuple(sorted(draws, key=lambda draw: draw.root)),
        counts,
    )
