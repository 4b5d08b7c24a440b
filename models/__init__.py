"""How to build a model: one recipe a file, handed out by name in ``RECIPES``.

A recipe turns a training table into a ranker. Recipes never read extracts, settings or the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from models import keywords, linear, plain
from models.provenance import git_commit, settings_sha256, training_summary
from training_data.build import TrainingTable, check_both_kinds, training_table
from triage.errors import ModelError, known_names
from triage.learning import registry
from triage.learning.audited import audited_items
from triage.learning.fairness import fairness, fairness_json
from triage.learning.signing import signer_of
from triage.ranking.scoring import Ranker
from triage.reading.linking import Matter
from triage.review.labels import Decided, Queued
from triage.settings import Settings

RECIPES: dict[str, Callable[[TrainingTable], Ranker]] = {
    "linear": linear.build,
    "word_search": keywords.build_word_search,
    "weighted_phrases": keywords.build_weighted_phrases,
    "dash_count": keywords.build_dash_count,
    "plain": plain.build,
}


#: For each kind of group the value of each record, by its reference.
Groups = Mapping[str, Mapping[str, str]]
#: Whatever a recipe draws, it draws with this seed.
SEED = 0


def build_and_register(
    recipe: str,
    settings: Settings,
    *,
    as_of: datetime,
    corpus: Sequence[Path] | None = (),
    history: Sequence[Matter] = (),
    decided: Sequence[Decided] = (),
    queued: Sequence[Queued] = (),
    digests: Sequence[str] = (),
    groups: Groups | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> str:
    """Build a model from all that can be learnt from, put it signed into the registry, and return its id.

    Parameters
    ----------
    recipe : str
        A name in ``RECIPES``.
    settings : Settings
        For the folder of the registry and the key that signs.
    as_of : datetime
        The moment up to which the training data is known; part of the model's id.
    corpus : sequence of Path, optional
        Labelled files; by default the corpus that ships. None for no labelled records.
    history : sequence of Matter, optional
        A force's past records with their crimes.
    decided, queued : sequence of Decided, sequence of Queued, optional
        What auditors decided by then, and what was queued: see ``training_data.build.training_table``.
    digests : sequence of str, optional
        Digests of the extracts that the history was read from.
    groups : mapping, optional
        Values of records by kind of group and reference, for the fairness section of the card alone.
    metrics : mapping, optional
        Figures for manifest and card; see ``triage.learning.registry.register``.

    Raises
    ------
    ModelError
        If no recipe has this name, or the key that signs cannot be used; before anything is built.
    UsageError
        If a corpus file cannot be read, or there is nothing to learn from or to tell apart.
    """
    check_recipe(recipe)
    signer_of(settings)
    table = training_table(
        corpus=corpus,
        history=history,
        decided=decided,
        queued=queued,
        as_of=as_of,
        settings=settings,
        digests=digests,
    )
    check_both_kinds(table)
    # The shipped corpus is invented: nobody can ask for the erasure of its records.
    shipped = table.counts["corpus"] if corpus is not None and not corpus else 0
    return register_built(
        recipe,
        RECIPES[recipe](table),
        table,
        settings,
        as_of=as_of,
        sources=[each.record.key for each in table.examples[shipped:]],
        metrics=metrics,
        by_group=fairness_figures(queued, decided, groups, settings),
    )


def fairness_figures(
    queued: Sequence[Queued], decided: Sequence[Decided], groups: Groups | None, settings: Settings
) -> dict[str, Any] | None:
    """Return yield and misses by group of what was queued and decided, for a card; None without decisions."""
    if not decided:
        return None
    least = settings.small_cell_items
    found = fairness(audited_items(queued, decided), groups or {}, least=least)
    return fairness_json(found, least=least)


def register_built(
    recipe: str,
    model: Ranker,
    table: TrainingTable,
    settings: Settings,
    *,
    as_of: datetime,
    sources: Iterable[tuple[str, str]],
    metrics: Mapping[str, Any] | None = None,
    by_group: Mapping[str, Any] | None = None,
) -> str:
    """Put a model that was built from a table, signed, into the registry, and return its id.

    Parameters
    ----------
    recipe, model, table : str, Ranker, TrainingTable
        The recipe, what it built, and from what.
    settings, as_of, metrics : Settings, datetime, mapping
        As in ``build_and_register``.
    by_group : mapping, optional
        As ``fairness_figures`` gives it.
    sources : iterable of (str, str)
        Tables and references of the real records of the table, so that an erasure can mark the model.

    Raises
    ------
    ModelError
        If the key that signs cannot be used, or the registry cannot be written.
    """
    return registry.register(
        settings.registry_dir,
        recipe=recipe,
        model=model,
        as_of=as_of,
        training=training_summary(table),
        sources=sources,
        signer=signer_of(settings),
        metrics=metrics,
        fairness=by_group,
        seed=SEED,
        settings_sha256=settings_sha256(settings),
        git_commit=git_commit(),
    )


def check_recipe(recipe: str) -> None:
    """Pass if a recipe has this name.

    Raises
    ------
    ModelError
        Otherwise; the message lists the known.
    """
    if recipe not in RECIPES:
        raise ModelError(
            f"recipe {known_names(recipe, RECIPES)}", mend="set `recipe` to one of the known names"
        )
