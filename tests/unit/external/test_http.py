"""Calls to a provider over real HTTP: a server on loopback that answers as it is told."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiohttp import web

from claw_operator.external import RateLimited
from claw_operator.external.budget import Budget, Lane
from claw_operator.external.http import Api, NoAnswer
from tests.eventually import eventually

PAGE = "<html><head><title>502 Bad Gateway</title></head><body>Ray ID: 8f2a</body></html>"


class Provider:
    """The server, what it was asked, and the operator's view of it. It answers what is planned, then 200 with {}."""

    def __init__(self) -> None:
        self.url = ""
        self.plan: list[web.Response | str] = []
        self.requests: list[tuple[str, str, str, Any]] = []
        self.calls: list[str] = []
        self.waits: list[float] = []
        self.slept: list[float] = []
        self.seconds = 0.0
        self.budget = Budget("Railway", per_second=1000, burst=1000, patience=30, monotonic=lambda: self.seconds)
        self.ended = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        payload = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path_qs, request.headers.get("Authorization", ""), payload))
        planned = self.plan.pop(0) if self.plan else web.json_response({})
        if isinstance(planned, web.Response):
            return planned
        assert request.transport is not None
        if planned == "cut":
            request.transport.abort()
            return web.Response()
        response = web.StreamResponse(headers={"Content-Length": "100"})
        if planned == "hang in the body":
            await response.prepare(request)
            await response.write(b"{")
        await self.ended.wait()
        return response

    def api(self, session: httpx.AsyncClient, **options: Any) -> Api:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        return Api(
            session,
            self.budget,
            provider="railway",
            random=lambda: 0.5,
            sleep=sleep,
            on_call=lambda provider, outcome: self.calls.append(f"{provider} {outcome}"),
            on_wait=lambda _, seconds: self.waits.append(seconds),
            **options,
        )


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield provider
    provider.ended.set()
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as session:
        yield session


@pytest.fixture
def api(provider: Provider, session: httpx.AsyncClient) -> Api:
    return provider.api(session)


async def read(api: Api, provider: Provider) -> Any:
    """As GraphQL reads: with a document that must arrive whole each time."""
    answer = await api.send("POST", provider.url, lane=Lane.URGENT, repeatable=True, json={"query": "{me}"})
    return answer.json()


async def write(api: Api, provider: Provider) -> int:
    answer = await api.send("POST", provider.url, lane=Lane.URGENT, repeatable=False, json={})
    return answer.status


async def told_to_wait(api: Api, provider: Provider) -> float:
    with pytest.raises(RateLimited) as refusal:
        await write(api, provider)
    return refusal.value.retry_after


def limited(retry_after: str | None = None) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return web.Response(status=429, text="error code: 1015", headers=headers)


async def test_method_query_headers_and_document_arrive_and_the_answer_comes_back(api: Api, provider: Provider) -> None:
    provider.plan = [web.json_response({"id": "1"}, status=201, headers={"X-Request-Id": "r"})]
    answer = await api.send(
        "POST",
        provider.url + "/graphql",
        lane=Lane.URGENT,
        repeatable=False,
        headers={"Authorization": "Bearer t"},
        params={"operation": "Create"},
        json={"name": "claw"},
    )
    assert provider.requests == [("POST", "/graphql?operation=Create", "Bearer t", {"name": "claw"})]
    assert (answer.status, answer.json(), answer.headers["x-request-id"]) == (201, {"id": "1"}, "r")


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 423])
async def test_a_refusal_is_an_answer(api: Api, provider: Provider, status: int) -> None:
    provider.plan = [web.json_response({"message": "no"}, status=status)]
    assert await write(api, provider) == status
    assert provider.calls == ["railway refused"]


@pytest.mark.parametrize("failure", ["cut", "502", "503"])
async def test_a_read_is_repeated_twice_with_growing_jittered_gaps(api: Api, provider: Provider, failure: str) -> None:
    failures: list[web.Response | str] = [
        "cut" if failure == "cut" else web.Response(status=int(failure), text=PAGE) for _ in range(3)
    ]
    provider.plan = failures[:2]
    assert await read(api, provider) == {}
    assert provider.slept == [0.25, 0.5]
    assert [payload for *_, payload in provider.requests] == [{"query": "{me}"}] * 3
    provider.plan = [web.Response(status=500) for _ in range(9)]
    with pytest.raises(NoAnswer):
        await read(api, provider)
    assert len(provider.plan) == 6
    assert provider.calls == ["railway no_answer"] * 2 + ["railway ok"] + ["railway no_answer"] * 3


@pytest.mark.parametrize("failure", ["cut", "502"])
async def test_a_write_is_never_repeated(api: Api, provider: Provider, failure: str) -> None:
    provider.plan = ["cut" if failure == "cut" else web.Response(status=502, text=PAGE)]
    with pytest.raises(NoAnswer):
        await write(api, provider)
    assert len(provider.requests) == 1


