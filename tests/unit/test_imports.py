"""Imports run one way: the source is read, so that a lazy import inside a function counts too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = [
    "errors",
    "key_file",
    "settings",
    "reading",
    "language",
    "ranking",
    "review",
    "learning",
    "figures",
    "store",
    "desk",
    "cli",
]
#: Modules of a room, left to right: each may import those before it.
WITHIN = {
    "reading": [
        "records",
        "columns",
        "entries",
        "mapping",
        "rejects",
        "raw",
        "delimited",
        "parquet",
        "workbook_extent",
        "sources",
        "databases",
        "tables",
        "checks",
        "accepted",
        "extract",
        "cues",
        "claims",
        "hashing",
        "repeats",
        "grouping",
        "linking",
    ],
    "language": [
        "offences",
        "codes",
        "coverage",
        "forms",
        "words",
        "runs",
        "word_types",
        "tokens",
        "phrases",
        "text",
        "disclosures",
        "features",
    ],
    "ranking": [
        "fitted",
        "linear_reader",
        "passages",
        "readers",
        "signals",
        "fitting",
        "clause_layer",
        "layers",
        "classifier",
        "marks",
        "recorded",
        "scoring",
        "rules",
        "allocation",
    ],
    "learning": [
        "metrics",
        "reports",
        "audited",
        "calibration",
        "drift",
        "label_quality",
        "alarms",
        "monitoring",
        "monitor_report",
        "fairness",
        "evaluation",
        "replay",
        "replay_table",
        "replay_nights",
        "temporal",
        "paired",
        "comparison",
        "retrain_report",
        "signing",
        "manifest",
        "verified",
        "erased",
        "cards",
        "champion",
        "registry",
        "promotion",
    ],
    "review": ["outcomes", "permissions", "decisions", "labels", "agreement", "feedback"],
    "store": [
        "tables",
        "rows",
        "coding",
        "audit",
        "servers",
        "schema",
        "connected",
        "erasure",
        "reviews",
        "outcomes",
        "store",
    ],
}
OUTER = ("models", "training_data", "flows")


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "triage" and len(parts) > 1 and parts[1] in ROOMS else None


def wrong_imports(path: Path, module: str) -> list[str]:
    """Return the imports of a module of ``triage`` that point the wrong way."""
    room = room_of(module)
    if room is None:  # triage/__init__.py, __main__.py
        return [name for name in imported(path) if name.split(".")[0] in OUTER]
    wrong = []
    for name in imported(path):
        top = name.split(".")[0]
        if (
            top == "prefect"
            or (top in OUTER and not (room == "cli" and top != "flows"))
            or ((target := room_of(name)) is not None and ROOMS.index(target) > ROOMS.index(room))
        ):
            wrong.append(name)
        order, mine = WITHIN.get(room, []), module.split(".")[2:3]
        theirs = name.split(".")[2:3] if room_of(name) == room else []
        known = mine and theirs and mine[0] in order and theirs[0] in order
        if known and order.index(theirs[0]) > order.index(mine[0]):
            wrong.append(name)
    return wrong


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", modules("triage"), ids=dotted)
def test_rooms_import_only_what_stands_before_them(path: Path) -> None:
    assert wrong_imports(path, dotted(path)) == []


@pytest.mark.parametrize("folder", ["models", "training_data"])
def test_recipes_and_data_stay_out_of_the_shell(folder: str) -> None:
    # review, for what was decided: a label is no row of the store.
    allowed_rooms = {"errors", "settings", "reading", "language", "ranking", "review", "learning"}
    for path in modules(folder):
        for name in imported(path):
            assert name.split(".")[0] not in {"flows", "prefect", "sqlalchemy"}, (path, name)
            assert room_of(name) in {None, *allowed_rooms}, (path, name)
            assert folder == "models" or not name.startswith("models"), (path, name)


def test_only_flows_import_prefect() -> None:
    users = {
        path.relative_to(ROOT).parts[0]
        for folder in ("triage", "models", "training_data", "flows")
        for path in modules(folder)
        for name in imported(path)
        if name.split(".")[0] == "prefect"
    }
    assert users == {"flows"}


@pytest.mark.parametrize("room", WITHIN)
def test_every_module_of_an_ordered_room_has_its_place(room: str) -> None:
    found = {path.stem for path in (ROOT / "triage" / room).glob("*.py")} - {"__init__"}
    assert found == set(WITHIN[room])


def test_a_wrong_import_is_found(tmp_path: Path) -> None:
    path = tmp_path / "records.py"
    path.write_text("def f():\n    from triage.store import rows\n    import flows.nightly\n")
    assert wrong_imports(path, "triage.reading.records") == [
        "triage.store",
        "triage.store.rows",
        "flows.nightly",
    ]
    path.write_text(
        "from triage.ranking.scoring import Evidence\nfrom triage.ranking.readers import Floats\n"
    )
    assert wrong_imports(path, "triage.ranking.layers") == [
        "triage.ranking.scoring",
        "triage.ranking.scoring.Evidence",
    ]


def test_every_room_says_what_it_must_never_do() -> None:
    for room in [each for each in ROOMS if (ROOT / "triage" / each).is_dir()]:
        doc = ast.get_docstring(
            ast.parse((ROOT / "triage" / room / "__init__.py").read_text(encoding="utf-8"))
        )
        assert "ever" in (doc or ""), room


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("triage", "models", "training_data", "flows", "tests", "benchmarks")
        for path in modules(folder)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}
