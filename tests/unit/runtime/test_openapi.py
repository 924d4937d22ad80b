"""The OpenAPI document: valid, complete, understood by clients. Integration tests hold every answer against it."""

import json
import subprocess
import sys
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from claw_runtime.openapi import document, problems_of
from claw_runtime.routes.table import ROUTES


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return document(ROUTES, "1.2.3")


def test_the_document_is_valid_openapi(api: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(api).validate()
    assert api["openapi"].startswith("3.1")
    assert api["info"]["version"] == "1.2.3"


def test_every_route_is_in_the_document(api: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, operations in api["paths"].items() for method in operations}

    assert described == {(route.method, route.path) for route in ROUTES}


def test_the_document_has_the_models_that_the_handlers_work_with(api: dict[str, Any]) -> None:
    operation = api["paths"]["/api/chat"]["post"]

    assert operation["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ChatRequest"
    }
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert {"200", "400", "401", "402", "413", "422", "429", "502", "503"} <= set(operation["responses"])
    usage = api["components"]["schemas"]["UsageAnswer"]
    assert {"messagesUsed", "messagesRemaining", "messagesLimit", "resetsAt"} <= set(usage["required"])


def test_every_pattern_is_one_that_clients_understand(api: dict[str, Any]) -> None:
    assert "x{" not in json.dumps(api)


def test_operations_are_described_and_their_names_are_their_own(api: dict[str, Any]) -> None:
    operations = [operation for path in api["paths"].values() for operation in path.values()]

    assert all(operation["summary"] for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(ROUTES)


def test_a_kind_of_problem_has_one_status() -> None:
    statuses = {kind.slug: kind.status for route in ROUTES for kind in problems_of(route)}

    assert all(statuses[kind.slug] == kind.status for route in ROUTES for kind in problems_of(route))


def test_a_cold_start_loads_only_what_health_needs() -> None:
    late = ("anthropic", "psycopg", "psycopg_pool", "jinja2", "jsonschema", "httpx2")
    code = f"import sys, claw_runtime.__main__, claw_runtime.app; print([m for m in {late} if m in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"
