"""Cues beside a crime's reference: that it is another force's, or a crime of another occasion.

A repeat caller's log names the crimes of before beside what happened tonight. To take one of these for the
record of tonight's would hide a victim.

Source: domain.md 6.3 (other forces), and the wording beside the 4,388 references in training_data/corpus: 67
have a cue of another occasion, and at most 13 of these are of the crime that the text tells of.
"""

from __future__ import annotations

import re

#: Characters either side of a reference in which a cue for another force counts (the distance in sample N5 of
#: domain.md 6.3, with room).
CUE_WINDOW_CHARACTERS = 60
_OTHER_FORCE = re.compile(
    r"\b(?:(?:other|another|host|home)\s+force|xfer|constabulary|police scotland|british transport police"
    r"|(?:btp|psni|gmp)\s+(?:crime|ref|log|own|recorded)|met(?:ropolitan)? police|they accept"
    r"|ownership accepted|their\s+(?:own\s+)?(?:ref|reference|log|crime|number)"
    r"|(?<!statement )(?<!evidence )(?<!actions )transfer(?:red)?\b(?!\s+to\s+(?:the\s+|a\s+)?"
    r"(?:cid|ppu|cai[tu]|hospital|a\s?&\s?e|a\s?\+\s?e|ae|ward|custody|ambulance|officer|pc)\b))\b"
    r"|\w+shire police\b|(?-i:\b[A-Z][a-z]+ Police\b)",
    re.IGNORECASE,
)
# One of these stands in every such cue; looking for them first saves most of the time.
_FORCE_LETTERS = (
    *("force", "xfer", "constabulary", "police", "btp", "psni", "gmp", "accept", "their", "transfer"),
)
#: Characters either side of a reference, within its own sentence, in which a cue for another occasion counts.
_SENTENCE_CHARACTERS = 60
_SENTENCE_ENDS = re.compile(r"[.;\n](?!\d)")
_THINGS = (
    "matters?|incidents?|crimes?|victims?|occasions?|jobs?|males?|females?|man|woman|lad|person|people|lady"
    "|patients?|resident|tenant|household|address|addresses|flat|date|day|night|complainant|offences?|suspect"
)
_ELSEWHERE = (
    r"\bbail(?:ed)?\s+(?:for|re|on|in|over|regarding)\b|\bwanted\s+(?:re|for|on|in|regarding)\b"
    r"|\bunrelated\b|\bnot\s+(?:connected|related|linked)\b|\bnothing\s+to\s+do\s+with\b"
    rf"|(?<!\bno )\b(?:different|another|other)\s+(?:{_THINGS})\b"
    r"|\bseparate\s+(?:matter|incident|occasion)\b|\b(?:is|was)\s+(?:a\s+)?separate\b"
    r"|\bnot\s+(?:yet\s+)?(?:been\s+)?(?:crimed|recorded)\b"
)
_EARLIER = (
    r"\bprev(?:ious(?:ly)?)?\b|\blast\s+(?:week|month|year|time|spring|summer|autumn|winter)\b"
    r"|\bearlier\s+(?:this|in\s+the)\s+(?:week|month|year)\b"
)
_CUES_BEFORE = re.compile(f"{_ELSEWHERE}|{_EARLIER}", re.IGNORECASE)
_CUES_AFTER = re.compile(_ELSEWHERE, re.IGNORECASE)


def is_of_other_force(text: str, start: int, end: int) -> bool:
    """Return whether a text says near the reference at ``start`` to ``end`` that another force has it.

    >>> is_of_other_force("host force ref YY/12345/26", 15, 26), is_of_other_force("CRIMED 42/999/26", 7, 16)
    (True, False)
    """
    around = text[max(0, start - CUE_WINDOW_CHARACTERS) : end + CUE_WINDOW_CHARACTERS]
    folded = around.casefold()
    return any(letters in folded for letters in _FORCE_LETTERS) and bool(_OTHER_FORCE.search(around))


def is_of_other_occasion(text: str, start: int, end: int) -> bool:
    """Return whether the sentence of the reference at ``start`` to ``end`` calls it another matter's.

    >>> text = "Tonight he slapped her. He is on bail for 42/50011/26."
    >>> is_of_other_occasion(text, text.index("42"), len(text) - 1)
    True
    >>> text = "He is on bail to his mother's. Crimed 42/50011/26."
    >>> is_of_other_occasion(text, text.index("42"), len(text) - 1)
    False
    """
    before = _SENTENCE_ENDS.split(text[max(0, start - _SENTENCE_CHARACTERS) : start])[-1]
    after = _SENTENCE_ENDS.split(text[end : end + _SENTENCE_CHARACTERS])[0]
    return bool(_CUES_BEFORE.search(before) or _CUES_AFTER.search(after))
