"""What Railway's errors mean is told by their words alone."""

import pytest

from claw_operator.external import (
    ExternalError,
    RateLimited,
    Rejected,
    Transient,
    Unauthorized,
)
from claw_operator.external.http import NoAnswer
from claw_operator.external.railway.errors import (
    Busy,
    Exists,
    Extensions,
    Forbidden,
    GraphQLError,
    NotFound,
    Trouble,
    exception_of,
    trouble_of,
)

INTERNAL = "INTERNAL_SERVER_ERROR"

TABLE = [
    ("Not Authorized", INTERNAL, Trouble.FORBIDDEN),
    ("Project Token not found", INTERNAL, Trouble.TOKEN),
    ("Two Factor Authentication Required", INTERNAL, Trouble.TOKEN),
    ("Problem processing request", None, Trouble.GATEWAY),
    ('A service named "claw-x" already exists in this project', INTERNAL, Trouble.EXISTS),
    ("chat.example.com is already in use", INTERNAL, Trouble.EXISTS),
    ("ServiceInstance not found", INTERNAL, Trouble.NOT_FOUND),
    ("Service 6f0c2a1e not found", INTERNAL, Trouble.NOT_FOUND),
    ("Deployment not found", INTERNAL, Trouble.NOT_FOUND),
    ("Project not found", INTERNAL, Trouble.NOT_FOUND),
    ("VolumeInstance not found", INTERNAL, Trouble.NOT_FOUND),
    ("You are creating projects too quickly", INTERNAL, Trouble.THROTTLED),
    ("Your plan allows 1 volume per 30 seconds", INTERNAL, Trouble.THROTTLED),
    ("one environment can be created per user every 30s", INTERNAL, Trouble.THROTTLED),
    ("Failed to create service domain, please try again", INTERNAL, Trouble.BUSY),
    ("Cannot redeploy without a snapshot", INTERNAL, Trouble.BUSY),
    ("Cannot redeploy yet, please wait for the original deployment to finish", INTERNAL, Trouble.BUSY),
    ("operation is already in progress", INTERNAL, Trouble.BUSY),
    ("Commit not found", INTERNAL, Trouble.INVALID),
    ("chat is not a valid domain", INTERNAL, Trouble.INVALID),
    ("Invalid project name", INTERNAL, Trouble.INVALID),
    ('Cannot query field "x" on type "Query".', "GRAPHQL_VALIDATION_FAILED", Trouble.INVALID),
    ("Something that nobody has seen before", INTERNAL, Trouble.OTHER),
]
EXCEPTIONS: dict[Trouble, type[ExternalError]] = {
    Trouble.FORBIDDEN: Forbidden,
    Trouble.TOKEN: Unauthorized,
    Trouble.EXISTS: Exists,
    Trouble.NOT_FOUND: NotFound,
    Trouble.THROTTLED: RateLimited,
    Trouble.BUSY: Busy,
    Trouble.GATEWAY: NoAnswer,
    Trouble.INVALID: Rejected,
    Trouble.OTHER: Transient,
}


@pytest.mark.parametrize(("message", "code", "trouble"), TABLE)
def test_a_message_tells_what_is_the_matter(message: str, code: str | None, trouble: Trouble) -> None:
    error = GraphQLError(message=message, extensions=Extensions(code=code), trace_id="4711")
    assert trouble_of(error) is trouble
    exception = exception_of([error], "do it")
    assert type(exception) is EXCEPTIONS[trouble]
    assert "4711" not in str(exception)


def test_the_table_has_every_trouble() -> None:
    assert {trouble for _, _, trouble in TABLE} == set(Trouble) == set(EXCEPTIONS)


def test_a_throttle_is_waited_out() -> None:
    exception = exception_of([GraphQLError(message="You are creating volumes too quickly")], "do it")
    assert isinstance(exception, RateLimited)
    assert exception.retry_after > 30


def test_what_railway_says_is_shown_short_and_without_secrets() -> None:
    said = "cannot use postgresql://claw:hunter2@db.example/claw " + "because " * 100
    message = str(exception_of([GraphQLError(message=said)], "write the settings of claw-x"))
    assert message.startswith("Railway did not write the settings of claw-x: cannot use postgresql://***@db.example")
    assert "hunter2" not in message
    assert len(message) < 300


def test_an_error_without_a_message_is_an_error() -> None:
    assert isinstance(exception_of([], "do it"), Transient)
