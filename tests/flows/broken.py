"""A model that is broken in earnest: its error quotes the text that it was given, as library errors do."""

from __future__ import annotations

from collections.abc import Sequence

from triage.ranking.layers import Chances, Unrecorded
from triage.ranking.marks import Ints
from triage.ranking.scoring import Disclosed
from triage.reading.records import Record


class BrokenModel:
    """Fails on every record."""

    learnt_prevalence = 0.3

    def disclose(self, records: Sequence[Record]) -> Disclosed:
        """Raise an error whose message, and whose cause's message, hold record text."""
        try:
            float(records[0].text)
        except ValueError as error:
            raise RuntimeError(f"cannot weigh {records[0].text!r}") from error
        raise AssertionError(records[0].text)

    def unrecorded(self, chances: Chances, recorded: Ints) -> Unrecorded:
        """Never reached."""
        raise AssertionError("a night ends before it comes here")
