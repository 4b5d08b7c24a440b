"""References that a text names as already recorded, and whether the extract bears them out.

A reference in a text ("CR 42/123/26", "dup of log 117") is what a writer claims, not what exists: only the
crimes table and the records decide. Nothing here changes what a record discloses.

Source: domain.md 9, point 2 (claims are to be verified), 6.2 and 6.3 (how logs write them), and the reference
forms of training_data/corpus.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from triage.reading.cues import is_of_other_force, is_of_other_occasion

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Claim:
    """A reference that a text names, as character offsets, and whether the crimes table bears it out.

    ``kind`` is ``crime``, ``n100`` or ``duplicate``; ``status`` is ``verified`` (a crime or record of the
    extract has this reference), ``other_occasion`` (a crime has it, of which the text says that it is another
    matter's), ``unknown`` or ``other_force``. ``reference`` is as written; where a crime or record of the
    extract has it, it is as written there.
    """

    kind: str
    reference: str
    start: int
    end: int
    status: str


_RANGE_MOST = 20
_RANGE = re.compile(r"(\d{2}/)(\d{5})-(\d{1,2})")

# A number with one or two separators, or a long bare one; times, dates in words and telephone numbers with a
# leading nought do not come this far.
_NUMBER = re.compile(
    r"(?<![\w/.:£-])(?:(?i:cr|[a-z]{2})/|[A-Z]{2}-)?(?:\d{1,8}(?:[/-]\d{2,7}){1,2}|\d{5,11})(?![\w:£]|[/-]\w|\.\d)"
)
# Every such number begins with digits, or three characters before them. In a text of ASCII they are found in
# half the time where each digit is the same one: the search goes from one byte to the next.
_DIGITS = re.compile(r"\d[\d/-]{3,}")
_NOUGHTS = re.compile(rb"0[0/]{3,}")
_AS_NOUGHTS = bytes(
    ord("0") if chr(byte) in "0123456789" else ord("/") if chr(byte) in "/-" else ord(" ")
    for byte in range(256)
)
_CRIME_CUE = re.compile(
    r"\b(?:crimes?|crimed|crns?|cr|occ|occurrence|niche|cris|n100)\b[\s:.#-]*"
    r"(?:(?:refs?|reference|no|num|number|occ|raised|recorded|created|is|as|under|given|then|now|the|put|on)\b"
    r"[\s:.#-]*){0,4}$",
    re.IGNORECASE,
)
# One of these stands in every such cue.
_CUE_LETTERS = ("cr", "occ", "niche", "n100")
_N100_BEFORE = re.compile(r"\bN100\b[^\d;]{0,40}$", re.IGNORECASE)
_N100_AFTER = re.compile(r"^\s*[(,-]?\s*N100\b", re.IGNORECASE)
_PAPERS = (
    *("ppn", "form", "dash", "dara", "do1", "po1", "lp", "property", "misper", "intel", "referral", "rtc"),
    *("reply", "strategy", "meeting", "log", "cad", "fwin", "inc", "incident", "storm", "ois", "job", "tel"),
    *("mob", "phone", "imei", "standard"),
)
_OTHER_PAPER_BEFORE = re.compile(rf"\b(?:{'|'.join(_PAPERS)})\b[\s\w:,#'-]{{0,14}}$", re.IGNORECASE)
_OTHER_PAPER_AFTER = re.compile(
    r"^\s*(?:is\s+)?(?:(?:the|your|our|my)\s+)?(?:property|misper|log|ppn|form|ncd"
    r"|for (?:his|her|the|their))\b",
    re.IGNORECASE,
)

_MONTHS = r"(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"
_LOG_NAMED = r"\b(?:logs?|incident|inc|cad|storm|fwin|ois|job)\b\s*(?:refs?|no|num|number)?[\s.:#]*"
_DUPLICATE_CUE = (
    r"\b(?:dup(?:licates?|licated|e)?|see|linked|same as|same job as|refers? to|already on|repeat of|tied to"
    r"|follow-?\s?up to)\b"
)


def _log_number(place: str) -> str:
    """Return the pattern of a log number: ``0011`` of ``0011/17 MAY``, or all of ``4471/23``."""
    return (
        rf"(?:(?P<dated{place}>\d{{1,6}})(?=/\d{{1,2}}\s?{_MONTHS})"
        rf"|(?P<plain{place}>(?:[A-Z]{{2,4}}[/-])?\d{{1,8}}(?:[/-]\d{{1,8}}){{0,2}})(?![\w:£]|[/-]\w|\.\d))"
    )


_DUPLICATE = re.compile(
    rf"{_DUPLICATE_CUE}[^.;\d]{{0,25}}?{_LOG_NAMED}{_log_number('1')}"
    rf"|\bdup(?:licate)?\s+(?:of|with)\s+(?:{_LOG_NAMED})?{_log_number('2')}"
    rf"|{_LOG_NAMED}{_log_number('3')}(?:\s+of\s+[\d/.]{{4,10}})?\s+refers\b",
    re.IGNORECASE,
)
# The same without looking ahead or at the bounds of words: found wherever those above are, a hundred times as
# fast, in the syntax of the regex crate (https://docs.rs/regex), whose blanks do not include the separators.
_A_NUMBER = r"(?:[A-Z]{2,4}[/-])?\d"
_ROUGH_NUMBER = r"\d[/-]\d\d|\d{5}"
#: No number of a reference has more digits.
_DIGITS_MOST = 11
_DIGITS_ONLY = re.compile(rf"[0-9]{{1,{_DIGITS_MOST}}}")
_ROUGH_RANGE = r"\d{2}/\d{5}-\d"
_ROUGH_LOG = rf"{_LOG_NAMED}{_A_NUMBER}|dup(?:licate)?\s+(?:of|with)\s+{_A_NUMBER}"
_ROUGH_DUPLICATE = (
    rf"{_DUPLICATE_CUE}[^.;\d]{{0,25}}{_LOG_NAMED}{_A_NUMBER}"
    rf"|dup(?:licate)?\s+(?:of|with)\s+(?:{_LOG_NAMED})?{_A_NUMBER}"
    rf"|{_LOG_NAMED}[A-Z\d/-]+(?:\s+of\s+[\d/.]{{4,10}})?\s+refers"
)
_NUMBER_GROUPS = tuple(name + place for place in "123" for name in ("dated", "plain"))

_LEADING_WORD = re.compile(
    r"^(?:CRIMES?|CRNS?|CR|OCCURRENCE|OCC|NICHE|N100)(?=[\s/.:#-]|\d)(?:[\s/.:#-]*(?:REF|NO|NUMBER)\b)?[\s/.:#-]*"
)


_RUN = re.compile(r"[^\W_]+")
_BETWEEN = re.compile(r"[/-]")
# The year of a reference of three parts, written in full.
_LONG_YEAR = re.compile(r"^([^/]+/[^/]+)/20([1-9][0-9])$")
# What a reference begins with where a crime word may have to go, or holds where letters are not only A to Z.
_CRIME_WORD_FIRST = r"^[^A-Z0-9]*(?:CR|OCC|NICHE|N100)|[^\x00-\x7f]"


def canonical(reference: str) -> str:
    """Return a reference as it compares: no crime word, one separator, no leading noughts, a short year.

    >>> canonical("CR 42/00123/26"), canonical("crime 42-123-2026"), canonical("14/05529")
    ('42/123/26', '42/123/26', '14/5529')
    """
    bare = _LEADING_WORD.sub("", reference.strip().upper())
    return _LONG_YEAR.sub(r"\1/\2", "/".join(_bare(part) for part in _RUN.findall(bare)))


def canonical_all(references: Sequence[str]) -> list[str]:
    """Return many references as ``canonical`` returns each.

    >>> canonical_all(["42/00123/2026", "CR 7", "é/05"])
    ['42/123/26', '7', 'É/5']
    """
    upper = pl.Series(references, dtype=pl.String).str.to_uppercase()
    others = upper.str.contains(_CRIME_WORD_FIRST).arg_true().to_list()
    # Each part stands between two bars of its own, so that one can be changed without the next.
    parts = upper.str.replace_all(r"[^A-Z0-9]+", "||").str.strip_chars("|")
    bare = ("|" + parts + "|").str.replace_all(r"\|0+([0-9]+)\|", "|$1|").str.strip_chars("|")
    joined = bare.str.replace_all("||", "/", literal=True)
    found: list[str] = joined.str.replace(_LONG_YEAR.pattern, "$1/$2").to_list()
    for place in others:
        found[place] = canonical(references[place])
    return found


def _bare(part: str) -> str:
    return (part.lstrip("0") or "0") if part.isdigit() else part


def tail_parts(reference: str) -> tuple[str, ...]:
    """Return the runs of letters and of digits of a log reference, as its tail is compared.

    >>> tail_parts("XX-20261103-0417"), tail_parts("INC00417")
    (('XX', '20261103', '417'), ('INC', '417'))
    """
    return tuple(_bare(part) for part in re.findall(r"[^\W\d_]+|\d+", reference.upper()))


def _shape(reference: str) -> str:
    """Return ``full`` (a crime reference by its form), ``cued`` (one beside a crime word) or nothing."""
    parts = _BETWEEN.split(reference)
    lengths = [len(part) for part in parts]
    lettered = parts[0].isalpha()
    year = lengths[-1] == 2 or (lengths[-1] == 4 and parts[-1].startswith("20"))
    if len(parts) == 3 and (lettered or lengths[0] <= 3) and 3 <= lengths[1] <= 7 and year:
        return "full"
    if len(parts) == 2 and not lettered:
        if (lengths[0] >= 6 and lengths[1] == 2) or (lengths[0] == 2 and lengths[1] == 5):
            return "full"
        return "cued" if lengths[0] <= 3 <= lengths[1] or (lengths[0] == 5 and lengths[1] == 2) else ""
    if len(parts) == 2:
        return "cued" if lengths[1] >= 3 else ""
    if len(parts) == 1 and lengths[0] == 11:
        return "full" if not reference.startswith("0") else ""
    return "cued" if len(parts) == 1 and lengths[0] <= 8 else ""


def _expanded(reference: str) -> tuple[str, ...]:
    """Return the references of a range such as ``14/40021-23``, or the reference alone."""
    found = _RANGE.fullmatch(reference)
    if not found:
        return (reference,)
    first = int(found[2])
    last = int(found[2][: -len(found[3])] + found[3])
    if not first < last <= first + _RANGE_MOST:
        return (f"{found[1]}{found[2]}",)
    return tuple(f"{found[1]}{number:05d}" for number in range(first, last + 1))


def _numbers(text: str) -> Iterator[re.Match[str]]:
    ascii_ = text.isascii()
    for digits in (
        _NOUGHTS.finditer(text.encode().translate(_AS_NOUGHTS)) if ascii_ else _DIGITS.finditer(text)
    ):
        at = digits.start()
        prefixed = at >= 3 and text[at - 1] in "/-"
        found = _NUMBER.match(text, at - 3 if prefixed else at)
        if found:
            yield found


def _crime_claims(text: str) -> Iterator[Claim]:
    for found in _numbers(text):
        expanded = _expanded(found.group())
        shape = _shape(expanded[0])
        if not shape:
            continue
        start, end = found.span()
        before, after = text[max(0, start - 48) : start], text[end : end + 24]
        n100 = bool(
            ("100" in before and _N100_BEFORE.search(before))
            or ("100" in after and _N100_AFTER.search(after))
        )
        if not n100 and not _is_cued(before) and (shape != "full" or _is_of_other_paper(before, after)):
            continue
        for reference in expanded:
            yield Claim("n100" if n100 else "crime", reference, start, end, "unknown")


def _is_cued(before: str) -> bool:
    folded = before.casefold()
    return any(letters in folded for letters in _CUE_LETTERS) and bool(_CRIME_CUE.search(before))


def _is_of_other_paper(before: str, after: str) -> bool:
    folded = before.casefold()
    named = any(word in folded for word in _PAPERS) and _OTHER_PAPER_BEFORE.search(before)
    return bool(named or _OTHER_PAPER_AFTER.search(after))


def _duplicate_claims(text: str) -> Iterator[Claim]:
    for found in _DUPLICATE.finditer(text):
        name = next(group for group in _NUMBER_GROUPS if found[group] is not None)
        yield Claim("duplicate", found[name], found.start(name), found.end(name), "unknown")


def _rough(pattern: str) -> str:
    blank = r"[\s\x1c-\x1f]"
    return "(?i)" + pattern.replace(r"\b", "").replace(r"[\s.:#]", rf"[{blank}.:#]").replace(r"\s", blank)


def find_all_claims(texts: pl.Series, only: Ints | None = None) -> Iterator[tuple[int, tuple[Claim, ...]]]:
    """Give the place of each text that names something, with what ``find_claims`` finds in it.

    Parameters
    ----------
    texts : polars.Series
        Of strings; most name nothing, which is found out for all of them at once.
    only : ndarray, optional
        ``largest_numbers`` of crimes: a text that names none of them, and no log, may be passed over.
    """
    logs = texts.str.contains(_rough(_ROUGH_LOG)).arg_true()
    duplicates = set(logs.filter(texts.gather(logs).str.contains(_rough(_ROUGH_DUPLICATE))).to_list())
    numbers = texts.str.contains(_ROUGH_NUMBER).arg_true()
    if only is not None:
        numbers = numbers.filter(_naming(texts.gather(numbers), only))
    places = sorted(duplicates.union(numbers.to_list()))
    for place, text in zip(places, texts.gather(places).to_list(), strict=True):
        claims = _found(text, duplicates=place in duplicates)
        if claims:
            yield place, claims


def largest_numbers(references: Iterable[str]) -> Ints:
    """Return the largest number in each ``canonical`` reference that a text can name.

    >>> largest_numbers(["42/123/26"]).tolist()
    [123]
    """
    parts = ([int(part) for part in each.split("/") if _DIGITS_ONLY.fullmatch(part)] for each in references)
    return np.array([max(numbers) for numbers in parts if numbers], dtype=np.int64)


def _naming(texts: pl.Series, wanted: Ints) -> pl.Series:
    """Return which texts hold one of the numbers, or a range of references."""
    sizes = texts.str.len_bytes().to_numpy().astype(np.int64)
    joined = f" {texts.str.join(' ')[0] or ''} ".encode()
    digits = np.frombuffer(joined, dtype=np.uint8) - np.uint8(ord("0"))  # below, it wraps round
    edges = np.flatnonzero(np.diff(digits <= 9)) + 1
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    values = np.zeros(len(starts), dtype=np.int64)
    for place in range(_DIGITS_MOST):
        longer = np.flatnonzero(lengths > place)
        values[longer] = values[longer] * 10 + digits[starts[longer] + place]
    hits = starts[(lengths <= _DIGITS_MOST) & np.isin(values, wanted)]
    found = np.zeros(len(texts), dtype=bool)
    found[np.searchsorted(np.cumsum(sizes + 1), hits)] = True
    return pl.Series(found) | texts.str.contains(_ROUGH_RANGE)


def find_claims(text: str) -> tuple[Claim, ...]:
    """Return what a text names as recorded elsewhere, in the order of the text, all yet ``unknown``.

    Parameters
    ----------
    text : str
        The record's text; offsets are characters of it.

    Source: reference forms of domain.md 6.3 and of training_data/corpus.

    >>> [(claim.kind, claim.reference) for claim in find_claims("CRIMED 42/70000/26. DUP OF LOG 117.")]
    [('crime', '42/70000/26'), ('duplicate', '117')]
    """
    return _found(text, duplicates=True)


def _found(text: str, *, duplicates: bool) -> tuple[Claim, ...]:
    found = list(_duplicate_claims(text)) if duplicates else []
    taken = {claim.start for claim in found}
    found += [claim for claim in _crime_claims(text) if claim.start not in taken]
    return tuple(sorted(found, key=lambda claim: (claim.start, claim.reference, claim.kind)))


def _other_force(claim: Claim, text: str, own: Collection[str]) -> bool:
    written = _BETWEEN.split(claim.reference.upper())
    if written[0] == "CR":
        written = written[1:]
    prefixed = claim.kind != "duplicate" and len(written) > 1 and len(written[0]) <= 3
    if own and prefixed:
        return _bare(written[0]) not in own
    return is_of_other_force(text, claim.start, claim.end)


def check_claims(
    claims: Sequence[Claim],
    text: str,
    *,
    crimes: Mapping[str, str],
    records: Collection[str] = frozenset(),
    log_named: Callable[[str], str | None] = lambda _: None,
    own_force_prefixes: Sequence[str] = (),
) -> tuple[Claim, ...]:
    """Return the claims with their status; a crime claim that is only a record's own reference is left out.

    Parameters
    ----------
    claims : sequence of Claim
        What ``find_claims`` returned for this text.
    text : str
        The record's text.
    crimes : mapping of str to str
        ``canonical`` crime reference to the reference in the crimes table.
    records : collection of str
        ``canonical`` references of the records of the extract, which are no crimes.
    log_named : callable
        Returns the reference of the one record that a log number means, None where none or several fit.
    own_force_prefixes : sequence of str
        First parts of this force's crime references; where empty, only a cue in words tells another force's.
        A reference that the crimes table holds is never another force's, whatever stands beside it.
    """
    own = {_bare(prefix.strip().upper()) for prefix in own_force_prefixes}
    checked = []
    for claim in claims:
        compared = canonical(claim.reference)
        if claim.kind == "duplicate" and _shape(claim.reference) == "full" and compared in crimes:
            # "Duplicate of 42/123/26" names a crime, where one has this reference.
            claim = replace(claim, kind="crime")
        if claim.kind == "duplicate":
            reference = log_named(claim.reference)
        else:
            reference = crimes.get(compared)
            if reference is None and compared in records:
                continue
        if reference is not None:
            other = claim.kind != "duplicate" and is_of_other_occasion(text, claim.start, claim.end)
            status = "other_occasion" if other else "verified"
            checked.append(replace(claim, reference=reference, status=status))
        elif _other_force(claim, text, own):
            checked.append(replace(claim, status="other_force"))
        else:
            checked.append(claim)
    return tuple(checked)
