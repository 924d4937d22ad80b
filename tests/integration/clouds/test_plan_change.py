"""A customer buys another plan: Railway's service and Neon's endpoint are resized in place, nothing is made anew."""

from claw_dev.simulators.neon.records import Endpoint
from tests.eventually import eventually
from tests.integration.clouds.clouds import PATIENCE, Clouds
from tests.integration.operator.conftest import Object, condition


def endpoint(clouds: Clouds, instance: Object) -> Endpoint:
    """The instance's, as it really is."""
    (found,) = clouds.neon.world.endpoints_of(clouds.branch(instance).id)
    return found


async def test_a_larger_plan_resizes_service_and_endpoint_in_place(clouds: Clouds) -> None:
    async with clouds.running():
        ada = await clouds.available("ada", planRef={"name": "pro"})
        before, secret = endpoint(clouds, ada), await clouds.secret("ada")
        limits, made = clouds.service(ada).limits, clouds.made()
        deployment = ada["status"]["compute"]["deploymentId"]

        await clouds.patch("ada", {"planRef": {"name": "team"}})
        await eventually(lambda: endpoint(clouds, ada).max_cu > before.max_cu, PATIENCE)
        await eventually(lambda: clouds.service(ada).limits != limits, PATIENCE)
        after = await clouds.until("ada", lambda o: condition(o, "Synced")["status"] == "True", PATIENCE)
        await clouds.several_looks()

        assert endpoint(clouds, ada).id == before.id
        assert after["status"]["compute"]["deploymentId"] == deployment
        assert await clouds.secret("ada") == secret
        assert clouds.made() == made
        assert sum(call.operation == "updateProjectEndpoint" for call in clouds.neon.calls) == 1

        await clouds.patch("ada", {"planRef": {"name": "pro"}})
        await eventually(lambda: endpoint(clouds, ada).max_cu == before.max_cu, PATIENCE)
        await eventually(lambda: clouds.service(ada).limits == limits, PATIENCE)
