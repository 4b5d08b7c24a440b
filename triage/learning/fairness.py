"""Whether reading finds and misses as much for one group as for another; small cells are hidden."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from triage.learning.audited import Audited, is_yes, stands_for, weighted_total
from triage.learning.calibration import share_of
from triage.learning.metrics import Bools, wilson
from triage.reading.grouping import comparable
from triage.review.agreement import Figure

NOT_GIVEN = "not given"
#: Name of the line of all records.
ALL = "all"
_HIDDEN = "hidden: too few records"
_NOBODY = "no record was read"


@dataclass(frozen=True, slots=True)
class Cell:
    """One group of one kind, such as one age band.

    ``read`` items of the rule and ranked arms and ``control`` items of the random control were answered yes
    or no; None where that is hidden. ``found_share`` is the share of ``read`` with an unrecorded crime (the
    yield), ``unread_share`` the same among the records that the random control stands for, and
    ``missed_share`` how much of all unrecorded crime was left unread (the miss rate).
    """

    name: str
    read: int | None
    control: int | None
    found_share: Figure
    unread_share: Figure
    missed_share: Figure


@dataclass(frozen=True, slots=True)
class Dimension:
    """All groups of one kind; the first cell is that of all records. ``hidden`` is how many are hidden."""

    name: str
    cells: tuple[Cell, ...]
    hidden: int


def fairness(
    items: Iterable[Audited], groups: Mapping[str, Mapping[str, str]], *, least: int
) -> tuple[Dimension, ...]:
    """Return yield and miss rates by group, as far as no cell is so small that it tells of single people.

    Parameters
    ----------
    items : iterable of Audited
        Items of a period.
    groups : mapping
        For each kind of group the value of a record by its reference; a record without one is "not given".
        The source of the record is a kind by itself.
    least : int
        Records below which a cell is hidden, and further ones with it, until no hidden cell can be worked
        out from the sum.

    Source: domain.md 7.6; rule of small counts and complementary suppression: Hundepool et al. 2012,
    Statistical Disclosure Control, ch. 4.
    """
    told = list(items)
    dimensions = [_dimension("source", told, [each.source for each in told], least)]
    for name, values in groups.items():
        own = [each or NOT_GIVEN for each in groups_of((each.record_ref for each in told), values)]
        dimensions.append(_dimension(name, told, own, least))
    return tuple(dimensions)


def groups_of(record_refs: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """Return the group of each record, empty where none is given; references are compared as linking does."""
    known = {comparable(reference): value for reference, value in values.items()}
    return [known.get(comparable(each), "") for each in record_refs]


def hidden_cells(counts: Mapping[str, int], least: int) -> frozenset[str]:
    """Return the cells to hide: the small ones, and more until those hidden cannot be told apart.

    Hidden are at least two cells, or none, and together they hold ``least`` records; whoever subtracts what
    is shown from the sum learns of no fewer.

    >>> sorted(hidden_cells({"a": 3, "b": 40, "c": 12, "d": 0}, 10))
    ['a', 'c']
    """
    filled = sorted((count, name) for name, count in counts.items() if count)
    number = sum(count < least for count, _ in filled)
    while 0 < number < len(filled) and (number < 2 or sum(count for count, _ in filled[:number]) < least):
        number += 1
    return frozenset(name for _, name in filled[:number])


def _dimension(name: str, items: Sequence[Audited], values: Sequence[str], least: int) -> Dimension:
    labels, names = np.array(values), sorted(set(values))
    told = np.array([each.told for each in items], dtype=bool)
    drawn = np.array([each.arm == "control" for each in items], dtype=bool)
    of = {each: labels == each for each in names}
    hidden_read = hidden_cells({each: int((of[each] & told & ~drawn).sum()) for each in names}, least)
    hidden_drawn = hidden_cells({each: int((of[each] & told & drawn).sum()) for each in names}, least)
    every = np.ones(len(items), dtype=bool)
    whole = _cell(
        ALL,
        items,
        every,
        show_read=int((told & ~drawn).sum()) >= least,
        show_drawn=int((told & drawn).sum()) >= least,
    )
    cells = [
        _cell(each, items, of[each], show_read=each not in hidden_read, show_drawn=each not in hidden_drawn)
        for each in names
    ]
    return Dimension(name, (whole, *cells), len(hidden_read | hidden_drawn))


def _cell(name: str, items: Sequence[Audited], rows: Bools, *, show_read: bool, show_drawn: bool) -> Cell:
    own = [each for each, kept in zip(items, rows, strict=True) if kept]
    read = [each for each in own if each.arm != "control" and each.told]
    control = [each for each in own if each.arm == "control"]
    weights = stands_for(control)
    answered = weights > 0
    found = sum(each.answer == "yes" for each in read)
    missed = weighted_total(is_yes(control)[answered], weights[answered])
    hidden, nobody = Figure(None, reason=_HIDDEN), Figure(None, reason=_NOBODY)
    found_share = Figure(found / len(read), *wilson(found, len(read))) if read else nobody
    unread_share = share_of(missed, float(weights.sum())) if answered.any() else nobody
    missed_share = _missed_share(*_found(own), missed) if read and answered.any() else nobody
    return Cell(
        name=name,
        read=len(read) if show_read else None,
        control=int(answered.sum()) if show_drawn else None,
        found_share=found_share if show_read else hidden,
        unread_share=unread_share if show_drawn else hidden,
        missed_share=missed_share if show_read and show_drawn else hidden,
    )


def _found(items: Sequence[Audited]) -> tuple[float, float]:
    """Return how many matters with an unrecorded crime the rules and the ranking found.

    In all, and of these such as were never in a draw: for the others the drawn stand already. A matter
    counts once; those whom nobody decided are as the decided ones of their arm.
    """
    found = certain = 0.0
    for arm in sorted({each.arm for each in items} - {"control"}):
        own = [each for each in items if each.arm == arm]
        told = list({each.root: each for each in reversed(own) if each.told}.values())
        if not told:
            continue
        raised = len({each.root for each in own}) / len(told)
        found += raised * sum(each.answer == "yes" for each in told)
        certain += raised * sum(each.answer == "yes" and each.entry_probability is not None for each in told)
    return found, certain


def _missed_share(found: float, certain: float, missed: Figure) -> Figure:
    """Return the share of unrecorded crime that was left unread; what was found is known, not estimated.

    All of it is what was found among matters that were never in a draw, and what the drawn stand for.
    """
    assert missed.estimate is not None, "some control item was answered"
    assert missed.low is not None
    assert missed.high is not None
    if not found + missed.estimate:
        return Figure(None, reason="no unrecorded crime was found or missed")

    def share(drawn: float) -> float:
        whole = max(certain + drawn, found)
        return (whole - found) / whole if whole else 0.0

    return Figure(share(missed.estimate), share(missed.low), share(missed.high))


def fairness_json(dimensions: Sequence[Dimension], *, least: int) -> dict[str, Any]:
    """Return what `fairness` found as JSON holds it, hidden cells hidden."""
    return {"least": least, "by": [asdict(each) for each in dimensions]}


def fairness_of_json(value: Mapping[str, Any]) -> tuple[Dimension, ...]:
    """Return the dimensions that `fairness_json` wrote."""

    def cell(held: Mapping[str, Any]) -> Cell:
        values: dict[str, Any] = {
            name: Figure(**each) if isinstance(each, dict) else each for name, each in held.items()
        }
        return Cell(**values)

    return tuple(Dimension(by["name"], tuple(map(cell, by["cells"])), by["hidden"]) for by in value["by"])


def fairness_markdown(dimensions: Sequence[Dimension], *, least: int) -> str:
    """Return the section of a model's card, in Markdown; figures in per cent with 95 % intervals."""
    lines = [
        "## Fairness on audited records",
        "",
        "Found: of the records read in the rule and ranked arms, the share with an unrecorded crime. Left: "
        "the same share among the records that were not chosen, from the random control. Missed: how much "
        "of all unrecorded crime was left unread. In brackets: 95 % intervals. **These are figures of what "
        "auditors read up to then, whichever models had ranked it, not of one model.** A difference between "
        "groups may come from what was reported and how it was written, not from the ranking alone.",
        "",
        f"Cells of fewer than {least} records are hidden, with as many others of the same kind of group as "
        "keep them from being worked out.",
    ]
    if len(dimensions) > 1:
        lines[-1] += " Groups were given for this purpose only; no model learns from them."
    for each in dimensions:
        lines += ["", f"### By {each.name.replace('_', ' ')}", ""]
        lines += ["| group | read | found | control | left | missed |", "|---|---|---|---|---|---|"]
        lines += [
            "| "
            + " | ".join(
                (
                    cell.name.replace("|", "/"),
                    _count(cell.read),
                    _percent(cell.found_share),
                    _count(cell.control),
                    _percent(cell.unread_share),
                    _percent(cell.missed_share),
                )
            )
            + " |"
            for cell in each.cells
        ]
    return "\n".join(lines) + "\n"


def _count(number: int | None) -> str:
    return "hidden" if number is None else f"{number}"


def _percent(figure: Figure) -> str:
    if figure.estimate is None or figure.low is None or figure.high is None:
        return "hidden" if figure.reason == _HIDDEN else "–"
    return f"{figure.estimate:.1%} ({figure.low:.1%} to {figure.high:.1%})"
