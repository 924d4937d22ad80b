"""The note that a service bears, and what differs from it."""

from dataclasses import replace

import pytest

from claw_operator.external import DesiredCompute, Drift, Owner, Rejected, Size
from claw_operator.external.railway.models import (
    ConfigContainers,
    ConfigDeploy,
    ConfigLimits,
    ConfigService,
    ConfigVariable,
    ServiceInstance,
    Source,
)
from claw_operator.external.railway.settings import (
    Note,
    drift,
    drift_in,
    instance_input,
    limits_of,
    note_of,
    size_in,
    variables_of,
)

OWNER = Owner("claw", "claw-ada", "6f0c2a1e-0000-4000-8000-000000000001")
DESIRED = DesiredCompute(
    owner=OWNER,
    size=Size(500, 512 * 2**20),
    image="registry.example/clawdbot:1",
    region="europe-west4-drams3a",
    variables={"DATABASE_URL": "postgresql://claw:hunter2@db.example/claw"},
)
NOTE = note_of(DESIRED, after="deployment-1", domain=None)


def as_railway_tells(desired: DesiredCompute, note: Note) -> tuple[ServiceInstance, ConfigService]:
    sent = instance_input(desired)
    instance = ServiceInstance.model_validate(
        {"serviceId": "s", "serviceName": OWNER.external_name, **sent, "source": sent["source"]}
    )
    variables = {name: ConfigVariable(value=value) for name, value in variables_of(desired, note).items()}
    return instance, ConfigService(source=Source.model_validate(sent["source"]), variables=variables)


def test_the_note_survives_as_text() -> None:
    assert Note.of_text(NOTE.text) == NOTE


def test_the_note_holds_no_value() -> None:
    assert "hunter2" not in NOTE.text
    assert "db.example" not in NOTE.text


@pytest.mark.parametrize("text", [None, "", "-", "{}", '{"after": 1}', "[]"])
def test_a_note_that_is_none_is_no_note(text: str | None) -> None:
    assert Note.of_text(text) is None


def test_what_was_sent_is_no_drift() -> None:
    instance, config = as_railway_tells(DESIRED, NOTE)
    assert drift_in(NOTE, instance, config) == ()


def test_what_railway_does_not_tell_is_no_drift() -> None:
    instance = ServiceInstance(service_id="s", service_name="n")
    assert drift_in(NOTE, instance, ConfigService()) == ()


def test_a_sealed_variable_is_unknown_and_no_drift() -> None:
    instance, config = as_railway_tells(DESIRED, NOTE)
    sealed = {**(config.variables or {}), "DATABASE_URL": ConfigVariable(value="", is_sealed=True)}
    assert drift_in(NOTE, instance, config.model_copy(update={"variables": sealed})) == ()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"num_replicas": 3}, "replicas"),
        ({"sleep_application": True}, "sleep"),
        ({"healthcheck_path": "/"}, "health check"),
        ({"restart_policy_type": "NEVER"}, "restart policy"),
        ({"region": "us-west2"}, "region"),
        ({"source": Source(image="another:2")}, "image"),
        ({"source": Source(repo="somebody/else")}, "image"),
    ],
)
def test_each_setting_that_was_changed_is_named(change: dict[str, object], word: str) -> None:
    instance, config = as_railway_tells(DESIRED, NOTE)
    assert drift_in(NOTE, instance.model_copy(update=change), config) == (word,)


def test_repository_and_branch_are_settings() -> None:
    desired = replace(DESIRED, image=None, repository="claw-dev/clawdbot", ref="stable")
    note = note_of(desired, after=None, domain=None)
    instance, config = as_railway_tells(desired, note)
    other = config.model_copy(update={"source": Source(repo="claw-dev/clawdbot", branch="main")})
    assert drift_in(note, instance, other) == ("branch",)


def test_a_name_alone_needs_no_deployment() -> None:
    assert drift((), renamed=False) is None
    assert drift((), renamed=True) == Drift("name", needs_deployment=False)
    assert drift(("replicas",), renamed=True) == Drift("replicas, name", needs_deployment=True)


def test_a_value_that_railway_would_resolve_is_refused_without_being_shown() -> None:
    desired = replace(DESIRED, variables={"NOTE": "secret ${{Postgres.PASSWORD}}"})
    with pytest.raises(Rejected, match="NOTE of claw-ada") as refused:
        variables_of(desired, NOTE)
    assert "secret" not in str(refused.value)


def test_replicas_are_always_sent() -> None:
    assert instance_input(DESIRED)["numReplicas"] == 1


def test_the_region_of_the_spec_goes_before_the_operators() -> None:
    assert instance_input(DESIRED, region="us-west2")["region"] == "europe-west4-drams3a"
    assert instance_input(replace(DESIRED, region=None), region="us-west2")["region"] == "us-west2"
    assert "region" not in instance_input(replace(DESIRED, region=None))


def test_registry_credentials_go_with_images_only() -> None:
    registry = ("claw", "hush")
    assert instance_input(DESIRED, registry=registry)["registryCredentials"] == {"username": "claw", "password": "hush"}
    repository = replace(DESIRED, image=None, repository="claw-dev/clawdbot")
    assert "registryCredentials" not in instance_input(repository, registry=registry)


@pytest.mark.parametrize("gigabyte", [10**9, 2**30])
def test_a_size_counts_as_sent_whatever_railways_gigabyte_is(gigabyte: int) -> None:
    limits = limits_of(DESIRED.size)
    config = limited(limits["vCPUs"], limits["memoryGB"] * gigabyte)
    assert size_in(config, NOTE) == DESIRED.size


def test_another_size_is_told_as_it_is() -> None:
    assert size_in(limited(2, 2 * 10**9), NOTE) == Size(2000, 2 * 10**9)


def test_a_size_that_railway_does_not_tell_is_unknown() -> None:
    assert size_in(None, NOTE) is None
    assert size_in(ConfigService(), NOTE) is None


def limited(cpu: float, memory: float) -> ConfigService:
    containers = ConfigContainers(cpu=cpu, memory_bytes=memory)
    return ConfigService(deploy=ConfigDeploy(limit_override=ConfigLimits(containers=containers)))
