"""A question that is sent twice is answered once: the `Idempotency-Key` of `POST /api/chat`.

The key and a fingerprint of the question are kept for a day, with the answer once there is one. It is stored in the
transaction that records the turn, so there is never an answer that was counted and cannot be told again. Whoever asks
while it is being answered is told to wait, by whichever process; whoever asks something else with the same key is told
so. A question whose process died is answered anew, by exactly one of those who ask for it.
"""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, LiteralString

from pydantic import StringConstraints, TypeAdapter, ValidationError

from claw_runtime.problems import IDEMPOTENCY_CONFLICT, IN_PROGRESS, INVALID_REQUEST, FieldError, Problem

if TYPE_CHECKING:
    from claw_runtime.database import Connection, Database
    from claw_runtime.turns.exchange import ChatReply, ChatRequest

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotent-Replayed": "true"}

KEPT = timedelta(hours=24)
BEGINS = timedelta(seconds=60)
"""Between a key and its reservation, which from then on tells whether the question is being answered."""
RETRY_SECONDS = 3

_KEY: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")])

_PRUNE: LiteralString = """
delete from idempotency_keys where key_sha256 in (
    select key_sha256 from idempotency_keys
     where created_at <= %(forgotten)s and begins_until <= %(now)s for update skip locked
)
"""

_INSERT: LiteralString = """
insert into idempotency_keys (key_sha256, request_sha256, turn, begins_until, created_at)
values (%(key)s, %(request)s, %(turn)s, %(begins_until)s, %(now)s)
on conflict (key_sha256) do nothing
"""

_READ: LiteralString = """
select k.request_sha256, k.reply,
       k.begins_until > %(now)s
       or exists (select from reservations r where r.id = k.turn and r.expires_at > %(now)s) as in_progress
  from idempotency_keys k where k.key_sha256 = %(key)s for update of k
"""

_TAKE_OVER: LiteralString = """
update idempotency_keys set turn = %(turn)s, begins_until = %(begins_until)s, created_at = %(now)s
 where key_sha256 = %(key)s
"""

_FINISH: LiteralString = "update idempotency_keys set reply = %(reply)s where turn = %(turn)s returning key_sha256"

_ABANDON: LiteralString = "delete from idempotency_keys where turn = %(turn)s and reply is null"


@dataclass(frozen=True)
class Replay:
    """The question was answered before: with this."""

    reply: "ChatReply"


def key_of(header: str | None) -> str | None:
    """The key of a request; None when it has none. Raises Problem for one that cannot be kept."""
    if header is None:
        return None
    try:
        return _KEY.validate_python(header)
    except ValidationError:
        wrong = FieldError(field=HEADER, message="1 to 255 visible ASCII characters are taken; a UUID is a good key.")
        raise Problem(INVALID_REQUEST, "The Idempotency-Key cannot be used.", errors=(wrong,)) from None


class Idempotency:
    """The keys of one instance. Raises DatabaseAway."""

    def __init__(self, database: "Database", clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, key: str, request: "ChatRequest") -> uuid.UUID | Replay:
        """The turn to answer the question with, or the answer that there is.

        `reserve` the turn, then `finish` or `abandon` it. Raises Problem when the question is being answered, or when
        the key belongs to another one.
        """
        now, turn, asked = self._clock(), uuid.uuid4(), fingerprint(request)
        values = {
            "key": hashlib.sha256(key.encode()).hexdigest(),
            "request": asked,
            "turn": turn,
            "now": now,
            "begins_until": now + BEGINS,
            "forgotten": now - KEPT,
        }
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(_PRUNE, values)
            cursor = await connection.execute(_INSERT, values)
            if cursor.rowcount == 1:
                return turn
            cursor = await connection.execute(_READ, values)
            known = await cursor.fetchone()
            if known is None:  # it was abandoned between the two statements
                raise _in_progress()
            if (replay := _known(known, asked)) is not None:
                return replay
            await connection.execute(_TAKE_OVER, values)
        return turn

    async def finish(self, connection: "Connection", turn: uuid.UUID, reply: "ChatReply") -> None:
        """Keep the answer, in the transaction that records the turn.

        Raises Problem, so that the transaction fails, when the turn took so long that another one has its key.
        """
        cursor = await connection.execute(_FINISH, {"turn": turn, "reply": reply.model_dump_json(by_alias=True)})
        if await cursor.fetchone() is None:
            raise _in_progress()

    async def abandon(self, turn: uuid.UUID) -> None:
        """There will be no answer: whoever asks again is answered anew. Doing so twice changes nothing."""
        async with self._database.connection() as connection:
            await connection.execute(_ABANDON, {"turn": turn})


def fingerprint(request: "ChatRequest") -> str:
    """The same for equal questions, streamed or not: how an answer arrives is not what was asked."""
    return hashlib.sha256(request.model_dump_json(exclude={"stream"}).encode()).hexdigest()


def _known(row: dict[str, Any], request: str) -> Replay | None:
    """The answer that there is; None when the question may be taken over."""
    from claw_runtime.turns.exchange import ChatReply

    if row["request_sha256"] != request:
        raise Problem(
            IDEMPOTENCY_CONFLICT,
            "This Idempotency-Key was sent with another question within the last 24 hours. Use a new key for it.",
        )
    if row["reply"] is not None:
        return Replay(ChatReply.model_validate(row["reply"]))
    if row["in_progress"]:
        raise _in_progress()
    return None


def _in_progress() -> Problem:
    return Problem(
        IN_PROGRESS,
        "A question with this Idempotency-Key is being answered. Ask again with the same key to get its answer.",
        retry_after=RETRY_SECONDS,
    )
