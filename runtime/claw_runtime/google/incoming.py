"""From "something changed" to what it was: the mailbox and the calendar are read from where we knew them.

A push says nothing but that there is news, and there may be many for one change, or one for many. So a push only
wakes this; while one look is under way, any number of further pushes are one more look. How far we know the mailbox is
written together with what came in, so that a crash in between repeats a look and loses nothing.
"""

import asyncio
import logging
import random
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from claw_runtime.database import DatabaseAway
from claw_runtime.google.account import Accounts
from claw_runtime.google.arrivals import News, keep
from claw_runtime.google.calendar import Calendar
from claw_runtime.google.channels import Channel, Channels
from claw_runtime.google.events import Event
from claw_runtime.google.failures import GoogleAway, GoogleRefused
from claw_runtime.google.gmail import Gmail
from claw_runtime.google.mails import Mail
from claw_runtime.google.places import Scope
from claw_runtime.problems import Problem
from claw_runtime.text import headline

if TYPE_CHECKING:
    from claw_runtime.database import Database

log = logging.getLogger(__name__)

MAX_NEWS: Final = 30
"""Of one look. Whoever gets more mail than that at once is not told of each."""
ATTEMPTS: Final = 4
FIRST_PAUSE: Final = 2.0
_NO_NEWS = frozenset({"DRAFT", "SENT", "SPAM", "TRASH", "CHAT"})
_OWN_CHANGES: Final = 100

OnArrival = Callable[[Scope, int], Awaitable[None]]
"""Called with how many things came in."""


class Incoming:
    """Looks at what is new, one look per part of the account at a time."""

    def __init__(
        self,
        *,
        database: "Database",
        accounts: Accounts,
        channels: Channels,
        gmail: Gmail,
        calendar: Calendar,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._channels = channels
        self._gmail = gmail
        self._calendar = calendar
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._listeners: list[OnArrival] = []
        self._working: dict[Scope, asyncio.Task[None]] = {}
        self._again: set[Scope] = set()
        self._own: deque[str] = deque(maxlen=_OWN_CHANGES)
        self._numbers: dict[uuid.UUID, int] = {}

    @property
    def busy(self) -> bool:
        """Whether anything is being read now."""
        return bool(self._working)

    def subscribe(self, listener: OnArrival) -> None:
        """Call this whenever something came in."""
        self._listeners.append(listener)

    def own_change(self, event: Event) -> None:
        """The assistant made this change itself: it is no news."""
        self._own.append(_change(event))

    def mail_changed(self, history_id: int) -> None:
        """Gmail says that the mailbox is at this point. One that we have passed is no news."""
        account = self._accounts.current
        if account is not None and (account.history_id is None or history_id > account.history_id):
            self.look("gmail")

    def calendar_changed(self, channel: Channel, number: int) -> None:
        """Calendar says that something changed, in the notification of this number."""
        self._numbers[channel.id] = max(self._numbers.get(channel.id, 0), number)
        self.look("calendar")

    def look(self, scope: Scope) -> None:
        """Look soon, and once more when somebody asks meanwhile."""
        if scope in self._working:
            self._again.add(scope)
            return
        task = asyncio.create_task(self._worked(scope), name=f"google-{scope}")
        self._working[scope] = task
        task.add_done_callback(lambda _: self._working.pop(scope, None))

    async def stop(self) -> None:
        """End what is under way. The next push, or the next renewal, looks again."""
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _worked(self, scope: Scope) -> None:
        looks = {"gmail": self._mail, "calendar": self._events}
        while True:
            self._again.discard(scope)
            await self._tried(scope, looks[scope])
            if scope not in self._again:
                return

    async def _tried(self, scope: Scope, look: Callable[[], Awaitable[int]]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                added = await look()
            except (GoogleAway, DatabaseAway):
                if attempt < ATTEMPTS:
                    await self._sleep(FIRST_PAUSE * 3 ** (attempt - 1) * (0.5 + self._jitter()))
                    continue
                log.warning("news from Google could not be read; the next push reads them", extra={"source": scope})
                return
            except Problem as problem:  # disconnected meanwhile, or refused: not a matter of trying again
                log.warning("news from Google cannot be read", extra={"source": scope, "problem": problem.kind.slug})
                return
            except Exception:
                log.exception("news from Google could not be read", extra={"source": scope})
                return
            if attempt > 1:
                log.info("news from Google can be read again", extra={"source": scope})
            if added:
                await self._told(scope, added)
            return

    async def _told(self, scope: Scope, added: int) -> None:
        log.info("news from Google", extra={"source": scope, "count": added})
        for listener in self._listeners:
            try:
                await listener(scope, added)
            except Exception:
                log.exception("whoever waits for news from Google failed")

    async def _mail(self) -> int:
        account = self._accounts.current
        if account is None or not account.may("gmail"):
            return 0
        try:
            if account.history_id is None:
                ids, reached = list[str](), await self._gmail.history_id()
            else:
                ids, reached = await self._gmail.added_since(account.history_id)
        except GoogleRefused as error:
            if error.status != 404:
                raise
            # Gmail keeps a week or so of history. What came in the last day is still worth telling.
            reached = await self._gmail.history_id()
            ids = await self._gmail.recent(MAX_NEWS)
            log.info("Gmail's history begins anew")
        mails = [mail for mail in await self._gmail.heads(ids[-MAX_NEWS:]) if not _NO_NEWS & set(mail.label_ids)]
        async with self._database.connection() as connection, connection.transaction():
            cursor = await connection.execute(
                "update google_account set history_id = %(reached)s where id = %(id)s",
                {"reached": reached, "id": account.id},
            )
            if cursor.rowcount == 0:
                return 0  # disconnected meanwhile
            added = await keep(connection, [_mail_news(mail) for mail in mails], self._clock())
        self._accounts.reached(account, reached)
        return added

    async def _events(self) -> int:
        account, channel = self._accounts.current, self._channels.newest
        if account is None or not account.may("calendar") or channel is None:
            return 0
        number, now = self._numbers.get(channel.id, 0), self._clock()
        known = channel.sync_token is not None
        try:
            changes = await self._calendar.changes(channel.sync_token, now)
        except GoogleRefused as error:
            if error.status != 410:
                raise
            changes, known = await self._calendar.changes(None, now), False
            log.info("the calendar's changes begin anew")
        # The first reading is how things are, and no news.
        news = [
            _event_news(event, now) for event in changes.events[-MAX_NEWS:] if known and _change(event) not in self._own
        ]
        async with self._database.connection() as connection, connection.transaction():
            if not await self._channels.note(connection, channel, number, changes.sync_token):
                return 0  # disconnected meanwhile
            added = await keep(connection, news, now)
        self._channels.noted(channel, number, changes.sync_token)
        return added


def _mail_news(mail: Mail) -> News:
    sender, subject = headline(mail.payload.header("From"), 120), headline(mail.payload.header("Subject"), 200)
    summary = f"Mail from {sender or 'somebody'}: {subject or '(no subject)'} [id {mail.id}]"
    return News("gmail", mail.id, summary, mail.received_at)


def _event_news(event: Event, now: datetime) -> News:
    what = "cancelled" if event.is_cancelled else "new or changed"
    when = (event.start.date_time or event.start.date or "")[:25]
    summary = f"Calendar event {what}: {headline(event.summary, 200) or '(no title)'} {when} [id {event.id}]"
    return News("calendar", _change(event), summary, now)


def _change(event: Event) -> str:
    return f"{event.id}@{event.etag}"
