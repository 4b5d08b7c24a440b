"""Pictures of recall: against the share read of a ranking, and against reads while it is learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from triage.errors import UsageError
from triage.learning.replay import RECALLS, Curve, mean_curve
from triage.learning.reports import SHARES_READ, Report

ENDINGS = (".svg",)
#: Fixed, so that the same reports give the same bytes.
_SALT = "recall-curve"
#: Told apart with every kind of colour vision. Source: Okabe & Ito 2008.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", "-.", ":")


def check_can_draw() -> None:
    """Check that the library which draws is there, before any work is done.

    Raises
    ------
    UsageError
        If matplotlib is not installed, since it is no part of the plain installation.
    """
    if find_spec("matplotlib") is None:
        raise UsageError(
            "drawing needs matplotlib, which is not installed",
            where="--plot",
            mend="install the project with its extra: pip install 'crime-recording-triage[plots]'",
        )


def draw_recall(reports: Sequence[Report], path: Path) -> None:
    """Write recall against share read as an SVG file, one line a ranking; the same reports, the same bytes.

    A pale ground shows the worst and best case over equal scores and unlabelled records.

    Parameters
    ----------
    reports : sequence of Report
        On the same truth at the same prevalence.
    path : Path
        The file to write.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    first = reports[0]
    with rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.5, 5.0), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        axes.plot((0, 1), (0, 1), color="#999999", linewidth=0.8, label="read at random")
        for share in SHARES_READ:
            axes.axvline(share, color="#dddddd", linewidth=0.8, zorder=0)
        for number, report in enumerate(reports):
            colour, style = _COLOURS[number % len(_COLOURS)], _STYLES[number % len(_STYLES)]
            shares = [each.share for each in report.curve]
            axes.fill_between(
                shares,
                [each.worst for each in report.curve],
                [each.best for each in report.curve],
                color=colour,
                alpha=0.08,
                linewidth=0,
            )
            axes.plot(
                shares,
                [each.found for each in report.curve],
                color=colour,
                linestyle=style,
                label=f"{report.name} (ROC-AUC {report.roc_auc:.2f})",
            )
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_xlabel("share of the stream read")
        axes.set_ylabel("share of the missed crimes found")
        axes.set_title(
            f"{first.records} labelled records, weighted to {first.prevalence:.0%} missed", fontsize="medium"
        )
        axes.legend(loc="lower right", fontsize="small")
        figure.savefig(path, format="svg", metadata={"Date": None})


def draw_replays(
    curves: Mapping[str, Sequence[Curve]], path: Path, *, reads_in_time: int | None = None
) -> None:
    """Write what replayed reviews find as an SVG file; the same curves, the same bytes.

    A strong line is the mean over the seeds of one way to rank; pale ones are the seeds.

    Parameters
    ----------
    curves : mapping of str to sequence of Curve
        The curves of each way to rank, one a seed, all of like length.
    path : Path
        The file to write.
    reads_in_time : int, optional
        Reads after which no more records come in, marked by an upright line.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    longest = max(len(each.found) for several in curves.values() for each in several)
    with rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.5, 5.0), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        for recall in RECALLS:
            axes.axhline(recall, color="#dddddd", linewidth=0.8, zorder=0)
        if reads_in_time is not None:
            axes.axvline(reads_in_time, color="#999999", linewidth=0.8, zorder=0)
        for number, (name, several) in enumerate(curves.items()):
            colour, style = _COLOURS[number % len(_COLOURS)], _STYLES[number % len(_STYLES)]
            if len(several) > 1:
                for each in several:
                    shares, found = mean_curve([each])
                    axes.plot(shares * longest, found, color=colour, linewidth=0.6, alpha=0.25)
            shares, found = mean_curve(several)
            axes.plot(shares * longest, found, color=colour, linestyle=style, label=name)
        axes.set(xlim=(0, longest), ylim=(0, 1))
        axes.set_xlabel("records read")
        axes.set_ylabel("share of the missed found")
        axes.legend(loc="lower right", fontsize="small")
        figure.savefig(path, format="svg", metadata={"Date": None})
