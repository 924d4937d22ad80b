"""Watching an API server that ends, forgets, breaks off and refuses."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from claw_crds.v1alpha1 import ClawInstanceSpec
from claw_webhook.instances import (
    Change,
    Changed,
    ClusterRejected,
    ClusterUnavailable,
    Gone,
    Instances,
    Listed,
    connect,
)

INSTANCES = "/apis/claw.dev/v1alpha1/namespaces/claw/clawinstances"
SPEC = ClawInstanceSpec.model_validate(
    {"customer": {"id": "cus_1", "email": "ada@example.com", "name": "Ada 👩‍🚀"}, "planRef": {"name": "pro"}}
)


def instance(name: str, version: int) -> dict[str, Any]:
    return {"kind": "ClawInstance", "metadata": {"name": name, "resourceVersion": str(version)}}


def line(kind: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def gone() -> bytes:
    return line("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})


@dataclass
class ApiServer:
    """Answers lists with `listed`, each watch with the next of `watches` (None: refused), and keeps the questions."""

    listed: list[dict[str, Any]] = field(default_factory=list)
    version: int = 1
    watches: list[list[bytes] | None] = field(default_factory=list)
    answer: tuple[int, dict[str, Any]] = (200, {})
    lists: int = 0
    watched_from: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            self.bodies.append(await request.read())
            return web.json_response(self.answer[1], status=self.answer[0])
        if "watch" not in request.query:
            self.lists += 1
            return web.json_response({"metadata": {"resourceVersion": str(self.version)}, "items": self.listed})
        self.watched_from.append(request.query["resourceVersion"])
        lines = self.watches.pop(0) if self.watches else None
        if lines is None:
            return web.json_response({"message": "etcd is away"}, status=500)
        response = web.StreamResponse()
        await response.prepare(request)
        for one in lines:
            await response.write(one)
        return response


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@asynccontextmanager
async def cluster_of(server: ApiServer, directory: Path) -> AsyncIterator[tuple[Instances, list[str]]]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    causes: list[str] = []
    try:
        async with connect(kubeconfig) as api:
            yield (
                Instances(api, namespace="claw", random=lambda: 0.0, restarted=lambda _, cause: causes.append(cause)),
                causes,
            )
    finally:
        await runner.cleanup()


async def first(changes: AsyncIterator[Change], number: int) -> list[Change]:
    return [await anext(changes) for _ in range(number)]


async def test_first_what_there_is_then_what_happens(server: ApiServer, tmp_path: Path) -> None:
    server.listed = [instance("a", 5)]
    server.version = 7
    server.watches = [[line("ADDED", instance("b", 8)), line("DELETED", instance("a", 9))]]
    async with cluster_of(server, tmp_path) as (instances, _):
        changes = await first(instances.watch_instances(), 3)
    assert changes == [Listed((instance("a", 5),)), Changed(instance("b", 8)), Gone("a")]
    assert server.watched_from == ["7"]


async def test_a_watch_that_ends_is_resumed_after_the_last_bookmark_without_a_list(
    server: ApiServer, tmp_path: Path
) -> None:
    server.watches = [
        [line("ADDED", instance("a", 2)), line("BOOKMARK", instance("", 50))],
        [line("MODIFIED", instance("a", 51))],
    ]
    async with cluster_of(server, tmp_path) as (instances, causes):
        changes = await first(instances.watch_instances(), 3)
    assert changes[1:] == [Changed(instance("a", 2)), Changed(instance("a", 51))]
    assert (server.watched_from, server.lists, causes) == (["1", "50"], 1, ["ended"])


async def test_a_watch_from_too_long_ago_begins_with_a_new_list(server: ApiServer, tmp_path: Path) -> None:
    server.watches = [[line("ADDED", instance("a", 2)), gone()], []]
    async with cluster_of(server, tmp_path) as (instances, causes):
        watch = instances.watch_instances()
        await first(watch, 2)
        server.listed, server.version = [instance("b", 90)], 91
        assert await anext(watch) == Listed((instance("b", 90),))
    assert causes == ["expired"]


async def test_what_broke_off_in_the_middle_of_a_line_is_asked_for_again(server: ApiServer, tmp_path: Path) -> None:
    half = line("MODIFIED", instance("a", 3))[:20]
    server.watches = [[line("ADDED", instance("a", 2)), half], None, [line("MODIFIED", instance("a", 3))]]
    async with cluster_of(server, tmp_path) as (instances, causes):
        changes = await first(instances.watch_instances(), 3)
    assert changes[1:] == [Changed(instance("a", 2)), Changed(instance("a", 3))]
    assert server.watched_from == ["1", "2", "2"]
    assert causes == ["failed", "failed"]


async def test_an_object_of_more_than_a_megabyte_does_not_end_the_watch(server: ApiServer, tmp_path: Path) -> None:
    large = instance("a", 2) | {"spec": {"persona": "x" * 1_400_000}}
    server.watches = [[line("ADDED", large)]]
    async with cluster_of(server, tmp_path) as (instances, _):
        assert (await first(instances.watch_instances(), 2))[1] == Changed(large)


async def test_only_what_billing_decides_is_applied_and_in_utf_8(server: ApiServer, tmp_path: Path) -> None:
    async with cluster_of(server, tmp_path) as (instances, _):
        await instances.apply("claw-1", subscription="sub_1", spec=SPEC)
    (body,) = server.bodies
    assert "👩‍🚀".encode() in body  # as an escaped surrogate pair the API server's YAML reader refuses it
    assert set(json.loads(body)["spec"]) == {"customer", "planRef"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (422, ClusterRejected),
        (400, ClusterRejected),
        (401, ClusterUnavailable),
        (403, ClusterUnavailable),
        (404, ClusterUnavailable),  # the namespace is not there yet
        (409, ClusterUnavailable),
        (429, ClusterUnavailable),
        (500, ClusterUnavailable),
    ],
)
async def test_a_refusal_is_told_apart_from_a_bad_moment(
    server: ApiServer, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    server.answer = (status, {"message": "spec.customer.email: Invalid value"})
    async with cluster_of(server, tmp_path) as (instances, _):
        with pytest.raises(error, match=r"spec\.customer\.email"):
            await instances.apply("claw-1", subscription="sub_1", spec=SPEC)


async def test_deleting_what_is_gone_is_done(server: ApiServer, tmp_path: Path) -> None:
    server.answer = (404, {"message": "not found"})
    async with cluster_of(server, tmp_path) as (instances, _):
        await instances.delete("claw-1", uid="uid-1", version="7")


async def test_only_what_was_looked_at_is_deleted(server: ApiServer, tmp_path: Path) -> None:
    server.answer = (409, {"message": "the resourceVersion does not match"})
    async with cluster_of(server, tmp_path) as (instances, _):
        with pytest.raises(ClusterUnavailable, match="does not match"):
            await instances.delete("claw-1", uid="uid-1", version="7")
    assert json.loads(server.bodies[0])["preconditions"] == {"uid": "uid-1", "resourceVersion": "7"}
