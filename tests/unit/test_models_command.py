"""The commands about models: what they print, who may use them, and what they log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.fitted import Fitted, forged
from triage.cli import app
from triage.learning import champion, registry
from triage.learning.fairness import Cell, Dimension, fairness_json
from triage.learning.signing import local_signer
from triage.review.agreement import Figure
from triage.settings import Settings
from triage.store import open_store

Run = Callable[..., Any]
AS_OF = datetime(2026, 10, 14, tzinfo=UTC)
ROLES = {"TRIAGE_ROLE_MEMBERS": json.dumps({"registrar": ["fay"], "auditor": ["ann"]})}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(registry_dir=tmp_path / "registry", data_dir=tmp_path / "var", recipe="invented")


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str | Path, **env: str) -> Any:
        own = {name: str(getattr(settings, name)) for name in ("registry_dir", "data_dir", "recipe")}
        named = {f"TRIAGE_{name.upper()}": value for name, value in own.items()}
        return CliRunner().invoke(app, ["models", *map(str, words)], env={**named, **env})

    return invoke


def put(settings: Settings, share: float, *, days: int = 0, **more: Any) -> str:
    as_of = AS_OF - timedelta(days=days)
    return registry.register(
        settings.registry_dir, recipe="invented", model=Fitted(share), as_of=as_of, training={}, **more
    )


def events(settings: Settings) -> list[tuple[str, str, str]]:
    with open_store(settings.store_url) as store:
        return [(each.event.actor, each.event.action, each.event.subject) for each in store.events()]


def test_the_list_says_who_signed_and_which_one_ranks(run: Run, settings: Settings) -> None:
    first, second = put(settings, 0.1), put(settings, 0.2)
    for words in ((), ("list",)):
        shown = run(*words)
        assert shown.exit_code == 0, shown.output
        assert re.search(rf"{first} .* local [0-9a-f]{{16}} +yes, never promoted by a person", shown.stdout)
        assert re.search(rf"{second} .* local [0-9a-f]{{16}}\s*$", shown.stdout, re.MULTILINE)
    assert not settings.data_dir.exists(), "looking writes nothing"


def test_an_unsigned_model_is_listed_as_such(run: Run, settings: Settings) -> None:
    folder = settings.registry_dir / put(settings, 0.1)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["format"], manifest["signed_by"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "signature").unlink()
    assert "unsigned, not loaded" in run("list").stdout
    refused = run("show", folder.name)
    assert refused.exit_code == 12
    assert "triage train" in refused.stderr


def test_promote_and_roll_back_are_logged_with_their_event(run: Run, settings: Settings) -> None:
    first, second = put(settings, 0.1), put(settings, 0.2)
    done = run("promote", second, "--reason", "finds more", "--actor", "fay")
    assert done.exit_code == 0, done.output
    assert f"{second} ranks from the next night on instead of {first}" in done.stdout
    assert "local key" in done.stderr
    assert "yes, promoted by fay" in run("list").stdout
    gone = run("rollback", "--actor", "fay")
    assert gone.exit_code == 0, gone.output
    assert f"{first} ranks" in gone.stdout
    assert events(settings) == [("fay", "alteration", second), ("fay", "alteration", first)]
    with open_store(settings.store_url) as store:
        details = [each.event.details for each in store.events()]
    log = champion.log_of(settings.registry_dir)
    assert [each["head"] for each in details] == [one.hash for one in log]
    assert [each["act"] for each in details] == ["promote", "roll_back"]
    assert "finds more" not in str(details), "free text stays out of the audit log"
    again = run("rollback", "--actor", "fay")
    assert (again.exit_code, len(events(settings))) == (2, 2)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("promote", "invented", "--reason", "x"), 2, "known: invented-"),
        (("promote", "ID", "--reason", ""), 2, "reason"),
        (("promote", "ID"), 2, "--reason"),
        (("rollback",), 2, "no earlier model"),
        (("show", "absent"), 12, "known: invented-"),
        (("diff", "ID", "absent"), 12, "known: invented-"),
    ],
)
def test_what_goes_wrong_has_its_exit_code(
    run: Run, settings: Settings, words: tuple[str, ...], code: int, says: str
) -> None:
    model_id = put(settings, 0.1)
    result = run(*(model_id if word == "ID" else word for word in words))
    assert result.exit_code == code, result.output
    assert says in result.stderr
    assert not (settings.registry_dir / champion.LOG).exists()


@pytest.mark.parametrize("words", [("promote", "ID", "--reason", "x"), ("rollback",), ("prune",)])
def test_where_roles_are_given_only_the_registrar_chooses(
    run: Run, settings: Settings, words: tuple[str, ...]
) -> None:
    first, second = put(settings, 0.1), put(settings, 0.2)
    assert run("promote", first, "--reason", "x", "--actor", "fay").exit_code == 0
    named = [second if word == "ID" else word for word in words]
    refused = run(*named, "--actor", "ann", **ROLES)
    assert refused.exit_code == 14
    assert "promote is for registrar" in refused.stderr
    assert len(events(settings)) == 1
    assert run(*named, "--actor", "fay", **ROLES).exit_code in ({2} if words[0] == "rollback" else {0})


def test_show_prints_the_card_and_diff_what_differs(run: Run, settings: Settings) -> None:
    first, second = put(settings, 0.1, metrics={"recall": 0.25}), put(settings, 0.2, metrics={"recall": 0.5})
    shown = run("show", first)
    assert shown.stdout.startswith(f"# {first}\n")
    assert re.search(r"verified: signed with the key local \([0-9a-f]{16}\)", shown.stdout)
    differing = run("diff", first, second).stdout
    assert re.search(r"metrics\.recall +0\.25 +0\.5", differing)
    assert "recipe" not in differing
    (settings.registry_dir / first / "card.md").write_text("a better card")
    assert run("show", first).exit_code == run("diff", first, second).exit_code == 12


def test_verify_names_each_fault(run: Run, settings: Settings) -> None:
    first, second = put(settings, 0.1), put(settings, 0.2)
    assert run("promote", first, "--reason", "x", "--actor", "fay").exit_code == 0
    assert run("promote", second, "--reason", "x", "--actor", "fay").exit_code == 0
    whole = run("verify")
    assert whole.exit_code == 0, whole.output
    assert whole.stdout.count("as it was signed") == 3
    log = settings.registry_dir / champion.LOG
    kept = log.read_bytes()
    log.write_bytes(kept.splitlines(keepends=True)[0])
    (settings.registry_dir / first / "model.joblib").write_bytes(b"other")
    broken = run("verify")
    assert broken.exit_code == 12
    assert f"{first}: the model's file is not the one that was signed" in broken.stdout
    assert f"{second}: as it was signed" in broken.stdout
    assert "champion.jsonl: 1 promotions of the audit log are not in it" in broken.stdout
    log.write_bytes(kept.replace(b"fay", b"kim"))
    assert "champion.jsonl: the log of promotions is not as it was written" in run("verify").stdout


def test_prune_removes_old_models_and_logs_each(run: Run, settings: Settings) -> None:
    ancient = (datetime.now(UTC) - AS_OF).days + 800
    serves, old, recent = put(settings, 0.1, days=1000), put(settings, 0.2, days=900), put(settings, 0.3)
    done = run("prune", "--actor", "fay")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["1 models removed", old]
    assert {each["model_id"] for each in registry.listing(settings.registry_dir)} == {serves, recent}
    assert events(settings) == [("fay", "erasure", old)]
    assert run("prune", TRIAGE_MODEL_RETENTION_DAYS=str(ancient + 9000)).stdout == "0 models removed\n"


def test_the_registrars_key_is_made_and_used(run: Run, settings: Settings, tmp_path: Path) -> None:
    made = run("key", "--make", "fcir.key")
    assert made.exit_code == 0, made.output
    assert "public key: fcir.pem" in made.stdout
    assert (tmp_path / "fcir.key").stat().st_mode & 0o777 == 0o600
    secret = (tmp_path / "fcir.key").read_text().strip()
    own = {"TRIAGE_SIGNING_KEY_FILE": str(tmp_path / "fcir.key")}
    listed = run("key", **own)
    assert re.search(r"trusted: fcir [0-9a-f]{16}\n", listed.stdout)
    assert secret not in made.output + listed.output
    assert "trusted: none yet" in run("key").stdout
    assert run("key", "--make", "fcir.key").exit_code == 12


def test_verify_tells_of_a_promotion_that_the_audit_log_never_heard_of(run: Run, settings: Settings) -> None:
    first, second = put(settings, 0.1), put(settings, 0.2)
    assert run("promote", first, "--reason", "better").exit_code == 0
    log = champion.log_of(settings.registry_dir)
    champion.append(settings.registry_dir, forged(log, second, local_signer(settings.registry_dir)))
    told = run("verify")
    assert told.exit_code == 12
    assert "1 promotions in it are not in the audit log" in told.stdout


@pytest.mark.parametrize(
    "odd",
    [
        {"training": [1]},
        {"as_of": "9999-12-31T23:59:00-14:00"},
        {"as_of": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_a_manifest_that_cannot_be_one_is_named(run: Run, settings: Settings, odd: dict[str, Any]) -> None:
    model = put(settings, 0.1)
    folder = settings.registry_dir / "evil-1"
    folder.mkdir()
    manifest = json.loads((settings.registry_dir / model / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "model_id": "evil-1", **odd}))
    shown = run("list")
    assert (shown.exit_code, "evil-1" in shown.stderr) == (12, True)


def test_a_number_beyond_all_others_stops_no_build(settings: Settings) -> None:
    model = put(settings, 0.1)
    path = settings.registry_dir / model / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, "number": 10**100}))
    assert (settings.registry_dir / put(settings, 0.2)).is_dir()


def test_models_are_for_their_owner_and_group_alone(settings: Settings) -> None:
    folder = settings.registry_dir / put(settings, 0.1)
    assert [path.stat().st_mode & 0o007 for path in (folder, *folder.iterdir())] == [0] * 7


def test_diff_tells_fairness_cell_by_cell(run: Run, settings: Settings) -> None:
    nobody = Figure(None, reason="no record was read")
    one, other = (
        put(
            settings,
            0.1,
            fairness=fairness_json(
                (Dimension("area", (Cell("all", read, None, nobody, nobody, nobody),), 0),), least=10
            ),
        )
        for read in (40, 41)
    )
    shown = run("diff", one, other, COLUMNS="200").stdout
    assert re.search(r"fairness\.by\.area\.cells\.all\.read +40 +41", shown)