@pytest.mark.parametrize("where", ["hang", "hang in the body"])
async def test_an_answer_that_hangs_is_given_up(provider: Provider, session: httpx.AsyncClient, where: str) -> None:
    provider.plan = [where]
    with pytest.raises(NoAnswer, match=r"^Railway does not answer\.$"):
        await write(provider.api(session, timeout=0.05), provider)


async def test_a_server_that_is_not_there_is_no_answer(api: Api, provider: Provider) -> None:
    with pytest.raises(NoAnswer):
        await api.send("POST", "http://127.0.0.1:1/", lane=Lane.URGENT, repeatable=False)


async def test_a_page_in_place_of_a_document_is_no_answer_and_only_its_title_is_repeated(
    api: Api, provider: Provider
) -> None:
    provider.plan = [web.Response(text=PAGE)]
    with pytest.raises(NoAnswer, match=r"is no JSON: 502 Bad Gateway$"):
        await read(api, provider)
    provider.plan = [web.Response(status=502, text=PAGE)]
    with pytest.raises(NoAnswer, match=r"^Railway answered 502: 502 Bad Gateway$"):
        await write(api, provider)


async def test_what_a_failing_server_repeats_of_our_secrets_is_not_repeated_by_us(api: Api, provider: Provider) -> None:
    body = "cannot set DATABASE_URL=postgresql://owner:hunter2@ep-1.example/db; password: hunter2"
    provider.plan = [web.Response(status=500, text=body), web.Response(text=body)]
    with pytest.raises(NoAnswer) as failure:
        await write(api, provider)
    answer = await api.send("GET", provider.url, lane=Lane.URGENT, repeatable=False)
    assert "DATABASE_URL" in str(failure.value)
    assert "hunter2" not in f"{failure.value}{answer!r}{answer.shown}"


async def test_retry_after_holds_the_whole_account_back_and_is_never_shortened(api: Api, provider: Provider) -> None:
    provider.plan = [limited("3600")]
    assert await told_to_wait(api, provider) == 3600
    provider.seconds = 1000.0
    assert await told_to_wait(api, provider) == 2600, "not one call is made before"
    assert len(provider.requests) == 1
    assert provider.calls == ["railway rate_limited", "railway held_back"]
    provider.seconds = 3600.0
    assert await write(api, provider) == 200


async def test_a_read_that_is_told_to_wait_is_not_repeated(api: Api, provider: Provider) -> None:
    provider.plan = [limited("20")]
    with pytest.raises(RateLimited):
        await read(api, provider)
    assert len(provider.requests) == 1


async def test_without_retry_after_the_pause_grows_up_to_a_minute_and_a_success_resets_it(
    api: Api, provider: Provider
) -> None:
    pauses = []
    for _ in range(8):
        provider.plan = [limited()]
        pauses.append(await told_to_wait(api, provider))
        provider.seconds += pauses[-1]
    assert pauses == [1.5, 2.5, 4.5, 8.5, 16.5, 30.5, 30.5, 30.5]
    assert await write(api, provider) == 200
    provider.plan = [limited()]
    assert await told_to_wait(api, provider) == 1.5


async def test_calls_that_are_refused_together_are_one_reason_to_wait(api: Api, provider: Provider) -> None:
    provider.plan = [limited() for _ in range(20)]
    pauses = await asyncio.gather(*(told_to_wait(api, provider) for _ in range(20)))
    assert pauses == [1.5] * 20


async def test_a_limit_that_was_used_up_is_waited_for_without_being_refused(
    provider: Provider, session: httpx.AsyncClient
) -> None:
    api = provider.api(session)
    provider.plan = [web.json_response({}, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "600"})]
    assert await write(api, provider) == 200
    assert await told_to_wait(api, provider) == 600
    assert len(provider.requests) == 1
    provider.seconds = 600.0
    assert await write(api, provider) == 200


async def test_a_503_that_names_a_time_is_not_asked_again_before(api: Api, provider: Provider) -> None:
    provider.plan = [web.Response(status=503, headers={"Retry-After": "60"})]
    with pytest.raises(RateLimited) as refusal:
        await read(api, provider)
    assert refusal.value.retry_after == 60
    assert len(provider.requests) == 1


async def test_the_wait_for_the_budget_is_told(api: Api, provider: Provider) -> None:
    await write(api, provider)
    assert provider.waits == [pytest.approx(0, abs=1)]


async def test_being_throttled_is_logged_when_it_begins_and_when_it_ends(
    api: Api, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "claw_operator")
    for _ in range(3):
        provider.plan = [limited("5")]
        await told_to_wait(api, provider)
        provider.seconds += 5
    await write(api, provider)
    await write(api, provider)
    assert [record.message for record in caplog.records] == [
        "Railway asks us to wait: error code: 1015",
        "Railway lets us call again",
    ]


async def test_a_call_that_is_cancelled_ends_its_request(api: Api, provider: Provider) -> None:
    provider.plan = ["hang"]
    calling = asyncio.create_task(write(api, provider))
    await eventually(lambda: provider.requests)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert await write(api, provider) == 200
