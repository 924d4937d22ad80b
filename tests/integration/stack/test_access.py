"""Operator and webhook service may do what they have to, and nothing else: tried with their own tokens."""

import json
from pathlib import Path
from typing import Any

import pytest

from claw_dev.errors import StackError
from claw_dev.installation import NAMESPACE, ServiceAccounts, install_access
from claw_dev.kubectl import Kubectl
from tests.eventually import eventually
from tests.integration.stack.test_control_plane import INSTANCE

SECRET: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "stringData": {"api-key": "canary"}}
FINALIZER = json.dumps({"metadata": {"finalizers": ["claw.dev/external-resources"]}})
SUSPENDED = json.dumps({"spec": {"state": "Suspended"}})


@pytest.fixture(scope="session")
async def accounts(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> ServiceAccounts:
    return await install_access(kubectl, tmp_path_factory.mktemp("accounts"))


@pytest.fixture
def operator(accounts: ServiceAccounts, tmp_path: Path) -> Kubectl:
    return Kubectl(accounts.operator, cache=tmp_path)


@pytest.fixture
def webhook(accounts: ServiceAccounts, tmp_path: Path) -> Kubectl:
    return Kubectl(accounts.webhook, cache=tmp_path)


@pytest.fixture
async def instance(kubectl: Kubectl, accounts: ServiceAccounts, namespace: str) -> str:
    """An instance in the services' namespace, under a name of its own."""
    assert accounts
    await kubectl.apply([{**INSTANCE, "metadata": {"name": namespace, "namespace": NAMESPACE}}])
    return namespace


def patch(instance: str, body: str, *options: str) -> tuple[str, ...]:
    return ("patch", "clawinstance", instance, "--type=merge", f"--patch={body}", *options)


async def write_status(kubectl: Kubectl, instance: str) -> None:
    document = await kubectl.get("clawinstance", instance)
    document["status"] = {"url": "https://ada.example.com"}
    # `kubectl patch --subresource` reads the subresource first, for which nobody has a use but kubectl.
    path = f"/apis/claw.dev/v1alpha1/namespaces/{NAMESPACE}/clawinstances/{instance}/status"
    await kubectl.run("replace", "--raw", path, "-f", "-", stdin=json.dumps(document))


async def forbidden(kubectl: Kubectl, *arguments: str, stdin: str = "") -> None:
    with pytest.raises(StackError, match=r"Forbidden|forbidden"):
        await kubectl.run(*arguments, stdin=stdin)


async def test_the_operator_adds_finalizers_and_writes_status(operator: Kubectl, instance: str) -> None:
    await operator.run(*patch(instance, FINALIZER))
    await write_status(operator, instance)

    written = await operator.get("clawinstance", instance)
    assert written["metadata"]["finalizers"] == ["claw.dev/external-resources"]
    assert written["status"]["url"] == "https://ada.example.com"

    await operator.run(*patch(instance, '{"metadata": {"finalizers": null}}'))


async def test_the_operator_cannot_edit_a_spec(operator: Kubectl, kubectl: Kubectl, instance: str) -> None:
    async def refused() -> bool:
        try:
            await operator.run(*patch(instance, SUSPENDED, "--dry-run=server"))
        except StackError as error:
            return "the operator never edits spec" in str(error)
        return False

    # The API server takes a moment to act on an admission policy that was just made.
    await eventually(refused, timeout=20)

    assert (await kubectl.get("clawinstance", instance, "--namespace", NAMESPACE))["spec"].get("state") != "Suspended"


async def test_the_operator_keeps_secrets_in_its_namespace_and_sees_no_others(
    operator: Kubectl, kubectl: Kubectl, namespace: str
) -> None:
    await kubectl.apply([{**SECRET, "metadata": {"name": "strange", "namespace": namespace}}])
    ours = f"{namespace}-credentials"
    await operator.apply([{**SECRET, "metadata": {"name": ours, "namespace": NAMESPACE}}])

    await operator.run("get", "secret", ours)
    await operator.run("delete", "secret", ours)
    await forbidden(operator, "get", "secret", "strange", "--namespace", namespace)
    await forbidden(operator, "get", "secrets", "--all-namespaces")
    await forbidden(operator, "get", "secrets")  # it asks for its own by name


async def test_the_operator_reads_plans_and_changes_none(operator: Kubectl) -> None:
    await operator.run("get", "clawplans")
    await forbidden(operator, "patch", "clawplan", "pro", "--type=merge", "--patch", '{"spec": {"trialDays": 1}}')
    await forbidden(operator, "delete", "clawplan", "pro")


async def test_the_operator_makes_and_deletes_no_instances(operator: Kubectl, instance: str) -> None:
    await forbidden(operator, "delete", "clawinstance", instance)
    await forbidden(operator, "create", "-f", "-", stdin=json.dumps({**INSTANCE, "metadata": {"name": "other"}}))


async def test_the_operator_sees_no_instances_of_other_namespaces(operator: Kubectl, namespace: str) -> None:
    await forbidden(operator, "get", "clawinstances", "--namespace", namespace)


async def test_the_webhook_service_applies_and_deletes_instances(webhook: Kubectl, namespace: str) -> None:
    await webhook.apply([{**INSTANCE, "metadata": {"name": namespace, "namespace": NAMESPACE}}])
    await webhook.run(*patch(namespace, SUSPENDED))
    assert (await webhook.get("clawinstance", namespace))["spec"]["state"] == "Suspended"

    await webhook.run("delete", "clawinstance", namespace)


async def test_the_webhook_service_reads_a_secret_by_name_and_changes_none(
    webhook: Kubectl, kubectl: Kubectl, namespace: str
) -> None:
    await kubectl.apply([{**SECRET, "metadata": {"name": namespace, "namespace": NAMESPACE}}])

    await webhook.run("get", "secret", namespace)
    await forbidden(webhook, "get", "secrets")
    await forbidden(webhook, "delete", "secret", namespace)
    await forbidden(webhook, "patch", "secret", namespace, "--type=merge", "--patch", '{"data": {}}')


async def test_the_webhook_service_writes_no_status(webhook: Kubectl, instance: str) -> None:
    with pytest.raises(StackError, match="forbidden"):
        await write_status(webhook, instance)


@pytest.mark.parametrize("service", ["operator", "webhook"])
async def test_neither_service_can_do_more_by_way_of_roles_or_pods(
    service: str, request: pytest.FixtureRequest, accounts: ServiceAccounts
) -> None:
    kubectl: Kubectl = request.getfixturevalue(service)

    for arguments in (("get", "nodes"), ("get", "pods"), ("get", "roles"), ("get", "crds"), ("get", "namespaces")):
        await forbidden(kubectl, *arguments)
    await forbidden(kubectl, "create", "token", "claw-operator")


async def test_the_files_are_their_owners_alone(accounts: ServiceAccounts) -> None:
    assert accounts.operator.stat().st_mode & 0o777 == 0o600
    assert accounts.webhook.stat().st_mode & 0o777 == 0o600
