"""kubectl by hand, with every part real: apply, edit a plan, delete, and an operator that is killed in between."""

import asyncio
import base64
import json
from random import Random
from typing import Any

import httpx
import psycopg
import pytest

from claw_crds import naming
from claw_dev.parts import Part
from claw_dev.stack import Stack
from tests.eventually import eventually

Object = dict[str, Any]


class ByHand:
    """What a person does with kubectl and curl."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    async def kubectl(self, *arguments: str) -> str:
        return await self.stack.kubectl.run("--namespace", self.stack.namespace, *arguments)

    async def apply(self, name: str, **spec: Any) -> None:
        customer = {"id": f"cus_{name.replace('-', '_')}", "email": f"{name}@example.com"}
        await self.stack.kubectl.apply(
            [
                {
                    "apiVersion": "claw.dev/v1alpha1",
                    "kind": "ClawInstance",
                    "metadata": {"name": name, "namespace": self.stack.namespace},
                    "spec": {"customer": customer, "planRef": {"name": "pro"}} | spec,
                }
            ]
        )

    async def get(self, name: str) -> Object:
        shown = await self.kubectl("get", "clawinstance", name, "--ignore-not-found", "-o", "json")
        found: Object = json.loads(shown) if shown.strip() else {}
        return found

    async def available(self, name: str, seconds: float = 40) -> Object:
        async def ready() -> Object | None:
            found = await self.get(name)
            conditions = found.get("status", {}).get("conditions", [])
            return found if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) else None

        async def describe() -> str:
            return json.dumps((await self.get(name)).get("status", {}), indent=1)

        found = await eventually(ready, seconds, describe)
        assert found is not None
        return found

    async def gone(self, name: str, seconds: float = 40) -> None:
        async def absent() -> bool:
            return not await self.get(name)

        async def describe() -> Object:
            return await self.get(name)

        await eventually(absent, seconds, describe)

    async def status_of(self, name: str) -> Object:
        """The customer's own view."""
        found = await self.get(name)
        key = await self.kubectl("get", "secret", f"{name}-credentials", "-o", "jsonpath={.data.api-key}")
        headers = {"Authorization": f"Bearer {base64.b64decode(key).decode()}"}
        async with httpx.AsyncClient(trust_env=False) as client:
            response = await client.get(found["status"]["url"] + "/status", headers=headers)
        assert response.status_code == 200, response.text
        document: Object = response.json()
        return document

    async def outside(self) -> tuple[set[str], set[str], set[str]]:
        """Databases, roles and directories of instances: all that the drivers have made."""
        async with await psycopg.AsyncConnection.connect(self.stack.postgres_url) as connection:
            databases = await (await connection.execute("SELECT datname FROM pg_database")).fetchall()
            roles = await (await connection.execute("SELECT rolname FROM pg_roles")).fetchall()
        directories = {path.name for path in self.stack.instances.glob("claw-*")}
        ours = [{name for (name,) in rows if naming.uid_of(name)} for rows in (databases, roles)]
        return ours[0], ours[1], directories


@pytest.fixture
def by_hand(stack: Stack) -> ByHand:
    """A person at the terminal of the running stack."""
    return ByHand(stack)


async def test_an_instance_applied_by_hand_works_and_a_deleted_one_leaves_nothing(by_hand: ByHand) -> None:
    await by_hand.apply("hand")
    found = await by_hand.available("hand")
    assert (await by_hand.status_of("hand"))["usage"]["messagesLimit"] == 20_000
    shown = (await by_hand.kubectl("get", "clawinstances")).splitlines()
    assert shown[0].split() == ["NAME", "PLAN", "STATUS", "URL", "MESSAGES", "AGE"]
    external = naming.external_name(found["metadata"]["uid"])
    assert all(external in names for names in await by_hand.outside())

    await by_hand.kubectl("delete", "clawinstance", "hand", "--timeout=30s")

    assert not any(external in names for names in await by_hand.outside())
    assert not (await by_hand.kubectl("get", "secret", "hand-credentials", "--ignore-not-found")).strip()


async def test_an_edited_plan_reaches_the_running_assistant(by_hand: ByHand) -> None:
    plan = await by_hand.stack.kubectl.get("clawplan", "starter")
    copy = {"apiVersion": plan["apiVersion"], "kind": "ClawPlan", "metadata": {"name": "edited"}, "spec": plan["spec"]}
    await by_hand.stack.kubectl.apply([copy])
    await by_hand.apply("edited", planRef={"name": "edited"})
    await by_hand.available("edited")

    await by_hand.kubectl(
        "patch", "clawplan", "edited", "--type=merge", "-p", '{"spec":{"limits":{"messagesPerMonth":7}}}'
    )

    async def limited() -> bool:
        return bool((await by_hand.status_of("edited"))["usage"]["messagesLimit"] == 7)

    await eventually(limited, 20)
    await by_hand.kubectl("delete", "clawinstance", "edited", "--timeout=30s")
    await by_hand.kubectl("delete", "clawplan", "edited")


async def test_a_customer_applied_by_hand_gets_no_mail(by_hand: ByHand) -> None:
    await by_hand.apply("nobody")
    await by_hand.available("nobody")
    await by_hand.kubectl("delete", "clawinstance", "nobody", "--timeout=30s")
    assert not [mail for mail in by_hand.stack.mails.all() if "nobody@example.com" in mail.recipients]


@pytest.mark.timeout(240)
async def test_an_operator_that_is_killed_again_and_again_loses_and_doubles_nothing(by_hand: ByHand) -> None:
    random = Random(20261122)
    names = [f"killed-{number}" for number in range(6)]
    before = await by_hand.outside()
    for name in names:
        await by_hand.apply(name)
        await asyncio.sleep(random.uniform(0.0, 0.6))  # where it is hit differs each time; that is the point
        await by_hand.stack.kill(Part.OPERATOR)
        await by_hand.stack.restart(Part.OPERATOR)
    expected = {naming.external_name((await by_hand.available(name))["metadata"]["uid"]) for name in names}
    assert all(after - earlier == expected for after, earlier in zip(await by_hand.outside(), before, strict=True))
    for name in names:
        assert (await by_hand.status_of(name))["usage"]["messagesLimit"] == 20_000

    await by_hand.kubectl("delete", "clawinstances", *names, "--wait=false")
    await asyncio.sleep(random.uniform(0.0, 0.3))
    await by_hand.stack.kill(Part.OPERATOR)
    await by_hand.stack.restart(Part.OPERATOR)
    for name in names:
        await by_hand.gone(name)
    assert await by_hand.outside() == before
