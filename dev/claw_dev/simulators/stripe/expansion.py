"""`expand[]`: whole objects in place of the ids that refer to them, as far as Stripe lets them be expanded."""

from collections.abc import Iterable
from typing import Any

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid
from claw_dev.simulators.stripe.records import CheckoutSession, Subscription
from claw_dev.simulators.stripe.rendering import render
from claw_dev.simulators.stripe.rendering.checkout import line_items
from claw_dev.simulators.stripe.rendering.shapes import Json, listing

MAX_DEPTH = 4

# Which fields of which object hold an id that can be expanded; the simulator has no objects behind Stripe's others.
_REFERENCES: dict[str | None, set[str]] = {
    "billing_portal.session": {"configuration"},
    "checkout.session": {"customer", "invoice", "subscription"},
    "customer": {"test_clock"},
    "discount": {"customer"},
    "invoice": {"customer", "discounts", "subscription", "test_clock"},
    "line_item": {"subscription"},
    "plan": {"product"},
    "price": {"product"},
    "product": {"default_price"},
    "subscription": {"customer", "discounts", "latest_invoice", "schedule", "test_clock"},
    "subscription_schedule": {"customer", "subscription", "test_clock"},
    # Parts of other objects, which have no `object` field of their own.
    None: {"coupon", "discount", "price", "subscription"},
}

# Fields that are there for those who ask only.
_INCLUDABLE = {"checkout.session": {"line_items"}, "customer": {"subscriptions"}}


def expand(shown: Json, paths: Iterable[str], account: Account, version: str) -> Json:
    """The object with every path (`data.latest_invoice.customer`) expanded. Raises StripeProblem for a wrong one."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > MAX_DEPTH:
            raise invalid(f"You cannot expand more than {MAX_DEPTH} levels of a property (property: {path}).")
        _follow(shown, steps, account, version)
    return shown


def _follow(node: Any, steps: list[str], account: Account, version: str) -> None:
    """Expand the steps below a node: an object, a list of objects, or null where there might have been one."""
    if isinstance(node, list):
        for element in node:
            _follow(element, steps, account, version)
        return
    if not steps or node is None:
        return
    step, *rest = steps
    kind = node.get("object")
    if step in _INCLUDABLE.get(kind, ()) and step not in node:
        node[step] = _included(node, step, account, version)
    if step in node and step in _REFERENCES.get(kind, ()):
        node[step] = _whole(node[step], account, version)
    if step not in node or not _is_object(node[step], expanded=bool(rest)):
        hint = f" You may want to try expanding 'data.{step}' instead." if kind == "list" else ""
        raise invalid(f"This property cannot be expanded ({step}).{hint}")
    _follow(node[step], rest, account, version)


def _whole(reference: Any, account: Account, version: str) -> Any:
    """The object, or the objects, that ids refer to. What is whole already stays so."""
    if isinstance(reference, list):
        return [_whole(element, account, version) for element in reference]
    return render(account.find(reference), account, version) if isinstance(reference, str) else reference


def _is_object(value: Any, *, expanded: bool) -> bool:
    """Whether the value is an object of Stripe's or null. On the way to one, parts of objects will do."""
    if isinstance(value, dict):
        return expanded or "object" in value
    return value is None or isinstance(value, list)


def _included(node: Json, step: str, account: Account, version: str) -> Json:
    if step == "line_items":
        return line_items(account.get(CheckoutSession, node["id"]), account)
    running = [s for s in account.all(Subscription) if s.customer == node["id"] and not s.status.is_final]
    return listing((render(s, account, version) for s in running), f"/v1/customers/{node['id']}/subscriptions")
