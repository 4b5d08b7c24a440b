"""Challengers are built, judged beside the champion, and registered with what was found; then it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from models import check_recipe, fairness_figures, register_built
from models.challengers import (
    Challenger,
    Champion,
    Test,
    challenge,
    item_scores,
    nights_to_judge,
    rule_of,
)
from triage.errors import ModelError
from triage.learning.erased import records_learnt
from triage.learning.registry import load, serving
from triage.learning.retrain_report import Judgement, Retrained, metrics_of
from triage.learning.signing import signer_of, trusted_by
from triage.learning.temporal import Material
from triage.settings import Settings


def retrain(
    material: Material, settings: Settings, as_of: datetime, say: Callable[[str], None] = lambda line: None
) -> Retrained:
    """Build challengers, judge them beside the champion on past nights, register them, and return the report.

    Nothing is promoted. Where no night can judge, no challenger is built.

    Parameters
    ----------
    material : Material
        What was queued and decided, and what else may be learnt from.
    settings : Settings
        Of the force: which recipes, nights, lag and rule; the registry and the key that signs.
    as_of : datetime
        The present, aware.
    say : callable, optional
        Told in one sentence what begins; counts and ids only.

    Raises
    ------
    ModelError
        If a recipe is unknown, no model ranks yet, the champion cannot be loaded, or the registry cannot
        be written.
    UsageError
        If a corpus file cannot be read.
    """
    for recipe in settings.retrain_recipes:
        check_recipe(recipe)
    signer_of(settings)
    champion = champion_of(settings)
    test = nights_to_judge(material, champion, settings, as_of)
    report = Retrained(
        as_of=as_of,
        champion=champion.model_id,
        champion_knew=champion.knew,
        label_lag_days=settings.label_lag_days,
        nights=tuple(night for window in test.windows for night in window.nights) if test else (),
        cut_offs=tuple(window.cut_off for window in test.windows) if test else (),
        left_out=test.left_out if test else {},
        rule=rule_of(settings),
        judgements=(),
    )
    if test is None:
        return report
    say(f"{champion.model_id} ranks {len(test.items)} decided items of {len(report.nights)} past nights")
    scores = item_scores(champion.model, test.items, settings)
    judgements = []
    for recipe in settings.retrain_recipes:
        say(f"a challenger of the recipe {recipe} is built and ranks them")
        found = challenge(recipe, test, scores, material, settings, comparisons=len(settings.retrain_recipes))
        judgements.append(_registered(found, champion, test, material, settings))
    return replace(report, judgements=tuple(judgements))


def champion_of(settings: Settings) -> Champion:
    """Return the model that ranks now, verified and loaded, with the latest moment of what it learnt from.

    Raises
    ------
    ModelError
        If there is none, or it cannot be loaded.
    """
    trusted = trusted_by(settings)
    found = serving(settings.registry_dir, settings.recipe, trusted)
    if found is None:
        raise ModelError(
            "no model ranks yet, so there is nothing to compare with",
            where=str(settings.registry_dir),
            mend="run the night first, or build a model: `triage train`",
        )
    loaded = load(settings.registry_dir, found.model_id, trusted=trusted)
    # Of the corpus that ships no record is a force's: whoever learnt from it alone knew no night.
    knew = datetime.fromisoformat(str(loaded.manifest["as_of"]))
    from_nothing = records_learnt(settings.registry_dir, found.model_id) == 0
    return Champion(found.model_id, loaded.model, None if from_nothing else knew)


def _registered(
    found: Challenger, champion: Champion, test: Test, material: Material, settings: Settings
) -> Judgement:
    nights = sum(len(window.nights) for window in test.windows)
    shipped = found.table.counts["corpus"] if material.corpus is not None and not material.corpus else 0
    model_id = register_built(
        found.recipe,
        found.model,
        found.table,
        settings,
        as_of=found.cut_off,
        sources=[each.record.key for each in found.table.examples[shipped:]],
        metrics=metrics_of(found.comparison, found.verdict, champion=champion.model_id, nights=nights),
        by_group=fairness_figures(
            material.queued(found.cut_off), material.decided(found.cut_off), material.groups, settings
        ),
    )
    return Judgement(
        recipe=found.recipe,
        model_id=model_id,
        records=len(found.table.examples),
        learnt=found.table.counts,
        comparison=found.comparison,
        verdict=found.verdict,
    )
