"""The API: which request does what. Each operation is a plain function of the account; this file lends it HTTP."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from claw_dev.simulators.stripe import catalogue, checkout, customers, events, invoices, subscriptions
from claw_dev.simulators.stripe import params as p
from claw_dev.simulators.stripe.account import Account, Cause
from claw_dev.simulators.stripe.errors import StripeProblem, invalid
from claw_dev.simulators.stripe.expansion import expand
from claw_dev.simulators.stripe.forms import parse
from claw_dev.simulators.stripe.idempotency import Answer, IdempotencyKeys
from claw_dev.simulators.stripe.listing import Page
from claw_dev.simulators.stripe.protocol import REQUEST_ID, VERSION, dump, respond
from claw_dev.simulators.stripe.records import Record
from claw_dev.simulators.stripe.rendering import render
from claw_dev.simulators.stripe.rendering.shapes import Json, listing

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Operation:
    """A request and the function that carries it out: `run(account, *ids in the path, params)`."""

    method: str
    path: str
    params: type[p.Params]
    run: Callable[..., Record | Page[Any]]


OPERATIONS = (
    Operation("GET", "/v1/products", p.ListProducts, catalogue.list_products),
    Operation("POST", "/v1/products", p.CreateProduct, catalogue.create_product),
    Operation("GET", "/v1/products/{id}", p.Params, catalogue.retrieve_product),
    Operation("GET", "/v1/prices", p.ListPrices, catalogue.list_prices),
    Operation("POST", "/v1/prices", p.CreatePrice, catalogue.create_price),
    Operation("GET", "/v1/prices/{id}", p.Params, catalogue.retrieve_price),
    Operation("POST", "/v1/prices/{id}", p.UpdatePrice, catalogue.update_price),
    Operation("GET", "/v1/customers", p.ListCustomers, customers.list_customers),
    Operation("POST", "/v1/customers", p.ChangeCustomer, customers.create_customer),
    Operation("GET", "/v1/customers/{id}", p.Params, customers.retrieve_customer),
    Operation("POST", "/v1/customers/{id}", p.ChangeCustomer, customers.update_customer),
    Operation("DELETE", "/v1/customers/{id}", p.Params, customers.delete_customer),
    Operation("GET", "/v1/checkout/sessions", p.ListSessions, checkout.list_sessions),
    Operation("POST", "/v1/checkout/sessions", p.CreateSession, checkout.create_session),
    Operation("GET", "/v1/checkout/sessions/{id}", p.Params, checkout.retrieve_session),
    Operation("POST", "/v1/checkout/sessions/{id}/expire", p.Params, checkout.expire_session),
    Operation("GET", "/v1/checkout/sessions/{id}/line_items", p.Listed, checkout.list_lines),
    Operation("GET", "/v1/subscriptions", p.ListSubscriptions, subscriptions.list_subscriptions),
    Operation("GET", "/v1/subscriptions/{id}", p.Params, subscriptions.retrieve_subscription),
    Operation("POST", "/v1/subscriptions/{id}", p.UpdateSubscription, subscriptions.update_subscription),
    Operation("DELETE", "/v1/subscriptions/{id}", p.CancelSubscription, subscriptions.cancel_subscription),
    Operation("POST", "/v1/subscriptions/{id}/pause", p.Params, subscriptions.pause_subscription),
    Operation("POST", "/v1/subscriptions/{id}/resume", p.ResumeSubscription, subscriptions.resume_subscription),
    Operation("GET", "/v1/invoices", p.ListInvoices, invoices.list_invoices),
    Operation("GET", "/v1/invoices/{id}", p.Params, invoices.retrieve_invoice),
    Operation("GET", "/v1/events", p.ListEvents, events.list_events),
    Operation("GET", "/v1/events/{id}", p.Params, events.retrieve_event),
)


def api_routes(account: Account) -> list[web.RouteDef]:
    """All operations as routes, and an answer to everything else under /v1."""
    keys = IdempotencyKeys()
    routes = [web.route(op.method, op.path, _handler(op, account, keys)) for op in OPERATIONS]
    return [*routes, web.route("*", "/v1/{unknown:.*}", _unknown)]


async def _unknown(request: web.Request) -> web.Response:
    raise StripeProblem(404, f"Unrecognized request URL ({request.method}: {request.path}).")


def _handler(operation: Operation, account: Account, keys: IdempotencyKeys) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        content = await _content(request)
        key = request.headers.get("Idempotency-Key") if request.method == hdrs.METH_POST else None
        replayed = keys.answer(key, request.path, content) if key else None
        if replayed is not None:
            headers = {"Idempotent-Replayed": "true", "Original-Request": replayed.request_id}
            return respond(replayed.status, replayed.body, **headers)
        # What is wrong with the parameters is not kept: nothing was carried out, and the key may be used again.
        tree = parse(parse_qsl(content.decode(errors="replace"), keep_blank_values=True))
        params = p.validated(operation.params, tree)
        with account.caused_by(Cause(request[REQUEST_ID], key)):
            answer = _carry_out(operation, account, params, request)
        if key:
            keys.keep(key, request.path, content, answer)
        return respond(answer.status, answer.body)

    return handle


async def _content(request: web.Request) -> bytes:
    """The parameters in form encoding: from the body, or from the query where there is none."""
    if request.method != hdrs.METH_POST:
        return request.rel_url.raw_query_string.encode()
    body = await request.read()
    if body and request.content_type != _FORM:
        raise invalid(f"Invalid request: the body has to be {_FORM} and is {request.content_type}.")
    return body


def _carry_out(operation: Operation, account: Account, params: p.Params, request: web.Request) -> Answer:
    request_id, version = request[REQUEST_ID], request[VERSION]
    try:
        result = operation.run(account, *request.match_info.values(), params)
        shown = expand(_show(result, account, version, request.path), params.expand, account, version)
    except StripeProblem as problem:
        return Answer(problem.status, dump(problem.render(request_id)), request_id)
    return Answer(200, dump(shown), request_id)


def _show(result: Record | Page[Any], account: Account, version: str, path: str) -> Json:
    if isinstance(result, Page):
        return listing((render(r, account, version) for r in result.records), path, has_more=result.has_more)
    return render(result, account, version)
