"""The page that a portal session's URL leads to: change the plan, leave, stay after all, pay."""

from collections.abc import Callable
from html import escape

from aiohttp import web

from claw_dev.simulators.stripe import customers, lifecycle, portal
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.clocks import time_of
from claw_dev.simulators.stripe.errors import StripeProblem, invalid
from claw_dev.simulators.stripe.payment_page import described, page_of
from claw_dev.simulators.stripe.records import Card, PortalConfiguration, PortalSession, Price, Product, Subscription

_TITLE = "Billing"


def portal_routes(account: Account) -> list[web.RouteDef]:
    """`GET` and `POST /p/session/{session}`. A post has `subscription`, `action` and perhaps `price`."""

    async def show(request: web.Request) -> web.Response:
        try:
            return page_of(_TITLE, _content(account, _session(account, request)))
        except StripeProblem as problem:
            return page_of(_TITLE, f"<p>{escape(problem.message)}</p>", status=problem.status)

    async def act(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            session = _session(account, request)
            with account.at(time_of(account, [session.customer])):
                _act(account, session, form)
        except StripeProblem as problem:
            return page_of(_TITLE, f"<p>{escape(problem.message)}</p>", status=problem.status)
        raise web.HTTPSeeOther(request.path)

    return [web.get("/p/session/{session}", show), web.post("/p/session/{session}", act)]


def _session(account: Account, request: web.Request) -> PortalSession:
    return account.get(PortalSession, request.match_info["session"])


def _act(account: Account, session: PortalSession, form: dict[str, str]) -> None:
    subscription = account.get(Subscription, form.get("subscription", ""), "subscription")
    if subscription.customer != session.customer:
        raise invalid("This is somebody else's subscription.")
    actions: dict[str, Callable[[], object]] = {
        "change": lambda: portal.change_plan(account, session, subscription, form.get("price", "")),
        "cancel": lambda: portal.leave(account, session, subscription),
        "resume": lambda: lifecycle.end_with_period(account, subscription, wanted=False),
        "card": lambda: customers.change_card(account, session.customer, Card.GOOD),
        "pay": lambda: portal.pay(account, subscription),
    }
    action = actions.get(form.get("action", ""))
    if action is None:
        raise invalid("There is nothing of that name to be done here.")
    action()


def _content(account: Account, session: PortalSession) -> str:
    features = account.get(PortalConfiguration, session.configuration).features
    back = f'<p><a href="{escape(session.return_url, quote=True)}">Return</a></p>' if session.return_url else ""
    theirs = [one for one in account.all(Subscription) if one.customer == session.customer]
    running = [one for one in theirs if not one.status.is_final]
    offers = portal.offers(account, features)
    leaves, cards = (features[name]["enabled"] for name in ("subscription_cancel", "payment_method_update"))
    return "".join(_subscription(account, one, offers, leaves=leaves, cards=cards) for one in running) + back


def _subscription(
    account: Account, subscription: Subscription, offers: list[Price], *, leaves: bool, cards: bool
) -> str:
    lines = "".join(f"<li>{escape(described(account, item.price, item.quantity))}</li>" for item in subscription.items)
    buttons = [
        _button(subscription, "change", f"Change to {account.get(Product, price.product).name}", price=price.id)
        for price in offers
        if price.id != subscription.items[0].price
    ]
    if subscription.cancel_at_period_end:
        buttons.append(_button(subscription, "resume", "Don't cancel"))
    elif leaves:
        buttons.append(_button(subscription, "cancel", "Cancel"))
    if cards:
        buttons.append(_button(subscription, "card", "Use a card that works"))
    if subscription.unsettled:
        buttons.append(_button(subscription, "pay", "Pay what is open"))
    return f"<h2>{escape(subscription.id)}: {subscription.status}</h2><ul>{lines}</ul>{''.join(buttons)}"


def _button(subscription: Subscription, action: str, words: str, *, price: str = "") -> str:
    fields = {"subscription": subscription.id, "action": action, "price": price}
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value, quote=True)}">'
        for name, value in fields.items()
        if value
    )
    return f'<form method="post">{hidden}<button>{escape(words)}</button></form>'
