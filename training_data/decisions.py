"""What auditors decided, as examples to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training_data.examples import Example
from triage.language.offences import FAMILIES
from triage.review.labels import Decided

#: Blocks of time that decisions are cut into; each is weighed by readers that had not seen it.
_BLOCKS = 4
_BECAME = ("used", "cannot_say", "recorded_elsewhere", "purged", "erased")


@dataclass(frozen=True, slots=True)
class DecisionExamples:
    """Examples, for each the place of its decision, and counts of what became of the decisions."""

    examples: tuple[Example, ...]
    places: tuple[int, ...]
    counts: Mapping[str, int]


def decision_examples(decided: Sequence[Decided], weights: Sequence[float]) -> DecisionExamples:
    """Return one example a record of each closed item that says what its text discloses.

    A record discloses the families that the auditor found in it (in the lead where no place was named), and
    those recorded for its matter, as in a force's history. No example comes from an item whose text was
    purged or erased, from "cannot say", nor from one with a "no" because it is recorded elsewhere: what its
    text discloses is then not known.

    Parameters
    ----------
    decided : sequence of Decided
        Closed items.
    weights : sequence of float
        How much each counts.

    Returns
    -------
    DecisionExamples
        ``counts`` of decisions: ``used``, ``cannot_say``, ``recorded_elsewhere``, ``purged``, ``erased``.
    """
    order = sorted(range(len(decided)), key=lambda place: _age(decided[place]))
    became = {place: _became(decided[place]) for place in order}
    used = [place for place in order if became[place] == "used"]
    examples = [
        (example, place)
        for number, place in enumerate(used)
        for example in _examples(decided[place], weights[place], number * _BLOCKS // len(used))
    ]
    counts = Counter(became.values())
    return DecisionExamples(
        tuple(example for example, _ in examples),
        tuple(place for _, place in examples),
        {name: counts[name] for name in _BECAME},
    )


def _age(decided: Decided) -> tuple[object, ...]:
    return (decided.queued.queued_at, decided.queued.item_id)


def _became(decided: Decided) -> str:
    outcome = decided.label.outcome
    if decided.text != "kept":
        return decided.text
    if outcome.disclosed == "cannot_say":
        return "cannot_say"
    if outcome.disclosed == "no" and "recorded_elsewhere" in outcome.values:
        return "recorded_elsewhere"
    return "used"


def _examples(decided: Decided, weight: float, block: int) -> list[Example]:
    found: list[set[str]] = [set() for _ in decided.records]
    for crime in decided.label.outcome.crimes:
        found[crime.part - 1 if 0 < crime.part <= len(found) else 0].add(crime.family)
    return [
        Example(
            record=record,
            author=f"decided-{block}",
            disclosed=tuple(name for name in FAMILIES if name in families or name in decided.recorded),
            recorded=decided.recorded,
            evidence=(),
            marked=False,
            weight=weight,
            arm=decided.queued.arm,
            inclusion_probability=decided.queued.inclusion_probability,
            decided_at=decided.label.decided_at,
            label_version=decided.label.version,
            judged=bool(families),
        )
        for record, families in zip(decided.records, found, strict=True)
    ]
