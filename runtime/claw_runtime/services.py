"""What the runtime is made of, put together in one place, and how it gets ready.

The server answers `/health` before any of this has touched the database. `start` then brings the schema forward and
reads the configuration, in the background, for as long as that takes: a database that is away delays it, and nothing
else does.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata

from claw_crds.configuration import RuntimeReport, RuntimeUsage
from claw_runtime.configuration import Configurations
from claw_runtime.database import WAIT_SECONDS, Database, DatabaseAway
from claw_runtime.google.integration import Google
from claw_runtime.google.tools import tools as google_tools
from claw_runtime.heartbeat.heart import Heart
from claw_runtime.heartbeat.wiring import heart_of
from claw_runtime.memory.assembly import memories_of
from claw_runtime.memory.embedding import embedder_of
from claw_runtime.memory.memories import Memories
from claw_runtime.memory.tools import tools as memory_tools
from claw_runtime.migrations import migrate
from claw_runtime.settings import Settings
from claw_runtime.skills import Skills
from claw_runtime.skills.features import features_of
from claw_runtime.skills.tools import tools as skill_tools
from claw_runtime.tools.leaks import Leaks, keys_of
from claw_runtime.tools.others import others_texts
from claw_runtime.tools.toolbox import Toolbox
from claw_runtime.turns.agents import Agents
from claw_runtime.turns.briefing import Briefings
from claw_runtime.turns.chat import Chat
from claw_runtime.turns.compaction import Compaction
from claw_runtime.turns.confirmations import Confirmations
from claw_runtime.turns.conversations import Conversations
from claw_runtime.turns.idempotency import Idempotency
from claw_runtime.turns.loop import Loop
from claw_runtime.turns.model import Claude, Model
from claw_runtime.turns.recording import Recorder
from claw_runtime.usage.holdings import Holdings
from claw_runtime.usage.ledger import UsageLedger
from claw_runtime.usage.storage import Storage
from claw_runtime.web.addresses import Perimeter, own_hosts
from claw_runtime.web.fetching import Fetcher
from claw_runtime.web.reading import Reader
from claw_runtime.web.search import search_of
from claw_runtime.web.tools import server_tools
from claw_runtime.web.tools import tools as web_tools
from claw_runtime.web.visits import Visits
from claw_runtime.workspace.files import Workspace
from claw_runtime.workspace.s3 import address_of
from claw_runtime.workspace.snapshots import Snapshots
from claw_runtime.workspace.tools import tools as workspace_tools

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
STOP_SECONDS = 5.0
QUIET_DISK_SECONDS = 0.2
"""After so long without another change, what a program changed on the workspace's disk is taken in."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """Everything that the routes work with."""

    settings: Settings
    clock: Clock
    started_at: datetime
    version: str
    database: Database
    model: Model
    configurations: Configurations
    usage: UsageLedger
    storage: Storage
    holdings: Holdings
    workspace: Workspace
    snapshots: Snapshots
    conversations: Conversations
    agents: Agents
    memories: Memories
    skills: Skills
    google: Google
    chat: Chat
    heart: Heart
    heartbeat_seconds: float
    """How often a silent stream says that it is still there, and notices that its client is not."""
    prepared: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the schema is there and the stored configuration, if any, is in effect."""

    async def start(self) -> None:
        """Get ready, trying again whenever the database comes back."""
        await self.database.open()
        while True:
            try:
                await migrate(self.database)
                await self.usage.load()
                await self.holdings.load()
                await self.configurations.load()
                await self.google.load()
                await self.heart.load()
            except DatabaseAway:
                await self.database.wait_until_present()
                continue
            self.prepared.set()
            log.info("ready", extra={"configured": self.configurations.active is not None})
            return

    async def stop(self) -> None:
        """Count what is still uncounted, then let go of all connections."""
        await self.heart.stop()
        await self.chat.finish(STOP_SECONDS)
        await self.workspace.close()
        await self.snapshots.stop(STOP_SECONDS)
        await self.google.stop()
        await self.usage.close()
        await self.memories.stop()
        await self.model.close()
        await self.database.close()

    def report(self) -> RuntimeReport:
        """What the operator learns. From memory: asking never wakes a sleeping database."""
        active = self.configurations.active
        message = ""
        if self.database.refuses:
            message = "The runtime's database refuses its credentials."
        elif not self.prepared.is_set():
            message = "The runtime is starting: its database has not answered yet."
        elif self.database.away:
            message = "The runtime's database does not answer."
        elif active is None:
            message = "The runtime is blank: it waits for its configuration."
        report = RuntimeReport(
            version=self.version,
            ready=not message,
            message=message,
            started_at=self.started_at,
            fingerprint=self.settings.fingerprint,
            database_refuses=self.database.refuses,
        )
        if active is None:
            return report
        usage = self.usage.current()
        return report.model_copy(
            update={
                "uid": active.document.instance.uid,
                "configuration_revision": active.revision,
                "usage": RuntimeUsage(
                    period_start=usage.period_start,
                    messages_used=usage.messages_used,
                    messages_limit=active.document.plan.limits.messages_per_month,
                    input_tokens=usage.input_tokens,
                    output_tokens=usage.output_tokens,
                    api_calls=usage.api_calls,
                ),
                "holdings": self.holdings.report(active.document.plan),
            }
        )


def assemble(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    wait_seconds: float = WAIT_SECONDS,
    inside: Collection[str] = (),
) -> Services:
    """Put everything together. Touches neither network nor disk.

    `inside` are networks that may be visited like the public web, although they are not: for tests.
    """
    database = Database(settings.database_url.get_secret_value(), wait_seconds=wait_seconds)
    workspace = Workspace(database, settings.workspace_dir, clock, quiet_seconds=QUIET_DISK_SECONDS)
    holdings = Holdings(database)
    conversations = Conversations(database, clock)
    memories = memories_of(database, workspace, holdings, clock, embedder_of(settings))
    configurations = Configurations(database, workspace.seed, clock)
    google = Google(
        settings, database, lambda: active.document if (active := configurations.active) is not None else None, clock
    )
    skills = Skills(
        database, workspace, holdings, clock, connections=google.connections, features=features_of(settings)
    )
    usage = UsageLedger(database, clock)
    model = Claude(str(settings.model_base_url), settings.model_api_key.get_secret_value())
    fetcher, search = Fetcher(Perimeter(closed=own_hosts(settings), inside=inside)), search_of(settings)
    leaks = Leaks(keys_of(settings))
    toolbox = Toolbox(
        (
            *google_tools(google),
            *memory_tools(memories, workspace, clock),
            *skill_tools(skills),
            *web_tools(Visits(fetcher, Reader()), search),
            *workspace_tools(workspace),
        ),
        leaks=leaks,
        others=others_texts(database),
    )
    loop = Loop(model, toolbox, server_tools(search))
    agents = Agents(database=database, holdings=holdings, workspace=workspace, memories=memories, clock=clock)
    confirmations, idempotency = Confirmations(database, clock), Idempotency(database, clock)
    chat = Chat(
        database=database,
        agents=agents,
        skills=skills,
        briefings=Briefings(workspace=workspace, memories=memories, loop=loop, leaks=leaks, clock=clock),
        compaction=Compaction(database, loop),
        confirmations=confirmations,
        idempotency=idempotency,
        usage=usage,
        recorder=Recorder(
            database=database, usage=usage, confirmations=confirmations, idempotency=idempotency, clock=clock
        ),
        loop=loop,
    )
    heart = heart_of(
        settings,
        database=database,
        configurations=configurations,
        chat=chat,
        conversations=conversations,
        workspace=workspace,
        usage=usage,
        google=google,
        fetcher=fetcher,
        clock=clock,
    )
    return Services(
        settings=settings,
        clock=clock,
        started_at=clock(),
        version=metadata.version("claw"),
        database=database,
        model=model,
        configurations=configurations,
        usage=usage,
        storage=Storage(database, clock),
        holdings=holdings,
        workspace=workspace,
        snapshots=Snapshots(workspace, address_of(settings), lambda: _owner(configurations), clock),
        conversations=conversations,
        agents=agents,
        memories=memories,
        skills=skills,
        google=google,
        chat=chat,
        heart=heart,
        heartbeat_seconds=heartbeat_seconds,
    )


def _owner(configurations: Configurations) -> str | None:
    """The uid of the instance whose runtime this is; None while nobody knows."""
    return configurations.active.document.instance.uid if configurations.active is not None else None
