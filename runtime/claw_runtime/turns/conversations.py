"""Conversations as the customer reads them: listed, paged, deleted. What is thought about them is in `strands.py`."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal, LiteralString

from pydantic import Field

from claw_crds.resource import Model, Timestamp
from claw_runtime import pages
from claw_runtime.problems import not_found
from claw_runtime.turns.history import Role
from claw_runtime.turns.strands import Strand, record_turn

if TYPE_CHECKING:
    from claw_runtime.database import Database


class Conversation(Model):
    """A conversation with one agent."""

    id: uuid.UUID
    agent_id: str
    title: str = Field(description="The beginning of its first question.")
    created_at: Timestamp
    updated_at: Timestamp


class ConversationPage(Model):
    """Conversations, the latest first."""

    conversations: tuple[Conversation, ...]
    next_cursor: str | None = Field(description="Asks for the next page; null on the last one.")


class Message(Model):
    """Half of a turn."""

    id: int
    role: Role
    content: str
    created_at: Timestamp


class MessagePage(Conversation):
    """A conversation with some of its messages, the oldest first."""

    messages: tuple[Message, ...]
    next_cursor: str | None = Field(description="Asks for the next page; null on the last one.")


# Whoever has something to say without being asked may not have been talked to yet.
_LET_THERE_BE: LiteralString = """
insert into agents (id, created_at) values (%(id)s, %(now)s) on conflict do nothing
"""


class Conversations:
    """The instance's conversations. Every method raises DatabaseAway."""

    def __init__(self, database: "Database", clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def note(self, agent_id: str, question: str, answer: str, source: Literal["chat", "heartbeat"]) -> uuid.UUID:
        """Open a conversation with something that the assistant has to say; returns its id."""
        strand, now = Strand(uuid.uuid4(), agent_id, is_new=True), self._clock()
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(_LET_THERE_BE, {"id": agent_id, "now": now})
            await record_turn(connection, strand, uuid.uuid4(), question, answer, now, source=source)
        return strand.id

    async def list(self, limit: int, cursor: str | None) -> ConversationPage:
        """One page. Raises Problem for a made-up cursor."""
        updated_at, last = pages.key(cursor, datetime.fromisoformat, uuid.UUID)
        async with self._database.connection() as connection:
            result = await connection.execute(
                """select id, agent_id, title, created_at, updated_at from conversations
                    where %(last)s::uuid is null or (updated_at, id) < (%(at)s, %(last)s)
                    order by updated_at desc, id desc limit %(limit)s""",
                {"at": updated_at, "last": last, "limit": limit + 1},
            )
            found = [Conversation(**row) for row in await result.fetchall()]
        page, end = pages.split(found, limit)
        after = pages.cursor(end.updated_at.isoformat(), end.id) if end is not None else None
        return ConversationPage(conversations=tuple(page), next_cursor=after)

    async def read(self, conversation_id: uuid.UUID, limit: int, cursor: str | None) -> MessagePage:
        """One page of its messages. Raises Problem for an unknown id or a made-up cursor."""
        (last,) = pages.key(cursor, int)
        async with self._database.connection() as connection:
            result = await connection.execute(
                "select id, agent_id, title, created_at, updated_at from conversations where id = %(id)s",
                {"id": conversation_id},
            )
            conversation = await result.fetchone()
            if conversation is None:
                raise not_found("conversation with this id")
            result = await connection.execute(
                """select id, role, content, created_at from messages
                    where conversation_id = %(id)s and id > %(last)s order by id limit %(limit)s""",
                {"id": conversation_id, "last": last or 0, "limit": limit + 1},
            )
            found = [Message(**row) for row in await result.fetchall()]
        page, end = pages.split(found, limit)
        after = pages.cursor(end.id) if end is not None else None
        return MessagePage(**conversation, messages=tuple(page), next_cursor=after)

    async def delete(self, conversation_id: uuid.UUID) -> None:
        """Delete it with its messages. Raises Problem for an unknown id."""
        async with self._database.connection() as connection:
            result = await connection.execute("delete from conversations where id = %(id)s", {"id": conversation_id})
        if result.rowcount == 0:
            raise not_found("conversation with this id")
