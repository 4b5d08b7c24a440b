"""Acts are found by phrase, and what the text says of each is their status: what never cancels never does."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from tests.conftest import CANARY
from triage.language.disclosures import PATTERNS, PHRASES, STANDING, STATUSES, find, trigger_phrases
from triage.language.offences import FAMILIES
from triage.language.text import read_texts
from triage.language.words import normal_form
from triage.reading.records import Record

AT = datetime(2026, 10, 14, tzinfo=UTC)
ACT = "HE PUNCHED HER IN THE FACE"
STRANGLED = "HE GRABBED HER BY THE THROAT"
WORDS = re.compile(r"[a-z0']+(?: [a-z0']+)*")


def table(name: str) -> dict[str, Any]:
    return tomllib.loads(files("triage.language").joinpath(name).read_text(encoding="utf-8"))


DISCLOSURES, CONTEXT = table("disclosures.toml"), table("context.toml")


def stated(texts: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Return the family and the status of every act that each text states."""
    reading = read_texts([Record("incidents", "A1", AT, AT, text) for text in texts], PHRASES)
    found = find(reading)
    acts: list[list[tuple[str, str]]] = [[] for _ in texts]
    for family, status, clause in zip(found.families, found.statuses, found.clauses, strict=True):
        acts[reading.owners[clause]].append((FAMILIES[family], STATUSES[status]))
    return acts


def status(text: str, family: str = "violence_without_injury") -> str:
    """Return what a text says of the one act of a family that it states."""
    [acts] = stated([f"{text}. {CANARY.upper()}."])
    [said] = {how for name, how in acts if name == family}
    return said


# One sentence that gets each status, and one near it that does not.
@pytest.mark.parametrize(
    ("expected", "text", "near"),
    [
        ("historic", f"TEN YEARS AGO {ACT}", f"TEN MINUTES AGO {ACT}"),
        ("historic", f"WHEN SHE WAS A CHILD {ACT}", f"WHEN SHE SAW THE CHILD {ACT}"),
        ("conclusion", f"{ACT}, VERBAL ONLY", f"HE WAS VERBAL AND {ACT}"),
        ("conclusion", f"{ACT}, NO OFFENCES", f"{ACT}, OFFENCES"),
        ("not_supporting", f"{ACT}, SHE MAKES NO COMPLAINT", f"{ACT}, SHE MAKES A COMPLAINT"),
        ("not_supporting", f"{ACT}, SHE WILL NOT SUPPORT", f"{ACT}, SHE WILL SUPPORT"),
        ("denied_by_suspect", f"SUSPECT DENIES THAT {ACT}", f"SUSPECT ADMITS THAT {ACT}"),
        ("denied_by_suspect", f"HE DENIES THAT {ACT}", f"HE AGREES THAT {ACT}"),
        ("recorded", f"{ACT}, CRIME NUMBER 42/117/26", f"{ACT}, CRIME SCENE HELD"),
        ("recorded", f"{ACT}, SUBJECT OF CRIME", f"{ACT}, CRIME SCENE"),
        ("question", f"ASKED IF {ACT}", f"ASKED WHY {ACT}"),
        ("future", "SHE FEARS HE WILL PUNCH HER IN THE FACE", f"SHE IS WORRIED SINCE {ACT}"),
        ("hypothetical", f"IF {ACT}", f"AS {ACT}"),
        ("hypothetical", f"{ACT} IN THE DREAM", f"{ACT} IN THE DRIVE"),
        ("other_force", f"{ACT}, TRANSFERRED TO ANOTHER FORCE", f"{ACT}, ANOTHER OFFICER SENT"),
        (
            "denied_by_victim",
            f"SHE CONFIRMS {ACT.replace('PUNCHED', 'NEVER PUNCHED')}",
            f"SHE CONFIRMS {ACT}",
        ),
        ("denied_by_victim", "AT NO POINT DID HE PUNCH HER IN THE FACE", f"AT SOME POINT {ACT}"),
        ("disproved", f"{ACT}, ACCIDENTALLY", f"{ACT}, DELIBERATELY"),
    ],
)
def test_a_status_and_a_sentence_near_it_that_has_another(expected: str, text: str, near: str) -> None:
    assert status(text) == expected
    assert status(near) == "asserted"


