"""The page that a checkout session's URL leads to, for a person with a browser: two fields, and nothing is paid."""

from html import escape

from aiohttp import web

from claw_dev.simulators.stripe import checkout
from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.clocks import time_of
from claw_dev.simulators.stripe.errors import StripeProblem
from claw_dev.simulators.stripe.records import CheckoutSession, CustomerDetails, Price, Product

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title} (simulated)</title></head>
<body>
<h1>{title}</h1>
<p>This is a simulator of Stripe. No card is asked for and no money moves.</p>
{content}
</body>
</html>
"""
_TITLE = "Checkout"
_FORM = """<ul>{lines}</ul>
<form method="post">
<p><label>Email <input name="email" type="email" required value="{email}"></label></p>
<p><label>Name <input name="name" autocomplete="name"></label></p>
<p><button>Subscribe</button></p>
</form>"""


def payment_routes(account: Account) -> list[web.RouteDef]:
    """`GET` and `POST /c/pay/{session}`."""

    async def show(request: web.Request) -> web.Response:
        try:
            session = account.get(CheckoutSession, request.match_info["session"])
        except StripeProblem as problem:
            return page_of(_TITLE, f"<p>{escape(problem.message)}</p>", status=problem.status)
        if session.status != "open":
            return page_of(_TITLE, "<p>This checkout is over.</p>", status=410)
        return page_of(_TITLE, _form(account, session))

    async def pay(request: web.Request) -> web.Response:
        form = await request.post()
        details = CustomerDetails(email=str(form.get("email", "")), name=str(form.get("name", "")) or None)
        try:
            session = account.get(CheckoutSession, request.match_info["session"])
            with account.at(time_of(account, [session.id])):
                checkout.complete(account, session, details)
        except StripeProblem as problem:
            return page_of(_TITLE, f"<p>{escape(problem.message)}</p>", status=problem.status)
        raise web.HTTPSeeOther((session.success_url or "/").replace("{CHECKOUT_SESSION_ID}", session.id))

    return [web.get("/c/pay/{session}", show), web.post("/c/pay/{session}", pay)]


def _form(account: Account, session: CheckoutSession) -> str:
    lines = "".join(f"<li>{escape(described(account, line.price, line.quantity))}</li>" for line in session.lines)
    return _FORM.format(lines=lines, email=escape(session.customer_email or "", quote=True))


def described(account: Account, price_id: str, quantity: int) -> str:
    """A line of a bill, for a person."""
    price = account.get(Price, price_id)
    product = account.get(Product, price.product)
    return f"{quantity} x {product.name}: {price.unit_amount / 100:.2f} {price.currency.upper()} a {price.interval}"


def page_of(title: str, content: str, *, status: int = 200) -> web.Response:
    """A page of the simulator."""
    return web.Response(text=_PAGE.format(title=title, content=content), content_type="text/html", status=status)
