"""What a retraining found, as it is printed, kept as JSON and written into a challenger's manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from triage.learning.comparison import Comparison, Figure, Rule, Verdict

FORMAT = 1
_NO_NIGHTS = (
    "no night can judge: it takes decisions of both answers, some of them of items read for certain, "
    "on nights that came after what the champion knew"
)
_TITLES = {
    "recall": "recall at budget",
    "precision": "precision at budget",
    "average_precision": "average precision",
    "calibration_error": "calibration error",
    "calibration_intercept": "calibration intercept",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """One challenger: its id in the registry, what it learnt from, and how it did beside the champion."""

    recipe: str
    model_id: str
    records: int
    learnt: Mapping[str, int]
    comparison: Comparison
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Retrained:
    """One retraining as of a moment.

    ``champion_knew`` is the latest moment of what the champion learnt from, None for no record of the force;
    ``nights`` are the as-of moments of the nights that judged, ``cut_offs`` when challengers were fitted.
    ``left_out`` counts decided items of these nights that judge nobody. Without nights no challenger is
    built, and ``judgements`` is empty.
    """

    as_of: datetime
    champion: str
    champion_knew: datetime | None
    label_lag_days: float
    nights: tuple[datetime, ...]
    cut_offs: tuple[datetime, ...]
    left_out: Mapping[str, int]
    rule: Rule
    judgements: tuple[Judgement, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it: counts, figures and ids, never a reference, a text or a small part."""
        values = asdict(self)
        for judgement in values["judgements"]:
            shown = [each for each in judgement["comparison"]["cells"] if each["recall"] is not None]
            judgement["comparison"]["cells"] = shown
        for name in ("nights", "cut_offs"):
            values[name] = [each.isoformat() for each in values[name]]
        for name in ("as_of", "champion_knew"):
            values[name] = values[name].isoformat() if values[name] else None
        return {"format": FORMAT, **values}


def metrics_of(found: Comparison, said: Verdict, *, champion: str, nights: int) -> dict[str, Any]:
    """Return the figures of a challenger for its manifest and card, differences with their intervals."""
    figures: dict[str, Any] = {}
    for each in found.figures:
        figures[each.name] = each.challenger
        figures[f"{each.name}_less_champion"] = _interval(each)
    parts = {
        f"recall_less_champion_{cell.kind}_{cell.name}": _interval(cell.recall)
        for cell in found.cells
        if cell.recall is not None
    }
    return {
        "beside_champion": champion,
        "verdict": said.word,
        "nights": nights,
        "items": found.items,
        "items_with_a_missed_crime": found.missed,
        "interval_level": found.level,
        **figures,
        "overlap_with_champion": found.overlap,
        **parts,
    }


def _interval(figure: Figure) -> dict[str, float]:
    return {"estimate": figure.difference, "low": figure.low, "high": figure.high}


def lines(found: Retrained) -> Iterator[str]:
    """Give the report for the terminal, without any record."""
    knew = f"{found.champion_knew:%Y-%m-%d %H:%M} UTC" if found.champion_knew else "no record of this force"
    yield f"champion    {found.champion}, which knew {knew}"
    if not found.judgements:
        yield f"verdict     not enough evidence: {_NO_NIGHTS}"
        return
    cut_offs = ", ".join(f"{each:%Y-%m-%d %H:%M}" for each in found.cut_offs)
    yield (
        f"nights      {len(found.nights)}, {found.nights[0]:%Y-%m-%d} to {found.nights[-1]:%Y-%m-%d}; "
        f"challengers fitted as of {cut_offs} UTC"
    )
    left = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in found.left_out.items() if count)
    one = found.judgements[0].comparison
    yield (
        f"judged on   {one.items} decided items, {one.missed} with an unrecorded crime, for "
        f"{one.stand_for:,.0f} matters (as much as {one.effective_items:,.0f} of one weight)"
    )
    if left:
        yield f"left out    {left}"
    for each in found.judgements:
        yield ""
        yield from _judgement(each)
    yield ""
    yield "Nothing was promoted: `triage models promote ID --reason TEXT` is a person's act."


def _judgement(each: Judgement) -> Iterator[str]:
    decided = each.learnt.get("decided", 0)
    yield f"challenger  {each.model_id}, from {each.records} records, {decided} of them decided by auditors"
    if not decided:
        yield "look at     no decision was known before these nights: see `retrain_nights`"
    level = f"{each.comparison.level:.3g}".removeprefix("0")
    yield f"{'':30s}{'champion':>10s}{'challenger':>12s}{'difference':>12s}   interval of level {level}"
    for figure in each.comparison.figures:
        yield _row(_TITLES[figure.name], figure)
    for cell in each.comparison.cells:
        if cell.recall is not None:
            yield _row(f"  {cell.name}", cell.recall) + f"  {cell.kind}, {cell.missed} items"
    yield f"{'shared list':30s}{each.comparison.overlap:10.3f}"
    yield f"verdict     {each.verdict.word}: {each.verdict.reason}"
    for caution in each.verdict.cautions:
        yield f"look at     {caution}"


def _row(title: str, figure: Figure) -> str:
    return (
        f"{title:30.30s}{figure.champion:10.3f}{figure.challenger:12.3f}{figure.difference:+12.3f}"
        f"   [{figure.low:+.3f}, {figure.high:+.3f}]"
    )
