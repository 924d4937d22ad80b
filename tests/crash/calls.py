"""What an outgoing call of the operator is named, and whether it changes something. Pure.

Names have no ids in them, so that the third write of a status is the third one in every run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs

from graphql import OperationDefinitionNode, OperationType, parse
from pydantic import BaseModel

_NEON_COLLECTIONS = {"projects", "branches", "endpoints", "roles", "databases", "operations"}
_NAMESPACED = {"namespaces"}


class Neighbour(StrEnum):
    """Whom the operator talks to."""

    KUBERNETES = "kubernetes"
    RAILWAY = "railway"
    NEON = "neon"
    RUNTIME = "runtime"


@dataclass(frozen=True)
class Call:
    """One kind of call."""

    neighbour: Neighbour
    what: str
    changes: bool

    def __str__(self) -> str:
        return f"{self.neighbour} {self.what}"


@dataclass(frozen=True)
class Point:
    """One certain call of a phase: the so-manieth of its kind, from 1."""

    call: Call
    occurrence: int

    def __str__(self) -> str:
        return f"{self.call} #{self.occurrence}"


class _GraphQl(BaseModel):
    query: str


def points(calls: list[Call]) -> list[Point]:
    """Each of the calls as a point, in their order."""
    return [Point(call, calls[: position + 1].count(call)) for position, call in enumerate(calls)]


def named(neighbour: Neighbour, method: str, path: str, query: str, body: bytes) -> Call:
    """The call that this request is."""
    match neighbour:
        case Neighbour.KUBERNETES:
            return _kubernetes(method, path, parse_qs(query))
        case Neighbour.RAILWAY:
            return _railway(body)
        case Neighbour.NEON:
            words = _without_ids(path.partition("/projects")[1:], _NEON_COLLECTIONS)
            return Call(neighbour, f"{method} {words}", method != "GET")
        case Neighbour.RUNTIME:
            return Call(neighbour, f"{method} {path}", method != "GET")


def is_watch(call: Call) -> bool:
    """Whether the answer goes on for ever."""
    return call.what.startswith("WATCH ")


def _kubernetes(method: str, path: str, query: Mapping[str, list[str]]) -> Call:
    verb = "WATCH" if query.get("watch", ["0"])[0] in ("1", "true") else method
    segments = path.strip("/").split("/")
    # /api/v1/… or /apis/<group>/<version>/…, then perhaps namespaces/<namespace>, then what it is about.
    rest = segments[2:] if segments[0] == "api" else segments[3:]
    if len(rest) > 2 and rest[0] in _NAMESPACED:
        rest = rest[2:]
    kind, subresource = rest[:1], rest[2:]
    return Call(Neighbour.KUBERNETES, f"{verb} {'/'.join([*kind, *subresource])}", method != "GET")


def _railway(body: bytes) -> Call:
    document = parse(_GraphQl.model_validate_json(body).query)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    name = operation.name.value if operation.name else "(without a name)"
    changes = operation.operation is OperationType.MUTATION
    return Call(Neighbour.RAILWAY, f"{operation.operation.value} {name}", changes)


def _without_ids(parts: tuple[str, ...], collections: set[str]) -> str:
    segments = "".join(parts).strip("/").split("/")
    return "/".join(
        segment
        for position, segment in enumerate(segments)
        if position == 0 or segments[position - 1] not in collections
    )
