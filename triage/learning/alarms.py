"""Which figures of the monitoring are so far off that a person should look or act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from triage.learning.calibration import Calibration
from triage.learning.drift import Shift, TextShift
from triage.review.agreement import Figure
from triage.settings import Settings

Level = Literal["look", "act"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One figure beyond its threshold: what it is, where, how far off, and what to do."""

    level: Level
    what: str
    where: str
    how_far: str
    what_to_do: str


def alarms_of(
    shifts: Iterable[Shift],
    text: TextShift | None,
    control: Calibration,
    falls: Mapping[str, Figure],
    settings: Settings,
) -> tuple[Alarm, ...]:
    """Return the alarms, those that ask to act first.

    A figure raises an alarm if it is beyond its threshold and beyond what chance alone gives: above the 95 %
    bound of no change, or with an interval that leaves out no change.

    Parameters
    ----------
    shifts : iterable of Shift
        Of the columns.
    text : TextShift or None
        Of the texts, if it could be said.
    control : Calibration
        On the random control.
    falls : mapping of str to Figure
        How far the share of reads that find something has fallen, by arm.
    settings : Settings
        For the thresholds, ``monitor_<figure>_look`` and ``monitor_<figure>_act``.
    """
    found = [
        *(alarm for each in shifts for alarm in _shift(each, settings)),
        *(_text(text, settings) if text else ()),
        *_calibration(control, settings),
        *(alarm for arm, fall in falls.items() for alarm in _fall(arm, fall, settings)),
    ]
    return tuple(sorted(found, key=lambda each: each.level != "act"))


def _level(value: float, look: float, act: float) -> Level | None:
    return "act" if value >= act else "look" if value >= look else None


def _shift(shift: Shift, settings: Settings) -> list[Alarm]:
    level = _level(shift.psi, settings.monitor_psi_look, settings.monitor_psi_act)
    if level is None or shift.psi <= shift.psi_chance:
        return []
    moved = max(shift.bins, key=lambda each: abs(each.recent - each.reference))
    what_to_do = (
        "compare the scores of both windows by source and code; if what comes in has not changed, look "
        "whether the model or a setting has, else build a challenger: `triage retrain`"
        if shift.name == "score"
        else "ask whoever makes the extract what changed (codes, systems, forms, fields); correct the "
        "mapping if it is the export, build a challenger if it is the work: `triage retrain`"
    )
    return [
        Alarm(
            level,
            f"{shift.name} has moved",
            f"all eligible records, most at “{moved.name}”",
            f"PSI {shift.psi:.2f} (look from {settings.monitor_psi_look:g}, act from "
            f"{settings.monitor_psi_act:g}; by chance up to {shift.psi_chance:.2f}); “{moved.name}” went "
            f"from {moved.reference:.1%} to {moved.recent:.1%}",
            what_to_do,
        )
    ]


def _text(text: TextShift, settings: Settings) -> list[Alarm]:
    found = []
    level = _level(text.auc, settings.monitor_auc_look, settings.monitor_auc_act)
    if level is not None and text.auc > text.auc_chance:
        found.append(
            Alarm(
                level,
                "texts can be told from those of before",
                f"{text.recent} recent texts against {text.reference}",
                f"AUC {text.auc:.2f} (look from {settings.monitor_auc_look:g}, act from "
                f"{settings.monitor_auc_act:g}; by chance up to {text.auc_chance:.2f})",
                "read a few recent logs of each source: a new template, system, team or kind of incident? If "
                "it will stay, build a challenger with recent decisions: `triage retrain`",
            )
        )
    excess = text.new_words - text.new_words_expected
    level = _level(excess, settings.monitor_new_words_look, settings.monitor_new_words_act)
    if level is not None and text.new_words > text.new_words_chance:
        found.append(
            Alarm(
                level,
                "more new words than two like windows have",
                f"{text.recent} recent texts against {text.reference}",
                f"{text.new_words:.1%} of all words are new, {text.new_words_expected:.1%} expected (look "
                f"from {settings.monitor_new_words_look:.1%} more, act from "
                f"{settings.monitor_new_words_act:.1%} more)",
                "look for new abbreviations, place names or templates; add words and patterns to "
                "`words.toml` and `disclosures.toml`",
            )
        )
    return found


def _calibration(control: Calibration, settings: Settings) -> list[Alarm]:
    ratio = control.ratio
    if ratio.estimate is None or ratio.low is None or ratio.high is None or ratio.low <= 1 <= ratio.high:
        return []
    off = max(ratio.estimate, 1 / ratio.estimate) if ratio.estimate else float("inf")
    level = _level(off, settings.monitor_calibration_look, settings.monitor_calibration_act)
    if level is None:
        return []
    more = ratio.estimate > 1
    return [
        Alarm(
            level,
            "unread records hold " + ("more" if more else "fewer") + " missed crimes than the scores say",
            f"random control, {control.items} decisions",
            f"{ratio.estimate:.2f} times as many (95 % {ratio.low:.2f} to {ratio.high:.2f}; look from "
            f"{settings.monitor_calibration_look:g}, act from {settings.monitor_calibration_act:g} times "
            "more or fewer)",
            (
                "read what the control found and the queue left; build a challenger, and think about a "
                "larger budget: `triage retrain`"
                if more
                else "set `assumed_prevalence` to what the control finds, or build a challenger: "
                "`triage retrain`"
            ),
        )
    ]


def _fall(arm: str, fall: Figure, settings: Settings) -> list[Alarm]:
    if fall.estimate is None or fall.low is None or fall.low <= 0:
        return []
    level = _level(fall.estimate, settings.monitor_precision_look, settings.monitor_precision_act)
    if level is None:
        return []
    return [
        Alarm(
            level,
            "fewer reads find a missed crime",
            f"{arm} arm",
            f"the share has fallen by {fall.estimate:.1%} (95 % {fall.low:.1%} to {fall.high or 0:.1%}; look "
            f"from {settings.monitor_precision_look:.1%}, act from {settings.monitor_precision_act:.1%})",
            "look whether the officers record more at once (a good reason), whether the extract's crimes are "
            "late or missing, and at the other alarms; then build a challenger: `triage retrain`",
        )
    ]
