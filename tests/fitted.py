"""A fitted model that takes no time to build, and a promotion nobody recorded, for registry tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from triage.language.offences import FAMILIES
from triage.learning.champion import Promotion, followed_by
from triage.learning.signing import Signer
from triage.ranking.layers import Chances, Unrecorded
from triage.ranking.marks import Ints, Marks
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
        return Disclosed(Chances.plain(p_family, one), Marks.of([()] * len(records)))

    def unrecorded(self, chances: Chances, recorded: Ints) -> Unrecorded:
        """Return the share."""
        return Unrecorded.plain(np.full(len(recorded), self.share))


def forged(log: Sequence[Promotion], model_id: str, signer: Signer) -> Promotion:
    """Return a well-formed promotion on top of a log, of which no audit log heard."""
    return followed_by(
        log,
        act="promote",
        model_id=model_id,
        previous=log[-1].model_id if log else "",
        manifest_sha256="0" * 64,
        actor="the.registrar",
        at=datetime(2026, 10, 14, tzinfo=UTC),
        reason="forged",
        signer=signer,
    )
