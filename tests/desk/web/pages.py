"""Forms of the pages as a browser without a script would fill and send them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser

import httpx

from tests.desk.conftest import AS_OF
from tests.desk.web.conftest import Site
from triage.store import AuditEvent, Publication


def with_night(site: Site, publication: Publication) -> Site:
    """Publish a night and set the clock to the morning after."""
    run = publication.run
    site.store.publish(publication, AuditEvent(AS_OF, "nightly", "combination", run.run_id, run.run_id))
    site.clock.at = AS_OF + timedelta(hours=5)
    return site


@contextmanager
def browsers(site: Site) -> Iterator[Callable[[str], httpx.Client]]:
    """Give each person one browser, closed when the block ends."""
    with ExitStack() as until:
        known: dict[str, httpx.Client] = {}

        def of(name: str) -> httpx.Client:
            if name not in known:
                known[name] = until.enter_context(site.client(name))
            return known[name]

        yield of


@dataclass
class Form:
    """One form: where it goes, and what it would send."""

    action: str = ""
    values: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, Form] = {}
        self._form: Form | None = None
        self._name = ""
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""))
            self.forms[given.get("id", given.get("action", ""))] = self._form
        if self._form is None:
            return
        values = self._form.values
        if tag == "input" and (given.get("type") != "radio" or "checked" in given):
            values[given["name"]] = given.get("value", "")
        elif tag == "select":
            self._name = given["name"]
            values[self._name] = ""
        elif tag == "option" and "selected" in given:
            values[self._name] = given["value"]
        elif tag == "textarea":
            self._name, self._text = given["name"], []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._form is not None and self._text is not None:
            # A browser drops the line break that begins a text area.
            self._form.values[self._name] = "".join(self._text).removeprefix("\n")
            self._text = None


def forms(page: httpx.Response) -> dict[str, Form]:
    """Return the forms of a page by their id, or where they go."""
    parser = _Forms()
    parser.feed(page.text)
    return parser.forms


def send(client: httpx.Client, page: httpx.Response, form_id: str, **changes: str) -> httpx.Response:
    """Fill a form of a page and send it; a name's underscores stand as they are, ``__`` for a hyphen."""
    form = forms(page)[form_id]
    changed = {name.replace("__", "-"): value for name, value in changes.items()}
    return client.post(form.action, data={**form.values, **changed})
