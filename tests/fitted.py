"""A fitted model that takes no time to build: what registry tests put in and take out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triage.language.offences import FAMILIES
from triage.ranking.marks import Marks
from triage.ranking.readers import Bools, Floats
from triage.ranking.scoring import Disclosed
from triage.reading.records import Record


@dataclass(frozen=True, slots=True)
class Fitted:
    """Says the same of every record: a share, by which two of them are told apart."""

    share: float

    @property
    def learnt_prevalence(self) -> float:
        """The share, here."""
        return self.share

    def disclose(self, records: Sequence[Record]) -> Disclosed:
        """Return the share for every family."""
        one = np.full(len(records), self.share)
        p_family = np.full((len(records), len(FAMILIES)), self.share)
        return Disclosed(p_family, one, one, Marks.of([()] * len(records)))

    def unrecorded(self, p_family: Floats, p_any: Floats, p_open: Floats, recorded: Bools) -> Floats:
        """Return the share."""
        return np.full(len(p_any), self.share)
