"""Who is asking, how often, and from which page."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from claw_webhook.front.visitors import BROWSER, Throttle, address_of, browser_of, is_foreign, set_cookie

OURS = "https://claw.example"


def request(peer: str = "127.0.0.1", **headers: str) -> web.Request:
    """A POST from that address; `_` in a header's name stands for `-`."""
    named = {"Host": "inside:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    made = make_mocked_request("POST", "/", headers=named)
    return made.clone(remote=peer)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("8.8.8.8", "", "8.8.8.8"),
        ("8.8.8.8", "9.9.9.9", "8.8.8.8"),
        ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "1.1.1.1, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "9.9.9.9, 10.0.0.7", "9.9.9.9"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("2606:4700::1:2:3:4", "", "2606:4700::/64"),
    ],
)
def test_only_what_our_own_proxy_says_is_believed(peer: str, forwarded: str, address: str) -> None:
    assert address_of(request(peer, X_Forwarded_For=forwarded)) == address


def test_a_client_may_so_often_at_once_and_then_so_often_a_second() -> None:
    now = 0.0
    throttle = Throttle(burst=3, per_second=0.5, clock=lambda: now)
    assert [throttle.allows("a") for _ in range(4)] == [True, True, True, False]
    assert throttle.allows("b")
    now = 2.0
    assert [throttle.allows("a") for _ in range(2)] == [True, False]
    now = 1000.0
    assert [throttle.allows("a") for _ in range(4)] == [True, True, True, False]
    assert throttle.retry_after == {"Retry-After": "2"}


def test_what_is_remembered_of_clients_is_bounded() -> None:
    throttle = Throttle(burst=1, per_second=0.001, clients=2, clock=lambda: 0.0)
    for client in ("a", "b", "c"):
        throttle.allows(client)
    assert not throttle.allows("b")
    assert not throttle.allows("c")
    assert throttle.allows("a")


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({"Origin": OURS}, False),
        ({"Origin": "http://inside:8080"}, False),
        ({"Origin": "https://claw.example.evil"}, True),
        ({"Origin": "http://claw.example"}, True),
        ({"Origin": "null"}, True),
        ({}, False),
        ({"Sec_Fetch_Site": "same-origin"}, False),
        ({"Sec_Fetch_Site": "same-site"}, True),
        ({"Sec_Fetch_Site": "cross-site"}, True),
    ],
)
def test_a_form_of_another_site_is_known_by_its_origin(headers: dict[str, str], foreign: bool) -> None:
    assert is_foreign(request(**headers), OURS) is foreign


@pytest.mark.parametrize(
    ("token", "known"), [("a" * 43, True), ("", False), ("a" * 42, False), ("a" * 42 + "!", False)]
)
def test_a_browsers_token_looks_like_one_of_ours(token: str, known: bool) -> None:
    assert browser_of(request(Cookie=f"{BROWSER}={token}")) == (token if known else None)


@pytest.mark.parametrize(("url", "secure"), [("https://claw.example", True), ("http://127.0.0.1:8080", False)])
def test_cookies_are_for_https_wherever_there_is_https(url: str, secure: bool) -> None:
    answer: Any = web.Response()
    set_cookie(answer, "name", "value", seconds=60, public_url=url)
    assert ("Secure" in str(answer.cookies["name"])) is secure