def test_every_status_has_a_sentence() -> None:
    marks = test_a_status_and_a_sentence_near_it_that_has_another.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} | {"asserted"} == set(STATUSES)


# Source: domain.md 1.2, the cues that look like "no crime" and are marks of a missed one.
@pytest.mark.parametrize(
    "cue",
    [
        "SUSPECT DENIES IT",
        "SUSP DENIES",
        "HE DENIES THIS",
        "NO COMPLAINT",
        "DOES NOT WISH TO MAKE A COMPLAINT",
        "NO FORMAL ALLEGATION",
        "NOT SUPPORTIVE",
        "WONT ENGAGE",
        "REFUSED STATEMENT",
        "IP WILL NOT SUPPORT POLICE",
        "SIX OF ONE",
        "6 OF 1",
        "WORDS OF ADVICE GIVEN",
        "WOA",
        "NO OFFENCES DISCLOSED",
        "VERBAL ONLY",
        "CIVIL MATTER",
        "NFA",
        "NO INDEPENDENT EVIDENCE",
        "NO INJURIES SEEN",
        "NO CCTV",
        "INTOXICATED",
        "UNRELIABLE",
        "KNOWN TO MAKE ALLEGATIONS",
        "TEN YEARS AGO",
    ],
)
def test_what_never_cancels_leaves_an_act_standing(cue: str) -> None:
    for text in (f"{ACT}, {cue}", f"{cue}, {ACT}", f"{ACT} {cue}"):
        assert status(text) in STANDING


@pytest.mark.parametrize("cue", ["NO INJURIES", "NO INJ", "NO INJURIES, WORDS OF ADVICE"])
def test_an_assault_without_injury_is_not_denied(cue: str) -> None:
    assert status(f"HE PUSHED HER AGAINST THE WALL, 6 OF 1, {cue}") in STANDING


@pytest.mark.parametrize("text", [f"{ACT}, TRANSFERRED TO HOSPITAL", f"CCTV SHOWS THAT {ACT}"])
def test_an_act_that_was_filmed_or_treated_stands(text: str) -> None:
    assert status(text) in STANDING


@pytest.mark.parametrize(
    "denial", ["SHE CONFIRMS HE NEVER", "SHE STATES HE NEVER", "CALLER CONFIRMS HE DIDN’T"]
)
def test_what_the_victim_denies_is_cancelled(denial: str) -> None:
    assert status(f"{denial} GRAB HER BY THE THROAT", "non_fatal_strangulation") == "denied_by_victim"
    assert STATUSES.index("denied_by_victim") >= len(STANDING)


@pytest.mark.parametrize("denied", ["PUT HANDS ROUND HER THROAT", "SQUEEZE OR PRESS ON HER NECK"])
def test_a_denial_right_before_an_act_reaches_it(denied: str) -> None:
    assert status(f"CALLER CONFIRMS HE DIDN’T {denied}", "non_fatal_strangulation") == "denied_by_victim"


@pytest.mark.parametrize(
    "text",
    ["HOODIE PULLED, NOT NECK", "HE SQUEEZED HER ARM, NEVER HER THROAT", "HELD BY THE ARM, NOT THE THROAT"],
)
def test_a_denial_between_the_two_words_of_a_pair_counts(text: str) -> None:
    """Source: domain.md 5 F3, near misses."""
    assert status(text, "non_fatal_strangulation") == "denied_by_victim"


def test_a_trigger_in_the_words_of_an_act_says_nothing_of_it() -> None:
    assert status("SHE GOES WITHOUT FOOD", "controlling_coercive_behaviour") == "asserted"
    for text in ("NO ONE WOULD FIND HER", "HE THREATENED TO SET HIM"):
        assert status(text, "threats_to_kill") == "asserted"


