"""Which matters go to the top of the queue by rule, with no statistics to justify it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from triage.language.codes import CRIME_GROUPS, group_of
from triage.language.forms import answer
from triage.language.offences import N100, family_of
from triage.reading.linking import Matter
from triage.reading.records import Crime, Record

#: Tables whose opening code says how the record came in.
CODED_TABLES = ("incidents", "domestic_noncrimes")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of ``rules.toml``; ``priority`` 1 is read first. The patterns are None where it has none."""

    name: str
    title: str
    priority: int
    check: str
    source: str
    families: frozenset[str]
    n100: bool
    question: str
    words: re.Pattern[str] | None
    excluded: re.Pattern[str] | None
    reasons: re.Pattern[str] | None


def title_of(name: str) -> str:
    """Return how people read a rule; its name, if a later edition of the rules no longer has it."""
    return RULES[name].title if name in RULES else name


def _pattern(phrases: list[str], lists: Mapping[str, list[str]]) -> re.Pattern[str] | None:
    if not phrases:
        return None
    for name, words in lists.items():
        phrases = [phrase.replace(f"<{name}>", f"(?:{'|'.join(words)})") for phrase in phrases]
    return re.compile(r"\b(?:" + "|".join(phrases) + r")\b", re.IGNORECASE)


def _rule(name: str, entry: Mapping[str, Any]) -> Rule:
    lists = entry.get("lists", {})
    return Rule(
        name=name,
        title=str(entry["title"]),
        priority=int(entry["priority"]),
        check=str(entry["check"]),
        source=str(entry["source"]),
        families=frozenset(entry.get("families", ())),
        n100=bool(entry.get("n100", False)),
        question=str(entry.get("question", "")),
        words=_pattern(entry.get("words", []), lists),
        excluded=_pattern(entry.get("excluded", []), lists),
        reasons=_pattern(entry.get("reasons", []), lists),
    )


_TABLE = tomllib.loads(files("triage.ranking").joinpath("rules.toml").read_text(encoding="utf-8"))
_IN_ORDER = sorted(
    (_rule(name, entry) for name, entry in _TABLE.items() if name != "edition"),
    key=lambda rule: rule.priority,
)
#: Name to rule, in order of priority.
RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _IN_ORDER})


def priority_of(rules: tuple[str, ...]) -> int:
    """Return the priority of the first rule; a name that ``rules.toml`` no longer holds comes after all.

    >>> priority_of(("rape_mentioned",)), priority_of(()) > priority_of(("threat_to_kill_answer",))
    (1, True)
    """
    last = max(rule.priority for rule in _IN_ORDER) + 1
    return RULES[rules[0]].priority if rules and rules[0] in RULES else last


def own_crimes(matter: Matter) -> tuple[Crime, ...]:
    """Return the matter's crimes without those that are here only because a text names an earlier crime.

    Source: domain.md 9, point 2: that an earlier crime is named tells nothing of what was disclosed tonight.
    """
    return tuple(crime for crime in matter.crimes if crime.crime_ref not in matter.claimed)


def recorded_families(matter: Matter) -> frozenset[str]:
    """Return the families (and ``n100``) of the matter's own crimes that stand as recorded."""
    families = (family_of(crime.offence_code) for crime in own_crimes(matter) if crime.status == "recorded")
    return frozenset(family for family in families if family is not None)


def mentions(rule: Rule, text: str) -> bool:
    """Return whether a text holds a word of the rule outside the phrases that it leaves out.

    >>> rule = RULES["rape_mentioned"]
    >>> mentions(rule, "SAYS SHE WAS RAPED"), mentions(rule, "car left in oilseed rape field")
    (True, False)
    """
    if rule.words is None:
        return False
    return bool(rule.words.search(rule.excluded.sub(" ", text) if rule.excluded else text))


def has_reason(rule: Rule, text: str) -> bool:
    """Return whether a text holds a reason of the rule outside the phrases that it leaves out.

    >>> rule = RULES["crime_code_closed_without_crime"]
    >>> has_reason(rule, "IT WAS ACCIDENTAL"), has_reason(rule, "THIS WAS NOT ACCIDENTAL")
    (True, False)
    """
    if rule.reasons is None:
        return False
    return bool(rule.reasons.search(rule.excluded.sub(" ", text) if rule.excluded else text))


def _answered_yes(rule: Rule, matter: Matter) -> bool:
    return any(answer(record, rule.question) == "Y" for record in matter.records)


def _satisfied(rule: Rule, matter: Matter) -> bool:
    if rule.families & recorded_families(matter):
        return True
    # Of any status: an N100 that was transferred or cancelled shows that the report was not overlooked.
    return rule.n100 and any(family_of(crime.offence_code) == N100 for crime in own_crimes(matter))


def _mention(rule: Rule, matter: Matter) -> bool:
    said = any(mentions(rule, record.text) for record in matter.records)
    return (said or _answered_yes(rule, matter)) and not _satisfied(rule, matter)


def _answer(rule: Rule, matter: Matter) -> bool:
    return _answered_yes(rule, matter) and not _satisfied(rule, matter)


def _closed_code(rule: Rule, matter: Matter) -> bool:
    if any(crime.status == "recorded" for crime in own_crimes(matter)):
        return False
    if not any(
        record.source in CODED_TABLES
        and record.closed_at is not None
        and group_of(record.opening_code) in CRIME_GROUPS
        and not _is_duplicate(record, matter)
        for record in matter.records
    ):
        return False
    if any(claim.status == "other_force" for claims in matter.claims.values() for claim in claims):
        return False
    return not any(has_reason(rule, record.text) for record in matter.records)


def _is_duplicate(record: Record, matter: Matter) -> bool:
    # It excuses the duplicate only: the log that it repeats is of this matter, and needs a reason of its own.
    return any(
        claim.kind == "duplicate" and claim.status == "verified"
        for claim in matter.claims.get(record.key, ())
    )


_CHECKS: Mapping[str, Callable[[Rule, Matter], bool]] = {
    "mention": _mention,
    "answer": _answer,
    "closed_code": _closed_code,
}


def fired(matter: Matter) -> tuple[str, ...]:
    """Return the names of the rules that send a matter to the top, the one of highest priority first.

    Parameters
    ----------
    matter : Matter
        All parts count: what the log says and what the form answers, against every crime of the matter.

    Source: domain.md 9, point 5; each rule names its own in ``rules.toml``.
    """
    return tuple(rule.name for rule in _IN_ORDER if _CHECKS[rule.check](rule, matter))
