"""What a person sees who types kubectl."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml

from claw_crds.schema import INSTANCE
from claw_dev.kubectl import Kubectl
from tests.conformance import instances as instance_table
from tests.conformance.cases import manifest

PLANS = Path(__file__).parents[2] / "charts" / "claw" / "plans"


@pytest.fixture
async def shown(api: httpx.AsyncClient, instances: str) -> AsyncIterator[str]:
    """The namespace of two instances: `ada`, which is available, and `bob`, which nobody has looked at yet."""
    ada = manifest(instance_table.SAMPLE, {"metadata.name": "ada"})
    bob = manifest(instance_table.SAMPLE, {"metadata.name": "bob", "spec.planRef.name": "team"})
    created = [(await api.post(instances, json=document)).raise_for_status().json() for document in (ada, bob)]
    status = created[0] | {"status": instance_table.SAMPLE["status"]}
    (await api.put(f"{instances}/ada/status", json=status)).raise_for_status()
    yield created[0]["metadata"]["namespace"]
    for name in ("ada", "bob"):
        await api.delete(f"{instances}/{name}")


def table(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines()]


async def test_get_prints_what_the_owner_of_a_fleet_wants_to_know(kubectl: Kubectl, shown: str) -> None:
    header, ada, bob = table(await kubectl.run("get", "clawinstances", "-n", shown))

    assert header == ["NAME", "PLAN", "STATUS", "URL", "MESSAGES", "AGE"]
    assert ada[:-1] == ["ada", "pro", "Available", "https://ada.example.com", "12"]
    assert bob[:2] == ["bob", "team"]


async def test_get_wide_prints_what_helps_to_find_out_why(kubectl: Kubectl, shown: str) -> None:
    header, ada, _bob = table(await kubectl.run("get", "clawinstances", "-n", shown, "-o", "wide"))

    assert header[6:] == ["CUSTOMER", "COMPUTE", "DATABASE", "MODEL", "READY-SECONDS", "DELETION", "MARGIN"]
    assert ada[6:] == ["ada@example.com", "Running", "db-1", "claude-sonnet-4-5", "1.5", instance_table.NOW, "86"]


@pytest.mark.parametrize("name", ["claw", "clawinstance", "clawinstances", "clawinstances.claw.dev"])
async def test_an_instance_is_found_by_any_of_its_names(name: str, kubectl: Kubectl, shown: str) -> None:
    assert (await kubectl.run("get", name, "ada", "-n", shown, "-o", "name")).strip() == "clawinstance.claw.dev/ada"


@pytest.mark.parametrize("category", ["all", "claws"])
async def test_instances_are_listed_with_their_category(category: str, kubectl: Kubectl, shown: str) -> None:
    listed = await kubectl.run("get", category, "-n", shown, "-o", "name")

    assert "clawinstance.claw.dev/ada" in listed.split()


async def test_instances_of_a_plan_or_of_a_customer_can_be_asked_for(kubectl: Kubectl, shown: str) -> None:
    async def found(selector: str) -> list[str]:
        return (await kubectl.run("get", "claw", "-n", shown, "-o", "name", f"--field-selector={selector}")).split()

    assert await found("spec.planRef.name=team") == ["clawinstance.claw.dev/bob"]
    assert len(await found("spec.customer.id=cus_1")) == 2
    assert await found("spec.customer.id=cus_2") == []


async def test_the_default_plans_are_printed_as_the_price_list_says(kubectl: Kubectl) -> None:
    printed = table(await kubectl.run("get", "clawplans", "pro", "starter", "team"))

    assert printed == [
        ["NAME", "PRICE", "MESSAGES", "AGENTS", "CPU", "MEMORY", "STORAGE"],
        ["pro", "7900", "20000", "10", "1", "1Gi", "500Mi"],
        ["starter", "2900", "5000", "3", "0.5", "512Mi", "100Mi"],
        ["team", "19900", "100000", "2", "2Gi", "2Gi"],  # no limit of agents
    ]


async def test_the_default_plans_pass_the_strict_check(kubectl: Kubectl) -> None:
    applied = await kubectl.run("apply", "--dry-run=server", "--validate=strict", "-f", str(PLANS), "-o", "name")

    assert len(applied.split()) == len(list(PLANS.glob("*.yaml")))


async def test_the_default_plans_are_stored_as_they_are_written(kubectl: Kubectl) -> None:
    for path in PLANS.glob("*.yaml"):
        written = yaml.safe_load(path.read_text())
        stored = await kubectl.get("clawplan", written["metadata"]["name"])

        assert stored["spec"] == {"stopWhenSuspended": False} | written["spec"]


async def test_explain_tells_what_each_field_is_for(kubectl: Kubectl) -> None:
    schema = INSTANCE.document()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    customer = schema["properties"]["spec"]["properties"]["customer"]["properties"]

    explained = await kubectl.run("explain", "claw.spec.customer")

    for name, field in customer.items():
        assert f"{name}\t<string>" in explained
        assert field["description"] in " ".join(explained.split())


async def test_explain_lists_what_is_required_and_what_may_be_chosen(kubectl: Kubectl) -> None:
    explained = await kubectl.run("explain", "claw.spec", "--recursive")

    assert "customer\t<Object> -required-" in explained
    assert "enum: Delete, Retain, Archive" in explained
