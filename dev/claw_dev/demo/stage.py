"""What the acts of the demo work with: the stack, the customer's side of Stripe, the mails, the assistant's API."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from claw_crds import naming
from claw_dev.demo.critical_path import CriticalPath
from claw_dev.demo.outside import Outside, outside_of
from claw_dev.parts import Providers
from claw_dev.simulators.stripe.controls import StripeControls
from claw_dev.stack import Stack

Object = dict[str, Any]
T = TypeVar("T")

_PAUSE_SECONDS = 0.02


class DoesNotHold(Exception):
    """A check of the demo failed. The message says what should be and what is."""


def check(holds: object, message: str) -> None:
    """Go on only if it holds."""
    if not holds:
        raise DoesNotHold(message)


def present(found: T | None, message: str) -> T:
    """Go on only if there is one."""
    if found is None:
        raise DoesNotHold(message)
    return found


@dataclass
class Marks:
    """Moments (monotonic seconds) and durations that the timeline is made of."""

    delivered: float | None = None
    answered: float | None = None
    provisioning: float | None = None
    starting: float = 0.0


@dataclass
class Stage:
    """The state of the play."""

    stack: Stack
    stripe: StripeControls
    http: httpx.AsyncClient
    outside: Outside
    marks: Marks = field(default_factory=Marks)
    path: CriticalPath | None = None
    """Where the providers are simulated: what the instance waited for."""
    subscription: str = ""
    event: str = ""
    url: str = ""
    api_key: str = field(default="", repr=False)
    conversation: str = ""

    @property
    def instance_name(self) -> str:
        """The name that the webhook service derives from the subscription."""
        return naming.instance_name(self.subscription)

    async def instance(self) -> Object:
        """The ClawInstance; empty when there is none."""
        shown = await self.kubectl("get", "clawinstance", self.instance_name, "--ignore-not-found", "-o", "json")
        found: Object = json.loads(shown) if shown.strip() else {}
        return found

    async def kubectl(self, *arguments: str) -> str:
        """What kubectl prints, in the instances' namespace."""
        return await self.stack.kubectl.run("--namespace", self.stack.namespace, *arguments)

    @property
    def patience(self) -> float:
        """Seconds that a provider may take for something: a deployment in the cloud, or a process of this machine."""
        return {Providers.LOCAL: 30.0, Providers.SIMULATED: 90.0, Providers.CLOUD: 600.0}[self.stack.providers]

    async def until(self, what: str, seek: Callable[[], Awaitable[T | None]], seconds: float | None = None) -> T:
        """Ask until the answer is truthy. Raises DoesNotHold with the instance's conditions after `seconds`."""
        seconds = self.patience if seconds is None else seconds
        deadline = time.monotonic() + seconds
        while True:
            found = await seek()
            if found:
                return found
            if time.monotonic() > deadline:
                state = await self.instance()
                lines = [
                    f"  {c['type']}={c['status']} {c['reason']} {c.get('message', '')}" for c in _conditions(state)
                ]
                raise DoesNotHold("\n".join([f"{what}: not within {seconds:.0f} s", *lines]))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def until_reason(self, reason: str, seconds: float | None = None) -> Object:
        """Wait until Ready has the reason, for the spec as it is now."""

        async def seek() -> Object | None:
            found = await self.instance()
            current = found.get("status", {}).get("observedGeneration") == found.get("metadata", {}).get("generation")
            return found if found and current and ready_reason(found) == reason else None

        return await self.until(f"STATUS {reason}", seek, seconds)

    async def ask(self, method: str, path: str, body: Object | None = None) -> httpx.Response:
        """Call the assistant's API as the customer."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        try:
            return await self.http.request(method, self.url + path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise DoesNotHold(f"{method} {path}: {type(error).__name__}") from error

    async def answer(self, method: str, path: str, body: Object | None = None) -> Object:
        """The same, for calls that must succeed."""
        response = await self.ask(method, path, body)
        check(response.is_success, f"{method} {path} answered {response.status_code}: {response.text[:300]}")
        document: Object = response.json()
        return document

    async def runtime(self) -> str:
        """Which runtime answers, in words: another one after a restart."""
        if self.outside.has_processes:
            return f"process {await self.outside.process(await self.uid())}"
        return f"deployment {(await self.instance())['status']['compute']['deploymentId']}"

    async def uid(self) -> str:
        """The UID of the instance."""
        return str((await self.instance())["metadata"]["uid"])

    async def key_link(self, address: str) -> str:
        """The one-time link in the welcome mail."""
        return await self.link_in_mail("keys", address)

    async def link_in_mail(self, kind: str, address: str) -> str:
        """The link to `/{kind}/…` in the first mail to that address that has one."""
        link = re.compile(re.escape(self.stack.webhook_url) + rf"/{kind}/[A-Za-z0-9_-]+")
        mail = await self.stack.mails.wait(
            lambda mail: address in mail.recipients and link.search(mail.text) is not None, timeout=20
        )
        check("claw_" not in mail.text + mail.html, "the mail itself must not carry the key")
        return present(link.search(mail.text), f"the mail to {address} has no such link").group()


def ready_reason(instance: Object) -> str:
    """The STATUS column."""
    return next((str(c["reason"]) for c in _conditions(instance) if c["type"] == "Ready"), "")


def _conditions(instance: Object) -> list[Object]:
    return list(instance.get("status", {}).get("conditions", []))


@asynccontextmanager
async def open_stage(stack: Stack) -> AsyncIterator[Stage]:
    """A stage on a stack that runs."""
    async with StripeControls(stack.stripe_url) as stripe, httpx.AsyncClient(timeout=30, trust_env=False) as http:
        yield Stage(stack, stripe, http, outside_of(stack, http))
