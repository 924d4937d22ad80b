"""What the API server makes of a manifest: what it adds, what it drops, and who may write what."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from claw_crds.v1alpha1 import ClawInstance, ClawPlan
from tests.conformance import instances as instance_table
from tests.conformance import plans as plan_table
from tests.conformance.cases import manifest
from tests.conformance.conftest import GROUP

HEAD = {"apiVersion": "claw.dev/v1alpha1", "kind": "ClawInstance"}
MINIMAL = HEAD | {
    "metadata": {"name": "minimal"},
    "spec": {"customer": {"id": "cus_1", "email": "ada@example.com"}, "planRef": {"name": "pro"}},
}
DRY_RUN = {"dryRun": "All"}


@pytest.fixture
async def stored(api: httpx.AsyncClient, instances: str) -> AsyncIterator[dict[str, Any]]:
    """An instance with every field, as the API server holds it."""
    document = manifest(instance_table.SAMPLE, {"metadata.name": "stored"})
    created: dict[str, Any] = (await api.post(instances, json=document)).raise_for_status().json()
    yield created
    await api.delete(f"{instances}/stored")


async def test_defaults_that_say_something_are_written_and_empty_ones_are_not(
    api: httpx.AsyncClient, instances: str
) -> None:
    created = (await api.post(instances, params=DRY_RUN, json=MINIMAL)).raise_for_status().json()

    assert created["spec"] == {
        "customer": {"id": "cus_1", "email": "ada@example.com", "timezone": "UTC", "locale": "en"},
        "planRef": {"name": "pro"},
        "state": "Running",
        "deletionPolicy": "Delete",
        "credentialsRevision": 1,
        "provisioningDeadlineSeconds": 600,
    }
    assert "status" not in created


async def test_what_the_api_server_defaults_is_what_the_models_default(api: httpx.AsyncClient, instances: str) -> None:
    created = (await api.post(instances, params=DRY_RUN, json=MINIMAL)).raise_for_status().json()

    assert ClawInstance.parse(created).spec == ClawInstance.parse(MINIMAL).spec


async def test_a_sample_of_each_kind_survives_the_way_through_the_models(
    api: httpx.AsyncClient, stored: dict[str, Any]
) -> None:
    sample = plan_table.SAMPLE
    plan = (await api.post(f"{GROUP}/clawplans", params=DRY_RUN, json=sample)).raise_for_status().json()

    assert ClawInstance.parse(stored).spec.wire() == stored["spec"]
    assert ClawPlan.model_validate(plan).spec.wire() == plan["spec"] == sample["spec"]


async def test_unknown_fields_are_dropped(api: httpx.AsyncClient, instances: str) -> None:
    document = manifest(MINIMAL, {"spec.customer.shoeSize": 42, "spec.password": "hunter2", "extra": {"a": 1}})

    created = (await api.post(instances, params=DRY_RUN, json=document)).raise_for_status().json()

    assert created.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert "password" not in created["spec"]
    assert "shoeSize" not in created["spec"]["customer"]


async def test_unknown_fields_are_refused_for_who_asks_to_be_strict(api: httpx.AsyncClient, instances: str) -> None:
    document = manifest(MINIMAL, {"spec.planref": {"name": "pro"}})

    answer = await api.post(instances, params=DRY_RUN | {"fieldValidation": "Strict"}, json=document)

    assert answer.status_code == 400
    assert 'unknown field "spec.planref"' in answer.json()["message"]


async def test_who_writes_the_spec_does_not_write_the_status(api: httpx.AsyncClient, instances: str) -> None:
    document = MINIMAL | {"status": instance_table.SAMPLE["status"]}

    created = (await api.post(instances, params=DRY_RUN, json=document)).raise_for_status().json()

    assert "status" not in created


async def test_who_writes_the_status_does_not_write_the_spec(
    api: httpx.AsyncClient, instances: str, stored: dict[str, Any]
) -> None:
    changed = manifest(instance_table.SAMPLE, {"spec.region": "us-east-1"}) | {"metadata": stored["metadata"]}

    written = (await api.put(f"{instances}/stored/status", json=changed)).raise_for_status().json()

    assert written["spec"] == stored["spec"]
    assert written["metadata"]["generation"] == stored["metadata"]["generation"]
    assert written["status"]["url"] == "https://ada.example.com"


async def test_a_spec_change_is_a_new_generation_and_a_repeated_one_is_not(
    api: httpx.AsyncClient, instances: str, stored: dict[str, Any]
) -> None:
    changed = manifest(stored, {"spec.region": "us-east-1"})
    first = (await api.put(f"{instances}/stored", json=changed)).raise_for_status().json()
    again = (await api.put(f"{instances}/stored", json=first)).raise_for_status().json()

    assert first["metadata"]["generation"] == stored["metadata"]["generation"] + 1
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_two_appliers_may_own_conditions_of_different_types(
    api: httpx.AsyncClient, instances: str, stored: dict[str, Any]
) -> None:
    for kind in ("Ready", "Synced"):
        condition = instance_table.CONDITIONS[0] | {"type": kind}
        answer = await api.patch(
            f"{instances}/stored/status",
            params={"fieldManager": f"applier-of-{kind.lower()}"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            json=manifest(HEAD, {"metadata.name": "stored", "status.conditions": [condition]}),
        )
        stored = answer.raise_for_status().json()

    assert {condition["type"] for condition in stored["status"]["conditions"]} == {"Ready", "Synced"}


async def test_null_means_absent(api: httpx.AsyncClient, instances: str) -> None:
    document = manifest(MINIMAL, {"spec.region": None, "spec.state": None})

    created = (await api.post(instances, params=DRY_RUN, json=document)).raise_for_status().json()

    assert "region" not in created["spec"]
    assert created["spec"]["state"] == "Running"
