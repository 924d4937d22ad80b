"""What a case is: a constraint, one manifest that it lets pass, and one that it refuses.

Manifests are written as what differs from a sample that has every field: `{"spec.customer.email": "x"}`. In a path
`[]` is the first item.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.constraints import Constraint

ABSENT = object()
"""The value of what a manifest leaves out."""

MESSAGES = {
    "pattern": "should match",
    "enum": "Unsupported value",
    "format": "must be of type",
    "minimum": "should be greater than or equal to",
    "maximum": "should be less than or equal to",
    "minLength": "should be at least",
    "maxLength": "Too long",
    "maxItems": "Too many",
    "required": "Required value",
    "unique": "Duplicate value",
}


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    constraint: Constraint
    accepted: Mapping[str, Any]
    rejected: Mapping[str, Any]
    stored: Mapping[str, Any] | None = None
    """For a rule about changes: the object as it is when the two manifests update it."""

    @property
    def field(self) -> str:
        """What the API server calls the place."""
        place = self.constraint.path.replace("[]", "[0]")
        match self.constraint.keyword:
            case "required":
                return f"{place}.{self.constraint.detail}".removeprefix(".")
            case "unique":
                return f"{place}[1]"
            case "rule" if not place:
                return "<nil>"
        return place

    @property
    def message(self) -> str:
        """What its answer must contain."""
        return self.constraint.detail if self.constraint.keyword == "rule" else MESSAGES[self.constraint.keyword]


@dataclass(frozen=True)
class Table:
    """Writes the rows of one kind, each in a line."""

    kind: str

    def value(self, keyword: str, path: str, good: Any, bad: Any) -> Case:
        """The field itself is right or wrong."""
        return Case(Constraint(self.kind, path, keyword), {path: good}, {path: bad})

    def pattern(self, path: str, good: str, bad: str, **beside: Any) -> Case:
        """A string of the right or of the wrong shape; `beside` are fields of the same object."""
        parent = path.rpartition(".")[0]
        also = {f"{parent}.{name}": value for name, value in beside.items()}
        return Case(Constraint(self.kind, path, "pattern"), {path: good} | also, {path: bad} | also)

    def longest(self, path: str, limit: int, *, start: str = "", **beside: Any) -> Case:
        """A string of exactly the limit, and one more."""
        parent = path.rpartition(".")[0]
        also = {f"{parent}.{name}": value for name, value in beside.items()}
        good = start.ljust(limit, "a")
        return Case(Constraint(self.kind, path, "maxLength"), {path: good} | also, {path: good + "a"} | also)

    def between(self, path: str, low: int, high: int) -> Iterator[Case]:
        """A number at its bounds, and one step outside."""
        yield self.value("minimum", path, low, low - 1)
        yield self.value("maximum", path, high, high + 1)

    def required(self, path: str, *names: str) -> Iterator[Case]:
        """The fields without which the object at the path is refused."""
        for name in names:
            field = f"{path}.{name}".removeprefix(".")
            yield Case(Constraint(self.kind, path, "required", name), {}, {field: ABSENT})

    def unique(self, path: str, one: Any, other: Any, *, list_type: str = "set") -> Case:
        """A list in which nothing is twice."""
        return Case(Constraint(self.kind, path, "unique", list_type), {path: [one, other]}, {path: [one, one]})

    def most(self, path: str, items: list[Any]) -> Case:
        """A list that is full without its last item, and too long with it."""
        return self.value("maxItems", path, items[:-1], items)

    def rule(
        self,
        path: str,
        message: str,
        accepted: Mapping[str, Any],
        rejected: Mapping[str, Any],
        *,
        stored: Mapping[str, Any] | None = None,
    ) -> Case:
        """A CEL rule, known by its message."""
        return Case(Constraint(self.kind, path, "rule", message), accepted, rejected, stored)


def manifest(sample: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The sample with the changes."""
    result = copy.deepcopy(dict(sample))
    for path, value in changes.items():
        *parents, last = path.replace("[]", ".0").split(".")
        target: Any = result
        for step in parents:
            target = target[int(step)] if isinstance(target, list) else target.setdefault(step, {})
        if value is ABSENT:
            target.pop(last, None)
        else:
            target[int(last) if isinstance(target, list) else last] = value
    return result
