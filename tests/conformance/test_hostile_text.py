"""Hostile text in every field: the API server and the models agree on what they let in.

The one matches with RE2 and the other with Rust's engine. What only the API server let in would crash whoever reads the
object; what only the models let in would be refused when it is applied.
"""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from claw_crds.resource import Model
from claw_crds.schema import DEFINITIONS, structural_schema
from claw_crds.v1alpha1 import ClawInstance, ClawPlan
from tests.conformance import instances as instance_table
from tests.conformance import plans as plan_table
from tests.conformance.cases import manifest
from tests.conformance.conftest import GROUP

LINE_BREAKS = ["a\nb", "a\n", "\na", "a\rb", "a\x0bb", "a\x0cb", "a\x85b", "a\u2028b", "a\u2029b"]
CONTROLS = ["a\x00b", "a\x1bb", "a\x7fb", "a\x9bb", "a\tb"]
DIRECTIONS = ["a\u061cb", "a\u200eb", "a\u200fb", "a\u202eb", "a\u202ab", "a\u2066b", "a\u2069b"]
BLANKS = [" a", "a ", "a\u00a0b", "a\u1680b", "a\u200bb", "a\u200db", "a\u202fb", "a\u205fb", "a\u3000b", "a\ufeffb"]
TEMPLATES = ["${{Postgres.DATABASE_URL}}", "{{ config }}", "{% for x in y %}", "$(id)", "`id`", "%s%n", "<script>"]
WORDS = ["Zoë", "e\u0301", "می\u200cخواهم", "👩\u200d💻", "𝔸", "..", "../..", "-rf", "a..b", "a/../b", "", " "]
ADDRESSES = ["a@b", "a@b\n", "a\n@b", "a@b\u202e", "ü@ü.example", "a b@c", "a@b@c", "<a@b>", "a@b,c@d", "a\u00a0@b"]
LONG = ["a" * 10_000, "🦀" * 63, "🦀" * 64, "a@" + "b" * 10_000, "a\n" * 5_000]

HOSTILE = LINE_BREAKS + CONTROLS + DIRECTIONS + BLANKS + TEMPLATES + WORDS + ADDRESSES + LONG
TEXT_OF_SEVERAL_LINES = {"persona", "instructions", "content"}

SAMPLES: dict[str, dict[str, Any]] = {"ClawInstance": instance_table.SAMPLE, "ClawPlan": plan_table.SAMPLE}
MODELS: dict[str, type[Model]] = {"ClawInstance": ClawInstance, "ClawPlan": ClawPlan}


def strings(schema: dict[str, Any], path: str) -> list[str]:
    """The paths of all fields of words."""
    if schema["type"] == "string" and "enum" not in schema:
        return [path]
    below = [f for name, value in schema.get("properties", {}).items() for f in strings(value, f"{path}.{name}")]
    return below + (strings(schema["items"], f"{path}[]") if "items" in schema else [])


FIELDS = [
    (definition.kind, path)
    for definition in DEFINITIONS
    for path in strings(structural_schema(definition.model)["properties"]["spec"], "spec")
]


@pytest.mark.parametrize(("kind", "path"), FIELDS)
async def test_the_models_let_in_what_the_api_server_lets_in(
    kind: str, path: str, api: httpx.AsyncClient, instances: str
) -> None:
    collection = instances if kind == "ClawInstance" else f"{GROUP}/clawplans"
    documents = [manifest(SAMPLES[kind], {path: text} | beside(path)) for text in HOSTILE]

    answers = await asyncio.gather(*(accepted(api, collection, document) for document in documents))

    for text, document, by_the_server in zip(HOSTILE, documents, answers, strict=True):
        assert by_the_server == parses(kind, document), f"{text[:40]!r} ({len(text)} characters)"


@pytest.mark.parametrize("text", LINE_BREAKS + CONTROLS + DIRECTIONS)
def test_nothing_unseen_gets_into_a_field_of_one_line(text: str) -> None:
    let_in = [
        path
        for kind, path in FIELDS
        if path.rpartition(".")[2] not in TEXT_OF_SEVERAL_LINES
        and parses(kind, manifest(SAMPLES[kind], {path: text} | beside(path)))
    ]

    assert let_in == []


@pytest.mark.parametrize("text", [*TEMPLATES, "Zoë", "می\u200cخواهم", "👩\u200d💻"])
def test_a_customer_may_be_called_what_they_like(text: str) -> None:
    assert parses("ClawInstance", manifest(instance_table.SAMPLE, {"spec.customer.name": text}))


def beside(path: str) -> dict[str, Any]:
    """What must accompany the field for nothing but the field to decide."""
    match path:
        case "spec.runtime.ref":
            return {"spec.runtime.repository": "acme/claw"}
        case "spec.models.default":
            return {"spec.models.allowed": []}
    return {}


async def accepted(api: httpx.AsyncClient, collection: str, document: dict[str, Any]) -> bool:
    answer = await api.post(collection, params={"dryRun": "All"}, json=document)
    assert answer.status_code in (201, 422), answer.text
    return answer.is_success


def parses(kind: str, document: dict[str, Any]) -> bool:
    try:
        MODELS[kind].model_validate(document)
    except ValidationError:
        return False
    return True
