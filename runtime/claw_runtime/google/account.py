"""What is known of the connected account: one row, read once at the start and then held in memory."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from claw_runtime.google.places import Scope

if TYPE_CHECKING:
    from claw_runtime.database import Database


@dataclass(frozen=True)
class Account:
    """A connected account."""

    id: uuid.UUID
    """Of this connection: another one, even with the same address, has another id."""
    address: str
    scopes: tuple[Scope, ...]
    sealed: bytes
    """The refresh token, as the vault gave it."""
    connected_at: datetime
    problem: str | None = None
    """What the customer must do before it works again."""
    history_id: int | None = None
    """How far we know the mailbox."""
    watch_expires_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Whether this can be used now."""
        return self.problem is None and scope in self.scopes


class Accounts:
    """The account, if there is one. Methods that write raise DatabaseAway, and change nothing then.

    Every write names the connection that it is about: what was begun for one that has meanwhile been replaced must not
    touch its successor.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database
        self.current: Account | None = None

    async def load(self) -> None:
        """Read the row."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("select * from google_account")
            row = await cursor.fetchone()
        self.current = _account(row) if row is not None else None

    async def connect(self, account: Account) -> None:
        """Keep it, instead of whichever there was. The other account's channels, and what came in there, go with it."""
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute("delete from google_channels")
            await connection.execute("delete from google_account")
            await connection.execute(
                """insert into google_account (id, address, scopes, refresh_token_secret, connected_at)
                   values (%(id)s, %(address)s, %(scopes)s, %(sealed)s, %(connected_at)s)""",
                {
                    "id": account.id,
                    "address": account.address,
                    "scopes": list(account.scopes),
                    "sealed": account.sealed,
                    "connected_at": account.connected_at,
                },
            )
        self.current = account

    async def forget(self) -> Account | None:
        """Remove everything that is known of the account, and of what came in there. Returns what it was."""
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute("delete from google_account")
            await connection.execute("delete from google_channels")
            await connection.execute("delete from google_authorizations")
            await connection.execute("delete from arrivals")
        forgotten, self.current = self.current, None
        return forgotten

    async def tell(self, account: Account, problem: str) -> None:
        """Note what the customer must do."""
        await self._update(account, problem=problem)

    async def reseal(self, account: Account, sealed: bytes) -> None:
        """Keep the refresh token sealed differently, or another one."""
        await self._update(account, sealed=sealed)

    async def watched(self, account: Account, until: datetime, history_id: int) -> None:
        """Gmail tells us of changes until then. The history begins here, unless it is known already."""
        known = account.history_id if account.history_id is not None else history_id
        await self._update(account, watch_expires_at=until, history_id=known)

    def reached(self, account: Account, history_id: int) -> None:
        """The mailbox is known up to here; the row was written together with what came in."""
        if (held := self._same(account)) is not None:
            self.current = replace(held, history_id=history_id)

    async def _update(self, account: Account, **changes: Any) -> None:
        columns = {"sealed": "refresh_token_secret"}
        assignments = ", ".join(f"{columns.get(name, name)} = %({name})s" for name in changes)
        statement = f"update google_account set {assignments} where id = %(id)s"  # noqa: S608 - names of this file
        async with self._database.connection() as connection:
            await connection.execute(statement.encode(), changes | {"id": account.id})
        if (held := self._same(account)) is not None:
            self.current = replace(held, **changes)

    def _same(self, account: Account) -> Account | None:
        held = self.current
        return held if held is not None and held.id == account.id else None


def _account(row: dict[str, Any]) -> Account:
    scopes: Sequence[Scope] = row["scopes"]
    return Account(
        id=row["id"],
        address=row["address"],
        scopes=tuple(scopes),
        sealed=bytes(row["refresh_token_secret"]),
        connected_at=row["connected_at"],
        problem=row["problem"],
        history_id=row["history_id"],
        watch_expires_at=row["watch_expires_at"],
    )
