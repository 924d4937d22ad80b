"""What a request asks for, read once: its document, its operation, and whether it changes anything. Pure."""

from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from claw_dev.simulators.railway.problems import Problem, gateway_failure

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = Field(default=None, alias="operationName")


@dataclass(frozen=True)
class Question:
    """A request's body, understood as far as it can be."""

    text: str = ""
    variables: dict[str, Any] = field(default_factory=dict, repr=False)
    name: str = ""
    """The operation's."""
    fields: tuple[str, ...] = ()
    """Its root fields."""
    writes: bool = False
    document: DocumentNode | None = None
    """None when the request is refused before anything is executed."""
    errors: tuple[GraphQLError, ...] = ()


class Reader:
    """Understands requests. It remembers every document: a client has a few dozen, and sends them for ever."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._understood: dict[tuple[str, str | None], Question] = {}

    def read(self, body: bytes) -> Question:
        """Understand a request's body."""
        try:
            given = _Body.model_validate_json(body)
        except ValidationError:
            return Question(errors=(gateway_failure(),))
        key = (given.query, given.operation_name)
        if key not in self._understood:
            self._understood[key] = _understand(*key, self._schema)
        return replace(self._understood[key], variables=given.variables or {})


def _understand(text: str, operation_name: str | None, schema: GraphQLSchema) -> Question:
    try:
        document = parse(text)
    except GraphQLError as error:
        return Question(text, errors=(Problem(error.message, code=PARSE_FAILED),))
    operation = _operation(document, operation_name)
    if operation is None:
        return Question(text, errors=(Problem("Unknown operation named", code=VALIDATION_FAILED),))
    wrong = validate(schema, document)
    return Question(
        text=text,
        name=operation.name.value if operation.name else "",
        fields=tuple(node.name.value for node in operation.selection_set.selections if isinstance(node, FieldNode)),
        writes=operation.operation is OperationType.MUTATION,
        document=None if wrong else document,
        errors=tuple(Problem(error.message, code=VALIDATION_FAILED) for error in wrong),
    )


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is None:
        return operations[0] if len(operations) == 1 else None
    return next((node for node in operations if node.name and node.name.value == name), None)
