"""The one writer of a Neon project.

Neon carries out the operations of a project one after the other and refuses what comes meanwhile (423). So whoever
writes waits for their turn, and keeps it until the operations of what they wrote have finished. Somebody else's
operations, a person's in the console or those of an operator that was killed, are waited out.

Operations are looked at when they are likely to be over: how long the same kind took before is remembered. Seen from
outside that is one call instead of many.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from time import monotonic as process_time
from typing import TypeVar

from claw_operator.external import RateLimited, Transient
from claw_operator.external.neon.api import NeonApi
from claw_operator.external.neon.errors import Locked, Missing
from claw_operator.external.neon.models import Operation, Written
from claw_operator.external.neon.options import NeonOptions

Answer = TypeVar("Answer", bound=Written)
Sleep = Callable[[float], Awaitable[None]]

_GROWTH = 1.5  # from one look at operations to the next
_LONGEST_PAUSE = 5.0  # seconds between two looks
_MARGIN = 1.15  # an operation may take a little longer than the last ones did
_WEIGHT = 0.3  # of the latest duration in what is remembered


class Durations:
    """How long operations usually take, by what they do. Shared by the writers of an account."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, ...], float] = {}

    def expected(self, actions: tuple[str, ...]) -> float | None:
        """Seconds after which such operations are likely to be over; None when none were seen yet."""
        seconds = self._seconds.get(actions)
        return None if seconds is None else seconds * _MARGIN

    def learn(self, actions: tuple[str, ...], seconds: float) -> None:
        """Such operations took so long."""
        before = self._seconds.get(actions, seconds)
        self._seconds[actions] = before + _WEIGHT * (seconds - before)


class Writer:
    """Writes to one project, one write after the other."""

    def __init__(
        self,
        api: NeonApi,
        project: str,
        options: NeonOptions,
        durations: Durations,
        *,
        random: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = process_time,
    ) -> None:
        self._api = api
        self._project = project
        self._options = options
        self._durations = durations
        self._random = random
        self._sleep = sleep
        self._monotonic = monotonic
        self._turn = asyncio.Lock()
        self._beginning = asyncio.Lock()

    async def write(self, task: str, request: Callable[[], Awaitable[Answer]], *, begins: bool = False) -> Answer:
        """Send a request and wait until everything that it began has finished. `task` is in words, for errors.

        `begins`: it makes a database. Of these only one at a time waits for its turn, so that whoever came first gets
        a password, too, before everybody else's database is made.
        Raises what the request raises; Transient when the project is not free in time, or an operation fails.
        """
        async with self._my_turn(task, begins=begins):
            answer = await self._when_free(request)
            await self._finished(answer.operations, task)
            return answer

    async def finished(self, answer: Written, task: str) -> None:
        """Wait until everything has finished that a request began which did not need to wait for its turn."""
        async with self._my_turn(task):
            await self._finished(answer.operations, task)

    async def settled(self, branch: str, task: str) -> None:
        """Wait until nothing is under way any more for a branch that an earlier, lost request made."""
        async with self._my_turn(task):
            operations = await self._api.operations(self._project, task)
            await self._finished([one for one in operations if one.branch_id == branch and not one.has_ended], task)

    @asynccontextmanager
    async def _my_turn(self, task: str, *, begins: bool = False) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._options.patience_seconds):
                    if begins:
                        await held.enter_async_context(self._beginning)
                    await held.enter_async_context(self._turn)
            except TimeoutError as error:
                raise Transient(f"It was not possible to {task} yet: many changes wait for the Neon project") from error
            yield

    async def _when_free(self, request: Callable[[], Awaitable[Answer]]) -> Answer:
        """Repeat what came while the project was busy: such a request was not carried out."""
        shortest, longest = self._options.locked_pause_seconds
        deadline = self._monotonic() + self._options.patience_seconds
        while True:
            try:
                return await request()
            except Locked:
                if self._monotonic() >= deadline:
                    raise
            await self._sleep(shortest + (longest - shortest) * self._random())

    async def _finished(self, operations: Iterable[Operation], task: str) -> None:
        known = {operation.id: operation for operation in operations}
        if not known:
            return
        actions = tuple(sorted(operation.action for operation in known.values()))
        following = self._options.poll_seconds
        pause = self._durations.expected(actions) or following * len(actions)  # they run one after the other
        deadline = self._monotonic() + self._options.operations_seconds
        while not all(operation.has_ended for operation in known.values()):
            if self._monotonic() >= deadline:
                raise Transient(f"Neon was asked to {task} and is still at it")
            await self._sleep(pause)
            pause, following = following, min(following * _GROWTH, _LONGEST_PAUSE)
            try:
                known |= await self._looked_up(known, task)
            except RateLimited as error:
                pause = max(pause, error.retry_after)
            except (Transient, Missing):
                continue  # a look that failed tells nothing, and reads lag; the next one may tell
        self._learn(actions, known.values())
        failed = next((operation for operation in known.values() if operation.has_failed), None)
        if failed is not None:
            raise Transient(f"Neon was asked to {task} and did not manage it: {failed.action} {failed.status}")

    async def _looked_up(self, known: dict[str, Operation], task: str) -> dict[str, Operation]:
        """The operations that are not over, as they are now; one call for all of them if they are among the latest."""
        waited_for = {operation.id for operation in known.values() if not operation.has_ended}
        listed = await self._api.operations(self._project, task)
        found = {operation.id: operation for operation in listed if operation.id in waited_for}
        for missing in waited_for - found.keys():
            found[missing] = await self._api.operation(self._project, missing, task)
        return found

    def _learn(self, actions: tuple[str, ...], operations: Iterable[Operation]) -> None:
        spans = [(one.created_at, one.updated_at) for one in operations]
        begun: list[datetime] = [begin for begin, _ in spans if begin is not None]
        ended: list[datetime] = [end for _, end in spans if end is not None]
        if begun and ended:
            self._durations.learn(actions, max(0.0, (max(ended) - min(begun)).total_seconds()))
