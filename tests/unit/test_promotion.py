"""A person chooses the model; the choice is signed, chained, and can be taken back to the last bit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import build_and_register
from tests.fitted import Fitted, forged
from training_data.build import CORPUS_DIR, corpus_table
from triage.errors import ModelError, UsageError
from triage.language.offences import FAMILIES
from triage.learning import champion, registry
from triage.learning.champion import Promotion
from triage.learning.promotion import promote, prune, roll_back
from triage.learning.signing import Signer, local_signer, make_key, signer_of, trusted_by
from triage.ranking.scoring import score_records
from triage.settings import Settings

AS_OF = datetime(2026, 10, 14, tzinfo=UTC)
AT = datetime(2026, 11, 1, 9, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(registry_dir=tmp_path / "registry", recipe="invented")


def put(settings: Settings, share: float, *, day: int = 0, signer: Signer | None = None) -> str:
    return registry.register(
        settings.registry_dir,
        recipe="invented",
        model=Fitted(share),
        as_of=AS_OF + timedelta(days=day),
        training={},
        signer=signer,
    )


def given(settings: Settings, **more: Any) -> dict[str, Any]:
    common = {"actor": "fay", "at": AT, "reason": "better", "recorded": lambda one: None}
    return {**common, "trusted": trusted_by(settings), "signer": signer_of(settings), **more}


def chosen(settings: Settings, model_id: str, **more: Any) -> Promotion:
    return promote(settings.registry_dir, model_id, recipe=settings.recipe, **given(settings, **more))


def back(settings: Settings, **more: Any) -> Promotion:
    return roll_back(settings.registry_dir, **given(settings, **more))


def ranks(settings: Settings) -> str:
    found = registry.serving(settings.registry_dir, settings.recipe, trusted_by(settings))
    assert found is not None
    return found.model_id


def log(settings: Settings) -> Path:
    return settings.registry_dir / champion.LOG


def test_the_promoted_model_ranks_whatever_is_newest_and_whatever_its_recipe(settings: Settings) -> None:
    first, second, third = (put(settings, day / 10, day=day) for day in (1, 2, 3))
    assert ranks(settings) == first
    one = chosen(settings, second)
    assert (one.number, one.act, one.previous, one.local) == (1, "promote", first, True)
    put(settings, 0.9, day=9)
    assert ranks(settings) == second
    assert ranks(settings.model_copy(update={"recipe": "linear"})) == second
    assert chosen(settings, third).previous == second
    assert champion.succession(champion.log_of(settings.registry_dir)) == (first, second, third)


def test_rolling_back_goes_one_model_back_each_time(settings: Settings) -> None:
    first, second, third = (put(settings, day / 10, day=day) for day in (1, 2, 3))
    chosen(settings, second)
    chosen(settings, third)
    assert back(settings, reason="").model_id == ranks(settings) == second
    assert back(settings).model_id == ranks(settings) == first, "which nobody had promoted"
    before = log(settings).read_bytes()
    with pytest.raises(UsageError, match="no earlier model"):
        back(settings)
    assert log(settings).read_bytes() == before
    assert chosen(settings, third).previous == first
    assert [one.act for one in champion.log_of(settings.registry_dir)] == [
        "promote",
        "promote",
        "roll_back",
        "roll_back",
        "promote",
    ]


def test_after_a_roll_back_the_scores_are_the_same_bit_for_bit(tmp_path: Path) -> None:
    settings = Settings(registry_dir=tmp_path / "registry", recipe="plain")
    one, other = CORPUS_DIR / "w7.jsonl", CORPUS_DIR / "w8.jsonl"
    records = [each.record for each in corpus_table([CORPUS_DIR / "w1.jsonl"]).examples[:50]]
    recorded = np.zeros((len(records), len(FAMILIES)), dtype=bool)

    def scores() -> tuple[bytes, bytes]:
        loaded = registry.load(settings.registry_dir, ranks(settings), trusted=trusted_by(settings))
        found = score_records(loaded.model, records, recorded, settings)
        return found.score_01.tobytes(), found.chances.p_family.tobytes()

    first = build_and_register("plain", settings, as_of=AS_OF, corpus=[one])
    before = scores()
    chosen(settings, build_and_register("plain", settings, as_of=AS_OF, corpus=[other]))
    assert scores() != before
    assert back(settings).model_id == first
    assert scores() == before


def test_what_cannot_be_loaded_is_not_promoted(settings: Settings) -> None:
    first, second = put(settings, 0.1), put(settings, 0.2, day=1)
    (settings.registry_dir / second / "card.md").write_text("a better card")
    with pytest.raises(ModelError, match="SHA-256"):
        chosen(settings, second)
    with pytest.raises(ModelError, match="no model"):
        chosen(settings, "absent")
    assert not log(settings).exists()
    assert ranks(settings) == first


def test_nothing_is_promoted_without_its_audit_event(settings: Settings) -> None:
    model_id = put(settings, 0.1)

    def fails(one: Promotion) -> None:
        raise OSError("the store is gone")

    with pytest.raises(OSError, match="gone"):
        chosen(settings, model_id, recorded=fails)
    assert not log(settings).exists()
    told: list[Promotion] = []
    assert chosen(settings, model_id, recorded=told.append) == told[0]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "two\nlines", "\x1b[31m"])
def test_a_promotion_needs_a_short_plain_reason(settings: Settings, reason: str) -> None:
    model_id = put(settings, 0.1)
    with pytest.raises(UsageError, match="reason"):
        chosen(settings, model_id, reason=reason)
    assert not log(settings).exists()


def test_the_one_that_ranks_is_not_promoted_again(settings: Settings) -> None:
    model_id = put(settings, 0.1)
    assert chosen(settings, model_id).previous == "", "it served already, and replaced nothing"
    with pytest.raises(UsageError, match="already"):
        chosen(settings, model_id)
    with pytest.raises(UsageError, match="no earlier model"):
        back(settings)


def changed(lines: list[bytes], number: int, **values: object) -> list[bytes]:
    raw = json.loads(lines[number]) | values
    return [*lines[:number], json.dumps(raw, sort_keys=True).encode(), *lines[number + 1 :]]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda lines: changed(lines, 2, model_id="another"),
        lambda lines: changed(lines, 0, reason="another"),
        lambda lines: changed(lines, 1, hash="0" * 64),
        lambda lines: changed(lines, 2, signature="0" * 128),
        lambda lines: changed(lines, 2, signature=""),
        lambda lines: changed(lines, 2, act="demote"),
        lambda lines: changed(lines, 2, more=1),
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [*lines, lines[2]],
        lambda lines: [*lines, b"{}"],
        lambda lines: [*lines, b"\xff"],
        lambda lines: lines[1:],
    ],
)
def test_an_altered_log_stops_the_night(
    settings: Settings, tamper: Callable[[list[bytes]], list[bytes]]
) -> None:
    for day in (1, 2, 3):
        chosen(settings, put(settings, day / 10, day=day))
    lines = log(settings).read_bytes().splitlines()
    log(settings).write_bytes(b"\n".join(tamper(lines)) + b"\n")
    with pytest.raises(ModelError, match="promotions is not as it was written") as caught:
        ranks(settings)
    assert caught.value.exit_code == 12
    with pytest.raises(ModelError):
        back(settings)


def test_a_chain_written_anew_by_a_stranger_is_not_believed(settings: Settings) -> None:
    first, second = put(settings, 0.1), put(settings, 0.2, day=1)
    chosen(settings, first)
    stranger = Signer(bytes(range(32)), "stranger")
    log(settings).write_bytes(forged((), second, stranger).line)
    with pytest.raises(ModelError, match="not trusted here"):
        ranks(settings)
    with pytest.raises(ModelError, match="not trusted here"):
        chosen(settings, first)


def test_the_registrar_takes_over_from_the_local_key(settings: Settings, tmp_path: Path) -> None:
    local = put(settings, 0.1)
    chosen(settings, local)
    make_key(tmp_path / "registrar.key")
    theirs = settings.model_copy(update={"signing_key_file": tmp_path / "registrar.key"})
    with pytest.raises(ModelError, match="not trusted here") as caught:
        ranks(theirs)
    assert "triage models promote" in caught.value.mend
    own = put(settings, 0.2, day=1, signer=signer_of(theirs))
    with pytest.raises(ModelError, match="not trusted here"):
        chosen(theirs, local)
    assert chosen(theirs, own).local is False
    found = registry.serving(settings.registry_dir, "invented", trusted_by(theirs))
    assert found is not None
    assert (found.model_id, found.local, found.notes) == (own, False, ())
    with pytest.raises(ModelError, match="not trusted here"):
        back(theirs)


def test_a_model_that_is_not_the_promoted_one_is_refused(settings: Settings) -> None:
    model_id = put(settings, 0.1)
    chosen(settings, model_id)
    folder = settings.registry_dir / model_id
    manifest = json.loads((folder / "manifest.json").read_text()) | {"seed": 9}
    content = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(content)
    (folder / "signature").write_bytes(local_signer(settings.registry_dir).sign(content))
    with pytest.raises(ModelError, match="not the one that was promoted"):
        registry.load(settings.registry_dir, model_id, trusted=trusted_by(settings))


def test_old_models_go_and_the_champion_and_its_predecessor_never(settings: Settings) -> None:
    ids = [put(settings, day / 10, day=day) for day in range(6)]
    chosen(settings, ids[1])
    chosen(settings, ids[2])
    told: list[str] = []
    gone = prune(
        settings.registry_dir, older_than=AS_OF + timedelta(days=5), keep=[ids[4]], recorded=told.append
    )
    assert set(gone) == set(told) == {ids[0], ids[3]}
    left = {each["model_id"] for each in registry.listing(settings.registry_dir)}
    assert left == {ids[1], ids[2], ids[4], ids[5]}
    assert sorted(path.name for path in settings.registry_dir.glob(".removed*")) == []
    assert back(settings).model_id == ids[1]


def test_a_night_that_ran_before_is_not_touched_by_a_promotion_under_way(settings: Settings) -> None:
    model_id = put(settings, 0.1)
    with champion.changing(settings.registry_dir):
        assert ranks(settings) == model_id


def test_a_changed_key_promotes_on_top_of_what_the_audit_log_knows(
    settings: Settings, tmp_path: Path
) -> None:
    keys = []
    for name in ("old", "new"):
        make_key(tmp_path / f"{name}.key")
        keys.append(settings.model_copy(update={"signing_key_file": tmp_path / f"{name}.key"}))
    old, new = keys
    before = chosen(old, put(old, 0.1, signer=signer_of(old)))
    model = put(new, 0.2, day=1, signer=signer_of(new))
    with pytest.raises(ModelError, match="not trusted here"):
        chosen(new, model)
    after = chosen(new, model, heard={before.hash})
    assert (after.previous, after.previous_hash) == (before.model_id, before.hash)
    assert ranks(new) == model


def test_what_an_interrupted_pruning_left_goes_with_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [put(settings, day / 10, day=day) for day in (1, 2, 3)]
    chosen(settings, ids[2])

    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    def pruned() -> tuple[str, ...]:
        later = AS_OF + timedelta(days=9)
        return prune(settings.registry_dir, older_than=later, keep=(), recorded=lambda _: None)

    with monkeypatch.context() as broken:
        broken.setattr("triage.learning.promotion.shutil.rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pruned()
    left = list(settings.registry_dir.glob(".removed-*"))
    assert len(left) == 1
    pruned()
    assert not list(settings.registry_dir.glob(".removed-*"))


def test_a_log_that_is_no_plain_file_is_refused_and_not_waited_for(settings: Settings) -> None:
    put(settings, 0.1)
    os.mkfifo(log(settings))
    with pytest.raises(ModelError, match="no plain file"):
        ranks(settings)
