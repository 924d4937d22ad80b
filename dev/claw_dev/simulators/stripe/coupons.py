"""Coupons, and the discounts that subscriptions get by them."""

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid, missing
from claw_dev.simulators.stripe.events import tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import Bare, CreateCoupon, Listed, Params
from claw_dev.simulators.stripe.periods import end_of_period
from claw_dev.simulators.stripe.records import Coupon, Discount, Subscription


def redeem(account: Account, coupon_id: str, subscription: Subscription) -> Discount:
    """Give the subscription the coupon's discount."""
    coupon = living(account, coupon_id, "discounts[0][coupon]")
    months = coupon.duration_in_months
    discount = account.new(
        Discount,
        coupon=coupon,
        customer=subscription.customer,
        subscription=subscription.id,
        end=end_of_period(account.now(), "month", count=months) if months else None,
    )
    account.change(coupon, redeemed=coupon.redeemed + 1)
    tell(account, "customer.discount.created", discount)
    return discount


def living(account: Account, coupon_id: str, param: str = "id") -> Coupon:
    """The coupon, if it can still be redeemed. Raises StripeProblem."""
    coupon = account.get(Coupon, coupon_id, param)
    if coupon.deleted:
        raise missing(coupon.OBJECT, coupon_id, param)
    return coupon


def create_coupon(account: Account, params: CreateCoupon) -> Coupon:
    """`POST /v1/coupons`."""
    if (params.percent_off is None) == (params.amount_off is None):
        raise invalid("You must pass either amount_off or percent_off.", "amount_off")
    if params.amount_off is not None and params.currency is None:
        raise invalid("You must pass currency when passing amount_off", "currency", "parameter_missing")
    if (params.duration == "repeating") != (params.duration_in_months is not None):
        raise invalid("duration_in_months goes with a duration of repeating.", "duration_in_months")
    if params.id is not None and any(coupon.id == params.id for coupon in account.all(Coupon)):
        raise invalid("Coupon already exists.", "id", "resource_already_exists")
    coupon = account.new(
        Coupon, **params.model_dump(exclude={"expand", "metadata"}), metadata=params.metadata_after({})
    )
    tell(account, "coupon.created", coupon)
    return coupon


def retrieve_coupon(account: Account, coupon_id: str, _: Params) -> Coupon:
    """`GET /v1/coupons/{id}`."""
    return living(account, coupon_id)


def list_coupons(account: Account, params: Listed) -> Page[Coupon]:
    """`GET /v1/coupons`."""
    return page(account.all(Coupon), params, lambda coupon: not coupon.deleted)


def delete_coupon(account: Account, coupon_id: str, _: Bare) -> Coupon:
    """`DELETE /v1/coupons/{id}`: who has its discount keeps it."""
    coupon = living(account, coupon_id)
    tell(account, "coupon.deleted", coupon)
    return account.change(coupon, deleted=True)
