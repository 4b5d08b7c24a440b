"""Challengers, fitted on what was known at a cut-off and judged beside the champion on later nights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from models import RECIPES
from training_data.build import TrainingTable, check_both_kinds, training_table
from training_data.groups import Kin, kin_numbers
from training_data.weights import selection_weights
from triage.language.offences import FAMILIES
from triage.learning.comparison import Comparison, Rule, Verdict, compare, verdict
from triage.learning.fairness import groups_of
from triage.learning.metrics import Floats, Ints, Names
from triage.learning.paired import Judged
from triage.learning.temporal import Material, Window, apart, known_at, windows
from triage.ranking.recorded import local_day, recorded_counts
from triage.ranking.scoring import Ranker, score_records
from triage.reading.grouping import comparable
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record
from triage.review.labels import Decided
from triage.settings import Settings

_BATCH = 500
#: Parts of an item that are told apart in the report; a table of groups adds its own.
SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Champion:
    """The model that ranks now; ``knew`` is the latest moment of what it learnt from, None for nothing."""

    model_id: str
    model: Ranker
    knew: datetime | None


@dataclass(frozen=True, slots=True)
class Test:
    """The items that judge, with the windows of nights that they are of.

    ``items`` are closed items of the windows with their kept texts; ``window`` of shape (items,) numbers each
    one's window; ``judged``, ``families`` and ``cells`` are as for ``compare``. ``left_out`` counts decided
    items of these nights that judge nobody, by the reason.
    """

    windows: tuple[Window, ...]
    items: tuple[Decided, ...]
    window: Ints
    judged: Judged
    cells: Mapping[str, Names]
    left_out: Mapping[str, int]

    @property
    def families(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Which families were found unrecorded, shape (items, families)."""
        found = [each.label.outcome.families for each in self.items]
        return np.array([[name in one for name in FAMILIES] for one in found], dtype=bool)


@dataclass(frozen=True, slots=True)
class Challenger:
    """A recipe fitted at the last cut-off, with what it learnt from and how it did beside the champion."""

    recipe: str
    model: Ranker
    table: TrainingTable
    cut_off: datetime
    comparison: Comparison
    verdict: Verdict


def rule_of(settings: Settings) -> Rule:
    """Return the rule of the verdict that the settings state."""
    return Rule(
        gain_min=settings.retrain_gain_min,
        loss_max=settings.retrain_loss_max,
        calibration_loss_max=settings.retrain_calibration_loss_max,
        missed_min=settings.retrain_missed_min,
        cell_missed_min=settings.small_cell_items,
    )


def nights_to_judge(
    material: Material, champion: Champion, settings: Settings, as_of: datetime
) -> Test | None:
    """Return the items of past nights that judge champion and challengers; None where there are too few.

    Their nights came after all that the champion knew, their decisions were made ``label_lag_days`` before
    ``as_of``, and no item of their group had been decided before the cut-off of its window. Some have to be
    missed, and some not, and some read for certain.

    Parameters
    ----------
    material : Material
        What was queued and decided.
    champion : Champion
        The model that ranks now.
    settings : Settings
        ``label_lag_days``, ``retrain_nights``, ``retrain_windows`` and those of near-duplicates.
    as_of : datetime
        The present, aware.
    """
    known = material.decided(known_at(as_of, settings.label_lag_days))
    found = windows(
        (each.queued.queued_at for each in known),
        champion_knew=champion.knew,
        nights_most=settings.retrain_nights,
        parts=settings.retrain_windows,
    )
    if not found:
        return None
    of_night = {night: number for number, each in enumerate(found) for night in each.nights}
    items = [each for each in known if each.queued.queued_at in of_night]
    window = np.array([of_night[each.queued.queued_at] for each in items], dtype=np.int64)
    groups, fresh = _fresh(items, window, found, material, settings)
    kept = np.array([each.text == "kept" for each in items], dtype=bool)
    judging = [each for each, stays in zip(items, fresh & kept, strict=True) if stays]
    queued = [each for each in material.queued(as_of) if each.queued_at in of_night]
    counting = selection_weights(judging, queued=queued).counting
    some = counting > 0
    left_out = {
        "group_known_before": int((~fresh).sum()),
        "text_not_kept": int((fresh & ~kept).sum()),
        "cannot_say": sum(each.found is None for each in judging),
        "counted_by_others": int((~some).sum()) - sum(each.found is None for each in judging),
    }
    rows = np.flatnonzero(fresh & kept)[some]
    judging = [items[row] for row in rows.tolist()]
    missed = np.array([each.found for each in judging], dtype=bool)
    certain = np.array([each.queued.entry_probability == 1.0 for each in judging], dtype=bool)
    if missed.all() or not missed.any() or not certain.any():
        return None
    return Test(
        windows=found,
        items=tuple(judging),
        window=window[rows],
        judged=Judged(
            windows=window[rows],
            groups=groups[rows],
            missed=missed,
            weights=counting[some],
            certain=certain,
            first=np.array([each.queued.arm == "rule" for each in judging], dtype=bool),
        ),
        cells=_cells(judging, material.groups),
        left_out=left_out,
    )


