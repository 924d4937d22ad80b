"""Errors as application/problem+json (RFC 9457)."""

from collections.abc import Awaitable, Callable

from aiohttp import web


def problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error's answer. `detail` says what happened and what to do; it repeats nothing that the client sent."""
    return web.json_response(
        {"type": "about:blank", "title": title, "status": status, "detail": detail},
        status=status,
        headers=headers,
        content_type="application/problem+json",
    )


@web.middleware
async def errors_as_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What aiohttp answers by itself (not found, method not allowed, too large) in the same form."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {name: value for name, value in error.headers.items() if name in {"Allow", "Connection"}}
        return problem(error.status, error.reason, error.reason, headers=kept)
