"""What the API answers instead of a message: the error object."""

from typing import Any

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_MESSAGES = {
    429: "This request would exceed your organization's rate limit. Please try again later.",
    500: "Internal server error",
    529: "Overloaded",
}


class ClaudeProblem(Exception):
    """A request that is refused."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(message or _MESSAGES.get(status, "This request was made to fail by the simulator's caller."))
        self.status = status

    def render(self, request_id: str) -> dict[str, Any]:
        """The body of the answer, and of an error event in a stream."""
        kind = _TYPES.get(self.status, "api_error" if self.status >= 500 else "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": str(self)}, "request_id": request_id}


def invalid(message: str) -> ClaudeProblem:
    """The request makes no sense as it is: 400."""
    return ClaudeProblem(400, message)
