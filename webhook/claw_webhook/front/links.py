"""One-time links that show an API key: the mail carries the link, never the key.

Only the SHA-256 of a link's token is stored, so who reads this database cannot use a link. The key itself is nowhere
but in the instance's Secret; it is read at the moment in which the link is used up.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from claw_crds.keys import sha256
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one

LIFETIME = timedelta(days=7)


class LinkState(StrEnum):
    """What a link is good for."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    GONE = "gone"
    """The instance was deleted, or made anew with another key."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class KeyLink:
    """A link as it is now."""

    state: LinkState
    instance: str = ""
    secret_name: str = ""
    url: str = ""
    """Where the assistant answers."""


class KeyLinks:
    """The table `key_links`."""

    def __init__(
        self, pool: Pool, *, clock: Callable[[], datetime], new_token: Callable[[], str] = secrets.token_urlsafe
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._new_token = new_token

    async def issue(self, mail: int) -> str:
        """A token for that mail of the outbox. All tokens of one mail are one link. Committed when this returns."""
        token = self._new_token()
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO key_links (token_sha256, mail, expires_at) VALUES (%s, %s, %s)",
                [sha256(token), mail, self._clock() + LIFETIME],
            )
        return token

    async def look(self, token: str) -> KeyLink:
        """The link, without using it up."""
        async with self._pool.connection() as connection:
            return await self._look(connection, token)

    @asynccontextmanager
    async def use(self, token: str) -> AsyncIterator[KeyLink]:
        """The link; OPEN for exactly one caller, for whom it is used up when the block ends without an exception.

        Whoever comes at the same time waits for that end. After an exception the link is as good as before.
        """
        async with self._pool.connection() as connection, connection.transaction():
            link = await self._look(connection, token)
            if link.state is LinkState.OPEN and not await self._take(connection, token):
                link = KeyLink(LinkState.USED)
            yield link

    async def _look(self, connection: Connection, token: str) -> KeyLink:
        row = await fetch_one(
            connection,
            """
            SELECT outbox.instance, secret_name, url, expires_at,
                deleted_at IS NOT NULL OR uid IS DISTINCT FROM instance_uid AS gone,
                EXISTS (SELECT FROM key_links AS same WHERE same.mail = link.mail AND used_at IS NOT NULL) AS used
            FROM key_links AS link
                JOIN outbox ON outbox.id = link.mail
                JOIN instances ON instances.name = outbox.instance
            WHERE token_sha256 = %s
            """,
            [sha256(token)],
        )
        if row is None:
            return KeyLink(LinkState.UNKNOWN)
        if row["used"]:
            return KeyLink(LinkState.USED)
        if row["gone"]:
            return KeyLink(LinkState.GONE)
        if row["expires_at"] <= self._clock():
            return KeyLink(LinkState.EXPIRED)
        return KeyLink(LinkState.OPEN, row["instance"], row["secret_name"], row["url"])

    async def _take(self, connection: Connection, token: str) -> bool:
        """Use up all tokens of the mail. False when somebody did while this waited for the rows."""
        taken = await fetch_all(
            connection,
            """
            UPDATE key_links SET used_at = %s
            WHERE used_at IS NULL AND mail = (SELECT mail FROM key_links WHERE token_sha256 = %s)
            RETURNING token_sha256
            """,
            [self._clock(), sha256(token)],
        )
        # This one must be among them: a copy of the mail that leaves just now brings another, unused row.
        return any(row["token_sha256"] == sha256(token) for row in taken)
