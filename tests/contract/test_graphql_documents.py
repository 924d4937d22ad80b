"""Every document that we send, and the schema that our simulator executes, against Railway's real schema."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    is_required_argument,
    is_required_input_field,
    parse,
    validate,
)

from claw_dev.simulators.railway.schema import sdl
from claw_operator.external.railway.documents import DOCUMENTS
from tests.contract.railway_world import real_schema


@pytest.fixture(scope="module")
def real() -> GraphQLSchema:
    return real_schema(
        unchecked="whether Railway understands our documents, and whether the simulator speaks as it does"
    )


@pytest.fixture(scope="module")
def simulated() -> GraphQLSchema:
    return build_schema(sdl())


def _wrong(schema: GraphQLSchema, document: str) -> list[str]:
    return [error.message for error in validate(schema, parse(document))]


@pytest.mark.parametrize(
    ("environment", "outcome"), [({"CI": "true"}, pytest.fail.Exception), ({}, pytest.skip.Exception)]
)
def test_without_the_real_schema_ci_fails_and_others_are_told(
    environment: dict[str, str], outcome: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(outcome, match="nobody checked whether the documents are right"):
        real_schema(unchecked="whether the documents are right", path=tmp_path / "none.json", environment=environment)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_railway_understands_the_document(name: str, real: GraphQLSchema) -> None:
    assert _wrong(real, DOCUMENTS[name]) == []


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_simulator_understands_the_document(name: str, simulated: GraphQLSchema) -> None:
    assert _wrong(simulated, DOCUMENTS[name]) == []


def test_a_document_that_asks_for_what_does_not_exist_is_found_out(real: GraphQLSchema) -> None:
    # The earlier service called this one, and leaked a branch for every customer.
    assert _wrong(real, 'mutation M { deploymentTriggerDeploy(id: "x") }')


def test_everything_in_the_simulators_schema_is_in_the_real_one(real: GraphQLSchema, simulated: GraphQLSchema) -> None:
    ours = {name: kind for name, kind in simulated.type_map.items() if not name.startswith("__")}
    assert [line for name in ours for line in differences(simulated, real, name)] == []


@pytest.mark.parametrize(
    ("ours", "complaint"),
    [
        ("type Query { a(x: Int): String!, z: Int }", "Query.z is not in the real one"),
        ("type Query { a(x: Int): String }", "Query.a is String, and String! in the real one"),
        ("type Query { a(x: Int!): String! }", "Query.a(x) is Int!, and Int in the real one"),
        ("type Query { a(x: Int, y: Int): String! }", "Query.a(y) is not in the real one"),
        ("type Query { a: String! } enum E { A B }", "E.B is not in the real one"),
        ("type Query { a: String! } input I { p: Int }", "I lacks q, which the real one requires"),
        ("type Query { a: String! } scalar I", "I is a scalar, and an input in the real one"),
    ],
)
def test_a_schema_that_is_no_subset_is_found_out(ours: str, complaint: str) -> None:
    real = build_schema("type Query { a(x: Int): String! } enum E { A } input I { p: Int, q: Int! }")
    simulated = build_schema(ours)
    names = [name for name in simulated.type_map if not name.startswith("__")]
    assert complaint in [line for name in names for line in differences(simulated, real, name)]


def differences(simulated: GraphQLSchema, real: GraphQLSchema, name: str) -> list[str]:
    """What the simulator's type has and the real one has not, or has otherwise: in words."""
    ours, theirs = simulated.type_map[name], real.type_map.get(name)
    if theirs is None:
        return [f"{name} is not in the real one"]
    if type(ours) is not type(theirs):
        return [f"{name} is {_KINDS[type(ours)]}, and {_KINDS[type(theirs)]} in the real one"]
    if isinstance(ours, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
        return [f"{name}.{value} is not in the real one" for value in ours.values if value not in theirs.values]
    if isinstance(ours, GraphQLObjectType) and isinstance(theirs, GraphQLObjectType):
        return [
            line
            for at, field in ours.fields.items()
            for line in _of_field(f"{name}.{at}", field, theirs.fields.get(at))
        ]
    if isinstance(ours, GraphQLInputObjectType) and isinstance(theirs, GraphQLInputObjectType):
        shapes = [
            line
            for at, field in ours.fields.items()
            for line in _shape(f"{name}.{at}", field.type, theirs.fields[at].type if at in theirs.fields else None)
        ]
        required = [at for at, field in theirs.fields.items() if is_required_input_field(field)]
        return shapes + [f"{name} lacks {at}, which the real one requires" for at in required if at not in ours.fields]
    return []


_KINDS: dict[type, str] = {
    GraphQLEnumType: "an enum",
    GraphQLInputObjectType: "an input",
    GraphQLObjectType: "an object",
    GraphQLScalarType: "a scalar",
}


def _of_field(where: str, ours: GraphQLField, theirs: GraphQLField | None) -> list[str]:
    if theirs is None:
        return [f"{where} is not in the real one"]
    lines = _shape(where, ours.type, theirs.type)
    for name, argument in ours.args.items():
        real = theirs.args.get(name)
        lines += _shape(f"{where}({name})", argument.type, real.type if real else None)
    required = [name for name, argument in theirs.args.items() if is_required_argument(argument)]
    return lines + [f"{where} lacks {name}, which the real one requires" for name in required if name not in ours.args]


def _shape(where: str, ours: object, theirs: object) -> list[str]:
    if theirs is None:
        return [f"{where} is not in the real one"]
    return [] if str(ours) == str(theirs) else [f"{where} is {ours}, and {theirs} in the real one"]
