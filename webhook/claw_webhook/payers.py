"""The customer of an instance, from what Stripe knows of who pays. Pure."""

from collections.abc import Mapping

from pydantic import ValidationError

from claw_crds.v1alpha1 import Customer
from claw_webhook.cleaning import clean_line, is_plain
from claw_webhook.stripe_objects import Checkout, Subscription


def payer_of(subscription: Subscription, checkout: Checkout) -> Customer | None:
    """The customer as the schema accepts one: the name cleaned, an odd locale or timezone left to the default.

    None when there is no usable address. Only that cannot be repaired by guessing: a mail to the wrong person is worse
    than none.
    """
    payer = subscription.customer
    # What was said last and most deliberately wins: the customer's own record, the subscription's, the checkout's.
    said = {**checkout.metadata, **subscription.metadata, **payer.metadata}
    fields = {
        "id": payer.id,
        "email": (payer.email or checkout.customer_details.email or "").strip(),
        "name": clean_line(payer.name or checkout.customer_details.name),
        "company": clean_line(said.get("company") or payer.business_name or checkout.customer_details.business_name),
        "timezone": said.get("timezone"),
        "locale": said.get("locale") or next(iter(payer.preferred_locales), checkout.locale),
    }
    given = {field: value for field, value in fields.items() if value is not None}
    unfit = _unfit(given)
    if "email" in unfit or not is_plain(given["email"]):
        return None
    return Customer.model_validate({field: value for field, value in given.items() if field not in unfit})


def _unfit(fields: Mapping[str, str]) -> set[str]:
    """The fields that the schema of a Customer refuses."""
    try:
        Customer.model_validate(fields)
    except ValidationError as error:
        return {str(fault["loc"][0]) for fault in error.errors(include_url=False)}
    return set()
