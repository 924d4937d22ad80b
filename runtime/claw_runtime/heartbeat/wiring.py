"""How a heart is put together from the other rooms of the runtime."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from claw_runtime.heartbeat.beat import Beats
from claw_runtime.heartbeat.delivery import Mails, Messenger
from claw_runtime.heartbeat.heart import Heart
from claw_runtime.heartbeat.records import Records

if TYPE_CHECKING:
    from claw_runtime.configuration import Configurations
    from claw_runtime.database import Database
    from claw_runtime.google.integration import Google
    from claw_runtime.settings import Settings
    from claw_runtime.turns.chat import Chat
    from claw_runtime.turns.conversations import Conversations
    from claw_runtime.usage.ledger import UsageLedger
    from claw_runtime.web.fetching import Fetcher
    from claw_runtime.workspace.files import Workspace


def heart_of(
    settings: "Settings",
    *,
    database: "Database",
    configurations: "Configurations",
    chat: "Chat",
    conversations: "Conversations",
    workspace: "Workspace",
    usage: "UsageLedger",
    google: "Google",
    fetcher: "Fetcher",
    clock: Callable[[], datetime],
) -> Heart:
    """The heart, told of what changes in the workspace and of what arrives. It beats once it is loaded."""
    records = Records(database, clock)
    mails = Mails(str(settings.front_url), settings.configuration_token_sha256) if settings.front_url else None
    beats = Beats(
        records=records,
        consider=chat.consider,
        workspace=workspace,
        usage=usage,
        arrivals=google.arrivals,
        messenger=Messenger(note=conversations.note, post=fetcher.post, mails=mails, clock=clock),
        clock=clock,
    )
    heart = Heart(
        records=records,
        beats=beats,
        configured=lambda: configurations.active.document if configurations.active is not None else None,
        clock=clock,
    )
    workspace.subscribe(heart.files_changed)
    google.incoming.subscribe(heart.arrived)
    return heart
