"""Conversations: turns of a question and its answer, recorded both or not at all."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from claw_crds.resource import Model, Timestamp
from claw_runtime import pages
from claw_runtime.problems import OTHER_AGENT, Problem, not_found
from claw_runtime.text import headline, storable
from claw_runtime.turns.messages import Message as ModelMessage
from claw_runtime.usage.holdings import Holdings, count_agents

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

HISTORY_MESSAGES = 40
HISTORY_CHARACTERS = 60_000
WHOLE_TURNS = 3
"""What of a conversation goes with the next question: the newest turns within both bounds, and the newest of these with
what tools answered: later on, what was said about it is enough."""

Role = Literal["user", "assistant"]


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


@dataclass(frozen=True)
class Said:
    """One message of a conversation's past."""

    role: Role
    content: str
    transcript: list[dict[str, Any]] | None = None
    """Of an answer that took more than words: the messages from its question to its end."""


@dataclass(frozen=True)
class Strand:
    """The conversation that a question continues, or opens."""

    id: uuid.UUID
    agent_id: str
    is_new: bool
    history: tuple[Said, ...] = ()


def recent(newest_first: Sequence[Said], messages: int, characters: int) -> tuple[Said, ...]:
    """The newest whole turns within the bounds, the oldest of them first."""
    kept: list[Said] = []
    room = characters
    for answer, question in zip(newest_first[::2], newest_first[1::2], strict=False):
        room -= len(answer.content) + len(question.content)
        if len(kept) + 2 > messages or room < 0:
            break
        kept += [answer, question]
    return tuple(reversed(kept))


def as_messages(history: Sequence[Said], whole_turns: int) -> tuple[ModelMessage, ...]:
    """The past as the model reads it: the last turns with what tools answered, those before as mere words."""
    found: list[ModelMessage] = []
    first_whole = len(history) - 2 * whole_turns
    for position, said in enumerate(history):
        if said.transcript and position >= first_whole:
            found += [ModelMessage(message["role"], tuple(message["content"])) for message in said.transcript]
        else:
            found.append(ModelMessage(said.role, said.content))
    return tuple(found)


class Conversations:
    """The instance's conversations. Every method raises DatabaseAway."""

    def __init__(self, database: "Database", holdings: Holdings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._holdings = holdings
        self._clock = clock

    async def strand(self, conversation_id: uuid.UUID | None, agent_id: str | None, default_agent: str) -> Strand:
        """Where a question belongs. Raises Problem for an unknown conversation, or one of another agent."""
        if conversation_id is None:
            return Strand(uuid.uuid4(), agent_id or default_agent, is_new=True)
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "select agent_id from conversations where id = %(id)s", {"id": conversation_id}
            )
            found = await cursor.fetchone()
            if found is None:
                raise not_found("conversation with this id")
            if agent_id is not None and agent_id != found["agent_id"]:
                raise Problem(OTHER_AGENT, f"This conversation is one with the agent {found['agent_id']}.")
            cursor = await connection.execute(
                """select role, content, transcript from messages where conversation_id = %(id)s
                   order by id desc limit %(limit)s""",
                {"id": conversation_id, "limit": HISTORY_MESSAGES},
            )
            newest_first = [Said(**row) for row in await cursor.fetchall()]
        history = recent(newest_first, HISTORY_MESSAGES, HISTORY_CHARACTERS)
        return Strand(conversation_id, found["agent_id"], is_new=False, history=history)

    async def record(
        self,
        connection: "Connection",
        strand: Strand,
        turn: uuid.UUID,
        question: str,
        answer: str,
        transcript: Sequence[ModelMessage] | None = None,
    ) -> bool:
        """Record the turn in the caller's transaction; False when it was recorded already, and nothing was done.

        A conversation that was deleted while the model was answering stays deleted.
        """
        values = {
            "id": strand.id,
            "agent": strand.agent_id,
            "title": headline(question),
            "now": self._clock(),
            "turn": turn,
            "question": question,
            "answer": answer,
            "transcript": _json(transcript),
        }
        cursor = await connection.execute("select 1 from messages where turn = %(turn)s", values)
        if await cursor.fetchone() is not None:
            return False
        if strand.is_new:
            await connection.execute(
                """insert into conversations (id, agent_id, title, created_at, updated_at)
                   values (%(id)s, %(agent)s, %(title)s, %(now)s, %(now)s)""",
                values,
            )
        else:
            # Also locks the row, so that two answers given at the same moment are recorded one after the other.
            await connection.execute("update conversations set updated_at = %(now)s where id = %(id)s", values)
        await connection.execute(
            """insert into messages (conversation_id, turn, role, content, transcript, created_at)
               select c.id, %(turn)s, said.role, said.content, said.transcript, %(now)s
                 from conversations c, (values (1, 'user', %(question)s, null::jsonb),
                                               (2, 'assistant', %(answer)s, %(transcript)s::jsonb))
                      as said (place, role, content, transcript)
                where c.id = %(id)s order by said.place""",
            values,
        )
        return True

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
        async with self._database.connection() as connection, connection.transaction():
            result = await connection.execute("delete from conversations where id = %(id)s", {"id": conversation_id})
            if result.rowcount == 0:
                raise not_found("conversation with this id")
            agents = await count_agents(connection)
        self._holdings.agents = agents


def _json(transcript: Sequence[ModelMessage] | None) -> str | None:
    if transcript is None:
        return None
    return json.dumps([{"role": message.role, "content": _storable(message.content)} for message in transcript])


def _storable(value: Any) -> Any:
    """What a model wrote may hold what PostgreSQL cannot keep."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(name): _storable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(entry) for entry in value]
    return value
