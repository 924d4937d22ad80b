"""The customer of an instance, from what Stripe knows of who pays."""

from typing import Any

import pytest

from claw_webhook.billing import Account, RefusalReason, decide
from claw_webhook.stripe_objects import Checkout
from tests.unit.webhook.life import refused, wished
from tests.unit.webhook.stripe_documents import checkout_document, customer_document, day, plan, subscription

PLANS = (plan("pro", price_ids=("price_pro",)),)


def customer_wished(payer: dict[str, Any], checkout: Checkout | None = None, **changes: Any) -> Any:
    account = Account(subscription(customer=payer, **changes), checkout)
    return wished(decide(account, PLANS, day(1))).spec.customer


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
    account = Account(subscription(customer=customer_document(email=email)))
    refusal = refused(decide(account, PLANS, day(1)))
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
