"""A tiny Kubernetes API on loopback, for what a real one cannot be made to do: to fail, to lie, to be slow by a moment.

It keeps objects by their path and knows just the requests that the operator makes. Whatever a real API server can be
asked is asked there, in tests/integration/operator.
"""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

Object = dict[str, Any]
CarryOut = Callable[[], web.Response]
Misbehaviour = Callable[[CarryOut, web.Request], web.Response]

INSTANCES = "/apis/claw.dev/v1alpha1/namespaces/claw/clawinstances"
SECRETS = "/api/v1/namespaces/claw/secrets"
PLANS = "/apis/claw.dev/v1alpha1/clawplans"
TEST_FAILED = "the server rejected our request due to an error in our request"


class ApiServer:
    """The objects, and what goes wrong."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.requests: list[tuple[str, str]] = []
        self.url = ""
        self.closed = asyncio.Event()
        """Set when it stops serving."""
        self._versions = itertools.count(100)
        self._misbehaviours: list[tuple[str, str, Misbehaviour]] = []

    def clear(self) -> None:
        """Begin anew, at the same address."""
        self.objects, self.requests, self._misbehaviours = {}, [], []

    def put(self, path: str, body: Object) -> Object:
        """Write an object past every rule, and return it as stored."""
        stored = deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[path] = stored
        return deepcopy(stored)

    def at(self, method: str, path: str, misbehaviour: Misbehaviour) -> None:
        """Misbehave once, at the next such request whose path begins like that."""
        self._misbehaviours.append((method, path, misbehaviour))

    def writes(self, path: str) -> int:
        """How many requests asked to change what is below the path."""
        return sum(method != "GET" and where.startswith(path) for method, where in self.requests)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ApiServer"]:
        """Serve on a free port until the block ends."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            self.closed.set()
            await runner.cleanup()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ApiClient]:
        """Connections to this server."""
        client = ApiClient(Configuration(host=self.url))
        try:
            yield client
        finally:
            await client.close()

    async def _handle(self, request: web.Request) -> web.Response:
        payload = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path))
        for planned in self._misbehaviours:
            method, path, misbehaviour = planned
            if method == request.method and request.path.startswith(path):
                self._misbehaviours.remove(planned)
                return misbehaviour(lambda: self._carry_out(request, payload), request)
        return self._carry_out(request, payload)

    def _carry_out(self, request: web.Request, payload: Any) -> web.Response:
        path = request.path.removesuffix("/status")
        match request.method:
            case "POST":
                return self._create(path, payload)
            case _ if path not in self.objects:
                return status(404, "NotFound", f"{path} not found")
            case "GET":
                return web.json_response(self.objects[path])
            case "DELETE":
                return web.json_response(self.objects.pop(path))
        return self._patch(path, payload)

    def _create(self, collection: str, body: Object) -> web.Response:
        meta = body["metadata"]
        name = meta.setdefault("name", f"{meta.get('generateName', '')}{next(self._versions)}")
        if f"{collection}/{name}" in self.objects:
            return status(409, "AlreadyExists", f"{name} already exists")
        return web.json_response(self.put(f"{collection}/{name}", _with_data(body)), status=201)

    def _patch(self, path: str, payload: Any) -> web.Response:
        body = deepcopy(self.objects[path])
        if isinstance(payload, dict):
            return self._merge(path, body, payload)
        for operation in payload:
            *parents, leaf = operation["path"].strip("/").split("/")
            parent = body
            for name in parents:
                parent = parent[name]
            if operation["op"] == "add":
                parent[leaf] = operation["value"]
            elif parent.get(leaf) != operation["value"]:
                return status(422, "Invalid", TEST_FAILED)
        stored = self.put(path, body)
        if "deletionTimestamp" in stored["metadata"] and not stored["metadata"].get("finalizers"):
            del self.objects[path]
        return web.json_response(stored)

    def _merge(self, path: str, body: Object, payload: Object) -> web.Response:
        meta = payload.pop("metadata", {})
        if meta.get("resourceVersion", body["metadata"]["resourceVersion"]) != body["metadata"]["resourceVersion"]:
            return status(
                409, "Conflict", "the object has been modified; please apply your changes to the latest version"
            )
        return web.json_response(self.put(path, _with_data(body | payload)))


def status(code: int, reason: str, message: str) -> web.Response:
    """An error as Kubernetes writes it."""
    document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return web.json_response(document | {"code": code}, status=code)


def answer(response: web.Response) -> Misbehaviour:
    """Answer that, and carry nothing out."""
    return lambda _carry_out, _request: response


def cut(_carry_out: CarryOut, request: web.Request) -> web.Response:
    """Close the connection without an answer, and carry nothing out."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def lose(carry_out: CarryOut, request: web.Request) -> web.Response:
    """Carry it out, and close the connection without an answer."""
    carry_out()
    return cut(carry_out, request)


def before(do: Callable[[], object]) -> Misbehaviour:
    """Something else happens in the moment before it is carried out."""

    def misbehave(carry_out: CarryOut, _: web.Request) -> web.Response:
        do()
        return carry_out()

    return misbehave


def after(do: Callable[[], object]) -> Misbehaviour:
    """Something else happens in the moment before the answer arrives."""

    def misbehave(carry_out: CarryOut, _: web.Request) -> web.Response:
        response = carry_out()
        do()
        return response

    return misbehave


def _with_data(body: Object) -> Object:
    """A Secret's `stringData` becomes its `data`."""
    plain = body.pop("stringData", None)
    if plain is not None:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        body["data"] = (body.get("data") or {}) | encoded
    return body


def secret_of(instance: Object, values: dict[str, bytes], owner: str | None = None) -> Object:
    """A credentials Secret with these values."""
    meta = instance["metadata"]
    return {
        "kind": "Secret",
        "metadata": {"name": f"{meta['name']}-credentials", "ownerReferences": [{"uid": owner or meta["uid"]}]},
        "data": {key: base64.b64encode(value).decode() for key, value in values.items()},
    }


def dumped(api: ApiServer) -> str:
    """Everything that the API server holds, in words."""
    return json.dumps(api.objects)
