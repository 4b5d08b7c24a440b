"""The offence families and which Home Office code belongs to which, from ``offences.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from types import MappingProxyType

_TABLE = tomllib.loads(files("triage.language").joinpath("offences.toml").read_text(encoding="utf-8"))

#: Names of the families, in the order of every array and column.
FAMILIES: tuple[str, ...] = tuple(_TABLE["families"])
#: Family name to the title that people read.
TITLES = MappingProxyType({name: str(entry["title"]) for name, entry in _TABLE["families"].items()})
#: A report of rape that is not yet a confirmed crime (domain.md 1.6); it stands beside the families.
N100 = "n100"
#: Stands for codes too long, or with characters too odd, to be shown.
UNPRINTABLE = "unprintable"
_SHOWN_CHARACTERS_MAX = 20


def _families_by(column: str) -> dict[str, str]:
    return {each: name for name, entry in _TABLE["families"].items() for each in entry.get(column, ())}


_BY_CODE, _BY_CLASS = _families_by("codes"), _families_by("classes")
_CODE = re.compile(r"([0-9]{1,3}) ?([A-Z]?)(?:(?: ?[/.] ?| )([0-9]{1,2}))?")


def family_of(offence_code: str) -> str | None:
    """Return the family of a Home Office code or family name, ``n100``, or None where nothing knows it.

    An exact code goes before its class: ``8/77`` is strangulation, while class 8 alone tells nothing.

    Parameters
    ----------
    offence_code : str
        A code such as ``105/01``, a class such as ``19C`` or ``39`` (leading noughts may be missing), or the
        name of a family.

    Source: domain.md section 5; N100: HMICFRS glossary, domain.md 1.6.

    >>> family_of("105/01"), family_of("8/6"), family_of("rape"), family_of("N100"), family_of("999/99")
    ('violence_without_injury', 'violence_with_injury', 'rape', 'n100', None)
    >>> family_of("19C"), family_of("028/01"), family_of("8L"), family_of("8")
    ('rape', 'burglary', 'stalking_harassment', None)
    """
    name = re.sub(r"[\s-]+", "_", offence_code.strip().lower())
    if name in FAMILIES:
        return name
    if name in {"n100", "n100/1", "n100/01"}:
        return N100
    code = _CODE.fullmatch(offence_code.strip().upper())
    if code is None:
        return None
    number, letter, sub = f"{int(code[1]):03d}", code[2], code[3]
    if sub and (exact := _BY_CODE.get(f"{number}/{int(sub):02d}")):
        return exact
    return _BY_CLASS.get(number + letter) or _BY_CLASS.get(number)


def unknown_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """Return the offence codes that no family knows, sorted and each once, fit to be shown in a note.

    A code of more than 20 characters or with unprintable ones is named ``unprintable``, since it may be
    anything that an export put into the column.

    Parameters
    ----------
    codes : iterable of str
        Offence codes as the crimes table holds them.

    >>> unknown_codes(["19C", "999/99", "8", "999/99", "a whole sentence about what happened"])
    ('8', '999/99', 'unprintable')
    """
    unknown = {code.strip() for code in codes if family_of(code) is None}
    return tuple(sorted({code if _is_shown(code) else UNPRINTABLE for code in unknown}))


def _is_shown(code: str) -> bool:
    return 0 < len(code) <= _SHOWN_CHARACTERS_MAX and code.isprintable()
