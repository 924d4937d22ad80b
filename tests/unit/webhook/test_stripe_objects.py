"""What is read of Stripe's documents, and which subscription an event hints at."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from claw_webhook.billing import resumes
from claw_webhook.stripe_objects import CheckoutSession, Event, Invoice, Subscription
from tests.unit.webhook.stripe_documents import (
    before_basil,
    checkout_document,
    customer_document,
    day,
    event_document,
    invoice_before_basil,
    invoice_document,
    line_document,
    open_document,
    stamp,
    subscription,
    subscription_document,
)


def event(kind: str, changed: dict[str, Any], **changes: Any) -> Event:
    return Event.model_validate(event_document(kind, changed, **changes))


# Events.


@pytest.mark.parametrize("reference", ["sub_Pro1", {"id": "sub_Pro1", "object": "subscription"}])
@pytest.mark.parametrize("kind", ["completed", "async_payment_succeeded", "async_payment_failed", "expired"])
def test_a_checkout_hints_at_its_subscription_whether_expanded_or_not(kind: str, reference: object) -> None:
    assert event(f"checkout.session.{kind}", checkout_document(subscription=reference)).subject == "sub_Pro1"


@pytest.mark.parametrize("kind", ["created", "updated", "deleted", "paused", "pending_update_applied", "invented"])
def test_every_event_of_a_subscription_hints_at_it(kind: str) -> None:
    assert event(f"customer.subscription.{kind}", subscription_document()).subject == "sub_Pro1"


@pytest.mark.parametrize("kind", ["paid", "payment_failed", "voided", "marked_uncollectible", "overdue"])
@pytest.mark.parametrize("shape", [dict, invoice_before_basil], ids=["present", "before 2025-03-31"])
def test_every_event_of_an_invoice_hints_at_its_subscription(kind: str, shape: Any) -> None:
    assert event(f"invoice.{kind}", shape(open_document(created=0))).subject == "sub_Pro1"


@pytest.mark.parametrize("kind", ["updated", "deleted"])
def test_an_event_of_a_customer_hints_at_all_that_the_customer_subscribed_to(kind: str) -> None:
    assert event(f"customer.{kind}", customer_document()).subject == "cus_Ada1"


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("customer.created", customer_document()),
        ("charge.refunded", {"id": "ch_1", "customer": "cus_Ada1"}),
        ("charge.dispute.created", {"id": "dp_1", "charge": "ch_1"}),
        ("invoice.paid", {"id": "in_1", "parent": None}),
        ("invoice.paid", {"id": "in_1", "parent": {"subscription_details": {"subscription": 7}}}),
        ("invoice", {}),
        ("checkout.session.completed", checkout_document(mode="payment", subscription=None)),
        ("checkout.session.completed", {"subscription": 7}),
        ("customer.subscription.updated", {}),
        ("customer.subscription.updated", {"id": "sub/../../secret"}),
        ("tomorrow.invented", {}),
    ],
)
def test_other_events_hint_at_nothing(kind: str, changed: dict[str, Any]) -> None:
    assert event(kind, changed).subject is None


def test_a_thin_event_has_no_data_and_is_an_event_all_the_same() -> None:
    thin = Event.model_validate({"id": "evt_test_65R", "object": "v2.core.event", "type": "v1.billing.meter.no_meter"})
    assert thin.subject is None
    assert thin.checkout is None


@pytest.mark.parametrize("created", [1_790_000_000, "2026-09-21T14:13:20.000Z"])
def test_a_moment_is_read_in_the_shape_of_either_kind_of_event(created: object) -> None:
    assert event("invoice.paid", {}, created=created).created == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


def test_a_checkout_that_cannot_be_read_is_still_a_hint() -> None:
    completed = event("checkout.session.completed", checkout_document(metadata=["not", "a", "mapping"]))
    assert completed.checkout is None
    assert completed.subject == "sub_Pro1"


def test_only_a_checkout_that_came_to_its_end_tells_what_was_entered() -> None:
    assert event("checkout.session.expired", checkout_document(status="expired")).checkout is None
    entered = event("checkout.session.completed", checkout_document()).checkout
    assert entered is not None
    assert entered.customer_details.email == "ada@example.com"


# Documents.


def test_what_moved_in_2025_is_found_in_both_places() -> None:
    document = subscription_document(latest_invoice=invoice_document(line_document("price_pro", amount=4000)))
    present, older = subscription(**document), Subscription.model_validate(before_basil(document))
    for one in (present, older):
        assert (one.period_start, one.paid_until) == (day(0), day(30))
        assert one.latest_invoice is not None
        assert one.latest_invoice.subscription == "sub_Pro1"
        (line,) = one.latest_invoice.lines.data
        assert line.price is not None
        assert (line.price.id, line.price.product, line.amount) == ("price_pro", "prod_of_price_pro", 4000)


def test_the_price_of_a_line_is_read_when_it_was_expanded_too() -> None:
    line = line_document("price_pro")
    line["pricing"]["price_details"]["price"] = {"id": "price_pro", "lookup_key": "pro_monthly", "product": "prod_pro"}
    (read,) = Invoice.model_validate(invoice_document(line)).lines.data
    assert read.price is not None
    assert (read.price.lookup_key, read.price.product) == ("pro_monthly", "prod_pro")


@pytest.mark.parametrize("pricing", [None, {}, {"price_details": None}, {"type": "price_details"}])
def test_a_line_without_a_price_is_a_line(pricing: object) -> None:
    (read,) = Invoice.model_validate(invoice_document({"amount": -500, "pricing": pricing})).lines.data
    assert (read.price, read.period, read.amount) == (None, None, -500)


@pytest.mark.parametrize("latest", [None, "in_1"])
def test_an_invoice_that_was_not_expanded_is_none(latest: object) -> None:
    assert subscription(latest_invoice=latest).latest_invoice is None


def test_fields_that_nobody_knows_are_no_error() -> None:
    assert subscription(invented={"deep": [1]}, metadata=None, discounts=None).metadata == {}


def test_a_document_without_what_everything_follows_from_is_an_error() -> None:
    with pytest.raises(ValidationError):
        subscription(customer="cus_Ada1")


def test_what_is_owed_is_open_and_not_yet_paid() -> None:
    assert Invoice.model_validate(open_document(created=3)).owed_since == day(3)
    assert Invoice.model_validate(open_document(created=3, due_date=stamp(17))).owed_since == day(17)
    assert Invoice.model_validate(open_document(created=3)).is_owed
    for changes in ({"status": "void"}, {"status": "draft"}, {"status": "uncollectible"}, {"amount_remaining": 0}):
        assert not Invoice.model_validate(open_document(created=3, **changes)).is_owed


def test_a_checkout_session_is_read_with_what_became_of_it() -> None:
    session = CheckoutSession.model_validate(checkout_document(url=None, customer={"id": "cus_Ada1"}))
    assert (session.id, session.status, session.payment_status) == ("cs_test_1", "complete", "paid")
    assert (session.subscription, session.customer, session.url) == ("sub_Pro1", "cus_Ada1", None)


# Coming back.


@pytest.mark.parametrize("status", ["active", "trialing", "past_due"])
def test_who_comes_back_and_is_served_takes_over_what_waits(status: str) -> None:
    assert resumes(subscription(status=status, metadata={"claw_resumes": "sub_Old1"})) == "sub_Old1"


@pytest.mark.parametrize("status", ["incomplete", "incomplete_expired", "canceled", "unpaid", "paused", "invented"])
def test_nothing_is_taken_over_before_it_is_paid_for(status: str) -> None:
    assert resumes(subscription(status=status, metadata={"claw_resumes": "sub_Old1"})) is None


def test_most_subscriptions_resume_nothing() -> None:
    assert resumes(subscription()) is None


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({}, False),
        ({"cancel_at_period_end": True}, True),
        ({"cancel_at": stamp(30)}, True),
        ({"cancel_at": stamp(300)}, False),
    ],
)
def test_an_end_with_the_period_is_told_in_either_of_two_ways(changes: dict[str, Any], ends: bool) -> None:
    assert subscription(**changes).ends_with_period is ends
