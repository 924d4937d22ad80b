"""`/exports/{token}`: where the link in a mail about an ended subscription leads.

GET shows a button and opens no database, because mail scanners follow every link they find. POST is the download, as
often as the customer likes until the data is deleted.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any

import psycopg
from aiohttp import web

from claw_webhook.database import Pool, fetch_one
from claw_webhook.front.exporting import archive
from claw_webhook.front.pages import Pages
from claw_webhook.front.passes import TOKEN, Pass, Passes, PassKind
from claw_webhook.instances import ClusterUnavailable, Instances

PATH = f"/exports/{{token:{TOKEN}}}"

_AT_THE_SAME_TIME = 4
_PATIENCE_SECONDS = 30 * 60
"""For a whole download. A reader that never reads must not hold a database's old rows for ever."""

logger = logging.getLogger(__name__)


class ExportPages:
    """The two handlers."""

    def __init__(
        self, passes: Passes, *, pool: Pool, instances: Instances, pages: Pages, clock: Callable[[], datetime]
    ) -> None:
        self._passes = passes
        self._pool = pool
        self._instances = instances
        self._pages = pages
        self._clock = clock
        self._places = asyncio.Semaphore(_AT_THE_SAME_TIME)

    async def ask(self, request: web.Request) -> web.Response:
        """The page with the button, or why there is none."""
        try:
            found = await self._passes.look(request.match_info["token"], PassKind.EXPORT)
        except psycopg.OperationalError as error:
            return self._try_again(error)
        if found is None:
            return self._closed(404, "unknown")
        return self._render(200, "pages/export.html.j2", until=f"{found.expires_at:%-d %B %Y, %H:%M} UTC")

    async def download(self, request: web.Request) -> web.StreamResponse:
        """The archive."""
        if self._places.locked():
            return self._try_again(RuntimeError("all places for downloads are taken"))
        async with self._places:
            try:
                found = await self._passes.look(request.match_info["token"], PassKind.EXPORT)
                if found is None:
                    return self._closed(404, "unknown")
                url = await self._database_of(found)
                if url is None:
                    return self._closed(410, "gone")
                async with aclosing(archive(url, self._clock())) as pieces:
                    first = await anext(pieces)
                    return await self._stream(request, found, first, pieces)
            except (psycopg.OperationalError, ClusterUnavailable) as error:
                return self._try_again(error)

    async def _database_of(self, found: Pass) -> str | None:
        """Where the data is; None when it is gone."""
        async with self._pool.connection() as connection:
            row = await fetch_one(
                connection,
                "SELECT secret_name FROM instances WHERE name = %s AND deleted_at IS NULL",
                [found.instance],
            )
        return await self._instances.database_url(row["secret_name"]) if row and row["secret_name"] else None

    async def _stream(
        self, request: web.Request, found: Pass, first: bytes, rest: AsyncGenerator[bytes, None]
    ) -> web.StreamResponse:
        name = f"claw-data-{self._clock():%Y-%m-%d}.zip"
        response = web.StreamResponse(
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Type": "application/zip",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            }
        )
        await response.prepare(request)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await response.write(first)
                async for piece in rest:
                    await response.write(piece)
                await response.write_eof()
        except (psycopg.Error, TimeoutError) as error:
            # Half an archive must look like a failed download and not like a small one.
            logger.warning("the export of instance %s broke off: %s", found.instance, type(error).__name__)
            if request.transport is not None:
                request.transport.abort()
        else:
            logger.info("the data of instance %s was exported", found.instance)
        return response

    def _closed(self, status: int, state: str) -> web.Response:
        return self._render(status, "pages/export_closed.html.j2", state=state)

    def _try_again(self, error: Exception) -> web.Response:
        # Without the error's words: psycopg's name the customer's database and role.
        logger.warning("an export could not be made: %s", type(error).__name__)
        return self._closed(503, "unavailable")

    def _render(self, status: int, template: str, **words: Any) -> web.Response:
        return self._pages.render(status, template, referrer="no-referrer", **words)  # its address is a secret
