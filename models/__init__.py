"""How to build a model: one recipe a file, handed out by name in ``RECIPES``.

A recipe turns a training table into a ranker. Recipes never read extracts, settings or the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from models import keywords, linear, plain
from training_data.build import TrainingTable, corpus_table, with_history
from triage.errors import ModelError, known_names
from triage.learning import registry
from triage.ranking.scoring import Ranker
from triage.reading.linking import Matter
from triage.settings import Settings

RECIPES: dict[str, Callable[[TrainingTable], Ranker]] = {
    "linear": linear.build,
    "word_search": keywords.build_word_search,
    "weighted_phrases": keywords.build_weighted_phrases,
    "dash_count": keywords.build_dash_count,
    "plain": plain.build,
}


def build_and_register(
    recipe: str,
    settings: Settings,
    *,
    as_of: datetime,
    corpus: Sequence[Path] | None = (),
    history: Sequence[Matter] = (),
    digests: Sequence[str] = (),
) -> str:
    """Build a model from labelled records and history, put it into the registry, and return its id.

    Parameters
    ----------
    recipe : str
        A name in ``RECIPES``.
    settings : Settings
        For the folder of the registry.
    as_of : datetime
        The moment up to which the training data is known; part of the model's id.
    corpus : sequence of Path, optional
        Labelled files; by default the corpus that ships. None for no labelled records.
    history : sequence of Matter, optional
        A force's past records with their crimes.
    digests : sequence of str, optional
        Digests of the extracts that they were read from.

    Raises
    ------
    ModelError
        If no recipe has this name.
    UsageError
        If a corpus file cannot be read, or no past record has a recorded crime.
    """
    if recipe not in RECIPES:
        raise ModelError(
            f"recipe {known_names(recipe, RECIPES)}", mend="set `recipe` to one of the known names"
        )
    table = TrainingTable((), "") if corpus is None else corpus_table(corpus)
    # The shipped corpus is invented: nobody can ask for the erasure of its records.
    shipped = len(table.examples) if corpus is not None and not corpus else 0
    if history or corpus is None:
        table = with_history(table, history, digests)
    model = RECIPES[recipe](table)
    return registry.register(
        settings.registry_dir,
        recipe=recipe,
        model=model,
        as_of=as_of,
        training={"records": len(table.examples), "sha256": table.digest},
        sources=[each.record.key for each in table.examples[shipped:]],
    )
