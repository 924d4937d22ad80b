"""The customers' portal: what customers may do there, their visits, and what they do."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from claw_dev.simulators.stripe import collection, customers, lifecycle, repricing, schedules, standing
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid
from claw_dev.simulators.stripe.events import change, tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import (
    CreateConfiguration,
    CreatePortalSession,
    Features,
    ListConfigurations,
    Params,
    UpdateConfiguration,
)
from claw_dev.simulators.stripe.records import (
    Card,
    Customer,
    Invoice,
    PhaseItem,
    PortalConfiguration,
    PortalSession,
    Price,
    Product,
    Schedule,
    Subscription,
)

_YEARLY = {"day": 365.0, "week": 52.0, "month": 12.0, "year": 1.0}


def create_configuration(account: Account, params: CreateConfiguration) -> PortalConfiguration:
    """`POST /v1/billing_portal/configurations`."""
    configuration = account.new(
        PortalConfiguration,
        features=_checked(account, params.features),
        business_profile=params.business_profile.model_dump(),
        default_return_url=params.default_return_url,
        name=params.name,
        is_default=not account.all(PortalConfiguration),
        metadata=params.metadata_after({}),
        updated=account.now(),
    )
    tell(account, "billing_portal.configuration.created", configuration)
    return configuration


def update_configuration(account: Account, identifier: str, params: UpdateConfiguration) -> PortalConfiguration:
    """`POST /v1/billing_portal/configurations/{id}`."""
    before = account.get(PortalConfiguration, identifier)
    given = params.model_fields_set
    facts: dict[str, Any] = {name: getattr(params, name) for name in given & {"default_return_url", "name", "active"}}
    if params.features is not None:
        named = params.features.model_fields_set
        facts["features"] = {**before.features, **_checked(account, params.features, only=named)}
    if params.business_profile is not None:
        facts["business_profile"] = params.business_profile.model_dump()
    metadata = params.metadata_after(before.metadata)
    kind = "billing_portal.configuration.updated"
    return change(account, kind, before, **facts, metadata=metadata, updated=account.now())


def retrieve_configuration(account: Account, identifier: str, _: Params) -> PortalConfiguration:
    """`GET /v1/billing_portal/configurations/{id}`."""
    return account.get(PortalConfiguration, identifier)


def list_configurations(account: Account, params: ListConfigurations) -> Page[PortalConfiguration]:
    """`GET /v1/billing_portal/configurations`."""
    return page(
        account.all(PortalConfiguration),
        params,
        lambda one: params.active in (None, one.active) and params.is_default in (None, one.is_default),
    )


def create_session(account: Account, params: CreatePortalSession) -> PortalSession:
    """`POST /v1/billing_portal/sessions`."""
    customer = account.get(Customer, params.customer, "customer")
    if customer.deleted:
        raise invalid(f"No such customer: '{customer.id}'", "customer", "resource_missing")
    if params.configuration is None:
        chosen = next((one for one in account.all(PortalConfiguration) if one.is_default), None)
    else:
        chosen = account.get(PortalConfiguration, params.configuration, "configuration")
    if chosen is None:
        raise invalid(
            "No configuration provided and your test mode default configuration has not been created. Provide a "
            "configuration or create your default by saving your customer portal settings in test mode."
        )
    identifier = account.new_id(PortalSession.PREFIX)
    session = account.new(
        PortalSession,
        id=identifier,
        configuration=chosen.id,
        customer=customer.id,
        url=f"{account.base_url}/p/session/{identifier}",
        return_url=params.return_url or chosen.default_return_url,
        locale=params.locale,
        flow=params.flow_data.model_dump() if params.flow_data else None,
    )
    tell(account, "billing_portal.session.created", session)
    return session


def offers(account: Account, features: Mapping[str, Any]) -> list[Price]:
    """The prices that customers may change to."""
    update = features["subscription_update"]
    if not update["enabled"] or "price" not in update["default_allowed_updates"]:
        return []
    return [account.get(Price, price) for product in update["products"] for price in product["prices"]]


def change_plan(account: Account, session: PortalSession, subscription: Subscription, price_id: str) -> None:
    """The customer chooses another price: for now, or for the next period if the configuration says so."""
    features = account.get(PortalConfiguration, session.configuration).features
    wanted = next((price for price in offers(account, features) if price.id == price_id), None)
    if wanted is None:
        raise invalid(f"This price is not offered: {price_id}.")
    item = subscription.items[0]
    now = account.get(Price, item.price)
    conditions = features["subscription_update"]["schedule_at_period_end"]["conditions"]
    if _waits(now, wanted, {one["type"] for one in conditions}) and not subscription.is_on_trial:
        schedules.plan_change(account, subscription, (PhaseItem(price=wanted.id, quantity=item.quantity),))
        return
    if subscription.schedule is not None:
        schedules.release(account, account.get(Schedule, subscription.schedule))
        subscription = account.get(Subscription, subscription.id)
    behavior = features["subscription_update"]["proration_behavior"]
    items = (replace(item, price=wanted.id), *subscription.items[1:])
    repricing.reprice(account, subscription, items, behavior=behavior)


def leave(account: Account, session: PortalSession, subscription: Subscription) -> None:
    """The customer cancels, as the configuration lets them."""
    cancel = account.get(PortalConfiguration, session.configuration).features["subscription_cancel"]
    if not cancel["enabled"]:
        raise invalid("Customers cannot cancel here.")
    if cancel["mode"] == "immediately":
        standing.end(account, subscription)
    else:
        lifecycle.end_with_period(account, subscription, wanted=True)


def pay(account: Account, subscription: Subscription) -> None:
    """The customer pays what is open, the oldest first, and their card works from now on."""
    customers.change_card(account, subscription.customer, Card.GOOD)
    for identifier in subscription.unsettled:
        invoice = account.get(Invoice, identifier)
        if not invoice.is_settled:
            collection.settle(account, invoice)


def _waits(now: Price, wanted: Price, conditions: set[str]) -> bool:
    """Whether a change is one of those that happen with the next period only."""
    yearly_now, yearly_then = (p.unit_amount * _YEARLY[p.interval] / p.interval_count for p in (now, wanted))
    shorter = _YEARLY[wanted.interval] / wanted.interval_count > _YEARLY[now.interval] / now.interval_count
    return ("decreasing_item_amount" in conditions and yearly_then < yearly_now) or (
        "shortening_interval" in conditions and shorter
    )


def _checked(account: Account, features: Features, *, only: set[str] | None = None) -> dict[str, Any]:
    for at, offered in enumerate(features.subscription_update.products):
        place = f"features[subscription_update][products][{at}]"
        account.get(Product, offered.product, f"{place}[product]")
        for price in offered.prices:
            if account.get(Price, price, f"{place}[prices]").product != offered.product:
                raise invalid(f"The price {price} does not belong to the product {offered.product}.", place)
    return features.model_dump(include=only)
