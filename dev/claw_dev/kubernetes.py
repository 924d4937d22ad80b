"""The Kubernetes API of a stack, with Claw's kinds, plans and service accounts in it.

It is the stack's own control plane, or a cluster that the person names. Never the current context: that may be
anybody's production.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from random import Random

from claw_dev.cluster import ControlPlane
from claw_dev.controlplane import control_plane_binaries
from claw_dev.errors import StackError
from claw_dev.installation import NAMESPACE, ServiceAccounts, install_access, install_api
from claw_dev.kubectl import Kubectl
from claw_dev.processes import Processes
from claw_dev.toolchain import Report

KUBECONFIG_VARIABLE = "CLAW_DEV_KUBECONFIG"


class Kubernetes:
    """`start` it; `processes` ends what it started."""

    def __init__(
        self, directory: Path, processes: Processes, environment: Mapping[str, str], *, random: Random
    ) -> None:
        self._named = named_kubeconfig(environment)
        self.kubeconfig = self._named or directory / "kubeconfig"
        """The administrator's."""
        self.control_plane: ControlPlane | None = None
        """None before the start, and for a cluster that was named."""
        self._directory = directory
        self._processes = processes
        self._environment = environment
        self._random = random

    @property
    def kubectl(self) -> Kubectl:
        """For kubectl as the administrator."""
        return Kubectl(self.kubeconfig, cache=self._directory / "kubectl-cache")

    async def start(self, report: Report) -> ServiceAccounts:
        """Have an API that answers and knows Claw. Raises StackError."""
        if self._named is None:
            await self._start_control_plane(report)
        else:
            report(f"connecting as {self._named} says")
            await reach(self.kubectl)
        report("installing CRDs, plans and roles")
        _, accounts = await asyncio.gather(install_api(self.kubectl), install_access(self.kubectl, self._directory))
        if self.control_plane is not None:
            report("starting the controllers")
            await self.control_plane.start_controllers()
        return accounts

    async def _start_control_plane(self, report: Report) -> None:
        binaries = await control_plane_binaries(self._environment, report)
        report("starting etcd and the API server")
        self.control_plane = ControlPlane(
            self._directory, binaries, self._processes, random=self._random, namespace=NAMESPACE
        )
        await self.control_plane.start()


def named_kubeconfig(environment: Mapping[str, str]) -> Path | None:
    """The kubeconfig that the person names for Claw; None means a control plane of our own."""
    named = environment.get(KUBECONFIG_VARIABLE)
    return Path(named).expanduser().absolute() if named else None


async def reach(kubectl: Kubectl) -> None:
    """Make sure that the named cluster answers. Raises StackError."""
    if not kubectl.kubeconfig.is_file():
        raise StackError(f"{KUBECONFIG_VARIABLE} names {kubectl.kubeconfig}, which does not exist")
    try:
        await kubectl.run("get", "--raw", "/readyz")
    except StackError as error:
        raise StackError(f"the cluster that {KUBECONFIG_VARIABLE} names does not answer: {error}") from error
