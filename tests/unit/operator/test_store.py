"""What the watch and our own writes tell, in whatever order they arrive."""

from typing import Any

import pytest

from claw_crds import naming
from claw_operator.store import Store
from tests.unit.operator.examples import UID, body, plan


def seen(version: int, *, uid: str = UID, status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """The object at that resourceVersion."""
    return body(metadata={"resourceVersion": str(version), "uid": uid} | metadata) | {"status": status or {}}


def test_what_is_new_is_a_wish() -> None:
    store = Store()
    assert store.saw(seen(1)) is True
    assert store.get(UID) == seen(1)
    assert (list(store), len(store)) == ([UID], 1)


def test_an_event_that_is_older_than_what_is_known_is_ignored() -> None:
    store = Store()
    store.saw(seen(10))
    assert store.saw(seen(9, generation=99)) is False
    assert store.saw(seen(10)) is False
    assert store.get(UID) == seen(10)


def test_versions_are_numbers_and_not_words() -> None:
    store = Store()
    store.saw(seen(9))
    store.saw(seen(10))
    assert store.get(UID) == seen(10)


def test_a_write_replaces_what_the_watch_has_not_caught_up_with() -> None:
    store = Store()
    store.saw(seen(1))
    store.wrote(seen(3, status={"url": "http://ada.example"}))
    assert store.saw(seen(2, generation=2)) is False
    assert store.get(UID) == seen(3, status={"url": "http://ada.example"})


def test_a_write_that_is_older_than_what_was_seen_changes_nothing() -> None:
    store = Store()
    store.saw(seen(5))
    store.wrote(seen(4))
    assert store.get(UID) == seen(5)


def test_our_own_write_that_comes_back_through_the_watch_is_no_wish() -> None:
    store = Store()
    store.saw(seen(1))
    store.wrote(seen(2, status={"url": "http://ada.example"}))
    assert store.saw(seen(2, status={"url": "http://ada.example"})) is False


def test_a_deletion_that_is_seen_before_the_answer_to_a_write_stays_a_deletion() -> None:
    store = Store()
    store.saw(seen(1))
    store.forget(UID)
    store.wrote(seen(2))
    assert store.get(UID) is None


@pytest.mark.parametrize(
    ("metadata", "wish"),
    [
        ({}, False),
        ({"generation": 2}, True),
        ({"deletionTimestamp": "2026-11-22T12:00:00Z"}, True),
        ({"finalizers": [naming.FINALIZER]}, True),
        ({"finalizers": ["example.com/other"]}, False),
        ({"labels": {"a": "b"}}, False),
        ({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}, False),
        ({"annotations": {naming.PAUSED: "true"}}, True),
        ({"annotations": {naming.RECONCILE_REQUESTED_AT: "now"}}, True),
        ({"annotations": {naming.RETRY_REQUESTED_AT: "now"}}, True),
        ({"annotations": {naming.ACCEPT_DATABASE_LOSS: "db-1"}}, True),
        ({"annotations": {naming.KEEP_UNTIL: "2027-01-17"}}, True),
    ],
    ids=lambda value: str(value)[:60],
)
def test_only_what_asks_for_something_wakes_the_loop(metadata: dict[str, Any], wish: bool) -> None:
    store = Store()
    store.saw(seen(1))
    assert store.saw(seen(2, **metadata)) is wish
    assert store.get(UID) == seen(2, **metadata)  # known it is, all the same


def test_a_finalizer_that_a_person_removed_is_a_wish() -> None:
    store = Store()
    store.saw(seen(1, finalizers=[naming.FINALIZER]))
    assert store.saw(seen(2, finalizers=[])) is True


def test_two_objects_of_one_name_are_two() -> None:
    store = Store()
    store.saw(seen(1))
    store.saw(seen(2, uid="another"))
    store.forget(UID)
    assert list(store) == ["another"]


def test_a_plan_is_news_when_its_spec_is() -> None:
    store, document = Store(), plan().wire()
    assert store.saw_plan(document) is True
    assert store.saw_plan(document | {"metadata": {"name": "pro", "labels": {"a": "b"}}}) is False
    assert store.saw_plan(plan(limits={"messagesPerMonth": 1}).wire()) is True
    known = store.plan("pro")
    assert known is not None
    assert known.spec.limits.messages_per_month == 1


def test_a_plan_that_does_not_parse_is_as_good_as_absent() -> None:
    store = Store()
    broken = {"metadata": {"name": "pro"}, "spec": {}}
    assert store.saw_plan(broken) is False
    store.saw_plan(plan().wire())
    assert store.saw_plan(broken) is True
    assert store.plan("pro") is None
    store.saw_plan(plan().wire())
    store.forget_plan("pro")
    assert store.plan("pro") is None


def test_the_instances_of_a_plan_are_found_whatever_else_is_wrong_with_them() -> None:
    store = Store()
    store.saw(seen(1))
    store.saw(seen(1, uid="other") | {"spec": {"planRef": {"name": "team"}}})
    store.saw(seen(1, uid="broken") | {"spec": {}})
    assert list(store.instances_of_plan("pro")) == [UID]
    assert list(store.instances_of_plan("no-such-plan")) == []
