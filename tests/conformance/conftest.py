"""The API server as the conformance tests see it: over HTTP, as an administrator."""

import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from claw_dev.cluster import ControlPlane

GROUP = "/apis/claw.dev/v1alpha1"


@pytest.fixture(scope="session")
async def api(claw_api: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API server, which knows Claw's kinds."""
    async with httpx.AsyncClient(
        base_url=claw_api.url,
        headers={"Authorization": f"Bearer {claw_api.admin_token}"},
        verify=ssl.create_default_context(cafile=str(claw_api.ca_file)),
        trust_env=False,
        timeout=30,
    ) as client:
        yield client


@pytest.fixture(scope="session")
async def instances(api: httpx.AsyncClient) -> AsyncIterator[str]:
    """The URL of the ClawInstances in a namespace that these tests share; nothing acts upon them."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "conformance-"}}
    created = (await api.post("/api/v1/namespaces", json=manifest)).raise_for_status().json()
    name = created["metadata"]["name"]
    yield f"{GROUP}/namespaces/{name}/clawinstances"
    await api.delete(f"/api/v1/namespaces/{name}")
