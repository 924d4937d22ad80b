"""The fixtures that every other integration test stands on."""

import psycopg

from claw_dev.cluster import ControlPlane
from claw_dev.kubectl import Kubectl
from tests.eventually import eventually


async def test_the_control_plane_serves_the_plans(claw_api: ControlPlane, kubectl: Kubectl) -> None:
    plans = await kubectl.get("clawplans")

    assert {plan["metadata"]["name"] for plan in plans["items"]} == {"starter", "pro", "team"}


async def test_a_namespace_is_complete(namespace: str, kubectl: Kubectl) -> None:
    async def service_accounts() -> list[str]:
        accounts = await kubectl.get("serviceaccounts", "--namespace", namespace)
        return [account["metadata"]["name"] for account in accounts["items"]]

    assert await eventually(service_accounts) == ["default"]


async def test_a_database_is_fresh(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert await cursor.fetchone() == (0,)
