"""Answers are understood as far as they can be, and no further."""

import pytest

from claw_operator.external import NameTaken, Owner, Transient
from claw_operator.external.http import NoAnswer
from claw_operator.external.railway.api import parsed
from claw_operator.external.railway.fleet import Deployments, Reading, Service
from claw_operator.external.railway.models import (
    ConfigService,
    ConfigVariable,
    Deployment,
    FleetPage,
    ServiceInstance,
)
from claw_operator.external.railway.options import RailwayOptions

OWNER = Owner("claw", "claw-ada", "6f0c2a1e-0000-4000-8000-000000000001")
PAGE = {
    "config": {
        "services": {
            "s1": {
                "source": {"image": "clawdbot:1", "checkSuites": True},
                "variables": {"A": {"value": "1"}, "B": {"isSealed": True}, "C": 7},
                "deploy": {"limitOverride": "none", "numReplicas": 1},
                "volumeMounts": {},
            },
            "s2": "what is this?",
        },
        "aNewPart": [],
    },
    "serviceInstances": {
        "edges": [
            {
                "node": {
                    "serviceId": "s1",
                    "serviceName": "claw-x",
                    "latestDeployment": {"id": "d", "status": "TELEPORTING", "mood": "good"},
                    "domains": {"serviceDomains": [{"domain": "claw-x.up.railway.app"}], "customDomains": []},
                }
            }
        ],
        "pageInfo": {"hasNextPage": False},
    },
}


def test_what_is_new_is_dropped_and_what_is_odd_is_unknown() -> None:
    page = FleetPage.model_validate(PAGE)
    assert page.config is not None
    service = page.config.services["s1"]
    assert service is not None
    assert service.variables == {
        "A": ConfigVariable(value="1"),
        "B": ConfigVariable(is_sealed=True),
        "C": None,
    }
    assert service.deploy is not None
    assert service.deploy.limit_override is None
    assert page.config.services["s2"] is None
    latest = page.service_instances.nodes[0].latest_deployment
    assert latest is not None
    assert latest.status == "TELEPORTING"


def test_an_answer_of_another_shape_is_no_answer_and_shows_no_value() -> None:
    with pytest.raises(NoAnswer, match=r"about the services is not understood: serviceInstances") as error:
        parsed(FleetPage, {"serviceInstances": "hunter2"}, "the services")
    assert "hunter2" not in str(error.value)


def test_a_service_is_found_by_name_and_else_by_its_mark() -> None:
    named, renamed, copy = service("1", OWNER.external_name), service("2", "renamed"), service("3", "copy")
    assert Reading(0, (renamed,)).of(OWNER) is renamed
    assert Reading(0, (copy, named)).of(OWNER) is named
    assert Reading(0, (copy, named)).bearing(OWNER) == [copy, named]
    assert Reading(0, ()).of(OWNER) is None


def test_a_stranger_of_our_name_is_not_ours() -> None:
    stranger = service("1", OWNER.external_name, mark=None)
    with pytest.raises(NameTaken):
        Reading(0, (stranger,)).of(OWNER)


def test_a_service_of_our_name_that_is_not_told_is_unknown() -> None:
    untold = Service(ServiceInstance(service_id="1", service_name=OWNER.external_name))
    with pytest.raises(Transient):
        Reading(0, (untold,)).of(OWNER)


def test_the_newest_deployment_of_a_service_is_told_from_the_one_before() -> None:
    old, new = deployment("old"), deployment("new")
    assert Deployments(0, (new, old)).after("s", "old") is new
    assert Deployments(0, (old,)).after("s", "old") is None
    assert Deployments(0, (new, old)).after("another", None) is None


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("account", ("Authorization", "Bearer t")),
        ("workspace", ("Authorization", "Bearer t")),
        ("project", ("Project-Access-Token", "t")),
    ],
)
def test_each_kind_of_token_has_its_header(kind: str, header: tuple[str, str]) -> None:
    options = RailwayOptions(url="u", token="t", project_id="p", token_kind=kind)  # type: ignore[arg-type]  # of a list
    assert options.token_header == header
    assert "'t'" not in repr(options)


def test_reads_settle_within_three_polls_unless_somebody_knows_better() -> None:
    assert RailwayOptions(url="u", token="t", project_id="p", poll_seconds=2).settle == 6
    assert RailwayOptions(url="u", token="t", project_id="p", settle_seconds=1).settle == 1


def service(service_id: str, name: str, mark: str | None = OWNER.mark) -> Service:
    variables = {} if mark is None else {"CLAW_OWNER": ConfigVariable(value=mark)}
    return Service(ServiceInstance(service_id=service_id, service_name=name), ConfigService(variables=variables))


def deployment(name: str) -> Deployment:
    return Deployment(id=name, status="SUCCESS", service_id="s")
