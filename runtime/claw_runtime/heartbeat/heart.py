"""The timer of the heartbeat, and its settings as they are in memory.

Everything that says whether and when a beat is due is known without asking the database: an instance whose heartbeat is
off, or whose checklist is empty, lets it sleep. The clock on the wall is looked at every minute, because a timer does
not notice that a machine was suspended or its clock was set.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from claw_crds.configuration import RuntimeConfiguration
from claw_crds.instance import State
from claw_runtime.database import DatabaseAway
from claw_runtime.heartbeat.beat import Beats, checklist_of
from claw_runtime.heartbeat.delivery import new_secret
from claw_runtime.heartbeat.news import EMPTY_CHECKLIST, Beat, Cause
from claw_runtime.heartbeat.records import Records, Stored
from claw_runtime.heartbeat.schedule import Rhythm, latest_due, next_due, offset_of, zone_of
from claw_runtime.heartbeat.settings import HeartbeatChanges, HeartbeatSettings, changed

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
GATHER = timedelta(seconds=30)
"""What arrives together is looked at together."""
ARRIVALS_EVERY = timedelta(minutes=15)
"""However much arrives, beats because of it are this far apart."""

Result = TypeVar("Result")


class Heart:
    """Beats when it is time. `configured` tells the configuration in effect, from memory."""

    def __init__(
        self,
        *,
        records: Records,
        beats: Beats,
        configured: Callable[[], RuntimeConfiguration | None],
        clock: Callable[[], datetime],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._records = records
        self._beats = beats
        self._configured = configured
        self._clock = clock
        self._look_seconds = look_seconds
        self._stored = Stored(HeartbeatSettings())
        self._woken = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._working: set[asyncio.Task[Any]] = set()
        self._checklist_changes = 0
        self._checklist_is_empty = False
        self._early: datetime | None = None
        """When a beat is due because something arrived."""
        self._last_early: datetime | None = None
        self._trouble: str | None = None

    @property
    def settings(self) -> HeartbeatSettings:
        """As the customer has set them."""
        return self._stored.settings

    @property
    def next_at(self) -> datetime | None:
        """When the next regular beat is due; None while there is none to come."""
        rhythm = self._rhythm()
        return next_due(rhythm, self._clock()) if rhythm is not None else None

    @property
    def can_mail(self) -> bool:
        """Whether news can be mailed from here."""
        return self._beats.can_mail

    async def latest(self) -> tuple[Beat, ...]:
        """The latest beats, the newest first. Raises DatabaseAway."""
        return await self._records.latest()

    async def load(self) -> None:
        """Read the settings, and beat if they say so. Raises DatabaseAway."""
        self._apply(await self._records.settings())

    async def change(self, changes: HeartbeatChanges) -> str | None:
        """Change the settings; the new secret where a webhook is set. Raises DatabaseAway."""
        before = await self._records.settings()
        settings = changed(before.settings, changes)
        new = new_secret() if changes.sets_webhook else None
        secret = (new or before.webhook_secret) if settings.deliver.webhook is not None else None
        self._apply(await self._records.save(settings, secret))
        return new

    async def beat_now(self, configuration: RuntimeConfiguration) -> Beat | None:
        """Beat because the customer says so, at any hour; None while another beat goes on. Raises DatabaseAway.

        It goes on to its end, and tells what it finds, also when whoever waits for it hangs up.
        """
        changes = self._checklist_changes
        beat = await self._to_the_end(self._beats.beat(configuration, self._stored, self._clock(), "customer"))
        self._learn(beat, changes)
        return beat

    def files_changed(self, paths: frozenset[str]) -> None:
        """Files of the workspace were changed."""
        if checklist_of(self.settings.agent_id) in paths:
            self._checklist_changes += 1
            self._checklist_is_empty = False
            self._woken.set()

    async def arrived(self, source: str, count: int) -> None:
        """So many things came in, at Gmail or in a calendar: a beat is due soon. Touches nothing but memory."""
        if self._timer is None or self._early is not None:
            return
        soon = self._clock() + GATHER
        log.info("something arrived", extra={"source": source, "count": count})
        self._early = max(soon, self._last_early + ARRIVALS_EVERY) if self._last_early is not None else soon
        self._woken.set()

    def look(self) -> None:
        """Look at the clock now."""
        self._woken.set()

    async def stop(self) -> None:
        """Beat no more. What goes on is cut short, as by a crash: its moment is not beaten again."""
        going_on = [task for task in (self._timer, *self._working) if task is not None]
        for task in going_on:
            task.cancel()
        await asyncio.gather(*going_on, return_exceptions=True)

    def _apply(self, stored: Stored) -> None:
        self._stored = stored
        self._checklist_is_empty = False
        self._woken.set()
        if stored.settings.enabled and self._timer is None:
            self._timer = asyncio.create_task(self._run(), name="heartbeat")
        elif not stored.settings.enabled and self._timer is not None:
            # Not from within itself: a beat that goes on may be what has read these settings.
            if self._timer is not asyncio.current_task():
                self._timer.cancel()
            self._timer = self._early = None

    def _rhythm(self) -> Rhythm | None:
        """How it beats now; None while nothing is due whatever the time."""
        configuration, settings = self._configured(), self.settings
        if configuration is None or configuration.state is not State.RUNNING:
            return None
        if not settings.enabled or self._checklist_is_empty:
            return None
        offset = offset_of(configuration.instance.uid, settings.interval)
        zone = zone_of(settings.time_zone or configuration.customer.timezone)
        return Rhythm(settings.interval, offset, zone, settings.hours)

    async def _run(self) -> None:
        # What was due since the settings were made, and before this process was there, is one beat at most.
        settled = self._made_at()
        while self.settings.enabled:
            now = self._clock()
            settled = min(max(settled, self._made_at()), now)  # the latter for a clock that was set back
            rhythm = self._rhythm()
            if rhythm is None:
                settled, self._early = now, None
            elif (found := self._due(rhythm, settled, now)) and (ended := await self._beat(*found)):
                settled = ended  # what became due meanwhile is over: beats do not queue
                continue
            await self._wait(rhythm, settled)

    def _made_at(self) -> datetime:
        return self._stored.updated_at or self._clock()

    def _due(self, rhythm: Rhythm, settled: datetime, now: datetime) -> tuple[datetime, Cause] | None:
        if self._early is not None and self._early <= now:
            early, self._early = self._early, None
            if rhythm.is_active(now):
                self._last_early = now
                return early, "arrival"
        due = latest_due(rhythm, settled, now)
        return (due, "time") if due is not None and rhythm.is_active(now) else None

    async def _beat(self, due: datetime, cause: Cause) -> datetime | None:
        """Beat, whoever does it; when it ended. None when it could not be tried: the database is away."""
        configuration, changes = self._configured(), self._checklist_changes
        if configuration is None:
            return due
        try:
            beat = await self._beats.beat(configuration, self._stored, due, cause)
            if beat is None:  # somebody else has it, or has changed the settings: then theirs hold
                self._apply(await self._records.settings())
        except DatabaseAway:
            return None
        except Exception:
            log.exception("a beat failed unexpectedly")
            return self._clock()
        self._learn(beat, changes)
        if beat is None:
            return due
        self._report(beat)
        return beat.ended_at or self._clock()

    def _learn(self, beat: Beat | None, changes: int) -> None:
        """Whether the checklist is empty, unless it was changed while the beat went on."""
        if beat is not None and changes == self._checklist_changes:
            self._checklist_is_empty = beat.reason == EMPTY_CHECKLIST

    def _report(self, beat: Beat) -> None:
        """To the log: each beat, and when they begin to fail and when that ends."""
        log.info("beat", extra={"cause": beat.cause, "outcome": beat.outcome, "reason": beat.reason})
        trouble = beat.reason if beat.outcome == "failed" else None
        if trouble is not None and self._trouble is None:
            log.warning("heartbeats fail", extra={"reason": trouble})
        elif trouble is None and self._trouble is not None:
            log.info("heartbeats work again")
        self._trouble = trouble

    async def _wait(self, rhythm: Rhythm | None, settled: datetime) -> None:
        seconds = self._look_seconds
        moments = [self._early, next_due(rhythm, settled) if rhythm is not None else None]
        for moment in filter(None, moments):
            left = (moment - self._clock()).total_seconds()
            seconds = min(seconds, left) if left > 0 else seconds  # one that is over could not be tried just now
        self._woken.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _to_the_end(self, work: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return await asyncio.shield(task)
