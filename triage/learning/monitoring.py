"""Whether the nights are as they were: what comes in, what is said of it, and what auditors find of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

import numpy as np

from triage.learning import drift
from triage.learning.alarms import Alarm, alarms_of
from triage.learning.audited import Audited, is_yes, stands_for
from triage.learning.calibration import Calibration, calibration
from triage.learning.drift import RECORDS_LEAST, TEXTS_LEAST, Shift, TextShift
from triage.learning.label_quality import KIND_LEAST, doubts, out_of_fold
from triage.learning.metrics import Floats, wilson
from triage.ranking.allocation import ARMS
from triage.review.agreement import Agreement, Figure, Pair, agreements
from triage.settings import Settings

#: Decisions of one reader from which on a share of theirs is stated: fewer would say more of the items.
READER_LEAST = 10
Which = Literal["reference", "recent"]
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Stream:
    """All eligible records of a window, each once, as columns of like length.

    ``scores`` are those of the model that ranks now alone, so that it may be shorter; a column that no run's
    files hold is empty.
    """

    sources: Sequence[str] = ()
    scores: Floats = field(default_factory=lambda: np.zeros(0))
    characters: Floats = field(default_factory=lambda: np.zeros(0))
    opening_codes: Sequence[str] = ()
    closing_codes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReadText:
    """A closed item with a yes or no whose text is still kept."""

    item_id: str
    root: str
    text: str
    score_01: float
    answer: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What monitoring is worked out from.

    ``end`` is the last moment of the recent window. ``texts`` maps each window to texts, of which
    ``texts_from`` says what they are. ``items`` are those queued in either window, ``pairs`` the items that
    two people read, ``read`` the decisions that others may contradict. ``model_id`` ranks now, ``notes`` say
    what could not be read.
    """

    end: datetime
    model_id: str
    streams: Mapping[Which, Stream]
    texts: Mapping[Which, Sequence[str]]
    texts_from: str
    items: Sequence[Audited]
    pairs: Sequence[Pair] = ()
    read: Sequence[ReadText] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """How often one answer was given: ``count`` of ``items``, the week from ``since`` on or a window."""

    name: str
    since: date
    items: int
    count: int
    share: Figure


@dataclass(frozen=True, slots=True)
class Change:
    """Share of an arm's reads that found something; ``fall`` is that before less that now."""

    arm: str
    reference: Share
    recent: Share
    fall: Figure


@dataclass(frozen=True, slots=True)
class Doubted:
    """One decision that others contradict: what was ``given``, what they ``suggest``, how strongly."""

    item_id: str
    given: str
    suggested: str
    margin: float


@dataclass(frozen=True, slots=True)
class Monitoring:
    """All that monitoring found; ``gaps`` are sentences on what it cannot say, and why.

    ``precision`` has one share a week and arm; ``cannot_say`` maps arm, source and reader to a share a name
    and window. ``control`` is the calibration on the random control.
    """

    end: datetime
    recent_since: datetime
    reference_since: datetime
    model_id: str
    shifts: tuple[Shift, ...]
    text: TextShift | None
    texts_from: str
    control: Calibration
    precision: tuple[Share, ...]
    changes: tuple[Change, ...]
    cannot_say_by_week: tuple[Share, ...]
    cannot_say: Mapping[str, tuple[Share, ...]]
    agreement: Mapping[str, Agreement]
    doubts: tuple[Doubted, ...]
    alarms: tuple[Alarm, ...]
    gaps: tuple[str, ...]


def monitor(observed: Observed, settings: Settings, *, seed: int = 0) -> Monitoring:
    """Return how the recent window compares with the one before it, and what is too far off.

    Parameters
    ----------
    observed : Observed
        What the nights and the auditors left.
    settings : Settings
        For the lengths of the windows and the thresholds, all named ``monitor_``.
    seed : int
        The same seed gives the same figures.
    """
    recent_since = observed.end - timedelta(days=settings.monitor_recent_days)
    reference_since = recent_since - timedelta(days=settings.monitor_reference_days)
    gaps = list(observed.notes)
    shifts = _shifts(observed.streams, gaps)
    text = _text(observed, gaps, seed)
    control = [each for each in observed.items if each.arm == "control"]
    weights = stands_for(control)
    kept = weights > 0
    calibrated = calibration(
        is_yes(control)[kept], np.array([each.score_01 for each in control])[kept], weights[kept]
    )
    if not calibrated.items:
        gaps.append("calibration: no item of the random control has been decided yet")
    elif calibrated.slope.estimate is None:
        gaps.append(f"intercept and slope of the calibration: {calibrated.slope.reason}")
    decided = [each for each in observed.items if each.answer]
    before = [each for each in decided if each.queued_at <= recent_since]
    after = [each for each in decided if each.queued_at > recent_since]
    if not decided:
        gaps.append("precision and “cannot say”: no item of these windows has been decided yet")
    changes = _changes(before, after, reference_since.date(), recent_since.date(), gaps)
    agreed = agreements(observed.pairs, seed=seed)
    if not observed.pairs:
        gaps.append("agreement: no item has been read by two people yet")
    return Monitoring(
        end=observed.end,
        recent_since=recent_since,
        reference_since=reference_since,
        model_id=observed.model_id,
        shifts=shifts,
        text=text,
        texts_from=observed.texts_from,
        control=calibrated,
        precision=_by_week([each for each in decided if each.told], observed.end, "yes", by_arm=True),
        changes=changes,
        cannot_say_by_week=_by_week(decided, observed.end, "cannot_say", by_arm=False),
        cannot_say=_cannot_say(before, after, reference_since.date(), recent_since.date()),
        agreement={"disclosed": agreed.disclosed, "drawn": agreed.drawn, **agreed.families},
        doubts=_doubted(observed.read, gaps, seed),
        alarms=alarms_of(
            shifts,
            text,
            calibrated,
            # A fall among the random control is no worse ranking.
            {each.arm: each.fall for each in changes if each.arm != "control"},
            settings,
        ),
        gaps=tuple(gaps),
    )


