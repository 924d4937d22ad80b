"""Leaving an account: Google is asked to tell us nothing more, and to take the access back.

Here it is forgotten already, so all of this is best effort, bounded, and in the background: nobody waits for it, and
the customer can always end the access in their own Google account.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Final

from claw_runtime.database import DatabaseAway
from claw_runtime.google.account import Account
from claw_runtime.google.channels import Channel
from claw_runtime.google.http import Http, Request
from claw_runtime.google.places import Places
from claw_runtime.google.tokens import Tokens
from claw_runtime.problems import Problem

log = logging.getLogger(__name__)

SECONDS: Final = 15.0
"""For everything but the revocation itself, which has its own."""


class Goodbyes:
    """Those that are being said."""

    def __init__(self, http: Http, tokens: Tokens, places: Places) -> None:
        self._http = http
        self._tokens = tokens
        self._places = places
        self._tasks: set[asyncio.Task[None]] = set()

    def say(self, account: Account, channels: Sequence[Channel]) -> None:
        """Begin to leave this account."""
        self._begin(self._said(account, channels))

    def close(self, account: Account, channels: Sequence[Channel]) -> None:
        """Begin to close these channels, and nothing else: the account stays."""
        self._begin(self._silenced(account, channels, watch=False))

    async def stop(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="google-goodbye")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _said(self, account: Account, channels: Sequence[Channel]) -> None:
        await self._silenced(account, channels, watch="gmail" in account.scopes)
        if not await self._tokens.revoke(account):
            log.warning("the access could not be taken back at Google; the customer can do so in their account")

    async def _silenced(self, account: Account, channels: Sequence[Channel], *, watch: bool) -> None:
        if account.problem is not None:
            return
        wanted = [
            Request(
                "POST",
                f"{self._places.calendar}/channels/stop",
                json={"id": str(channel.id), "resourceId": channel.resource_id},
            )
            for channel in channels
        ]
        if watch:
            wanted.append(Request("POST", f"{self._places.gmail}/stop"))
        try:
            async with asyncio.timeout(SECONDS):
                for request in wanted:
                    await self._http.ask(request, await self._tokens.access(account))
        except (Problem, DatabaseAway, TimeoutError):
            log.info("Google still tells of changes for some days; nobody listens")
