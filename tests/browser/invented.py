"""A night of invented items for the browser: logs, a form, linked records, a hostile text, an empty one."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

from tests.conftest import CANARY
from triage.reading.linking import Claim
from triage.review.outcomes import FoundCrime
from triage.store import (
    Item,
    ItemCrime,
    ItemEvidence,
    ItemText,
    Part,
    PlaceRow,
    Publication,
    Run,
    item_id_of,
)

AS_OF = datetime(2026, 10, 14, 3, tzinfo=UTC)
RUN_ID = "20261014T0300Z-0123abcd"
#: Markup that a stranger might put into a text: none of it may act.
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
CRIME = ItemCrime("42/70123/26", "105/01", "2026-10-13T08:00:00+00:00")
#: Written in a text around the words that are evidence: ⟦family:words⟧ or ⟦family/status:words⟧.
_PLACE = re.compile("⟦([a-z_]*)/?([a-z_]*):([^⟧]*)⟧")

#: Reference, source, text. The first stand first in the queue.
LOGS = (
    (
        "XX-0417",
        "incidents",
        "22:14 CALL: EX PARTNER AT DOOR, CALLER SAYS LAST WEEK HE "
        "⟦non_fatal_strangulation:GRABBED HER BY THE THROAT⟧ UNTIL SHE SAW SPOTS.\n"
        "22:31 UPD TA12: MALE GONE ON ARRIVAL. ⟦/lowers:NO COMPLAINTS MADE⟧ ABOUT TONIGHT.\n"
        "22:48 PC 4471: SHE SAYS HE ⟦violence_without_injury/historic:SLAPPED HER⟧ IN MAY AS WELL.\n"
        "23:05 RES: VERBAL ONLY, CRIMED 42/70123/26.",
    ),
    (
        "XX-0422",
        "incidents",
        "06:12 CALL: SHED BROKEN INTO, ⟦theft:BIKE AND DRILL GONE⟧.\n06:40 RES: ADVICE GIVEN.",
    ),
    (
        "RF-0031",
        "referrals",
        "School reports that the boy said his uncle ⟦violence_with_injury:hit him with a belt⟧ and "
        "left marks. Uncle ⟦violence_with_injury/denied_by_suspect:says he never touched him⟧. Strategy "
        "meeting held, social care to lead, no crime considered.",
    ),
    (
        "XX-0425",
        "incidents",
        "09:40 CALL: DRIVER SAYS CAR ⟦criminal_damage:KEYED⟧ IN CAR PARK.\n09:58 CLOSE.",
    ),
    (
        "XX-0431",
        "incidents",
        f"11:02 WEB: {SCRIPT} NEIGHBOUR SAYS HE WILL ⟦threats_to_kill:KILL ME⟧.",
    ),
    (
        "DN-0107",
        "domestic_noncrimes",
        "She says he ⟦controlling_coercive_behaviour:takes her wages⟧ and "
        "⟦stalking_harassment:follows her to work⟧. Filed as verbal only.",
    ),
    (
        "XX-0440",
        "incidents",
        "13:15 CALL: YOUTHS ⟦public_order:SHOUTING ABUSE⟧ AT SHOP STAFF.\n13:50 AREA SEARCHED.",
    ),
    (
        "XX-0448",
        "incidents",
        "15:20 CALL: PURSE ⟦theft:TAKEN FROM BAG⟧ IN CAFE.\n15:45 LOST PROPERTY.",
    ),
    (
        "XX-0451",
        "incidents",
        "16:05 CALL: LODGER'S DOOR ⟦criminal_damage/question:KICKED IN⟧ OR STUCK?\n16:30 CIVIL.",
    ),
    (
        "XX-0459",
        "incidents",
        "17:44 CALL: MAN ⟦robbery:SNATCHED PHONE AND PUSHED⟧ HER.\n18:20 NO TRACE.",
    ),
    ("XX-0463", "incidents", "18:30 CALL: FIELD OF OILSEED RAPE FLATTENED.\n18:52 FARMER INFORMED."),
    (
        "XX-0470",
        "incidents",
        "19:10 CALL: BACK WINDOW ⟦burglary:SMASHED, DRAWERS OUT⟧.\n19:40 ADVICE.",
    ),
    (
        "RF-0035",
        "referrals",
        "Nurse: patient disclosed ⟦rape/historic:he forced her⟧ in 2019 and wants no police.",
    ),
    ("XX-0476", "incidents", "20:00 CALL: NOISE FROM NUMBER NINE.\n20:20 COUNCIL INFORMED."),
    (
        "XX-0481",
        "incidents",
        "21:10 CALL: CHILD ⟦child_cruelty:LEFT ALONE SINCE NOON⟧.\n21:55 SAFE AND WELL.",
    ),
)
#: The reference of the item without a narrative, and of the one drawn at random.
EMPTY, CONTROL = "XX-0490", "XX-0451"
HOSTILE, LINKED = "XX-0431", "XX-0417"


def item_id(record_ref: str) -> str:
    """Return the id of the item with this reference."""
    source = next((source for reference, source, _ in LOGS if reference == record_ref), "incidents")
    return item_id_of(source, record_ref, _content(record_ref))


def crime(record_ref: str, family: str, words: str) -> FoundCrime:
    """Return a crime of this family that names these words of a log as its place."""
    text = next(_read(marked)[0] for reference, _, marked in LOGS if reference == record_ref)
    start = text.index(words)
    return FoundCrime(family, 1, start, start + len(words))


def invented_night() -> Publication:
    """Return the night: sixteen items, the first with a form linked to it, all texts with the canary."""
    made = [_item(number, *log) for number, log in enumerate((*LOGS, (EMPTY, "incidents", "  ")))]
    items = tuple(item for item, _ in made)
    texts = tuple(text for _, parts in made for text in parts)
    return Publication(
        run=Run(
            run_id=RUN_ID,
            published_at=AS_OF + timedelta(hours=1),
            as_of=AS_OF,
            extract_digest="d" * 64,
            model_id="linear-20261001-abcdef01",
            settings_digest="5" * 64,
            recipe="linear",
            budget_items=40,
            counts={"records": 180, "arms": {"rule": 1, "ranked": len(items) - 3, "control": 2}},
        ),
        items=items,
        texts=texts,
        places=tuple(
            PlaceRow(
                position,
                item.item_id,
                item.arm,
                item.score_01,
                carried=False,
                families=item.families,
                rules=item.rules,
                crimes=(CRIME,) if item.record_ref == LINKED else (),
            )
            for position, item in enumerate(items, start=1)
        ),
    )


def _content(record_ref: str) -> str:
    return hashlib.sha256(record_ref.encode()).hexdigest()


def _read(marked: str) -> tuple[str, tuple[ItemEvidence, ...]]:
    """Return a text without the marks, and the places that they marked."""
    text, places, last = "", [], 0
    for found in _PLACE.finditer(marked):
        text += marked[last : found.start()]
        family, status, words = found.groups()
        places.append(ItemEvidence(family, len(text), len(text) + len(words), status=status or "asserted"))
        text, last = text + words, found.end()
    return text + marked[last:], tuple(places)


def _item(number: int, record_ref: str, source: str, marked: str) -> tuple[Item, list[ItemText]]:
    text, evidence = _read(marked)
    readable = bool(text.strip())
    families = tuple(dict.fromkeys(each.family for each in evidence if each.family))
    linked = record_ref == LINKED
    parts = (Part(source, record_ref), *([Part("assessments", "DASH-0088", "incident")] if linked else ()))
    if linked:
        evidence += (ItemEvidence("non_fatal_strangulation", question="q18", part=2),)
    opened_at = AS_OF - timedelta(hours=30 + 7 * number)
    control = record_ref in (CONTROL, EMPTY)
    item = Item(
        item_id=item_id(record_ref),
        run_id=RUN_ID,
        source=source,
        record_ref=record_ref,
        root=record_ref,
        content_hash=_content(record_ref),
        arm="rule" if linked else "control" if control else "ranked",
        inclusion_probability=0.02 if control else 1.0,
        random_number=None,
        stratum="readable" if readable else "unreadable",
        score_01=round(0.93 * 0.85**number, 3),
        tiebreak="00",
        opened_at=opened_at,
        queued_at=AS_OF,
        retain_until=AS_OF + timedelta(days=90),
        parts=parts,
        p_families={family: 0.5 / (1 + at) for at, family in enumerate(families)},
        families=families,
        evidence=evidence,
        rules=("strangulation_answer",) if linked else (),
    )
    narrative = f"{text} {CANARY}" if readable else text
    claimed = narrative.find(CRIME.crime_ref)
    return item, [
        ItemText(
            item_id=item.item_id,
            part=at,
            source=part.source,
            record_ref=part.record_ref,
            text=narrative if at == 1 else f"She says it happens most weeks when he drinks. {CANARY}",
            answers={1: "N", 2: "Y", 17: "NK", 18: "Y"} if part.source == "assessments" else {},
            claims=(Claim("crime", CRIME.crime_ref, claimed, claimed + len(CRIME.crime_ref), "verified"),)
            if linked and at == 1
            else (),
            opened_at=opened_at,
            closed_at=opened_at + timedelta(hours=2),
            retain_until=item.retain_until,
            opening_code="DOMESTIC INCIDENT" if linked else "CONCERN",
            closing_code="NO OFFENCES DISCLOSED",
            form_version="dash-police-27" if part.source == "assessments" else "",
            crimes=(CRIME,) if linked else (),
            team="RESPONSE C" if number % 2 else "NEIGHBOURHOOD COAST",
            supervisor_ref=f"PS30{number % 4}",
        )
        for at, part in enumerate(parts, start=1)
    ]
