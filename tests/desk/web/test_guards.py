"""What every request passes before a page sees it: hosts, senders, sizes, rates, and what a bug shows."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.desk.web.conftest import Site
from triage.desk.web.guards import FORM_BYTES_MAX, WORKBOOK


@pytest.fixture
def auditor(site: Site) -> Iterator[httpx.Client]:
    with site.client("a.auditor") as browser:
        yield browser


def raw(site: Site, *lines: str, body: bytes = b"") -> bytes:
    """Send a request as it stands, and return the first line of the answer."""
    host, port = site.url.removeprefix("http://").split(":")
    # A server that waits for the rest of a body would otherwise hang the test in place of failing it.
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer.split(b"\r\n", 1)[0]


# Headers


POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "connect-src": "'none'",
}


def test_every_answer_carries_the_headers(auditor: httpx.Client) -> None:
    answers = {"/queue": 200, "/no-such-page": 404, "/desk": 403, "/static/desk.css": 200}
    for path, status in answers.items():
        answer = auditor.get(path)
        assert answer.status_code == status
        policy = answer.headers["content-security-policy"].split("; ")
        assert dict(part.split(" ", 1) for part in policy) == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == ("no-cache" if "static" in path else "no-store")
        assert "strict-transport-security" not in answer.headers


def test_what_a_guard_refuses_carries_them_too(site: Site) -> None:
    with site.client(Host="elsewhere.example") as browser:
        answer = browser.get("/queue")
    assert answer.status_code == 400
    assert "default-src 'none'" in answer.headers["content-security-policy"]


# Hosts


STRANGE_HOSTS = (
    "elsewhere.example",
    "127.0.0.1.elsewhere.example",
    "localhost.elsewhere.example",
    "user@elsewhere.example",
    "127.0.0.1@elsewhere.example",
    "pages.example.elsewhere.example",
    "pages.example:81",
    "[",
)
OUR_HOSTS = ("pages.example", "PAGES.example", "localhost", "127.0.0.1:99", "[::1]:99")


def test_only_the_public_host_and_this_machine_are_served(open_site: Callable[..., Site]) -> None:
    site = open_site(public_url="https://pages.example")
    for host in STRANGE_HOSTS:
        with site.client("a.auditor", Host=host, **{"X-Forwarded-Host": "pages.example"}) as browser:
            for path in ("/", "/queue", "/health", "/static/desk.css"):
                assert browser.get(path).status_code == 400, host
    for host in OUR_HOSTS:
        with site.client("a.auditor", Host=host) as browser:
            assert browser.get("/queue").status_code == 200, host


def test_two_hosts_or_none_are_refused(site: Site) -> None:
    two = raw(site, "GET /health HTTP/1.1", "Host: localhost", "Host: elsewhere.example")
    assert two.startswith(b"HTTP/1.1 400")
    assert raw(site, "GET /health HTTP/1.0").startswith(b"HTTP/1.1 400")
    assert raw(site, "GET /health HTTP/1.1", "Host: localhost").startswith(b"HTTP/1.1 200")


# Who sent the form


SENDERS: dict[str, tuple[dict[str, str], bool]] = {
    "our own form": ({"Sec-Fetch-Site": "same-origin"}, True),
    "our own form without a referrer": ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
    "another site": ({"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}, False),
    "another site in our name": ({"Sec-Fetch-Site": "cross-site", "Origin": "OWN"}, False),
    "a neighbour": ({"Sec-Fetch-Site": "same-site", "Origin": "OWN"}, False),
    "the address bar": ({"Sec-Fetch-Site": "none"}, False),
    "the address bar, from elsewhere": ({"Sec-Fetch-Site": "none", "Origin": "https://else.example"}, False),
    "the address bar, from us": ({"Sec-Fetch-Site": "none", "Origin": "OWN"}, True),
    "an unknown word": ({"Sec-Fetch-Site": "same-origin, none"}, False),
    "an older browser": ({"Origin": "OWN"}, True),
    "an older browser, elsewhere": ({"Origin": "https://elsewhere.example"}, False),
    "an older browser, hidden": ({"Origin": "null", "Referer": "OWN/queue"}, False),
    "an older browser, empty": ({"Origin": "", "Referer": "OWN/queue"}, False),
    "another scheme": ({"Origin": "https://127.0.0.1"}, False),
    "another port": ({"Origin": "http://127.0.0.1:1"}, False),
    "a longer host": ({"Origin": "OWN.elsewhere.example"}, False),
    "a referrer of ours": ({"Referer": "OWN/items/x?highlights=off"}, True),
    "a referrer from elsewhere": ({"Referer": "https://elsewhere.example/OWN"}, False),
    "a referrer that begins like ours": ({"Referer": "OWN@elsewhere.example/"}, False),
    "no word at all": ({}, False),
}


def test_only_our_own_pages_send_forms(open_site: Callable[..., Site]) -> None:
    site = open_site(items=len(SENDERS))
    items = [row.item.item_id for row in site.store.queue()]
    got = {}
    with site.client("a.auditor") as browser:
        del browser.headers["Sec-Fetch-Site"]
        for item, (sender, (given, _)) in zip(items, SENDERS.items(), strict=True):
            headers = {name: value.replace("OWN", site.url) for name, value in given.items()}
            form = {"token": sender, "seen": "0"}
            answer = browser.post(f"/items/{item}/claim", data=form, headers=headers)
            got[sender] = (answer.status_code, len(site.store.history(item)))
    assert got == {sender: (303, 1) if ours else (403, 0) for sender, (_, ours) in SENDERS.items()}


def test_behind_https_the_public_address_is_the_origin(open_site: Callable[..., Site]) -> None:
    site = open_site(public_url="https://pages.example")
    with site.client("a.auditor", Host="pages.example") as browser:
        del browser.headers["Sec-Fetch-Site"]
        for origin, status in (
            ("https://pages.example", 200),
            ("https://PAGES.example", 200),
            ("http://pages.example", 403),
            ("https://pages.example:444", 403),
        ):
            answer = browser.post("/search", data={"reference": "x"}, headers={"Origin": origin})
            assert answer.status_code == status, origin


def test_other_methods_are_refused(site: Site) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"):
        status = raw(site, f"{method} /queue HTTP/1.1", "Host: localhost", "X-Forwarded-User: a.auditor")
        assert status.startswith(b"HTTP/1.1 405"), method


def test_a_page_of_ours_inside_another_site_is_refused(site: Site) -> None:
    item = site.store.queue()[0].item.item_id
    before = len(site.store.events())
    with site.client("a.auditor", **{"Sec-Fetch-Site": "cross-site"}) as browser:
        for mode, dest in (("no-cors", "image"), ("navigate", "iframe"), ("cors", "empty")):
            headers = {"Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
            assert browser.get(f"/items/{item}", headers=headers).status_code == 403
        assert len(site.store.events()) == before
        followed = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert browser.get("/queue", headers=followed).status_code == 200


# Sizes


def test_a_body_that_is_too_large_is_refused_before_it_is_read(site: Site, auditor: httpx.Client) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    own = ("Host: localhost", "X-Forwarded-User: a.auditor", "Sec-Fetch-Site: same-origin", form)
    announced = f"Content-Length: {FORM_BYTES_MAX + 1}"
    # Not a byte of the body follows: the answer comes from the announcement alone.
    assert raw(site, "POST /search HTTP/1.1", *own, announced).startswith(b"HTTP/1.1 413")
    # One byte too many, and the last chunk is missing: it is refused at the limit and not at the end. With
    # more on its way the server's closing could reset the connection before the answer is read.
    chunks = (b"10000\r\n" + b"x" * 65536 + b"\r\n") * (FORM_BYTES_MAX // 65536) + b"1\r\nx\r\n"
    chunked = raw(site, "POST /search HTTP/1.1", *own, "Transfer-Encoding: chunked", body=chunks)
    assert chunked.startswith(b"HTTP/1.1 413")
    fits = {"reference": "x" * 60, "padding": "y" * (FORM_BYTES_MAX - 200)}
    assert auditor.post("/search", data=fits).status_code != 413
    for wrong in ("-1", "1e3", "9" * 40, "x"):
        status = raw(site, "POST /search HTTP/1.1", *own, f"Content-Length: {wrong}")
        assert status.startswith(b"HTTP/1.1 400"), wrong


def test_only_the_workbook_may_be_larger(open_site: Callable[..., Site]) -> None:
    site = open_site(upload_bytes_max=FORM_BYTES_MAX * 2)
    own = ("Host: localhost", "X-Forwarded-User: a.auditor", "Sec-Fetch-Site: same-origin")
    with site.client("a.auditor") as browser:
        book = {"file": ("x.xlsx", b"x" * int(FORM_BYTES_MAX * 1.5))}
        assert browser.post(WORKBOOK, files=book).status_code not in (413, 404)
    # Announced and not sent: a body under way could reset the connection before the answer is read.
    for path, length in (("/workbook/export", FORM_BYTES_MAX * 1.5), (WORKBOOK, FORM_BYTES_MAX * 2 + 1)):
        status = raw(site, f"POST {path} HTTP/1.1", *own, f"Content-Length: {int(length)}")
        assert status.startswith(b"HTTP/1.1 413"), path


# Rates


def test_one_person_is_slowed_down_and_no_other(open_site: Callable[..., Site]) -> None:
    site = open_site(requests_per_minute=10)
    with site.client("a.auditor") as fast, site.client("a.registrar") as slow:
        assert [fast.get("/keys").status_code for _ in range(11)] == [200] * 10 + [429]
        with site.client("a.auditor") as again:
            refused = again.get("/queue")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert slow.get("/keys").status_code == 200


def test_whoever_is_not_signed_in_is_counted_by_address(open_site: Callable[..., Site]) -> None:
    site = open_site(requests_per_minute=10)
    with site.client(address="127.0.0.2") as stranger, site.client(address="127.0.0.3") as other:
        assert [stranger.get("/queue").status_code for _ in range(11)] == [401] * 10 + [429]
        # From there nobody is believed who says to stand for others.
        claimed = stranger.get("/queue", headers={"X-Forwarded-For": "10.9.8.7"})
        assert claimed.status_code == 429
        forged = stranger.get("/queue", headers={"X-Forwarded-User": "a.auditor"})
        assert forged.status_code == 429
        assert other.get("/queue").status_code == 401


def test_behind_the_proxy_each_client_has_its_own_count(open_site: Callable[..., Site]) -> None:
    site = open_site(requests_per_minute=10)
    with site.client() as proxy:
        for number in range(11):
            # What the client wrote itself stands further left, and counts for nothing.
            sent = {"X-Forwarded-For": f"10.0.0.{number}, 192.0.2.7, 127.0.0.1"}
            assert proxy.get("/queue", headers=sent).status_code == (401 if number < 10 else 429)
        assert proxy.get("/queue", headers={"X-Forwarded-For": "192.0.2.8"}).status_code == 401


def test_the_door_is_tried_ten_times_a_minute(open_site: Callable[..., Site]) -> None:
    site = open_site(access_mode="local")
    with site.client() as browser:
        tries = [browser.get("/enter", params={"key": str(n)}).status_code for n in range(11)]
        assert tries == [403] * 10 + [429]
        assert browser.get("/enter", params={"key": site.identity.key}).status_code == 429


# What goes wrong


def test_a_bug_shows_a_number_and_leaves_no_value_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    def breaks() -> None:
        try:
            raise KeyError(canary)
        except KeyError as error:
            raise RuntimeError(f"the text {canary}") from error

    site.app.add_api_route("/breaks", breaks)
    with caplog.at_level(logging.DEBUG), site.client("a.auditor") as browser:
        answer = browser.get("/breaks")
    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    logged = [record for record in caplog.records if record.name == "triage.desk.web"]
    number = logged[0].getMessage().split()[1]
    assert number in answer.text
    assert "builtins.RuntimeError" in logged[0].getMessage()
    assert "builtins.KeyError" in logged[0].getMessage()
    assert "in breaks" in logged[0].getMessage()
    assert canary not in answer.text
    assert canary not in caplog.text


PATHS = (
    "/static/../desk.py",
    "/static/%2e%2e/desk.py",
    "/static/..%2f..%2f..%2f..%2fetc/passwd",
    "/static//etc/passwd",
    "/items/..%2f..%2fetc%2fpasswd",
    "/items/%00",
    "/items/'%20OR%201=1--",
    "/items/%0d%0aSet-Cookie:%20x=y",
    "/items/<script>alert(1)<%2fscript>",
    "/items/" + "x" * 3000,
    "//elsewhere.example/",
    "/queue/",
    "/openapi.json",
    "/docs",
    "/redoc",
)


def test_a_path_that_is_none_of_ours_leads_nowhere(site: Site) -> None:
    with site.client("a.registrar") as browser:
        for path in PATHS:
            answer = browser.get(httpx.URL(site.url).copy_with(raw_path=path.encode()))
            assert answer.status_code in (400, 404), path
            assert "root:" not in answer.text
            assert "<script>alert" not in answer.text
            assert {"set-cookie", "location"}.isdisjoint(answer.headers)


def test_health_says_nothing_but_that(site: Site) -> None:
    with site.client() as browser:
        assert browser.get("/health").text == "ok"
        assert browser.head("/health").status_code == 200
        (site.settings.data_dir / "triage.db").rename(site.settings.data_dir / "gone.db")
        broken = browser.get("/health")
    assert (broken.status_code, broken.text) == (503, "unavailable")


def test_the_first_page_is_the_queue(auditor: httpx.Client) -> None:
    assert auditor.get("/").headers["location"] == "/queue"


def test_the_documentation_lists_the_attacks_that_are_tried() -> None:
    folder = Path(__file__).parent
    page = (folder.parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`(test_\w+)`", page.split("## Attacks tried")[1]))
    known = {
        name
        for path in folder.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(listed) > 30
    assert listed <= known
