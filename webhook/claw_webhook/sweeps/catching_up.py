"""The events that were missed: read from Stripe's own list, and stored in the inbox as if they had been delivered.

An event that is in the inbox already is left alone, so the list may be read from too early on, again, or twice at once.
"""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from claw_webhook.database import Pool, fetch_all
from claw_webhook.inbox import Inbox, Stored
from claw_webhook.stripe_books import StripeBooks
from claw_webhook.stripe_objects import Event

KEPT_BY_STRIPE = timedelta(days=30)
_OVERLAP = timedelta(hours=1)
"""Clocks differ, and an event may be listed a little after the moment that it bears."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaughtUp:
    """What came of reading the list."""

    listed: int
    stored: int
    """How many of them had been missed."""


async def catch_up(
    books: StripeBooks, inbox: Inbox, pool: Pool, *, complete_until: datetime | None, now: datetime
) -> CaughtUp:
    """Store what happened at Stripe since `complete_until` (None: as far back as it tells) and is not in the inbox.

    Raises StripeUnavailable, psycopg.Error: then some are stored and nothing else is lost; begin again.
    """
    oldest = now - KEPT_BY_STRIPE
    since = oldest if complete_until is None else complete_until - _OVERLAP
    if since < oldest:
        logger.error(
            "events between %s and %s are no longer listed by Stripe, which keeps them for 30 days: what customers"
            " entered at checkouts of that time is lost; the comparison of subscriptions covers the rest",
            *(f"{moment:%Y-%m-%d %H:%M}" for moment in (since, oldest)),
        )
        since = oldest
    listed = stored = 0
    async with aclosing(_pages(books, since)) as pages:
        async for page in pages:
            listed += len(page)
            stored += await _store_missed(page, inbox, pool)
    if stored:
        logger.warning("%d events had not been delivered: they are worked on now", stored)
    return CaughtUp(listed, stored)


async def _pages(books: StripeBooks, since: datetime) -> AsyncGenerator[dict[str, dict[str, Any]], None]:
    async with aclosing(books.events(since)) as pages:
        async for page in pages:
            yield {str(document["id"]): document for document in page}


async def _store_missed(page: dict[str, dict[str, Any]], inbox: Inbox, pool: Pool) -> int:
    async with pool.connection() as connection:
        rows = await fetch_all(connection, "SELECT id FROM inbox WHERE id = ANY(%s)", [list(page)])
    stored = 0
    for missed in page.keys() - {row["id"] for row in rows}:
        try:
            event = Event.model_validate(page[missed])
        except ValidationError:
            logger.warning("event %s of Stripe's list cannot be read: it is left out", missed)
            continue
        # An endpoint is sent the types that it asked for; this list has them all, and most are nothing to us.
        if event.subject is not None:
            stored += await inbox.store(event, json.dumps(page[missed]), source="sweep") is Stored.NEW
    return stored
