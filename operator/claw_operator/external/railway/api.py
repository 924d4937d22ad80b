"""Sends the driver's operations to Railway and says what became of them. Knows GraphQL, and nothing of instances."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from claw_operator.external import Rejected, Transient, Unauthorized
from claw_operator.external.budget import Lane
from claw_operator.external.http import Answer, Api, NoAnswer
from claw_operator.external.railway.documents import DOCUMENTS
from claw_operator.external.railway.errors import GraphQLError, exception_of
from claw_operator.external.railway.models import Connection, EnvironmentName, TokenScope
from claw_operator.external.railway.options import RailwayOptions

log = logging.getLogger(__name__)

T = TypeVar("T")

_REPETITIONS = 2
_REPEAT_AFTER = 0.5  # seconds, doubled each time; full jitter


@dataclass(frozen=True)
class Place:
    """Where all services are."""

    project_id: str
    environment_id: str

    @property
    def variables(self) -> dict[str, str]:
        """As most operations want it."""
        return {"projectId": self.project_id, "environmentId": self.environment_id}


class RailwayApi:
    """Railway's GraphQL API under one token.

    `doing` in all methods completes "Railway did not …" for the person who reads the error.
    """

    def __init__(
        self,
        api: Api,
        options: RailwayOptions,
        *,
        random: Callable[[], float],
        documents: Mapping[str, str] = DOCUMENTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._documents = documents
        self._api = api
        self._options = options
        self._random = random
        self._sleep = sleep
        self._place: Place | None = None
        self._resolving = asyncio.Lock()

    async def read(self, operation: str, variables: Mapping[str, Any], *, doing: str, lane: Lane) -> dict[str, Any]:
        """The answer's data. What failed in between is asked again, twice at most.

        Raises NoAnswer, the errors of `errors.py`, and what `Api.send` raises.
        """
        for repetition in range(_REPETITIONS):
            answer = await self._send(operation, variables, lane, repeatable=True)
            try:
                return _data(answer, operation, doing)
            except NoAnswer:
                await self._sleep(_REPEAT_AFTER * 2**repetition * self._random())
        return _data(await self._send(operation, variables, lane, repeatable=True), operation, doing)

    async def write(self, operation: str, variables: Mapping[str, Any], *, doing: str) -> dict[str, Any]:
        """The answer's data. Sent once; after NoAnswer it may have been carried out."""
        return _data(await self._send(operation, variables, Lane.URGENT, repeatable=False), operation, doing)

    async def confirm(self, operation: str, variables: Mapping[str, Any], *, doing: str) -> None:
        """A write whose every part must answer `true`: false and null mean that it was not applied."""
        data = await self.write(operation, variables, doing=doing)
        lacking = sorted(name for name, value in data.items() if value is not True)
        if lacking or not data:
            raise Transient(f"Railway did not {doing}: it does not confirm {', '.join(lacking) or 'anything'}.")

    async def place(self) -> Place:
        """The project and environment, found out once. Raises Rejected when the settings leave it open."""
        async with self._resolving:
            if self._place is None:
                self._place = await self._find_place()
            return self._place

    async def _find_place(self) -> Place:
        options = self._options
        if options.environment_id:
            return Place(options.project_id, options.environment_id)
        if options.token_kind == "project":
            data = await self.read("ProjectToken", {}, doing="say what the token is for", lane=Lane.URGENT)
            scope = parsed(TokenScope, data.get("projectToken"), "what the token is for")
            if scope.project_id != options.project_id:
                raise Unauthorized("RAILWAY_TOKEN belongs to another project than RAILWAY_PROJECT_ID.")
            return Place(scope.project_id, scope.environment_id)
        variables = {"projectId": options.project_id}
        data = await self.read("ProjectEnvironments", variables, doing="list the environments", lane=Lane.URGENT)
        listed = (data.get("project") or {}).get("environments")
        nodes = parsed(Connection[EnvironmentName], listed, "the project's environments").nodes
        lasting = [node for node in nodes if node.deleted_at is None and not node.is_ephemeral]
        if len(lasting) != 1:
            names = ", ".join(sorted(node.name for node in lasting)) or "none"
            raise Rejected(f"The Railway project has not one environment but {names}: set RAILWAY_ENVIRONMENT_ID.")
        return Place(options.project_id, lasting[0].id)

    async def _send(self, operation: str, variables: Mapping[str, Any], lane: Lane, *, repeatable: bool) -> Answer:
        name, value = self._options.token_header
        return await self._api.send(
            "POST",
            self._options.url,
            lane=lane,
            repeatable=repeatable,
            headers={name: value},
            # Without a query string Cloudflare lets only ten requests a second through, for all its customers together.
            params={"operation": operation},
            json={"query": self._documents[operation], "variables": dict(variables), "operationName": operation},
        )


def parsed(shape: type[T], value: Any, what: str) -> T:
    """The part of an answer as a model. Raises NoAnswer when Railway tells something else."""
    try:
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            return shape.model_validate(value)
        return TypeAdapter(shape).validate_python(value)
    except ValidationError as error:
        where = ", ".join(sorted({".".join(map(str, entry["loc"])) or "all of it" for entry in error.errors()})[:3])
        raise NoAnswer(f"Railway's answer about {what} is not understood: {where}.") from None


def _data(answer: Answer, operation: str, doing: str) -> dict[str, Any]:
    if answer.status in (401, 403):
        raise Unauthorized(f"Railway does not accept the token ({answer.status}). Check RAILWAY_TOKEN and its kind.")
    if answer.status == 404:
        raise Rejected("RAILWAY_API_URL is no GraphQL endpoint: it answers 404.")
    document = answer.json()
    if not isinstance(document, dict):
        raise NoAnswer(f"Railway could not process the request to {doing}.")
    errors = _errors(document.get("errors"))
    if errors:
        # Ids of requests are for Railway's support, not for a message, which has to stay the same.
        log.debug("%s: %s (traceId %s)", operation, [e.code for e in errors], [e.trace_id for e in errors])
        raise exception_of(errors, doing)
    data = document.get("data")
    if answer.status >= 400 or not isinstance(data, dict):
        raise NoAnswer(f"Railway could not process the request to {doing}.")
    return data


def _errors(told: Any) -> list[GraphQLError]:
    if not isinstance(told, list):
        return []
    errors = []
    for entry in told:
        try:
            errors.append(GraphQLError.model_validate(entry))
        except ValidationError:
            errors.append(GraphQLError())
    return errors
