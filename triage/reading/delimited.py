"""Rows of a text file as forces export them, whatever its encoding, and what messages show of them."""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections.abc import Collection, Iterable, Iterator

from triage.errors import ExtractError
from triage.reading.mapping import DELIMITERS, SHOWN_CHARACTERS

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FALLBACK = "windows-1252"
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]+")
#: What a column's name looks like, as against a text that stands where names should.
_COLUMN_NAME = re.compile(rf"[\w #/.:-]{{1,{SHOWN_CHARACTERS}}}")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)


def decode(data: bytes, encoding: str | None, where: str) -> tuple[str, str]:
    """Return a file's text and the encoding it was read in.

    Without ``encoding``: by its byte order mark, else UTF-8, else Windows-1252, as older systems export.
    A NUL becomes U+FFFD, so that every offset stays that of the source.

    Raises
    ------
    ExtractError
        If the bytes are no text in that encoding, or mix two encodings.
    """
    mend = 'say which with encoding = "..." in the mapping file, or export the file again as UTF-8'
    chosen = encoding or next((name for bom, name in _BOMS if data.startswith(bom)), None)
    if chosen is None:
        chosen = "utf-8"
        if data.count(0) > len(data) // 4:
            raise ExtractError("the file looks like UTF-16 without a byte order mark", where=where, mend=mend)
        if not _is_text(data, chosen):
            multibyte = len(_MULTIBYTE.findall(data))
            others = len(_HIGH.findall(_MULTIBYTE.sub(b"", data)))
            if multibyte > others:
                raise ExtractError(
                    f"the file is mostly UTF-8 but {others} places in it are not", where=where, mend=mend
                )
            chosen = _FALLBACK
    position = _first_fault(data, chosen)
    if position is not None:
        line = data.count(b"\n", 0, position) + 1
        raise ExtractError(f"byte {position} (line {line}) is no text in {chosen}", where=where, mend=mend)
    text = data.decode(chosen)
    return text.removeprefix("\ufeff").replace("\0", "\ufffd"), chosen


def _is_text(data: bytes, encoding: str) -> bool:
    return _first_fault(data, encoding) is None


def _first_fault(data: bytes, encoding: str) -> int | None:
    # The error is not passed on: it carries the bytes of the text.
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start
    except UnicodeError:
        return 0
    return None


def json_lines(text: str, where: str) -> list[str]:
    """Return the lines of a JSONL file that are not blank.

    Raises
    ------
    ExtractError
        If the file is one JSON array, or its lines end in carriage returns alone.
    """
    whole = text.strip()
    if whole.startswith("["):
        raise ExtractError(
            "the file is one JSON array, not JSONL",
            where=where,
            mend="write one object per line, no brackets",
        )
    if "\r" in whole and "\n" not in text:
        raise ExtractError(
            "the lines of the file end in carriage returns (CR) alone",
            where=where,
            mend="write one object per line, each ended by a line feed (LF)",
        )
    return [line for line in text.split("\n") if line.strip()]


def shown(columns: Iterable[str], wanted: Collection[str]) -> str:
    """Return column names for a message; none where the header may be a row of data.

    >>> shown(["record_ref", "She said: no, he hit me"], ["record_ref"])
    'record_ref and 1 whose name is not shown'
    """
    names = list(columns)
    if not set(names) & set(wanted):
        return f"{len(names)} names, none of them known"
    fit = [name for name in names if _COLUMN_NAME.fullmatch(name)]
    hidden = len(names) - len(fit)
    rest = [f"{hidden} whose name is not shown"] if hidden else []
    return " and ".join([", ".join(fit), *rest] if fit else rest)


def read_rows(
    text: str, delimiter: str | None, wanted: Collection[str], where: str
) -> tuple[list[str], Iterator[list[str] | str]]:
    """Return the header names and an iterator of the data rows; a row that is none is the name of its rule.

    Parameters
    ----------
    text : str
        The file.
    delimiter : str or None
        One character; None finds it from the header.
    wanted : collection of str
        Column names that the header is expected to hold; they tell the delimiter.
    where : str
        Name of the file, for messages.

    Raises
    ------
    ExtractError
        If there is no header, or a quote is never closed.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    separator = _SEPARATOR_LINE.match(text)
    if separator:
        text, delimiter = text[separator.end() :], delimiter or separator[1]
    lines = io.StringIO(text, newline="").readlines()
    first = next((number for number, line in enumerate(lines) if line.strip("\r\n")), None)
    if first is None:
        raise ExtractError(
            "the file is empty, without even a header line", where=where, mend="export it again"
        )
    delimiter = delimiter or _delimiter(lines, first, wanted)
    rows = _parsed(lines, first, delimiter, where)
    header = next(rows)
    if isinstance(header, str):
        raise ExtractError("the header line has a quote out of place", where=where, mend="export it again")
    return [name.strip() for name in header], _counted(rows, len(header))


def _counted(rows: Iterator[list[str] | str], width: int) -> Iterator[list[str] | str]:
    for row in rows:
        yield row if isinstance(row, str) or len(row) == width else "wrong_field_count"


def _delimiter(lines: list[str], first: int, wanted: Collection[str]) -> str:
    best, best_score = DELIMITERS[0], (-1, -1)
    for delimiter in DELIMITERS:
        try:
            header = next(csv.reader(lines[first:], delimiter=delimiter))
        except csv.Error:
            continue
        names = {name.strip() for name in header}
        score = (len(names & set(wanted)), len(header))
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _parsed(lines: list[str], first: int, delimiter: str, where: str) -> Iterator[list[str] | str]:
    """Yield the rows; after a quote out of place, read on at the very next line so that none is swallowed."""
    start, end = first, len(lines)
    while start < end:
        reader = csv.reader((lines[n] for n in range(start, end)), delimiter=delimiter, strict=True)
        done = 0
        try:
            for row in reader:
                done = reader.line_num
                if row:
                    yield row
            return
        except csv.Error:
            line, closed = _quote(lines, start + done, delimiter)
        if not closed:
            raise ExtractError(
                f"a quote that opens at line {line + 1} is never closed",
                where=where,
                mend="close it or export the file again; quotes inside a text are written twice",
            )
        yield "broken_quotes"
        start += done + 1


def _quote(lines: list[str], start: int, delimiter: str) -> tuple[int, bool]:
    """Return the line of the last quote that opens in the row at ``start``, and whether it ever closes."""
    opened, quoted = start, False
    for number in range(start, len(lines)):
        at_field, line, here = not quoted, lines[number].rstrip("\r\n"), 0
        while here < len(line):
            if quoted and line[here] == '"':
                if line[here + 1 : here + 2] == '"':
                    here += 1
                else:
                    quoted = False
                    if line[here + 1 : here + 2] not in ("", delimiter):
                        return opened, True
            elif at_field and line[here] == '"':
                opened, quoted = number, True
            at_field = not quoted and line[here] == delimiter
            here += 1
        if not quoted:
            return opened, True
    return opened, False
