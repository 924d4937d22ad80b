"""Everything that a schema refuses, one by one: what the table of cases must cover."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LIMITS = frozenset({"pattern", "enum", "format", "minimum", "maximum", "minLength", "maxLength", "maxItems"})
"""Keywords that refuse by themselves."""

READ = LIMITS | {"required", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"}
HARMLESS = frozenset({"type", "description", "default", "properties", "items"})


@dataclass(frozen=True)
class Constraint:
    """One thing that a field's schema asks for."""

    kind: str
    path: str
    """For example `spec.workspace.files[].path`; empty for the whole resource."""
    keyword: str
    detail: str = ""
    """The field that is required, or the message of the rule."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.path, self.keyword, self.detail) if part)


def constraints(kind: str, schema: dict[str, Any], path: str = "") -> Iterator[Constraint]:
    """All constraints of the schema and of what is below it. A keyword that nobody taught it is an error."""
    if unknown := schema.keys() - READ - HARMLESS:
        raise ValueError(f"{kind} {path}: teach this walk about {', '.join(sorted(unknown))}, or a case may be missing")
    yield from (Constraint(kind, path, keyword) for keyword in schema if keyword in LIMITS)
    yield from (Constraint(kind, path, "required", name) for name in schema.get("required", ()))
    if "x-kubernetes-list-type" in schema:
        yield Constraint(kind, path, "unique", schema["x-kubernetes-list-type"])
    yield from (Constraint(kind, path, "rule", rule["message"]) for rule in schema.get("x-kubernetes-validations", ()))
    for name, value in schema.get("properties", {}).items():
        yield from constraints(kind, value, f"{path}.{name}".removeprefix("."))
    if "items" in schema:
        yield from constraints(kind, schema["items"], f"{path}[]")
