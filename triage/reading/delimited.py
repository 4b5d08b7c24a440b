"""Rows of a text file as forces export them, whatever its encoding, and what messages show of them."""

from __future__ import annotations

import codecs
import csv
import re
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, dropwhile, islice
from pathlib import Path

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
_NAME_IT = 'say which with encoding = "..." in the mapping file, or export the file again as UTF-8'
_BLOCK_BYTES = 2**20
#: Characters of several bytes; no surrogate, no longer form than needed, none beyond the last.
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|(?!\xe0[\x80-\x9f]|\xed[\xa0-\xbf])[\xe0-\xef][\x80-\xbf]{2}"
    rb"|(?!\xf0[\x80-\x8f]|\xf4[\x90-\xbf])[\xf0-\xf4][\x80-\xbf]{3}"
)
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
    chosen = _encoding_of([data], lambda: data, encoding, where)
    return data.decode(chosen).removeprefix("\ufeff").replace("\0", "\ufffd"), chosen


def encoding_of(path: Path, encoding: str | None, where: str) -> str:
    """Return the encoding of a file, as ``decode`` finds it, without holding the file in memory.

    Raises
    ------
    ExtractError
        As ``decode`` does.
    """
    with path.open("rb") as file:
        return _encoding_of(iter(lambda: file.read(_BLOCK_BYTES), b""), path.read_bytes, encoding, where)


def file_lines(path: Path, encoding: str) -> Iterator[str]:
    """Give the lines of a text file with their ends, as ``decode`` reads it."""
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline().removeprefix("\ufeff")
        for line in chain([first] if first else [], file):
            yield line.replace("\0", "\ufffd") if "\0" in line else line


def _encoding_of(
    blocks: Iterable[bytes], whole: Callable[[], bytes], encoding: str | None, where: str
) -> str:
    blocks = iter(blocks)
    first = next(blocks, b"")
    bom = next((name for mark, name in _BOMS if first.startswith(mark)), None)
    chosen = encoding or bom or "utf-8"
    if bom is None and codecs.lookup(chosen).name in ("utf-16", "utf-32"):
        chosen = f"{codecs.lookup(chosen).name}-{sys.byteorder[0]}e"
    position, size, noughts = _first_fault(chain([first], blocks), chosen)
    if encoding is None and bom is None:
        mend = _NAME_IT
        if noughts > size // 4:
            raise ExtractError("the file looks like UTF-16 without a byte order mark", where=where, mend=mend)
        if position is not None:
            data = whole()
            multibyte = len(_MULTIBYTE.findall(data))
            others = len(_HIGH.findall(_MULTIBYTE.sub(b"", data)))
            if multibyte > others:
                raise ExtractError(
                    f"the file is mostly UTF-8 but {others} places in it are not", where=where, mend=mend
                )
            chosen = _FALLBACK
            position, _, _ = _first_fault([data], chosen)
    if position is not None:
        line = whole().count(b"\n", 0, position) + 1
        raise ExtractError(
            f"byte {position} (line {line}) is no text in {chosen}", where=where, mend=_NAME_IT
        )
    return chosen


def _first_fault(blocks: Iterable[bytes], encoding: str) -> tuple[int | None, int, int]:
    """Return where the bytes first are no text, None if nowhere; and how many they and the NULs are."""
    decoder = codecs.getincrementaldecoder(encoding)()
    position, size, noughts = None, 0, 0
    for block in chain(blocks, [b""]):
        if position is None:
            held = decoder.getstate()[0] if size else b""
            # The error is not passed on: it carries the bytes of the text.
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                position = size - len(held) + error.start
            except UnicodeError:
                position = 0
        size += len(block)
        noughts += block.count(0)
    return position, size, noughts


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
    lines: Callable[[], Iterator[str]], delimiter: str | None, wanted: Collection[str], where: str
) -> tuple[list[str], Iterator[list[str] | str]]:
    """Return the header names and an iterator of the data rows; a row that is none is the name of its rule.

    Parameters
    ----------
    lines : callable
        Begins to read the file's lines, with their ends, from the first one.
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
    separator = _SEPARATOR_LINE.fullmatch(next(lines(), ""))
    skipped = 1 if separator else 0
    if separator:
        delimiter = delimiter or separator[1]
    begun = _from_header(lines, skipped)
    if next(begun, None) is None:
        raise ExtractError(
            "the file is empty, without even a header line", where=where, mend="export it again"
        )
    delimiter = delimiter or _delimiter(lines, skipped, wanted)
    rows = _rows(lambda: islice(lines(), skipped, None), delimiter, where)
    header = next(rows)
    if isinstance(header, str):
        raise ExtractError("the header line has a quote out of place", where=where, mend="export it again")
    return [name.strip() for name in header], _counted(rows, len(header))


def _from_header(lines: Callable[[], Iterator[str]], skipped: int) -> Iterator[str]:
    return dropwhile(lambda line: not line.strip("\r\n"), islice(lines(), skipped, None))


def _counted(rows: Iterator[list[str] | str], width: int) -> Iterator[list[str] | str]:
    for row in rows:
        yield row if isinstance(row, str) or len(row) == width else "wrong_field_count"


def _delimiter(lines: Callable[[], Iterator[str]], skipped: int, wanted: Collection[str]) -> str:
    best, best_score = DELIMITERS[0], (-1, -1)
    for delimiter in DELIMITERS:
        try:
            header = next(csv.reader(_from_header(lines, skipped), delimiter=delimiter))
        except csv.Error:
            continue
        names = {name.strip() for name in header}
        score = (len(names & set(wanted)), len(header))
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _rows(lines: Callable[[], Iterator[str]], delimiter: str, where: str) -> Iterator[list[str] | str]:
    given = 0
    try:
        for row in csv.reader(lines(), delimiter=delimiter, strict=True):
            if row:
                given += 1
                yield row
    except csv.Error:
        # From here on with more care, and more time.
        yield from islice(_parsed(_Lines(lines()), delimiter, where), given, None)


class _Lines:
    """Lines that can be read again from the beginning of the row that they stand in."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._of_row: list[str] = []
        self.before = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._of_row.append(line)
        return line

    def end_row(self) -> None:
        """Forget the lines read so far."""
        self.before += len(self._of_row)
        self._of_row.clear()

    def begin_again(self) -> None:
        """Read the lines of this row again."""
        self._again.extendleft(reversed(self._of_row))
        self._of_row.clear()


def _parsed(lines: _Lines, delimiter: str, where: str) -> Iterator[list[str] | str]:
    """Yield the rows; after a quote out of place, read on at the very next line so that none is swallowed."""
    while True:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            for row in reader:
                lines.end_row()
                if row:
                    yield row
            return
        except csv.Error:
            lines.begin_again()
            line, closed = _quote(lines, delimiter)
            lines.begin_again()
        if not closed:
            raise ExtractError(
                f"a quote that opens at line {lines.before + line + 1} is never closed",
                where=where,
                mend="close it or export the file again; quotes inside a text are written twice",
            )
        yield "broken_quotes"
        next(lines)
        lines.end_row()


def _quote(lines: Iterator[str], delimiter: str) -> tuple[int, bool]:
    """Return the line of the last quote that opens in the row that begins, and whether it ever closes."""
    opened, quoted = 0, False
    for number, whole in enumerate(lines):
        at_field, line, here = not quoted, whole.rstrip("\r\n"), 0
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
