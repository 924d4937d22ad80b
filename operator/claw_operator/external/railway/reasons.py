"""Why a deployment failed, from its logs: read once per deployment, short, stable and without secrets."""

from collections import OrderedDict
from collections.abc import Sequence

from claw_operator.external import ComputeState, ExternalError, Owner
from claw_operator.external.budget import Lane
from claw_operator.external.last_words import trouble_in
from claw_operator.external.railway.api import RailwayApi, parsed
from claw_operator.external.railway.models import Deployment, LogLine
from claw_operator.external.railway.state import reason_of, state_of
from claw_operator.external.redaction import redacted

_LINES = 100
_LENGTH = 300
_REMEMBERED = 1000

_BEGINNINGS = {
    ComputeState.FAILED: "The deployment failed.",
    ComputeState.CRASHED: "The process has ended.",
}


class Reasons:
    """What the logs of failed deployments said last."""

    def __init__(self, api: RailwayApi) -> None:
        self._api = api
        self._known: OrderedDict[str, str] = OrderedDict()

    async def of(self, owner: Owner, deployment: Deployment) -> str:
        """One sentence or two; empty for a deployment that is well."""
        beginning = _BEGINNINGS.get(state_of(deployment))
        if beginning is None:
            return ""
        if told := reason_of(deployment):
            return told
        if deployment.id not in self._known:
            try:
                said = await self._logs(owner, deployment)
            except ExternalError:
                return beginning  # the logs explain a trouble and must not become one
            self._known[deployment.id] = redacted(f"{beginning} It said: {said}", _LENGTH) if said else beginning
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[deployment.id]

    async def _logs(self, owner: Owner, deployment: Deployment) -> str:
        """The last lines: of the process, or of the build where no process was ever started."""
        return await self._lines("DeploymentLogs", "deploymentLogs", owner, deployment) or await self._lines(
            "BuildLogs", "buildLogs", owner, deployment
        )

    async def _lines(self, operation: str, field: str, owner: Owner, deployment: Deployment) -> str:
        variables = {"deploymentId": deployment.id, "limit": _LINES}
        doing = f"show the logs of {owner.name}"
        data = await self._api.read(operation, variables, doing=doing, lane=Lane.ROUTINE)
        return _told(parsed(tuple[LogLine, ...], data.get(field), "the logs"))


def _told(lines: Sequence[LogLine]) -> str:
    return trouble_in(line.message for line in lines)
