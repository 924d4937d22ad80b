"""What the assistant would do, and does only when the customer says so.

A tool that needs a confirmation does nothing but tell what it would do. That is kept, with the exact input, for the one
conversation in which it came up. The customer is shown its summary and a code; the model learns neither code nor id.
Who sends the id with the next question, or writes the code in it, confirms. Then the runtime itself uses the tool with
the input that was kept, once, whatever the model says by then. Nothing that a tool, a file or a memory says can
confirm, for only the question is looked at.
"""

import json
import logging
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any, LiteralString

from claw_runtime.database import DatabaseAway
from claw_runtime.problems import PROPOSAL_GONE, Problem
from claw_runtime.text import storable
from claw_runtime.tools import Proposal
from claw_runtime.turns.exchange import MAX_CONFIRMED

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database

log = logging.getLogger(__name__)

VALID_FOR = timedelta(minutes=15)

_LETTERS, _DIGITS = "CDFHJKMNPRTVWXY", "2345679"
"""Without those that look alike, and without vowels: a code is no word of any language."""


@dataclass(frozen=True)
class Waiting:
    """A proposal that the customer may confirm."""

    id: uuid.UUID
    tool: str
    input: dict[str, Any]
    summary: str
    code: str
    expires_at: datetime


def new_code(random: Random) -> str:
    """A code such as K7M4T2: easily typed, and hardly ever written for another reason."""
    return "".join(random.choice(_LETTERS) + random.choice(_DIGITS) for _ in range(3))


def confirmed(waiting: Sequence[Waiting], ids: Sequence[uuid.UUID], question: str) -> tuple[Waiting, ...]:
    """Those that this question confirms. Raises Problem for an id of none of them. Pure."""
    if set(ids) - {proposal.id for proposal in waiting}:
        raise Problem(
            PROPOSAL_GONE,
            "What you confirm does not wait for it any more: it has expired, or was decided, or belongs to another "
            "conversation. Nothing was done. Ask for it again.",
        )
    words = set(re.findall(r"\w+", question.upper()))
    found = [proposal for proposal in waiting if proposal.id in ids or proposal.code in words]
    return tuple(found[:MAX_CONFIRMED])


_WAITING: LiteralString = """
select id, tool, input, summary, code, expires_at from proposals
 where conversation_id = %(conversation)s and decided_at is null and expires_at > %(now)s
 order by created_at, id
"""

# Whoever sets `decided_at` does it, be there one process or two. What a crash cuts short then is not done again: rather
# a mail that was not sent than one sent twice.
_CLAIM: LiteralString = """
update proposals set decided_at = %(now)s
 where id = %(id)s and decided_at is null and expires_at > %(now)s
"""

_KEEP: LiteralString = """
insert into proposals (id, conversation_id, agent_id, tool, input, summary, code, created_at, expires_at)
select %(id)s, c.id, c.agent_id, %(tool)s, %(input)s::jsonb, %(summary)s, %(code)s, %(now)s, %(expires)s
  from conversations c where c.id = %(conversation)s
"""


class Confirmations:
    """The proposals of all conversations. Methods raise DatabaseAway unless said otherwise."""

    def __init__(self, database: "Database", clock: Callable[[], datetime], random: Random | None = None) -> None:
        self._database = database
        self._clock = clock
        self._random = random or SystemRandom()

    async def waiting(self, connection: "Connection", conversation_id: uuid.UUID) -> tuple[Waiting, ...]:
        """What waits in this conversation, the oldest first."""
        values = {"conversation": conversation_id, "now": self._clock()}
        cursor = await connection.execute(_WAITING, values)
        return tuple(Waiting(**row) for row in await cursor.fetchall())

    async def claim(self, proposal: Waiting) -> bool:
        """Take it, to do it now. False when somebody else did, or it has just expired."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(_CLAIM, {"id": proposal.id, "now": self._clock()})
            return cursor.rowcount == 1

    async def conclude(self, proposal: Waiting, *, ok: bool) -> None:
        """Note how it went. Never raises: it is done, whether or not it can be noted."""
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    "update proposals set outcome = %(outcome)s where id = %(id)s",
                    {"id": proposal.id, "outcome": "done" if ok else "failed"},
                )
        except DatabaseAway:
            log.warning("how a confirmed action went could not be noted")

    def propose(self, proposals: Sequence[Proposal], waiting: Sequence[Waiting] = ()) -> tuple[Waiting, ...]:
        """Give these their ids and codes. Touches no database: they count once they are kept."""
        taken = {proposal.code for proposal in waiting}
        found = []
        for proposal in proposals:
            while (code := new_code(self._random)) in taken:
                pass
            taken.add(code)
            expires_at = self._clock() + VALID_FOR
            summary = storable(proposal.summary)
            found.append(Waiting(uuid.uuid4(), proposal.tool, proposal.input, summary, code, expires_at))
        return tuple(found)

    async def keep(self, connection: "Connection", conversation_id: uuid.UUID, proposals: Sequence[Waiting]) -> None:
        """Let them wait, in the caller's transaction."""
        for proposal in proposals:
            values = {
                "id": proposal.id,
                "conversation": conversation_id,
                "tool": proposal.tool,
                "input": json.dumps(proposal.input),
                "summary": proposal.summary,
                "code": proposal.code,
                "now": self._clock(),
                "expires": proposal.expires_at,
            }
            await connection.execute(_KEEP, values)
