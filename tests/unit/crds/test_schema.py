"""From pydantic to the structural dialect, field by field; and what is checked in is what would be written."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from claw_crds.__main__ import OUT, main, render
from claw_crds.resource import Model, Timestamp, rule, validated
from claw_crds.schema import DEFINITIONS, Definition, StructuralSchema, structural_schema


class Colour(StrEnum):
    """Which colour."""

    RED = "Red"
    BLUE = "Blue"


class Part(Model):
    """Part of a thing."""

    name: str = Field(description="Its name.")


class Thing(Model):
    """A thing.

    It has a second paragraph.
    """

    fixed: Literal["only"]
    colour: Colour = Colour.RED
    maybe: Annotated[str, Field(max_length=8)] | None = None
    above: Annotated[int, Field(gt=0)] = 1
    below: Annotated[float, Field(lt=1)]
    first: Part
    second: Part = Field(description="Another part.", json_schema_extra=validated(rule("self.name != ''", "a name")))
    third_part: Part | None = None
    parts: Annotated[tuple[Part, ...], Field(max_length=4)] = ()
    words: dict[str, str] = Field(default_factory=dict)
    sleepy: bool = False
    when: Timestamp | None = None
    nested: Part = Part(name="x")


PART = {
    "type": "object",
    "description": "Part of a thing.",
    "properties": {"name": {"type": "string", "description": "Its name."}},
    "required": ["name"],
}


def written(field: str) -> Any:
    return Thing.model_json_schema(schema_generator=StructuralSchema)["properties"][field]


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, value in schema.get("properties", {}).items():
        yield from nodes(value, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        ("fixed", {"type": "string", "enum": ["only"]}),
        ("colour", {"type": "string", "enum": ["Red", "Blue"], "description": "Which colour.", "default": "Red"}),
        ("maybe", {"type": "string", "maxLength": 8}),
        ("above", {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "default": 1}),
        ("below", {"type": "number", "maximum": 1, "exclusiveMaximum": True}),
        ("first", PART),
        (
            "second",
            PART
            | {
                "description": "Another part.",
                "x-kubernetes-validations": [{"rule": "self.name != ''", "message": "a name"}],
            },
        ),
        ("thirdPart", PART),
        ("parts", {"type": "array", "items": PART, "maxItems": 4}),
        ("words", {"type": "object", "additionalProperties": {"type": "string"}}),
        ("sleepy", {"type": "boolean", "default": False}),
        ("when", {"type": "string", "format": "date-time"}),
        ("nested", PART),
    ],
)
def test_a_field_is_written_as_the_api_server_wants_it(field: str, schema: dict[str, Any]) -> None:
    assert written(field) == schema


def test_only_what_has_no_default_is_required() -> None:
    schema = Thing.model_json_schema(schema_generator=StructuralSchema)

    assert schema["required"] == ["fixed", "below", "first", "second"]
    assert schema["description"] == "A thing.\n\nIt has a second paragraph."
    assert "$defs" not in schema


def test_the_api_server_keeps_what_is_its_own() -> None:
    for definition in DEFINITIONS:
        properties = structural_schema(definition.model)["properties"]

        assert properties["metadata"] == {"type": "object"}
        assert properties["apiVersion"]["type"] == properties["kind"]["type"] == "string"
        assert "enum" not in properties["kind"]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_every_field_says_what_it_is_for(definition: Definition) -> None:
    schema = structural_schema(definition.model)
    silent = [
        path
        for part in ("spec", "status")
        if part in schema["properties"]
        for path, node in nodes(schema["properties"][part], part)
        if not node.get("description") and not (path.endswith("[]") and node["type"] == "string")
    ]

    assert silent == []


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_every_string_and_every_list_has_an_end(definition: Definition) -> None:
    schema = structural_schema(definition.model)
    endless = [
        path
        for part in ("spec", "status")
        if part in schema["properties"]
        for path, node in nodes(schema["properties"][part], part)
        if (node["type"] == "array" and "maxItems" not in node)
        or (node["type"] == "string" and not node.keys() & {"maxLength", "enum", "format"})
    ]

    assert endless == []


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.kind)
def test_what_is_checked_in_is_what_the_models_say(definition: Definition) -> None:
    assert (OUT / f"{definition.plural}.yaml").read_text(encoding="utf-8") == render(definition), "run `make generate`"


def test_generating_twice_changes_nothing_and_the_check_agrees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "new")]) == 0
    assert "wrote" in capsys.readouterr().out

    assert main(["--out", str(tmp_path / "new")]) == 0
    assert main(["--out", str(tmp_path / "new"), "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_the_check_names_a_stale_file_and_leaves_it_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--out", str(tmp_path)])
    stale = tmp_path / "clawplans.yaml"
    stale.write_text("edited: true\n")
    capsys.readouterr()

    assert main(["--out", str(tmp_path), "--check"]) == 1
    assert stale.read_text() == "edited: true\n"
    assert "clawplans.yaml is not what the models say: run `make generate`" in capsys.readouterr().out
