"""How many crimes of each family are recorded for a record, by the rules of the day of its report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache

import numpy as np

from triage.language.coverage import covered_families
from triage.language.offences import FAMILIES, family_of
from triage.ranking.marks import Ints
from triage.reading.claims import canonical
from triage.reading.records import Crime
from triage.settings import Settings


def recorded_count(crimes: Iterable[Crime], on: date) -> Ints:
    """Return how many crimes of each family are recorded on a day, or account for it, shape (families,).

    Crimes that were cancelled or transferred, and codes that no family knows, count for nothing; a family
    that only another one's crime accounts for counts as one.
    """
    return np.asarray(recorded_counts([tuple(crimes)], [on])[0])


def recorded_counts(crimes: Sequence[Collection[Crime]], days: Sequence[date]) -> Ints:
    """Return how many crimes of each family are recorded for each record, shape (records, families).

    Parameters
    ----------
    crimes : sequence of collection of Crime
        The crimes of each record's matter.
    days : sequence of date
        The day of each record's report, as :func:`recorded_count` takes it.
    """
    counts = np.zeros((len(crimes), len(FAMILIES)), dtype=np.int64)
    for row, (found, on) in enumerate(zip(crimes, days, strict=True)):
        if found:
            codes = sorted(crime.offence_code for crime in each_once(found) if crime.status == "recorded")
            counts[row] = _counted(tuple(codes), on)
    return counts


def each_once(crimes: Collection[Crime]) -> Collection[Crime]:
    """Return each crime once, however its reference is written."""
    if len(crimes) < 2:
        return crimes
    return {canonical(each.crime_ref) or each.crime_ref: each for each in crimes}.values()


def local_day(opened_at: datetime, settings: Settings) -> date:
    """Return the day of a report as the force counts it, by which law and counting rules go."""
    return opened_at.astimezone(settings.zone).date()


@lru_cache(maxsize=4096)
def _counted(codes: tuple[str, ...], on: date) -> tuple[int, ...]:
    return counts_of([family for code in codes if (family := family_of(code))], on)


def counts_of(families: Sequence[str], on: date) -> tuple[int, ...]:
    """Return the same for the families of recorded crimes, each as often as it was recorded."""
    covered = covered_families(families, on)
    return tuple(max(families.count(family), family in covered) for family in FAMILIES)
