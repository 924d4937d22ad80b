"""What `claw doctor` says of the accounts, against simulators of both providers."""

import json

import psycopg
import pytest
from graphql import parse, validate

from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_dev.simulators.railway.tokens import TokenKind
from claw_operator.checks import Check, Verdict, examine
from claw_operator.checks_railway import DOCUMENTS
from tests.contract.neon_openapi import judge
from tests.contract.neon_world import KEY, client_of, simulated_neon
from tests.contract.railway_world import TOKEN, railway_and_client, real_schema

Found = dict[str, Check]


def neon_environment(neon: NeonSimulator, **more: str) -> dict[str, str]:
    return {"NEON_API_URL": neon.url, "NEON_API_KEY": KEY, "NEON_PROJECT_ID": neon.project_id, **more}


async def findings(environment: dict[str, str]) -> list[Check]:
    found = await examine(environment)
    shown = json.dumps([vars(check) for check in found])
    assert KEY not in shown
    assert TOKEN not in shown
    return found


def railway_environment(railway: RailwaySimulator, **more: str) -> dict[str, str]:
    return {
        "RAILWAY_API_URL": railway.url,
        "RAILWAY_TOKEN": TOKEN,
        "RAILWAY_PROJECT_ID": railway.project.id,
        "CLAWDBOT_IMAGE": "example/clawdbot:1",
        **more,
    }


def worst(checks: list[Check]) -> Check:
    return next((check for check in checks if check.verdict is Verdict.MISSING), checks[-1])


async def test_without_tokens_nothing_is_asked() -> None:
    assert await examine({"PATH": "/bin"}) == []


async def test_a_neon_project_that_is_as_it_should_be(postgres_url: str) -> None:
    async with simulated_neon(postgres_url=postgres_url, novelties=False) as neon:
        before = neon.picture()
        found = await findings(neon_environment(neon))

        assert not [check for check in found if check.verdict is Verdict.MISSING]
        assert any("not protected" in check.detail for check in found)
        assert found[-1].detail == "empty"
        assert neon.picture() == before
        assert judge(unchecked="what the doctor asks of Neon").complaints(neon.calls) == []


async def test_a_template_with_rows_would_be_copied_to_everybody(postgres_url: str) -> None:
    async with simulated_neon(postgres_url=postgres_url) as neon, client_of(neon) as client:
        main = next(branch for branch in neon.world.branches.all_now() if branch.default)
        async with await psycopg.AsyncConnection.connect(await client.uri(main.id)) as session:
            await session.execute("CREATE TABLE memories (content text)")
            await session.execute("INSERT INTO memories VALUES ('somebody''s')")

        found = worst(await findings(neon_environment(neon)))

        assert found.detail == "has rows in public.memories"
        assert "empty it" in found.hint


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"NEON_API_KEY": "napi_other"}, "does not accept the API key"),
        ({"NEON_PROJECT_ID": "no-such-project"}, "no-such-project is not there"),
        ({"NEON_PARENT_BRANCH": "template"}, "no branch template; there is main"),
        ({"NEON_ROLE": "nobody"}, "has no nobody but neondb_owner"),
        ({"NEON_DATABASE": "nothing"}, "has no nothing but neondb"),
        ({"NEON_ISOLATION": "shared"}, "NEON_ISOLATION"),
    ],
)
async def test_what_is_wrong_with_neon_is_said_in_plain_words(wrong: dict[str, str], says: str) -> None:
    async with simulated_neon() as neon:
        found = worst(await findings(neon_environment(neon, **wrong)))

    assert says in found.detail
    assert found.hint


async def test_a_project_for_each_customer_needs_only_a_key() -> None:
    async with simulated_neon(keys=[Key(KEY)]) as neon:
        (found,) = await findings(neon_environment(neon, NEON_ISOLATION="project"))

    assert found.verdict is Verdict.OK


@pytest.mark.parametrize("kind", list(TokenKind))
async def test_a_railway_project_that_is_as_it_should_be(kind: TokenKind) -> None:
    async with railway_and_client(token_kind=kind) as client:
        railway = client.simulator
        before = railway.picture()
        found = await findings(railway_environment(railway, RAILWAY_TOKEN_KIND=kind.value))

        assert {check.verdict for check in found} == {Verdict.OK}, found
        assert any(check.detail == "production" for check in found)
        assert railway.picture() == before


@pytest.mark.parametrize(
    ("wrong", "says", "hint"),
    [
        ({"RAILWAY_TOKEN": "another"}, "Not Authorized", "RAILWAY_TOKEN"),
        (
            {"RAILWAY_TOKEN_KIND": "project"},
            "it is a workspace token, not a project one",
            "RAILWAY_TOKEN_KIND=workspace",
        ),
        ({"RAILWAY_PROJECT_ID": "no-such-project"}, "Project not found", "RAILWAY_PROJECT_ID"),
        ({"RAILWAY_ENVIRONMENT_ID": "no-such-environment"}, "production", "RAILWAY_ENVIRONMENT_ID"),
        ({"RAILWAY_REGION": "moon-1"}, "there is no moon-1", "one of"),
        ({"CLAWDBOT_IMAGE": ""}, "CLAWDBOT_IMAGE", ".env.example"),
    ],
)
async def test_what_is_wrong_with_railway_is_said_in_plain_words(wrong: dict[str, str], says: str, hint: str) -> None:
    async with railway_and_client() as client:
        found = worst(await findings(railway_environment(client.simulator, **wrong)))

    assert found.verdict is Verdict.MISSING
    assert says in found.detail
    assert hint in found.hint


async def test_a_second_environment_has_to_be_chosen() -> None:
    async with railway_and_client() as client:
        document = "mutation M($input: EnvironmentCreateInput!) { environmentCreate(input: $input) { id } }"
        await client.ask(document, input={"projectId": client.simulator.project.id, "name": "staging"})
        open_choice = worst(await findings(railway_environment(client.simulator)))
        chosen = await findings(
            railway_environment(client.simulator, RAILWAY_ENVIRONMENT_ID=client.simulator.environment.id)
        )

    assert "production" in open_choice.detail
    assert "staging" in open_choice.detail
    assert open_choice.hint == "set RAILWAY_ENVIRONMENT_ID"
    assert any("there are others" in check.detail for check in chosen)


def test_every_question_of_the_doctor_is_one_that_railway_understands() -> None:
    schema = real_schema(unchecked="the doctor's questions")
    for name, document in DOCUMENTS.items():
        assert validate(schema, parse(document)) == [], name
