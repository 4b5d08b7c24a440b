"""What every test may use: the canary phrase, and extracts made of invented records."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from models import RECIPES, build_and_register
from training_data.build import corpus_files
from triage.settings import Settings

#: Stands in every text of the suite. It must show in no log, output, exception, Prefect row or audit event.
CANARY = "zebra quorum marmalade"

#: Writers of the corpus that the models of the suite learn from.
WRITERS = ("w1", "w2", "w7", "w8", "w13", "w21")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run test_flow.py last: Prefect's threads live on and draw from ``random``, which Hypothesis guards."""
    items.sort(key=lambda item: item.path.name == "test_flow.py")


@pytest.fixture(scope="session")
def canary() -> str:
    """The phrase that every record text of the suite holds."""
    return CANARY


@pytest.fixture(scope="session")
def registry_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a model of every recipe, built once a session: never write to it.

    From six of the corpus's writers, so that the suite spends its time on tests.
    """
    folder = tmp_path_factory.mktemp("registry")
    corpus = [path for path in corpus_files() if path.stem in WRITERS]
    for recipe in RECIPES:
        build_and_register(
            recipe,
            Settings(registry_dir=folder),
            as_of=datetime(2026, 10, 14, tzinfo=UTC),
            corpus=corpus,
        )
    return folder
