"""One request to Google: what is repeated, what is not, and for how long."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.google.simulator import GoogleSimulator, simulated_google
from claw_runtime.google.failures import GoogleAway
from claw_runtime.google.http import Http, Request


@dataclass
class Pauses:
    """Remembers what was waited for, instead of waiting."""

    taken: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
async def google() -> AsyncIterator[GoogleSimulator]:
    async with simulated_google() as simulator:
        yield simulator


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def http(pauses: Pauses) -> AsyncIterator[Http]:
    opened = Http(sleep=pauses, jitter=lambda: 1.0, attempt_seconds=0.3)
    yield opened
    await opened.close()


def revoking(google: GoogleSimulator, *, repeatable: bool = True) -> Request:
    """Answered with 400. Not a GET: those aiohttp asks for once more by itself."""
    return Request("POST", f"{google.url}/revoke", form={"token": "x"}, repeatable=repeatable)


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.TIMEOUT, FaultKind.HTML, FaultKind.LOST_ANSWER])
async def test_what_may_be_done_twice_is_asked_three_times(
    google: GoogleSimulator, http: Http, pauses: Pauses, kind: FaultKind
) -> None:
    google.faults.add(Fault(kind=kind, path="/revoke", status=503, times=2))
    assert (await http.ask(revoking(google))).status == 400
    assert pauses.taken == [0.4, 0.8]


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.TIMEOUT, FaultKind.HTML, FaultKind.LOST_ANSWER])
async def test_what_may_have_been_done_is_not_asked_again(
    google: GoogleSimulator, http: Http, pauses: Pauses, kind: FaultKind
) -> None:
    google.faults.add(Fault(kind=kind, path="/revoke", status=503))
    with pytest.raises(GoogleAway) as raised:
        await http.ask(revoking(google, repeatable=False))
    assert raised.value.unknown
    assert len(google.calls) == 1
    assert pauses.taken == []


@pytest.mark.parametrize("status", [403, 429])
async def test_a_limit_is_waited_for_even_by_what_must_not_be_done_twice(
    google: GoogleSimulator, http: Http, pauses: Pauses, status: int
) -> None:
    google.faults.add(Fault(kind=FaultKind.ERROR, path="/revoke", status=status, retry_after=4))
    assert (await http.ask(revoking(google, repeatable=False))).status == 400
    assert pauses.taken == [4.0]


async def test_nobody_is_kept_waiting_for_an_hour(google: GoogleSimulator, http: Http, pauses: Pauses) -> None:
    google.faults.add(Fault(kind=FaultKind.ERROR, path="/revoke", status=429, retry_after=3600))
    with pytest.raises(GoogleAway) as raised:
        await http.ask(revoking(google))
    assert raised.value.headers["Retry-After"] == "3600"
    assert not raised.value.unknown
    assert pauses.taken == []


async def test_it_ends(google: GoogleSimulator, http: Http, pauses: Pauses) -> None:
    google.faults.add(Fault(kind=FaultKind.ERROR, path="/revoke", status=503, times=None))
    with pytest.raises(GoogleAway):
        await http.ask(revoking(google))
    assert len(google.calls) == 3


async def test_a_failure_is_told_when_it_begins_and_when_it_ends(
    google: GoogleSimulator, http: Http, caplog: pytest.LogCaptureFixture
) -> None:
    google.faults.add(Fault(kind=FaultKind.CUT, path="/revoke", times=9))
    with caplog.at_level(logging.INFO, "claw_runtime"):
        for _ in range(3):
            with pytest.raises(GoogleAway):
                await http.ask(revoking(google))
        await http.ask(revoking(google))
        await http.ask(revoking(google))
    assert [record.message for record in caplog.records] == [
        "Google does not answer as it should",
        "Google answers again",
    ]


async def test_a_refusal_is_an_answer(google: GoogleSimulator, http: Http) -> None:
    reply = await http.ask(Request("GET", f"{google.url}/gmail/v1/users/me/profile"), "nobody's")
    assert (reply.status, reply.reason) == (401, "authError")


async def test_a_redirect_is_not_followed(google: GoogleSimulator, http: Http) -> None:
    query = {"client_id": google.world.client.id, "redirect_uri": google.url, "response_type": "code", "scope": "x"}
    assert (await http.ask(Request("GET", f"{google.url}/o/oauth2/v2/auth", query))).status == 302
