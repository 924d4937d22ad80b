"""Every change that the driver makes in Railway.

Railway lets changes of one environment's configuration collide, so those are made one at a time. And a service is often
not to be seen for seconds after it was made. What was refused for such a reason is tried again: a few times, with
growing pauses. What got no answer is never repeated here: it may have been done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from claw_operator.external import DesiredCompute, Owner, Rejected, Size, Transient
from claw_operator.external.budget import Lane
from claw_operator.external.http import NoAnswer
from claw_operator.external.railway.api import RailwayApi, parsed
from claw_operator.external.railway.errors import Busy, Exists, Forbidden, NotFound
from claw_operator.external.railway.models import CustomDomain, Domains, ServiceDomain, ServiceId
from claw_operator.external.railway.observation import named
from claw_operator.external.railway.options import RailwayOptions
from claw_operator.external.railway.settings import (
    OWNER,
    SETTINGS,
    Note,
    instance_input,
    limits_of,
    variables_of,
)

T = TypeVar("T")

_ATTEMPTS = 6
_TURN = 120.0
"""Seconds that a change waits for its turn; the worker that waits could do something else meanwhile."""


class RailwayWriter:
    """Makes and changes services. Methods raise ExternalError; NoAnswer means that it may have been done."""

    def __init__(
        self,
        api: RailwayApi,
        options: RailwayOptions,
        *,
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._options = options
        self._random = random
        self._sleep = sleep
        self._one_at_a_time = asyncio.Lock()

    async def create_service(self, owner: Owner) -> str:
        """Make an empty service and return its id. Raises Exists when the name is taken."""
        place = await self._api.place()
        service = {
            "projectId": place.project_id,
            # Always told: without it the service is made in every environment of the project.
            "environmentId": place.environment_id,
            "name": owner.external_name,
            "variables": {OWNER: owner.mark},
        }
        doing = f"create the service of {owner.name}"
        data = await self._api.write("CreateService", {"input": service}, doing=doing)
        return parsed(ServiceId, data.get("serviceCreate"), "the new service").id

    async def create_domain(self, owner: Owner, service_id: str) -> str:
        """Give the service an address and return it."""
        place = await self._api.place()
        # No target port: Railway refuses one where PORT is a variable, and finds it by itself where it is not.
        domain = {"serviceId": service_id, "environmentId": place.environment_id}
        doing = f"give the service of {owner.name} an address"

        async def create() -> dict[str, Any]:
            return await self._api.write("CreateServiceDomain", {"input": domain}, doing=doing)

        data = await self._in_turn(create)
        return parsed(ServiceDomain, data.get("serviceDomainCreate"), "the new address").domain

    async def domains(self, owner: Owner, service_id: str) -> Domains:
        """All addresses of the service, as they are now."""
        place = await self._api.place()
        variables = {**place.variables, "serviceId": service_id}
        doing = f"list the addresses of {owner.name}"
        data = await self._api.read("ServiceDomains", variables, doing=doing, lane=Lane.URGENT)
        return parsed(Domains, data.get("domains"), "the addresses")

    async def write_settings(self, desired: DesiredCompute, service_id: str, note: Note) -> None:
        """Variables, source, limits and everything else, in one call and without deploying them."""
        options, environment_id = self._options, (await self._api.place()).environment_id
        where = {"serviceId": service_id, "environmentId": environment_id}
        settings = {
            **where,
            "variables": await self._variables(service_id, variables_of(desired, note), replace=True),
            "instance": instance_input(desired, registry=options.registry, region=options.region),
            "limits": {**where, **limits_of(desired.size)},
        }
        doing = f"write the settings of {desired.owner.name}"
        await self._in_turn(lambda: self._api.confirm("WriteSettings", settings, doing=doing))

    async def connect(self, owner: Owner, service_id: str, repository: str, branch: str) -> None:
        """Deploy from that branch from now on."""
        variables = {"id": service_id, "repo": repository, "branch": branch}
        doing = f"connect the service of {owner.name} with branch {branch} of {repository}"
        await self._in_turn(lambda: self._api.write("ConnectRepository", variables, doing=doing))

    async def deploy(self, owner: Owner, service_id: str) -> str:
        """Deploy what is written and return the deployment's id."""
        variables = {"serviceId": service_id, "environmentId": (await self._api.place()).environment_id}
        doing = f"deploy {owner.name}"
        # Changes no configuration, so many start at once.
        data = await self._patiently(lambda: self._api.write("Deploy", variables, doing=doing))
        return parsed(str, data.get("serviceInstanceDeployV2"), "the new deployment")

    async def remove_deployment(self, owner: Owner, deployment_id: str) -> None:
        """Stop it. Gone already is success."""
        doing = f"stop a deployment of {owner.name}"
        try:
            await self._api.confirm("RemoveDeployment", {"id": deployment_id}, doing=doing)
        except NotFound:
            return

    async def write_limits(self, owner: Owner, service_id: str, size: Size, note: Note) -> None:
        """What it may use, in effect without a deployment."""
        environment_id = (await self._api.place()).environment_id
        settings = {
            "limits": {"serviceId": service_id, "environmentId": environment_id, **limits_of(size)},
            "variables": await self._variables(service_id, {SETTINGS: note.text}, replace=False),
        }
        doing = f"write the limits of {owner.name}"
        await self._in_turn(lambda: self._api.confirm("WriteLimits", settings, doing=doing))

    async def write_note(self, owner: Owner, service_id: str, note: Note) -> None:
        """The note alone."""
        settings = {"variables": await self._variables(service_id, {SETTINGS: note.text}, replace=False)}
        doing = f"note the settings of {owner.name}"
        await self._in_turn(lambda: self._api.confirm("WriteVariables", settings, doing=doing))

    async def rename(self, owner: Owner, service_id: str) -> None:
        """Give it back the name that it is found by."""
        variables = {"id": service_id, "name": owner.external_name}
        doing = f"rename the service of {owner.name} back to {owner.external_name}"
        await self._in_turn(lambda: self._api.write("RenameService", variables, doing=doing))

    async def create_custom_domain(self, owner: Owner, service_id: str, domain: str) -> CustomDomain:
        """Let it answer under the customer's own domain. What is there already is success."""
        place = await self._api.place()
        wanted = {**place.variables, "serviceId": service_id, "domain": domain}
        doing = f"add the domain {domain} to the service of {owner.name}"

        async def create() -> dict[str, Any]:
            return await self._api.write("CreateCustomDomain", {"input": wanted}, doing=doing)

        try:
            data = await self._in_turn(create)
        except (NoAnswer, Exists) as error:
            found = named((await self.domains(owner, service_id)).custom_domains, domain)
            if found is not None:
                return found
            if isinstance(error, Exists):
                raise Rejected(f"The domain {domain} belongs to another service in Railway.") from error
            raise
        return parsed(CustomDomain, data.get("customDomainCreate"), "the new domain")

    async def delete_custom_domain(self, owner: Owner, domain: CustomDomain) -> None:
        """Take it from the service. Gone already is success."""
        doing = f"remove the domain {domain.domain} from the service of {owner.name}"
        try:
            await self._api.confirm("DeleteCustomDomain", {"id": domain.id}, doing=doing)
        except NotFound:
            return

    async def delete_service(self, owner: Owner, service_id: str) -> None:
        """Remove it with everything in it. Raises NotFound when it is gone, or not to be seen yet."""
        variables = {"id": service_id}
        if self._options.token_kind == "project":
            # It reaches only its own environment. The others delete the service whole: in its last environment it may
            # else leave a husk behind, which keeps the name taken.
            variables["environmentId"] = (await self._api.place()).environment_id
        # Not in turn with the others: a deletion is not kept waiting by new customers.
        await self._api.confirm("DeleteService", variables, doing=f"delete the service of {owner.name}")

    async def pause(self, attempt: int) -> None:
        """Wait before the next attempt: a quarter of a poll, doubled up to a whole one, with jitter."""
        poll = self._options.poll_seconds
        await self._sleep(min(poll, poll / 4 * 2**attempt) * (0.5 + 0.5 * self._random()))

    async def _in_turn(self, change: Callable[[], Awaitable[T]]) -> T:
        """A change of the environment's configuration, while no other one is under way."""

        async def alone() -> T:
            try:
                async with asyncio.timeout(_TURN):
                    await self._one_at_a_time.acquire()
            except TimeoutError:
                raise Transient("Changes of other instances in Railway take long; this one waits its turn.") from None
            try:
                return await change()
            finally:
                self._one_at_a_time.release()

        return await self._patiently(alone)

    async def _patiently(self, change: Callable[[], Awaitable[T]]) -> T:
        for attempt in range(_ATTEMPTS - 1):
            try:
                return await change()
            except (Busy, NotFound, Forbidden):
                await self.pause(attempt)
        return await change()

    async def _variables(self, service_id: str, variables: dict[str, str], *, replace: bool) -> dict[str, Any]:
        place = await self._api.place()
        return {
            **place.variables,
            "serviceId": service_id,
            "variables": variables,
            "replace": replace,
            "skipDeploys": True,  # else every write queues a deployment of its own, and they get in each other's way
        }
