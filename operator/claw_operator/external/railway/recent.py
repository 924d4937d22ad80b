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
from claw_operator.external.railway.fleet import Deployments, Fleet
from claw_operator.external.railway.models import Deployment
from claw_operator.external.railway.options import RailwayOptions
from claw_operator.external.railway.settings import Note
from claw_operator.external.railway.state import state_of


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
        """What was written, while readings may lack it."""
        written = self._written.get(owner.uid)
        return None if written is None or self._is_shown(written) else written

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
        age = self._age(written)
        if age < self._poll:
            return written  # no deployment is that quick
        deployments = await self._fleet.deployments(min(self._poll, age))
        deployment = _awaited(written, deployments)
        if deployment is not None:
            followed = await self._followed(owner, written, deployment, deployments.started)
            if followed is not None:
                return self._replace(owner, written, followed)
        if not self._is_shown(written):
            return written
        self._replace(owner, written, replace(written, awaited=Awaited.NOTHING))
        return None

    async def _followed(self, owner: Owner, written: Written, deployment: Deployment, read_at: float) -> Written | None:
        """The service by what its deployment says; None when that is not what was awaited."""
        state = state_of(deployment)
        compute = replace(written.compute, deployment_id=deployment.id)
        if state is ComputeState.DEPLOYING:
            return replace(written, compute=compute)
        if (state is ComputeState.STOPPED) is not (written.awaited is Awaited.REMOVAL):
            return None  # somebody else removed it, or its removal is not to be seen yet
        compute = replace(compute, state=state, message=await self._reason_of(owner, deployment))
        return replace(written, at=read_at, compute=compute, awaited=Awaited.NOTHING)

    def _replace(self, owner: Owner, old: Written, new: Written) -> Written:
        # Nothing that was written while this one waited for Railway's answer is overwritten.
        if self._written.get(owner.uid) is old:
            self._written[owner.uid] = new
        return new

    def _is_shown(self, written: Written) -> bool:
        return self._age(written) >= self._settle

    def _age(self, written: Written) -> float:
        return self._monotonic() - written.at


def _awaited(written: Written, deployments: Deployments) -> Deployment | None:
    if written.compute.deployment_id is not None:
        return deployments.by_id.get(written.compute.deployment_id)
    # The answer that would have told its id was lost.
    earlier = written.note.after if written.note is not None else None
    return deployments.after(written.compute.id, earlier)
