"""How Railway refuses: nearly always HTTP 200, code INTERNAL_SERVER_ERROR, and a message that tells the cases apart.

The messages are literal, because clients have nothing else to go by.
"""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError

INTERNAL = "INTERNAL_SERVER_ERROR"


class Problem(GraphQLError):
    """An error of one field. Shown with a code unless that is None, as the gateway's own are."""

    def __init__(
        self, message: str, *, code: str | None = INTERNAL, extensions: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, extensions=({"code": code} if code else {}) | dict(extensions or {}))


def not_authorized() -> Problem:
    """A wrong token, no access, or nothing there: Railway does not say which."""
    return Problem("Not Authorized")


def not_found(what: str) -> Problem:
    """For example `ServiceInstance not found`. It may also be too new to be seen."""
    return Problem(f"{what} not found")


def gateway_failure() -> Problem:
    """The gateway failed in general. It has no code."""
    return Problem("Problem processing request", code=None)


def name_taken(name: str) -> Problem:
    """Names of services are unique within a project."""
    return Problem(f'A service named "{name}" already exists in this project')


def domain_taken(domain: str) -> Problem:
    """Somebody has the domain already, perhaps the one who asks."""
    return Problem(f"Domain {domain} is already in use")


def domain_exists() -> Problem:
    """A service has one domain of Railway's own per port, and making it again is refused."""
    return Problem("A service domain already exists for this service")


def domain_race() -> Problem:
    """Another change of the environment's configuration was under way."""
    return Problem("Failed to create service domain, please try again")


def not_a_domain(text: str) -> Problem:
    """It has no dot, or characters that no domain has."""
    return Problem(f"{text} is not a valid domain")


def too_quickly(what: str, seconds: float) -> Problem:
    """The workspace made one of these a moment ago. Nothing was made."""
    if what == "environments":
        return Problem(f"Only one environment can be created per user every {seconds:.0f}s")
    return Problem(f"You are creating {what} too quickly")


def nothing_to_redeploy() -> Problem:
    """The last deployment is so new that it has no snapshot."""
    return Problem("Cannot redeploy without a snapshot")


def still_building() -> Problem:
    """The last deployment is being built."""
    return Problem("Cannot redeploy yet, please wait for the original deployment to finish building")


def commit_not_found() -> Problem:
    """There is no such commit in the connected repository."""
    return Problem("Commit not found")


def two_factor(workspace: str) -> Problem:
    """The workspace wants a second factor of everybody."""
    return Problem("Two Factor Authentication Required", extensions={"workspaceName": workspace})
