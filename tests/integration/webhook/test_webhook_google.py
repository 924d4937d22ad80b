"""Connecting a Google account from the account's page, and what Google tells afterwards, on its way to the runtime."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from claw_runtime.routes.google import Integration, IntegrationList
from tests.integration.webhook.conftest import World
from tests.integration.webhook.runtimes import KEY, STATE_TAIL, Served, served
from tests.integration.webhook.test_webhook_account import OTHER_SITE, account

CONSENT = "https://accounts.google.com/o/oauth2/v2/auth?state=x"
ADDRESS = "Ada.Private@gmail.com"
OTHER_UID = "8f3c9d5e-0000-4000-8000-000000000001"


@pytest.fixture
async def ada(world: World) -> AsyncIterator[Served]:
    world.environment["CLAW_GOOGLE_CLIENT_ID"] = "client"
    async with world.running(), served(world) as customer:
        yield customer


async def connect(ada: Served, address: str = ADDRESS) -> None:
    """All the way."""
    integration = Integration(connected=True, address=address, scopes=("gmail",))
    ada.runtime.answers["POST /api/integrations/google/callback"] = (200, integration.wire())
    status, _, place = await ada.get(f"/google/callback?code=4/abc&state={ada.state}")
    assert (status, place) == (303, f"/account/google/{ada.subscription}")


def push(address: str = ADDRESS) -> dict[str, Any]:
    """As Pub/Sub sends it."""
    data = json.dumps({"emailAddress": address, "historyId": 7}).encode()
    return {"message": {"data": base64.b64encode(data).decode(), "messageId": "1"}, "subscription": "projects/p/s"}


async def test_the_account_leads_to_the_page_where_google_is_connected(ada: Served) -> None:
    page = f"/account/google/{ada.subscription}"
    assert page in await account(ada.world, ada.me)
    ada.runtime.answers["GET /api/integrations"] = (200, {"integrations": [{"name": "google", "connected": False}]})
    status, text, _ = await ada.get(page)
    assert (status, "Connect Google" in text, "Disconnect" in text) == (200, True, False)
    assert ada.runtime.calls[-1].headers["Authorization"] == f"Bearer {KEY}"


async def test_where_nobody_has_set_google_up_nothing_leads_there(world: World) -> None:
    async with world.running(), served(world) as customer:
        assert "/account/google/" not in await account(world, customer.me)


async def test_the_customer_is_sent_to_google_and_comes_back_connected(ada: Served) -> None:
    ada.runtime.answers["POST /api/integrations/google"] = (200, {"authorizationUrl": CONSENT, "state": ada.state})
    form = {"scope": ["gmail", "calendar", "drive"]}
    status, _, place = await ada.post(f"/account/google/{ada.subscription}/connect", data=form)
    assert (status, place) == (303, CONSENT)
    assert json.loads(ada.runtime.calls[-1].body) == {"scopes": ["gmail", "calendar"]}

    await connect(ada)
    assert json.loads(ada.runtime.calls[-1].body) == {"code": "4/abc", "state": ada.state}
    integration = Integration(connected=True, address=ADDRESS, scopes=("gmail",), problem="<b>expired</b>")
    ada.runtime.answers["GET /api/integrations"] = (200, IntegrationList(integrations=(integration,)).wire())
    _, text, _ = await ada.get(f"/account/google/{ada.subscription}")
    assert ADDRESS in text
    assert "&lt;b&gt;expired&lt;/b&gt;" in text
    assert "Disconnect" in text


async def test_the_address_itself_is_not_kept(ada: Served) -> None:
    await connect(ada)
    rows = await ada.world.rows("SELECT * FROM mailboxes")
    assert [row["instance"] for row in rows] == [ada.instance]
    assert "ada" not in str(rows).lower()


async def test_somebody_who_says_no_reads_a_kind_word(ada: Served) -> None:
    status, text, _ = await ada.get(f"/google/callback?error=access_denied&state={ada.state}")
    assert (status, "You said no" in text) == (200, True)
    status, text, _ = await ada.get(f"/google/callback?error=<b>server_error&state={ada.state}")
    assert (status, "You can try again" in text, "<b>" in text) == (200, True, False)
    assert await ada.world.rows("SELECT * FROM mailboxes") == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=4/abc",
        "state=&code=4/abc",
        "state=x&code=4/abc",
        f"state={OTHER_UID}&code=4/abc",
        f"state={OTHER_UID}.short&code=4/abc",
        f"state={OTHER_UID.upper()}{STATE_TAIL}&code=4/abc",
        f"state={OTHER_UID}{STATE_TAIL}%0d%0aX:y&code=4/abc",
        f"state={OTHER_UID}.{'x' * 600}&code=4/abc",
    ],
)
async def test_an_address_that_google_did_not_lead_to_connects_nothing(ada: Served, query: str) -> None:
    status, text, _ = await ada.get(f"/google/callback?{query}")
    assert (status, "Nothing was connected" in text) == (400, True)
    assert ada.runtime.calls == []


@pytest.mark.parametrize("code", ["", "a%00b", "x" * 3000])
async def test_a_code_that_is_none_goes_nowhere(ada: Served, code: str) -> None:
    status, _, _ = await ada.get(f"/google/callback?code={code}&state={ada.state}")
    assert status == 400
    assert ada.runtime.calls == []


async def test_the_state_of_another_customers_instance_opens_nothing(ada: Served) -> None:
    status, _, _ = await ada.get(f"/google/callback?code=4/abc&state={OTHER_UID}{STATE_TAIL}")
    assert status == 404
    eve = await ada.world.buy(email="eve@example.com", name="Eve")
    status, _, _ = await ada.get(f"/account/google/{eve}")
    assert status == 404
    assert ada.runtime.calls == []


async def test_who_is_not_signed_in_connects_nothing(ada: Served) -> None:
    status, text, _ = await ada.get(f"/google/callback?code=4/abc&state={ada.state}", me={})
    assert (status, "Sign in" in text) == (403, True)
    status, _, place = await ada.get(f"/account/google/{ada.subscription}", me={})
    assert (status, place) == (303, "/sign-in")
    assert ada.runtime.calls == []


async def test_a_form_of_another_site_is_refused(ada: Served) -> None:
    for what in ("connect", "disconnect"):
        form = {"scope": "gmail"}
        status, _, _ = await ada.post(f"/account/google/{ada.subscription}/{what}", data=form, headers=OTHER_SITE)
        assert status == 403
    assert ada.runtime.calls == []


@pytest.mark.parametrize("form", [{}, {"scope": "drive"}, {"scope": ""}])
async def test_nothing_chosen_is_said_so(ada: Served, form: dict[str, str]) -> None:
    status, text, _ = await ada.post(f"/account/google/{ada.subscription}/connect", data=form)
    assert (status, "Choose at least one" in text) == (422, True)


@pytest.mark.parametrize(
    "place", ["https://evil.example/", "https://accounts.google.com.evil.example/", "javascript:alert(1)", ""]
)
async def test_no_runtime_leads_a_customer_anywhere_but_to_google(ada: Served, place: str) -> None:
    ada.runtime.answers["POST /api/integrations/google"] = (200, {"authorizationUrl": place, "state": "x"})
    status, _, leads = await ada.post(f"/account/google/{ada.subscription}/connect", data={"scope": "gmail"})
    assert (status, leads) == (503, "")


async def test_what_the_runtime_refuses_is_told_in_its_words(ada: Served) -> None:
    detail = "The plan Starter does not include Gmail. <script>alert(1)</script>"
    ada.runtime.answers["POST /api/integrations/google"] = (403, {"type": "…/skill-not-in-plan", "detail": detail})
    status, text, _ = await ada.post(f"/account/google/{ada.subscription}/connect", data={"scope": "gmail"})
    assert status == 409
    assert "The plan Starter does not include Gmail." in text
    assert "<script>" not in text


@pytest.mark.parametrize(
    "answer", [(500, None), (200, []), (200, {"integrations": [{"scopes": 3}]}), (200, {"x": "y" * 100_000})]
)
async def test_a_runtime_that_does_not_answer_properly_is_said_so(ada: Served, answer: tuple[int, Any]) -> None:
    ada.runtime.answers["GET /api/integrations"] = answer
    status, text, _ = await ada.get(f"/account/google/{ada.subscription}")
    assert (status, "try again in a minute" in text) == (503, True)


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
