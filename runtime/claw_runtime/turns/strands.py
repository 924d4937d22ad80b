"""The conversation that a question continues or opens: reading its past before, recording the turn after.

A turn is a question and its answer, recorded both or not at all.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString

from claw_runtime.problems import OTHER_AGENT, Problem, not_found
from claw_runtime.text import headline, storable
from claw_runtime.turns.history import WHOLE_TURNS, Said
from claw_runtime.turns.messages import Message

if TYPE_CHECKING:
    from claw_runtime.database import Connection

MAX_MESSAGES = 400
"""That are read of a conversation, after those that its summary stands for."""
_WITH_TRANSCRIPT = 4 * WHOLE_TURNS


@dataclass(frozen=True)
class Strand:
    """A conversation, as far as the next question needs it."""

    id: uuid.UUID
    agent_id: str
    is_new: bool
    history: tuple[Said, ...] = ()
    """After those that the summary stands for, the oldest first."""
    summary: str | None = None
    summarised_through: int | None = None
    """The last message that the summary stands for."""
    flushed_through: int | None = None
    """The last message of which everything worth it was put into memory."""


_CONVERSATION: LiteralString = """
select id, agent_id, summary, summarised_through, flushed_through from conversations where id = %(id)s
"""

# What tools answered is large, and read for the latest turns only.
_NEWEST: LiteralString = """
select id, role, content, case when row_number() over (order by id desc) <= %(whole)s then transcript end as transcript
  from messages
 where conversation_id = %(id)s and id > %(after)s
 order by id desc limit %(limit)s
"""


async def find_strand(connection: "Connection", conversation_id: uuid.UUID, agent_id: str | None) -> Strand:
    """A conversation that there is. Raises Problem for an unknown one, or one with another agent."""
    cursor = await connection.execute(_CONVERSATION, {"id": conversation_id})
    found = await cursor.fetchone()
    if found is None:
        raise not_found("conversation with this id")
    if agent_id is not None and agent_id != found["agent_id"]:
        raise Problem(OTHER_AGENT, f"This conversation is one with the agent {found['agent_id']}.")
    after = found["summarised_through"] or 0
    cursor = await connection.execute(
        _NEWEST, {"id": conversation_id, "after": after, "whole": _WITH_TRANSCRIPT, "limit": MAX_MESSAGES}
    )
    newest_first = [Said(**row) for row in await cursor.fetchall()]
    return Strand(is_new=False, history=tuple(reversed(newest_first)), **found)


_OPEN: LiteralString = """
insert into conversations (id, agent_id, title, source, created_at, updated_at)
select %(id)s, a.id, %(title)s, %(source)s, %(now)s, %(now)s from agents a where a.id = %(agent)s
"""

_SAY: LiteralString = """
insert into messages (conversation_id, turn, role, content, transcript, created_at)
select c.id, %(turn)s, said.role, said.content, said.transcript, %(now)s
  from conversations c, (values (1, 'user', %(question)s, null::jsonb),
                                (2, 'assistant', %(answer)s, %(transcript)s::jsonb))
       as said (place, role, content, transcript)
 where c.id = %(id)s order by said.place
"""


async def record_turn(
    connection: "Connection",
    strand: Strand,
    turn: uuid.UUID,
    question: str,
    answer: str,
    now: datetime,
    *,
    transcript: Sequence[Message] | None = None,
    source: str = "chat",
) -> bool:
    """Record the turn in the caller's transaction; False when it was recorded already, and nothing was done.

    What was deleted while the model was answering, the conversation or its agent, stays deleted.
    """
    values = {
        "id": strand.id,
        "agent": strand.agent_id,
        "title": headline(question),
        "source": source,
        "now": now,
        "turn": turn,
        "question": question,
        "answer": storable(answer),
        "transcript": _json(transcript),
    }
    cursor = await connection.execute("select 1 from messages where turn = %(turn)s", values)
    if await cursor.fetchone() is not None:
        return False
    if strand.is_new:
        await connection.execute(_OPEN, values)
    else:
        # Also locks the row, so that two answers given at the same moment are recorded one after the other.
        await connection.execute("update conversations set updated_at = %(now)s where id = %(id)s", values)
    await connection.execute(_SAY, values)
    return True


def _json(transcript: Sequence[Message] | None) -> str | None:
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
