"""Which subscription an event hints at."""

from typing import Any

import pytest

from claw_webhook.stripe_objects import Event
from tests.unit.webhook.stripe_documents import checkout_document, event_document, subscription_document


def event(kind: str, changed: dict[str, Any], **changes: Any) -> Event:
    return Event.model_validate(event_document(kind, changed, **changes))


@pytest.mark.parametrize("reference", ["sub_Pro1", {"id": "sub_Pro1", "object": "subscription"}])
def test_a_checkout_hints_at_its_subscription_whether_expanded_or_not(reference: object) -> None:
    completed = event("checkout.session.completed", checkout_document(subscription=reference))
    assert completed.subscription_id == "sub_Pro1"


@pytest.mark.parametrize("kind", ["created", "updated", "deleted", "paused", "pending_update_applied", "invented"])
def test_every_event_of_a_subscription_hints_at_it(kind: str) -> None:
    assert event(f"customer.subscription.{kind}", subscription_document()).subscription_id == "sub_Pro1"


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("invoice.paid", {"id": "in_1", "subscription": "sub_Pro1"}),
        ("customer.updated", {"id": "cus_Ada1"}),
        ("checkout.session.completed", checkout_document(mode="payment", subscription=None)),
        ("checkout.session.completed", {"subscription": 7}),
        ("customer.subscription.updated", {}),
        ("customer.subscription.updated", {"id": "sub/../../secret"}),
        ("tomorrow.invented", {}),
    ],
)
def test_other_events_hint_at_nothing(kind: str, changed: dict[str, Any]) -> None:
    assert event(kind, changed).subscription_id is None


def test_a_thin_event_has_no_data_and_is_an_event_all_the_same() -> None:
    thin = Event.model_validate({"id": "evt_test_65R", "object": "v2.core.event", "type": "v1.billing.meter.no_meter"})
    assert thin.subscription_id is None
    assert thin.checkout is None


def test_a_checkout_that_cannot_be_read_is_still_a_hint() -> None:
    completed = event("checkout.session.completed", checkout_document(metadata=["not", "a", "mapping"]))
    assert completed.checkout is None
    assert completed.subscription_id == "sub_Pro1"