def test_a_pair_reaches_to_the_nearest_word_of_two_as_near_to_the_first() -> None:
    assert status("NECK ZEBRA BRUISES NEVER BEHIND", "non_fatal_strangulation") == "asserted"


@pytest.mark.parametrize(
    "besides",
    ["NO WEAPONS", "NO DAMAGE", "NOTHING TAKEN", "NO THREATS MADE", "SHE IS NOT AFRAID OF HIM", "NOT HURT"],
)
def test_what_did_not_happen_besides_denies_no_act(besides: str) -> None:
    assert status(f"{ACT}, {besides}") in STANDING


@pytest.mark.parametrize(
    "text",
    [*(f"{cue}, {ACT}" for cue in ("TRANSFERRED TO HOSPITAL", "NO INJURIES")), f"{ACT}, TRANSFERRED TO A&E"],
)
def test_a_victim_unhurt_or_taken_to_hospital_denies_nothing(text: str) -> None:
    assert status(text) in STANDING


def test_what_the_victim_states_he_did_not_do_is_her_denial() -> None:
    assert status("VICTIM STATES HE DID NOT PUNCH HER IN THE FACE") == "denied_by_victim"


def test_she_confirms_he_never_touched_her_is_a_denial_without_an_act() -> None:
    reading = read_texts(
        [Record("incidents", "A1", AT, AT, f"SHE CONFIRMS HE NEVER TOUCHED HER {CANARY}")], PHRASES
    )
    found = find(reading)
    assert [(int(clause), STATUSES[each]) for clause, each in found.triggers] == [(0, "denied_by_victim")]
    assert not {STATUSES[each] for each in found.statuses} & set(STANDING)


def test_the_strongest_of_several_things_said_counts() -> None:
    assert status(f"SUSPECT DENIES THAT {ACT}, NO COMPLAINT") == "denied_by_suspect"
    assert status(f"SUSPECT DENIES AND SHE CONFIRMS THAT AT NO POINT {ACT}") == "denied_by_victim"


@pytest.mark.parametrize(
    ("longer", "shorter", "expected"),
    [
        ("NO COMPLAINT,", "NO", "not_supporting"),
        ("SUSPECT DENIES ANY", "DENIES ANY", "denied_by_suspect"),
        ("NOT ONLY THAT,", "NOT", "asserted"),
        ("NO DOUBT", "NO", "asserted"),
        ("NO REPLY,", "NO", "asserted"),
        ("NOT CRIMED,", "NOT", "asserted"),
    ],
)
def test_the_longest_phrase_at_a_place_counts(longer: str, shorter: str, expected: str) -> None:
    assert status(f"{longer} PUSHED HER") == expected
    assert status(f"{shorter} PUSHED HER") == "denied_by_victim"


@pytest.mark.parametrize("end", ["BUT", "HOWEVER", "ALTHOUGH", "THEN", "BECAUSE"])
def test_a_scope_ends_at_but(end: str) -> None:
    assert status(f"NOTHING PHYSICAL {end} {ACT}") == "asserted"
    assert status(f"{ACT} {end} NOTHING PHYSICAL") == "asserted"
    assert status(f"SUSPECT DENIES IT {end} {ACT}") == "asserted"
    assert status(f"NOTHING PHYSICAL {ACT}") == "denied_by_victim"


def test_the_words_of_a_trigger_do_not_end_its_own_scope() -> None:
    assert status(f"{ACT} WHEN SHE WAS A CHILD") == "historic"
    assert status(f"CLOSED AS {ACT}") == "conclusion"


def test_a_trigger_reaches_no_further_than_it_says_and_not_into_another_sentence() -> None:
    assert status("NO ZEBRA QUORUM MARMALADE PUSHED HER") == "denied_by_victim"
    assert status("NO ZEBRA QUORUM MARMALADE ZEBRA PUSHED HER") == "asserted"
    assert status(f"NOTHING PHYSICAL. {ACT}") == "asserted"
    assert status(f"NOTHING PHYSICAL\n{ACT}") == "asserted"
    assert status(f"{ACT}. ACCIDENTALLY") == "asserted"


