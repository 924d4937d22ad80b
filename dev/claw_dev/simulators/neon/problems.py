"""What Neon answers instead of doing it. The status decides; codes are hints, and often empty."""

from typing import Any


class NeonProblem(Exception):
    """A request that is refused."""

    def __init__(self, status: int, message: str, code: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.retry_after = retry_after
        """Seconds, sent as Retry-After."""

    def render(self, request_id: str) -> dict[str, Any]:
        """The body: Neon's GeneralError."""
        return {"request_id": request_id, "code": self.code, "message": self.message}


def malformed(message: str) -> NeonProblem:
    """The request cannot be read: 400."""
    return NeonProblem(400, message)


def unauthenticated() -> NeonProblem:
    """No key, or one that nobody knows: 401."""
    return NeonProblem(401, "supplied credentials do not pass authentication")


def forbidden(message: str) -> NeonProblem:
    """The key is known and may not: 403."""
    return NeonProblem(403, message)


def missing(kind: str) -> NeonProblem:
    """There is no such thing, or the key may not know that there is: 404."""
    return NeonProblem(404, f"{kind} not found")


def exists(kind: str) -> NeonProblem:
    """The name is taken: 409."""
    return NeonProblem(
        409, f"{kind} already exists", f"{kind.upper().replace(' ', '_').replace('-', '_')}_ALREADY_EXISTS"
    )


def no_passwords_stored() -> NeonProblem:
    """The project does not keep passwords: 412."""
    return NeonProblem(412, "project does not store passwords")


def refused(message: str, code: str = "") -> NeonProblem:
    """It makes sense, and is not allowed: 422."""
    return NeonProblem(422, message, code)


def limit_exceeded(what: str, limit: int) -> NeonProblem:
    """The plan does not include more of these: 422."""
    return refused(
        f"{what} limit exceeded: the plan includes {limit}", f"{what.upper().replace(' ', '_')}_LIMIT_EXCEEDED"
    )


def locked() -> NeonProblem:
    """Another operation of the project is under way, and nothing was done: 423."""
    return NeonProblem(423, "project already has running conflicting operations, scheduling of new ones is prohibited")


def over_quota() -> NeonProblem:
    """The project used up what it may use in this billing period: 423."""
    return NeonProblem(423, "project has exceeded its consumption quota, computes cannot be started", "QUOTA_EXCEEDED")


def too_many_requests(retry_after: float | None) -> NeonProblem:
    """The account asks too often: 429."""
    return NeonProblem(429, "request rate limit exceeded, please try again later", retry_after=retry_after)
