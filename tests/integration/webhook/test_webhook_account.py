"""Sign-in by mail, the account's page, and what can be done there."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from claw_crds.v1alpha1 import ClawPlan
from claw_dev.simulators.faults import Fault
from claw_dev.simulators.stripe.records import CheckoutSession, PortalSession
from claw_webhook.front.passes import SESSION_LIFETIME, SIGN_IN_LIFETIME
from claw_webhook.front.stripe_shop import sync_catalog
from claw_webhook.front.visitors import SESSION
from claw_webhook.services import utc_now
from claw_webhook.stripe_api import open_stripe
from tests.eventually import eventually
from tests.integration.webhook.conftest import ADA, PUBLIC_URL, Answer, World, bodies

_LINK = re.compile(re.escape(PUBLIC_URL) + r"(/sign-in/[A-Za-z0-9_-]{43})")
PRO = ClawPlan.model_validate(yaml.safe_load((Path(__file__).parents[3] / "charts/claw/plans/pro.yaml").read_text()))
OTHER_SITE = {"Origin": "https://evil.example"}


async def ask(world: World, email: str = ADA.email) -> Answer:
    """Somebody asks for a link."""
    return await world.post("/sign-in", data={"email": email})


async def sign_in_link(world: World) -> str:
    """The path in the newest mail that has one."""

    def found() -> str | None:
        texts = [bodies(mail)[0] for mail in reversed(world.mails.mails)]
        return next((match[1] for text in texts if (match := _LINK.search(text))), None)

    link = await eventually(found, describe=world.story)
    assert link is not None
    return link


async def enter(world: World) -> dict[str, str]:
    """Sign in by mail. Returns the header that the browser sends from now on."""
    await ask(world)
    answer = await world.post(await sign_in_link(world), allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/account")
    return cookie_of(answer)


def cookie_of(answer: Answer) -> dict[str, str]:
    """The header that sends back the session's cookie."""
    return {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}


async def account(world: World, me: dict[str, str]) -> str:
    """The account's page."""
    async with world.client.get(f"{world.url}/account", headers=me) as response:
        assert response.status == 200
        return await response.text()


async def account_that_says(world: World, me: dict[str, str], words: str) -> str:
    """The account's page, once it says so."""
    page = ""

    async def says() -> bool:
        nonlocal page
        page = await account(world, me)
        return words in page

    await eventually(says, 15, describe=lambda: page)
    return page


async def test_a_link_in_a_mail_signs_in_once(world: World) -> None:
    async with world.running():
        await world.buy_and_provision()
        await world.key_link()
        await ask(world)
        link = await sign_in_link(world)
        for _ in range(2):  # as mail scanners do
            assert '<form method="post">' in (await world.get(link)).text
        answer = await world.post(link, allow_redirects=False)
        for attribute in ("HttpOnly", "Secure", "SameSite=Lax"):
            assert attribute in answer.headers["Set-Cookie"]
        page = await account(world, cookie_of(answer))
        assert ADA.email in page
        assert "the day of the next payment" in page
        assert "http://127.0.0.1:4242" in page
        for again in (await world.get(link), await world.post(link)):
            assert (again.status, "This link is over" in again.text) == (410, True)


async def test_the_answer_does_not_tell_whether_an_address_is_known(world: World) -> None:
    async with world.running():
        await world.buy_and_provision()
        known, unknown = await ask(world, ADA.email.upper()), await ask(world, "nobody@example.com")
        assert (known.status, known.text) == (unknown.status, unknown.text)
        await sign_in_link(world)
        causes = await world.rows("SELECT cause FROM outbox WHERE cause = 'sign_in'")
        assert len(causes) == 1


@pytest.mark.parametrize("email", ["", "ada", "a@b\r\nBcc: x@y", "x" * 300 + "@example.com"])
async def test_what_is_no_address_is_said_to_be_none(world: World, email: str) -> None:
    async with world.running():
        answer = await ask(world, email)
        assert (answer.status, "That is not a mail address" in answer.text) == (422, True)


async def test_links_are_not_mailed_without_end(world: World) -> None:
    async with world.running():
        answers = [await ask(world, f"{number}@example.com") for number in range(6)]
        assert [answer.status for answer in answers] == [200] * 5 + [429]


async def test_one_customer_gets_few_links_whoever_asks_from_wherever(world: World) -> None:
    async with world.running():
        await world.buy_and_provision()
        await world.key_link()
        for number in range(8):
            headers = {"X-Forwarded-For": f"8.8.8.{number}"}
            answer = await world.post("/sign-in", data={"email": ADA.email}, headers=headers)
            assert answer.status == 200
        assert len(await world.rows("SELECT id FROM outbox WHERE cause = 'sign_in'")) == 5


