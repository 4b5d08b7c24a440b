"""Which of a force's columns is which, what its codes mean, and where its tables lie, from a TOML file."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from triage.errors import SettingsError, known_names
from triage.reading.records import ANSWERS, COLUMNS, CRIME_STATUSES, FORM_VERSIONS, RECORD_TABLES, TABLES
from triage.settings import Settings

#: Name of the mapping file that is looked for inside an extract.
FILE_NAME = "mapping.toml"
DELIMITERS = (",", ";", "\t", "|")
_CLOSED = {"answers": (*ANSWERS, ""), "status": CRIME_STATUSES, "form_version": FORM_VERSIONS}
_TRIAL = datetime(2011, 12, 13, 14, 15, 16)
#: Longest name of a file, sheet or column that a message shows, in characters.
SHOWN_CHARACTERS = 40


def folded(code: str) -> str:
    """Return a code as codes are compared: without case, runs of spaces as one.

    >>> folded(" Theft  FROM Person")
    'theft from person'
    """
    return " ".join(code.split()).casefold()


def harmless(name: str, longest: int = SHOWN_CHARACTERS) -> str:
    """Return a name as a message shows it: without control characters, a long one without its middle.

    >>> harmless("Log" + chr(27) + "[2J.csv") == "Log" + chr(0xFFFD) + "[2J.csv"
    True
    """
    clean = "".join(each if each.isprintable() else "\ufffd" for each in name)
    if len(clean) <= longest:
        return clean
    half = longest // 2
    return f"{clean[: longest - half - 1]}…{clean[-half:]}"


def harmless_path(path: Path) -> str:
    """Return a path as a message shows it: without control characters, but whole."""
    return harmless(str(path), longest=len(str(path)))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Only(_Part):
    """Which rows of a file belong to the table: those whose column holds one of the values."""

    column: str = Field(min_length=1)
    is_one_of: tuple[str, ...] = ()
    known_to: str = Field(default="", validate_default=True)

    @field_validator("known_to")
    @classmethod
    def _one_condition(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) == bool(info.data.get("is_one_of")):
            raise ValueError('needs one of is_one_of = ["..."] and known_to = "codes.<column>"')
        return value


class Database(_Part):
    """Where a database is and one query per table; the URL stands in an environment variable."""

    url_env: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    queries: dict[str, str]

    @field_validator("queries")
    @classmethod
    def _known_tables(cls, value: dict[str, str]) -> dict[str, str]:
        strangers = [known_names(name, TABLES) for name in value if name not in TABLES]
        if strangers:
            raise ValueError("; ".join(strangers))
        if not any(name in RECORD_TABLES for name in value):
            raise ValueError(f"needs a query for at least one of {', '.join(RECORD_TABLES)}")
        return value


class TableMapping(_Part):
    """How one table is read; what it leaves out has the contract's own names and codes.

    ``columns`` maps a contract column to theirs, or to a list of theirs that are joined by a space;
    ``constants`` gives a column the same value in every row; ``codes`` maps their codes to the contract's,
    per contract column (``answers`` for all of ``q1`` to ``q27``); ``time_formats`` are tried in turn before
    ISO 8601; ``only`` keeps some of a file's rows.
    """

    table: ClassVar[str] = ""

    file: str | None = Field(default=None, min_length=1)
    sheet: str | None = Field(default=None, min_length=1)
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: str | None = None
    columns: dict[str, str | tuple[str, ...]] = {}
    constants: dict[str, str] = {}
    codes: dict[str, dict[str, str]] = {}
    time_formats: tuple[str, ...] = ()
    only: Only | None = None

    @field_validator("file")
    @classmethod
    def _bare_name(cls, value: str | None) -> str | None:
        if value is not None and ("/" in value or "\\" in value):
            raise ValueError("is the name of a file inside the extract, without a folder")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                # An empty text is encoded without a look at the encoding.
                "record_ref".encode(value).decode(value)
            except (LookupError, ValueError) as error:
                raise ValueError("is not a text encoding, such as utf-8 or windows-1252") from error
        return value

    @field_validator("columns", "constants")
    @classmethod
    def _known_columns(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        problems = [known_names(name, COLUMNS[cls.table]) for name in value if name not in COLUMNS[cls.table]]
        if info.field_name == "constants":
            both = sorted(set(value) & set(info.data.get("columns", {})))
            problems += [f"{name!r} is given by columns as well" for name in both]
        else:
            problems += [f"{name!r} names no column" for name, theirs in value.items() if not theirs]
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @field_validator("codes")
    @classmethod
    def _known_codes(cls, value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        coded = [name for name in COLUMNS[cls.table] if not name.endswith(("_ref", "_at")) and name != "text"]
        if cls.table == "assessments":
            coded = ["answers", *(name for name in coded if not name[1:].isdigit())]
        problems = [known_names(name, coded) for name in value if name not in coded]
        for column in set(value) & set(_CLOSED):
            known, given = _CLOSED[column], value[column].values()
            problems += [f"{column}: {known_names(to, known)}" for to in given if to not in known]
        for column, table in value.items():
            seen: dict[str, str] = {}
            for code, to in table.items():
                if seen.setdefault(folded(code), to) != to:
                    problems.append(f"{column}: {code!r} stands for two values")
        if problems:
            raise ValueError("; ".join(sorted(problems)))
        return value

    @field_validator("time_formats")
    @classmethod
    def _readable_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = []
        for each in value:
            trial = _TRIAL.replace(tzinfo=UTC) if "%z" in each else _TRIAL
            try:
                found = datetime.strptime(" ".join(trial.strftime(each).split()), each)
            except (ValueError, re.error):
                wrong.append(repr(each))
                continue
            if found.date() != trial.date():
                wrong.append(repr(each))
        if wrong:
            raise ValueError(f"no strptime format with day, month and year: {', '.join(wrong)}")
        return value

    @field_validator("only")
    @classmethod
    def _known_codes_table(cls, value: Only | None, info: ValidationInfo) -> Only | None:
        known = [f"codes.{name}" for name in info.data.get("codes", {})]
        if value and value.known_to and value.known_to not in known:
            raise ValueError(f"known_to: {known_names(value.known_to, known)}")
        return value

    def code_table(self, column: str) -> dict[str, str]:
        """Return their codes for a contract column, folded, with the contract's value of each."""
        name = "answers" if "answers" in self.codes and column[1:].isdigit() else column
        return {folded(code): to for code, to in self.codes.get(name, {}).items()}

    def kept_values(self) -> frozenset[str]:
        """Return the folded values of ``only.column`` whose rows belong to the table."""
        if self.only is None:
            return frozenset()
        if self.only.known_to:
            return frozenset(self.code_table(self.only.known_to.removeprefix("codes.")))
        return frozenset(folded(value) for value in self.only.is_one_of)


