"""What kube.py relies on, asked of a real API server: what its answers look like, word by word where we read words."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from claw_crds import naming
from claw_crds.v1alpha1 import ClawInstance, ClawInstanceStatus, ObjectMeta
from claw_dev.cluster import ControlPlane
from claw_dev.kubectl import Kubectl
from claw_operator.events import News
from claw_operator.external import NameTaken
from claw_operator.kube import Conflict, Kube, KubeError, NotFound, Refused, StoredSecret
from tests.integration.operator.conftest import Operator

Object = dict[str, Any]
SECRET = "ada-credentials"


@pytest.fixture
async def kube(control_plane: ControlPlane) -> AsyncIterator[Kube]:
    """The operator's session."""
    async with Kube.connect(control_plane.kubeconfig) as session:
        yield session


@pytest.fixture
async def ada(operator: Operator) -> Object:
    """An instance that nobody works on."""
    return await operator.apply("ada")


async def test_a_write_on_an_old_view_is_a_conflict(kube: Kube, ada: Object, operator: Operator) -> None:
    await operator.annotate("ada", {naming.PAUSED: "true"})
    for attempt in (kube.write_status(ada, ClawInstanceStatus(url="http://old.example")), kube.add_finalizer(ada)):
        with pytest.raises(Conflict):
            await attempt
    now = await operator.get("ada")
    assert "status" not in now
    assert "finalizers" not in now["metadata"]


async def test_an_object_that_is_invalid_is_a_refusal_and_no_conflict(kube: Kube, ada: Object) -> None:
    """Both are answered with 422. Taken for a conflict, it would be tried again at once and for ever."""
    with pytest.raises(Refused, match=r"422 .*status\.url"):
        await kube.write_status(ada, ClawInstanceStatus.model_construct(url="x" * 3000))


async def test_the_real_words_of_both_are_told_apart(kube: Kube, ada: Object, operator: Operator) -> None:
    """Both at once: the test fails first, so it is a conflict, whatever else is wrong."""
    await operator.annotate("ada", {naming.PAUSED: "true"})
    with pytest.raises(Conflict, match=r"^the server rejected our request due to an error in our request$"):
        await kube.write_status(ada, ClawInstanceStatus.model_construct(url="x" * 3000))


async def test_what_is_not_there_is_not_found(kube: Kube, ada: Object, namespace: str) -> None:
    absent = ada | {"metadata": ada["metadata"] | {"name": "absent"}}
    for attempt in (
        kube.get_instance(namespace, "absent"),
        kube.get_plan("absent"),
        kube.write_status(absent, ClawInstanceStatus()),
        kube.add_finalizer(absent),
    ):
        with pytest.raises(NotFound, match="absent"):
            await attempt
    assert await kube.read_secret(namespace, "absent", "1") is None
    await kube.delete_secret(namespace, "absent", "1")


async def test_a_kind_that_nobody_knows_is_not_an_object_that_is_gone(kube: Kube) -> None:
    with pytest.raises(Refused, match="404 page not found"):
        await kube._call("GET", "/apis/claw.dev/v0/clawinstances/ada")


async def test_every_write_answers_with_the_object_as_it_now_is(kube: Kube, ada: Object, operator: Operator) -> None:
    with_finalizer = await kube.add_finalizer(ada)
    assert with_finalizer == await kube.get_instance(operator.namespace, "ada")
    with_status = await kube.write_status(with_finalizer, ClawInstanceStatus(url="http://ada.example"))
    assert with_status == await kube.get_instance(operator.namespace, "ada")
    assert with_status["metadata"]["generation"] == 1
    assert naming.OPERATOR_FIELD_MANAGER in {entry["manager"] for entry in with_status["metadata"]["managedFields"]}
    released = await kube.remove_finalizer(with_status)
    assert released == await kube.get_instance(operator.namespace, "ada")
    assert "finalizers" not in released["metadata"]


async def test_a_status_is_replaced_whole(kube: Kube, ada: Object) -> None:
    first = await kube.write_status(ada, ClawInstanceStatus(url="http://ada.example", observed_generation=1))
    second = await kube.write_status(first, ClawInstanceStatus(observed_generation=2))
    assert second["status"] == {"observedGeneration": 2, "conditions": []}


async def test_a_status_that_is_equal_is_no_write(kube: Kube, ada: Object) -> None:
    first = await kube.write_status(ada, ClawInstanceStatus(url="http://ada.example"))
    second = await kube.write_status(first, ClawInstanceStatus(url="http://ada.example"))
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_the_last_finalizer_lets_a_deleted_object_go_and_answers_with_what_it_was(
    kube: Kube, ada: Object, operator: Operator
) -> None:
    await kube.add_finalizer(ada)
    await operator.delete("ada")
    released = await kube.remove_finalizer(await operator.get("ada"))
    assert not released["metadata"].get("finalizers")
    assert not await operator.exists("clawinstance", "ada")


