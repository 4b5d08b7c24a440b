"""What monitoring found, in Markdown: a note of alarms and gaps, and a report with every figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from triage.language.offences import TITLES
from triage.learning.monitoring import Monitoring, Share
from triage.review.agreement import Figure

_DASH = "–"


def note(found: Monitoring) -> str:
    """Return the run's note: each alarm with what, where, how far and what to do, then what cannot be said.

    It names no record, no person and no word of a text, so that a scheduler may keep it.
    """
    lines = [f"# Monitoring of {_window(found)}", ""]
    if found.alarms:
        lines += [f"{len(found.alarms)} alarms."]
    else:
        lines += [
            "No alarm." if found.shifts or found.changes else "No alarm, and little that can be said yet."
        ]
    for each in found.alarms:
        lines += [
            "",
            f"## {each.level.upper()}: {each.what}",
            "",
            f"- where: {each.where}",
            f"- how far: {each.how_far}",
            f"- what to do: {each.what_to_do}",
        ]
    if found.doubts:
        lines += ["", f"{len(found.doubts)} decisions that others contradict wait on the registrar's desk."]
    if found.gaps:
        lines += ["", "## What cannot be said yet", "", *(f"- {each}" for each in found.gaps)]
    return "\n".join(lines) + "\n"


def report(found: Monitoring, charts: Sequence[tuple[str, str]] = ()) -> str:
    """Return the note followed by every figure.

    Parameters
    ----------
    found : Monitoring
        What monitoring found.
    charts : sequence of (str, str)
        File name and description of each picture that lies beside the report.
    """
    return "\n".join(
        [
            note(found),
            *(f"![{words}]({name})\n" for name, words in charts),
            *_drift(found),
            *_calibration(found),
            *_precision(found),
            *_labels(found),
        ]
    )


def _window(found: Monitoring) -> str:
    return (
        f"{found.recent_since:%d %b %Y} to {found.end:%d %b %Y}, against {found.reference_since:%d %b %Y} to "
        f"{found.recent_since:%d %b %Y}; model {found.model_id}"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [f"| {' | '.join(each.replace('|', '/') for each in row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *body, ""] if body else []


def _percent(figure: Figure) -> str:
    return _shown(figure, ".1%")


def _number(figure: Figure) -> str:
    return _shown(figure, ".2f")


def _shown(figure: Figure, form: str) -> str:
    if figure.estimate is None:
        return f"{_DASH} ({figure.reason})"
    if figure.low is None or figure.high is None:
        return f"{figure.estimate:{form}} ({figure.reason})"
    return f"{figure.estimate:{form}} ({figure.low:{form}} to {figure.high:{form}})"


def _drift(found: Monitoring) -> list[str]:
    lines = ["## Drift", ""]
    lines += _table(
        ("column", "records before", "now", "PSI", "by chance up to", "KS"),
        (
            (
                each.name,
                f"{each.reference}",
                f"{each.recent}",
                f"{each.psi:.3f}",
                f"{each.psi_chance:.3f}",
                _DASH if each.ks is None else f"{each.ks:.3f}",
            )
            for each in found.shifts
        ),
    )
    if found.text:
        lines += [f"Texts: {found.texts_from}.", ""]
        lines += _table(
            ("texts", "before", "now", "figure", "expected", "by chance up to"),
            (
                (
                    "new words",
                    f"{found.text.reference}",
                    f"{found.text.recent}",
                    f"{found.text.new_words:.2%}",
                    f"{found.text.new_words_expected:.2%}",
                    f"{found.text.new_words_chance:.2%}",
                ),
                (
                    "told apart (AUC)",
                    f"{found.text.reference}",
                    f"{found.text.recent}",
                    f"{found.text.auc:.3f}",
                    "0.500",
                    f"{found.text.auc_chance:.3f}",
                ),
            ),
        )
    return lines


def _calibration(found: Monitoring) -> list[str]:
    control = found.control
    lines = ["## Calibration on the random control", ""]
    if control.expected is None:
        return [*lines, "No item of the control has been decided yet.", ""]
    lines += [
        f"{control.items} decisions, {control.yes} with an unrecorded crime, weighted by the inverse of the "
        f"chance with which each was drawn (worth {control.effective:.0f} of equal weight).",
        "",
        *_table(
            ("figure", "value (95 % interval)", "if all is well"),
            (
                ("share expected by the scores", f"{control.expected:.2%}", ""),
                ("share observed", _shown(control.observed, ".2%"), f"{control.expected:.2%}"),
                ("observed over expected", _number(control.ratio), "1"),
                ("intercept", _number(control.intercept), "0"),
                ("slope", _number(control.slope), "1"),
            ),
        ),
    ]
    return lines


def _precision(found: Monitoring) -> list[str]:
    return [
        "## Reads that find an unrecorded crime",
        "",
        *_table(
            ("arm", "before", "now", "fall"),
            (
                (each.arm, _of(each.reference), _of(each.recent), _percent(each.fall))
                for each in found.changes
            ),
        ),
        *_table(
            ("arm", "week from", "decisions", "share"),
            (
                (each.name, f"{each.since:%d %b %Y}", f"{each.items}", _percent(each.share))
                for each in found.precision
            ),
        ),
    ]


def _labels(found: Monitoring) -> list[str]:
    lines = [
        "## Decisions as labels",
        "",
        *_table(
            (
                "two readers, on",
                "items",
                "same answer",
                "Cohen's kappa",
                "Gwet's AC1",
                "Krippendorff's alpha",
            ),
            (
                (
                    {"disclosed": "the answer", "drawn": "the answer, items drawn by chance"}.get(
                        name, f"naming {TITLES.get(name, name)}"
                    ),
                    f"{each.items}",
                    _percent(each.share),
                    _number(each.kappa),
                    _number(each.ac1),
                    _number(each.alpha),
                )
                for name, each in found.agreement.items()
                if each.items
            ),
        ),
        *_table(
            ("“cannot say”, week from", "decisions", "share"),
            (
                (f"{each.since:%d %b %Y}", f"{each.items}", _percent(each.share))
                for each in found.cannot_say_by_week
            ),
        ),
    ]
    for kind, shares in found.cannot_say.items():
        lines += _table(
            (f"“cannot say” by {kind}", "from", "decisions", "share"),
            ((each.name, f"{each.since:%d %b %Y}", f"{each.items}", _percent(each.share)) for each in shares),
        )
    return lines


def _of(share: Share) -> str:
    return f"{_percent(share.share)} of {share.items}"