class _Incidents(TableMapping):
    table: ClassVar[str] = "incidents"


class _DomesticNoncrimes(TableMapping):
    table: ClassVar[str] = "domestic_noncrimes"


class _Assessments(TableMapping):
    table: ClassVar[str] = "assessments"


class _Referrals(TableMapping):
    table: ClassVar[str] = "referrals"


class _CancelledCrimes(TableMapping):
    table: ClassVar[str] = "cancelled_crimes"


class _Crimes(TableMapping):
    table: ClassVar[str] = "crimes"


class Mapping(_Part):
    """A force's mapping file; an empty one reads an extract that follows the contract.

    ``timezone`` and ``own_force_prefixes`` go before the settings of the same name; ``placeholder_refs`` are
    references that the force writes where it has none, such as ``00000``.
    """

    name: str = ""
    timezone: str | None = None
    own_force_prefixes: tuple[str, ...] = ()
    placeholder_refs: tuple[str, ...] = ()
    database: Database | None = None
    incidents: _Incidents = Field(default_factory=_Incidents)
    domestic_noncrimes: _DomesticNoncrimes = Field(default_factory=_DomesticNoncrimes)
    assessments: _Assessments = Field(default_factory=_Assessments)
    referrals: _Referrals = Field(default_factory=_Referrals)
    cancelled_crimes: _CancelledCrimes = Field(default_factory=_CancelledCrimes)
    crimes: _Crimes = Field(default_factory=_Crimes)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError("is not a time zone of the IANA database, such as Europe/London") from error
        return value

    def of(self, table: str) -> TableMapping:
        """Return how the named table is read."""
        found: TableMapping = getattr(self, table)
        return found

    def applied_to(self, settings: Settings) -> Settings:
        """Return the settings with the time zone and force prefixes of this mapping, where it has them."""
        update: dict[str, Any] = {}
        if self.timezone is not None:
            update["timezone"] = self.timezone
        if self.own_force_prefixes:
            update["own_force_prefixes"] = self.own_force_prefixes
        return settings.model_copy(update=update)


def parse_mapping(content: dict[str, Any], where: str) -> Mapping:
    """Return the mapping that a TOML table describes.

    Parameters
    ----------
    content : dict
        The parsed TOML file.
    where : str
        Name of the file, for the message.

    Raises
    ------
    SettingsError
        If a key or value is wrong; the message names all of them.
    """
    problems: list[str] = []
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        problems = [_sentence(each) for each in error.errors(include_url=False, include_input=False)]
    raise SettingsError(
        "the mapping file is wrong:\n" + "\n".join(f"    {problem}" for problem in problems),
        where=where,
        mend="correct the entries named above; docs/mapping.md describes the file",
    )


def _sentence(error: ErrorDetails) -> str:
    loc = [str(part) for part in error["loc"]]
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        kinds: dict[str, type[_Part]] = {"only": Only, "database": Database}
        kind = Mapping if len(loc) == 1 else kinds.get(loc[-2], TableMapping)
        message = known_names(loc[-1], kind.model_fields)
    return f"{'.'.join(map(harmless, loc))}: {message}"


def load_mapping(path: Path) -> Mapping:
    """Return the mapping of a TOML file.

    Raises
    ------
    SettingsError
        If the file cannot be read, is no TOML, or holds a wrong entry.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(
            "the mapping file cannot be read",
            where=f"{harmless_path(path)}: {error.strerror}",
            mend="correct its path",
        ) from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"the mapping file is not TOML in UTF-8: {error}",
            where=harmless_path(path),
            mend="docs/mapping.md has examples",
        ) from error
    return parse_mapping(content, harmless_path(path))


def mapping_for(path: Path, settings: Settings) -> Mapping:
    """Return the mapping with which an extract is read.

    Parameters
    ----------
    path : Path
        A folder, or a mapping file with a ``[database]`` section, which is then the mapping itself.
    settings : Settings
        Its ``mapping_file`` goes before ``mapping.toml`` in the folder; with neither, names are as in
        the contract.

    Raises
    ------
    SettingsError
        If the mapping file is missing or wrong.
    """
    if path.suffix.casefold() == ".toml" and not path.is_dir():
        return load_mapping(path)
    if settings.mapping_file is not None:
        return load_mapping(settings.mapping_file)
    inside = path / FILE_NAME
    # A link to nothing is a mapping file that cannot be read, not an extract without one.
    return load_mapping(inside) if inside.exists() or inside.is_symlink() else Mapping()
