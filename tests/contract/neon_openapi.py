"""Neon's own description of its API as a judge of calls: of requests, strictly, and of answers.

Whatever the description does not know is a complaint, too: a misspelt field is accepted by Neon without a word.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT4

from claw_dev.simulators.neon.calls import Call

DESCRIPTION = Path(__file__).parents[3] / "shared" / "data" / "neon-openapi.json"

Json = Mapping[str, Any]

_BASE = "urn:neon"
_METHODS = {"get", "post", "put", "patch", "delete"}


class Judge:
    """Compares calls with an OpenAPI 3.0 document."""

    def __init__(self, document: Json) -> None:
        self._document = document
        resource = DRAFT4.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource(_BASE, resource)
        self.operations: dict[str, tuple[str, str]] = {
            operation["operationId"]: (method.upper(), path)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if method in _METHODS
        }
        """Method and path of every operation, by operationId."""

    def complaints(self, calls: Iterable[Call]) -> list[str]:
        """What is wrong with the calls, each in one line. A simulator with `novelties` gives many."""
        return [f"{call.method} {call.path}: {what}" for call in calls for what in self._about(call)]

    def _about(self, call: Call) -> Iterator[str]:
        known = self._operation(call)
        if known is None:
            yield "there is no such operation"
            return
        path, operation, shared = known
        parameters = [self._resolved(parameter) for parameter in (*shared, *operation.get("parameters", ()))]
        yield from self._about_path(call, path, parameters)
        yield from self._about_query(call, parameters)
        yield from self._about_body(call, operation)
        yield from self._about_answer(call, operation)

    def _operation(self, call: Call) -> tuple[str, Json, Iterable[Json]] | None:
        method, path = self.operations.get(call.operation, ("", ""))
        if method != call.method or not _pattern(path).fullmatch(call.path):
            return None
        item = self._document["paths"][path]
        return path, item[method.lower()], item.get("parameters", ())

    def _about_path(self, call: Call, path: str, parameters: Iterable[Json]) -> Iterator[str]:
        match = _pattern(path).fullmatch(call.path)
        values = match.groupdict() if match else {}
        for parameter in parameters:
            if parameter["in"] == "path":
                yield from self._about_value(parameter["schema"], values.get(parameter["name"]), parameter["name"])

    def _about_query(self, call: Call, parameters: Iterable[Json]) -> Iterator[str]:
        known = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}
        for name, parameter in known.items():
            if parameter.get("required") and name not in call.query:
                yield f"query parameter {name} is missing"
        for name, text in call.query.items():
            if name not in known:
                yield f"query parameter {name} is not known"
            else:
                schema = self._resolved(known[name]["schema"])
                yield from self._about_value(schema, _read(text, schema.get("type")), name)

    def _about_body(self, call: Call, operation: Json) -> Iterator[str]:
        described = self._resolved(operation.get("requestBody", {}))
        if call.body is None:
            if described.get("required"):
                yield "the body is missing"
        elif not described:
            yield "it takes no body"
        else:
            yield from self._about_value(_json_schema(described), call.body, "body")

    def _about_answer(self, call: Call, operation: Json) -> Iterator[str]:
        responses = operation["responses"]
        described = self._resolved(responses.get(str(call.status)) or responses.get("default", {}))
        if str(call.status) not in responses and (call.status or 0) < 400:
            yield f"the status {call.status} is not described"
        elif "content" in described:
            yield from self._about_value(_json_schema(described), call.answer, "answer")
        elif call.answer is not None:
            yield f"the status {call.status} has no body"

    def _about_value(self, schema: Json, value: Any, place: str) -> Iterator[str]:
        anchored = _anchored(schema)
        validator = OAS30Validator(anchored, registry=self._registry, format_checker=oas30_format_checker)
        for error in validator.iter_errors(value):
            yield f"{place}{error.json_path.removeprefix('$')}: {error.validator} {error.validator_value}"
        yield from self._strangers([schema], value, place)

    def _strangers(self, schemas: Iterable[Json], value: Any, place: str) -> Iterator[str]:
        """Fields that no schema names."""
        parts = [part for schema in schemas for part in self._parts(schema)]
        if isinstance(value, list):
            items = [part["items"] for part in parts if "items" in part]
            for position, item in enumerate(value):
                yield from self._strangers(items, item, f"{place}[{position}]")
        if isinstance(value, dict):
            yield from self._strange_fields(parts, value, place)

    def _strange_fields(self, parts: Iterable[Json], value: Json, place: str) -> Iterator[str]:
        named: dict[str, list[Json]] = {}
        any_name: list[Json] = []
        for part in parts:
            for name, schema in part.get("properties", {}).items():
                named.setdefault(name, []).append(schema)
            if isinstance(part.get("additionalProperties"), Mapping):
                any_name.append(part["additionalProperties"])
        for name, item in value.items():
            schemas = named.get(name, any_name)
            yield from self._strangers(schemas, item, f"{place}.{name}")
            if named and not schemas:
                yield f"{place}.{name} is not known"

    def _parts(self, schema: Json) -> Iterator[Json]:
        whole = self._resolved(schema)
        yield whole
        for word in ("allOf", "oneOf", "anyOf"):
            for part in whole.get(word, ()):
                yield from self._parts(part)

    def _resolved(self, thing: Json) -> Json:
        while "$ref" in thing:
            target: Any = self._document
            for key in thing["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            thing = target
        return thing


def judge(*, unchecked: str, description: Path = DESCRIPTION, environment: Mapping[str, str] = os.environ) -> Judge:
    """A judge. On a machine without the description the test says what it did not check; in CI that fails."""
    if not description.exists():
        story = f"there is no {description.name} beside the repository, so nobody checked {unchecked}"
        if environment.get("CI") == "true":
            pytest.fail(story)
        pytest.skip(story)
    return Judge(json.loads(description.read_bytes()))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def _json_schema(described: Json) -> Json:
    schema: Json = described["content"]["application/json"]["schema"]
    return schema


def _anchored(schema: Any) -> Any:
    """The schema with references that are valid outside the document."""
    if isinstance(schema, list):
        return [_anchored(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return {"$ref": _BASE + schema["$ref"]}
    return {name: _anchored(part) for name, part in schema.items()}


def _read(text: str, kind: str | None) -> Any:
    """A value of the query as what it is meant to be; text where it is not."""
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "integer" and text.lstrip("-").isdecimal():
        return int(text)
    return text
