"""Reads all services of the environment, a hundred in one call, for all instances that ask at about the same time."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from claw_operator.external import Owner, Transient
from claw_operator.external.budget import Lane
from claw_operator.external.fleet import Shared
from claw_operator.external.railway.api import RailwayApi, parsed
from claw_operator.external.railway.documents import PAGE
from claw_operator.external.railway.errors import taken
from claw_operator.external.railway.models import (
    Config,
    ConfigService,
    Connection,
    Deployment,
    FleetPage,
    ServiceInstance,
)
from claw_operator.external.railway.settings import OWNER, SETTINGS, Note

_MOST_PAGES = 1000


@dataclass(frozen=True)
class Service:
    """One service: what the list of services and the environment's configuration tell of it."""

    instance: ServiceInstance
    config: ConfigService | None = None
    """None when Railway does not tell."""

    @property
    def id(self) -> str:
        """Railway's id of the service."""
        return self.instance.service_id

    @property
    def name(self) -> str:
        """Its name now; a person may have changed it."""
        return self.instance.service_name

    @property
    def is_told(self) -> bool:
        """Whether its variables are known, and with them whose it is."""
        return self.config is not None and self.config.variables is not None

    def variable(self, name: str) -> str | None:
        """The value of one of its variables."""
        variables = self.config.variables if self.config is not None else None
        variable = (variables or {}).get(name)
        return None if variable is None else variable.value

    @cached_property
    def owner(self) -> Owner | None:
        """Whose it is by its mark."""
        return Owner.of_mark(self.variable(OWNER) or "")

    @cached_property
    def note(self) -> Note | None:
        """What was noted when it was last deployed."""
        return Note.of_text(self.variable(SETTINGS))

    @property
    def host(self) -> str | None:
        """The address that Railway gave it; None while it has none."""
        domains = self.instance.domains.service_domains
        return domains[0].domain if domains else None


@dataclass(frozen=True)
class Reading:
    """All services, complete."""

    started: float
    """Monotonic. What was written later may be missing."""
    services: tuple[Service, ...]

    @cached_property
    def _by_owner(self) -> dict[Owner, list[Service]]:
        marked: dict[Owner, list[Service]] = {}
        for service in self.services:
            if service.owner is not None:
                marked.setdefault(service.owner, []).append(service)
        return marked

    @cached_property
    def _by_name(self) -> dict[str, Service]:
        return {service.name: service for service in self.services}

    def bearing(self, owner: Owner) -> list[Service]:
        """Everything with the owner's mark: who duplicates a service in Railway duplicates its mark, too."""
        return self._by_owner.get(owner, [])

    def of(self, owner: Owner) -> Service | None:
        """The owner's service: that of its name, or whatever its name is now the first with its mark.

        Raises NameTaken for a stranger's of that name, Transient while it is not told whose it is.
        """
        named, marked = self._by_name.get(owner.external_name), self.bearing(owner)
        if named in marked:
            return named
        if marked or named is None:
            return marked[0] if marked else None
        if not named.is_told:
            raise Transient(f"Railway does not tell yet whose the service {named.name} is.")
        raise taken(named.name)


@dataclass(frozen=True)
class Deployments:
    """The newest deployments of the environment, newest first."""

    started: float
    newest: tuple[Deployment, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Deployment]:
        """Each by its id."""
        return {deployment.id: deployment for deployment in self.newest}

    def after(self, service_id: str, earlier: str | None) -> Deployment | None:
        """The service's newest deployment, if it is another one than the earlier."""
        for deployment in self.newest:
            if deployment.service_id == service_id:
                return None if deployment.id == earlier else deployment
        return None


class Fleet:
    """The readings of one environment."""

    def __init__(self, api: RailwayApi, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._monotonic = monotonic
        self._services: Shared[Reading] = Shared(self._read_services, monotonic=monotonic)
        self._deployments: Shared[Deployments] = Shared(self._read_deployments, monotonic=monotonic)
        self._lane = Lane.ROUTINE

    async def services(self, max_age: float, lane: Lane = Lane.URGENT) -> Reading:
        """All services. Raises Transient when the list may not be complete."""
        self._lane = min(self._lane, lane)  # one reading serves all who wait for it, so the most urgent decides
        return await self._services.get(max_age)

    async def deployments(self, max_age: float) -> Deployments:
        """The newest hundred deployments, in one call."""
        return await self._deployments.get(max_age)

    def forget(self) -> None:
        """What is asked for next is read anew."""
        self._services.forget()
        self._deployments.forget()

    async def aclose(self) -> None:
        """End readings that are under way."""
        await self._services.aclose()
        await self._deployments.aclose()

    async def _read_services(self) -> Reading:
        started, lane = self._monotonic(), self._lane
        self._lane = Lane.ROUTINE
        place = await self._api.place()
        config: Config | None = None
        instances: list[ServiceInstance] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            variables = {**place.variables, "first": PAGE, "after": cursor, "withConfig": cursor is None}
            data = await self._api.read("Fleet", variables, doing="list the services", lane=lane)
            page = parsed(FleetPage, data.get("environment"), "the services")
            config = config or page.config
            if config is None:
                raise Transient("Railway does not tell the environment's configuration.")
            instances += page.service_instances.nodes
            info = page.service_instances.page_info
            if not info.has_next_page:
                return Reading(started, _services(instances, config))
            if info.end_cursor is None or info.end_cursor == cursor:
                raise Transient("Railway's list of services does not go on where it stopped, so it is not complete.")
            cursor = info.end_cursor
        raise Transient("Railway's list of services does not end.")

    async def _read_deployments(self) -> Deployments:
        started = self._monotonic()
        place = await self._api.place()
        variables = {**place.variables, "first": PAGE}
        data = await self._api.read("Deployments", variables, doing="list the deployments", lane=Lane.URGENT)
        nodes = parsed(Connection[Deployment], data.get("deployments"), "the deployments").nodes
        # Railway lists the newest first, but does not promise it.
        return Deployments(started, tuple(sorted(nodes, key=lambda node: node.created_at, reverse=True)))


def _services(instances: list[ServiceInstance], config: Config) -> tuple[Service, ...]:
    # One that is half deleted has still an instance, or none and still a configuration: neither is a service.
    present = (instance for instance in instances if instance.deleted_at is None)
    return tuple(Service(instance, config.services.get(instance.service_id)) for instance in present)
