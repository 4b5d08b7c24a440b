"""One labelled record, whoever labelled it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from triage.reading.records import Record

#: What the corpus holds has no times of its own; it is read by the rules in force when it was written.
UNDATED = datetime(2026, 9, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled record.

    ``evidence`` is one substring of its text, or ``Q18=Y``, per disclosed family; ``cancels`` are substrings
    that state a fact because of which an apparent offence is none. ``marked`` says whether both
    were looked for; ``weight`` how much the record counts. ``again`` are recorded families that a further
    victim suffered for whom no crime is recorded; their evidence is of that victim.

    ``group`` is the same for records of one matter, for versions of one record and for near-duplicates, and
    nobody else's; ``author`` is what learners hold out together, and never splits a group of a training
    table. ``arm``, ``inclusion_probability``, ``decided_at`` and ``label_version`` are those of the
    decision that labelled it; ``judged`` is its answer to whether a crime was not recorded, None where
    nobody decided: then the two lists of families say it.
    """

    record: Record
    author: str
    disclosed: tuple[str, ...]
    recorded: tuple[str, ...]
    evidence: tuple[str, ...]
    cancels: tuple[str, ...] = ()
    marked: bool = True
    weight: float = 1.0
    group: str = ""
    arm: str = ""
    inclusion_probability: float = 1.0
    decided_at: datetime | None = None
    label_version: str = ""
    judged: bool | None = None
    again: tuple[str, ...] = ()

    @property
    def lacking(self) -> tuple[str, ...]:
        """The families disclosed of which a crime is not recorded."""
        return tuple(name for name in self.disclosed if name not in self.recorded or name in self.again)

    @property
    def missed(self) -> bool:
        """Whether it discloses a crime that is not recorded."""
        if self.judged is not None:
            return self.judged
        return bool(self.lacking)
