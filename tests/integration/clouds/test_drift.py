"""What people change by hand at the providers, and what breaks by itself: found within one sweep, and put right.

Each test changes the world behind the operator's back, and nothing tells the operator but its own readings of the
fleet. What could lose data is not put right but reported, and waits for a person.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from claw_crds import naming
from claw_dev.simulators.railway.picture import is_current
from claw_dev.simulators.railway.records import Deployment, Instance, Json
from claw_operator.external import Owner
from tests.contract.neon_world import ROLE
from tests.eventually import eventually
from tests.integration.clouds.clouds import PATIENCE, REPOSITORY, Clouds, external_name
from tests.integration.operator.conftest import Object, condition


@dataclass(frozen=True)
class Ada:
    """An instance that is well, and everything of hers as it was then."""

    clouds: Clouds
    instance: Object
    service_id: str
    branch_id: str
    secret: dict[str, str]
    settings: Json

    @property
    def name(self) -> str:
        """Of her service and of her branch."""
        return external_name(self.instance)

    @property
    def service(self) -> Instance:
        """Hers, as it is now."""
        return self.clouds.service(self.instance)

    def deployments(self) -> list[Deployment]:
        """Everything that was ever deployed for her, in whatever service."""
        everything = self.clouds.railway.world.ever(Deployment)
        owners = ((one, Owner.of_mark(one.variables.get("CLAW_OWNER", ""))) for one in everything)
        return [one for one, owner in owners if owner is not None and owner.uid == self.instance["metadata"]["uid"]]

    def runs_as_it_should(self) -> bool:
        """Whether her service is set as it was at first, and that is what runs."""
        live = [one for one in self.clouds.railway.deployments.of(self.service) if one.status.is_live]
        return settings_of(self.service) == self.settings and len(live) == 1 and is_current(live[0], self.service)

    async def is_well_again(self) -> Object:
        """Wait until she is, with everything as it was."""
        await eventually(self.runs_as_it_should, PATIENCE, lambda: (self.settings, settings_of(self.service)))
        return await self.clouds.until_reason("ada", "Available", PATIENCE)


def settings_of(service: Instance) -> Json:
    """All that a person could change of a service, without the driver's note of when it wrote it."""
    variables = {name: value for name, value in service.variables.items() if name != "CLAW_SETTINGS"}
    return {
        "settings": dict(service.settings),
        "source": dict(service.source),
        "variables": variables,
        "limits": service.limits,
    }


@asynccontextmanager
async def ada_on(clouds: Clouds) -> AsyncIterator[Ada]:
    """An operator that runs, and an instance that is well."""
    async with clouds.running():
        instance = await clouds.available("ada")
        service = clouds.service(instance)
        yield Ada(
            clouds=clouds,
            instance=instance,
            service_id=service.service.id,
            branch_id=clouds.branch(instance).id,
            secret=await clouds.secret("ada"),
            settings=settings_of(service),
        )


async def test_an_instance_becomes_available_with_one_of_everything(clouds: Clouds) -> None:
    async with ada_on(clouds) as ada:
        assert ada.runs_as_it_should()
    assert clouds.made() == {
        "services created": 1,
        "services deleted": 0,
        "domains created": 1,
        "domains deleted": 0,
        "branches created": 1,
        "branches deleted": 0,
        "endpoints created": 1,
        "endpoints deleted": 0,
    }


async def test_a_deleted_service_is_made_again_with_the_same_database(clouds: Clouds) -> None:
    async with ada_on(clouds) as ada:
        await clouds.railway.hand.delete(ada.name)
        await eventually(lambda: clouds.made()["services created"] == 2 and ada.runs_as_it_should(), PATIENCE)
        again = await clouds.until_reason("ada", "Available", PATIENCE)
        assert ada.service.service.id != ada.service_id
        assert again["status"]["url"] != ada.instance["status"]["url"], "the new service has an address of its own"
        assert await clouds.secret("ada") == ada.secret
    assert clouds.made() | {"services deleted": 1, "domains deleted": 1} == {
        "services created": 2,
        "services deleted": 1,
        "domains created": 2,
        "domains deleted": 1,
        "branches created": 1,
        "branches deleted": 0,
        "endpoints created": 1,
        "endpoints deleted": 0,
    }


async def test_a_renamed_service_gets_its_name_back_and_is_not_deployed_anew(clouds: Clouds) -> None:
    async with ada_on(clouds) as ada:
        deployed = len(ada.deployments())
        clouds.railway.hand.rename(ada.name, "our-favourite-customer")
        await eventually(lambda: clouds.services() == {ada.name}, PATIENCE)
        await ada.is_well_again()
        assert ada.service.service.id == ada.service_id
        assert len(ada.deployments()) == deployed


async def test_a_scaled_service_is_one_replica_again(clouds: Clouds) -> None:
    async with ada_on(clouds) as ada:
        clouds.railway.hand.scale(ada.name, 3)
        await ada.is_well_again()
        assert ada.service.service.id == ada.service_id
        assert ada.service.settings["numReplicas"] == 1


async def test_edited_added_and_removed_variables_are_put_back(clouds: Clouds) -> None:
    async with ada_on(clouds) as ada:
        by_hand = {
            "DATABASE_URL": "postgresql://somebody@elsewhere.example/db",
            "DEBUG": "1",
            "ANTHROPIC_API_KEY": None,
        }
        clouds.railway.hand.set_variables(ada.name, by_hand)
        assert not ada.runs_as_it_should()
        await ada.is_well_again()
        assert ada.service.variables["DATABASE_URL"] == ada.secret[naming.SECRET_DATABASE_URL]


