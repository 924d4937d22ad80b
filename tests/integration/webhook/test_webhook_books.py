"""Stripe's lists and meters when they are not as one would like them, from a server that says just that."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from claw_dev.simulators.serving import serving
from claw_webhook.stripe_api import StripeUnavailable, open_stripe
from claw_webhook.stripe_books import MeterEvent, MeterEventRefused, StripeBooks, Unreadable
from tests.unit.webhook.stripe_documents import subscription_document

NOW = datetime(2026, 11, 22, tzinfo=UTC)
USAGE = MeterEvent("uid:2026-11-01T00:00:00Z:7", "claw_messages", "cus_1", 7, NOW)


@asynccontextmanager
async def books(answer: Callable[[web.Request], web.Response]) -> AsyncIterator[StripeBooks]:
    """The books of a Stripe that answers everything like this."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with serving(app) as url, open_stripe("sk_test_1", base=url) as stripe:
        yield StripeBooks(stripe.client)


def page(*data: dict[str, Any], has_more: bool = False) -> web.Response:
    return web.json_response({"object": "list", "data": list(data), "has_more": has_more})


def refusal(status: int, **error: str) -> web.Response:
    return web.json_response({"error": {"type": "invalid_request_error", **error}}, status=status)


async def test_a_subscription_in_an_unknown_form_is_there_and_nothing_more() -> None:
    odd = subscription_document(id="sub_Odd") | {"items": "as of version 2031"}
    async with books(lambda request: page(subscription_document(), odd)) as opened:
        [[good, unreadable]] = [listed async for listed in opened.subscriptions()]
    assert good.id == "sub_Pro1"
    assert unreadable == Unreadable("sub_Odd", "items")


async def test_everything_is_asked_for_once_after_the_last_one() -> None:
    asked = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request.query.get("starting_after"))
        number = len(asked)
        return page({"id": f"evt_{number}"}, has_more=number < 3)

    async with books(answer) as opened:
        assert [listed[0]["id"] async for listed in opened.events(NOW)] == ["evt_1", "evt_2", "evt_3"]
    assert asked == [None, "evt_1", "evt_2"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: page(has_more=True),
        lambda request: web.json_response({"object": "list"}),
        lambda request: web.Response(text="<html>", content_type="text/html"),
        lambda request: refusal(401, message="Invalid API Key provided: sk_test_1"),
    ],
)
async def test_a_list_that_does_not_come_to_its_end_is_no_list(answer: Callable[[web.Request], web.Response]) -> None:
    async with books(answer) as opened:
        with pytest.raises(StripeUnavailable, match="its events") as caught:
            assert [listed async for listed in opened.events(NOW)] == []
    assert "sk_test_1" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "duplicate_meter_event", "message": "Known."},
        {"message": f"An event already exists with identifier {USAGE.identifier}."},
    ],
)
async def test_usage_that_stripe_has_already_is_told(error: dict[str, str]) -> None:
    async with books(lambda request: refusal(400, **error)) as opened:
        await opened.report(USAGE)


async def test_usage_that_stripe_does_not_take_is_refused_in_its_words() -> None:
    async with books(lambda request: refusal(400, message="No active meter found.")) as opened:
        with pytest.raises(MeterEventRefused, match=r"No active meter found\."):
            await opened.report(USAGE)


async def test_usage_without_an_answer_may_have_arrived() -> None:
    async with books(lambda request: refusal(403, message="Not with this key.")) as opened:
        with pytest.raises(StripeUnavailable, match="may not do this"):
            await opened.report(USAGE)
