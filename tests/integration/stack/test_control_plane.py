"""The control plane behaves as Kubernetes does, also where only its controllers or a restart would show that."""

from typing import Any

import pytest

from claw_dev.cluster import ControlPlane
from claw_dev.errors import StackError
from claw_dev.kubectl import Kubectl
from tests.eventually import eventually

INSTANCE: dict[str, Any] = {
    "apiVersion": "claw.dev/v1alpha1",
    "kind": "ClawInstance",
    "metadata": {"name": "ada"},
    "spec": {"customer": {"id": "cus_1", "email": "ada@example.com", "name": "Ada"}, "planRef": {"name": "pro"}},
}


async def exists(kubectl: Kubectl, namespace: str, kind: str, name: str) -> bool:
    found = await kubectl.get(kind, "--namespace", namespace, "--field-selector", f"metadata.name={name}")
    return bool(found["items"])


async def make_instance(kubectl: Kubectl, namespace: str) -> dict[str, Any]:
    await kubectl.apply([{**INSTANCE, "metadata": {"name": "ada", "namespace": namespace}}])
    return await kubectl.get("clawinstance", "ada", "--namespace", namespace)


async def test_a_restarted_api_server_has_kept_its_address_and_its_data(
    control_plane: ControlPlane, namespace: str
) -> None:
    url, kubectl = control_plane.url, control_plane.kubectl
    before = await make_instance(kubectl, namespace)

    await control_plane.stop_apiserver()
    with pytest.raises(StackError, match="refused"):
        await kubectl.get("clawinstances", "--namespace", namespace)
    await control_plane.start_apiserver()

    assert control_plane.url == url
    after = await kubectl.get("clawinstance", "ada", "--namespace", namespace)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_what_an_instance_owns_goes_with_it(kubectl: Kubectl, namespace: str) -> None:
    instance = await make_instance(kubectl, namespace)
    owner = {key: instance[key] for key in ("apiVersion", "kind")} | {"name": "ada", "uid": instance["metadata"]["uid"]}
    metadata = {"name": "owned", "namespace": namespace, "ownerReferences": [owner]}
    await kubectl.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata}])

    await kubectl.run("delete", "clawinstance", "ada", "--namespace", namespace)

    async def secret_is_gone() -> bool:
        return not await exists(kubectl, namespace, "secrets", "owned")

    # Much sooner than the 30 s after which garbage collection would look for new kinds.
    await eventually(secret_is_gone, timeout=15)


async def test_a_namespace_goes_with_everything_in_it(kubectl: Kubectl) -> None:
    name = "test-short-lived"
    await kubectl.run("create", "namespace", name)
    await make_instance(kubectl, name)

    await kubectl.run("delete", "namespace", name, "--wait=false")

    async def namespace_is_gone() -> bool:
        namespaces = await kubectl.get("namespaces", "--field-selector", f"metadata.name={name}")
        return not namespaces["items"]

    await eventually(namespace_is_gone, timeout=30)


async def test_nobody_gets_in_without_a_token(control_plane: ControlPlane) -> None:
    with pytest.raises(StackError, match=r"Unauthorized|logged in"):
        await control_plane.kubectl.run("get", "namespaces", "--token=wrong")


async def test_it_says_which_kubernetes_it_is(kubectl: Kubectl) -> None:
    assert '"gitVersion": "v1.' in await kubectl.run("get", "--raw", "/version")
