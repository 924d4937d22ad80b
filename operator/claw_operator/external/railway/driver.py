"""The Railway driver: a service per instance, in one environment of one project.

A service is made empty with its address, gets its settings without deploying them, and is then deployed. Railway has
no idempotency keys, answers get lost and reads lag writes, so three things make every method safe to repeat. A name is
unique, so a service is never made twice. The note in the service's variables (see `settings.py`) tells whether what
was written was deployed. And what can be doubled (an address, a deployment) waits until readings show everything that
an earlier call, or an earlier operator, may have done.

What this process wrote itself it knows better than a lagging reading does (see `recent.py`). Everything else comes
from readings of the whole environment (see `fleet.py`), which a thousand instances share.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from claw_operator.external import (
    ComputeState,
    DesiredCompute,
    ExternalError,
    Marked,
    NameTaken,
    ObservedCompute,
    Owner,
    Rejected,
    Transient,
)
from claw_operator.external.budget import Lane
from claw_operator.external.http import Api, NoAnswer
from claw_operator.external.railway.api import RailwayApi
from claw_operator.external.railway.errors import Exists, NotFound
from claw_operator.external.railway.fleet import Fleet, Reading, Service
from claw_operator.external.railway.observation import (
    deployments_of,
    domain_of,
    named,
    observed,
    own_domain,
    url_of,
)
from claw_operator.external.railway.options import RailwayOptions
from claw_operator.external.railway.reasons import Reasons
from claw_operator.external.railway.recent import Awaited, Recent, Written
from claw_operator.external.railway.settings import DEFAULT_BRANCH, note_of
from claw_operator.external.railway.state import is_there
from claw_operator.external.railway.writer import RailwayWriter

__all__ = ["RailwayDriver", "RailwayOptions"]

_ATTEMPTS = 3


class RailwayDriver:
    """Makes one Railway service per instance.

    `api` belongs to the account of `options.token`; its session stays open when the driver is closed.
    """

    name = "railway"

    def __init__(
        self,
        api: Api,
        options: RailwayOptions,
        *,
        random: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.poll_seconds = options.poll_seconds
        self._options = options
        self._settle = options.settle
        self._monotonic = monotonic
        self._began = monotonic()
        railway = RailwayApi(api, options, random=random, sleep=sleep)
        self._fleet = Fleet(railway, monotonic=monotonic)
        self._writer = RailwayWriter(railway, options, random=random, sleep=sleep)
        self._reasons = Reasons(railway)
        self._recent = Recent(self._fleet, options, monotonic=monotonic, reason_of=self._reasons.of)
        self._alone_with: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._quiet: dict[str, float] = {}
        """By service: until when an earlier write may still show up, so that none is made that could double it."""
        self._deleted: dict[str, float] = {}
        """By service: when its deletion was confirmed."""
        self._unclear: dict[str, float] = {}
        """By instance: when its service may have been made without our being told."""
        self._removed: set[str] = set()
        """Instances whose service this process deleted: of the one name, no second one can be on its way."""

    async def observe(self, owner: Owner, *, max_age: float = 0.0) -> ObservedCompute | None:
        """The compute; None when a complete list has no service with its mark, or only one without an address."""
        written = await self._recent.follow(owner)
        if written is not None:
            return written.compute if written.compute.url else None
        lane = Lane.ROUTINE if max_age > self.poll_seconds else Lane.URGENT
        try:
            service = await self._service(owner, max(max_age, self.poll_seconds), lane)
        except NameTaken:
            return None  # ours is not there; to create it tells whose name it is
        if service is None or (service.host is None and not self._is_deleted(service.id)):
            return None
        return await self._observed(owner, service)

    async def create(self, desired: DesiredCompute) -> ObservedCompute:
        """Make the service and its address, or find both."""
        owner = desired.owner
        async with self._alone(owner):
            compute = await self.observe(owner)
            if compute is not None:
                return compute
            service_id, is_new = await self._create_service(owner)
            host = await self._create_domain(owner, service_id, is_new=is_new)
            url = url_of(self._options.domain_scheme, host)
            return self._wrote(owner, ObservedCompute(id=service_id, state=ComputeState.EMPTY, url=url, asleep=False))

    async def deploy(self, desired: DesiredCompute) -> ObservedCompute:
        """Write the settings, then deploy them. Returns while the deployment is under way."""
        owner = desired.owner
        if not desired.image and not desired.repository:
            raise Rejected(f"There is neither an image nor a repository for {owner.name}: set CLAWDBOT_REPO.")
        async with self._alone(owner):
            before = await self._before(owner)
            compute = before.compute
            self._let_settle(owner, compute.id)
            domain = before.note.domain if before.note is not None else None
            note = note_of(desired, after=compute.deployment_id, domain=domain, region=self._options.region)
            await self._writer.write_settings(desired, compute.id, note)
            after = Written(
                at=self._monotonic(),
                compute=replace(
                    compute,
                    state=ComputeState.DEPLOYING,
                    fingerprint=desired.fingerprint,
                    size=desired.size,
                    deployment_id=None,
                    message="",
                    drift=None,
                ),
                note=note,
                source=_source(desired),
                awaited=Awaited.DEPLOYMENT,
            )
            deployment_id = None
            try:
                if after.source is not None and after.source != before.source:
                    # Deploys it, too. Should it not, no deployment shows up, and the next call deploys.
                    await self._writer.connect(owner, compute.id, *after.source)
                else:
                    deployment_id = await self._writer.deploy(owner, compute.id)
            except NoAnswer:
                self._quiet[compute.id] = self._monotonic() + self._settle
                self._recent.remember(owner, replace(after, at=self._monotonic()))
                raise
            after = replace(after, at=self._monotonic(), compute=replace(after.compute, deployment_id=deployment_id))
            self._recent.remember(owner, after)
            return after.compute

    async def adjust(self, desired: DesiredCompute) -> ObservedCompute:
        """Put right the limits, the service's name and its custom domain."""
        owner = desired.owner
        async with self._alone(owner):
            service = await self._existing(owner)
            before = await self._before(owner)
            compute, note = before.compute, before.note
            if service.name != owner.external_name:
                await self._writer.rename(owner, service.id)
            if note is None:
                return compute  # never deployed: the deployment brings everything along
            if compute.size is not None and compute.size != desired.size:
                note = replace(note, size=desired.size)
                await self._writer.write_limits(owner, service.id, desired.size, note)
                compute = replace(compute, size=desired.size)
            if note.domain != desired.domain or (desired.domain and compute.domain is None):
                compute = await self._change_domain(desired, service, compute)
                note = replace(note, domain=desired.domain)
                await self._writer.write_note(owner, service.id, note)
            drift = compute.drift
            compute = replace(compute, drift=drift if drift is not None and drift.needs_deployment else None)
            self._recent.remember(owner, replace(before, at=self._monotonic(), compute=compute, note=note))
            return compute

    async def suspend(self, owner: Owner) -> ObservedCompute:
        """Remove every live deployment."""
        async with self._alone(owner):
            before = await self._before(owner)
            compute = before.compute
            if compute.state in (ComputeState.EMPTY, ComputeState.STOPPED) or before.awaited is Awaited.REMOVAL:
                return compute
            service = await self._service(owner, self.poll_seconds)
            for deployment_id in sorted(_live(service, compute)):
                await self._writer.remove_deployment(owner, deployment_id)
            compute = replace(compute, state=ComputeState.DEPLOYING, message="")
            self._recent.remember(
                owner, replace(before, at=self._monotonic(), compute=compute, awaited=Awaited.REMOVAL)
            )
            return compute

    async def delete(self, owner: Owner) -> None:
        """Remove every service with the owner's mark. Raises Transient while it cannot be known that none is left."""
        async with self._alone(owner):
            written = self._recent.of(owner)
            reading = await self._fleet.services(min(self.poll_seconds, self._recent.age_limit(owner)))
            listed = {service.id for service in reading.bearing(owner)}
            ids = listed if written is None else listed | {written.compute.id}
            if not ids:
                self._check_absence(owner, reading)
            for service_id in sorted(ids):
                if self._is_deleted(service_id):
                    continue
                try:
                    await self._writer.delete_service(owner, service_id)
                except NotFound:
                    if service_id not in listed:
                        raise  # so new that it is not to be seen yet
                self._deleted[service_id] = self._monotonic()
                self._quiet.pop(service_id, None)
                self._removed.add(owner.uid)
            self._recent.forget(owner)
            self._unclear.pop(owner.uid, None)

    async def inventory(self) -> Sequence[Marked]:
        """Every service in the environment that bears an owner mark."""
        reading = await self._fleet.services(self.poll_seconds, Lane.ROUTINE)
        return [Marked(service.owner, service.id) for service in reading.services if service.owner is not None]

    async def changes(self) -> AsyncIterator[str]:
        """Nothing: Railway's webhooks are unsigned hints, and a poll tells the same."""
        nothing: tuple[str, ...] = ()
        for uid in nothing:
            yield uid

    async def aclose(self) -> None:
        """End readings that are under way. The services go on."""
        await self._fleet.aclose()

    async def _service(self, owner: Owner, max_age: float, lane: Lane = Lane.URGENT) -> Service | None:
        """The owner's service from a reading that shows what this process wrote; None when it is certainly absent."""
        reading = await self._fleet.services(min(max_age, self._recent.age_limit(owner)), lane)
        service = reading.of(owner)
        if service is not None:
            self._quiet.setdefault(service.id, reading.started + self._settle)
        return service

    def _check_absence(self, owner: Owner, reading: Reading) -> None:
        """Raises unless nothing of the owner's is left for certain: an untold service, a stranger's, an early look."""
        reading.of(owner)
        if owner.uid in self._removed:
            return
        # What an operator before this one made, or a call without an answer, may not be to be seen yet.
        if reading.started < self._unclear.get(owner.uid, self._began) + self._settle:
            raise Transient(
                f"It is not certain yet that {owner.name} has no service in Railway; it is looked at again."
            )

    async def _existing(self, owner: Owner) -> Service:
        service = await self._service(owner, self.poll_seconds)
        if service is None:
            raise Transient(f"{owner.name} has no service in Railway; it has to be created first.")
        return service

    async def _observed(self, owner: Owner, service: Service) -> ObservedCompute:
        compute = observed(
            service,
            owner,
            scheme=self._options.domain_scheme,
            may_follow=self._monotonic() < self._quiet[service.id],
        )
        latest = service.instance.latest_deployment
        if latest is None or compute.state not in (ComputeState.FAILED, ComputeState.CRASHED):
            return compute
        return replace(compute, message=await self._reasons.of(owner, latest))

    async def _before(self, owner: Owner) -> Written:
        """The service as it is now, whoever left it so."""
        written = await self._recent.follow(owner)
        if written is not None:
            return written
        service = await self._existing(owner)
        instance, configured = service.instance, service.config.source if service.config is not None else None
        repository = instance.source.repo if instance.source is not None else None
        branch = configured.branch if configured is not None else None
        return Written(
            at=self._monotonic(),
            compute=await self._observed(owner, service),
            note=service.note,
            source=(repository, branch) if repository and branch else None,
        )

    async def _create_service(self, owner: Owner) -> tuple[str, bool]:
        """The service's id, and whether this call made it, so that nothing can have been added to it yet."""
        written = self._recent.of(owner)
        if written is not None:
            return written.compute.id, False
        service = await self._service(owner, self.poll_seconds)
        if service is not None:
            return service.id, False
        problem: ExternalError | None = None
        for attempt in range(_ATTEMPTS):
            try:
                service_id = await self._writer.create_service(owner)
            except (NoAnswer, Exists) as error:
                problem = error
                self._removed.discard(owner.uid)
                self._unclear[owner.uid] = self._monotonic()
            else:
                self._quiet[service_id] = self._monotonic()
                self._wrote(owner, ObservedCompute(id=service_id, state=ComputeState.EMPTY, url="", asleep=False))
                return service_id, True
            # It may have been made, by this call or an earlier one. The name is unique: made twice it cannot be.
            service = await self._service(owner, 0.0)
            if service is not None:
                return service.id, False
            await self._writer.pause(attempt)
        raise Transient(f"Railway may have made the service of {owner.name}, but does not show it yet.") from problem

    async def _create_domain(self, owner: Owner, service_id: str, *, is_new: bool) -> str:
        if not is_new:
            # A service can have many addresses, so one that was made a moment ago must be seen first.
            listed = (await self._writer.domains(owner, service_id)).service_domains
            if listed:
                return listed[0].domain
            self._let_settle(owner, service_id)
        try:
            return await self._writer.create_domain(owner, service_id)
        except (NoAnswer, Exists):
            self._quiet[service_id] = self._monotonic() + self._settle
            listed = (await self._writer.domains(owner, service_id)).service_domains
            if not listed:
                raise
            return listed[0].domain

    async def _change_domain(
        self, desired: DesiredCompute, service: Service, compute: ObservedCompute
    ) -> ObservedCompute:
        owner, present = desired.owner, own_domain(service)
        if present is not None and present.domain != desired.domain:
            await self._writer.delete_custom_domain(owner, present)
        if desired.domain is None:
            return replace(compute, domain=None)
        wanted = named(service.instance.domains.custom_domains, desired.domain)
        if wanted is None:
            wanted = await self._writer.create_custom_domain(owner, service.id, desired.domain)
        return replace(compute, domain=domain_of(wanted))

    def _wrote(self, owner: Owner, compute: ObservedCompute) -> ObservedCompute:
        self._recent.remember(owner, Written(at=self._monotonic(), compute=compute))
        return compute

    def _let_settle(self, owner: Owner, service_id: str) -> None:
        if self._monotonic() < self._quiet.get(service_id, 0.0):
            raise Transient(f"Waiting until Railway shows everything that was done to the service of {owner.name}.")

    def _is_deleted(self, service_id: str) -> bool:
        """Whether it was deleted so recently that it may still be listed."""
        deleted_at = self._deleted.get(service_id)
        return deleted_at is not None and self._monotonic() < deleted_at + self._settle

    def _alone(self, owner: Owner) -> asyncio.Lock:
        """One change at a time for an instance."""
        return self._alone_with.setdefault(owner.uid, asyncio.Lock())


def _source(desired: DesiredCompute) -> tuple[str, str] | None:
    """Repository and branch, unless it runs an image."""
    if desired.image or not desired.repository:
        return None
    return desired.repository, desired.ref or DEFAULT_BRANCH


def _live(service: Service | None, compute: ObservedCompute) -> set[str]:
    """The deployments that a suspension has to remove; the newest may be too new to be listed."""
    listed = () if service is None else deployments_of(service)
    live = {deployment.id for deployment in listed if is_there(deployment)}
    if compute.deployment_id is not None and compute.deployment_id not in {deployment.id for deployment in listed}:
        live.add(compute.deployment_id)
    return live
