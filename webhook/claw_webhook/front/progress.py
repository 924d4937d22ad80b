"""`/welcome`: where Stripe sends the customer after paying, and `/welcome/progress`, which tells how far things are.

The page may open before Stripe's event arrives, or although it never does: it asks Stripe about the checkout, remembers
what was entered there, and asks for the look that the event would have caused. From then on it only reads.

It ends with the one-time link of the welcome mail, but only for the browser that began the checkout, which proves it
by its cookie. Whoever else has the address sees the progress and is told of the mail.
"""

import asyncio
import hmac
import json
import logging
import time
from contextlib import suppress

import psycopg
from aiohttp import web

from claw_crds.keys import sha256
from claw_webhook.front.links import KeyLinks
from claw_webhook.front.orders import Orders, TooOften
from claw_webhook.front.pages import Pages
from claw_webhook.front.stages import Outcome, Picture, Progress, progress
from claw_webhook.front.stripe_shop import BROWSER as BROWSER_MARK
from claw_webhook.front.stripe_shop import NoSuchSession
from claw_webhook.front.visitors import address_of, browser_of
from claw_webhook.problems import problem
from claw_webhook.stripe_api import StripeUnavailable
from claw_webhook.stripe_objects import CheckoutSession

_POLL_SECONDS = 1.0
_HEARTBEAT_SECONDS = 15.0
_PATIENCE_SECONDS = 600.0
"""As long as the operator tries. Whoever still waits then is told to wait for the mail."""
_MOST_STREAMS = 200
_STREAM = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}

logger = logging.getLogger(__name__)


class Welcome:
    """The two handlers.

    A stream says something every `heartbeat_seconds` and ends after `patience_seconds`; `most_streams` are open at the
    same time.
    """

    def __init__(
        self,
        orders: Orders,
        *,
        links: KeyLinks,
        pages: Pages,
        heartbeat_seconds: float = _HEARTBEAT_SECONDS,
        patience_seconds: float = _PATIENCE_SECONDS,
        most_streams: int = _MOST_STREAMS,
    ) -> None:
        self._orders = orders
        self._links = links
        self._pages = pages
        self._heartbeat_seconds = heartbeat_seconds
        self._patience_seconds = patience_seconds
        self._most_streams = most_streams
        self._streams = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all streams: the process stops, and browsers connect again to the next one."""
        self._closing.set()

    async def page(self, request: web.Request) -> web.Response:
        """`GET /welcome?session_id=…`: how far things are now; the script on it tells how they go on."""
        try:
            session = await self._session(request)
            picture = await self._orders.picture(session)
            if not picture.recorded:
                await self._orders.ask_for_a_look(session)
            link = await self._link(request, session, picture)
        except (psycopg.OperationalError, StripeUnavailable) as error:
            logger.warning("a welcome page could not be shown: %s", error)
            return self._pages.sorry(
                503,
                "One moment, please",
                "We cannot look at your order right now. Nothing is lost: please load this page again in a minute.",
                headers={"Retry-After": "10"},
            )
        except NoSuchSession:
            text = "We do not know this order. Please use the link with which you came from the payment page."
            return self._pages.sorry(404, "No such order", text)
        except TooOften:
            return self._pages.sorry(429, "One moment, please", "That was very often. Please try again soon.")
        shown = progress(session, picture)
        return self._pages.render(
            200,
            "pages/welcome.html.j2",
            script="pages/welcome.js" if shown.goes_on else "",
            progress=shown,
            session=session.id,
            pay_at=session.url,
            link=link,
            key_shown=picture.key_shown,
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        """`GET /welcome/progress?session_id=…`: the same as server-sent events, each with all there is to know.

        So a connection that was lost is simply made again: what `Last-Event-ID` names need not be looked up.
        """
        try:
            session = await self._session(request)
        except StripeUnavailable:
            return problem(503, "Unavailable", "Stripe does not tell about this order right now.", {"Retry-After": "5"})
        except NoSuchSession:
            return problem(404, "No such order", "Stripe knows no such checkout session.")
        except TooOften:
            return problem(429, "Too many requests", "That was very often. Try again soon.", {"Retry-After": "5"})
        if self._streams >= self._most_streams:
            return problem(
                503, "Unavailable", "Too many are watching. Load the page again later.", {"Retry-After": "10"}
            )
        self._streams += 1
        try:
            return await self._stream(request, session)
        finally:
            self._streams -= 1

    async def _stream(self, request: web.Request, session: CheckoutSession) -> web.StreamResponse:
        response = web.StreamResponse(headers=_STREAM)
        with suppress(ConnectionError):  # the customer went away
            await response.prepare(request)
            await response.write(b"retry: 2000\n\n")
            await self._tell(request, response, session)
        return response

    async def _tell(self, request: web.Request, response: web.StreamResponse, session: CheckoutSession) -> None:
        told: Progress | None = None
        began = spoke = _seconds()
        while request.transport is not None and not self._closing.is_set():
            now = await self._progress_or(told, session)
            if now is not None and now != told:
                await response.write(_event("progress" if now.goes_on else "over", now.document()))
                if not now.goes_on:
                    return
                told, spoke = now, _seconds()
            elif _seconds() - began > self._patience_seconds:
                await response.write(_event("late", {}))
                return
            elif _seconds() - spoke > self._heartbeat_seconds:
                # Or a proxy would close a connection that nothing goes through.
                await response.write(b": still here\n\n")
                spoke = _seconds()
            await _wait(self._closing, _POLL_SECONDS)

    async def _progress_or(self, told: Progress | None, session: CheckoutSession) -> Progress | None:
        try:
            return progress(session, await self._orders.picture(session))
        except psycopg.OperationalError:
            return told  # it will be back

    async def _session(self, request: web.Request) -> CheckoutSession:
        return await self._orders.session(request.query.get("session_id", ""), client=address_of(request))

    async def _link(self, request: web.Request, session: CheckoutSession, picture: Picture) -> str | None:
        """Where this browser sees the key; None when it is not to see it."""
        if progress(session, picture).outcome is not Outcome.READY or picture.mail is None or picture.key_shown:
            return None
        proof, expected = browser_of(request), session.metadata.get(BROWSER_MARK, "")
        if not proof or not hmac.compare_digest(sha256(proof).encode(), expected.encode()):
            return None
        return f"/keys/{await self._links.issue(picture.mail)}"


def _event(name: str, document: dict[str, object]) -> bytes:
    return f"event: {name}\nid: {sha256(json.dumps(document))[:8]}\ndata: {json.dumps(document)}\n\n".encode()


def _seconds() -> float:
    return time.monotonic()


async def _wait(signal: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await signal.wait()
    except TimeoutError:
        return
