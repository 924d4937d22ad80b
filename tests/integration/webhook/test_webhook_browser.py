"""A person with a browser: from the plans to the key, and from a mail to Stripe's portal. Nothing but clicks.

What only a browser can tell is tried here: that the pages' own policy lets their script and their forms work, also
through redirects to Stripe, and that the cookies and origins which browsers send are those that are asked for.
"""

import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import yaml

from claw_crds.v1alpha1 import ClawPlan
from claw_dev.browser import Browser, browser, find_chromium
from claw_dev.errors import StackError
from claw_dev.ports import free_port
from claw_dev.simulators.serving import serving
from claw_dev.simulators.stripe.records import Subscription
from claw_webhook.app import create_app
from claw_webhook.front.stripe_shop import sync_catalog
from claw_webhook.settings import Settings
from claw_webhook.stripe_api import open_stripe
from tests.eventually import eventually
from tests.integration.webhook.conftest import SECRET, World, bodies

PLANS = Path(__file__).parents[3] / "charts/claw/plans"


class Person:
    """Somebody who reads pages and presses buttons."""

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium

    async def go(self, url: str) -> None:
        """Type an address."""
        await self._chromium.open(url)

    async def reads(self, words: str) -> None:
        """Wait until the page says so."""
        await eventually(lambda: self._sees(words), 20, describe=self._page)

    async def press(self, words: str) -> None:
        """Press the first button or link that says so, as soon as it is there."""
        await self.reads(words)
        await self._chromium.run(
            "[...document.querySelectorAll('button, a')]"
            f".find(one => one.textContent.includes({json.dumps(words)})).click()"
        )

    async def fill(self, field: str, value: str) -> None:
        """Type into a field."""
        await self._chromium.run(f"document.querySelector('[name={field}]').value = {json.dumps(value)}")

    async def sees_done(self, stage: str) -> None:
        """Wait until a stage is behind, on a page that was not loaded again."""
        done = f"document.getElementById({json.dumps(stage)})?.className === 'done'"
        await eventually(lambda: self._chromium.run(done), 20, describe=self._page)

    async def _sees(self, words: str) -> bool:
        return bool(
            await self._chromium.run(
                f"document.readyState === 'complete' && document.body.innerText.includes({json.dumps(words)})"
            )
        )

    async def _page(self) -> str:
        return str(await self._chromium.run("location.href + '\\n' + document.body.innerText"))


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[Person]:
    """With a browser that knows nobody."""
    try:
        program = await find_chromium(os.environ, lambda line: print(line, file=sys.stderr), is_root=os.geteuid() == 0)
    except StackError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{error}; {error.hint}")
    profile = tmp_path / "chromium"
    profile.mkdir()
    async with browser(program, profile) as chromium:
        yield Person(chromium)


@asynccontextmanager
async def at_home(world: World) -> AsyncIterator[str]:
    """The service where its PUBLIC_URL says that it is, with its plans at Stripe."""
    port = free_port(Random())
    home = f"http://127.0.0.1:{port}"
    environment = world.environment | {"PUBLIC_URL": home}
    settings = Settings.model_validate({name.lower(): value for name, value in environment.items()})
    plans = [ClawPlan.model_validate(yaml.safe_load(path.read_text())) for path in sorted(PLANS.glob("*.yaml"))]
    async with open_stripe("sk_test_simulator", base=world.stripe.url) as stripe:
        await sync_catalog(stripe.client, plans, dry_run=False)
    async with serving(create_app(settings), port=port) as world.url:
        await world.controls.set_endpoint(f"{home}/webhooks/stripe", SECRET)
        yield home
        await world.controls.set_endpoint(None)


async def test_from_the_plans_to_the_key_and_back_to_the_account(world: World, person: Person) -> None:
    async with at_home(world) as home:
        await person.go(f"{home}/plans")
        await person.press("Get Pro")
        await person.reads("No card is asked for")
        await person.fill("email", "ada@example.com")
        await person.press("Subscribe")

        await person.reads("Your assistant is moving in")
        await person.sees_done("order")
        (bought,) = world.stripe.account.all(Subscription)
        assert bought.metadata["timezone"]
        name = (await world.instance_of(bought.id))["metadata"]["name"]
        moment = "2026-11-22T12:00:00Z"
        condition = {"type": "DatabaseReady", "status": "True", "reason": "Available", "message": ""}
        await world.cluster.set_ready(name, False, conditions=[condition | {"lastTransitionTime": moment}])
        await person.sees_done("database")
        await world.cluster.make_available(name, key="claw_the_key")
        await person.reads("Your assistant is ready")
        await person.press("Show my API key")
        await person.reads("The key is shown once")
        await person.press("Show my API key")
        await person.reads("claw_the_key")

        await person.go(f"{home}/account")
        await person.fill("email", "ada@example.com")
        await person.press("Mail me a link")
        await person.reads("Look into your mail")
        await person.go(await sign_in_link(world, home))
        await person.press("Sign in")
        await person.reads("the day of the next payment")
        await person.press("Change plan or card, cancel")
        await person.press("Change to Claw Team")
        await eventually(lambda: has_plan(world, name, "team"), 20, describe=world.story)
        await person.press("Return")
        await person.press("Sign out")
        await person.reads("there is no password")


async def has_plan(world: World, instance: str, plan: str) -> bool:
    """Whether the instance is wished for with that plan."""
    spec = (await world.cluster.instance(instance))["spec"]
    return bool(spec["planRef"]["name"] == plan)


async def sign_in_link(world: World, home: str) -> str:
    """The link in the mail, as soon as it has come."""

    def found() -> str | None:
        texts = [bodies(mail)[0] for mail in world.mails.mails]
        return next((match[0] for text in texts if (match := re.search(rf"{home}/sign-in/\S+", text))), None)

    link = await eventually(found, describe=world.story)
    assert link is not None
    return link
