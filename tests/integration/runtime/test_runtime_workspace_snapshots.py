"""Snapshots through the API of a runtime that knows where to keep them, and of one that does not."""

from claw_dev.simulators.faults import Fault, FaultKind
from claw_dev.simulators.s3.simulator import simulated_s3
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.integration.runtime.world import UID, Runtime, running

PATH = "/api/workspace/snapshots"


async def test_without_a_place_the_api_says_so(runtime: Runtime) -> None:
    for answer in (
        await runtime.get(PATH),
        await runtime.post(PATH),
        await runtime.post(f"{PATH}/20261123T000000Z/restore"),
    ):
        assert (answer.status, answer.problem) == (409, "snapshots-off")


async def test_a_snapshot_is_taken_listed_and_restored(environment: Settings, clock: Clock) -> None:
    async with simulated_s3() as s3:
        settings = environment.model_copy(update=place(s3.url, s3.secret))
        async with running(settings, clock) as runtime:
            await runtime.configure()
            taken = await runtime.post(PATH)
            assert taken.status == 201
            assert list(s3.objects) == [f"claws/{UID}/{taken.json['name']}.tar.gz"]
            await runtime.call("PUT", "/api/workspace/SOUL.md", json={"content": "Wild."})

            assert (await runtime.get(PATH)).json == {"snapshots": [taken.json]}
            restored = await runtime.post(f"{PATH}/{taken.json['name']}/restore")
            assert restored.status == 204
            assert "Clawdia" in (await runtime.get("/api/workspace/SOUL.md")).json["content"]
            assert (await runtime.post(f"{PATH}/none/restore")).status == 404

            s3.faults.add(Fault(kind=FaultKind.ERROR, path="/", status=403))
            failed = await runtime.post(PATH)
            assert (failed.status, failed.problem) == (502, "snapshot-failed")
            assert s3.secret not in failed.text


async def test_the_last_change_before_the_end_is_in_a_snapshot(environment: Settings, clock: Clock) -> None:
    async with simulated_s3() as s3:
        settings = environment.model_copy(update=place(s3.url, s3.secret))
        async with running(settings, clock) as runtime:
            await runtime.configure()
            await runtime.call("PUT", "/api/workspace/SOUL.md", json={"content": "Wild."})
        assert len(s3.objects) == 1


def place(url: str, secret: str) -> dict[str, object]:
    """Settings of a place for snapshots."""
    given = {
        "snapshot_url": "s3://snapshots/claws",
        "snapshot_endpoint": url,
        "snapshot_access_key_id": "AKIDEXAMPLE",
        "snapshot_secret_access_key": secret,
    }
    members = {
        "port": 0,
        "database_url": "postgresql://x",
        "configuration_token_sha256": "0" * 64,
        "model_api_key": "x",
    }
    return {name: getattr(Settings(**(members | given)), name) for name in given}
