"""What Stripe answers instead of doing it: the error object, and the words it uses."""

from typing import Any


class StripeProblem(Exception):
    """A request that is refused, with everything that goes into the error object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.decline_code = decline_code

    def render(self, request_id: str) -> dict[str, Any]:
        """The body. What has no value is left out, unlike in all other objects of Stripe."""
        error = {
            "code": self.code,
            "decline_code": self.decline_code,
            "doc_url": f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}" if self.code else None,
            "message": self.message,
            "param": self.param,
            "request_log_url": f"https://dashboard.stripe.com/test/logs/{request_id}",
            "type": self.kind,
        }
        return {"error": {name: value for name, value in error.items() if value is not None}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> StripeProblem:
    """The request makes no sense as it is: 400."""
    return StripeProblem(400, message, param=param, code=code)


def missing(kind: str, identifier: str, param: str = "id") -> StripeProblem:
    """No such object: 404 when it is the one in the path, 400 when a parameter names it."""
    status = 404 if param == "id" else 400
    return StripeProblem(status, f"No such {kind}: '{identifier}'", param=param, code="resource_missing")


def unauthorized(message: str) -> StripeProblem:
    """No key, or a wrong one: 401."""
    return StripeProblem(401, message)


def card_declined() -> StripeProblem:
    """The customer's bank does not want to: 402."""
    return StripeProblem(
        402, "Your card was declined.", kind="card_error", code="card_declined", decline_code="generic_decline"
    )


def idempotency_conflict(message: str) -> StripeProblem:
    """The idempotency key was used for another request: 400."""
    return StripeProblem(400, message, kind="idempotency_error")


def server_trouble(status: int) -> StripeProblem:
    """The error object that comes with a status that nobody asked for."""
    if status == 429:
        message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
        return StripeProblem(status, message, code="rate_limit")
    if status < 500:
        return StripeProblem(status, "This request was made to fail by the simulator's caller.")
    return StripeProblem(status, "An unknown error occurred.", kind="api_error")
