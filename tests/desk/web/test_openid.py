"""Signing in with a real OpenID provider on this machine, and every way in which its answer can be false."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.desk.web.conftest import Site
from tests.desk.web.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider
from triage.desk.web.openid import OpenIdIdentity
from triage.errors import SettingsError
from triage.settings import Settings

Opened = tuple[Site, Provider]


@pytest.fixture
def provider(serve: Callable[..., None]) -> Provider:
    listener = socket.create_server(("127.0.0.1", 0))
    made = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}")
    serve(made.app(), listener)
    return made


@pytest.fixture
def opened(open_site: Callable[..., Site], provider: Provider, tmp_path: Path) -> Opened:
    return open_site(public=True, **oidc(provider.issuer, tmp_path)), provider


def oidc(issuer: str, folder: Path) -> dict[str, Any]:
    secret = folder / "client-secret"
    secret.write_text(f"{CLIENT_SECRET}\n")
    return {
        "access_mode": "oidc",
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret_file": secret,
    }


def follow(client: httpx.Client, address: str = "/sign-in") -> httpx.Response:
    """Go where a browser would be sent, and stop before the pages themselves."""
    answer = client.get(address)
    while answer.is_redirect and urlsplit(answer.headers["location"]).path != "/queue":
        answer = client.get(answer.headers["location"])
    return answer


def granted(site: Site, client: httpx.Client) -> str:
    """Go to the provider and return the address that it sends the browser back to."""
    asked = client.get("/sign-in").headers["location"]
    return str(client.get(asked).headers["location"])


def is_out(client: httpx.Client) -> bool:
    return client.get("/queue").headers.get("location") == "/sign-in"


def test_a_person_signs_in_and_acts_under_the_providers_name(opened: Opened) -> None:
    site, provider = opened
    with site.client() as browser:
        assert is_out(browser)
        assert follow(browser).headers["location"] == "/queue"
        assert browser.get("/queue").status_code == 200
        item = site.store.queue()[0].item.item_id
        claimed = browser.post(f"/items/{item}/claim", data={"token": "one", "seen": "0"})
        assert claimed.status_code == 303
        assert [each.actor for each in site.store.history(item)] == ["a.auditor"]
        assert browser.get("/desk").status_code == 403
    asked = provider.asked[0]
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 20
    assert len(asked["nonce"]) >= 20
    assert asked["redirect_uri"] == f"{site.url}/callback"
    assert CLIENT_SECRET not in str(provider.asked)


def test_the_cookie_is_for_the_server_alone_and_small_whatever_the_groups(opened: Opened) -> None:
    site, provider = opened
    provider.claims = {
        "preferred_username": "someone",
        "groups": ["registrars", *(f"of no role {number}" for number in range(2000))],
    }
    with site.client() as browser:
        set_by = follow(browser).headers["set-cookie"].lower()
        assert "httponly" in set_by
        assert "samesite=lax" in set_by
        assert "path=/;" in set_by
        assert len(set_by) < 1000
        assert browser.get("/desk").status_code == 200


def test_a_group_given_as_one_string_counts(opened: Opened) -> None:
    site, provider = opened
    provider.claims = {"preferred_username": "someone", "groups": "viewers"}
    with site.client() as browser:
        follow(browser)
        assert browser.get("/queue").status_code == 200
        assert browser.get("/mine").status_code == 403


def test_without_a_role_a_page_says_whom_to_ask(opened: Opened) -> None:
    site, provider = opened
    provider.claims = {"preferred_username": "stranger", "groups": ["others"]}
    with site.client() as browser:
        follow(browser)
        page = browser.get("/queue")
        assert page.status_code == 403
        assert "ask the administrator" in page.text


FALSE: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "of another browser"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://elsewhere.example"},
    "another audience": {"aud": "another-client"},
    "another audience in our name": {"aud": "another-client", "azp": CLIENT_ID},
    "no audience": {"aud": None},
    "expired": {"iat": 1_600_000_000, "exp": 1_600_000_300},
    "no expiry": {"exp": None},
    "of the future": {"nbf": 4_000_000_000},
    "no subject": {"sub": None},
}


def tried(site: Site, number: int) -> tuple[int, bool]:
    """Sign in from an address of its own, since a door is tried ten times a minute: status, and still out."""
    with site.client(address=f"127.0.0.{number + 2}") as browser:
        return follow(browser).status_code, is_out(browser)


def test_a_false_token_signs_nobody_in(opened: Opened) -> None:
    site, provider = opened
    got = {}
    for number, (lie, provider.forged) in enumerate(FALSE.items()):
        got[lie] = tried(site, number)
    assert got == dict.fromkeys(FALSE, (401, True))


def test_a_token_that_the_provider_did_not_sign_is_not_believed(opened: Opened) -> None:
    site, provider = opened
    provider.signs = ["RS256", "HS256", "none"]
    provider.key = Provider("").own_key
    for number, provider.algorithm in enumerate(("none", "HS256", "RS256")):
        assert tried(site, number) == (401, True), provider.algorithm


def test_a_name_that_cannot_stand_in_the_trail_is_refused(opened: Opened) -> None:
    site, provider = opened
    for number, name in enumerate((None, "", "   ", "x" * 101, "two\nlines", 7, ["a.registrar"])):
        provider.claims = {"preferred_username": name}
        assert tried(site, number) == (403, True), name


def test_an_answer_to_another_question_is_refused(opened: Opened) -> None:
    site, _ = opened
    with site.client() as browser, site.client() as other:
        back = granted(site, browser)
        state = parse_qs(urlsplit(back).query)["state"][0]
        assert browser.get(back.replace(state, "another")).status_code == 401
        assert browser.get("/callback").status_code == 401
        # A link that an attacker sends with his own code would sign the victim in as him.
        assert other.get(back).status_code == 401
        assert is_out(other)
        assert browser.get(back).headers["location"] == "/queue"
        assert browser.get(back).status_code == 401


def test_a_stolen_code_is_worth_nothing_without_its_verifier(opened: Opened) -> None:
    site, provider = opened
    with site.client() as victim, site.client() as thief:
        stolen = parse_qs(urlsplit(granted(site, victim)).query)["code"][0]
        own = granted(site, thief)
        answer = thief.get(own.replace(parse_qs(urlsplit(own).query)["code"][0], stolen))
        assert answer.status_code == 401
        assert is_out(thief)
    assert provider.refused == ["invalid_grant: code_verifier"]


def test_a_refusal_of_the_provider_is_no_sign_in_and_is_not_repeated(opened: Opened) -> None:
    site, _ = opened
    with site.client() as browser:
        state = parse_qs(urlsplit(granted(site, browser)).query)["state"][0]
        said = "<script>alert(1)</script>"
        answer = browser.get("/callback", params={"error": said, "error_description": said, "state": state})
        assert answer.status_code == 401
        assert "alert" not in answer.text


def test_a_provider_of_another_name_or_none_is_said_plainly(
    opened: Opened, open_site: Callable[..., Site], tmp_path: Path
) -> None:
    site, provider = opened
    provider.metadata = {"issuer": "https://elsewhere.example"}
    with site.client() as browser:
        assert browser.get("/sign-in").status_code == 401
        provider.metadata = {}
        assert browser.get("/sign-in").is_redirect
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    silent = open_site(public=True, data_dir=tmp_path / "other", **oidc(nobody, tmp_path))
    with silent.client() as browser:
        answer = browser.get("/sign-in")
        assert answer.status_code == 503
        assert nobody not in answer.text


def test_every_missing_setting_is_named_at_once(tmp_path: Path) -> None:
    members = {"auditor": ("auditors",)}
    with pytest.raises(SettingsError) as raised:
        OpenIdIdentity(Settings(access_mode="oidc", role_members=members), lambda: None)
    for name in ("oidc_issuer", "oidc_client_id", "public_url", "oidc_client_secret_file"):
        assert f"{name} is empty" in str(raised.value)
    given = oidc("http://provider.example", tmp_path)
    given["oidc_client_secret_file"].write_text("\n")
    with pytest.raises(SettingsError) as raised:
        OpenIdIdentity(
            Settings(public_url="http://pages.example", role_members=members, **given), lambda: None
        )
    for said in (
        "oidc_issuer does not begin with https://",
        "public_url does not begin with https://",
        "oidc_client_secret_file holds nothing",
    ):
        assert said in str(raised.value)
