"""What the runtime answers, and what the loop is told of it."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from claw_operator.external import Rejected, Transient, Unauthorized
from claw_operator.external.runtime import HttpRuntimeClient

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
async def ask() -> AsyncIterator[Callable[[Answer], HttpRuntimeClient]]:
    """A client of a runtime that answers as it is told."""
    sessions = []

    def client(answer: Answer) -> HttpRuntimeClient:
        sessions.append(httpx.AsyncClient(transport=httpx.MockTransport(answer)))
        return HttpRuntimeClient(sessions[-1])

    yield client
    for session in sessions:
        await session.aclose()


async def test_a_refusal_reads_the_same_every_time(ask: Callable[[Answer], HttpRuntimeClient]) -> None:
    numbers = iter(range(9))

    def refuse(_: httpx.Request) -> httpx.Response:
        problem = {"title": "Wrong instance", "detail": "It holds another's data.", "requestId": next(numbers)}
        return httpx.Response(409, json=problem)

    client = ask(refuse)
    said = set()
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            await client.observe("http://runtime", "token")
        said.add(str(caught.value))
    assert said == {"The runtime refuses its configuration: It holds another's data."}


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(401), Unauthorized),
        (httpx.Response(422, text="<html>"), Rejected),
        (httpx.Response(409, json=["no", "object"]), Rejected),
        (httpx.Response(503), Transient),
        (httpx.Response(200, text="It works!"), Transient),
        (httpx.Response(200, json={"version": "1", "ready": True, "usage": {"messagesUsed": 2**70}}), Transient),
    ],
)
async def test_whatever_answers_is_one_of_our_errors(
    ask: Callable[[Answer], HttpRuntimeClient], response: httpx.Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await ask(lambda _: response).observe("http://runtime", "token")


async def test_nobody_at_home_is_transient(ask: Callable[[Answer], HttpRuntimeClient]) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(Transient):
        await ask(refuse).observe("http://runtime", "token")
