"""The report on a ranking, and rankings side by side as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from triage.learning.metrics import Bin

#: Shares of the stream for which the recall is stated.
SHARES_READ = (0.05, 0.10, 0.20)
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Recall:
    """Share of the missed that is found when a share of the stream is read.

    ``found`` is of those labelled, with the unlabelled taking up reading; ``worst`` and ``best`` are over
    the order of equal scores and over all that the unlabelled may be.
    """

    share: float
    found: float
    worst: float
    best: float


@dataclass(frozen=True, slots=True)
class Group:
    """Part of the labelled records; ``roc_auc`` is None where they are of one kind only.

    ``kind`` is ``source``, ``author``, or ``against``: all that are missed beside those in which everything
    disclosed is recorded, or those which disclose nothing.
    """

    kind: str
    name: str
    records: int
    missed: int
    roc_auc: float | None


@dataclass(frozen=True, slots=True)
class Family:
    """One family: counts of records, and how those in which it is unrecorded are found.

    ``roc_auc`` sets them against all records that miss nothing; ``recall_top10`` is the share found in the
    top 10 % of the stream, ``top1`` the share in which this family was named first, and
    ``disclosed_roc_auc`` judges ``p_<family>`` on all labelled records. None where there is no such record.
    """

    name: str
    disclosed: int
    missed: int
    roc_auc: float | None
    recall_top10: float | None
    top1: float | None
    disclosed_roc_auc: float | None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Contrast pairs of one author, or of ``all``: the share whose missed one goes first, 95 % limits."""

    author: str
    pairs: int
    won: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Report:
    """What one ranking is worth at a stated prevalence; shares and probabilities are 0 to 1.

    ``top1_family`` and ``evidence_top3`` are shares of the missed records whose first named family is one of
    the unrecorded, and of whose evidence one of the first three places has a part. ``calibration_error`` is
    that of ``score_01`` in a stream of the stated prevalence; ``calibration_error_sample`` that of the same
    scores moved to the share of missed among the labelled records, which asks more. ``intervals`` maps a
    figure's name to its 95 % bootstrap interval, drawn over pairs or authors as ``intervals_over`` says.
    """

    name: str
    prevalence: float
    records: int
    missed: int
    unlabelled: int
    roc_auc: float
    average_precision: float
    recall: tuple[Recall, ...]
    top1_family: float
    evidence_top3: float
    calibration_error: float
    calibration_error_sample: float
    reliability: tuple[Bin, ...]
    pairs: tuple[Pairs, ...]
    groups: tuple[Group, ...]
    families: tuple[Family, ...]
    intervals: Mapping[str, tuple[float, float] | None]
    intervals_over: str
    curve: tuple[Recall, ...]


def comparison(reports: Sequence[Report]) -> str:
    """Return rankings of the same records side by side, one a column.

    Parameters
    ----------
    reports : sequence of Report
        On the same truth at the same prevalence.
    """
    first = reports[0]
    head = (
        f"{first.records} labelled records, {first.missed} of them missed, {first.unlabelled} unlabelled; "
        f"weighted so that {first.prevalence:.0%} of the labelled are missed",
        f"95 % bootstrap intervals over {first.intervals_over}; of contrast pairs, Wilson intervals",
    )
    return "\n".join((*head, "", *_aligned(list(_lines(reports)))))


def details(report: Report) -> str:
    """Return what one ranking finds family by family, and its scores in bins beside what came true."""
    families: list[tuple[str, ...]] = [
        ("", "disclosed", "missed", "found in top 10%", "named first", "ROC-AUC of p_family")
    ]
    for each in report.families:
        shares = _row("", (each.recall_top10, each.top1, each.disclosed_roc_auc))[1:]
        families.append((each.name, str(each.disclosed), str(each.missed), *shares))
    bins: list[tuple[str, ...]] = [("share of stream", "records", "missed", "said", "true", "95 % interval")]
    for part in report.reliability:
        counts = (f"{part.weight:.1%}", str(part.records), str(part.missed))
        limits = _limits("", [(part.low, part.high)])[1:]
        bins.append((*counts, *_row("", (part.predicted, part.observed))[1:], *limits))
    return "\n".join(
        (f"{report.name} by family", *_aligned(families), "", f"{report.name}: what it says", *_aligned(bins))
    )


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    columns = max(len(line) for line in lines)
    widths = [max(len(line[at]) for line in lines if at < len(line)) for at in range(columns)]
    return [
        _GAP.join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=False))
        ).rstrip()
        for line in lines
    ]


def _lines(reports: Sequence[Report]) -> Iterator[tuple[str, ...]]:
    first = reports[0]

    def interval(name: str) -> tuple[str, ...]:
        return _limits("  95 % interval", (each.intervals[name] for each in reports))

    yield ("", *(each.name for each in reports))
    yield _row("ROC-AUC", (each.roc_auc for each in reports))
    yield interval("roc_auc")
    yield _row(f"average precision at {first.prevalence:.0%}", (each.average_precision for each in reports))
    yield interval("average_precision")
    for recalls in zip(*(each.recall for each in reports), strict=True):
        share = recalls[0].share
        yield _row(f"recall in the top {share:.0%}", (each.found for each in recalls))
        yield interval(f"recall_{share:.2f}")
        yield _limits("  worst to best case", ((each.worst, each.best) for each in recalls))
    yield _row("first family unrecorded", (each.top1_family for each in reports))
    yield interval("top1_family")
    yield _row("evidence in the first three places", (each.evidence_top3 for each in reports))
    yield interval("evidence_top3")
    yield _row(f"calibration error at {first.prevalence:.0%}", (each.calibration_error for each in reports))
    yield _row("  at the share of the labelled", (each.calibration_error_sample for each in reports))
    for pairs in zip(*(each.pairs for each in reports), strict=True):
        yield _row(f"contrast pairs won, {pairs[0].author} ({pairs[0].pairs})", (each.won for each in pairs))
        yield _limits("  95 % interval", ((each.low, each.high) for each in pairs))
    yield _row("ROC-AUC by group (missed of records)", ())
    for groups in zip(*(each.groups for each in reports), strict=True):
        name = f"against {groups[0].name}" if groups[0].kind == "against" else groups[0].name
        label = f"  {name} ({groups[0].missed} of {groups[0].records})"
        yield _row(label, (each.roc_auc for each in groups))
    yield _row("ROC-AUC by family (missed)", ())
    for families in zip(*(each.families for each in reports), strict=True):
        if families[0].missed:
            label = f"  {families[0].name} ({families[0].missed})"
            yield _row(label, (each.roc_auc for each in families))


def _row(label: str, figures: Iterable[float | None]) -> tuple[str, ...]:
    return (label, *("-" if each is None else f"{each:.3f}" for each in figures))


def _limits(label: str, pairs: Iterable[tuple[float, float] | None]) -> tuple[str, ...]:
    return (label, *("-" if each is None else f"{each[0]:.3f} to {each[1]:.3f}" for each in pairs))
