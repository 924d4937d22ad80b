"""The simulator as a whole, ready to be served."""

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from claw_dev.simulators.faults import FaultQueue
from claw_dev.simulators.injection import CONTROL_PREFIX, injecting
from claw_dev.simulators.neon.api import Neon, unknown
from claw_dev.simulators.neon.api_branches import branch_routes
from claw_dev.simulators.neon.api_computes import database_routes, endpoint_routes, role_routes
from claw_dev.simulators.neon.api_projects import project_routes
from claw_dev.simulators.neon.branches import Branches
from claw_dev.simulators.neon.calls import CallLog
from claw_dev.simulators.neon.chains import Chains
from claw_dev.simulators.neon.control import Control
from claw_dev.simulators.neon.credentials import Credentials
from claw_dev.simulators.neon.endpoints import Endpoints
from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.limits import RateLimits, Throttle
from claw_dev.simulators.neon.pace import Pace
from claw_dev.simulators.neon.picture import counts, picture
from claw_dev.simulators.neon.postgres import PostgresStorage
from claw_dev.simulators.neon.projects import Projects
from claw_dev.simulators.neon.protocol import (
    API_PREFIX,
    admitting,
    answering,
    asked,
    fault_as_error,
    logging_calls,
    travelling,
)
from claw_dev.simulators.neon.records import Project
from claw_dev.simulators.neon.rendering import Renderer
from claw_dev.simulators.neon.requests import NewProject
from claw_dev.simulators.neon.storage import Nowhere, Storage
from claw_dev.simulators.neon.world import PlanLimits, World
from claw_dev.simulators.serving import alive, serving, wall_clock

DEFAULT_KEY = Key("napi_simulated")
DEFAULT_PROJECT = "claw-customers-12345678"


class NeonSimulator:
    """A Neon for as long as the context lasts. With `postgres_url` branches are real databases in that server.

    It begins with one project, whose default branch is `main`. `keys` are all that is accepted; the first one's
    organisation owns the project. `novelties` lets answers hold fields and operations that no description has.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        pace: Pace | None = None,
        keys: Sequence[Key] = (DEFAULT_KEY,),
        project: str = DEFAULT_PROJECT,
        store_passwords: bool = True,
        postgres_url: str | None = None,
        plan: PlanLimits | None = None,
        rates: RateLimits | None = None,
        novelties: bool = True,
        seed: int = 0,
        clock: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = ""
        """What `NEON_API_URL` is set to. Known once it is served."""
        self.address = ""
        """Without the API's path."""
        self.control_url = ""
        """Where `/_sim/` is."""
        self.project_id = project
        self.calls = CallLog()
        self._port = port
        self._keys = {key.secret: key for key in keys}
        self._first = NewProject(name=project, store_passwords=store_passwords)
        self._org_id = keys[0].org_id
        self._pace = pace or Pace.quick()
        self._rates = rates or RateLimits()
        self._monotonic = monotonic
        # Each has a source of its own: how long something takes must not change which ids objects get.
        self._sources = [Random(f"{seed} {purpose}") for purpose in range(5)]  # noqa: S311 - repeatable on purpose
        self.world = World(
            clock=clock,
            monotonic=monotonic,
            random=self._sources[0],
            read_lag=self._pace.read_lag,
            limits=plan or PlanLimits(),
        )
        self._storage: Storage = Nowhere() if postgres_url is None else PostgresStorage(postgres_url)
        self.chains = Chains(self.world, self._pace, self._sources[1], novelties=novelties)
        self.faults = FaultQueue(self._sources[2])
        self._neon = self._assembled(novelties)
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Make the first project and serve."""
        try:
            self._resources.push_async_callback(self._storage.aclose)
            self._resources.push_async_callback(self.chains.aclose)
            self._neon.projects.create(self._first, self._org_id, project_id=self.project_id)
            await self.chains.settled()
            self.world.catch_up()
            self.address = await self._resources.enter_async_context(serving(self._app(), port=self._port))
        except BaseException:
            await self._resources.aclose()
            raise
        self.url = self.address + API_PREFIX
        self.control_url = self.address + CONTROL_PREFIX
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop serving and remove everything that was made elsewhere."""
        await self._resources.aclose()

    @property
    def project(self) -> Project:
        """The project that it began with."""
        return self.world.project(self.project_id)

    def picture(self) -> list[dict[str, Any]]:
        """The whole world without ids, passwords and times: two runs can be compared."""
        return picture(self.world)

    def counts(self) -> dict[str, int]:
        """How often each kind of thing was made and removed."""
        return counts(self.world)

    def lets_in(self, branch_id: str, role: str, password: str) -> bool:
        """Whether somebody who knows the password gets into the branch now."""
        return self._neon.credentials.lets_in(branch_id, role, password)

    @property
    def operations(self) -> dict[str, tuple[str, str]]:
        """Method and path of every route, by its operationId in Neon's OpenAPI document."""
        return {
            route.kwargs["name"]: (route.method, route.path.removeprefix(API_PREFIX)) for route in self._api_routes()
        }

    def _api_routes(self) -> list[web.RouteDef]:
        families = (project_routes, branch_routes, endpoint_routes, role_routes, database_routes)
        return [route for family in families for route in family(self._neon)]

    def _assembled(self, novelties: bool) -> Neon:
        world, chains, storage = self.world, self.chains, self._storage
        endpoints = Endpoints(world, chains, storage, self._pace)
        return Neon(
            world=world,
            storage=storage,
            render=Renderer(world, novelties),
            projects=Projects(world, chains, storage, endpoints),
            branches=Branches(world, chains, storage, endpoints),
            endpoints=endpoints,
            credentials=Credentials(world, chains, storage),
            chains=chains,
        )

    def _app(self) -> web.Application:
        throttle = Throttle(self._rates, self._monotonic)
        network = self._sources[3]
        app = web.Application(
            middlewares=[
                logging_calls(self.calls, self.world),
                travelling(lambda: self._pace.of_request(network)),
                injecting(self.faults, fault_as_error, asked),
                answering(self._sources[4]),
                admitting(self._keys, throttle, self.world),
            ]
        )
        app.router.add_get("/healthz", alive)
        app.router.add_routes(self._api_routes())
        app.router.add_route("*", API_PREFIX + "/{unknown:.*}", unknown)
        app.router.add_routes(Control(self._neon, self.calls, self.faults).routes())
        return app
