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
        given = environment.get(KUBECONFIG_VARIABLE)
        self.kubeconfig = Path(given).expanduser() if given else directory / "kubeconfig"
        """The administrator's."""
        self.control_plane: ControlPlane | None = None
        """None before the start, and for a cluster that was named."""
        self._given = given is not None
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
        if self._given:
            await self._reach(report)
        else:
            await self._start_control_plane(report)
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

    async def _reach(self, report: Report) -> None:
        report(f"connecting as {self.kubeconfig} says")
        if not self.kubeconfig.is_file():
            raise StackError(f"{KUBECONFIG_VARIABLE} names {self.kubeconfig}, which does not exist")
        try:
            await self.kubectl.run("get", "--raw", "/readyz")
        except StackError as error:
            raise StackError(f"the cluster that {KUBECONFIG_VARIABLE} names does not answer: {error}") from error
