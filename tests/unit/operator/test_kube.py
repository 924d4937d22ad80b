"""The API server on its bad days. What it does on good ones is asked of a real one, in tests/integration/operator."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from claw_crds import naming
from claw_crds.v1alpha1 import ClawInstance, ClawInstanceStatus, ObjectMeta
from claw_dev.certificates import Certificates
from claw_operator.events import News
from claw_operator.external import NameTaken
from claw_operator.kube import Conflict, Kube, KubeError, NotFound, Refused, Unavailable
from tests.unit.operator.api_server import (
    INSTANCES,
    SECRETS,
    TEST_FAILED,
    ApiServer,
    answer,
    before,
    cut,
    dumped,
    lose,
    secret_of,
    status,
)
from tests.unit.operator.examples import NOW, body

PATH = f"{INSTANCES}/ada"
SECRET = f"{SECRETS}/ada-credentials"


@pytest.fixture
def stored(api: ApiServer) -> dict[str, Any]:
    """The instance as the API server has it."""
    return api.put(PATH, body())


async def get(kube: Kube) -> dict[str, Any]:
    """Any request."""
    return await kube.get_instance("claw", "ada")


@pytest.mark.parametrize(
    ("response", "error", "told"),
    [
        (status(429, "TooManyRequests", "slow down"), Unavailable, "429: slow down"),
        (status(500, "InternalError", "failed calling webhook"), Unavailable, "500: failed calling webhook"),
        (status(503, "ServiceUnavailable", "starting"), Unavailable, "503: starting"),
        (web.Response(status=502, text="<html>Bad Gateway</html>"), Unavailable, "502"),
        (web.Response(status=404, text="404 page not found"), Refused, "404 page not found"),
        (web.Response(status=404), Refused, "404"),
        (status(404, "NotFound", "ada not found"), NotFound, "ada not found"),
        (status(409, "Conflict", "the object has been modified"), Conflict, "modified"),
        (status(422, "Invalid", TEST_FAILED), Conflict, "rejected"),
        (status(422, "Invalid", "status.url: Too long"), Refused, "422 status.url: Too long"),
        (status(401, "Unauthorized", "Unauthorized"), Refused, "401 Unauthorized"),
        (status(403, "Forbidden", "secrets is forbidden"), Refused, "403 secrets is forbidden"),
        (web.Response(status=200, text="<html>Log in first</html>"), Unavailable, "JSON"),
        (web.Response(status=200, text="[]"), Unavailable, "JSON"),
        (web.Response(status=200), Unavailable, "JSON"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
async def test_every_answer_is_one_of_our_errors(
    api: ApiServer, kube: Kube, stored: dict[str, Any], response: web.Response, error: type[KubeError], told: str
) -> None:
    api.at("GET", PATH, answer(response))
    with pytest.raises(KubeError) as raised:
        await get(kube)
    assert type(raised.value) is error
    assert told in str(raised.value)
    assert await get(kube) == stored


async def test_a_connection_that_is_cut_is_no_answer(api: ApiServer, kube: Kube, stored: dict[str, Any]) -> None:
    for _ in range(2):  # the HTTP library asks once more by itself, when nothing can have changed
        api.at("GET", PATH, cut)
    with pytest.raises(Unavailable, match="does not answer"):
        await get(kube)
    assert await get(kube) == stored


async def test_an_api_server_that_is_not_there_is_no_answer() -> None:
    async with ApiServer().serving() as gone:
        pass
    async with gone.client() as client:
        with pytest.raises(Unavailable, match="does not answer"):
            await get(Kube(client))


async def test_an_answer_that_does_not_come_has_a_deadline(
    api: ApiServer, client: ApiClient, stored: dict[str, Any]
) -> None:
    async def never(_: web.Request) -> AsyncIterator[bytes]:
        yield b"{"
        await api.closed.wait()

    api.at("GET", PATH, lambda _, request: web.Response(body=never(request)))
    with pytest.raises(Unavailable, match="does not answer"):
        await get(Kube(client, timeout=0.05))


async def test_a_token_that_cannot_be_read_is_no_answer(
    kube: Kube, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Configuration) -> None:
        raise FileNotFoundError("token")

    monkeypatch.setattr(client.configuration, "refresh_api_key_hook", unreadable)
    with pytest.raises(Unavailable):
        await get(kube)


async def test_that_it_is_away_is_logged_once_and_so_is_that_it_is_back(
    api: ApiServer, kube: Kube, stored: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "claw_operator.kube")
    for _ in range(3):
        api.at("PATCH", PATH, cut)
        api.at("GET", PATH, answer(status(503, "ServiceUnavailable", "starting")))
        with pytest.raises(Unavailable):
            await kube.write_status(stored, ClawInstanceStatus())
        with pytest.raises(Unavailable):
            await get(kube)
    await get(kube)
    await get(kube)
    assert [record.getMessage() for record in caplog.records] == [
        "the Kubernetes API is away",
        "the Kubernetes API is back",
    ]


async def test_a_status_that_was_written_although_the_answer_was_lost_is_a_conflict_the_next_time(
    api: ApiServer, kube: Kube, stored: dict[str, Any]
) -> None:
    api.at("PATCH", PATH, lose)
    with pytest.raises(Unavailable):
        await kube.write_status(stored, ClawInstanceStatus(url="http://ada.example"))
    with pytest.raises(Conflict):
        await kube.write_status(stored, ClawInstanceStatus(url="http://ada.example"))
    written = await kube.write_status(await get(kube), ClawInstanceStatus(url="http://new.example"))
    assert written["status"]["url"] == "http://new.example"


async def test_a_finalizer_is_not_added_to_an_object_that_changed(
    api: ApiServer, kube: Kube, stored: dict[str, Any]
) -> None:
    api.put(PATH, stored)
    with pytest.raises(Conflict):
        await kube.add_finalizer(stored)
    assert "finalizers" not in (await get(kube))["metadata"]


async def values(kube: Kube, stored: dict[str, Any]) -> object:
    """What ada's Secret holds."""
    found = await kube.read_secret("claw", "ada-credentials", stored["metadata"]["uid"])
    return None if found is None else found.values


