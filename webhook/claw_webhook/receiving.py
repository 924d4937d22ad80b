"""`POST /webhooks/stripe`: verified, stored, answered; everything else happens afterwards.

Stripe repeats a delivery for three days unless it is answered with 2xx. So 2xx means "stored for good", 4xx "not from
Stripe, or not an event", and 503 "come again": the database is away.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

import psycopg
from aiohttp import web

from claw_webhook.inbox import Inbox, Stored
from claw_webhook.metrics import Metrics
from claw_webhook.problems import problem
from claw_webhook.signature import Forged, verify
from claw_webhook.stripe_objects import Event

LARGEST_BODY = 256 * 1024
"""Bytes. Stripe's events are a few kilobytes."""
_PATIENCE_SECONDS = 8

logger = logging.getLogger(__name__)


class Receiving:
    """The endpoint's handler."""

    def __init__(self, inbox: Inbox, *, secrets: Sequence[str], metrics: Metrics) -> None:
        self._inbox = inbox
        self._secrets = secrets
        self._metrics = metrics
        self._away = False
        self._forged = False

    async def stripe(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        began = time.perf_counter()
        kind, outcome, answer = await self._receive(request)
        self._metrics.events.labels(kind, outcome).inc()
        self._metrics.answer_seconds.observe(time.perf_counter() - began)
        return answer

    async def _receive(self, request: web.Request) -> tuple[str, str, web.Response]:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            detail = f"An event has at most {LARGEST_BODY} bytes."
            return "", "too_large", problem(413, "Payload too large", detail)
        try:
            payload = verify(body, request.headers.get("Stripe-Signature"), self._secrets)
        except Forged as error:
            self._turned_away(error)
            detail = "The Stripe-Signature header does not hold: wrong secret, changed body, or over five minutes old."
            return "", "forged", problem(400, "Invalid signature", detail)
        self._forged = False
        try:
            event = Event.parse(payload)
        except ValueError:
            logger.exception("Stripe signed something that is not an event")
            return "", "malformed", problem(400, "Not an event", "The body is signed, but not a Stripe event in JSON.")
        return event.type, *await self._store(event, payload)

    def _turned_away(self, error: Forged) -> None:
        # Anybody can cause it, and nobody shall fill the log: one line until a delivery holds, the rest is counted.
        if not self._forged:
            logger.warning("a delivery was turned away (is STRIPE_WEBHOOK_SECRET the endpoint's?): %s", error)
        self._forged = True

    async def _store(self, event: Event, payload: str) -> tuple[str, web.Response]:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                stored = await self._inbox.store(event, payload)
        except (psycopg.Error, TimeoutError) as error:
            if not self._away:
                logger.error("events cannot be stored (%s): Stripe is asked to come again", type(error).__name__)
            self._away = True
            detail = "The event could not be stored. Please deliver it again."
            return "unavailable", problem(503, "Unavailable", detail, headers={"Retry-After": "10"})
        if self._away:
            logger.info("events can be stored again")
        self._away = False
        if stored in {Stored.NEW, Stored.REVIVED}:
            logger.info("event %s stored", event.id, extra={"type": event.type, "subject": event.subject})
        return stored, web.json_response({"received": True})
