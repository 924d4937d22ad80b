"""`/keys/{token}`: where the one-time link of a mail leads.

GET shows a button and changes nothing, because mail scanners follow every link they find. POST shows the key, once. The
page works without scripts and loads nothing from anywhere, so its policy can forbid both.
"""

import logging
from typing import Any

import psycopg
from aiohttp import web

from claw_webhook.front.links import KeyLink, KeyLinks, LinkState
from claw_webhook.front.pages import Pages
from claw_webhook.instances import ClusterUnavailable, Instances
from claw_webhook.metrics import Metrics

PATH = "/keys/{token:[A-Za-z0-9_-]{43}}"

_STATUS = {LinkState.OPEN: 200, LinkState.UNKNOWN: 404}
_NO_LONGER = 410

logger = logging.getLogger(__name__)


class KeyPages:
    """The two handlers."""

    def __init__(self, links: KeyLinks, *, instances: Instances, pages: Pages, metrics: Metrics) -> None:
        self._links = links
        self._instances = instances
        self._pages = pages
        self._metrics = metrics

    async def ask(self, request: web.Request) -> web.Response:
        """The page with the button, or why there is none."""
        try:
            link = await self._links.look(request.match_info["token"])
        except psycopg.OperationalError as error:
            return self._try_again(error)
        return self._page(link.state)

    async def show(self, request: web.Request) -> web.Response:
        """The page with the key, for exactly one request."""
        key = ""
        try:
            async with self._links.use(request.match_info["token"]) as link:
                if link.state is LinkState.OPEN:
                    key = await self._key(link)
        except (psycopg.OperationalError, ClusterUnavailable) as error:
            return self._try_again(error)
        # After the block, when it is settled that nobody else gets to see it.
        self._metrics.key_links.labels(link.state).inc()
        if link.state is not LinkState.OPEN:
            return self._page(link.state)
        logger.info("the key of instance %s was shown", link.instance)
        return self._render(200, "pages/key.html.j2", key=key, url=link.url)

    async def _key(self, link: KeyLink) -> str:
        key = await self._instances.api_key(link.secret_name)
        if key is None:  # the link stays good: the operator makes a lost Secret again
            raise ClusterUnavailable(f"Secret {link.secret_name} of instance {link.instance} is not there")
        return key

    def _page(self, state: LinkState) -> web.Response:
        if state is LinkState.OPEN:
            return self._render(200, "pages/ask.html.j2")
        return self._render(_STATUS.get(state, _NO_LONGER), "pages/closed.html.j2", state=state.value)

    def _try_again(self, error: Exception) -> web.Response:
        logger.warning("a key page could not be shown: %s", error or type(error).__name__)
        return self._render(503, "pages/closed.html.j2", state="unavailable")

    def _render(self, status: int, template: str, **words: Any) -> web.Response:
        return self._pages.render(status, template, referrer="no-referrer", **words)