async def test_links_and_sessions_expire(world: World) -> None:
    later = timedelta()
    clock: Callable[[], datetime] = lambda: utc_now() + later  # noqa: E731
    async with world.running(clock=clock):
        await world.buy_and_provision()
        me = await enter(world)
        await ask(world)
        await eventually(lambda: len(world.mails.mails) == 3)
        link = await sign_in_link(world)
        later = SIGN_IN_LIFETIME + timedelta(minutes=1)
        assert (await world.post(link)).status == 410
        await account(world, me)
        later = SESSION_LIFETIME + timedelta(minutes=1)
        async with world.client.get(f"{world.url}/account", headers=me, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/sign-in")


async def test_signing_out_ends_the_session_everywhere(world: World) -> None:
    async with world.running():
        await world.buy_and_provision()
        me = await enter(world)
        answer = await world.post("/sign-out", headers=me, allow_redirects=False)
        assert (answer.status, f'{SESSION}=""' in answer.headers["Set-Cookie"]) == (303, True)
        async with world.client.get(f"{world.url}/account", headers=me, allow_redirects=False) as response:
            assert response.status == 303


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/" + "x" * 43, "/sign-out", "/portal", "/account/export"])
async def test_other_sites_cannot_use_a_customers_cookies(world: World, path: str) -> None:
    async with world.running():
        assert (await world.post(path, headers=OTHER_SITE)).status == 403
        assert (await world.post(path, headers={"Origin": "null"})).status == 403
        assert (await world.post(path, headers={"Sec-Fetch-Site": "cross-site"})).status == 403
        own = await world.post(path, headers={"Origin": PUBLIC_URL}, allow_redirects=False)
        assert own.status != 403


@pytest.mark.parametrize("path", ["/portal", "/account/export"])
async def test_who_is_not_signed_in_is_asked_to(world: World, path: str) -> None:
    async with world.running():
        answer = await world.post(path, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/sign-in")


async def test_the_portal_is_the_customers_own(world: World) -> None:
    async with world.running():
        subscription = await world.buy_and_provision()
        async with open_stripe("sk_test_simulator", base=world.stripe.url) as api:
            await sync_catalog(api.client, [PRO], dry_run=False)
        answer = await world.post("/portal", headers=await enter(world), allow_redirects=False)
        (visit,) = world.stripe.account.all(PortalSession)
        assert (answer.status, answer.headers["Location"]) == (303, visit.url)
        assert (visit.customer, visit.return_url) == (world.customer_of(subscription).id, f"{PUBLIC_URL}/account")


async def test_while_stripe_is_away_the_portal_says_so(world: World) -> None:
    async with world.running():
        await world.buy_and_provision()
        me = await enter(world)
        fault = Fault.model_validate({"kind": "error", "path": "/v1/billing_portal", "status": 500, "times": 20})
        await world.controls.inject(fault)
        assert (await world.post("/portal", headers=me)).status == 503


async def test_the_account_tells_how_it_stands(world: World) -> None:
    async with world.running():
        subscription = await world.buy_and_provision()
        me = await enter(world)
        await world.controls.cancel(subscription, at_period_end=True)
        await account_that_says(world, me, "Your assistant runs until")
        await world.controls.cancel(subscription)
        page = await account_that_says(world, me, "Its data is kept until")
        assert "Come back to Pro" in page
        assert "Download my data" in page
        assert "http://127.0.0.1:4242" not in page


async def test_coming_back_is_a_checkout_that_takes_over_what_was_kept(world: World) -> None:
    async with world.running():
        ended = await world.buy_and_provision()
        me = await enter(world)
        order = {"plan": "pro", "resumes": ended}
        assert (await world.post("/checkout", data=order, headers=me, allow_redirects=False)).status == 409
        await world.controls.cancel(ended)
        await account_that_says(world, me, "Come back to Pro")

        assert (await world.post("/checkout", data=order, allow_redirects=False)).status == 409
        answer = await world.post("/checkout", data=order, headers=me, allow_redirects=False)
        session = world.stripe.account.all(CheckoutSession)[0]
        assert (answer.status, answer.headers["Location"]) == (303, session.url)
        assert session.subscription_metadata["claw_resumes"] == session.metadata["claw_resumes"] == ended
        assert session.customer == world.customer_of(ended).id

        await world.controls.complete_checkout(
            ADA.model_copy(update={"session": session.id, "price": None, "metadata": {}})
        )
        page = await account_that_says(world, me, "the next payment")
        assert "http://127.0.0.1:4242" in page
        assert len(await world.cluster.instances()) == 1


async def test_a_customers_data_is_the_customers_alone(world: World) -> None:
    async with world.running():
        await world.buy_and_provision()
        me = await enter(world)
        others = await world.buy_and_provision(ADA.model_copy(update={"email": "bob@example.com"}))
        answer = await world.post("/account/export", data={"subscription": others}, headers=me, allow_redirects=False)
        assert answer.status == 404


async def test_a_customer_gets_a_link_to_their_data(world: World) -> None:
    async with world.running():
        mine = await world.buy_and_provision()
        me = await enter(world)
        answer = await world.post("/account/export", data={"subscription": mine}, headers=me, allow_redirects=False)
        assert (answer.status, answer.headers["Location"].startswith("/exports/")) == (303, True)
        assert "Download your data" in (await world.get(answer.headers["Location"])).text
