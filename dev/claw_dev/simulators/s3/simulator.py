"""The stand-in as a whole: put, get, head, delete, and list (version 2, in pages), for path-style addresses.

Every request's signature is checked. Faults are those of all simulators; their path begins with a slash and the bucket.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

from aiohttp import web

from claw_dev.simulators.faults import Fault, FaultQueue
from claw_dev.simulators.injection import injecting
from claw_dev.simulators.s3.signatures import Signed, refusal
from claw_dev.simulators.serving import serving, wall_clock

MAX_BODY = 100_000_000
SECRET = "simulated-secret"
PAGE = 5
"""Objects in one page of a list: so few that a client that reads only the first page is found out."""

_STATUS = {"InvalidAccessKeyId": 403, "AuthorizationHeaderMalformed": 400, "XAmzContentSHA256Mismatch": 400}
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True)
class StoredObject:
    """An object."""

    content: bytes
    modified: datetime

    @property
    def etag(self) -> str:
        """As S3 computes it for an object that came in one piece."""
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'


@dataclass
class S3Simulator:
    """A stand-in that is being served."""

    bucket: str
    key_id: str
    secret: str
    region: str
    clock: Callable[[], datetime]
    faults: FaultQueue = field(default_factory=FaultQueue)
    objects: dict[str, StoredObject] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """Codes of the requests that were not signed properly."""
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """One request, signed or refused."""
        body = await request.read()
        signed = Signed(request.method, request.path, tuple(request.query.items()), request.headers, body)
        code = refusal(signed, key_id=self.key_id, secret=self.secret, region=self.region, now=self.clock())
        if code is not None:
            self.refused.append(code)
            return _error(code, _STATUS.get(code, 403))
        bucket, _, key = request.path.removeprefix("/").partition("/")
        if bucket != self.bucket:
            return _error("NoSuchBucket", 404)
        if not key:
            return self._list(request) if request.method == "GET" else _error("MethodNotAllowed", 405)
        return self._object(request.method, key, body)

    def _object(self, method: str, key: str, body: bytes) -> web.Response:
        if method == "PUT":
            self.objects[key] = StoredObject(body, self.clock())
            return web.Response(headers={"ETag": self.objects[key].etag})
        if method == "DELETE":
            self.objects.pop(key, None)
            return web.Response(status=204)
        if method not in ("GET", "HEAD"):
            return _error("MethodNotAllowed", 405)
        found = self.objects.get(key)
        if found is None:
            return _error("NoSuchKey", 404)
        headers = {"ETag": found.etag, "Last-Modified": format_datetime(found.modified, usegmt=True)}
        return web.Response(body=found.content, headers=headers)

    def _list(self, request: web.Request) -> web.Response:
        prefix, after = request.query.get("prefix", ""), request.query.get("continuation-token", "")
        keys = [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]
        page = keys[:PAGE]
        more = len(keys) > PAGE
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{found.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(found.etag)}</ETag><Size>{len(found.content)}</Size></Contents>"
            for key, found in ((key, self.objects[key]) for key in page)
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        text = (
            f"{_XML}<ListBucketResult><Name>{self.bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(page)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}"
            "</ListBucketResult>"
        )
        return web.Response(text=text, content_type="application/xml")


def _error(code: str, status: int) -> web.Response:
    text = f"{_XML}<Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


def _fault_as_error(_: web.Request, fault: Fault) -> web.Response:
    return _error("InternalError" if fault.status >= 500 else "AccessDenied", fault.status)


@asynccontextmanager
async def simulated_s3(
    *,
    bucket: str = "snapshots",
    key_id: str = "AKIDEXAMPLE",
    secret: str = SECRET,
    region: str = "us-east-1",
    clock: Callable[[], datetime] = wall_clock,
) -> AsyncIterator[S3Simulator]:
    """Serve one empty bucket on the loopback address, on a free port.

    `clock` is the time that signatures are held against, and of the objects.
    """
    simulator = S3Simulator(bucket, key_id, secret, region, clock)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[injecting(simulator.faults, _fault_as_error)])
    app.router.add_route("*", "/{path:.*}", simulator.answer)
    async with serving(app) as url:
        simulator.url = url
        yield simulator
