"""A force's own past records and the crimes recorded for them, as noisy examples to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl

from training_data.examples import Example
from triage.language.disclosures import trigger_phrases
from triage.language.offences import FAMILIES, family_of
from triage.language.text import all_phrase_spans
from triage.reading.claims import find_all_claims
from triage.reading.linking import Matter
from triage.reading.records import Crime

#: Blocks of time that history is cut into; each is weighed by readers that had not seen it.
_BLOCKS = 4
#: Together the records of history weigh at most as much as so many times the labelled records.
_WEIGHT_MOST = 1.0
#: Texts read at a time.
_AT_ONCE = 500
#: Statuses of context whose phrases give the outcome away.
_OUTCOMES = ("recorded", "conclusion")


def history_examples(matters: Sequence[Matter], labelled: int) -> tuple[Example, ...]:
    """Return past records as examples that disclose what was recorded for them.

    Recorded crimes are mostly true, and a record without one is mixed: one-sided labels. A record counts
    as disclosing the families recorded for its matter, as if nobody had recorded them; what gives the
    outcome away is masked; no clause is marked. Examples weigh less where there are many of them.

    Parameters
    ----------
    matters : sequence of Matter
        Records of the past, linked with their crimes.
    labelled : int
        Number of labelled records that they are learnt from with.

    Source: learning from positive and unlabelled examples, Elkan & Noto 2008.
    """
    pairs = sorted(
        ((record, _own_crimes(matter)) for matter in matters for record in matter.records),
        key=lambda pair: (pair[0].opened_at, pair[0].key),
    )
    weight = min(1.0, _WEIGHT_MOST * labelled / len(pairs)) if labelled and pairs else 1.0
    blocks = np.arange(len(pairs)) * _BLOCKS // max(1, len(pairs))
    masked = mask_all([record.text for record, _ in pairs])
    return tuple(
        Example(
            record=replace(record, text=text),
            author=f"history-{block}",
            disclosed=_families(crimes),
            recorded=(),
            evidence=(),
            marked=False,
            weight=weight,
        )
        for (record, crimes), block, text in zip(pairs, blocks.tolist(), masked, strict=True)
    )


def _own_crimes(matter: Matter) -> tuple[Crime, ...]:
    """Return the crimes raised from the matter's own records, not those that its texts name from the past."""
    return tuple(crime for crime in matter.crimes if crime.crime_ref not in matter.claimed)


def _families(crimes: Sequence[Crime]) -> tuple[str, ...]:
    found = {family_of(crime.offence_code) for crime in crimes if crime.status == "recorded"}
    return tuple(family for family in FAMILIES if family in found)


def mask_outcomes(text: str) -> str:
    """Return the text without what says how it was recorded or closed; every offset stays as it was.

    >>> mask_outcomes("PUSHED HIM. CRIMED 42/70000/26.")
    'PUSHED HIM.                   .'
    """
    return next(mask_all([text]))


def mask_all(texts: Sequence[str]) -> Iterator[str]:
    """Give the same for each of many texts, some of them read at a time."""
    for begin in range(0, len(texts), _AT_ONCE):
        some = texts[begin : begin + _AT_ONCE]
        claims = dict(find_all_claims(pl.Series(some, dtype=pl.String)))
        for at, (text, spans) in enumerate(
            zip(some, all_phrase_spans(some, _outcome_phrases()), strict=True)
        ):
            letters = list(text)
            for start, end in (*((claim.start, claim.end) for claim in claims.get(at, ())), *spans):
                letters[start:end] = " " * (end - start)
            yield "".join(letters)


@cache
def _outcome_phrases() -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase for status in _OUTCOMES for phrase in trigger_phrases(status)))
