"""The registry gives back what was put in, or says why not."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models import build_and_register
from models.provenance import git_commit
from tests.fitted import Fitted
from training_data.build import CORPUS_DIR
from triage.errors import ModelError
from triage.learning import registry
from triage.learning.signing import local_signer, trusted_by
from triage.settings import Settings

AS_OF = datetime(2026, 10, 14, tzinfo=UTC)
#: One writer of the corpus, so that building takes no time.
WRITER = (CORPUS_DIR / "w1.jsonl",)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(registry_dir=tmp_path / "registry")


@pytest.fixture
def model_id(settings: Settings) -> str:
    return build_and_register("dash_count", settings, as_of=AS_OF, corpus=WRITER)


def load(settings: Settings, name: str) -> registry.LoadedModel:
    return registry.load(settings.registry_dir, name, trusted=trusted_by(settings))


def put(settings: Settings, share: float = 0.3, *, as_of: datetime = AS_OF, **more: Any) -> str:
    given: dict[str, Any] = {"recipe": "invented", "model": Fitted(share), "training": {}, **more}
    return registry.register(settings.registry_dir, as_of=as_of, **given)


def resigned(settings: Settings, model_id: str, **changes: Any) -> None:
    """Change the manifest of a model and sign it anew, as whoever has the key can."""
    folder = settings.registry_dir / model_id
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    content = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(content)
    (folder / "signature").write_bytes(local_signer(settings.registry_dir).sign(content))


def test_a_model_is_found_by_id_and_by_recipe(settings: Settings, model_id: str) -> None:
    assert model_id.startswith("dash_count-20261014-")
    for name in (model_id, "dash_count"):
        loaded = load(settings, name)
        assert loaded.model_id == model_id
        training = loaded.manifest["training"]
        assert training["records"] == len(WRITER[0].read_text(encoding="utf-8").splitlines())
        assert sum(training["by_source"].values()) == training["records"]
        assert (training["decided"], training["by_arm"], training["by_label_version"]) == (0, {}, {})
        assert (loaded.manifest["seed"], loaded.manifest["metrics"]) == (0, {})
        assert len(loaded.manifest["settings_sha256"]) == 64


def test_the_same_build_is_kept_once(settings: Settings, model_id: str) -> None:
    before = {path: path.read_bytes() for path in settings.registry_dir.rglob("*") if path.is_file()}
    assert build_and_register("dash_count", settings, as_of=AS_OF, corpus=WRITER) == model_id
    assert before == {path: path.read_bytes() for path in settings.registry_dir.rglob("*") if path.is_file()}


def test_the_newest_model_of_a_recipe_is_found_and_the_first_one_serves(settings: Settings) -> None:
    first, newer = put(settings), put(settings, as_of=AS_OF + timedelta(days=18))
    # Built last from older data: it is neither.
    put(settings, as_of=AS_OF - timedelta(days=90))
    assert load(settings, "invented").model_id == newer
    assert [each["model_id"] for each in registry.listing(settings.registry_dir)][:2] == [newer, first]
    ranks = registry.serving(settings.registry_dir, "invented", trusted_by(settings))
    assert ranks == registry.Serving(first, None, local=True)
    assert "never promoted by a person" in ranks.notes[0]
    assert "local key" in ranks.notes[1]


def test_a_model_of_other_versions_gives_way_to_one_of_these(settings: Settings) -> None:
    first = put(settings)
    libraries = registry.listing(settings.registry_dir)[0]["libraries"]
    resigned(settings, first, libraries={**libraries, "scikit-learn": "0.1"})
    trusted = trusted_by(settings)
    assert registry.serving(settings.registry_dir, "invented", trusted) == registry.Serving(first, None, True)
    with pytest.raises(ModelError, match=r"scikit-learn 0\.1"):
        load(settings, first)
    second = put(settings, as_of=AS_OF + timedelta(days=1))
    assert registry.serving(settings.registry_dir, "invented", trusted) == registry.Serving(
        second, None, True
    )


@pytest.mark.parametrize("form", [1, 3, None])
def test_a_model_of_another_form_is_said_to_be_and_passed_over(settings: Settings, form: int | None) -> None:
    """None: the form before models were signed."""
    model_id = put(settings)
    folder = settings.registry_dir / model_id
    resigned(settings, model_id, format=form)
    if form is None:
        manifest = json.loads((folder / "manifest.json").read_text())
        del manifest["format"], manifest["signed_by"]
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "signature").unlink()
        assert registry.serving(settings.registry_dir, "invented", trusted_by(settings)) is None
        assert registry.find(settings.registry_dir, "invented", trusted_by(settings)) is None
    with pytest.raises(ModelError, match="older version" if form is None else "another form") as caught:
        load(settings, model_id)
    assert "triage train" in caught.value.mend


def test_figures_change_the_id_and_stand_in_card_and_record(settings: Settings) -> None:
    figures = {
        "recall at 40": {"estimate": 0.5, "low": 0.25, "high": 0.75},
        "by source": {"incidents": 0.125},
    }
    plain, judged = put(settings), put(settings, metrics=figures)
    assert plain != judged
    folder = settings.registry_dir / judged
    for name in ("card.md", "atrs.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "0.5 (0.25 to 0.75)" in text
        assert "by source, incidents" in text
        assert "the local key" in text


class Gone:
    """A class that is no longer where the pickle looks for it."""

    learnt_prevalence = 0.3


def test_a_model_of_code_that_is_gone_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    model_id = put(settings, model=Gone(), recipe="gone")
    monkeypatch.delattr(sys.modules[__name__], "Gone")
    with pytest.raises(ModelError, match="another version of the recipe"):
        load(settings, model_id)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"model_id": "x", "recipe": 1}', "[" * 9000],
)
def test_a_broken_manifest_is_named(settings: Settings, content: str) -> None:
    model_id = put(settings)
    (settings.registry_dir / model_id / "manifest.json").write_text(content)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        load(settings, model_id)


@pytest.mark.parametrize(("name", "value"), [("as_of", 5), ("as_of", "2026-10-14"), ("recipe", None)])
def test_a_manifest_with_a_part_of_another_kind_is_named(
    settings: Settings, name: str, value: object
) -> None:
    put(settings, as_of=AS_OF + timedelta(days=1))
    model_id = put(settings)
    resigned(settings, model_id, **{name: value})
    with pytest.raises(ModelError, match=r"manifest\.json"):
        load(settings, "invented")


def test_an_unknown_model_lists_the_known(settings: Settings) -> None:
    model_id = put(settings)
    with pytest.raises(ModelError, match=model_id):
        load(settings, "nothing")


def test_an_unknown_recipe_lists_the_known(settings: Settings) -> None:
    with pytest.raises(ModelError, match="dash_count, linear"):
        build_and_register("liner", settings, as_of=AS_OF)
    assert not settings.registry_dir.exists()


def test_what_a_killed_build_left_is_not_a_model(settings: Settings) -> None:
    model_id = put(settings)
    (settings.registry_dir / ".building-x").mkdir()
    (settings.registry_dir / ".building-x" / "manifest.json").write_text("{")
    assert load(settings, "invented").model_id == model_id


def test_a_registry_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be read or made") as caught:
        build_and_register("dash_count", Settings(registry_dir=tmp_path / "file" / "registry"), as_of=AS_OF)
    assert "writable" in caught.value.mend


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("kind", ["detached", "loose", "packed", "worktree", "none", "broken"])
def test_the_commit_is_read_from_the_checkout(tmp_path: Path, kind: str) -> None:
    git = tmp_path / ".git"
    head = {"detached": COMMIT, "broken": "ref: refs/heads/gone"}.get(kind, "ref: refs/heads/main")
    if kind == "worktree":
        real = tmp_path / "real" / "worktrees" / "one"
        real.mkdir(parents=True)
        git.write_text(f"gitdir: {real}\n")
        (real / "HEAD").write_text(head + "\n")
        (real / "commondir").write_text("../..\n")
        (tmp_path / "real" / "refs" / "heads").mkdir(parents=True)
        (tmp_path / "real" / "refs" / "heads" / "main").write_text(COMMIT + "\n")
    elif kind != "none":
        (git / "refs" / "heads").mkdir(parents=True)
        (git / "HEAD").write_text(head + "\n")
        if kind == "loose":
            (git / "refs" / "heads" / "main").write_text(COMMIT + "\n")
        if kind == "packed":
            (git / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n^{COMMIT}\n")
    assert git_commit(tmp_path) == ("" if kind in {"none", "broken"} else COMMIT)
