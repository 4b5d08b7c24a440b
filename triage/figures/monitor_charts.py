"""The pictures of the monitoring: what arms find week by week, scores then and now, what the control says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.learning.drift import Shift
from triage.learning.monitoring import Monitoring, Share
from triage.review.agreement import Figure as Interval
from triage.settings import Settings

#: Fixed, so that the same figures give the same bytes.
_SALT = "monitoring"
#: Told apart with every kind of colour vision, and by their marks. Source: Okabe & Ito 2008.
_LOOK = {"rule": ("#D55E00", "s"), "ranked": ("#0072B2", "o"), "control": ("#009E73", "^")}
#: Weeks named below the axis at most.
_WEEKS_NAMED = 12
_THEN, _NOW, _GUIDE = "#999999", "#0072B2", "#555555"


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture: its file's name, what it shows in one sentence, and how it is drawn."""

    name: str
    words: str
    draw: Callable[[Path], None]


def charts(found: Monitoring, settings: Settings) -> tuple[Chart, ...]:
    """Return the pictures that these figures can fill, each with the sentence that stands in its stead.

    Parameters
    ----------
    found : Monitoring
        What monitoring found.
    settings : Settings
        For the thresholds that are drawn in.
    """
    pictures = []
    if found.shifts:
        worst = max(found.shifts, key=lambda each: each.psi)
        words = f"How far each column has moved: most is {worst.name}, with a PSI of {worst.psi:.2f}"
        pictures.append(Chart("drift.svg", words, lambda path: _drift(found, settings, path, words)))
    scores = next((each for each in found.shifts if each.name == "score"), None)
    if scores is not None:
        told = (
            f"Scores of {scores.reference} earlier and {scores.recent} recent records in bins of the earlier"
        )
        pictures.append(Chart("scores.svg", told, lambda path: _scores(scores, path, told)))
    if found.precision:
        said = "Share of reads that found an unrecorded crime, week by week and arm by arm: " + "; ".join(
            f"{each.arm} {each.reference.share.estimate or 0:.0%} before, "
            f"{each.recent.share.estimate or 0:.0%} now"
            for each in found.changes
        )
        pictures.append(Chart("precision.svg", said, lambda path: _precision(found.precision, path, said)))
    if found.control.bins:
        shown = f"What scores said and what {found.control.items} decisions on the random control found"
        pictures.append(Chart("calibration.svg", shown, lambda path: _calibration(found, path, shown)))
    return tuple(pictures)


@contextmanager
def _axes(path: Path, words: str) -> Iterator[Any]:
    """Give the axes of one picture and write it; its title is what a screen reader says."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.5, 4.0), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        yield axes
        figure.savefig(path, format="svg", metadata={"Date": None, "Title": words})
    drawn = path.read_text(encoding="utf-8").replace("<svg ", '<svg role="img" ', 1)
    path.write_text(drawn, encoding="utf-8")


def _drift(found: Monitoring, settings: Settings, path: Path, words: str) -> None:
    with _axes(path, words) as axes:
        names = [each.name for each in found.shifts][::-1]
        values = [each.psi for each in found.shifts][::-1]
        axes.barh(names, values, color=_NOW, height=0.5)
        for at, each in enumerate(found.shifts[::-1]):
            axes.plot([each.psi_chance] * 2, [at - 0.35, at + 0.35], color="black", linewidth=1.2)
        for value, label, style in (
            (settings.monitor_psi_look, "look", "--"),
            (settings.monitor_psi_act, "act", "-"),
        ):
            axes.axvline(
                value, color="#D55E00", linestyle=style, linewidth=1, label=f"{label} from {value:g}"
            )
        axes.plot([], [], color="black", linewidth=1.2, label="by chance up to")
        axes.set_xlabel("population stability index")
        axes.legend(loc="lower right", fontsize="small")


def _scores(shift: Shift, path: Path, words: str) -> None:
    with _axes(path, words) as axes:
        places = range(len(shift.bins))
        axes.bar(
            [at - 0.2 for at in places],
            [each.reference for each in shift.bins],
            0.4,
            color=_THEN,
            label="before",
        )
        axes.bar(
            [at + 0.2 for at in places], [each.recent for each in shift.bins], 0.4, color=_NOW, label="now"
        )
        axes.set_xticks(
            list(places), [each.name for each in shift.bins], rotation=35, ha="right", fontsize="small"
        )
        axes.set_xlabel("score")
        axes.set_ylabel("share of records")
        axes.margins(y=0.2)
        axes.legend(fontsize="small")


def _precision(shares: tuple[Share, ...], path: Path, words: str) -> None:
    weeks = sorted({each.since for each in shares})
    with _axes(path, words) as axes:
        for number, (arm, (colour, mark)) in enumerate(_LOOK.items()):
            own = [each for each in shares if each.name == arm]
            if own:
                axes.errorbar(
                    # Side by side within the week, so that intervals do not hide each other.
                    [weeks.index(each.since) + 0.2 * (number - 1) for each in own],
                    [each.share.estimate or 0.0 for each in own],
                    yerr=_spans([each.share for each in own]),
                    color=colour,
                    marker=mark,
                    capsize=2,
                    linewidth=1,
                    label=f"{arm} arm",
                )
        every = max(1, -(-len(weeks) // _WEEKS_NAMED))
        named = range(0, len(weeks), every)
        axes.set_xticks(list(named), [f"{weeks[at]:%d %b}" for at in named])
        axes.set_ylim(0, 1)
        axes.set_xlabel("week from")
        axes.set_ylabel("share of reads that found something")
        axes.legend(fontsize="small")


def _spans(figures: Sequence[Interval]) -> tuple[list[float], list[float]]:
    """Return how far the intervals reach below and above the estimates."""
    known = [(each.low or 0.0, each.estimate or 0.0, each.high or 0.0) for each in figures]
    return (
        [max(0.0, estimate - low) for low, estimate, _ in known],
        [max(0.0, high - estimate) for _, estimate, high in known],
    )


def _calibration(found: Monitoring, path: Path, words: str) -> None:
    with _axes(path, words) as axes:
        bins = found.control.bins
        said = [each.predicted for each in bins]
        most = max(*said, *(each.observed.high or 0.0 for each in bins)) * 1.05
        axes.plot((0, most), (0, most), color=_GUIDE, linewidth=0.8, linestyle="--", label="said is true")
        axes.errorbar(
            said,
            [each.observed.estimate or 0.0 for each in bins],
            yerr=_spans([each.observed for each in bins]),
            color=_NOW,
            marker="o",
            capsize=3,
            linestyle="none",
            label="control, 95 % interval",
        )
        axes.set(xlim=(0, most), ylim=(0, most))
        axes.set_xlabel("share expected by the scores")
        axes.set_ylabel("share found")
        axes.legend(loc="upper left", fontsize="small")