@pytest.mark.parametrize("page_size", [1, 2, 500])
async def test_a_list_is_complete_whatever_its_pages(kube: Kube, operator: Operator, page_size: int) -> None:
    names = [f"ada-{number}" for number in range(4)]
    made = [await operator.apply(name) for name in names]
    found = await kube.list_instances(operator.namespace, page_size=page_size)
    assert sorted(o["metadata"]["uid"] for o in found) == sorted(o["metadata"]["uid"] for o in made)
    assert ClawInstance.parse(found[0]).metadata.name in names


async def test_a_namespace_has_a_uid(kube: Kube, kubectl: Kubectl, namespace: str) -> None:
    assert await kube.namespace_uid(namespace) == (await kubectl.get("namespace", namespace))["metadata"]["uid"]
    with pytest.raises(NotFound):
        await kube.namespace_uid("no-such-namespace")


async def test_no_finalizer_is_added_to_what_is_being_deleted(kube: Kube, ada: Object, operator: Operator) -> None:
    """The promise that nothing external is made for an object that is already going."""
    held = await kube._call(
        "PATCH",
        f"/apis/claw.dev/v1alpha1/namespaces/{operator.namespace}/clawinstances/ada",
        {"metadata": {"finalizers": ["example.com/other"]}},
        content_type="application/merge-patch+json",
    )
    await operator.delete("ada")
    with pytest.raises(KubeError):
        await kube.add_finalizer(await operator.get("ada"))
    await kube._patch_finalizers(await operator.get("ada"), [])
    assert held["metadata"]["finalizers"] == ["example.com/other"]


class TestTheSecret:
    """Ours, somebody else's, and what stands in the way of it."""

    async def test_it_holds_exactly_what_was_written_last(self, kube: Kube, ada: Object, namespace: str) -> None:
        instance = ClawInstance.parse(ada)
        first = await kube.write_secret(instance, SECRET, {"api-key": "first", "previous-api-key": "older"})
        second = await kube.write_secret(instance, SECRET, {"api-key": "second"}, version=first)
        found = await kube.read_secret(namespace, SECRET, instance.metadata.uid)
        assert found == StoredSecret({"api-key": "second"}, second)

    async def test_one_that_was_written_since_it_was_read_is_not_overwritten(
        self, kube: Kube, ada: Object, namespace: str
    ) -> None:
        instance = ClawInstance.parse(ada)
        first = await kube.write_secret(instance, SECRET, {"api-key": "first"})
        second = await kube.write_secret(instance, SECRET, {"api-key": "second"}, version=first)
        for version in (None, first):
            with pytest.raises(Conflict):
                await kube.write_secret(instance, SECRET, {"api-key": "third"}, version=version)
        found = await kube.read_secret(namespace, SECRET, instance.metadata.uid)
        assert found == StoredSecret({"api-key": "second"}, second)

    async def test_it_goes_with_its_instance_through_garbage_collection(
        self, kube: Kube, ada: Object, operator: Operator, kubectl: Kubectl
    ) -> None:
        await kube.write_secret(ClawInstance.parse(ada), SECRET, {"api-key": "x"})
        secret = await kubectl.get("-n", operator.namespace, "secret", SECRET)
        assert secret["metadata"]["ownerReferences"][0]["controller"] is True
        assert secret["metadata"]["labels"][naming.INSTANCE] == "ada"

    async def test_one_of_somebody_else_is_left_as_it_is(
        self, kube: Kube, ada: Object, namespace: str, kubectl: Kubectl
    ) -> None:
        strange = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": namespace}}
        await kubectl.apply([strange | {"stringData": {"password": "strange"}}])
        before = await kubectl.get("-n", namespace, "secret", SECRET)
        instance = ClawInstance.parse(ada)
        with pytest.raises(NameTaken):
            await kube.read_secret(namespace, SECRET, instance.metadata.uid)
        with pytest.raises(NameTaken):
            await kube.write_secret(instance, SECRET, {"api-key": "ours"})
        await kube.delete_secret(namespace, SECRET, instance.metadata.uid)
        assert await kubectl.get("-n", namespace, "secret", SECRET) == before

    async def test_what_keeps_it_from_being_written_is_told_without_its_values(
        self, kube: Kube, ada: Object, namespace: str
    ) -> None:
        instance = ClawInstance.parse(ada)
        version = await kube.write_secret(instance, SECRET, {"api-key": "x"})
        path = f"/api/v1/namespaces/{namespace}/secrets/{SECRET}"
        locked = await kube._call("PATCH", path, {"immutable": True}, content_type="application/merge-patch+json")
        assert locked["metadata"]["resourceVersion"] != version
        with pytest.raises(Refused, match="immutable") as refused:
            await kube.write_secret(
                instance, SECRET, {"api-key": "canary"}, version=locked["metadata"]["resourceVersion"]
            )
        assert "canary" not in str(refused.value)


async def test_an_event_is_about_its_instance(kube: Kube, ada: Object, operator: Operator) -> None:
    meta = ObjectMeta.model_validate(ada["metadata"])
    await kube.emit_event(meta, News("Warning", "Degraded", "It does not answer.", "Reconcile"), datetime.now(UTC))
    assert await operator.events("ada") == [("Warning", "Degraded")]
