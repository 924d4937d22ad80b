"""What this process wrote a moment ago, for as long as Railway's reads may lack it.

Reads lag writes by seconds. Until they have caught up, a service is what was written and not what is read; a
deployment that is under way is followed by its own id, with one reading for all that are. Only what began in this
process is in here: losing it costs a few seconds of waiting after a restart, nothing else.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from claw_operator.external import ComputeState, ObservedCompute, Owner
from claw_operator.external.railway_fleet import Fleet
from claw_operator.external.railway_models import Deployment
from claw_operator.external.railway_options import RailwayOptions
from claw_operator.external.railway_settings import Note
from claw_operator.external.railway_state import state_of


class Awaited(Enum):
    """What is under way."""

    NOTHING = auto()
    DEPLOYMENT = auto()
    REMOVAL = auto()


@dataclass(frozen=True)
class Written:
    """A service as this process left it."""

    at: float
    """Monotonic: when it was written, or was last seen as it is told here."""
    compute: ObservedCompute
    note: Note | None = None
    source: tuple[str, str] | None = None
    """Repository and branch that it is connected with."""
    awaited: Awaited = Awaited.NOTHING


class Recent:
    """Everything that was written recently, by the instance's UID."""

    def __init__(
        self,
        fleet: Fleet,
        options: RailwayOptions,
        *,
        monotonic: Callable[[], float],
        reason_of: Callable[[Owner, Deployment], Awaitable[str]],
    ) -> None:
        self._fleet = fleet
        self._poll = options.poll_seconds
        self._settle = options.settle
        self._monotonic = monotonic
        self._reason_of = reason_of
        self._written: dict[str, Written] = {}

    def remember(self, owner: Owner, written: Written) -> None:
        """From now on the service is this."""
        self._written[owner.uid] = written

    def forget(self, owner: Owner) -> None:
        """From now on only readings count."""
        self._written.pop(owner.uid, None)

    def of(self, owner: Owner) -> Written | None:
        """What was written, unless readings show it for certain."""
        written = self._written.get(owner.uid)
        if written is None or self._is_shown(written):
            return None
        return written

    def age_limit(self, owner: Owner) -> float:
        """How old a reading may be at most to show what was written. Any age, while none can show it."""
        written = self._written.get(owner.uid)
        if written is None or not self._is_shown(written):
            return math.inf
        return self._age(written) - self._settle

    async def follow(self, owner: Owner) -> Written | None:
        """What was written and what has become of it; None when a reading of the services has to tell."""
        written = self._written.get(owner.uid)
        if written is None:
            return None
        if written.awaited is Awaited.NOTHING:
            return None if self._is_shown(written) else written
        age = self._monotonic() - written.at
        if age < self._poll:
            return written  # no deployment is that quick
        deployments = await self._fleet.deployments(min(self._poll, age))
        known, service_id = written.compute.deployment_id, written.compute.id
        if known is not None:
            deployment = deployments.by_id.get(known)
        else:  # the answer that would have told the id was lost
            deployment = deployments.after(service_id, written.note.after if written.note is not None else None)
        if deployment is None:
            return None if self._is_shown(written) else written
        return await self._with(owner, written, deployment, deployments.started)

    async def _with(self, owner: Owner, written: Written, deployment: Deployment, started: float) -> Written | None:
        state = state_of(deployment)
        compute = replace(written.compute, deployment_id=deployment.id)
        if state is ComputeState.DEPLOYING:
            written = replace(written, compute=compute)
        elif (state is ComputeState.STOPPED) is (written.awaited is Awaited.REMOVAL):
            message = await self._reason_of(owner, deployment)
            compute = replace(compute, state=state, message=message)
            written = replace(written, at=started, compute=compute, awaited=Awaited.NOTHING)
        elif self._age(written) >= self._settle:
            self.forget(owner)  # somebody else removed it, or it was not removed: another reading tells what is there
            return None
        self.remember(owner, written)
        return written

    def _is_shown(self, written: Written) -> bool:
        return self._age(written) >= self._settle

    def _age(self, written: Written) -> float:
        return self._monotonic() - written.at
