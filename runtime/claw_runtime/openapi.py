"""The OpenAPI 3.1 document, from the same table and models that the server works with. Built when it is asked for."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from claw_runtime import problems
from claw_runtime.problems import Kind, ProblemDocument
from claw_runtime.routes import LINES, Access, Nothing, Route

Schemas = Mapping[tuple[Any, str], dict[str, Any]]
"""Where a model's schema is, by model and by "validation" (what is taken) or "serialization" (what is answered)."""

_REFERENCE = "#/components/schemas/{model}"

_BY_ACCESS: Mapping[Access, tuple[Kind, ...]] = {
    Access.OPEN: (),
    Access.OPERATOR: (problems.UNAUTHORIZED,),
    Access.CUSTOMER_ALWAYS: (problems.UNAUTHORIZED, problems.NOT_CONFIGURED),
    Access.CUSTOMER: (
        problems.UNAUTHORIZED,
        problems.NOT_CONFIGURED,
        problems.SUSPENDED,
        problems.LIMIT_REACHED,
        problems.DATABASE_AWAY,
    ),
}
_OF_BODY = (problems.MALFORMED_BODY, problems.INVALID_REQUEST, problems.BODY_TOO_LARGE, problems.BODY_TIMEOUT)

_EVENTS = """Server-sent events, when `stream` is true. `text`: `{"text": …}`, the next piece of the answer.
`tool_start`: `{"id": …, "name": …}`, a tool is being used; `tool_end`: `{"id": …, "name": …, "ok": …, "seconds": …}`,
it has answered, or refused. `proposal`: `{"id": …, "summary": …, "code": …, "expiresAt": …}`, what is done only when
the next message confirms it. `usage`: as in the JSON answer. `done`: `{"conversationId": …}`, the last event. `error`:
a problem document, the last event when the answer failed after it had begun; the message was then given back. Lines
that begin with a colon mean nothing but that the connection is alive."""

_EVENT = {
    "type": "object",
    "description": _EVENTS,
    "properties": {
        "event": {"enum": ["text", "tool_start", "tool_end", "proposal", "usage", "done", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
"""Each event by itself."""

_TAGS = {"api": "assistant", "internal": "operator"}


def document(routes: Iterable[Route[Any, Any]], version: str) -> dict[str, Any]:
    """The whole document, as JSON types."""
    routes = tuple(routes)
    names, components = models_json_schema(_models(routes), ref_template=_REFERENCE)
    schemas: Schemas = {(model, mode): schema for (model, mode), schema in names.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Claw runtime",
            "version": version,
            "description": "One customer's assistant. Every error is a problem document (RFC 9457).",
        },
        "paths": paths,
        "components": {
            "schemas": _portable(components.get("$defs", {})),
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "The customer's key, `claw_…`."},
                "configurationToken": {"type": "http", "scheme": "bearer", "description": "The operator's."},
            },
        },
    }


def _portable(schema: Any) -> Any:
    """The schema with its patterns as JSON Schema wants them: ECMAScript's, not those of the API server's RE2."""
    if isinstance(schema, list):
        return [_portable(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _portable(member) for name, member in schema.items()}
    if isinstance(pattern := found.get("pattern"), str):
        found["pattern"] = re.sub(r"\\x\{([0-9a-f]{1,4})\}", lambda code: f"\\u{int(code[1], 16):04x}", pattern)
    return found


def problems_of(route: Route[Any, Any]) -> tuple[Kind, ...]:
    """Everything that the route may answer besides what it is for."""
    kinds = [*_BY_ACCESS[route.access], *route.problems, problems.INTERNAL]
    if route.body is not Nothing:
        kinds += _OF_BODY
    if route.stores:
        kinds.append(problems.STORAGE_FULL)
    if route.query is not Nothing:
        kinds.append(problems.INVALID_REQUEST)
    return tuple(dict.fromkeys(kinds))


def _models(routes: tuple[Route[Any, Any], ...]) -> list[tuple[Any, Any]]:
    models: dict[tuple[Any, Any], None] = {(ProblemDocument, "serialization"): None}
    for route in routes:
        if route.body is not Nothing:
            models[route.body, "validation"] = None
        if route.answer is not None:
            models[route.answer, "serialization"] = None
    return list(models)


def _operation(route: Route[Any, Any], schemas: Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}.{route.handler.__name__}",
        "summary": route.summary,
        "tags": [_TAGS.get(route.path.split("/")[1], "state")],
        "security": _security(route.access),
        "responses": _responses(route, schemas),
    }
    if parameters := [*_path_parameters(route.path), *_query_parameters(route), *_header_parameters(route)]:
        found["parameters"] = parameters
    if route.uploads is not None:
        binary = {"type": "string", "contentMediaType": route.uploads}
        found["requestBody"] = {"required": True, "content": {route.uploads: {"schema": binary}}}
    if route.body is not Nothing:
        schema = schemas[route.body, "validation"]
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _security(access: Access) -> list[dict[str, list[str]]]:
    if access is Access.OPEN:
        return []
    return [{"configurationToken" if access is Access.OPERATOR else "apiKey": []}]


def _responses(route: Route[Any, Any], schemas: Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {"204": {"description": "Done."}}
    if route.answer is not None:
        media_type = LINES if route.lines else "application/json"
        content: dict[str, Any] = {media_type: {"schema": schemas[route.answer, "serialization"]}}
        if route.streams:
            content["text/event-stream"] = {"schema": _EVENT}
        responses = {str(route.status): {"description": route.answer.__doc__ or "Done.", "content": content}}
    by_status: dict[int, list[Kind]] = {}
    for kind in problems_of(route):
        by_status.setdefault(kind.status, []).append(kind)
    for status, kinds in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{kind.slug}`: {kind.title}" for kind in kinds),
            "content": {problems.MEDIA_TYPE: {"schema": schemas[ProblemDocument, "serialization"]}},
        }
    return responses


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"} if name == "id" else {"type": "string"},
        }
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(route: Route[Any, Any]) -> list[dict[str, Any]]:
    schema = route.query.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": found}
        for name, found in schema.get("properties", {}).items()
    ]


def _header_parameters(route: Route[Any, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in route.headers]
