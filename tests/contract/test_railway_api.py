"""What the client makes of answers that no well-behaved Railway gives: real HTTP, canned answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web

from claw_dev.simulators.serving import serving
from claw_operator.external import ExternalError, Rejected, Transient, Unauthorized
from claw_operator.external.budget import Budget, Lane
from claw_operator.external.http import Api, NoAnswer
from claw_operator.external.railway.api import RailwayApi
from claw_operator.external.railway.options import RailwayOptions

Answering = Callable[[], web.Response]


@asynccontextmanager
async def client_of(*answers: Answering) -> AsyncIterator[tuple[RailwayApi, list[dict[str, Any]]]]:
    """A client of a server that gives these answers, the last one again and again, and what it was asked."""
    asked: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append({**await request.json(), "query_string": request.query_string})
        return answers[min(len(asked), len(answers)) - 1]()

    app = web.Application()
    app.router.add_post("/graphql/v2", answer)
    budget = Budget("Railway", per_second=1000, burst=1000)
    async with serving(app) as url, httpx.AsyncClient() as session:
        api = Api(session, budget, provider="railway", random=lambda: 0.0)
        options = RailwayOptions(url=f"{url}/graphql/v2", token="t", project_id="p")
        yield RailwayApi(api, options, random=lambda: 0.0), asked


def data(**fields: Any) -> Answering:
    return lambda: web.json_response({"data": fields})


def body(document: Any, status: int = 200) -> Answering:
    return lambda: web.json_response(document, status=status)


async def test_only_true_says_that_a_change_was_applied() -> None:
    unlike_true: tuple[object, ...] = (False, None, "true", 1, {})
    for lacking in unlike_true:
        async with client_of(data(variables=True, instance=lacking, limits=True)) as (api, asked):
            with pytest.raises(Transient, match="did not write it: it does not confirm instance"):
                await api.confirm("WriteSettings", {}, doing="write it")
            assert len(asked) == 1
    async with client_of(data(variables=True, instance=True, limits=True)) as (api, _):
        await api.confirm("WriteSettings", {}, doing="write it")


async def test_no_fields_confirm_nothing() -> None:
    async with client_of(data()) as (api, _):
        with pytest.raises(Transient, match="anything"):
            await api.confirm("WriteSettings", {}, doing="write it")


async def test_data_beside_an_error_does_not_count() -> None:
    partly = body({"data": {"variables": True}, "errors": [{"message": "ServiceInstance not found"}]})
    async with client_of(partly) as (api, _):
        with pytest.raises(Transient, match="not found"):
            await api.confirm("WriteSettings", {}, doing="write it")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (body({"errors": [{"message": "x", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}, 400), Rejected),
        (body({"errors": [{"message": "Problem processing request", "traceId": "1"}]}, 400), NoAnswer),
        (body({}, 404), Rejected),
        (body({}, 401), Unauthorized),
        (body({}, 403), Unauthorized),
        (body([]), NoAnswer),
        (body({"data": None}), NoAnswer),
        (body({"data": {}, "errors": ["strange"]}), Transient),
        (lambda: web.Response(text="<html><title>Sorry</title></html>", content_type="text/html"), NoAnswer),
    ],
)
async def test_each_strange_answer_has_a_meaning(answer: Answering, error: type[ExternalError]) -> None:
    async with client_of(answer) as (api, _):
        with pytest.raises(error) as raised:
            await api.write("Deploy", {}, doing="deploy claw-x")
        assert type(raised.value) is error


async def test_reads_are_asked_again_after_a_gateway_failed_and_writes_are_not() -> None:
    failure = body({"errors": [{"message": "Problem processing request", "traceId": "1"}]})
    async with client_of(failure, failure, data(project={})) as (api, asked):
        assert await api.read("ProjectEnvironments", {}, doing="list", lane=Lane.ROUTINE) == {"project": {}}
        assert len(asked) == 3
    async with client_of(failure) as (api, asked):
        with pytest.raises(NoAnswer):
            await api.read("ProjectEnvironments", {}, doing="list", lane=Lane.ROUTINE)
        assert len(asked) == 3
    async with client_of(failure) as (api, asked):
        with pytest.raises(NoAnswer):
            await api.write("Deploy", {}, doing="deploy")
        assert len(asked) == 1


async def test_every_call_names_its_operation_in_the_url_and_in_the_document() -> None:
    async with client_of(data(serviceInstanceDeployV2="d")) as (api, asked):
        await api.write("Deploy", {"serviceId": "s"}, doing="deploy")
        (call,) = asked
        assert call["query_string"] == "operation=Deploy"
        assert call["operationName"] == "Deploy"
        assert call["variables"] == {"serviceId": "s"}
        assert "mutation Deploy(" in call["query"]
