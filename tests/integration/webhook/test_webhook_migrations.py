"""The schema, from every earlier version to the newest one: nothing is lost, and all arrive at the same."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from claw_crds.v1alpha1 import ClawInstanceSpec, State
from claw_webhook.customers import Customers
from claw_webhook.database import MigrationChanged, Pool, migrate, migrations, open_pool
from claw_webhook.inbox import Inbox, Stored
from claw_webhook.stripe_objects import Subscription
from tests.integration.webhook.test_webhook_inbox import store

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

FILLED = {
    "0001_customers.sql": """
        INSERT INTO customers VALUES
            ('cus_1', 'ada@example.com', 'Ada Lovelace', NULL, 'Europe/London', 'en-GB', now(), now()),
            ('cus_2', 'eve@example.com', NULL, 'Eve & Co', 'UTC', 'en', now(), now());
        INSERT INTO subscriptions VALUES
            ('sub_1', 'cus_1', 'active', 'pro', '{price_1}', now(), false, now(), now()),
            ('sub_2', 'cus_2', 'canceled', 'team', '{price_2}', now(), false, now(), now()),
            ('sub_3', NULL, 'incomplete', NULL, '{}', NULL, false, now(), now());
        INSERT INTO checkouts VALUES ('sub_1', '{"locale": "en-GB"}');
        INSERT INTO instances (name, namespace, subscription, requested_at, uid, url, secret_name, deleted_at) VALUES
            ('claw-1', 'claw', 'sub_1', now(), 'uid-1', 'https://ada.example', 'claw-1-credentials', NULL),
            ('claw-2', 'claw', 'sub_2', now(), 'uid-2', NULL, NULL, now());
        INSERT INTO inbox (id, type, subscription, payload, received_at, state, due_at, finished_at) VALUES
            ('evt_done', 'customer.subscription.created', 'sub_1', '{"id": "evt_done", "type": "a"}', now(), 'done',
             now(), now()),
            ('evt_pending', 'customer.subscription.updated', 'sub_1', '{"id": "evt_pending", "type": "a"}', now(),
             'pending', now(), NULL),
            ('evt_ignored', 'product.created', NULL, '{"id": "evt_ignored", "type": "a"}', now(), 'ignored', now(),
             NULL);
        INSERT INTO outbox (cause, instance, instance_uid, created_at, state, due_at) VALUES
            ('welcome', 'claw-1', 'uid-1', now(), 'sent', now()),
            ('welcome', 'claw-2', 'uid-2', now(), 'pending', now());
        INSERT INTO key_links SELECT 'token', id, now(), NULL FROM outbox WHERE instance = 'claw-1';
    """,
}
"""Rows that a version wrote, put in as soon as its migration is applied."""

KNOWN = (
    """
    SELECT table_name, column_name, data_type, is_nullable, column_default, identity_generation
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
    """,
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    """
    SELECT conrelid::regclass::text AS at, conname, pg_get_constraintdef(oid) AS rule
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
    """,
    "SELECT tgname, pg_get_triggerdef(oid) AS does FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    """
    SELECT proname, pg_get_functiondef(oid) AS does
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1
    """,
    "SELECT name, sha256 FROM migrations ORDER BY 1",
)
"""Everything that PostgreSQL knows of the schema and that does not depend on the way to it."""


@pytest.fixture
async def empty(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url, size=8) as opened:
        yield opened


async def arrive_at(pool: Pool, version: int) -> None:
    """The database as the service of that version left it, with rows in it."""
    async with pool.connection() as connection:
        await connection.execute("CREATE TABLE migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL)")
        for name, statements in migrations()[:version]:
            await connection.execute(statements)
            await connection.execute("INSERT INTO migrations VALUES (%s, now())", [name])
            await connection.execute(FILLED.get(name, "").encode())


async def rows(pool: Pool, query: str) -> list[dict[str, Any]]:
    async with pool.connection() as connection:
        return await (await connection.execute(query.encode())).fetchall()


async def schema(pool: Pool) -> list[list[dict[str, Any]]]:
    return [await rows(pool, query) for query in KNOWN]


@pytest.mark.parametrize("version", range(1, len(migrations())))
async def test_every_earlier_version_with_rows_in_it_arrives_at_the_schema_of_a_new_database(
    empty: Pool, version: int
) -> None:
    await migrate(empty)
    wanted = await schema(empty)
    async with empty.connection() as connection:
        await connection.execute("DROP SCHEMA public CASCADE")
        await connection.execute("CREATE SCHEMA public")
    await arrive_at(empty, version)
    await migrate(empty)
    assert await schema(empty) == wanted


async def test_what_the_first_version_stored_is_still_there_and_means_the_same(empty: Pool) -> None:
    await arrive_at(empty, 1)
    await migrate(empty)

    customers = Customers(empty, namespace="claw", clock=lambda: NOW)
    subscription = Subscription.model_validate({"id": "sub_1", "status": "active", "customer": {"id": "cus_1"}})
    memory = await customers.memory(subscription)
    assert memory.instance == "claw-1"
    assert memory.spec == ClawInstanceSpec.model_validate(
        {
            "customer": {
                "id": "cus_1",
                "email": "ada@example.com",
                "name": "Ada Lovelace",
                "timezone": "Europe/London",
                "locale": "en-GB",
            },
            "planRef": {"name": "pro"},
            "state": State.RUNNING,
        }
    )
    assert await customers.subscriptions_of("cus_1") == ["sub_1"]
    checkout = await customers.checkout("sub_1", None)
    assert checkout is not None
    assert checkout.locale == "en-GB"

    inbox = Inbox(empty, clock=lambda: datetime.now(UTC), random=lambda: 1.0)
    assert await store(inbox, "evt_done") == Stored.DUPLICATE
    claims = []
    for _ in range(4):
        async with inbox.claim() as claim:
            if claim is not None:
                claims.append((claim.subject, [event.id for event in claim.events], claim.actor))
                await claim.done()
    assert sorted(claims) == [
        ("sub_1", ["evt_pending"], "stripe:evt_pending"),
        ("sub_2", [], "upgrade"),
        ("sub_3", [], "upgrade"),
    ]
    mails = await rows(empty, "SELECT cause, occasion, customer, state FROM outbox ORDER BY id")
    assert mails == [
        {"cause": "welcome", "occasion": "uid-1", "customer": "cus_1", "state": "sent"},
        {"cause": "welcome", "occasion": "uid-2", "customer": "cus_2", "state": "pending"},
    ]
    assert len(await rows(empty, "SELECT * FROM key_links")) == 1


async def test_migrations_run_once_however_many_processes_start(empty: Pool) -> None:
    await asyncio.gather(*(migrate(empty) for _ in range(4)))
    applied = await rows(empty, "SELECT name, sha256 FROM migrations ORDER BY name")
    assert [(row["name"], row["sha256"]) for row in applied] == [
        (name, hashlib.sha256(statements).hexdigest()) for name, statements in migrations()
    ]


async def test_a_migration_that_is_not_what_was_applied_stops_the_start(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute("UPDATE migrations SET sha256 = 'of something else' WHERE name LIKE '0002%'")
    with pytest.raises(MigrationChanged, match=r"0002_billing\.sql"):
        await migrate(pool)


async def test_a_newer_database_does_not_stop_an_older_replica(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute("INSERT INTO migrations VALUES ('9999_of_tomorrow.sql', now(), 'x')")
    await migrate(pool)


@pytest.mark.parametrize(
    "change", ["UPDATE billing_log SET why = ''", "DELETE FROM billing_log", "TRUNCATE billing_log"]
)
async def test_the_billing_log_can_only_be_added_to(pool: Pool, change: str) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO billing_log (at, actor, action, why) VALUES (now(), 'clock', 'standing', 'clock')"
        )
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        await rows(pool, change)
    assert len(await rows(pool, "SELECT * FROM billing_log")) == 1
