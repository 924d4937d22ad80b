"""What the chart would install: CRDs, the namespace, service accounts with their roles, the default plans."""

import asyncio
import base64
import time
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

_SERVED_WITHIN = 30.0
_PAUSE = 0.1
_TOKEN_LIFETIME = "8760h"  # a year: nobody renews it, and the stack does not live that long


@dataclass(frozen=True)
class ServiceAccounts:
    """The kubeconfig files of the services, each with its own service account's token."""

    operator: Path
    webhook: Path


async def install_api(kubectl: Kubectl, *, deadline: float = _SERVED_WITHIN) -> None:
    """Apply the CRDs, and the default plans once the API server knows the kind.

    Raises StackError when it does not know the kinds after `deadline` seconds.
    """
    crds = list(documents(CRDS))
    if not crds:
        raise StackError(f"there are no CRDs in {CRDS}", "make generate")
    await kubectl.apply(crds)
    await _until_served(kubectl, [crd["metadata"]["name"] for crd in crds], deadline)
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


async def _until_served(kubectl: Kubectl, names: list[str], deadline: float) -> None:
    # Not `kubectl wait`: it gives up at once on a definition whose conditions nobody has written yet.
    give_up = time.monotonic() + deadline
    while missing := sorted(set(names) - await _served(kubectl)):
        if time.monotonic() >= give_up:
            raise StackError(f"the API server does not serve {', '.join(missing)} after {deadline:g} s")
        await asyncio.sleep(_PAUSE)


async def _served(kubectl: Kubectl) -> set[str]:
    """The names of the definitions whose kinds the API server answers for."""
    found = await kubectl.get("customresourcedefinitions")
    return {item["metadata"]["name"] for item in found["items"] if _is_established(item)}


def _is_established(definition: dict[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


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
