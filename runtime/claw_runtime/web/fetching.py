"""What is at an address, fetched through the perimeter of `addresses.py`, and never more of it than was wanted.

A name is looked up once, all its addresses are checked, and the connection goes to one of those: there is no second
look-up whose answer could be another one. The socket itself asks once more. Redirects are followed by hand, each as if
somebody had asked for it. No proxy, no cookies, no connection that is used twice.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from claw_runtime.web.addresses import Forbidden, Perimeter, WebAddress
from claw_runtime.web.unpacking import ACCEPTED, BadPacking, Unpacking

if TYPE_CHECKING:
    from aiohttp.connector import AddrInfoType

log = logging.getLogger(__name__)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host at a port. Raises OSError."""

MAX_REDIRECTS = 5
POST_SECONDS = 10.0
_MAX_ADDRESSES = 32
_LONGEST_HEADER = 32_768
_PIECE = 65_536
_REDIRECTS = {301, 302, 303, 307, 308}
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; claw-runtime; reads pages when its user asks)",
    "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9,application/json;q=0.9,*/*;q=0.5",
    "Accept-Encoding": ACCEPTED,
}

_NOT_PUBLIC = "This name leads to an address that is not on the public internet. Only public pages can be opened."


class Unreachable(Exception):
    """There is no answer that could be used. Its text says why, for the model."""


@dataclass(frozen=True)
class FetchLimits:
    """How much one visit may cost."""

    received: int = 2 * 2**20
    """Bytes of a body as they are sent."""
    unpacked: int = 2 * 2**20
    """Bytes of a body as they are meant."""
    seconds: float = 20.0
    """For everything together: names, redirects, the last byte."""


LIMITS = FetchLimits()


@dataclass(frozen=True)
class Fetched:
    """What was found."""

    url: str
    """Where it was in the end."""
    status: int
    media_type: str
    """In lower case, without its parameters; empty when the server does not say."""
    charset: str | None
    body: bytes
    complete: bool
    """Otherwise it was cut: it is larger than the limits, or the connection broke."""


class Fetcher:
    """Goes to the web. Without state between two visits; every method raises Forbidden and Unreachable."""

    def __init__(self, perimeter: Perimeter, resolve: Resolve | None = None) -> None:
        self._perimeter = perimeter
        self._resolve = resolve or _Names().resolve

    async def get(self, url: str, *, limits: FetchLimits = LIMITS) -> Fetched:
        """What is at this address, or where it redirects to."""
        async with self._visit(limits.seconds) as session:
            address = self._perimeter.address(url)
            for _ in range(MAX_REDIRECTS + 1):
                async with session.get(_exactly(address), allow_redirects=False) as response:
                    location = response.headers.get("Location")
                    if response.status not in _REDIRECTS or location is None:
                        return await _read(address, response, limits)
                address = self._perimeter.address(_joined(address.url, location))
            raise Unreachable("The page redirects again and again.")

    async def post(self, url: str, json: Any, headers: Mapping[str, str], *, seconds: float = POST_SECONDS) -> int:
        """Send a document there, as `json.dumps` writes it. The status of the answer; redirects are not followed."""
        async with self._visit(seconds) as session:
            address = self._perimeter.address(url)
            posting = session.post(_exactly(address), json=json, headers=headers, allow_redirects=False)
            async with posting as response:
                return response.status

    @asynccontextmanager
    async def _visit(self, seconds: float) -> AsyncIterator[aiohttp.ClientSession]:
        """A session for one visit, that ends in time. What goes wrong in it becomes words."""
        connector = aiohttp.TCPConnector(
            resolver=_CheckedNames(self._perimeter, self._resolve),
            socket_factory=self._socket,
            use_dns_cache=False,
            force_close=True,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )
        try:
            async with asyncio.timeout(seconds), session:
                yield session
        except TimeoutError:
            raise Unreachable(f"The host did not answer completely within {seconds:g} seconds.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(_told(error)) from None

    def _socket(self, address: "AddrInfoType") -> socket.socket:
        """The last gate: whatever led to it, no socket is made for an address outside."""
        family, kind, protocol, _, place = address
        if not self._perimeter.admits(place[0]):
            raise Forbidden(_NOT_PUBLIC)
        return socket.socket(family, kind, protocol)


class _CheckedNames(AbstractResolver):
    """Looks a name up for one connection. One address that is not public spoils them all."""

    def __init__(self, perimeter: Perimeter, resolve: Resolve) -> None:
        self._perimeter = perimeter
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """As aiohttp wants it. Raises Forbidden, and OSError."""
        addresses = list(dict.fromkeys(await self._resolve(host, port)))[:_MAX_ADDRESSES]
        if not addresses:
            raise OSError("a name without addresses")
        if not all(map(self._perimeter.admits, addresses)):
            log.warning("a name led to an address that is not public")
            raise Forbidden(_NOT_PUBLIC)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


class _Names:
    """The system's way from names to addresses, in threads of its own: a name that hangs holds up no other work."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="names")

    async def resolve(self, host: str, port: int) -> list[str]:
        """As in Resolve."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [str(place[0]) for *_, place in found]


async def _read(address: WebAddress, response: aiohttp.ClientResponse, limits: FetchLimits) -> Fetched:
    """The answer's body, as far as there is room for it."""
    body, received, complete = bytearray(), 0, False
    try:
        unpacking = Unpacking(response.headers.get("Content-Encoding", ""))
        async for piece in response.content.iter_chunked(_PIECE):
            received += len(piece)
            body += unpacking.feed(piece, limits.unpacked - len(body))
            if len(body) >= limits.unpacked or received >= limits.received:
                break
        else:
            complete = unpacking.complete
    except BadPacking:
        raise Unreachable("The host sends the page packed in a way that cannot be unpacked.") from None
    except aiohttp.ClientPayloadError:
        log.info("a connection broke in the middle of a body")
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    charset = response.charset and response.charset.lower()
    return Fetched(address.url, response.status, media_type, charset, bytes(body), complete)


def _exactly(address: WebAddress) -> URL:
    """The URL as the perimeter has read it: nobody reads it again in another way."""
    return URL(address.url, encoded=True)


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError:
        raise Unreachable("The page redirects to something that is no address.") from None


def _told(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "There is no host of this name, or it cannot be found at the moment."
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "The host could not prove that it is the one of this name: its certificate is not valid."
        case aiohttp.ClientConnectorError():
            return "The host does not take connections there."
        case aiohttp.ClientResponseError():
            return "The host answers something that is not HTTP, or far too much of it."
    return "The connection to the host broke."