async def test_changed_limits_are_put_back_without_a_deployment(clouds: Clouds) -> None:
    async with ada_on(clouds) as ada:
        deployed = len(ada.deployments())
        ada.service.limits = {"cpu": 8.0, "memoryBytes": 8 * 10**9}
        await ada.is_well_again()
        assert len(ada.deployments()) == deployed


async def test_a_crashed_runtime_is_deployed_again(clouds: Clouds) -> None:
    async with ada_on(clouds) as ada:
        deployed = len(ada.deployments())
        clouds.railway.hand.crash(ada.name)
        await eventually(lambda: len(ada.deployments()) == deployed + 1, PATIENCE)
        await ada.is_well_again()
        assert ada.service.service.id == ada.service_id


async def test_a_failed_build_says_its_last_words_without_secrets_and_a_mended_one_is_deployed(clouds: Clouds) -> None:
    clouds.railway.world.pace = clouds.railway.world.pace.but(building=0.3)
    async with ada_on(clouds) as ada:
        url = ada.secret[naming.SECRET_DATABASE_URL]

        def the_build_tells_a_secret() -> bool:
            for deployment in clouds.railway.deployments.of(ada.service):
                if deployment.status.is_under_way and not deployment.build_log:
                    deployment.build_log.append(f"ERROR: migration of {url} failed")
            return condition(latest, "ComputeReady").get("reason") == "Crashed"

        await clouds.patch("ada", {"runtime": {"repository": "acme/broken", "ref": "main"}})
        latest: Object = {}

        async def it_failed() -> bool:
            nonlocal latest
            latest = await clouds.get("ada")
            return the_build_tells_a_secret()

        await eventually(it_failed, PATIENCE, lambda: latest["status"])
        message = condition(latest, "ComputeReady")["message"]
        assert "could not determine how to build the app" in message
        assert "Build failed: exit code 1" in message
        assert url not in message
        assert len(message) < 500
        assert condition(latest, "Ready")["reason"] == "Degraded"

        await clouds.patch("ada", {"runtime": {"repository": REPOSITORY, "ref": "main"}})
        await ada.is_well_again()
        assert ada.service.service.id == ada.service_id


async def test_a_vanished_database_is_reported_and_replaced_only_when_a_person_accepts_the_loss(clouds: Clouds) -> None:
    async with ada_on(clouds) as ada:
        async with clouds.person_at_neon() as person:
            deleted = await person.delete(f"{person.here}/branches/{ada.branch_id}")
            assert deleted.status_code == 200, deleted.text
        reported = await clouds.until(
            "ada", lambda o: condition(o, "DatabaseReady").get("reason") == "Vanished", PATIENCE
        )
        assert condition(reported, "DatabaseReady")["status"] == "False"
        assert ada.branch_id in condition(reported, "DatabaseReady")["message"]
        assert condition(reported, "Ready")["reason"] == "Degraded"
        await clouds.several_looks()
        assert clouds.branches() == set(), "nobody replaces a customer's data by nothing"

        await clouds.annotate("ada", {naming.ACCEPT_DATABASE_LOSS: ada.branch_id})
        again = await clouds.until_reason("ada", "Available", PATIENCE)
        secret = await clouds.secret("ada")
        assert clouds.branch(again).id != ada.branch_id
        assert secret[naming.SECRET_DATABASE_URL] != ada.secret[naming.SECRET_DATABASE_URL]
        assert secret[naming.SECRET_API_KEY] == ada.secret[naming.SECRET_API_KEY], "the customer's key still works"
        await eventually(lambda: ada.service.variables["DATABASE_URL"] == secret[naming.SECRET_DATABASE_URL], PATIENCE)
    assert clouds.made()["branches created"] == 2
    assert clouds.made()["services created"] == 1


async def test_a_password_that_was_changed_by_hand_is_replaced_and_deployed(clouds: Clouds) -> None:
    async with ada_on(clouds) as ada:
        host = ada.instance["status"]["database"]["host"]
        async with clouds.person_at_neon() as person:
            await person.post(f"{person.here}/branches/{ada.branch_id}/roles/{ROLE}/reset_password")
        clouds.railway.stand_ins.refusing.add(host)  # the running one has the old password
        await eventually(lambda: clouds.neon.counts()["passwords reset"] == 3, PATIENCE)  # ours, the person's, ours
        clouds.railway.stand_ins.refusing.discard(host)
        await eventually(
            lambda: ada.service.variables["DATABASE_URL"] != ada.secret[naming.SECRET_DATABASE_URL], PATIENCE
        )
        await clouds.until_reason("ada", "Available", PATIENCE)
        url = (await clouds.secret("ada"))[naming.SECRET_DATABASE_URL]
        assert ada.service.variables["DATABASE_URL"] == url
        assert clouds.neon.lets_in(ada.branch_id, ROLE, password_in(url))
        assert not clouds.neon.lets_in(ada.branch_id, ROLE, password_in(ada.secret[naming.SECRET_DATABASE_URL]))


def password_in(url: str) -> str:
    """Of a connection URL."""
    return url.partition("://")[2].partition("@")[0].partition(":")[2]
