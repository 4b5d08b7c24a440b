"""Items that two people read, for the tests of the registrar's desk, and what its pages say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape

import httpx

from tests.desk.web.conftest import Site
from tests.store.nights import FIRST_NIGHT, RULES, event, night
from triage.review.decisions import Review
from triage.review.outcomes import FoundCrime, Outcome
from triage.store import Publication

READ = replace(RULES, second_review_share=1.0)
SAYS_YES = Outcome(
    "yes",
    (
        FoundCrime("rape", part=2, question=19, values={"victim_number": "1"}),
        FoundCrime("theft", part=1, start=0, end=5),
    ),
    {"reason_not_recorded": "R7", "notes": "the first reader's words"},
)
SAYS_NO = Outcome("no", values={"rationale_on_log": "adequate", "notes": "the second reader's words"})


def teams(publication: Publication) -> Publication:
    """The night with a team and a supervisor for each record; one of them would be a formula."""
    named = {1: ("=Response", "S-7"), 2: ("Hub", "")}
    texts = tuple(
        replace(each, team=named[each.part][0], supervisor_ref=named[each.part][1])
        for each in publication.texts
    )
    return replace(publication, texts=texts)


def a_desk(open_site: Callable[..., Site]) -> Site:
    """The pages with two nights, the second with teams; its items are decided by the tests."""
    site = open_site()
    site.store.publish(teams(night("run-2", 4, day=1)), event())
    site.clock.at = FIRST_NIGHT + timedelta(days=1, hours=2)
    return site


def items(site: Site) -> list[str]:
    return [row.item.item_id for row in site.store.queue("run-2")]


def pass_days(site: Site, days: int) -> None:
    """Let so many days pass, and the night after them publish an empty queue."""
    site.clock.forward(days=days)
    site.store.publish(night("later", 0, day=days), event(subject="later"))


def now(site: Site) -> datetime:
    return site.clock()


def read_twice(site: Site, item_id: str, one: Outcome = SAYS_YES, two: Outcome = SAYS_NO) -> None:
    """Let one auditor decide and another, blind, after them."""
    for by, act, outcome in (
        ("first.reader", "claim", None),
        ("first.reader", "decide", one),
        ("second.reader", "claim", None),
        ("second.reader", "decide", two),
    ):
        site.store.act(
            item_id,
            act,
            actor=by,
            roles={"auditor"},
            at=now(site),
            token=f"{item_id} {by} {act}",
            rules=READ,
            outcome=outcome,
            chance=0.5,
        )


def standing(site: Site, item_id: str) -> Review:
    return site.store.review(item_id, now(site), READ)


def hidden(page: httpx.Response, form: str) -> dict[str, str]:
    """The hidden fields of the form with this address."""
    (found,) = re.findall(rf'<form[^>]*action="{form}".*?</form>', page.text, re.DOTALL)
    return {
        name: unescape(value)
        for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', found)
    }


def words(page: httpx.Response) -> str:
    """What a reader sees."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)))
