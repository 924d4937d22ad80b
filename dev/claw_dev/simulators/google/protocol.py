"""What all API requests have in common: tokens and scopes, quotas, errors. aiohttp middlewares, outermost first."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from claw_dev.simulators.faults import Fault
from claw_dev.simulators.google.problems import GoogleProblem, rate_limited, scope_missing, unauthenticated
from claw_dev.simulators.google.world import AccessToken, World

API_PREFIXES = ("/gmail/", "/calendar/")
_TOKEN = web.RequestKey("token", AccessToken)

Answering = Callable[[web.Request], Awaitable[Any]]


@dataclass
class Quota:
    """How often the person's application may ask. The real ones are counted in units, by the second and the minute."""

    calls: int = 250
    seconds: float = 1.0
    status: int = 403
    """403 or 429: the APIs use both."""
    retry_after: float | None = None
    _times: deque[float] = field(default_factory=deque)

    def admit(self, now: float) -> None:
        """Count a call. Raises GoogleProblem."""
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()
        if len(self._times) >= self.calls:
            raise rate_limited(self.status, self.retry_after)
        self._times.append(now)


@dataclass(frozen=True)
class Asked:
    """A request that came, without its token."""

    method: str
    path: str
    query: dict[str, str]


def logging_calls(calls: list[Asked]) -> Middleware:
    """Remembers what was asked."""

    @web.middleware
    async def log(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/_sim/"):
            calls.append(Asked(request.method, request.path, dict(request.query)))
        return await handler(request)

    return log


def admitting(world: World, quota: Quota, monotonic: Callable[[], float]) -> Middleware:
    """Lets in who has a valid token, not too often, and says problems as Google does."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(API_PREFIXES):
            return await handler(request)
        try:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            held = world.bearer(token) if scheme.lower() == "bearer" else None
            if held is None:
                raise unauthenticated()
            quota.admit(monotonic())
            request[_TOKEN] = held
            return await handler(request)
        except GoogleProblem as problem:
            return worded(problem)

    return admit


def scoped(sufficient: frozenset[str], answer: Answering) -> Handler:
    """A handler for whoever was allowed one of these scopes. None is an empty answer."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if not sufficient & request[_TOKEN].scopes:
            raise scope_missing()
        found = await answer(request)
        if isinstance(found, web.StreamResponse):
            return found
        if found is None:
            return web.Response(status=204)
        return web.json_response(found, headers={"ETag": found["etag"]} if "etag" in found else None)

    return handle


def worded(problem: GoogleProblem) -> web.Response:
    """A problem as an answer."""
    response = web.json_response(problem.render(), status=problem.status)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = f"{problem.retry_after:g}"
    return response


def fault_as_error(_: web.Request, fault: Fault) -> web.Response:
    """A fault in Google's words."""
    if fault.status in {403, 429}:
        return worded(rate_limited(fault.status, fault.retry_after))
    reason = "backendError" if fault.status >= 500 else "badRequest"
    return worded(GoogleProblem(fault.status, fault.message or "Backend Error", reason, retry_after=fault.retry_after))
