"""What the chart would install: CRDs, the namespace, service accounts with their roles, the default plans."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from claw_dev.errors import StackError
from claw_dev.kubeconfig import Kubeconfig
from claw_dev.kubectl import Kubectl

ROOT = Path(__file__).parent.parent.parent
CRDS = ROOT / "crds"
PLANS = ROOT / "charts" / "claw" / "plans"
MANIFESTS = Path(__file__).parent / "manifests"

NAMESPACE = "claw"
OPERATOR = "claw-operator"
WEBHOOK = "claw-webhook"

_ESTABLISHED_TIMEOUT = 30
_TOKEN_LIFETIME = "8760h"  # a year: nobody renews it, and the stack does not live that long


@dataclass(frozen=True)
class ServiceAccounts:
    """The kubeconfig files of the services, each with its own service account's token."""

    operator: Path
    webhook: Path


async def install_api(kubectl: Kubectl) -> None:
    """Apply the CRDs, and the default plans once the API server knows the kind."""
    crds = list(documents(CRDS))
    if not crds:
        raise StackError(f"there are no CRDs in {CRDS}", "make generate")
    await kubectl.apply(crds)
    names = [f"crd/{crd['metadata']['name']}" for crd in crds]
    await kubectl.run("wait", "--for=condition=Established", f"--timeout={_ESTABLISHED_TIMEOUT}s", *names)
    await kubectl.apply(documents(PLANS))


async def install_access(kubectl: Kubectl, directory: Path) -> ServiceAccounts:
    """Apply the namespace and the roles, and write a kubeconfig file for each service into the directory."""
    await kubectl.apply(documents(MANIFESTS))
    url, ca = await _server(kubectl)
    files = {}
    for account in (OPERATOR, WEBHOOK):
        duration = f"--duration={_TOKEN_LIFETIME}"
        token = (await kubectl.run("create", "token", account, "--namespace", NAMESPACE, duration)).strip()
        files[account] = Kubeconfig(url, ca, token, NAMESPACE).write(directory / f"{account}.kubeconfig")
    return ServiceAccounts(operator=files[OPERATOR], webhook=files[WEBHOOK])


def documents(directory: Path) -> Iterator[dict[str, Any]]:
    """Every document of every manifest in a directory, in order."""
    for path in sorted(directory.glob("*.yaml")):
        yield from (document for document in yaml.safe_load_all(path.read_text()) if document)


async def _server(kubectl: Kubectl) -> tuple[str, bytes | None]:
    """The API server's address and its CA, from whatever kubeconfig the administrator has."""
    view = await kubectl.run("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
    cluster = yaml.safe_load(view)["clusters"][0]["cluster"]
    ca = cluster.get("certificate-authority-data")
    return cluster["server"], base64.b64decode(ca) if ca else None