class TestTheSecret:
    """It is written whole, by its owner alone."""

    async def test_it_is_made_with_its_owner(self, api: ApiServer, kube: Kube, stored: dict[str, Any]) -> None:
        await kube.write_secret(ClawInstance.parse(stored), "ada-credentials", {"api-key": "x"})
        (owner,) = api.objects[SECRET]["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("ClawInstance", stored["metadata"]["uid"])
        assert await values(kube, stored) == {"api-key": "x"}

    async def test_writing_it_again_leaves_exactly_the_new_values(
        self, api: ApiServer, kube: Kube, stored: dict[str, Any]
    ) -> None:
        version = api.put(SECRET, secret_of(stored, {"api-key": b"old", "previous-api-key": b"older"}))["metadata"][
            "resourceVersion"
        ]
        ada = ClawInstance.parse(stored)
        newer = await kube.write_secret(ada, "ada-credentials", {"api-key": "new"}, version=version)
        assert await values(kube, stored) == {"api-key": "new"}
        assert newer == api.objects[SECRET]["metadata"]["resourceVersion"] != version

    @pytest.mark.parametrize("version", [None, "1"], ids=["it was not there", "it was another one"])
    async def test_one_that_was_written_since_it_was_read_is_not_overwritten(
        self, api: ApiServer, kube: Kube, stored: dict[str, Any], version: str | None
    ) -> None:
        written = api.put(SECRET, secret_of(stored, {"api-key": b"theirs"}))
        with pytest.raises(Conflict):
            await kube.write_secret(ClawInstance.parse(stored), "ada-credentials", {"api-key": "x"}, version=version)
        assert api.objects[SECRET] == written

    @pytest.mark.parametrize("owners", ["somebody", None], ids=["another owner", "no owner"])
    async def test_one_of_somebody_else_is_neither_read_nor_written_nor_deleted(
        self, api: ApiServer, kube: Kube, stored: dict[str, Any], owners: str | None
    ) -> None:
        strange = secret_of(stored, {"password": b"canary"}, owner="somebody")
        if owners is None:
            del strange["metadata"]["ownerReferences"]
        strange = api.put(SECRET, strange)
        uid = stored["metadata"]["uid"]
        for attempt in (
            kube.read_secret("claw", "ada-credentials", uid),
            kube.write_secret(ClawInstance.parse(stored), "ada-credentials", {"api-key": "x"}),
        ):
            with pytest.raises(NameTaken) as refused:
                await attempt
            assert "canary" not in str(refused.value)
        await kube.delete_secret("claw", "ada-credentials", uid)
        assert api.objects[SECRET] == strange

    async def test_deleting_it_when_it_is_gone_is_success(self, api: ApiServer, kube: Kube) -> None:
        await kube.delete_secret("claw", "ada-credentials", "1")
        api.put(SECRET, secret_of(body(), {"api-key": b"x"}))
        api.at("DELETE", SECRET, before(lambda: api.objects.pop(SECRET)))
        await kube.delete_secret("claw", "ada-credentials", body()["metadata"]["uid"])

    async def test_what_is_no_text_is_read_all_the_same(
        self, api: ApiServer, kube: Kube, stored: dict[str, Any]
    ) -> None:
        api.put(SECRET, secret_of(stored, {naming.SECRET_API_KEY: b"\xff\xfe\x00"}))
        found = await kube.read_secret("claw", "ada-credentials", stored["metadata"]["uid"])
        assert found is not None
        assert set(found.values) == {naming.SECRET_API_KEY}
        assert "values" not in repr(found)

    async def test_a_refusal_does_not_repeat_the_values(
        self, api: ApiServer, kube: Kube, stored: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        api.at("POST", SECRETS, answer(status(403, "Forbidden", "exceeded quota")))
        with pytest.raises(Refused) as refused:
            await kube.write_secret(ClawInstance.parse(stored), "ada-credentials", {"api-key": "canary"})
        assert "canary" not in f"{refused.value} {refused.value!r} {caplog.text} {dumped(api)}"


async def test_an_event_that_cannot_be_written_is_logged_and_forgotten(
    api: ApiServer, kube: Kube, caplog: pytest.LogCaptureFixture
) -> None:
    api.at("POST", "/apis/events.k8s.io", answer(status(403, "Forbidden", "namespace is terminating")))
    news = News("Normal", "Available", "The assistant answers.", "Reconcile")
    await kube.emit_event(ObjectMeta(name="ada", namespace="claw"), news, NOW)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_an_event_of_any_length_fits(api: ApiServer, kube: Kube) -> None:
    await kube.emit_event(ObjectMeta(name="ada", namespace="claw"), News("Normal", "A", "x" * 9999, "B"), NOW)
    (event,) = api.objects.values()
    assert len(event["note"]) == 1024


@pytest.mark.parametrize("prefix", ["Bearer ", "bearer "], ids=["a kubeconfig's", "a pod's"])
async def test_whoever_opens_a_connection_of_its_own_gets_the_bare_token(
    prefix: str, kube: Kube, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.configuration.api_key, "BearerToken", prefix + "eyJ")
    access = await kube.access()
    assert access.token == "eyJ"
    assert "eyJ" not in repr(access)


async def test_in_a_pod_the_token_is_read_anew_when_it_was_replaced(tmp_path: Path) -> None:
    token, certificates = tmp_path / "token", Certificates(tmp_path)
    token.write_text("first")
    certificates.write(NOW)
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    loader = InClusterConfigLoader(token_filename=token, cert_filename=certificates.ca, environ=environment)
    configuration = Configuration()
    loader.load_and_set(configuration)
    client = ApiClient(configuration)
    try:
        kube = Kube(client)
        assert (await kube.access()).token == "first"
        token.write_text("second")
        loader.token_expires_at = loader.token_expires_at.min
        assert (await kube.access()).token == "second"
    finally:
        await client.close()


@pytest.mark.parametrize("content", ["", "{", "not: a kubeconfig", "[]"])
async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, content: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(content)
    with pytest.raises(Refused, match="kubeconfig cannot be used"):
        async with Kube.connect(kubeconfig):
            pass
