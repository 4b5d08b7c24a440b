"""One labelled record, whoever labelled it."""

from __future__ import annotations

from dataclasses import dataclass

from triage.reading.records import Record


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled record.

    ``evidence`` is one substring of its text, or ``Q18=Y``, per disclosed family; ``cancels`` are substrings
    that state a fact because of which an apparent offence is none. ``marked`` says whether both
    were looked for; ``weight`` how much the record counts.
    """

    record: Record
    author: str
    disclosed: tuple[str, ...]
    recorded: tuple[str, ...]
    evidence: tuple[str, ...]
    cancels: tuple[str, ...] = ()
    marked: bool = True
    weight: float = 1.0

    @property
    def missed(self) -> bool:
        """Whether a disclosed family is not recorded."""
        return not set(self.disclosed) <= set(self.recorded)
