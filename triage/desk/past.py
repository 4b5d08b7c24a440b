"""A force's past records with their crimes, read from an extract as the night reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from triage.language.offences import unknown_codes
from triage.reading import check_rejected_share, mapping_for, read_extract, rejects_told
from triage.reading.linking import Matter, link
from triage.settings import Settings


@dataclass(frozen=True, slots=True)
class Past:
    """The matters of a past extract, the digest of its content, and what was read besides, for people."""

    matters: tuple[Matter, ...]
    digest: str
    said: str


def past_matters(folder: Path, settings: Settings) -> Past:
    """Return the matters of a past extract.

    Raises
    ------
    ExtractError
        If it cannot be read, or too many of its rows are rejected.
    """
    columns = mapping_for(folder, settings)
    mapped = columns.applied_to(settings)
    read = read_extract(folder, mapped, mapping=columns)
    check_rejected_share(read, mapped)
    linked = link(read, mapped)
    rejected = sum(count.rejected for count in read.counts.values())
    unknown = unknown_codes(crime.offence_code for crime in read.crimes)
    said = [f"{folder}: {len(read.records)} past records", f"{len(read.crimes)} crimes"]
    said += [f"{rejected} rows rejected"] if rejected else []
    said += [f"{len(linked.orphan_crimes)} crimes raised from none of them"] if linked.orphan_crimes else []
    said += (
        [f"offence codes that no family knows and nothing is learnt from: {', '.join(unknown)}"]
        if unknown
        else []
    )
    lines = [", ".join(said), *read.notes, *rejects_told(read.rejects)]
    return Past(linked.matters, read.digest, "\n    ".join(lines))
