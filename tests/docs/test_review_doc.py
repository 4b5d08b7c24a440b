"""What docs/review.md says of states, outcomes and reasons is what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.desk.web.desk_pages import REOPEN_REASONS
from triage.review.agreement import PAIR_ITEMS_LEAST, RESAMPLES
from triage.review.outcomes import Field, crime_fields, item_fields
from triage.review.permissions import STATES
from triage.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "review.md").read_text(encoding="utf-8")
KINDS = {"reference": "a reference", "number": "a number", "date": "a day", "text": "words"}


def line(of: str, asked: Field) -> str:
    choices = ", ".join(f"{label} (`{value}`)" for value, label in asked.choices.items())
    needs = " or ".join(f"`{each}`" for each in asked.needs) or ("always" if asked.required else "")
    return f"| `{asked.name}` | {of} | {asked.label} | {KINDS.get(asked.kind, choices)} | {needs} |"


def outcome_table() -> str:
    """The table of docs/review.md; where this test fails, put what it prints there."""
    return "\n".join(
        [
            "| field | of | what is asked | answers | asked with |",
            "|---|---|---|---|---|",
            *(line("the item", each) for each in item_fields()),
            "| `family` | each crime | Family | one of the families of offences | always |",
            "| `place` | each crime | Where the text says so | a place of a record, or of a form | |",
            *(line("each crime", each) for each in crime_fields()),
        ]
    )


def test_the_table_of_outcomes_is_printed_from_the_data() -> None:
    assert outcome_table() in TEXT


def test_every_state_is_explained_as_in_the_data() -> None:
    lines = [f"| {name.replace('_', ' ')} | {meaning} |" for name, meaning in STATES.items()]
    assert "\n".join(lines) in TEXT


def test_the_reasons_to_reopen_are_those_of_the_page() -> None:
    lines = [
        "| code | reason |",
        "|---|---|",
        *(f"| `{code}` | {said} |" for code, said in REOPEN_REASONS.items()),
    ]
    assert "\n".join(lines) in TEXT


@pytest.mark.parametrize("name", ["claim_minutes", "workbook_hours", "correction_hours", "carry_over_days"])
def test_the_defaults_are_those_of_the_settings(name: str) -> None:
    assert f"`{name}` ({Settings.model_fields[name].default:g})" in TEXT


def test_numbers_of_the_agreement_figures() -> None:
    share = Settings.model_fields["second_review_share"].default
    assert f"`second_review_share`, {share:.0%}".replace("%", " %") in TEXT
    assert f"once they have read {PAIR_ITEMS_LEAST} items together" in TEXT
    assert f"{RESAMPLES:,} resamples" in TEXT
