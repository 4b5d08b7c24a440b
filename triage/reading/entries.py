"""Where the entries of a log begin and end: its time-stamped lines, found in the text as it was exported."""

from __future__ import annotations

import re
from dataclasses import dataclass

from triage.reading.records import Entry

# Source: the style of logs in domain.md section 6 and the invented corpus: 24-hour times, one entry a line,
# or several on a line after " | ", "//" or the end of a sentence.
_PLACE = (
    r"(?:(?P<line>^|\n|\r)[ \t]*(?:[-*•][ \t]*)?|(?P<separator>\||//)[ \t]*"
    r"|(?P<stop>[.?!][)'\"’”]*)[ \t]+)"
)
_DATE = (
    r"(?:(?:\d{4}-\d{2}-\d{2}|\d{1,2}[/.-]\d{1,2}(?:[/.-](?:\d{4}|\d{2}))?"
    r"|\d{1,2}[ -]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*(?:[ -]?\d{2,4})?)[T, ][ ]?)"
)
_COLON = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_BARE = r"(?:[01]\d|2[0-3])[0-5]\d"
_POINT = r"(?:[01]\d|2[0-3])\.[0-5]\d"
_STAMP = re.compile(
    rf"{_PLACE}(?P<stamp>[\[(<]?(?P<date>{_DATE})?(?P<clock>{_COLON}|{_BARE}|{_POINT})"
    r"(?P<hours>[ ]?(?:hrs?|hours)\b\.?)?[\])>]?)(?=\s|[:,;]\s|[ ]?[-–—]\s|$)",
    re.IGNORECASE,
)
#: What follows a number that is no time: an amount, or the rest of a telephone number.
_NO_TIME = re.compile(
    r"[ ](?:\d{3}[ -]?\d{3,4}\b|(?:pounds?|quid|euros?|dollars?|miles?|metres?|meters?|yards?|feet|people"
    r"|persons|times|years?|and \d|to \d|[-–] ?\d))",
    re.IGNORECASE,
)
_AUTHOR = re.compile(
    r"[ \t]*[:,-]?[ \t]*(?P<author>(?:CALL|UPD|RES|SUPV|SYS|DISP)(?:[ ][A-Z]{1,5}[/ ]?\d{1,5})?"
    r"|(?:PC|PS|DC|DS|PCSO|INSP|SGT|CT|OP|WPC)[ ]?\d{1,5}|[A-Z]{1,5}/?\d{1,5})(?=[\s:,;-]|$)"
)
_YEAR_LIKE = range(1900, 2060)
_SUPPORT_MINUTES = 240


@dataclass(frozen=True, slots=True)
class _Candidate:
    start: int
    after: int
    clock: str
    minutes: int
    year_like: bool


def split_entries(text: str) -> tuple[Entry, ...]:
    """Return the entries of a log: contiguous, in order, together the whole text.

    A stamp counts at the start of a line, after ``|`` or ``//``, or after the end of a sentence. Four digits
    that may be a year (1900 to 2059) count only beside another stamp of the same four hours. A text without
    a stamp is one entry; an empty text has none.

    >>> log = "22:14 CALL: HE HIT ME. 22:31 UPD TA12: ALL QUIET"
    >>> [(entry.clock, entry.author, log[entry.start : entry.end]) for entry in split_entries(log)]
    [('22:14', 'CALL', '22:14 CALL: HE HIT ME. '), ('22:31', 'UPD TA12', '22:31 UPD TA12: ALL QUIET')]
    >>> [entry.clock for entry in split_entries("She owes £2200. 2019 was a bad year.")]
    ['']
    """
    if not text:
        return ()
    stamps = _supported(_candidates(text))
    if not stamps:
        return (Entry(0, len(text)),)
    starts = [stamp.start for stamp in stamps]
    head: tuple[Entry, ...] = ()
    if text[: starts[0]].strip():
        head = (Entry(0, starts[0]),)
    else:
        starts[0] = 0
    ends = [*starts[1:], len(text)]
    return head + tuple(
        Entry(start, end, stamp.clock, _author(text, stamp.after))
        for start, end, stamp in zip(starts, ends, stamps, strict=True)
    )


def _candidates(text: str) -> list[_Candidate]:
    found = []
    for match in _STAMP.finditer(text):
        clock, after = match["clock"], match.end()
        in_sentence = match["stop"] is not None
        if in_sentence and ("." in clock or match["hours"]):
            continue
        if ":" not in clock and _NO_TIME.match(text, after):
            continue
        digits = clock.replace(".", ":").split(":") if not clock.isdigit() else [clock[:2], clock[2:]]
        found.append(
            _Candidate(
                start=match.start("stamp"),
                after=after,
                clock=clock,
                minutes=int(digits[0]) * 60 + int(digits[1]),
                year_like=clock.isdigit() and match["date"] is None and int(clock) in _YEAR_LIKE,
            )
        )
    return found


def _supported(candidates: list[_Candidate]) -> list[_Candidate]:
    """Keep what is surely a time, and what may be a year only beside such a time."""
    kept = [not candidate.year_like for candidate in candidates]
    if candidates and candidates[0].year_like and candidates[0].start == 0:
        kept[0] = len(candidates) > 1 and _follows(candidates[0], candidates[1])
    order = [*range(len(candidates)), *reversed(range(len(candidates)))]
    for here in order:
        before, after = here - 1, here + 1
        kept[here] = (
            kept[here]
            or (before >= 0 and kept[before] and _follows(candidates[before], candidates[here]))
            or (after < len(kept) and kept[after] and _follows(candidates[here], candidates[after]))
        )
    return [candidate for candidate, keep in zip(candidates, kept, strict=True) if keep]


def _follows(earlier: _Candidate, later: _Candidate) -> bool:
    return (later.minutes - earlier.minutes) % (24 * 60) <= _SUPPORT_MINUTES


def _author(text: str, after: int) -> str:
    match = _AUTHOR.match(text, after)
    return match["author"] if match else ""
