"""What a subscription wishes for, as a table."""

from datetime import UTC, datetime
from typing import Any

import pytest

from claw_crds.v1alpha1 import State
from claw_webhook.events import Decision, Ended, NotYet, Refusal, RefusalReason, Wished, decide
from claw_webhook.stripe_objects import Checkout, Subscription
from tests.unit.webhook.stripe_documents import (
    checkout_document,
    customer_document,
    plan,
    subscription,
    subscription_document,
)

PRO = plan("pro", price_ids=("price_pro", "price_pro_old"), lookup_keys=("pro_monthly",))
TEAM = plan("team", price_ids=("price_team",), lookup_keys=("team_monthly",))
PLANS = (PRO, TEAM)


def wished(decision: Decision) -> Wished:
    assert isinstance(decision, Wished), decision
    return decision


def refused(decision: Decision) -> Refusal:
    assert isinstance(decision, Refusal), decision
    return decision


def customer_wished(payer: dict[str, Any], checkout: Checkout | None = None, **changes: Any) -> Any:
    decision = decide(subscription(customer=payer, **changes), checkout, PLANS)
    return wished(decision).spec.customer


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("active", State.RUNNING),
        ("trialing", State.RUNNING),
        ("past_due", State.RUNNING),
        ("unpaid", State.SUSPENDED),
        ("paused", State.SUSPENDED),
    ],
)
def test_a_subscription_that_goes_on_wishes_for_an_instance(status: str, state: State) -> None:
    spec = wished(decide(subscription(status=status), None, PLANS)).spec
    assert spec.state == state
    assert spec.plan_ref.name == "pro"
    assert spec.customer.id == "cus_Ada1"


@pytest.mark.parametrize("status", ["canceled", "incomplete_expired"])
def test_an_ended_subscription_ends_the_instance(status: str) -> None:
    assert decide(subscription(status=status), None, PLANS) == Ended()


def test_a_subscription_without_its_first_payment_changes_nothing() -> None:
    assert decide(subscription(status="incomplete"), None, PLANS) == NotYet()


def test_a_status_that_stripe_invents_tomorrow_is_refused_and_not_guessed() -> None:
    assert refused(decide(subscription(status="dormant"), None, PLANS)).reason == RefusalReason.UNKNOWN_STATUS


@pytest.mark.parametrize(
    ("prices", "name"),
    [
        ((("price_pro", None),), "pro"),
        ((("price_pro_old", None),), "pro"),
        ((("price_new", "pro_monthly"),), "pro"),
        ((("price_team", None),), "team"),
        ((("price_addon", None), ("price_team", None)), "team"),
        ((("price_pro", None), ("price_pro_old", "pro_monthly")), "pro"),
    ],
)
def test_the_plan_is_the_one_that_sells_the_price(prices: tuple[tuple[str, str | None], ...], name: str) -> None:
    assert wished(decide(subscription(prices=prices), None, PLANS)).spec.plan_ref.name == name


@pytest.mark.parametrize("prices", [(("price_else", "else"),), (("price_else", None),), ()])
def test_an_unknown_price_is_never_a_default(prices: tuple[tuple[str, str | None], ...]) -> None:
    refusal = refused(decide(subscription(prices=prices), None, PLANS))
    assert refusal.reason == RefusalReason.UNKNOWN_PRICE
    assert "sub_Pro1" in refusal.message
    assert all(price in refusal.message for price, _ in prices)


def test_prices_of_two_plans_are_not_chosen_among() -> None:
    refusal = refused(decide(subscription(prices=(("price_pro", None), ("price_team", None))), None, PLANS))
    assert refusal.reason == RefusalReason.AMBIGUOUS_PLAN
    assert "pro, team" in refusal.message


@pytest.mark.parametrize("changes", [{"prices": ()}, {"customer": {"id": "cus_Ada1", "deleted": True}}])
def test_what_cannot_be_served_today_can_still_be_ended(changes: dict[str, Any]) -> None:
    assert decide(subscription(status="canceled", **changes), None, ()) == Ended()


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        "nobody",
        "a@b@c",
        "ada@example.com\r\nBcc: everybody@example.com",
        "ada@example.com\nSubject: won",
        "ada@example.com, eve@example.com",
        '"Ada" <ada@example.com>',
        "ada@exa mple.com",
        "ada\x00@example.com",
        "ada\u202e@example.com",
        "ada@example.com\u2028x",
        "a" * 65 + "@example.com",
        "ada@" + "e" * 250,
    ],
)
def test_an_address_that_no_mail_can_be_sent_to_is_refused_without_being_repeated(email: str | None) -> None:
    refusal = refused(decide(subscription(customer=customer_document(email=email)), None, PLANS))
    assert refusal.reason == RefusalReason.UNUSABLE_EMAIL
    assert "cus_Ada1" in refusal.message
    assert not email or email not in refusal.message


def test_what_was_entered_at_the_checkout_fills_what_the_customer_record_lacks() -> None:
    checkout = Checkout.model_validate(
        checkout_document(locale="pt-BR", metadata={"timezone": "America/Sao_Paulo", "company": "Engines Ltd"})
    )
    customer = customer_wished({"id": "cus_Ada1"}, checkout)
    assert customer.email == "ada@example.com"
    assert customer.name == "Ada Lovelace"
    assert customer.company == "Engines Ltd"
    assert customer.timezone == "America/Sao_Paulo"
    assert customer.locale == "pt-BR"


def test_the_customer_record_outranks_subscription_and_checkout() -> None:
    checkout = Checkout.model_validate(checkout_document(metadata={"timezone": "UTC", "company": "A", "locale": "fr"}))
    payer = customer_document(metadata={"timezone": "Europe/London"})
    customer = customer_wished(payer, checkout, metadata={"timezone": "Asia/Tokyo", "company": "B"})
    assert (customer.timezone, customer.company, customer.locale) == ("Europe/London", "B", "fr")


@pytest.mark.parametrize("locale", ["auto", "en-GB; rm -rf", "", "x"])
@pytest.mark.parametrize("timezone", ["../../etc/passwd", "Mars Standard Time", ""])
def test_an_odd_locale_or_timezone_is_left_to_the_default(locale: str, timezone: str) -> None:
    customer = customer_wished(customer_document(preferred_locales=[locale], metadata={"timezone": timezone}))
    assert (customer.locale, customer.timezone) == ("en", "UTC")
    assert not customer.model_fields_set & {"locale", "timezone"}


def test_only_what_billing_decides_is_set_so_that_the_rest_stays_with_its_owner() -> None:
    spec = wished(decide(subscription(), None, PLANS)).spec
    assert spec.model_fields_set == {"customer", "plan_ref", "state"}


def test_the_period_is_found_in_the_old_and_in_the_new_shape() -> None:
    end = datetime(2026, 10, 21, 14, 13, 20, tzinfo=UTC)
    assert subscription().paid_until == end
    old = subscription_document(current_period_end=1_792_592_000)
    for item in old["items"]["data"]:
        del item["current_period_end"]
    assert Subscription.model_validate(old).paid_until == end


def test_fields_that_nobody_knows_are_no_error() -> None:
    assert subscription(invented={"deep": [1]}, metadata=None).metadata == {}
