"""Hearts on a real database, with a stand-in for the assistant and a real receiver of webhooks and mails.

Two hearts on one database are two processes of one instance.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from claw_crds.configuration import RuntimeConfiguration
from claw_dev.simulators.serving import serving
from claw_runtime.google.arrivals import Arrivals
from claw_runtime.heartbeat.beat import Beats
from claw_runtime.heartbeat.delivery import Mails, Messenger
from claw_runtime.heartbeat.heart import Heart
from claw_runtime.heartbeat.news import Beat
from claw_runtime.heartbeat.records import Records
from claw_runtime.heartbeat.schedule import next_due
from claw_runtime.heartbeat.settings import HeartbeatChanges
from claw_runtime.turns.exchange import Considered, Occasion
from claw_runtime.turns.messages import Tokens
from claw_runtime.web.addresses import Perimeter
from claw_runtime.web.fetching import Fetcher
from tests.eventually import eventually
from tests.integration.runtime.world import Row, Runtime, Tables

CHECKLIST = "- [ ] Is a mail from the bank there?"
HOOK = {"deliver": {"webhook": {"url": "https://hooks.example/claw"}}}
NEWS = "The bank has written: the card runs out in March."


@dataclass
class Assistant:
    """Says what it is told to, all is well otherwise. An exception is raised; while `hold` is clear, it thinks."""

    says: list[str | Exception] = field(default_factory=list)
    occasions: list[Occasion] = field(default_factory=list)
    limits: list[int | None] = field(default_factory=list)
    """Of the month's tokens, as each beat was given it."""
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    async def consider(self, configuration: RuntimeConfiguration, occasion: Occasion, /) -> Considered:
        """As `Chat.consider`."""
        self.occasions.append(occasion)
        self.limits.append(configuration.plan.limits.tokens_per_month)
        await self.hold.wait()
        said = self.says.pop(0) if self.says else "HEARTBEAT_OK"
        if isinstance(said, Exception):
            raise said
        return Considered(said, Tokens(input=2000, output=20))


@dataclass
class Receiver:
    """Takes what is posted to it. `answers` are given first, then 204."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    taken: list[tuple[str, Mapping[str, str], str]] = field(default_factory=list)
    """Path, headers, body."""
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    """Agent, answer, source."""

    async def handle(self, request: web.Request) -> web.Response:
        self.taken.append((request.path, request.headers.copy(), await request.text()))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)

    async def post(self, url: str, json: Any, headers: Mapping[str, str], *, seconds: float = 10.0) -> int:
        """As `Fetcher.post`, which does it, but every host is this one."""
        path = url.partition("hooks.example")[2]
        return await Fetcher(Perimeter(inside=("127.0.0.0/8",))).post(self.url + path, json, headers, seconds=seconds)

    async def note(self, agent_id: str, question: str, answer: str, source: str) -> uuid.UUID:
        """As `Conversations.note`."""
        self.notes.append((agent_id, answer, source))
        return uuid.uuid4()

    @property
    def documents(self) -> list[Any]:
        """What was posted, read."""
        return [json.loads(body) for _, _, body in self.taken]


@dataclass
class Ward:
    """An instance with one heart, or several."""

    runtime: Runtime
    tables: Tables
    assistant: Assistant
    receiver: Receiver
    heart: Heart
    hearts: list[Heart] = field(default_factory=list)

    def another(self, *, seconds: float = 20.0, consider: Any = None) -> Heart:
        """One more process of the same instance."""
        services = self.runtime.services
        records = Records(services.database, services.clock)

        async def no_pause(seconds: float) -> None:
            await asyncio.sleep(0)

        beats = Beats(
            records=records,
            consider=consider or self.assistant.consider,
            workspace=services.workspace,
            usage=services.usage,
            arrivals=Arrivals(services.database, services.clock),
            messenger=Messenger(
                note=self.receiver.note,
                post=self.receiver.post,
                mails=Mails(self.receiver.url, "f" * 64),
                clock=services.clock,
                jitter=lambda: 0.5,
                pause=no_pause,
            ),
            clock=services.clock,
            seconds=seconds,
        )
        active = services.configurations
        heart = Heart(
            records=records,
            beats=beats,
            configured=lambda: active.active.document if active.active is not None else None,
            clock=services.clock,
        )
        services.workspace.subscribe(heart.files_changed)
        self.hearts.append(heart)
        return heart

    async def turn_on(self, **changes: Any) -> None:
        """Beat every half hour, with these changes."""
        await self.heart.change(HeartbeatChanges.model_validate({"enabled": True, **changes}))

    async def write(self, checklist: str) -> None:
        """Another HEARTBEAT.md."""
        await self.runtime.services.workspace.write("HEARTBEAT.md", checklist)

    async def now(self) -> Beat:
        """Beat because the customer says so."""
        self.runtime.clock.advance(seconds=1)
        beat = await self.heart.beat_now(self.configuration)
        assert beat is not None
        return beat

    @property
    def configuration(self) -> RuntimeConfiguration:
        active = self.runtime.services.configurations.active
        assert active is not None
        return active.document

    async def pass_due(self, beats: int = 1) -> datetime:
        """Let so many beats become due, and all hearts look at the clock. Returns the last of them."""
        rhythm = self.heart._rhythm()
        due = self.runtime.clock.now
        for _ in range(beats):
            assert rhythm is not None
            found = next_due(rhythm, due)
            assert found is not None
            due = found
        self.runtime.clock.now = due + timedelta(seconds=1)
        self.look()
        return due

    def look(self) -> None:
        for heart in self.hearts:
            heart.look()

    async def rows(self) -> list[Row]:
        """All beats, the oldest first."""
        return await self.tables.rows("select * from heartbeat_runs order by due_at")

    async def ended(self, count: int) -> list[Row]:
        """All beats, as soon as that many have ended, everything told."""

        async def there() -> list[Row] | None:
            rows = await self.rows()
            done = [row for row in rows if row["ended_at"] is not None and (row["problem"] or not row["ways"])]
            return rows if len(done) >= count else None

        rows = await eventually(there, describe=self.rows)
        assert rows is not None
        return rows


def outcomes(rows: list[Row]) -> list[tuple[str, str | None]]:
    """What came of the beats, and why."""
    return [(row["outcome"], row["reason"]) for row in rows]


@asynccontextmanager
async def ward(runtime: Runtime, tables: Tables) -> AsyncIterator[Ward]:
    """An instance whose checklist asks for something, and whose heartbeat is off."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.handle)
    async with serving(app) as url:
        receiver.url = url
        made = Ward(runtime, tables, Assistant(), receiver, heart=None)  # type: ignore[arg-type]  # made of the ward
        made.heart = made.another()
        await made.write(CHECKLIST)
        yield made
        for heart in made.hearts:
            await heart.stop()
