"""The form of an outcome: what was typed, what is wrong with it, and the outcome it makes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Request

from triage.desk.reading_view import harmless
from triage.desk.web.desk import new_token
from triage.errors import UsageError
from triage.language.offences import FAMILIES, TITLES
from triage.review.outcomes import CRIMES_MOST, Field, FoundCrime, Outcome, crime_fields, item_fields

#: Rows for crimes that an empty form has, and those a filled one has to spare.
ROWS_EMPTY, ROWS_SPARE = 3, 1
_FIELDS_MOST, _TOKEN_CHARACTERS_MAX = 400, 64
_ROW = re.compile(r"crimes-(\d{1,3})-([a-z_]+)")
_PLACE = re.compile(r"(?P<part>\d{1,4}):(?:q(?P<question>\d{1,3})|(?P<start>\d{1,9}):(?P<end>\d{1,9}))")
_CANNOT = "cannot be taken: "
_ANY_FAMILY = FAMILIES[0]


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as it was typed.

    ``values`` holds the answers of the item and ``crimes`` those of each row (``family``, ``place`` and the
    fields of a crime), by name; ``problems`` maps a field's name in the form to what is wrong with it.
    """

    token: str
    seen: int
    values: Mapping[str, str] = field(default_factory=dict)
    crimes: tuple[Mapping[str, str], ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def typed(self) -> bool:
        """Whether anything was typed at all."""
        return any(self.values.values()) or any(any(row.values()) for row in self.crimes)


async def sent(request: Request) -> Mapping[str, str]:
    """Return the fields of the form that was sent, of several of one name the last; files are refused."""
    async with request.form(max_files=0, max_fields=_FIELDS_MOST) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


#: The fields of a form, as an argument of a page's function.
Sent = Annotated[Mapping[str, str], Depends(sent)]


def token_of(form: Mapping[str, str]) -> str:
    """Return the token of a form.

    Raises
    ------
    UsageError
        If it has none of our making.
    """
    token = form.get("token", "")
    if not token or len(token) > _TOKEN_CHARACTERS_MAX or not token.isprintable():
        raise UsageError("the form has no token", mend="open the page again and send its form")
    return token


def seen_of(form: Mapping[str, str]) -> int:
    """Return how many events the page of a form showed, 0 where it does not say.

    Raises
    ------
    UsageError
        If it is no number.
    """
    seen = form.get("seen", "") or "0"
    if not (seen.isascii() and seen.isdecimal() and len(seen) < 9):
        raise UsageError("the form does not say which state it shows", mend="open the page again")
    return int(seen)


def new_draft(seen: int, outcome: Outcome | None = None) -> Draft:
    """Return an empty form, or one filled with an outcome that is to be corrected."""
    if outcome is None:
        return Draft(new_token(), seen, crimes=({},) * ROWS_EMPTY)
    rows = tuple(
        {"family": crime.family, "place": place_value(crime), **crime.values} for crime in outcome.crimes
    )
    values = {"crime_disclosed": outcome.disclosed, **outcome.values}
    return with_rows(Draft(new_token(), seen, values, rows), len(rows) + ROWS_SPARE)


def read_draft(form: Mapping[str, str]) -> Draft:
    """Return what was typed into a form; fields that it does not have are left out.

    Raises
    ------
    UsageError
        If the form is none of ours: it has no token, or no number of events.
    """
    wanted = {each.name: each for each in item_fields()}
    rows: dict[int, dict[str, str]] = {}
    within = {"family", "place", *(each.name for each in crime_fields())}
    for name, value in form.items():
        match = _ROW.fullmatch(name)
        if match and match[2] in within:
            rows.setdefault(int(match[1]), {})[match[2]] = _cleaned(value)
    return Draft(
        token=token_of(form),
        seen=seen_of(form),
        values={name: _cleaned(form[name]) for name in wanted if name in form},
        crimes=tuple(row for _, row in sorted(rows.items())),
    )


def with_rows(draft: Draft, rows: int) -> Draft:
    """Return the form with at least so many rows for crimes, as many as may be entered at most."""
    missing = min(max(rows, ROWS_EMPTY), CRIMES_MOST) - len(draft.crimes)
    return replace(draft, crimes=(*draft.crimes, *({} for _ in range(missing))))


def taken(draft: Draft, offered: Collection[str]) -> tuple[Outcome | None, Draft]:
    """Return the outcome that a form makes, or None and the form with all that is wrong with it.

    Parameters
    ----------
    draft : Draft
        What was typed.
    offered : collection of str
        Values of the places that the page shows.
    """
    problems: dict[str, str] = {}
    disclosed = draft.values.get("crime_disclosed", "")
    choices = item_fields()[0].choices
    known = disclosed if disclosed in choices else ""
    if not known:
        problems["crime_disclosed"] = "Choose an answer."
    values = {name: value for name, value in draft.values.items() if value and name != "crime_disclosed"}
    for name, value in values.items():
        problems |= _problem(name, known or "yes", {name: value})
    filled = [(number, row) for number, row in enumerate(draft.crimes) if any(row.values())]
    crimes: list[FoundCrime] = []
    for number, row in filled:
        wrong, crime = _crime(f"crimes-{number}-", row, offered)
        problems |= wrong
        if crime is not None:
            crimes.append(crime)
        if known and known != "yes":
            problems[f"crimes-{number}-family"] = "Empty this crime, or answer Yes above."
    if known == "yes" and not filled:
        problems["crimes-0-family"] = "Choose the family of the crime disclosed."
    if len(filled) > CRIMES_MOST:
        problems[f"crimes-{filled[CRIMES_MOST][0]}-family"] = f"At most {CRIMES_MOST} crimes fit."
    if problems:
        return None, replace(draft, problems=problems)
    return Outcome(known, tuple(crimes), values), draft


def place_value(crime: FoundCrime) -> str:
    """Return how a form names the place of a crime, empty where it has none.

    >>> place_value(FoundCrime("rape", part=2, question=19)), place_value(FoundCrime("rape", 1, 3, 9))
    ('2:q19', '1:3:9')
    """
    if not crime.part:
        return ""
    where = f"q{crime.question}" if crime.question else f"{crime.start}:{crime.end}"
    return f"{crime.part}:{where}"


def outcome_lines(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    """Return an outcome as pairs of a label and what was answered, for reading.

    >>> outcome_lines(Outcome("no"))
    (('Does the text disclose a crime that is not recorded?', 'No'),)
    """
    first, *others = item_fields()
    lines = [(first.label, first.choices[outcome.disclosed])]
    for number, crime in enumerate(outcome.crimes, 1):
        told = [TITLES[crime.family]]
        for each in crime_fields():
            if each.name in crime.values:
                told.append(f"{each.label}: {_answer(each, crime.values[each.name])}")
        lines.append((f"Crime {number}", "; ".join(told)))
    lines += [
        (each.label, _answer(each, outcome.values[each.name]))
        for each in others
        if each.name in outcome.values
    ]
    return tuple(lines)


def summary(draft: Draft) -> tuple[tuple[str, str], ...]:
    """Return the problems of a form in its order: the name of the field, and a sentence that names it."""
    labels: dict[str, str] = {}
    first, *others = item_fields()
    labels[first.name] = first.label
    for number in range(len(draft.crimes) or 1):
        named = {"family": "Family", "place": "Where the text says so"}
        named |= {each.name: each.label for each in crime_fields()}
        labels |= {f"crimes-{number}-{name}": f"Crime {number + 1}, {said}" for name, said in named.items()}
    labels |= {each.name: each.label for each in others}
    return tuple(
        (name, f"{label}{'' if label.endswith('?') else ':'} {draft.problems[name]}")
        for name, label in labels.items()
        if name in draft.problems
    )


def _answer(asked: Field, value: str) -> str:
    return asked.choices.get(value, value)


def _cleaned(value: str) -> str:
    return harmless(value.replace("\r\n", "\n").strip())


def _crime(
    prefix: str, row: Mapping[str, str], offered: Collection[str]
) -> tuple[dict[str, str], FoundCrime | None]:
    """Return what is wrong with a row, by the field's name, and its crime if nothing is."""
    problems: dict[str, str] = {}
    family, place = row.get("family", ""), row.get("place", "")
    if family not in FAMILIES:
        problems[f"{prefix}family"] = "Choose a family, or empty the rest of this crime."
    where = _PLACE.fullmatch(place)
    if place and (where is None or place not in offered):
        problems[f"{prefix}place"] = "Choose one of the places listed."
        where = None
    values = {name: value for name, value in row.items() if value and name not in {"family", "place"}}
    given = family if family in FAMILIES else _ANY_FAMILY
    for name, value in values.items():
        # A code is held against its family only where there is one.
        if name == "offence_code" and family not in FAMILIES:
            continue
        problems |= _problem(f"{prefix}{name}", "yes", {}, FoundCrime(given, values={name: value}))
    if problems:
        return problems, None
    numbers = {name: int(number or 0) for name, number in where.groupdict().items()} if where else {}
    return {}, FoundCrime(family, values=values, **numbers)


def _problem(
    name: str, disclosed: str, values: Mapping[str, str], crime: FoundCrime | None = None
) -> dict[str, str]:
    """Return what an outcome that holds one answer only says against it, by the field's name."""
    crimes = (crime or FoundCrime(_ANY_FAMILY),) if disclosed == "yes" else ()
    try:
        Outcome(disclosed, crimes, values)
    except UsageError as error:
        said = error.what.partition(_CANNOT)[2] or error.what
        return {name: f"{said[:1].upper()}{said[1:]}."}
    return {}
