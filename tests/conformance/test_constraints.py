"""Every constraint of both kinds, on the real API server: one manifest that passes, and one that does not.

pydantic cannot prove what the API server enforces: its regular expressions are others, and CEL is the server's alone.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from claw_crds.schema import DEFINITIONS, structural_schema
from tests.conformance import instances as instance_table
from tests.conformance import plans as plan_table
from tests.conformance.cases import Case, manifest
from tests.conformance.conftest import GROUP
from tests.conformance.constraints import constraints

CASES = instance_table.CASES + plan_table.CASES
Ask = Callable[[Mapping[str, Any]], Awaitable[httpx.Response]]
SAMPLES = {"ClawInstance": instance_table.SAMPLE, "ClawPlan": plan_table.SAMPLE}


def test_every_constraint_has_a_case_and_every_case_a_constraint() -> None:
    exist = {
        constraint
        for definition in DEFINITIONS
        for constraint in constraints(definition.kind, structural_schema(definition.model))
    }
    tested = {case.constraint for case in CASES}

    without_case = sorted(map(str, exist - tested))
    without_constraint = sorted(map(str, tested - exist))

    assert not without_case, "add a case to tests/conformance/instances.py or plans.py for: " + "; ".join(without_case)
    assert not without_constraint, "no schema says any more: " + "; ".join(without_constraint)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.constraint))
async def test_the_api_server_accepts_and_rejects(case: Case, api: httpx.AsyncClient, instances: str) -> None:
    async with api_server(case, api, instances) as ask:
        accepted = await ask(case.accepted)
        rejected = await ask(case.rejected)

    assert accepted.is_success, f"refused: {accepted.json()['message']}"
    assert rejected.status_code == 422, f"not refused: {rejected.text}"
    causes = [(cause["field"], cause["message"]) for cause in rejected.json()["details"]["causes"]]
    assert any(field == case.field and case.message in message for field, message in causes), causes


@asynccontextmanager
async def api_server(case: Case, api: httpx.AsyncClient, instances: str) -> AsyncIterator[Ask]:
    """Ask it without making anything, unless the case is about what changes: a status, or an object that exists."""
    sample = SAMPLES[case.constraint.kind]
    collection = instances if case.constraint.kind == "ClawInstance" else f"{GROUP}/clawplans"
    of_status = case.constraint.path.startswith("status")
    dry_run = {"dryRun": "All"}

    async def create(changes: Mapping[str, Any]) -> httpx.Response:
        return await api.post(collection, params=dry_run, json=manifest(sample, changes))

    if case.stored is None and not of_status:
        yield create
        return

    before = manifest(sample, {**(case.stored or {}), "metadata.name": f"case-{uuid.uuid4().hex[:16]}"})
    metadata = (await api.post(collection, json=before)).raise_for_status().json()["metadata"]
    url = f"{collection}/{metadata['name']}"

    async def update(changes: Mapping[str, Any]) -> httpx.Response:
        wished = manifest(sample, changes) | {"metadata": metadata}
        return await api.put(f"{url}/status" if of_status else url, params=dry_run, json=wished)

    try:
        yield update
    finally:
        await api.delete(url)
