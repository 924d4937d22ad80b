"""Who is asking: the address, how often, from which page, and with which cookies."""

import ipaddress
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web

SESSION = "claw_session"
"""Holds a pass of kind `session`: its bearer is the customer."""
BROWSER = "claw_checkout"
"""Holds a random token: its bearer is the browser that began a checkout."""
_BROWSER_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_SITE_PREFIX = 64
"""Of an IPv6 address, this much belongs to one household."""


def address_of(request: web.Request) -> str:
    """The client's address; behind a proxy of ours, what the proxy says that it is.

    Only a proxy in a private network is believed, and of its header only the last public address: what stands before
    it is whatever the client wrote there.
    """
    peer = _address(request.remote or "")
    if peer is None or peer.is_global:
        return _household(peer)
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
    told = [_address(part.strip()) for part in forwarded.split(",")]
    return _household(next((one for one in reversed(told) if one is not None and one.is_global), peer))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _household(address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _SITE_PREFIX), strict=False))
    return str(address)


class Throttle:
    """So many at once, and so many a second afterwards, for each client. In memory: each replica counts for itself."""

    def __init__(
        self, *, burst: int, per_second: float, clients: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clients = clients
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By client: how much it had left, and when. Whoever was away longest is forgotten first."""

    def allows(self, client: str) -> bool:
        """Whether the client may, this time; if so, it is counted."""
        now = self._clock()
        left, then = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - then) * self._per_second)
        allowed = left >= 1
        self._buckets[client] = (left - allowed, now)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return allowed

    @property
    def retry_after(self) -> dict[str, str]:
        """The header that tells when to come again."""
        return {"Retry-After": str(max(1, round(1 / self._per_second)))}


def is_foreign(request: web.Request, public_url: str) -> bool:
    """Whether a page of somebody else's sent this request: a customer's cookies must not serve it.

    Browsers name the page's origin in every POST. What names none is no browser, and has no cookies but its own.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
    ours = urlsplit(public_url)
    return origin != f"{ours.scheme}://{ours.netloc}" and urlsplit(origin).netloc != request.host


def browser_of(request: web.Request) -> str | None:
    """The token of the browser that began a checkout, if this is one."""
    token = request.cookies.get(BROWSER, "")
    return token if _BROWSER_TOKEN.fullmatch(token) else None


def set_cookie(answer: web.Response, name: str, value: str, *, seconds: int, public_url: str) -> None:
    """A cookie that no script can read. It comes along when Stripe or a mail leads here, but with no foreign form."""
    secure = public_url.startswith("https:")
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Lax")