def _shifts(streams: Mapping[Which, Stream], gaps: list[str]) -> tuple[Shift, ...]:
    before, after = streams["reference"], streams["recent"]
    found = []
    if min(len(before.sources), len(after.sources)) < RECORDS_LEAST:
        gaps.append(
            f"drift of what comes in: {len(before.sources)} records before and {len(after.sources)} now, "
            f"{RECORDS_LEAST} of each are needed"
        )
        return ()
    for name in ("source", "opening_code", "closing_code"):
        column = "sources" if name == "source" else f"{name}s"
        old, new = getattr(before, column), getattr(after, column)
        if min(len(old), len(new)) >= RECORDS_LEAST:
            found.append(drift.names_shift(name.replace("_", " "), old, new))
        else:
            gaps.append(f"drift of {name.replace('_', ' ')}: the files of these nights do not hold it")
    for name, old, new, why in (
        ("length", before.characters, after.characters, "the files of these nights do not hold it"),
        ("score", before.scores, after.scores, "the model that ranks now did not rank in both windows"),
    ):
        if min(len(old), len(new)) >= RECORDS_LEAST:
            found.append(drift.numbers_shift(name, old, new))
        else:
            gaps.append(f"drift of {name}: {why}")
    return tuple(found)


def _text(observed: Observed, gaps: list[str], seed: int) -> TextShift | None:
    before, after = (
        [each for each in observed.texts[which] if drift.has_words(each)] for which in ("reference", "recent")
    )
    if min(len(before), len(after)) < TEXTS_LEAST:
        gaps.append(
            f"drift of texts: {len(before)} texts before and {len(after)} now ({observed.texts_from}), "
            f"{TEXTS_LEAST} of each are needed"
        )
        return None
    return drift.text_shift(before, after, seed=seed)


def _share(name: str, since: date, items: Sequence[Audited], answer: str) -> Share:
    count = sum(each.answer == answer for each in items)
    if not items:
        return Share(name, since, 0, 0, Figure(None, reason="no item was decided"))
    return Share(name, since, len(items), count, Figure(count / len(items), *wilson(count, len(items))))


def _by_week(items: Sequence[Audited], end: datetime, answer: str, *, by_arm: bool) -> tuple[Share, ...]:
    """Return a share a week, counted back from the end, by the night that queued the item."""
    weeks: dict[tuple[str, int], list[Audited]] = {}
    for each in items:
        weeks.setdefault((each.arm if by_arm else "all", (end - each.queued_at) // _WEEK), []).append(each)
    arms = (*ARMS, "all")
    return tuple(
        _share(name, (end - (week + 1) * _WEEK).date(), weeks[name, week], answer)
        for name, week in sorted(weeks, key=lambda each: (arms.index(each[0]), -each[1]))
    )


def _changes(
    before: Sequence[Audited], after: Sequence[Audited], then: date, now: date, gaps: list[str]
) -> tuple[Change, ...]:
    found = []
    for arm in ARMS:
        old, new = (
            _share(arm, since, [each for each in items if each.arm == arm and each.told], "yes")
            for items, since in ((before, then), (after, now))
        )
        if old.items and new.items:
            found.append(Change(arm, old, new, difference(old, new)))
        elif old.items or new.items:
            gaps.append(f"change of the {arm} arm: {old.items} decisions before and {new.items} now")
    return tuple(found)


def difference(one: Share, other: Share) -> Figure:
    """Return the first share less the other, with its 95 % interval.

    Source: Newcombe 1998, Statistics in Medicine 17:873-890, method 10 (of two Wilson intervals).
    """
    (p, low, high), (q, lower, higher) = (
        (each.share.estimate or 0.0, each.share.low or 0.0, each.share.high or 0.0) for each in (one, other)
    )
    gap = p - q
    down = ((p - low) ** 2 + (higher - q) ** 2) ** 0.5
    up = ((high - p) ** 2 + (q - lower) ** 2) ** 0.5
    return Figure(gap, gap - down, gap + up)


def _cannot_say(
    before: Sequence[Audited], after: Sequence[Audited], then: date, now: date
) -> dict[str, tuple[Share, ...]]:
    found: dict[str, tuple[Share, ...]] = {}
    for kind in ("arm", "source", "reader"):
        names = sorted({getattr(each, kind) for each in (*before, *after)} - {""})
        shares = [
            _share(name, since, [each for each in items if getattr(each, kind) == name], "cannot_say")
            for name in names
            for items, since in ((before, then), (after, now))
        ]
        least = READER_LEAST if kind == "reader" else 1
        found[kind] = tuple(each for each in shares if each.items >= least)
    return found


def _doubted(read: Sequence[ReadText], gaps: list[str], seed: int) -> tuple[Doubted, ...]:
    yes = sum(each.answer == "yes" for each in read)
    if min(yes, len(read) - yes) < KIND_LEAST:
        gaps.append(
            f"decisions that others contradict: {yes} with a crime and {len(read) - yes} without whose text "
            f"is kept, {KIND_LEAST} of each are needed"
        )
        return ()
    labels = np.array([each.answer == "yes" for each in read]).astype(int)
    p = out_of_fold(
        [each.text for each in read],
        np.array([each.score_01 for each in read]),
        labels,
        [each.root for each in read],
        seed=seed,
    )
    names = ("no", "yes")
    return tuple(
        Doubted(read[each.place].item_id, names[each.given], names[each.suggested], each.margin)
        for each in doubts(labels, p)
    )
