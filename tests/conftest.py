"""What every test may use: the canary phrase, and extracts made of invented records."""

from __future__ import annotations

import fcntl
import os
import tempfile
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
    """A registry with a model of every recipe, built once a run: never write to it.

    From six of the corpus's writers, so that the suite spends its time on tests. Processes that share a run
    share it: the first builds, the others wait.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "registry"
    corpus = [path for path in corpus_files() if path.stem in WRITERS]
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            building = Path(tempfile.mkdtemp(dir=folder.parent))
            for recipe in RECIPES:
                build_and_register(
                    recipe,
                    Settings(registry_dir=building),
                    as_of=datetime(2026, 10, 14, tzinfo=UTC),
                    corpus=corpus,
                )
            building.rename(folder)
    return folder
