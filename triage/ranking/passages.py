"""Passages: each clause of a text together with the one before it and the one behind it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from triage.language.text import Reading


def window_of(reading: Reading) -> sp.csr_matrix:
    """Return which clauses stand in the passage about each clause, shape (clauses, clauses).

    A passage never leaves its record, and an answer of a form is one by itself.

    >>> from datetime import UTC, datetime
    >>> from triage.language.text import read_texts
    >>> from triage.reading.records import Record
    >>> at = datetime(2026, 10, 14, tzinfo=UTC)
    >>> read = read_texts([Record("incidents", "A1", at, at, text) for text in ("One. Two. Three.", "Four.")])
    >>> window_of(read).toarray().astype(int).tolist()
    [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
    """
    owners, text = reading.owners, reading.questions == 0
    before = np.flatnonzero((owners[1:] == owners[:-1]) & text[1:] & text[:-1])
    own = np.arange(len(owners))
    rows, columns = np.concatenate([own, before, before + 1]), np.concatenate([own, before + 1, before])
    return sp.csr_matrix(
        (np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(len(owners), len(owners))
    )
