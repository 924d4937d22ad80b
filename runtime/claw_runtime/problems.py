"""What can go wrong, as the customer is told: problem documents (RFC 9457) of a published catalogue.

Every refusal is a `Problem`, raised where it is found out and turned into an answer in one place, `app.py`. A kind's
`type` never changes; its words may.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from claw_crds.resource import Model, Timestamp

MEDIA_TYPE = "application/problem+json"
_TYPES = "https://claw.dev/problems/"


@dataclass(frozen=True)
class Kind:
    """One entry of the catalogue."""

    slug: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The URI that a client may compare."""
        return _TYPES + self.slug


MALFORMED_BODY = Kind("malformed-body", 400, "The body is not JSON")
UNAUTHORIZED = Kind("unauthorized", 401, "A valid key is needed")
UNVERIFIED = Kind("unverified", 401, "It is not proved who sent this")
SUSPENDED = Kind("suspended", 402, "The subscription is suspended")
SKILL_NOT_IN_PLAN = Kind("skill-not-in-plan", 403, "The plan does not include this skill")
SKILL_DISABLED = Kind("skill-disabled", 403, "The skill is disabled")
SKILL_NEEDS_CONNECTION = Kind("skill-needs-connection", 409, "The skill needs something connected first")
SKILL_NEEDS_SETUP = Kind("skill-needs-setup", 409, "The skill needs what this assistant does not have")
SKILL_BROKEN = Kind("skill-broken", 409, "The skill's SKILL.md cannot be used")
SKILL_BUNDLED = Kind("skill-bundled", 409, "The skill came with the assistant")
SKILL_REFUSED = Kind("skill-refused", 422, "The archive is not a skill")
UNSUPPORTED_MEDIA = Kind("unsupported-media", 415, "The body is of another kind")
NOT_FOUND = Kind("not-found", 404, "There is no such thing")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "This cannot be done here")
BODY_TIMEOUT = Kind("body-timeout", 408, "The body did not arrive in time")
WRONG_INSTANCE = Kind("wrong-instance", 409, "This runtime belongs to another instance")
AGENT_EXISTS = Kind("agent-exists", 409, "There is an agent of this name")
CANNOT_BE_DELETED = Kind("cannot-be-deleted", 409, "This belongs to the assistant itself")
PROPOSAL_GONE = Kind("proposal-gone", 409, "There is nothing to confirm any more")
OTHER_AGENT = Kind("other-agent", 409, "The conversation belongs to another agent")
IN_PROGRESS = Kind("in-progress", 409, "This question is being answered")
CONSENT_INVALID = Kind("consent-invalid", 409, "The consent cannot be used")
INTEGRATION_NOT_SET_UP = Kind("integration-not-set-up", 409, "This installation is not prepared for it")
INTEGRATION_NOT_CONNECTED = Kind("integration-not-connected", 409, "The account is not connected")
HEARTBEAT_GOES_ON = Kind("heartbeat-goes-on", 409, "The assistant is looking just now")
MAILS_OFF = Kind("mails-off", 409, "No mails can be sent from here")
PRECONDITION_FAILED = Kind("precondition-failed", 412, "The file has changed")
BODY_TOO_LARGE = Kind("body-too-large", 413, "The body is too large")
INVALID_REQUEST = Kind("invalid-request", 422, "The request is not valid")
PRECONDITION_REQUIRED = Kind("precondition-required", 428, "Say which version is meant")
IDEMPOTENCY_CONFLICT = Kind("idempotency-conflict", 422, "The key belongs to another request")
LIMIT_REACHED = Kind("limit-reached", 429, "A limit of the plan is reached")
WORKSPACE_FULL = Kind("workspace-full", 422, "The workspace is full")
SNAPSHOTS_OFF = Kind("snapshots-off", 409, "There is no place for snapshots")
SNAPSHOT_FAILED = Kind("snapshot-failed", 502, "The place for snapshots did not answer properly")
STORAGE_FULL = Kind("storage-full", 507, "The plan's storage is full")
INTERNAL = Kind("internal", 500, "Something went wrong on our side")
MODEL_FAILED = Kind("model-failed", 502, "The language model did not answer properly")
INTEGRATION_REFUSED = Kind("integration-refused", 502, "The connected service refused")
MODEL_BUSY = Kind("model-busy", 503, "The language model is busy")
INTEGRATION_AWAY = Kind("integration-away", 503, "The connected service does not answer")
NOT_CONFIGURED = Kind("not-configured", 503, "The assistant is being set up")
DATABASE_AWAY = Kind("database-away", 503, "The assistant's memory does not answer")


class FieldError(Model):
    """One thing that is wrong with a request. Never repeats what was sent."""

    field: str = Field(description="Where: names joined by dots, empty for the whole body.")
    message: str


class ProblemDocument(Model):
    """A problem, RFC 9457. The members after `requestId` belong to some kinds only."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: tuple[FieldError, ...] | None = Field(default=None, description="Of invalid-request.")
    limit_name: str | None = Field(default=None, description="Of limit-reached, as in the plan: messagesPerMonth.")
    limit: int | None = Field(default=None, description="Of limit-reached.")
    used: int | None = Field(default=None, description="Of limit-reached.")
    resets_at: Timestamp | None = Field(default=None, description="Of limit-reached, where the limit has a period.")
    plan: str | None = Field(default=None, description="Of limit-reached and skill-not-in-plan.")


class Problem(Exception):
    """A refusal. `retry_after` is in seconds; `members` are those of ProblemDocument beyond the basic ones."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        self.members = members

    def document(self, request_id: str | None) -> dict[str, Any]:
        """The problem as JSON types."""
        return ProblemDocument(
            type=self.kind.type,
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            request_id=request_id,
            **self.members,
        ).wire()


def not_found(what: str) -> Problem:
    """`what` as in "There is no conversation with this id."."""
    return Problem(NOT_FOUND, f"There is no {what}.")


def unauthorized() -> Problem:
    """The same answer whatever is wrong with the key: a guesser learns nothing."""
    return Problem(
        UNAUTHORIZED,
        "Send a valid key as `Authorization: Bearer claw_…`.",
        headers={"WWW-Authenticate": 'Bearer realm="claw"'},
    )


def limit_reached(
    name: str,
    what: str,
    *,
    plan: str,
    limit: int,
    used: int,
    now: datetime,
    resets_at: datetime | None = None,
    retry_after: int | None = None,
    note: str = "",
) -> Problem:
    """`what` as in "messages a month"; a note begins with a space.

    Retry-After is given where waiting helps: until the limit resets, if it does.
    """
    if resets_at is not None:
        retry_after = max(1, math.ceil((resets_at - now).total_seconds()))
    anew = f" They are counted anew from {resets_at:%Y-%m-%d %H:%M} UTC on." if resets_at is not None else ""
    return Problem(
        LIMIT_REACHED,
        f"The plan {plan} includes {limit:,} {what}, and {used:,} are used.{note}{anew}",
        retry_after=retry_after,
        limit_name=name,
        limit=limit,
        used=used,
        resets_at=resets_at,
        plan=plan,
    )


def database_away() -> Problem:
    """For as long as the instance's database does not answer."""
    return Problem(DATABASE_AWAY, "The assistant's database does not answer. Please try again soon.", retry_after=5)


def not_configured() -> Problem:
    """While the runtime is blank, or has not read its configuration yet."""
    return Problem(NOT_CONFIGURED, "The assistant is not set up yet. Please try again soon.", retry_after=5)
