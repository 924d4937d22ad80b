"""What Google tells of a customer's account, on its way to their runtime."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.webhook.conftest import World
from tests.integration.webhook.runtimes import ADDRESS, OTHER_UID, Served, connect, served


@pytest.fixture
async def ada(world: World) -> AsyncIterator[Served]:
    world.environment["CLAW_GOOGLE_CLIENT_ID"] = "client"
    async with world.running(), served(world) as customer:
        yield customer


def push(address: str = ADDRESS) -> dict[str, Any]:
    """As Pub/Sub sends it."""
    data = json.dumps({"emailAddress": address, "historyId": 7}).encode()
    return {"message": {"data": base64.b64encode(data).decode(), "messageId": "1"}, "subscription": "projects/p/s"}


async def test_disconnecting_tells_the_runtime_and_ends_the_pushes(ada: Served) -> None:
    await connect(ada)
    status, _, _ = await ada.post(f"/account/google/{ada.subscription}/disconnect")
    assert (status, ada.runtime.calls[-1].method) == (303, "DELETE")
    calls = len(ada.runtime.calls)
    assert (await ada.world.post("/google/gmail", json=push())).status == 204
    assert len(ada.runtime.calls) == calls


async def test_a_push_reaches_the_runtime_whose_mailbox_it_is_as_it_was_sent(ada: Served) -> None:
    await connect(ada)
    body = json.dumps(push(ADDRESS.lower())).encode()
    headers = {"Authorization": "Bearer of.pub.sub", "Content-Type": "application/json"}
    answer = await ada.world.post("/google/gmail", data=body, headers=headers)
    assert answer.status == 204
    call = ada.runtime.calls[-1]
    assert (call.path, call.body) == ("/webhooks/gmail", body)
    assert call.headers["Authorization"] == "Bearer of.pub.sub"


async def test_a_push_for_nobody_is_taken_so_that_it_does_not_come_again(ada: Served) -> None:
    assert (await ada.world.post("/google/gmail", json=push("nobody@gmail.com"))).status == 204
    assert ada.runtime.calls == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b'{"message": 1}', 400),
        (b'{"message": {}}', 204),
        (b'{"message": {"data": "%%%"}}', 204),
        (b'{"message": {"data": "W10="}}', 204),
        (b'{"message": {"data": "eyJlbWFpbEFkZHJlc3MiOiJ4In0="}}', 204),
        (b"x" * 70_000, 413),
        (b"x" * 300_000, 413),
    ],
)
async def test_what_is_no_push_reaches_nobody(ada: Served, body: bytes, status: int) -> None:
    answer = await ada.world.post("/google/gmail", data=body, headers={"Content-Type": "application/json"})
    assert answer.status == status
    assert ada.runtime.calls == []


@pytest.mark.parametrize(
    ("said", "answered"), [(204, 204), (200, 204), (402, 204), (410, 204), (401, 401), (500, 503), (503, 503)]
)
async def test_google_learns_whether_it_has_to_come_again(ada: Served, said: int, answered: int) -> None:
    await connect(ada)
    ada.runtime.answers["POST /webhooks/gmail"] = (said, None)
    assert (await ada.world.post("/google/gmail", json=push())).status == answered


async def test_pushes_for_one_mailbox_are_bounded(ada: Served) -> None:
    await connect(ada)
    statuses = {(await ada.world.post("/google/gmail", json=push())).status for _ in range(40)}
    assert statuses == {204, 429}


async def test_a_calendars_notification_reaches_the_runtime_that_its_token_names(ada: Served) -> None:
    headers = {
        "X-Goog-Channel-ID": "channel-1",
        "X-Goog-Channel-Token": f"{ada.uid}.secret",
        "X-Goog-Resource-State": "exists",
        "X-Goog-Message-Number": "2",
        "Cookie": "claw_session=x",
    }
    assert (await ada.world.post("/google/calendar", headers=headers)).status == 204
    call = ada.runtime.calls[-1]
    assert call.path == "/webhooks/calendar"
    assert {name: call.headers[name] for name in headers if name.startswith("X-Goog")} == {
        name: value for name, value in headers.items() if name.startswith("X-Goog")
    }
    assert "Cookie" not in call.headers


@pytest.mark.parametrize(
    ("token", "status"),
    [("", 400), ("x", 400), (f"{OTHER_UID}.", 400), (f"{OTHER_UID}.{'x' * 999}", 400), (f"{OTHER_UID}.x", 204)],
)
async def test_a_notification_that_names_nobody_of_ours_reaches_nobody(ada: Served, token: str, status: int) -> None:
    answer = await ada.world.post("/google/calendar", headers={"X-Goog-Channel-Token": token})
    assert answer.status == status
    assert ada.runtime.calls == []


async def test_while_the_database_is_away_google_is_asked_to_come_again(ada: Served) -> None:
    await connect(ada)
    await ada.world.database_wire.cut()
    assert (await ada.world.post("/google/gmail", json=push())).status == 503
    await ada.world.database_wire.join()
