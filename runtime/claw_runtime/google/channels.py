"""Calendar channels, by which Google tells us of changes. In memory: a forged notification costs no query."""

import hashlib
import hmac
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from claw_runtime.google.calendar import PRIMARY

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database


@dataclass(frozen=True)
class Channel:
    """One channel."""

    id: uuid.UUID
    resource_id: str
    token_sha256: str
    expires_at: datetime
    message_number: int = 0
    """Of the newest notification that was worked on."""
    sync_token: str | None = None

    def is_from_google(self, token: str) -> bool:
        """Whether a notification knows what only Google and we know."""
        return hmac.compare_digest(self.token_sha256, hashed(token))


def hashed(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Channels:
    """The open channel, and those that are just being replaced. Methods that write raise DatabaseAway."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._known: dict[uuid.UUID, Channel] = {}

    @property
    def newest(self) -> Channel | None:
        """The one that lives longest."""
        return max(self._known.values(), key=lambda channel: channel.expires_at, default=None)

    @property
    def all(self) -> tuple[Channel, ...]:
        """Every channel that is known."""
        return tuple(self._known.values())

    def get(self, channel_id: str) -> Channel | None:
        """The channel of this id, if it is ours."""
        try:
            return self._known.get(uuid.UUID(channel_id))
        except ValueError:
            return None

    async def load(self) -> None:
        """Read the rows."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """select id, resource_id, token_secret_sha256 as token_sha256, expires_at, message_number, sync_token
                     from google_channels"""
            )
            self._known = {row["id"]: Channel(**row) for row in await cursor.fetchall()}

    async def add(self, channel: Channel) -> None:
        """Keep a channel that was opened."""
        async with self._database.connection() as connection:
            await connection.execute(
                """insert into google_channels
                          (id, resource_id, calendar_id, token_secret_sha256, message_number, sync_token, expires_at)
                   values (%(id)s, %(resource)s, %(calendar)s, %(token)s, %(number)s, %(sync)s, %(expires_at)s)""",
                {
                    "id": channel.id,
                    "resource": channel.resource_id,
                    "calendar": PRIMARY,
                    "token": channel.token_sha256,
                    "number": channel.message_number,
                    "sync": channel.sync_token,
                    "expires_at": channel.expires_at,
                },
            )
        self._known[channel.id] = channel

    async def remove(self, channel: Channel) -> None:
        """Forget a channel."""
        async with self._database.connection() as connection:
            await connection.execute("delete from google_channels where id = %(id)s", {"id": channel.id})
        self._known.pop(channel.id, None)

    def forget(self) -> None:
        """All rows are gone already."""
        self._known.clear()

    async def note(self, connection: "Connection", channel: Channel, number: int, sync_token: str | None) -> bool:
        """Write down how far the calendar is known, in the caller's transaction; `noted` after its end.

        False when the channel is gone: the account was disconnected meanwhile.
        """
        cursor = await connection.execute(
            """update google_channels set message_number = greatest(message_number, %(number)s), sync_token = %(sync)s
                where id = %(id)s""",
            {"id": channel.id, "number": number, "sync": sync_token},
        )
        return cursor.rowcount == 1

    def noted(self, channel: Channel, number: int, sync_token: str | None) -> None:
        """What was written down counts now."""
        if channel.id in self._known:
            number = max(number, self._known[channel.id].message_number)
            self._known[channel.id] = replace(self._known[channel.id], message_number=number, sync_token=sync_token)
