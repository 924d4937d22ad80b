"""One whole life of an instance, and none of its secrets anywhere but in its Secret and in its process.

Everything that is written where people and machines read along is collected: logs of all libraries at DEBUG, with the
fields of each line; Events; the object with its status, annotations and managed fields after each chapter; /metrics.
"""

import base64
import io
import json
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from claw_crds import naming
from claw_operator import logs
from claw_operator.assembly import Loop
from claw_operator.external import Transient
from tests.integration.operator.conftest import Operator, condition

HOUSE_KEY = "sk-house"
"""ANTHROPIC_API_KEY, as the fixture's operator gives it to every runtime."""


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process with the operator's logging would print if everybody in it spoke at DEBUG."""
    written, root = io.StringIO(), logging.getLogger()
    handlers, level, ours = root.handlers[:], root.level, logging.getLogger("claw_operator").level
    with monkeypatch.context() as stdout:
        stdout.setattr(sys, "stdout", written)
        logs.configure("DEBUG")
    root.setLevel(logging.DEBUG)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("claw_operator").setLevel(ours)


class Collection:
    """What was written for others to read, and what must not be in it."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._written: list[str] = []
        self._secrets = {HOUSE_KEY}

    async def chapter(self, reason: str) -> None:
        """Wait for the chapter's end; collect the object as it is, its Events and its secrets."""
        instance = await self._operator.until_reason("ada", reason)
        await self._operator.until("ada", lambda o: condition(o, "Synced")["reason"] != "Unreachable")
        self._written.append(json.dumps(instance))
        if await self._operator.exists("secret", "ada-credentials"):
            secret = await self._operator.secret("ada")
            url = secret[naming.SECRET_DATABASE_URL]
            self._secrets |= {secret[naming.SECRET_API_KEY], secret[naming.SECRET_CONFIGURATION_TOKEN], url}
            self._secrets.add(urlsplit(url).password or url)
            self._secrets |= {secret.get(naming.SECRET_PREVIOUS_API_KEY, HOUSE_KEY)}

    async def close(self, loop: Loop, logged: io.StringIO) -> None:
        """The rest: Events, metrics and logs."""
        kubectl, namespace = self._operator.kubectl, self._operator.namespace
        events = await kubectl.run("-n", namespace, "get", "events.events.k8s.io", "-o", "json")
        self._written += [events, loop.metrics.render().decode(), logged.getvalue()]

    def leaks(self) -> list[str]:
        """Secrets that were found, each with what stands around it; also as Kubernetes encodes them."""
        forms = {form for secret in self._secrets for form in (secret, base64.b64encode(secret.encode()).decode())}
        places = [(text, text.find(form)) for text in self._written for form in forms]
        return [text[max(place - 200, 0) : place + 40] for text, place in places if place >= 0]

    @property
    def secrets(self) -> int:
        """How many secrets there were."""
        return len(self._secrets)


@asynccontextmanager
async def _collecting(operator: Operator, logged: io.StringIO) -> AsyncIterator[Collection]:
    async with operator.running(resync_seconds=0.3) as loop:
        collection = Collection(operator)
        yield collection
        await collection.close(loop, logged)


async def test_a_whole_life_leaves_no_secret_where_others_read(operator: Operator, logged: io.StringIO) -> None:
    world = operator.world
    async with _collecting(operator, logged) as collection:
        instance = await operator.apply("ada", assistant={"instructions": "Keep it secret."})
        await collection.chapter("Available")
        await operator.patch("ada", {"credentialsRevision": 2})
        await collection.chapter("Available")
        await operator.patch("ada", {"planRef": {"name": "team"}, "state": "Suspended"})
        await collection.chapter("Suspended")
        await operator.patch("ada", {"state": "Running"})
        world.crash(naming.external_name(instance["metadata"]["uid"]))
        await collection.chapter("Available")
        world.failing["runtime"] = Transient("The runtime does not answer.")
        await collection.chapter("Degraded")
        world.failing.clear()
        await operator.kubectl.run("-n", operator.namespace, "delete", "secret", "ada-credentials")
        await operator.until("ada", lambda _: world.counts()["issue credentials"] == 2)
        await collection.chapter("Available")
        lost = (await operator.get("ada"))["status"]["database"]["id"]
        world.databases.clear()
        await collection.chapter("Degraded")
        await operator.annotate("ada", {naming.ACCEPT_DATABASE_LOSS: lost})
        await collection.chapter("Available")
        await operator.delete("ada")
        await operator.gone("ada")
    assert collection.secrets >= 10, "the life had fewer secrets than it should"
    assert collection.leaks() == []
    text = logged.getvalue()
    assert all(word in text for word in ("CreateDatabase", "RotateKey", "everything is gone", "kopf")), text[-2000:]
