"""Speaks with the runtime inside a compute, over HTTP."""

import asyncio

import httpx
from pydantic import ValidationError

from claw_crds.configuration import CONFIGURATION_PATH, STATUS_PATH, RuntimeConfiguration, RuntimeReport
from claw_operator.external import Rejected, Transient, Unauthorized

_SHOWN = 200


class HttpRuntimeClient:
    """The runtime's internal API. One session for all instances; every call has a deadline."""

    def __init__(self, session: httpx.AsyncClient, *, timeout: float = 5.0) -> None:
        self._session = session
        self._timeout = timeout

    async def observe(self, url: str, token: str) -> RuntimeReport:
        """`GET /internal/status`. The runtime answers from memory, so a sleeping database stays asleep."""
        return await self._call("GET", url + STATUS_PATH, token)

    async def configure(self, url: str, token: str, configuration: RuntimeConfiguration) -> RuntimeReport:
        """`PUT /internal/configuration`."""
        return await self._call("PUT", url + CONFIGURATION_PATH, token, configuration.model_dump_json(by_alias=True))

    async def _call(self, method: str, url: str, token: str, content: str | None = None) -> RuntimeReport:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._session.request(method, url, content=content, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Transient("The runtime does not answer.") from error
        return _report(response)


def _report(response: httpx.Response) -> RuntimeReport:
    if response.status_code == 401:
        raise Unauthorized("The runtime does not accept the configuration token.")
    if response.status_code in (409, 422):
        raise Rejected(f"The runtime refuses its configuration: {_detail(response)}")
    if response.status_code != 200:
        raise Transient(f"The runtime answered {response.status_code}.")
    try:
        return RuntimeReport.model_validate_json(response.content)
    except ValidationError as error:
        raise Transient("The runtime's address is answered by something else.") from error


def _detail(response: httpx.Response) -> str:
    """What the problem document says; not the whole of it, because a request's id would change with every pass."""
    try:
        problem = response.json()
        told = str(problem.get("detail") or problem.get("title") or response.status_code)
    except (ValueError, AttributeError):
        told = str(response.status_code)
    return told[:_SHOWN]
