"""Connecting a Google account from the account's page."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from claw_runtime.routes.google import Integration, IntegrationList
from tests.integration.webhook.conftest import World
from tests.integration.webhook.runtimes import ADDRESS, KEY, OTHER_UID, STATE_TAIL, Served, connect, served
from tests.integration.webhook.test_webhook_account import OTHER_SITE, account

CONSENT = "https://accounts.google.com/o/oauth2/v2/auth?state=x"


@pytest.fixture
async def ada(world: World) -> AsyncIterator[Served]:
    world.environment["CLAW_GOOGLE_CLIENT_ID"] = "client"
    async with world.running(), served(world) as customer:
        yield customer


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
