"""Nothing that was tampered with, and nothing foreign, is loaded or even unpickled."""

from __future__ import annotations

import os
import pickle
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fitted import Fitted
from tests.tampering import Bomb, attacks
from triage.errors import ModelError
from triage.learning import registry
from triage.learning.signing import TrustedKeys, trusted_by
from triage.settings import Settings

ATTACKS = 200


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with two models, signed with its local key."""
    folder = tmp_path_factory.mktemp("own") / "registry"
    for day in (1, 2):
        registry.register(
            folder,
            recipe="invented",
            model=Fitted(day / 10),
            as_of=datetime(2026, 10, day, tzinfo=UTC),
            training={"records": day},
            sources=[("incidents", f"XX-{day}")],
        )
    return folder


def trusted(folder: Path) -> TrustedKeys:
    return trusted_by(Settings(registry_dir=folder))


def test_what_is_planted_would_leave_a_trace(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(tmp_path / "trace")))  # noqa: S301 - that is what is shown
    assert (tmp_path / "trace").is_dir()


def test_none_of_200_tampered_models_is_loaded_or_unpickled(own: Path, tmp_path: Path) -> None:
    trace, refused = tmp_path / "trace", Counter[str]()
    keys = trusted(own)
    model, other = (each["model_id"] for each in registry.listing(own))
    assert registry.load(own, model, trusted=keys).model.learnt_prevalence == 0.2
    for number, attack in enumerate(attacks(ATTACKS, trace)):
        folder = tmp_path / str(number)
        shutil.copytree(own, folder, symlinks=True)
        attack.act(folder / model, folder / other)
        with pytest.raises(ModelError) as caught:
            registry.load(folder, model, trusted=keys)
        assert caught.value.mend, attack.kind
        assert caught.value.where, attack.kind
        assert not trace.exists(), attack.kind
        refused[attack.kind] += 1
        shutil.rmtree(folder)
    assert refused.total() == ATTACKS
    assert len(refused) > 40


def test_a_model_of_another_machine_is_foreign(own: Path, tmp_path: Path) -> None:
    here = tmp_path / "registry"
    registry.register(
        here, recipe="invented", model=Fitted(0.5), as_of=datetime(2026, 9, 1, tzinfo=UTC), training={}
    )
    theirs = registry.listing(own)[0]["model_id"]
    shutil.copytree(own / theirs, here / theirs)
    with pytest.raises(ModelError, match="not trusted here") as caught:
        registry.load(here, theirs, trusted=trusted(here))
    assert caught.value.exit_code == 12
    # Nor is it taken where only the recipe is named.
    assert registry.load(here, "invented", trusted=trusted(here)).model.learnt_prevalence == 0.5


def test_a_model_whose_manifest_is_gone_is_refused_and_not_built_anew(own: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(own, copy)
    model = registry.listing(own)[0]["model_id"]
    (copy / model / "manifest.json").unlink()
    for asked in (
        lambda: registry.serving(copy, "invented", trusted(own)),
        lambda: registry.load(copy, model, trusted=trusted(own)),
    ):
        with pytest.raises(ModelError, match="no manifest") as caught:
            asked()
        assert caught.value.exit_code == 12
        assert model in str(caught.value)


def test_with_no_trusted_key_nothing_is_loaded(own: Path) -> None:
    for each in registry.listing(own):
        with pytest.raises(ModelError, match="trusted: none"):
            registry.load(own, each["model_id"], trusted=TrustedKeys())


def test_a_pipe_in_the_folder_is_refused_and_not_waited_for(own: Path, tmp_path: Path) -> None:
    shutil.copytree(own, tmp_path / "copy")
    model = registry.listing(own)[0]["model_id"]
    path = tmp_path / "copy" / model / "marks.jsonl"
    os.mkfifo(path)
    with pytest.raises(ModelError, match="no plain file"):
        registry.load(tmp_path / "copy", model, trusted=trusted(own))
