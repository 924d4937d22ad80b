"""`/internal`: the operator's side."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from claw_crds.configuration import CONFIGURATION_PATH, STATUS_PATH, RuntimeConfiguration, RuntimeReport
from claw_runtime.configuration import activate
from claw_runtime.endpoint import json_answer
from claw_runtime.problems import (
    DATABASE_AWAY,
    INVALID_REQUEST,
    NOT_CONFIGURED,
    WRONG_INSTANCE,
    FieldError,
    Problem,
    database_away,
)
from claw_runtime.routes import MIB, Access, Call, Nothing, Route
from claw_runtime.text import is_storable

PREPARE_SECONDS = 3.0
"""Less than the operator waits for an answer."""


async def configure(call: Call[RuntimeConfiguration, Nothing]) -> RuntimeReport:
    """Take a configuration. Durable and in effect when this returns."""
    source = json.loads(call.raw)
    if not all(map(is_storable, _texts(source))):
        wrong = FieldError(field="", message="A text is not Unicode, or contains the character U+0000.")
        raise Problem(INVALID_REQUEST, "The configuration cannot be stored.", errors=(wrong,))
    services = call.services
    try:
        async with asyncio.timeout(PREPARE_SECONDS):
            await services.prepared.wait()
    except TimeoutError as error:
        raise database_away() from error
    before = services.configurations.active
    if await services.configurations.put(activate(call.body, source)) is not before:
        await services.holdings.load()  # the database is awake, and the plan may have become smaller
    return services.report()


async def configuration(call: Call[Nothing, Nothing]) -> web.Response:
    """The configuration in effect."""
    active = call.services.configurations.active
    if active is None:
        raise Problem(NOT_CONFIGURED, call.services.report().message, retry_after=5)
    return json_answer(active.document, headers={"ETag": f'"{active.revision}"'})


async def report(call: Call[Nothing, Nothing]) -> RuntimeReport:
    """The runtime's state and usage. Never touches the database."""
    return call.services.report()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)


ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "PUT",
        CONFIGURATION_PATH,
        configure,
        Access.OPERATOR,
        RuntimeConfiguration,
        Nothing,
        RuntimeReport,
        problems=(WRONG_INSTANCE, DATABASE_AWAY),
        body_limit=8 * MIB,
    ),
    Route(
        "GET",
        CONFIGURATION_PATH,
        configuration,
        Access.OPERATOR,
        Nothing,
        Nothing,
        RuntimeConfiguration,
        problems=(NOT_CONFIGURED,),
    ),
    Route("GET", STATUS_PATH, report, Access.OPERATOR, Nothing, Nothing, RuntimeReport),
)
