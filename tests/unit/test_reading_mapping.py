"""The mapping file: what it may say, and that every mistake in it is named at once."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from triage.errors import SettingsError
from triage.reading.mapping import Mapping, load_mapping, mapping_for, parse_mapping
from triage.reading.records import COLUMNS, REQUIRED, TABLES
from triage.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["ucpd", "exshire"])
def test_shipped_mappings_load(name: str) -> None:
    assert load_mapping(ROOT / "mappings" / f"{name}.toml").name


def test_required_columns_are_columns() -> None:
    assert set(COLUMNS) == set(REQUIRED) == set(TABLES)
    assert all(set(REQUIRED[table]) <= set(COLUMNS[table]) for table in TABLES)


def test_an_empty_mapping_is_the_contract() -> None:
    assert parse_mapping({}, "x") == Mapping()


def test_all_mistakes_are_named_at_once() -> None:
    wrong: dict[str, Any] = {
        "naem": "x",
        "timezone": "Europe/Lodnon",
        "incidents": {
            "file": "sub/incidents.csv",
            "encoding": "utf-9",
            "delimiter": ";;",
            "columns": {"recrod_ref": "No"},
            "time_formats": ["%d/%m/%Q"],
            "codes": {"opened_at": {"a": "b"}, "closing_code": {"X": "1", "x": "2"}},
            "only": {"column": "Kind", "known_to": "codes.opening_code"},
        },
        "assessments": {"codes": {"answers": {"Yes": "YES"}}, "sheet": 3},
        "crimes": {
            "columns": {"status": "Status"},
            "constants": {"status": "recorded"},
            "only": {"column": "Kind"},
            "fiel": "x",
        },
        "database": {"url_env": "no name", "queries": {"crime": "SELECT 1"}},
    }
    with pytest.raises(SettingsError) as caught:
        parse_mapping(wrong, "mapping.toml")
    message = str(caught.value)
    for part in (
        "naem", "Europe/London", "without a folder", "encoding", "delimiter", "recrod_ref", "%Q",
        "'opened_at' is unknown", "stands for two values", "'codes.opening_code' is unknown",
        "'YES' is unknown", "assessments.sheet", "given by columns as well", "is_one_of", "'fiel' is unknown",
        "url_env", "'crime' is unknown",
    ):  # fmt: skip
        assert part in message, part
    assert caught.value.exit_code == 10


@pytest.mark.parametrize("each", ["%d/%d/%Y", "%H:%M", "%d/%m", "%Y", "", "%"])
def test_a_time_format_that_names_no_day_is_wrong(each: str) -> None:
    with pytest.raises(SettingsError, match="time_formats: no strptime format with day, month and year"):
        parse_mapping({"incidents": {"time_formats": [each]}}, "mapping.toml")


def test_time_formats_that_name_a_day() -> None:
    formats = ("%d/%m/%y %H:%M", "%d %B %Y %I:%M %p", "%Y-%j", "%d/%m/%Y  %H:%M:%S %z", "%G-W%V-%u")
    assert parse_mapping({"crimes": {"time_formats": formats}}, "x").crimes.time_formats == formats


@pytest.mark.parametrize("encoding", ["rot13", "hex", "zlib", "utf-9", "a\0b", ""])
def test_an_encoding_is_one_of_text(encoding: str) -> None:
    with pytest.raises(SettingsError, match="is not a text encoding"):
        parse_mapping({"incidents": {"encoding": encoding}}, "mapping.toml")


def test_a_key_is_harmless_in_the_message() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_mapping({"\x1b[2J": {"x": 1}, "y" * 50: 1}, "mapping.toml")
    assert "\x1b" not in str(caught.value)


def test_a_link_to_no_mapping_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(SettingsError, match="cannot be read"):
        mapping_for(tmp_path, Settings())


@pytest.mark.parametrize(
    "content",
    ["incidents = [", b"\xff\xfe\x00", "a = " + "[" * 20_000, "a = " + "{b=" * 20_000],
    ids=["cut", "UTF-16", "deep list", "deep table"],
)
def test_what_is_no_toml_is_a_settings_error(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "mapping.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError, match="not TOML"):
        load_mapping(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_mapping(tmp_path / "absent.toml")


def test_the_settings_go_before_the_folder(tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text('name = "inside"')
    other = tmp_path / "other.toml"
    other.write_text('name = "settings"')
    assert mapping_for(tmp_path, Settings()).name == "inside"
    assert mapping_for(tmp_path, Settings(mapping_file=other)).name == "settings"
    assert mapping_for(other, Settings()).name == "settings"
    assert mapping_for(tmp_path / "absent", Settings()) == Mapping()


def test_a_mapping_changes_the_settings_it_names() -> None:
    settings = Settings(own_force_prefixes=("42",))
    assert Mapping().applied_to(settings) == settings
    changed = Mapping(timezone="America/Chicago", own_force_prefixes=("7",)).applied_to(settings)
    assert (changed.timezone, changed.own_force_prefixes) == ("America/Chicago", ("7",))


def test_the_documented_mappings_are_right() -> None:
    text = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        parse_mapping(tomllib.loads(block), "docs/mapping.md")


def test_every_rule_is_documented() -> None:
    from triage.reading.rejects import RULES

    text = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \| (.+?) \|$", text, re.MULTILINE)
    assert {name: meaning for name, meaning in documented if name in RULES} == dict(RULES)
