"""ClawInstances made and removed by hand, and the moment at which each was seen in which state.

Everything goes through one bare session with the API server, so that the measuring costs little. Moments are those of
the monotonic clock, which all processes of a machine share.
"""

import asyncio
import json
import re
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from claw_crds.v1alpha1 import API_VERSION, GROUP, VERSION, ClawInstance
from claw_operator.kube import Kube

Body = dict[str, Any]

_LONGEST_LINE = 2**20
_AT_ONCE = 8
_AGAIN = 0.1
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE"}


@asynccontextmanager
async def api_session(kubeconfig: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A bare session with the API server, as the kubeconfig says."""
    async with Kube.connect(kubeconfig) as kube:
        access = await kube.access()
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=access.ca_path))
    headers = {"Authorization": f"Bearer {access.token}"}
    async with aiohttp.ClientSession(
        access.server, connector=connector, headers=headers, read_bufsize=_LONGEST_LINE
    ) as session:
        yield session


async def present_version(session: aiohttp.ClientSession, namespace: str) -> str:
    """The version of the namespace's instances as they are now, for `watch` to begin at."""
    async with _asked(session, namespace) as response:
        return str((await response.json())["metadata"]["resourceVersion"])


async def watch(session: aiohttp.ClientSession, namespace: str, version: str) -> AsyncIterator[tuple[str, Body]]:
    """What happens to the namespace's instances after that version, as (type, object), for ever."""
    while True:
        async with _asked(session, namespace, watch="1", resourceVersion=version) as response:
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise RuntimeError(f"the watch of {namespace} was ended: {event['object'].get('message')}")
                version = event["object"]["metadata"]["resourceVersion"]
                yield event["type"], event["object"]
        # The API server hangs up on those who read too slowly, as everybody does on a busy machine.


@asynccontextmanager
async def _asked(
    session: aiohttp.ClientSession, namespace: str, **parameters: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    endless = aiohttp.ClientTimeout(total=None)
    while True:
        async with session.get(_path(namespace), params=parameters, timeout=endless) as response:
            if response.status != 429:
                response.raise_for_status()
                yield response
                return
        await asyncio.sleep(_AGAIN)  # the API server has known the kind for a moment only


class Crowd:
    """The instances of one namespace. Made by `gathering`."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str) -> None:
        self.asked: dict[str, float] = {}
        """When the API server was asked to create it."""
        self.seen: dict[str, float] = {}
        self.ready: dict[str, float] = {}
        self.gone: dict[str, float] = {}
        self.statuses: dict[str, list[Body]] = {}
        """All that it ever had, in order."""
        self._session = session
        self._path = _path(namespace)
        self._changed = asyncio.Event()

    async def create(self, name: str) -> None:
        """Wish for one."""
        manifest = {
            "apiVersion": API_VERSION,
            "kind": ClawInstance.KIND,
            "metadata": {"name": name},
            "spec": {
                "customer": {"id": "cus_1", "email": "ada@example.com", "name": "Ada"},
                "planRef": {"name": "pro"},
            },
        }
        self.asked[name] = time.monotonic()
        async with self._session.post(self._path, json=manifest) as response:
            response.raise_for_status()

    async def delete(self, name: str) -> None:
        """Wish for its end."""
        async with self._session.delete(f"{self._path}/{name}") as response:
            response.raise_for_status()

    async def create_all(self, names: Collection[str]) -> float:
        """A burst: all of them, some at the same time. Returns the moment at which it began."""
        begun = time.monotonic()
        await _side_by_side(self.create, names)
        return begun

    async def delete_all(self, names: Collection[str]) -> float:
        """The same with deletions."""
        begun = time.monotonic()
        await _side_by_side(self.delete, names)
        return begun

    async def until(self, moments: Mapping[str, float], names: Collection[str], seconds: float) -> float:
        """Wait until all of them are in `seen`, `ready` or `gone`; the moment of the last one."""
        missing = set(names)
        try:
            async with asyncio.timeout(seconds):
                while missing := {name for name in missing if name not in moments}:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            one = min(missing)
            why = _ready(self.statuses.get(one, [{}])[-1]).get("message", "nothing is known")
            raise TimeoutError(f"{len(missing)} of {len(names)} not within {seconds:.0f} s; {one}: {why}") from None
        return max(moments[name] for name in names)

    async def follow(self, events: AsyncIterator[tuple[str, Body]]) -> None:
        """Note what happens, for as long as it is told."""
        async for kind, body in events:
            now, name = time.monotonic(), body["metadata"]["name"]
            self._note_status(name, body.get("status", {}))
            self.seen.setdefault(name, now)
            if kind == "DELETED":
                self.gone.setdefault(name, now)
            elif is_ready(body.get("status", {})):
                self.ready.setdefault(name, now)
            self._changed.set()

    def _note_status(self, name: str, status: Body) -> None:
        known = self.statuses.setdefault(name, [{}])
        if known[-1] != status:
            known.append(status)


@asynccontextmanager
async def gathering(session: aiohttp.ClientSession, namespace: str) -> AsyncIterator[Crowd]:
    """A crowd that is watched until the block ends."""
    crowd = Crowd(session, namespace)
    events = watch(session, namespace, await present_version(session, namespace))
    async with asyncio.TaskGroup() as group:
        following = group.create_task(crowd.follow(events))
        yield crowd
        following.cancel()


async def api_writes(session: aiohttp.ClientSession) -> Counter[str]:
    """How many writes the API server has carried out so far, as it counts them itself: by verb and resource."""
    async with session.get("/metrics") as response:
        response.raise_for_status()
        return writes_in(await response.text())


def writes_in(metrics: str) -> Counter[str]:
    """The successful writes in what the API server tells Prometheus, for example under `PATCH pods/status`."""
    writes: Counter[str] = Counter()
    for line in metrics.splitlines():
        if line.startswith("apiserver_request_total{"):
            labels, _, value = line.rpartition(" ")
            found = dict(_LABEL.findall(labels))
            if found["verb"] in _WRITES and found["code"].startswith("2"):
                thing = "/".join(filter(None, (found["resource"], found["subresource"])))
                writes[f"{found['verb']} {thing}"] += round(float(value))
    return writes


async def _side_by_side(do: Callable[[str], Awaitable[None]], names: Collection[str]) -> None:
    waiting = iter(names)

    async def work() -> None:
        for name in waiting:
            await do(name)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())


def is_ready(status: Body) -> bool:
    """Whether the instance with this status serves its customer."""
    return _ready(status).get("status") == "True"


def _ready(status: Body) -> Body:
    conditions: list[Body] = status.get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == "Ready"), {})


def _path(namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{ClawInstance.PLURAL}"
