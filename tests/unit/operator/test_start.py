"""The operator's start: nothing is made before it knows whose fleet it is."""

from random import Random

import pytest

from claw_operator.__main__ import fleet_of
from claw_operator.kube import Kube, NotFound, Refused
from claw_operator.workqueue import Backoff
from tests.unit.operator.api_server import ApiServer, answer, cut, status

NAMESPACE = "/api/v1/namespaces/claw"
UID = "0b5f6f0e-7c1d-4f0a-9a55-2d7c1b8e6a10"
AT_ONCE = Backoff(first=0.001, limit=0.001)


async def test_an_api_server_that_is_still_starting_is_waited_for(api: ApiServer, kube: Kube) -> None:
    api.put(NAMESPACE, {"metadata": {"name": "claw", "uid": UID}})
    for misbehaviour in (cut, answer(status(503, "ServiceUnavailable", "starting")), cut):
        api.at("GET", NAMESPACE, misbehaviour)
    assert await fleet_of(kube, "claw", Random(1), AT_ONCE) == UID


async def test_a_namespace_that_is_missing_or_kept_from_us_ends_the_start(api: ApiServer, kube: Kube) -> None:
    with pytest.raises(NotFound):
        await fleet_of(kube, "claw", Random(1), AT_ONCE)
    api.at("GET", NAMESPACE, answer(status(403, "Forbidden", "namespaces is forbidden")))
    with pytest.raises(Refused, match="forbidden"):
        await fleet_of(kube, "claw", Random(1), AT_ONCE)