def challenge(
    recipe: str,
    test: Test,
    champion_scores: Floats,
    material: Material,
    settings: Settings,
    *,
    comparisons: int = 1,
) -> Challenger:
    """Fit a recipe before each window of the test and return how it did beside the champion.

    Parameters
    ----------
    recipe : str
        A name in ``RECIPES``.
    test : Test
        The items that judge.
    champion_scores : array, shape (items,)
        What the champion says of them.
    material : Material
        What the recipe learns from, as of each cut-off.
    settings : Settings
        For the rule, and how training data is weighed.
    comparisons : int
        How many recipes are judged.
    """
    scores = np.zeros(len(test.items))
    for number, window in enumerate(test.windows):
        rows = np.flatnonzero(test.window == number)
        table = _known_table(window, [test.items[row] for row in rows.tolist()], material, settings)
        check_both_kinds(table)
        model = RECIPES[recipe](table)
        scores[rows] = item_scores(model, [test.items[row] for row in rows.tolist()], settings)
    rule = rule_of(settings)
    found = compare(
        test.judged,
        champion_scores,
        scores,
        families=test.families,
        family_names=FAMILIES,
        cells=test.cells,
        rule=rule,
        comparisons=comparisons,
    )
    return Challenger(recipe, model, table, test.windows[-1].cut_off, found, verdict(found, rule))


def item_scores(model: Ranker, items: Sequence[Decided], settings: Settings) -> Floats:
    """Return the score of each item, that of its most probable record, shape (items,).

    Each is scored against the families that were recorded for its matter when it was decided.
    """
    pairs = [(at, record) for at, item in enumerate(items) for record in item.records]
    scores = np.zeros(len(items))
    for begin in range(0, len(pairs), _BATCH):
        batch = pairs[begin : begin + _BATCH]
        crimes = [_crimes(record, items[at].recorded) for at, record in batch]
        recorded = recorded_counts(crimes, [local_day(record.opened_at, settings) for _, record in batch])
        found = score_records(model, [record for _, record in batch], recorded, settings)
        np.maximum.at(scores, [at for at, _ in batch], found.score_01)
    return scores


def _crimes(record: Record, families: Sequence[str]) -> tuple[Crime, ...]:
    return tuple(
        Crime(f"{record.record_ref}/{family}", record.record_ref, record.opened_at, family)
        for family in families
    )


def _fresh(
    items: Sequence[Decided],
    window: Ints,
    found: Sequence[Window],
    material: Material,
    settings: Settings,
) -> tuple[Ints, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return the items' groups, and which are of a group of which nothing was decided before the cut-off."""
    before = [material.decided(each.cut_off) for each in found]
    everyone = [*items, *(each for known in before for each in known)]
    numbers = kin_numbers([Kin.of_decided(each) for each in everyone], settings)
    groups, at = numbers[: len(items)], len(items)
    fresh = np.ones(len(items), dtype=bool)
    for number, known in enumerate(before):
        rows = window == number
        fresh[rows] = apart(groups[rows], numbers[at : at + len(known)])
        at += len(known)
    return groups, fresh


def _known_table(
    window: Window, judging: Sequence[Decided], material: Material, settings: Settings
) -> TrainingTable:
    """Return what could be learnt from at a window's cut-off, but no past record of a group that judges."""
    known = known_at(window.cut_off, settings.label_lag_days)
    past = [
        each
        for each in material.history
        if any(record.opened_at <= window.cut_off for record in each.records)
    ]
    kin = [*map(Kin.of_decided, judging), *map(_kin, past)]
    numbers = kin_numbers(kin, settings)
    strangers = apart(numbers[len(judging) :], numbers[: len(judging)]).tolist()
    history = [each for each, stays in zip(past, strangers, strict=True) if stays]
    return training_table(
        corpus=material.corpus,
        history=history,
        decided=material.decided(known),
        queued=material.queued(known),
        as_of=window.cut_off,
        settings=settings,
        digests=material.digests,
    )


def _kin(matter: Matter) -> Kin:
    names = {comparable(matter.root), *(comparable(record.record_ref) for record in matter.records)}
    return Kin(frozenset(names), tuple(record.text for record in matter.records))


def _cells(items: Sequence[Decided], groups: Mapping[str, Mapping[str, str]]) -> dict[str, Names]:
    """Return the parts that each item belongs to, by kind; its lead record says which."""
    cells = {SOURCE: np.array([each.parts[0][0] for each in items])}
    for kind, values in groups.items():
        cells[kind] = np.array(groups_of((each.parts[0][1] for each in items), values))
    return cells
