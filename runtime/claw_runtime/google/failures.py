"""What can go wrong with Google, as the customer and the assistant are told."""

from collections.abc import Sequence

from claw_runtime.google.places import NAMES, Scope
from claw_runtime.problems import (
    CONSENT_INVALID,
    INTEGRATION_AWAY,
    INTEGRATION_NOT_CONNECTED,
    INTEGRATION_NOT_SET_UP,
    INTEGRATION_REFUSED,
    Problem,
)

RECONNECT = "Google no longer accepts the access that was given. Connect Google again."
UNREADABLE = "The stored access to Google cannot be read with this installation's key. Connect Google again."
NO_LASTING_ACCESS = (
    "Google gave access for an hour only. Remove this assistant at myaccount.google.com/connections, and connect again."
)


class GoogleAway(Problem):
    """Google did not answer, or was too busy. `unknown`: what was asked may have been done all the same."""

    def __init__(self, detail: str, *, unknown: bool, retry_after: int | None = None) -> None:
        super().__init__(INTEGRATION_AWAY, detail, retry_after=retry_after)
        self.unknown = unknown


class GoogleRefused(Problem):
    """Google understood, and said no. `status` is HTTP's, `reason` Google's own word."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(INTEGRATION_REFUSED, f"Google refused ({status}{f', {reason}' if reason else ''}).")
        self.status = status
        self.reason = reason


def not_connected(what: str) -> Problem:
    """`what` as in "Gmail"."""
    return Problem(INTEGRATION_NOT_CONNECTED, f"{what} is not connected. Connect Google first, and allow {what}.")


def reconnect(problem: str) -> Problem:
    """The connection that there was is of no use any more."""
    return Problem(INTEGRATION_NOT_CONNECTED, problem)


def not_set_up(missing: tuple[str, ...]) -> Problem:
    """The operator of the installation has something to do first."""
    return Problem(INTEGRATION_NOT_SET_UP, told_missing(missing))


def told_missing(missing: tuple[str, ...]) -> str:
    """What an installation lacks, by the names under which it is given."""
    return f"This installation is not prepared for Google. It lacks: {', '.join(missing)}."


def consent_invalid(detail: str) -> Problem:
    """What came back from the consent page cannot be used."""
    return Problem(CONSENT_INVALID, detail)


def not_allowed(wanted: Sequence[Scope]) -> Problem:
    """The customer left a box empty on Google's page."""
    names = " and ".join(NAMES[scope] for scope in wanted)
    return consent_invalid(
        f"Nothing was connected: on Google's page, {names} was not allowed. Tick all boxes, and connect again."
    )
