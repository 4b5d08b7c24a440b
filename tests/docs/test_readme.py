"""What the README says is what the code does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from triage import errors, settings
from triage.reading.records import TABLES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_begins_with_the_two_commands() -> None:
    block = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert [line.split("#")[0].strip() for line in block[1].splitlines()] == ["make nightly", "make test"]


@pytest.mark.parametrize("target", ["nightly", "serve", "test", "lint", "lock", "clean"])
def test_make_has_the_target(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_settings_table_is_printed_from_the_code() -> None:
    shown = re.search(r"<!-- settings:.*?-->\n(.*?)\n<!-- /settings -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == settings.table()


def test_every_exit_code_is_listed() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    kinds = errors.UserError.__subclasses__()
    assert listed == {0, 1, *(kind.exit_code for kind in kinds)}


def test_every_table_is_listed() -> None:
    for table in TABLES:
        assert f"| `{table}` |" in README


@pytest.mark.parametrize(
    "path", sorted({"README.md", *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))})
)
def test_links_lead_somewhere(path: str) -> None:
    page = ROOT / path
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{path}: {target}"
