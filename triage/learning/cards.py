"""The two documents that come with each model: its card, and its algorithmic transparency record."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from triage.learning.fairness import fairness_markdown, fairness_of_json
from triage.learning.manifest import Manifest, is_local, key_of

_UNKNOWN = "not known"
_NO_FIGURES = "No figures were given when this model was built."
_NO_FAIRNESS = """## Fairness on audited records

Nothing is known of yield and misses by group: no decision of auditors was given when this model was built.
"""
_INVENTED = (
    "The corpus that ships is invented: no figure that rests on it is accuracy on police data, "
    "and none may be quoted as such."
)


def card(manifest: Manifest) -> str:
    """Return the model card, in Markdown: what it is for and is not, what it learnt from, figures and limits.

    Source: the headings follow Mitchell and others, *Model Cards for Model Reporting*, FAT* 2019.
    """
    return _file("card_template.md").format(
        model_id=manifest["model_id"],
        as_of=manifest["as_of"],
        details=_table(_details(manifest)),
        training=_table(_flat(manifest["training"])),
        invented=_INVENTED,
        figures=_figures(manifest),
        fairness=_fairness(manifest),
        signed=_signed_sentence(manifest),
    )


def atrs_record(manifest: Manifest) -> str:
    """Return the algorithmic transparency record, in Markdown, filled in where the machine knows.

    Source: Algorithmic Transparency Recording Standard, template v3.0; the fields are in ``atrs.toml``.
    """
    standard, training = _standard(), manifest["training"]
    known = {
        "standard_version": standard["standard_version"],
        "model_id": manifest["model_id"],
        "recipe": manifest["recipe"],
        "as_of": manifest["as_of"],
        "program_version": manifest["libraries"]["crime-recording-triage"],
        "git_commit": manifest.get("git_commit") or _UNKNOWN,
        "libraries": _libraries(manifest),
        "records": training.get("records", 0),
        "training_sha256": training.get("sha256") or _UNKNOWN,
        "training": "; ".join(f"{name}: {value}" for name, value in _flat(training)) + ". " + _INVENTED,
        "performance": "; ".join(f"{name}: {value}" for name, value in _metric_lines(manifest))
        or f"{_NO_FIGURES} {standard['unanswered']}",
        "signed": _signed_sentence(manifest).rstrip("."),
    }
    lines = [
        f"# Algorithmic transparency record of {manifest['model_id']}",
        "",
        f"Fields of the Algorithmic Transparency Recording Standard, version {standard['standard_version']}. "
        "The machine filled in what it knows; a person completes, checks and publishes it.",
    ]
    for section, fields in groupby(standard["field"], key=lambda each: each["section"]):
        lines += ["", f"## {section}", "", "| field | name | answer |", "|---|---|---|"]
        for each in fields:
            answer = each.get("answer", standard["unanswered"]).format(**known)
            lines.append(f"| {each['number']} | {each['name']} | {_cell(answer)} |")
    return "\n".join(lines) + "\n"


def _file(name: str) -> str:
    return files("triage.learning").joinpath(name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _standard() -> Mapping[str, Any]:
    """Return the fields; read when a model is built, not at the start of each command that loads one."""
    return tomllib.loads(_file("atrs.toml"))


def _details(manifest: Manifest) -> list[tuple[str, str]]:
    return [
        ("recipe", f"`{manifest['recipe']}`"),
        ("built from what was known at", str(manifest["as_of"])),
        ("program and libraries", _libraries(manifest)),
        ("Python", str(manifest["python"])),
        ("source", manifest.get("git_commit") or _UNKNOWN),
        ("seed", _UNKNOWN if manifest.get("seed") is None else str(manifest["seed"])),
        ("settings (SHA-256)", manifest.get("settings_sha256") or _UNKNOWN),
        ("learnt prevalence", f"{manifest['learnt_prevalence']:.4f}"),
    ]


def _figures(manifest: Manifest) -> str:
    lines = list(_metric_lines(manifest))
    return _table(lines) if lines else _NO_FIGURES


def _fairness(manifest: Manifest) -> str:
    kept = manifest.get("fairness")
    if not kept:
        return _NO_FAIRNESS.rstrip()
    return fairness_markdown(fairness_of_json(kept), least=kept["least"]).rstrip()


def _metric_lines(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield from _flat(manifest.get("metrics") or {})


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield name and value of nested mappings; an estimate with its interval is one value."""
    for name, value in values.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping) and {"estimate", "low", "high"} <= set(value):
            yield path, f"{_value(value['estimate'])} ({_value(value['low'])} to {_value(value['high'])})"
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{path}, ")
        elif isinstance(value, list | tuple):
            yield path, ", ".join(_value(each) for each in value)
        else:
            yield path, _value(value)


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _UNKNOWN if value is None else str(value)


def _libraries(manifest: Manifest) -> str:
    return ", ".join(f"{name} {number}" for name, number in manifest["libraries"].items())


def _signed_sentence(manifest: Manifest) -> str:
    key_id = key_of(manifest)
    if is_local(manifest):
        return (
            f"Signed with the local key {key_id}, which the set-up made on the machine that built it: "
            "no person vouches for it."
        )
    return f"Signed with the key {manifest['signed_by']['name']} ({key_id})."


def _table(lines: Any) -> str:
    rows = [f"| {_cell(name)} | {_cell(value)} |" for name, value in lines]
    return "\n".join(["| what | value |", "|---|---|", *rows])


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
