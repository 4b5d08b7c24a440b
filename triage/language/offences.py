"""The offence families and which Home Office code belongs to which, from ``offences.toml``."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from types import MappingProxyType

_TABLE = tomllib.loads(files("triage.language").joinpath("offences.toml").read_text(encoding="utf-8"))

#: Names of the families, in the order of every array and column.
FAMILIES: tuple[str, ...] = tuple(_TABLE["families"])
#: Family name to the title that people read.
TITLES = MappingProxyType({name: str(entry["title"]) for name, entry in _TABLE["families"].items()})
#: A report of rape that is not yet a confirmed crime (domain.md 1.6); it stands beside the families.
N100 = "n100"
_BY_CODE = {code: name for name, entry in _TABLE["families"].items() for code in entry["codes"]}


def family_of(offence_code: str) -> str | None:
    """Return the family of a Home Office code or family name, ``n100``, or None where nothing knows it.

    Parameters
    ----------
    offence_code : str
        A code such as ``105/01`` (leading noughts may be missing) or the name of a family.

    Source: domain.md section 5; N100: HMICFRS glossary, domain.md 1.6.

    >>> family_of("105/01"), family_of("8/6"), family_of("rape"), family_of("N100"), family_of("999/99")
    ('violence_without_injury', 'violence_with_injury', 'rape', 'n100', None)
    """
    name = re.sub(r"[\s-]+", "_", offence_code.strip().lower())
    if name in FAMILIES:
        return name
    if name in {"n100", "n100/1", "n100/01"}:
        return N100
    code = re.fullmatch(r"(\d{1,3})[ /.](\d{1,2})", offence_code.strip())
    return _BY_CODE.get(f"{int(code[1]):03d}/{int(code[2]):02d}") if code else None
