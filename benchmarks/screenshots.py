"""Pictures of the queue, of an item and of the registrar's desk for docs/images, light and dark.

usage: python benchmarks/screenshots.py [--data-dir DIR]

Runs the night on the invented sample first, or copies the store of a night that ran already. Three invented
people then decide a part of the queue; nothing that a picture shows is real. Needs Chromium.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import uvicorn
from PIL import Image  # comes with matplotlib
from playwright.sync_api import Browser, sync_playwright

from triage.desk.web.app import create_app, identity_for
from triage.review.decisions import review_rules
from triage.review.outcomes import FoundCrime, Outcome
from triage.settings import Settings
from triage.store import QueueRow, Store, open_store

ROOT = Path(__file__).resolve().parent.parent
EXTRACT = ROOT / "training_data" / "sample_extract"
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT, COLOURS = 1280, 960, 64
KIB_MOST = 150
ANN, BEN, REGISTRAR = "ann.hale", "ben.osei", "ruth.vane"
ROLE_MEMBERS = {"auditor": (ANN, BEN), "registrar": (REGISTRAR,)}
#: Places of the queue: read twice with one answer, read twice with two, read once, left as cannot say.
AGREED, DISPUTED, ONCE, UNSURE = range(1, 13), (13, 14), range(17, 23), (23,)
#: The places that ann.hale and ben.osei are reading; the first is shown.
SHOWN, OTHER = 15, 16


def night(folder: Path) -> None:
    """Run the night on the invented sample, with all that it makes in a folder."""
    environment = os.environ | {
        "TRIAGE_DATA_DIR": str(folder),
        "TRIAGE_REGISTRY_DIR": str(folder / "registry"),
    }
    words = [sys.executable, "-m", "flows.nightly", "--extract", str(EXTRACT)]
    subprocess.run(words, env=environment, cwd=ROOT, check=True)


def outcome_of(row: QueueRow, *, crime: bool) -> Outcome:
    """Return an outcome: the item's likeliest family as a crime with its first place, or no crime."""
    if not crime or not row.families:
        return Outcome("no", values={"rationale_on_log": "adequate"})
    places = [each for each in row.item.evidence if each.family == row.families[0] and each.end]
    where = {"part": places[0].part, "start": places[0].start, "end": places[0].end} if places else {}
    return Outcome(
        "yes",
        (FoundCrime(row.families[0], **where),),
        {"reason_not_recorded": "R7" if row.position % 3 else "R4", "rationale_on_log": "none"},
    )


def review(store: Store, settings: Settings) -> None:
    """Let the invented people decide a part of the queue."""
    rules = review_rules(settings)
    run = store.latest_run()
    if run is None:
        raise SystemExit("the store holds no night")
    rows = {row.position: row for row in store.queue(run.run_id)}
    at = run.as_of + timedelta(hours=3)

    def decide(place: int, by: str, outcome: Outcome, chance: float = 1.0) -> None:
        nonlocal at
        for act, given in (("claim", None), ("decide", outcome)):
            at += timedelta(seconds=50)
            store.act(
                rows[place].item.item_id,
                act,
                actor=by,
                roles={"auditor"},
                at=at,
                token=f"{place} {act} {by}",
                rules=rules,
                outcome=given,
                chance=chance,
            )

    for place in AGREED:
        said = outcome_of(rows[place], crime=place % 3 == 0)
        decide(place, ANN, said, chance=0.0)
        decide(place, BEN, said)
    for place in DISPUTED:
        decide(place, BEN, outcome_of(rows[place], crime=True), chance=0.0)
        decide(place, ANN, outcome_of(rows[place], crime=False))
    for place in ONCE:
        decide(place, ANN if place % 2 else BEN, outcome_of(rows[place], crime=place % 2 == 0))
    for place in UNSURE:
        decide(place, BEN, Outcome("cannot_say"))
    for place, by in ((SHOWN, ANN), (OTHER, BEN)):
        store.act(
            rows[place].item.item_id,
            "claim",
            actor=by,
            roles={"auditor"},
            at=at,
            token=f"{place} reading",
            rules=rules,
        )


@contextmanager
def served(settings: Settings, store: Store) -> Iterator[str]:
    """Serve the pages on loopback; gives their address."""
    run = store.latest_run()
    now = run.as_of + timedelta(hours=3, minutes=50) if run else None
    app = create_app(settings, store, identity=identity_for(settings), now=lambda: now)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def picture(browser: Browser, url: str, path: str, person: str, name: str) -> None:
    """Write a page as two pictures, light and dark."""
    for scheme in ("light", "dark"):
        context = browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT},
            color_scheme=scheme,
            extra_http_headers={"X-Forwarded-User": person},
        )
        page = context.new_page()
        answer = page.goto(url + path)
        if answer is None or answer.status != 200:
            raise SystemExit(f"{path} was answered with {answer.status if answer else 'nothing'}")
        shot = Image.open(io.BytesIO(page.screenshot()))
        context.close()
        file = IMAGES / f"{name}-{scheme}.png"
        shot.convert("RGB").quantize(COLOURS).save(file, optimize=True)
        kib = file.stat().st_size / 1024
        print(f"{file.relative_to(ROOT)}  {shot.width} x {shot.height}  {kib:.0f} KiB")
        if kib > KIB_MOST:
            raise SystemExit(f"{file.name} is larger than {KIB_MOST} KiB")


def main() -> int:
    """Write the pictures."""
    words = argparse.ArgumentParser(description="Writes the pictures of the pages in docs/images.")
    words.add_argument("--data-dir", type=Path, help="of a night of the invented sample that ran already")
    given = words.parse_args().data_dir
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="triage-pictures-") as name:
        folder = Path(name)
        if given:
            shutil.copy(given / "triage.db", folder / "triage.db")
        else:
            night(folder)
        settings = Settings(data_dir=folder, access_mode="proxy", role_members=ROLE_MEMBERS)
        with open_store(settings.store_url) as store:
            review(store, settings)
            shown = next(row for row in store.queue() if row.position == SHOWN)
            with served(settings, store) as url, sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
                )
                picture(browser, url, "/queue", ANN, "queue")
                picture(browser, url, f"/items/{shown.item.item_id}", ANN, "item")
                picture(browser, url, "/desk", REGISTRAR, "desk")
                browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
