"""References in texts: which forms are found, which are left alone, and how the extract bears them out."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest

from triage.reading.claims import Claim, canonical, check_claims, find_claims

CORPUS = Path(__file__).parents[2] / "training_data" / "corpus"


def _found(text: str, canary: str) -> list[tuple[str, str]]:
    whole = f"{canary} {text} {canary}"
    claims = find_claims(whole)
    for claim in claims:
        assert whole[claim.start : claim.end].startswith(claim.reference[:5])
    return [(claim.kind, claim.reference) for claim in claims]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DETAINED. CR 42/123/26, CSI.", [("crime", "42/123/26")]),
        ("recorded CR/12345/26 by the desk", [("crime", "CR/12345/26")]),
        ("2250 CRIME 14/11290 ROBBERY", [("crime", "14/11290")]),
        ("10:20 UPD: CRIMED 42/70000/26 NFS", [("crime", "42/70000/26")]),
        ("Crime 1234567/26 burglary", [("crime", "1234567/26")]),
        ("CRN: 12345/26 given", [("crime", "12345/26")]),
        ("NICHE 2500321 created", [("crime", "2500321")]),
        ("occ 2500321 created", [("crime", "2500321")]),
        ("S4 put on, 54250031190, OIC 1408", [("crime", "54250031190")]),
        ("fresh report 61-0911-25, the 3rd stays", [("crime", "61-0911-25")]),
        ("fresh report 42/50003/2026, the 3rd stays", [("crime", "42/50003/2026")]),
        ("N100 XX/80001/26. RES: XFER", [("n100", "XX/80001/26")]),
        ("incident of rape N100 retained here at 66/1210/25", [("n100", "66/1210/25")]),
        ("3 X CRIMES RAISED 14/40021-23", [("crime", f"14/4002{n}") for n in (1, 2, 3)]),
        ("RES: ADMIN DUP OF LOG 117", [("duplicate", "117")]),
        ("dup of log 4471/23", [("duplicate", "4471/23")]),
        ("SAME AS LOG 0011/17 MAY", [("duplicate", "0011")]),
        ("Log 340 refers", [("duplicate", "340")]),
        ("dup of XX-20261103-0417", [("duplicate", "XX-20261103-0417")]),
        ("SUBJECT TO HOST FORCE INVESTIGATION REF YY/12345/26", [("crime", "YY/12345/26")]),
    ],
    ids=map(str, count(1)),
)
def test_forms_that_are_claims(text: str, expected: list[tuple[str, str]], canary: str) -> None:
    assert _found(text, canary) == expected


@pytest.mark.parametrize(
    "text",
    [
        "14/01/2025 at 22:14, aged 34",
        "30/01/23 again on 02/02",
        "ring her on 07700 900123 or 01632960123",
        "LOG 77 opened, confirmed on log 702",
        "DASH is 54170093321, three positives",
        "Form 22/31162/19, standard",
        "PPN 22/69014/21, low",
        "between 1115-1145 and 1400-1430",
        "took £12345 and 1234567 points",
        "item 2500321 of the list, code 25/3306",
        "LP ref LP/88190 supplied",
        "see the doctor, linked arms, dup key cut",
    ],
    ids=map(str, count(1)),
)
def test_forms_that_are_none(text: str, canary: str) -> None:
    assert _found(text, canary) == []


def test_canonical_compares_what_writers_vary() -> None:
    same = {"CR 42/00123/26", "cr/42/123/26", "CRIME NO 42/123/26", "42-123-26", " 42/0123/26 "}
    assert {canonical(reference) for reference in same} == {"42/123/26"}
    assert canonical("42/123/26") != canonical("421/23/26")


def _status(text: str, canary: str, **options: object) -> list[str]:
    whole = f"{canary} {text}"
    crimes = {"42/123/26": "42/00123/26"}
    checked = check_claims(find_claims(whole), whole, crimes=crimes, **options)  # type: ignore[arg-type]
    return [claim.status for claim in checked]


def test_a_crime_of_the_table_is_verified_and_named_as_the_table_does(canary: str) -> None:
    text = f"{canary} CRIMED 42/123/26, transferred to another force"
    (claim,) = check_claims(find_claims(text), text, crimes={"42/123/26": "42/00123/26"})
    assert (claim.status, claim.reference) == ("verified", "42/00123/26")


@pytest.mark.parametrize(
    ("text", "prefixes", "status"),
    [
        ("CRIMED 42/999/26", (), "unknown"),
        ("CRIMED 43/999/26", (), "unknown"),
        ("CRIMED 43/999/26", ("42",), "other_force"),
        ("CRIMED 42/999/26, TRANSFER ACK 18:52", ("42",), "unknown"),
        ("IP TRANSFERRED TO HOSPITAL, CRIME 42/999/26", (), "unknown"),
        ("IP TRANSFERRED TO THE WARD, CRIME 42/999/26", (), "unknown"),
        ("N100 42/999/26, TRANSFERRED TO WESTMERE", (), "other_force"),
        ("host force ref YY/12345/26", (), "other_force"),
        ("Marlshire Police have it, their reference ML-551-25", (), "other_force"),
        ("TRANSFER ACK 18:52, REF YY/12345/26", (), "other_force"),
        ("CRIME 12345/26 by the desk", ("42",), "unknown"),
        ("CR/19004/25 by the desk", ("42",), "unknown"),
    ],
    ids=map(str, count(1)),
)
def test_status_of_an_unverified_claim(
    text: str, prefixes: tuple[str, ...], status: str, canary: str
) -> None:
    assert _status(text, canary, own_force_prefixes=prefixes) == [status]


def test_a_cue_far_away_does_not_count(canary: str) -> None:
    assert _status("host force told. " + "x " * 40 + "CRIMED 42/999/26", canary) == ["unknown"]


def test_a_records_own_reference_is_no_crime(canary: str) -> None:
    assert _status("Please cancel 88/3308/16", canary, records={"88/3308/16"}) == []


def test_a_duplicate_is_verified_only_by_a_log(canary: str) -> None:
    text = f"{canary} DUP OF LOG 117"
    (claim,) = check_claims(find_claims(text), text, crimes={}, log_named={"117": "XX-1-0117"}.get)
    assert claim == Claim("duplicate", "XX-1-0117", claim.start, claim.end, "verified")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("He is on bail for {}.", "other_occasion"),
        ("Previous: {} on 13/11.", "other_occasion"),
        ("Crime {} is a different matter with another victim.", "other_occasion"),
        ("Suspect also wanted re {}.", "other_occasion"),
        ("Last week's slap was crimed as {}.", "other_occasion"),
        ("NOT crimed under {}, she says.", "other_occasion"),
        ("Crime {} quoted by the caller is for another address.", "other_occasion"),
        ("Crimed {}. He is on bail for another matter.", "verified"),
        ("On bail to his mother's. Crime {} refers.", "verified"),
        ("Crime {} for last night, no other victim.", "verified"),
        ("Crimed {}, seen last week by DAU.", "verified"),
        ("Separate crime recorded for the damage, {}.", "verified"),
    ],
    ids=map(str, count(1)),
)
def test_a_crime_that_a_text_calls_another_matters(text: str, status: str, canary: str) -> None:
    assert _status(text.format("42/123/26"), canary) == [status]


@pytest.mark.parametrize(
    "named", ["DUPLICATE OF 42/123/26", "dup of 42/00123/26", "duplicate of crime 42/123/26"]
)
def test_a_duplicate_of_a_crime_names_the_crime(named: str, canary: str) -> None:
    text = f"{canary} {named}, which stands"
    (claim,) = check_claims(find_claims(text), text, crimes={"42/123/26": "42/00123/26"})
    assert (claim.kind, claim.reference, claim.status) == ("crime", "42/00123/26", "verified")


def test_references_in_the_corpus_are_found() -> None:
    """Of the 298 `recorded` records of w1 to w9, 239 write a reference, read by hand; clean ones hardly any.

    Eleven clean records of later writers quote a reference on purpose that is no crime's of theirs.
    """
    found = {"recorded": 0, "clean": 0}
    quoting = set()
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            crimes = [claim for claim in find_claims(record["text"]) if claim.kind != "duplicate"]
            if crimes and record["kind"] == "clean" and int(path.stem[1:]) >= 30:
                quoting.add(record["id"])
            elif record["kind"] == "clean" or (record["kind"] == "recorded" and int(path.stem[1:]) <= 9):
                found[record["kind"]] += bool(crimes)
    assert found["recorded"] >= 237
    assert found["clean"] <= 3
    assert quoting == {
        *("w34-072", "w34-089", "w39-058", "w41-043", "w41-085", "w41-127", "w42-059", "w42-088", "w42-125"),
        *("w67-133", "w69-047", "w100-081", "w100-084"),
    }
