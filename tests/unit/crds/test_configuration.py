"""The configuration's revision: equal for equal content, another for any change."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from claw_crds.configuration import RuntimeConfiguration

DOCUMENT: dict[str, Any] = {
    "instance": {"namespace": "claw", "name": "ada", "uid": "12345678-1234-5678-1234-567812345678"},
    "state": "Running",
    "customer": {
        "id": "cus_1",
        "email": "ada@example.com",
        "name": "Ada",
        "company": "Engines",
        "timezone": "Europe/London",
        "locale": "en-GB",
    },
    "assistant": {"name": "Claw", "persona": "Calm.", "instructions": "Be brief.", "model": "claude-sonnet-4-5"},
    "plan": {
        "name": "pro",
        "displayName": "Pro",
        "limits": {
            "messagesPerMonth": 10,
            "tokensPerMonth": 20,
            "apiCallsPerDay": 30,
            "agents": 40,
            "memories": 50,
        },
        "skills": ["chat", "memory"],
    },
    "skills": {"enabled": ["chat"], "disabled": ["browser"]},
    "keys": [{"sha256": "a" * 64, "expiresAt": "2026-01-31T12:00:00Z"}],
    "workspaceFiles": [{"path": "SOUL.md", "content": "# Soul"}],
}


def parse(document: dict[str, Any]) -> RuntimeConfiguration:
    return RuntimeConfiguration.model_validate(document)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to every value of the document."""
    if isinstance(value, dict):
        return [leaf for key, below in value.items() for leaf in leaves(below, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, below in enumerate(value) for leaf in leaves(below, (*path, index))]
    return [path]


def changed(path: tuple[str | int, ...]) -> dict[str, Any]:
    """The document with another, valid value there."""
    document: Any = json.loads(json.dumps(DOCUMENT))
    *parents, last = path
    target = document
    for step in parents:
        target = target[step]
    match target[last]:
        case "Running":
            target[last] = "Suspended"
        case "2026-01-31T12:00:00Z":
            target[last] = "2026-01-31T13:00:00Z"
        case int(number):
            target[last] = number + 1
        case str(text) if last == "sha256":
            target[last] = text.replace("a", "b")
        case str(text):
            target[last] = text + "x"
    result: dict[str, Any] = document
    return result


def test_the_document_names_every_field_of_the_models() -> None:
    """Or the next test would pass over a field that the revision forgot."""
    assert parse(DOCUMENT).wire() == DOCUMENT
    assert set(DOCUMENT) == set(RuntimeConfiguration.model_json_schema()["properties"])


@pytest.mark.parametrize("path", leaves(DOCUMENT), ids=lambda path: ".".join(map(str, path)))
def test_the_revision_changes_with_any_field(path: tuple[str | int, ...]) -> None:
    assert parse(changed(path)).revision != parse(DOCUMENT).revision


@pytest.mark.parametrize("name", ["keys", "workspaceFiles"])
def test_the_revision_changes_with_what_is_left_out(name: str) -> None:
    assert parse(DOCUMENT | {name: []}).revision != parse(DOCUMENT).revision


def test_the_revision_is_the_same_whoever_computes_it() -> None:
    mirrored = dict(reversed(DOCUMENT.items()))

    assert parse(mirrored).revision == parse(DOCUMENT).revision
    assert parse(json.loads(json.dumps(parse(DOCUMENT).wire()))).revision == parse(DOCUMENT).revision


def test_the_revision_does_not_change_by_itself() -> None:
    """A release that changes it has every runtime of the fleet configured anew: let that be meant."""
    assert parse(DOCUMENT).revision == "8dcc052ce79f6b3c"


def test_a_default_that_is_written_out_is_the_same_document() -> None:
    bare = DOCUMENT | {"customer": {"id": "cus_1", "email": "ada@example.com"}}
    full = DOCUMENT | {"customer": {"id": "cus_1", "email": "ada@example.com", "timezone": "UTC", "locale": "en"}}

    assert parse(bare).revision == parse(full).revision


def test_times_are_whole_seconds_or_the_revision_would_not_survive_the_wire() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 999_999, tzinfo=UTC)
    exact = DOCUMENT | {"keys": [{"sha256": "a" * 64, "expiresAt": moment}]}

    assert parse(exact).revision == parse(DOCUMENT).revision
