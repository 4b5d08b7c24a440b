"""A force's past records with their crimes, read from an extract as the night reads it."""

from __future__ import annotations

from pathlib import Path

from triage.reading import check_rejected_share, mapping_for, read_extract
from triage.reading.linking import Matter, link
from triage.settings import Settings


def past_matters(folder: Path, settings: Settings) -> tuple[tuple[Matter, ...], str]:
    """Return the matters of a past extract, and the digest of its content.

    Raises
    ------
    ExtractError
        If it cannot be read, or too many of its rows are rejected.
    """
    columns = mapping_for(folder, settings)
    mapped = columns.applied_to(settings)
    read = read_extract(folder, mapped, mapping=columns)
    check_rejected_share(read, mapped)
    return link(read, mapped).matters, read.digest