def test_a_forward_trigger_says_nothing_of_what_stands_before_it() -> None:
    assert status(f"{ACT} AND SUSPECT DENIES") == "asserted"
    assert status(f"{ACT} IF SHE LEFT") == "asserted"


def patterns_in(texts: Sequence[str]) -> list[set[int]]:
    """Return which patterns each text states."""
    reading = read_texts([Record("incidents", "A1", AT, AT, text) for text in texts], PHRASES)
    found = find(reading)
    patterns: list[set[int]] = [set() for _ in texts]
    for clause, pattern in zip(found.clauses.tolist(), found.patterns.tolist(), strict=True):
        patterns[reading.owners[clause]].add(pattern)
    return patterns


def test_a_pair_needs_its_words_near_each_other_and_none_that_rule_it_out() -> None:
    pairs = [(number, entry) for number, entry in enumerate(DISCLOSURES["pattern"]) if "anchors" in entry]
    texts = []
    for _, entry in pairs:
        anchor, word = entry["anchors"][-1], entry["near"][-1]
        apart = "zebra " * entry["within"]
        ruled_out = entry.get("but_not", [""])[-1]
        texts += [
            f"{anchor} {apart[6:]}{word}",
            f"{word} {apart[6:]}{anchor}",
            f"{anchor} {apart}{word}",
            f"{word} {apart}{anchor}",
            f"{anchor}. {word}",
            anchor,
            f"{anchor} {word} {apart}{ruled_out}",
        ]
    found = patterns_in(texts)
    for row, (number, entry) in enumerate(pairs):
        stated_by = [number in each for each in found[row * 7 : row * 7 + 7]]
        assert stated_by == [True, True, False, False, False, False, "but_not" not in entry], entry["anchors"]


def test_acts_of_a_clause_are_found_in_whatever_form_their_words_are_written() -> None:
    assert status("SUSP PUSEHD IP AGST THE WALL AND PUSHED IP") == "asserted"
    assert stated([ACT, ACT.lower(), ACT.title()])[0] == stated([ACT.lower()])[0] == stated([ACT.title()])[0]


def test_a_question_answered_no_states_nothing() -> None:
    assert stated(
        [f"DID HE PUNCH YOU IN THE FACE? N. {CANARY}", f"Q18 GRABBED BY THE THROAT N {CANARY}"]
    ) == [[], []]
    assert stated([f"DID HE PUNCH YOU IN THE FACE? Y. {CANARY}"]) != [[]]


def test_the_same_is_found_in_any_batch() -> None:
    texts = [f"{ACT}. {CANARY}", "", f"SUSPECT DENIES THAT {ACT}", STRANGLED, "NOTHING PHYSICAL", ACT]
    texts = [f"{text}. HE LEFT." for text in texts]
    together = stated(texts)
    assert together == [stated([text])[0] for text in texts]
    assert together[::-1] == stated(texts[::-1])


def test_an_act_counts_once_a_clause_where_it_first_stands() -> None:
    grabbed, struck = stated([STRANGLED, ACT])
    assert stated([f"{STRANGLED} AND {ACT} BUT SUSPECT DENIES {STRANGLED} AND {ACT}"]) == [grabbed + struck]


def test_acts_stand_in_the_order_of_their_clauses() -> None:
    texts = [f"{ACT}. {STRANGLED}. {CANARY}. {ACT} AND {STRANGLED}"] * 3
    reading = read_texts([Record("incidents", "A1", AT, AT, text) for text in texts], PHRASES)
    found = find(reading)
    assert found.clauses.tolist() == sorted(found.clauses.tolist())
    assert {len(each) for each in (found.families, found.statuses, found.patterns)} == {len(found.clauses)}
    assert found.patterns.max() < PATTERNS


# The data.
def phrases_of(entry: dict[str, Any]) -> Iterator[str]:
    for kind in ("phrases", "anchors", "near", "but_not"):
        yield from entry.get(kind, ())


