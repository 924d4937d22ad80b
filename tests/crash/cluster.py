"""One namespace of the API server, as its user sees it, past the gate."""

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from claw_crds import naming
from claw_crds.v1alpha1 import API_VERSION, GROUP, VERSION, ClawInstance
from claw_dev.cluster import ControlPlane

Object = dict[str, Any]

_OF_ONE_RUN = re.compile(r".*(Time|At|Start)|id|deploymentId|url|host|configurationRevision|credentialsSecretRef")
"""Moments, and names of one thing: no two runs have the same, so only that they are there is compared."""
_OF_ONE_WAY = {"provisioning", "sizeBytes", "usage"}
"""How it came about and how long that took, and what shows only in a look after the last step."""


class Cluster:
    """Reads and writes instances. Made by `cluster`."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str) -> None:
        self.namespace = namespace
        self._session = session
        self._instances = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{ClawInstance.PLURAL}"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"

    async def create(self, name: str, plan: str) -> None:
        """Wish for an instance."""
        manifest = {
            "apiVersion": API_VERSION,
            "kind": ClawInstance.KIND,
            "metadata": {"name": name},
            "spec": {"customer": {"id": "cus_1", "email": "ada@example.com"}, "planRef": {"name": plan}},
        }
        async with self._session.post(self._instances, json=manifest) as response:
            response.raise_for_status()

    async def change(self, name: str, **spec: Any) -> None:
        """Wish for something else."""
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self._session.patch(f"{self._instances}/{name}", json={"spec": spec}, headers=headers) as response:
            response.raise_for_status()

    async def delete(self, name: str) -> None:
        """Wish for its end."""
        async with self._session.delete(f"{self._instances}/{name}") as response:
            response.raise_for_status()

    async def instance(self, name: str) -> Object | None:
        """The instance as it is now; None when it is gone."""
        return await self._get(f"{self._instances}/{name}")

    async def picture(self, name: str) -> Object:
        """What a user can see of the instance, without moments and ids: equal pictures are equal instances."""
        instance = await self.instance(name)
        secret = await self._get(f"{self._secrets}/{naming.credentials_secret_name(name)}")
        return {
            "finalizers": instance["metadata"].get("finalizers", []) if instance else None,
            "status": _lasting(instance.get("status", {})) if instance else None,
            "secret": sorted(secret["data"]) if secret else None,
        }

    async def _get(self, path: str) -> Object | None:
        async with self._session.get(path) as response:
            if response.status == 404:
                return None
            response.raise_for_status()
            found: Object = await response.json()
            return found


@asynccontextmanager
async def cluster(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Cluster]:
    """The namespace, with the administrator's rights."""
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=control_plane.ca_file))
    headers = {"Authorization": f"Bearer {control_plane.admin_token}"}
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(
        control_plane.url, connector=connector, headers=headers, timeout=timeout
    ) as session:
        yield Cluster(session, namespace)


def _lasting(value: Any) -> Any:
    if isinstance(value, list):
        return [_lasting(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        name: "…" if _OF_ONE_RUN.fullmatch(name) else _lasting(member)
        for name, member in value.items()
        if name not in _OF_ONE_WAY
    }
