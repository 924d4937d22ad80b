"""Gmail's watch and Calendar's channel end after a week. They are renewed a day before.

One task sleeps until the soonest end that is known in memory; nothing is queried meanwhile, and without a connected
account it sleeps until there is one. A renewal is also a look: whatever was not pushed is found then.
"""

import asyncio
import logging
import random
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from claw_runtime.database import DatabaseAway
from claw_runtime.google.account import Account, Accounts
from claw_runtime.google.calendar import Calendar
from claw_runtime.google.channels import Channel, Channels, hashed
from claw_runtime.google.gmail import Gmail
from claw_runtime.google.incoming import Incoming
from claw_runtime.problems import Problem

log = logging.getLogger(__name__)

MARGIN: Final = timedelta(days=1)
LONGEST_SLEEP: Final = timedelta(hours=6)
"""A machine that was suspended looks at its clock again at least this often. In memory: it costs nothing."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)


class Renewals:
    """Keeps Google telling us. `topic` and `address` are where; None: this installation is not told."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        channels: Channels,
        gmail: Gmail,
        calendar: Calendar,
        incoming: Incoming,
        topic: str | None,
        address: str | None,
        uid: Callable[[], str],
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._accounts = accounts
        self._channels = channels
        self._gmail = gmail
        self._calendar = calendar
        self._incoming = incoming
        self._topic = topic
        self._address = address
        self._uid = uid
        self._clock = clock
        self._jitter = jitter
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0

    def start(self) -> None:
        """Renew from now on. A second time changes nothing."""
        if self._task is not None:
            return
        self._task = asyncio.create_task(self._run(), name="google-renewals")

    def wake(self) -> None:
        """The account is another one: look at it now."""
        self._failures = 0
        self._wake.set()

    async def stop(self) -> None:
        """Renew no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def renew_due(self) -> None:
        """Renew what ends soon, and open what is not open. Logs when it begins to fail and when it ends."""
        async with self._one_at_a_time:
            try:
                await self._renewed()
            except (Problem, DatabaseAway) as error:
                self._failures += 1
                if self._failures == 1:
                    cause = error.kind.slug if isinstance(error, Problem) else "database-away"
                    log.warning("Google could not be asked to tell us of changes", extra={"cause": cause})
                return
            if self._failures:
                log.info("Google tells us of changes again")
            self._failures = 0

    def due_at(self) -> datetime | None:
        """When there is something to renew; None while nothing is connected. From memory."""
        account = self._accounts.current
        if account is None or account.problem is not None:
            return None
        ends: list[datetime] = []
        if self._topic is not None and account.may("gmail"):
            ends.append(account.watch_expires_at or self._clock())
        if self._address is not None and account.may("calendar"):
            newest = self._channels.newest
            ends.append(newest.expires_at if newest is not None else self._clock())
        return min(ends) - MARGIN if ends else None

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            due = self.due_at()
            if due is not None and due <= self._clock():
                await self.renew_due()
                due = self.due_at()
            try:
                async with asyncio.timeout(self._pause(due)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _pause(self, due: datetime | None) -> float | None:
        """Seconds to sleep; None: until somebody wakes us."""
        if due is None:
            return None
        if self._failures:
            pause = min(FIRST_PAUSE * 2 ** min(self._failures - 1, 16), LONGEST_PAUSE)
            return float(pause.total_seconds() * (0.5 + self._jitter() / 2))
        return min(max(due - self._clock(), timedelta(seconds=1)), LONGEST_SLEEP).total_seconds()

    async def _renewed(self) -> None:
        """Both, even when one of them is refused. Raises the first refusal afterwards."""
        account, newest = self._accounts.current, self._channels.newest
        if account is None:
            return
        refused: list[Problem] = []
        if self._topic is not None and account.may("gmail") and self._ends_soon(account.watch_expires_at):
            try:
                await self._watch(account, self._topic)
            except Problem as problem:
                refused.append(problem)
        ends = newest.expires_at if newest is not None else None
        if self._address is not None and account.may("calendar") and self._ends_soon(ends):
            try:
                await self._open(newest, self._address)
            except Problem as problem:
                refused.append(problem)
        if refused:
            raise refused[0]

    def _ends_soon(self, end: datetime | None) -> bool:
        return end is None or end - MARGIN <= self._clock()

    async def _watch(self, account: Account, topic: str) -> None:
        until, history_id = await self._gmail.watch(topic)
        await self._accounts.watched(account, until, history_id)
        self._incoming.look("gmail")

    async def _open(self, former: Channel | None, address: str) -> None:
        """Open a channel before the former one is closed: in between, both tell, and nothing is missed."""
        token = f"{self._uid()}.{secrets.token_urlsafe(32)}"
        channel_id = uuid.uuid4()
        resource_id, until = await self._calendar.open_channel(channel_id, address, token)
        sync_token = former.sync_token if former is not None else None
        await self._channels.add(Channel(channel_id, resource_id, hashed(token), until, sync_token=sync_token))
        self._incoming.look("calendar")
        for channel in self._channels.all:
            if channel.id != channel_id:
                await self._closed(channel)

    async def _closed(self, channel: Channel) -> None:
        try:
            await self._calendar.close_channel(channel.id, channel.resource_id)
        except Problem:
            log.info("a former channel could not be closed; it ends by itself")
        await self._channels.remove(channel)
