"""What a route is. Server, access control and OpenAPI document all read the same table, `table.py`.

A handler receives a `Call`: the services, and the body and query as models. It returns a model, which becomes JSON, or
a response of its own. The type checker sees to it that a handler gets the models that its route declares.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from aiohttp import web

from claw_crds.configuration import RuntimeConfiguration
from claw_crds.resource import Model
from claw_runtime.problems import Kind, not_configured, not_found
from claw_runtime.services import Services
from claw_runtime.text import is_storable

MIB = 2**20
LINES = "application/x-ndjson"
SERVICES = web.AppKey("services", Services)


class Nothing(Model):
    """For a route without body, or without query."""


Body = TypeVar("Body", bound=Model)
Query = TypeVar("Query", bound=Model)


class Access(Enum):
    """Who may call."""

    OPEN = "open"
    CUSTOMER = "customer"
    """With an API key, while the instance runs. Counts as a call of the API."""
    CUSTOMER_ALWAYS = "customer-always"
    """With an API key, even while suspended. Not counted."""
    OPERATOR = "operator"
    """With the configuration token."""


@dataclass(frozen=True)
class Call(Generic[Body, Query]):
    """One request, as a handler sees it."""

    services: Services
    request: web.Request
    body: Body
    query: Query
    raw: bytes
    """The body as it came."""

    @property
    def configuration(self) -> RuntimeConfiguration:
        """The configuration in effect. Raises Problem while there is none."""
        active = self.services.configurations.active
        if active is None:
            raise not_configured()
        return active.document

    def name(self, part: str, what: str) -> str:
        """A name in the path. Raises Problem, not found, when nothing can be called that."""
        name = self.request.match_info[part]
        if not is_storable(name):
            raise not_found(what)
        return name

    def id(self, what: str) -> uuid.UUID:
        """The id in the path. Raises Problem, not found, when it cannot be one."""
        try:
            return uuid.UUID(self.request.match_info["id"])
        except ValueError:
            raise not_found(f"{what} with this id") from None


Handler = Callable[[Call[Body, Query]], Awaitable[Model | web.StreamResponse | None]]


@dataclass(frozen=True)
class Route(Generic[Body, Query]):
    """One operation. The first line of its handler's docstring is its summary."""

    method: str
    path: str
    handler: Handler[Body, Query]
    access: Access
    body: type[Body]
    query: type[Query]
    answer: type[Model] | None
    """None when there is nothing to say: 204."""
    status: int = 200
    problems: tuple[Kind, ...] = ()
    """Beyond those that follow from access, body and query."""
    body_limit: int = MIB
    streams: bool = False
    """Whether it may answer with server-sent events."""
    lines: bool = False
    """Whether it answers with one JSON object a line, each of them an `answer`."""
    uploads: str | None = None
    """The media type of a body that is no JSON: the handler reads it itself."""
    headers: tuple[str, ...] = ()
    """Of the request, that mean something here."""

    @property
    def stores(self) -> bool:
        """Whether it needs room in the database: what a customer sends is kept."""
        return self.access is Access.CUSTOMER and (self.body is not Nothing or self.uploads is not None)

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return (self.handler.__doc__ or "").partition("\n")[0].rstrip(".")
