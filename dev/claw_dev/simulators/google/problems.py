"""What Google answers instead of doing it: one envelope for the APIs, another for OAuth."""

from typing import Any


class GoogleProblem(Exception):
    """A request to Gmail or Calendar that is refused. `reason` is what clients may look at, beside the status."""

    def __init__(
        self, status: int, message: str, reason: str, *, domain: str = "global", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        self.domain = domain
        self.retry_after = retry_after
        """Seconds, sent as Retry-After."""

    def render(self) -> dict[str, Any]:
        """The body."""
        error = {"message": self.message, "domain": self.domain, "reason": self.reason}
        return {"error": {"code": self.status, "message": self.message, "errors": [error]}}


class OAuthProblem(Exception):
    """A request to the token endpoint that is refused."""

    def __init__(self, error: str, description: str = "Bad Request", status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


def malformed(message: str, reason: str = "invalidArgument") -> GoogleProblem:
    """It cannot be understood: 400."""
    return GoogleProblem(400, message, reason)


def unauthenticated() -> GoogleProblem:
    """No token, or one that has expired or was revoked: 401."""
    return GoogleProblem(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential.",
        "authError",
    )


def scope_missing() -> GoogleProblem:
    """The person has not allowed this: 403."""
    return GoogleProblem(403, "Request had insufficient authentication scopes.", "insufficientPermissions")


def rate_limited(status: int, retry_after: float | None) -> GoogleProblem:
    """Too often, in one of the two ways in which Google says it: 403 or 429."""
    return GoogleProblem(
        status, "Rate Limit Exceeded", "rateLimitExceeded", domain="usageLimits", retry_after=retry_after
    )


def missing(message: str = "Requested entity was not found.") -> GoogleProblem:
    """There is no such thing, or no longer: 404."""
    return GoogleProblem(404, message, "notFound")


def changed() -> GoogleProblem:
    """Somebody else was quicker: 412."""
    return GoogleProblem(412, "Precondition Failed", "conditionNotMet")


def sync_token_too_old() -> GoogleProblem:
    """Calendar wants to be read whole again: 410."""
    return GoogleProblem(
        410, "Sync token is no longer valid, a full sync is required.", "fullSyncRequired", domain="calendar"
    )
