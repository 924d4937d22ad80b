"""What a customer takes along: everything that is theirs, and nothing that would let anybody in."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import aiohttp
import psycopg
import pytest

import claw_templates
from claw_crds import naming
from claw_webhook.database import open_pool
from claw_webhook.front.exporting import archive
from claw_webhook.front.passes import Passes, PassKind
from claw_webhook.services import utc_now
from tests.eventually import eventually
from tests.integration.webhook.conftest import World
from tests.integration.webhook.outside import wire_to

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOSTILE = 'a \\ backslash, a "quote", a\ttab,\r\na line, \u2028 another, é 🦞'

CONVERSATION = "00000000-0000-0000-0000-000000000001"


async def export(url: str) -> zipfile.ZipFile:
    """The archive, put together again."""
    opened = zipfile.ZipFile(io.BytesIO(b"".join([piece async for piece in archive(url, NOW)])))
    assert opened.testzip() is None
    return opened


def rows(opened: zipfile.ZipFile, table: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in opened.read(f"data/{table}.jsonl").decode().split("\n") if line]


@pytest.fixture
async def instance_database(database_url: str) -> str:
    """A runtime's database with a little in it."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute(claw_templates.text("database/runtime/0001_initial.sql").encode())
        await connection.execute(
            "INSERT INTO configuration VALUES (true, 'uid', 'rev', %s, now())", ['{"keyHashes": ["canary-hash"]}']
        )
        await connection.execute("INSERT INTO conversations VALUES (%s, 'default', 'Hi', now(), now())", [CONVERSATION])
        await connection.execute(
            "INSERT INTO messages (conversation_id, turn, role, content, created_at)"
            " VALUES (%s, %s, 'user', %s, now())",
            [CONVERSATION, CONVERSATION, HOSTILE],
        )
        await connection.execute(
            "INSERT INTO memories VALUES (%s, 'likes lobster', '{food}', 'simple', to_tsvector('likes'), now())",
            [CONVERSATION],
        )
        await connection.execute("INSERT INTO usage (period_start, input_tokens) VALUES (now(), 42)")
        for path in ("SOUL.md", "memory/2026-11-22.md", "../../etc/passwd", "/root/.ssh/id"):
            await connection.execute(
                "INSERT INTO workspace_files VALUES (%s, %s, 'etag', now())", [path, f"{path}: {HOSTILE}"]
            )
    return database_url


async def test_the_archive_holds_every_table_and_the_workspace_as_files(instance_database: str) -> None:
    opened = await export(instance_database)
    assert [row["title"] for row in rows(opened, "conversations")] == ["Hi"]
    assert [row["content"] for row in rows(opened, "messages")] == [HOSTILE]
    assert rows(opened, "skills") == []
    (memory,) = rows(opened, "memories")
    assert (memory["content"], memory["tags"]) == ("likes lobster", ["food"])
    assert [row["input_tokens"] for row in rows(opened, "usage")] == [42]
    assert opened.read("workspace/SOUL.md").decode() == f"SOUL.md: {HOSTILE}"
    assert opened.read("workspace/memory/2026-11-22.md").decode().startswith("memory/")
    readme = opened.read("README.txt").decode()
    assert "conversations" in readme
    assert "2026-11-22 12:00 UTC" in readme


async def test_no_file_of_the_archive_leaves_the_folder_it_is_unpacked_in(instance_database: str) -> None:
    names = (await export(instance_database)).namelist()
    assert {"workspace/etc/passwd", "workspace/root/.ssh/id"} <= set(names)
    assert [name for name in names if ".." in name or name.startswith("/")] == []


async def test_nothing_in_the_archive_lets_anybody_in(instance_database: str) -> None:
    async with await psycopg.AsyncConnection.connect(instance_database) as connection:
        await connection.execute(
            "CREATE TABLE integrations (name text, refresh_token text, client_secrets jsonb, token_count bigint)"
        )
        await connection.execute("INSERT INTO integrations VALUES ('gmail', 'canary-token', '{\"a\": \"canary\"}', 7)")
    opened = await export(instance_database)
    assert rows(opened, "integrations") == [{"name": "gmail", "token_count": 7}]
    assert "data/configuration.jsonl" not in opened.namelist()
    assert not any(b"canary" in opened.read(name) for name in opened.namelist())


