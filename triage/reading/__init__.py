"""Reads an extract: files or a database of one night become records, crimes and rejected rows.

It never guesses a missing value, never drops a row without a trace, and never puts a record's text into
a message.
"""

from triage.reading.entries import split_entries
from triage.reading.extract import read_extract
from triage.reading.mapping import Mapping, load_mapping, mapping_for
from triage.reading.records import Crime, Entry, Extract, Record, RejectedRow, TableCount
from triage.reading.rejects import RULES, check_rejected_share, rejects_told, write_rejects

__all__ = [
    "RULES",
    "Crime",
    "Entry",
    "Extract",
    "Mapping",
    "Record",
    "RejectedRow",
    "TableCount",
    "check_rejected_share",
    "load_mapping",
    "mapping_for",
    "read_extract",
    "rejects_told",
    "split_entries",
    "write_rejects",
]