def test_patterns_are_well_formed() -> None:
    assert set(DISCLOSURES) == {"edition", "pattern"}
    assert {entry["family"] for entry in DISCLOSURES["pattern"]} == set(FAMILIES)
    for number, entry in enumerate(DISCLOSURES["pattern"]):
        keys = set(entry) - {"but_not"}
        assert entry["source"].strip(), number
        assert keys in ({"family", "source", "phrases"}, {"family", "source", "anchors", "near", "within"}), (
            number
        )
        assert "but_not" not in entry or "anchors" in entry, number
        assert entry.get("within", 1) >= 1, number
        assert not set(entry.get("near", ())) & set(entry.get("but_not", ())), number
        assert [each for each in (*entry.get("near", ()), *entry.get("but_not", ())) if " " in each] == [], (
            number
        )


def test_triggers_are_well_formed() -> None:
    assert set(CONTEXT) == {"trigger", "terminate", "pseudo"}
    assert {entry["status"] for entry in CONTEXT["trigger"]} == set(STATUSES) - {"asserted"}
    for number, entry in enumerate(CONTEXT["trigger"]):
        assert set(entry) == {"status", "direction", "reach", "source", "phrases"}, number
        assert entry["direction"] in {"forward", "backward", "both"}, number
        assert entry["reach"] >= 0, number
        assert entry["source"].strip(), number
    assert set(trigger_phrases("hypothetical")) == {
        phrase
        for entry in CONTEXT["trigger"]
        if entry["status"] == "hypothetical"
        for phrase in entry["phrases"]
    }


def test_phrases_are_written_as_texts_are_read() -> None:
    entries = (*DISCLOSURES["pattern"], *CONTEXT["trigger"], CONTEXT["terminate"], CONTEXT["pseudo"])
    wrong = [
        phrase
        for entry in entries
        for phrase in phrases_of(entry)
        if not WORDS.fullmatch(phrase) or any(normal_form(word) != word for word in phrase.split())
    ]
    assert wrong == []


def test_no_phrase_stands_twice() -> None:
    for entry in DISCLOSURES["pattern"]:
        for kind in ("anchors", "near", "but_not"):
            assert [each for each, count in Counter(entry.get(kind, ())).items() if count > 1] == []
    patterns = Counter(phrase for entry in DISCLOSURES["pattern"] for phrase in entry.get("phrases", ()))
    triggers = Counter(phrase for entry in CONTEXT["trigger"] for phrase in entry["phrases"])
    others = Counter(phrase for name in ("terminate", "pseudo") for phrase in CONTEXT[name]["phrases"])
    assert [
        phrase for each in (patterns, triggers, others) for phrase, count in each.items() if count > 1
    ] == []
    assert not set(triggers) & set(others)


def examples() -> Iterator[tuple[int, str]]:
    """Give a text for every phrase, every anchor and every word that an anchor needs."""
    for number, entry in enumerate(DISCLOSURES["pattern"]):
        for phrase in entry.get("phrases", ()):
            yield number, phrase
        for place, anchor in enumerate(entry.get("anchors", ())):
            yield number, f"{anchor} {entry['near'][place % len(entry['near'])]}"
        for place, word in enumerate(entry.get("near", ())):
            yield number, f"{entry['anchors'][place % len(entry['anchors'])]} {word}"


def test_every_phrase_and_every_pair_states_its_pattern() -> None:
    cases = list(examples())
    found = patterns_in([text for _, text in cases])
    assert [text for (number, text), seen in zip(cases, found, strict=True) if number not in seen] == []
    assert len(cases) > 8_000


def test_every_trigger_counts_where_it_stands_alone() -> None:
    cases = [(entry["status"], phrase) for entry in CONTEXT["trigger"] for phrase in entry["phrases"]]
    reading = read_texts([Record("incidents", "A1", AT, AT, phrase) for _, phrase in cases], PHRASES)
    found: list[set[str]] = [set() for _ in cases]
    for clause, number in find(reading).triggers.tolist():
        found[reading.owners[clause]].add(STATUSES[number])
    wrong = [phrase for (name, phrase), seen in zip(cases, found, strict=True) if seen != {name}]
    assert wrong == []