async def fill(url: str, messages: int) -> None:
    """So many messages of 6 kB that no compression makes smaller."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(
            """
            INSERT INTO messages (conversation_id, turn, role, content, created_at)
            SELECT %s, gen_random_uuid(), 'user',
                (SELECT string_agg(md5(word || '.' || number), '') FROM generate_series(1, 200) AS word), now()
            FROM generate_series(1, %s) AS number
            """,
            [CONVERSATION, messages],
        )


async def test_a_large_table_leaves_in_pieces(instance_database: str) -> None:
    await fill(instance_database, 500)
    largest, number = 0, 0
    async for piece in archive(instance_database, NOW):
        largest, number = max(largest, len(piece)), number + 1
    assert number > 40
    assert largest < 2**18
    assert len(rows(await export(instance_database), "messages")) == 501


async def test_a_database_that_is_away_is_told_before_the_first_piece() -> None:
    with pytest.raises(psycopg.OperationalError):
        await anext(archive("postgresql://nobody@127.0.0.1:1/none", NOW))


async def link_to_the_data(world: World, database_url: str) -> str:
    """The path of a link to the data of an instance whose Secret names that database."""
    subscription = await world.buy_and_provision()
    name = naming.instance_name(subscription)
    await world.cluster.put_into_secret(f"{name}-credentials", database_url=database_url)
    row = await world.eventually_row("SELECT * FROM instances WHERE secret_name IS NOT NULL")
    assert row["name"] == name
    async with open_pool(world.database_url, size=1) as pool:
        passes = Passes(pool, clock=utc_now)
        customer = world.customer_of(subscription).id
        token = await passes.issue(PassKind.EXPORT, customer, lifetime=timedelta(days=1), instance=name)
    return f"/exports/{token}"


async def test_looking_at_the_link_opens_nothing_and_the_button_downloads_as_often_as_wanted(
    world: World, instance_database: str
) -> None:
    async with world.running():
        link = await link_to_the_data(world, instance_database)
        asked = await world.get(link)
        assert (asked.status, "Download my data" in asked.text) == (200, True)
        assert asked.headers["Referrer-Policy"] == "no-referrer"
        for _ in range(2):
            async with world.client.post(world.url + link) as response:
                assert response.status == 200
                assert response.headers["Content-Type"] == "application/zip"
                assert response.headers["Content-Disposition"].startswith('attachment; filename="claw-data-')
                assert response.headers["Cache-Control"] == "no-store"
                opened = zipfile.ZipFile(io.BytesIO(await response.read()))
            assert [row["content"] for row in rows(opened, "messages")] == [HOSTILE]


async def test_while_the_data_cannot_be_read_the_link_stays_good(world: World) -> None:
    async with world.running():
        link = await link_to_the_data(world, "postgresql://canary:canary@127.0.0.1:1/none")
        answer = await world.post(link)
        assert (answer.status, "your link is still good" in answer.text) == (503, True)
        assert "canary" not in answer.text
        assert (await world.get(link)).status == 200


async def test_a_download_that_breaks_off_does_not_look_like_a_small_one(world: World, instance_database: str) -> None:
    await fill(instance_database, 4000)
    async with wire_to(instance_database) as (wire, wired), world.running():
        link = await link_to_the_data(world, wired)
        async with world.client.post(world.url + link) as response:
            assert response.status == 200
            await response.content.readexactly(100)
            await wire.cut()
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()


async def test_a_link_to_data_that_was_deleted_says_so(world: World, instance_database: str) -> None:
    async with world.running():
        link = await link_to_the_data(world, instance_database)

        async def told_to_be_gone() -> bool:
            # Again and again: whoever looks at the cluster meanwhile finds it there, and says so.
            await world.rows("UPDATE instances SET deleted_at = now() RETURNING name")
            async with world.client.post(world.url + link) as answer:
                return answer.status == 410 and "no longer there" in await answer.text()

        await eventually(told_to_be_gone, 15, describe=world.story)


@pytest.mark.parametrize("path", ["/exports/" + "x" * 43, "/exports/short"])
async def test_a_link_that_was_never_issued_opens_nothing(world: World, path: str) -> None:
    async with world.running():
        assert (await world.get(path)).status == 404
        assert (await world.post(path)).status == 404
