"""The registry gives back what was put in, or says why not."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models import build_and_register
from training_data.build import corpus_table
from triage.errors import ModelError
from triage.learning import registry
from triage.settings import Settings

AS_OF = datetime(2026, 10, 14, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(registry_dir=tmp_path / "registry")


@pytest.fixture
def model_id(settings: Settings) -> str:
    return build_and_register("dash_count", settings, as_of=AS_OF)


def test_a_model_is_found_by_id_and_by_recipe(settings: Settings, model_id: str) -> None:
    assert model_id.startswith("dash_count-20261014-")
    for name in (model_id, "dash_count"):
        loaded = registry.load(settings.registry_dir, name)
        assert loaded.model_id == model_id
        assert loaded.manifest["training"]["records"] == len(corpus_table().examples)


def test_the_same_build_is_kept_once(settings: Settings, model_id: str) -> None:
    before = {path: path.read_bytes() for path in settings.registry_dir.rglob("*") if path.is_file()}
    assert build_and_register("dash_count", settings, as_of=AS_OF) == model_id
    assert before == {path: path.read_bytes() for path in settings.registry_dir.rglob("*") if path.is_file()}


def test_the_newest_model_of_a_recipe_is_loaded(settings: Settings, model_id: str) -> None:
    newer = build_and_register("dash_count", settings, as_of=datetime(2026, 11, 1, tzinfo=UTC))
    assert registry.load(settings.registry_dir, "dash_count").model_id == newer
    assert [each["model_id"] for each in registry.listing(settings.registry_dir)] == [newer, model_id]


def test_an_altered_file_is_refused_before_it_is_unpickled(settings: Settings, model_id: str) -> None:
    path = settings.registry_dir / model_id / "model.joblib"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelError, match="SHA-256") as caught:
        registry.load(settings.registry_dir, model_id)
    assert caught.value.exit_code == 12


def test_other_library_versions_are_refused(settings: Settings, model_id: str) -> None:
    path = settings.registry_dir / model_id / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["libraries"]["scikit-learn"] = "0.1"
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"scikit-learn 0\.1"):
        registry.load(settings.registry_dir, model_id)


class Gone:
    """A class that is no longer where the pickle looks for it."""

    learnt_prevalence = 0.3


def test_a_model_of_code_that_is_gone_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    model_id = registry.register(
        settings.registry_dir,
        recipe="gone",
        model=Gone(),
        as_of=AS_OF,
        training={},  # type: ignore[arg-type]
    )
    monkeypatch.delattr(sys.modules[__name__], "Gone")
    with pytest.raises(ModelError, match="another version of the recipe"):
        registry.load(settings.registry_dir, model_id)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_id": "x", "recipe": 1}'])
def test_a_broken_manifest_is_named(settings: Settings, model_id: str, content: str) -> None:
    (settings.registry_dir / model_id / "manifest.json").write_text(content)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        registry.load(settings.registry_dir, model_id)


def test_a_missing_file_is_named(settings: Settings, model_id: str) -> None:
    (settings.registry_dir / model_id / "model.joblib").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        registry.load(settings.registry_dir, model_id)


def test_an_unknown_model_lists_the_known(settings: Settings, model_id: str) -> None:
    with pytest.raises(ModelError, match=model_id):
        registry.load(settings.registry_dir, "nothing")


def test_an_unknown_recipe_lists_the_known(settings: Settings) -> None:
    with pytest.raises(ModelError, match="dash_count, linear"):
        build_and_register("liner", settings, as_of=AS_OF)


def test_what_a_killed_build_left_is_not_a_model(settings: Settings, model_id: str) -> None:
    (settings.registry_dir / ".building-x").mkdir()
    (settings.registry_dir / ".building-x" / "manifest.json").write_text("{")
    assert registry.load(settings.registry_dir, "dash_count").model_id == model_id


def test_a_registry_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        build_and_register("dash_count", Settings(registry_dir=tmp_path / "file" / "registry"), as_of=AS_OF)
