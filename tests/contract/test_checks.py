"""What `claw doctor` says of the accounts, against simulators of both providers."""

import json

import psycopg
import pytest

from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_operator.checks import Check, Verdict, examine
from tests.contract.neon_world import KEY, client_of, simulated_neon

Found = dict[str, Check]


def neon_environment(neon: NeonSimulator, **more: str) -> dict[str, str]:
    return {"NEON_API_URL": neon.url, "NEON_API_KEY": KEY, "NEON_PROJECT_ID": neon.project_id, **more}


async def findings(environment: dict[str, str]) -> list[Check]:
    found = await examine(environment)
    assert KEY not in json.dumps([vars(check) for check in found])
    return found


def worst(checks: list[Check]) -> Check:
    return next((check for check in checks if check.verdict is Verdict.MISSING), checks[-1])


async def test_without_tokens_nothing_is_asked() -> None:
    assert await examine({"PATH": "/bin"}) == []


async def test_a_neon_project_that_is_as_it_should_be(postgres_url: str) -> None:
    async with simulated_neon(postgres_url=postgres_url) as neon:
        found = await findings(neon_environment(neon))
        before = neon.picture()

        assert not [check for check in found if check.verdict is Verdict.MISSING]
        assert any("not protected" in check.detail for check in found)
        assert found[-1].detail == "empty"
        assert neon.picture() == before


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
        ({"NEON_API_KEY": "napi_other"}, "not accepted"),
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
