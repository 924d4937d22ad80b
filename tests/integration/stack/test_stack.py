"""The stack as tests and the demo use it: an object with everything in reach."""

import asyncio
import secrets
from pathlib import Path

import httpx
import psycopg
import pytest
from dotenv import dotenv_values

from claw_dev.errors import StackError
from claw_dev.lock import holder
from claw_dev.parts import EVERYTHING, Part
from claw_dev.postgres import create_owned_database
from claw_dev.progress import State
from claw_dev.record import read_record
from claw_dev.stack import Stack
from tests.eventually import eventually


async def status_of(url: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(url)).status_code


async def test_every_part_is_ready_and_answers(stack: Stack) -> None:
    assert {shown.part: shown.state for shown in stack.progress.all()} == dict.fromkeys(EVERYTHING, State.READY)
    for url in (stack.operator_url, stack.webhook_url, stack.stripe_url, stack.claude_url):
        assert await status_of(f"{url}/healthz") == 200


async def test_other_commands_find_everything_in_stack_json(stack: Stack) -> None:
    record = await asyncio.to_thread(read_record, stack.directory)

    assert record == stack.record()
    absent = {name for name, value in record.model_dump().items() if value is None}
    assert absent == {"railway_url", "neon_url"}  # nothing is simulated here that this machine makes


async def test_commands_get_the_webhook_services_environment_from_a_file_of_the_owners_alone(stack: Stack) -> None:
    file = stack.directory / "webhook.env"
    assert dotenv_values(file)["DATABASE_URL"] == stack.customers_url
    assert file.stat().st_mode & 0o777 == 0o600


async def test_the_operator_is_restarted_at_the_same_address(stack: Stack) -> None:
    before = stack.processes["operator"].pid

    await stack.restart(Part.OPERATOR)

    assert stack.processes["operator"].pid != before
    assert await status_of(f"{stack.operator_url}/healthz") == 200


async def test_a_service_that_was_killed_is_shown_as_failed_until_it_is_restarted(stack: Stack) -> None:
    await stack.kill(Part.CLAUDE)
    await eventually(lambda: stack.progress[Part.CLAUDE].state is State.FAILED)

    await stack.restart(Part.CLAUDE)

    assert stack.progress[Part.CLAUDE].state is State.READY


async def test_the_customers_database_belongs_to_the_webhook_services_role(stack: Stack) -> None:
    async with await psycopg.AsyncConnection.connect(stack.customers_url) as connection:
        cursor = await connection.execute(
            "SELECT current_user, current_database(), usesuper FROM pg_user WHERE usename = current_user"
        )
        assert await cursor.fetchone() == ("claw_customers", "claw_customers", False)


async def test_no_service_knows_the_persons_or_the_administrators_credentials(stack: Stack) -> None:
    for log in stack.logs.glob("*.log"):
        text = await asyncio.to_thread(log.read_text, errors="replace")
        assert stack.postgres_url not in text
        assert stack.stripe.webhook_secret not in text


async def test_a_stack_of_some_parts_starts_what_they_need_and_nothing_else(directory: Path) -> None:
    async with Stack(directory, parts=[Part.MAIL, Part.POSTGRES], environment={}) as stack:
        assert stack.parts == {Part.MAIL, Part.POSTGRES}
        assert stack.record().webhook_url is None
        assert holder(directory) is not None

    assert holder(directory) is None


async def test_a_stack_that_cannot_start_leaves_nothing_and_can_be_tried_again(directory: Path) -> None:
    broken = Stack(
        directory, parts=[Part.POSTGRES], environment={"CLAW_DEV_DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    )
    with pytest.raises(StackError, match="does not answer"):
        await broken.start()
    assert broken.progress[Part.POSTGRES].state is State.FAILED

    async with Stack(directory, parts=[Part.POSTGRES], environment={}) as stack:
        assert stack.progress[Part.POSTGRES].state is State.READY


async def test_a_named_server_whose_user_may_not_create_databases_is_a_clear_error(
    directory: Path, postgres_url: str
) -> None:
    modest = f"modest_{secrets.token_hex(4)}"
    url = await create_owned_database(postgres_url, modest, "known")
    environment = {"CLAW_DEV_DATABASE_URL": url}

    with pytest.raises(StackError, match="permission denied to create role") as caught:
        await Stack(directory, parts=[Part.POSTGRES], environment=environment).start()

    assert "must be allowed to create databases and roles" in caught.value.hint


async def test_a_named_cluster_that_is_not_there_is_a_clear_error(directory: Path) -> None:
    environment = {"CLAW_DEV_KUBECONFIG": "/nowhere/config"}

    with pytest.raises(StackError, match="CLAW_DEV_KUBECONFIG names /nowhere/config, which does not exist"):
        await Stack(directory, parts=[Part.KUBERNETES], environment=environment).start()
