"""A claim: one subject, with every event about it that is not done and the look that was asked for, for one worker.

What becomes of one becomes of all, because the live subscription is looked at once for all of them. A look that was
asked for again while the claim was being worked on stays due: the answer may be older than the question.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from claw_webhook.backoff import Backoff
from claw_webhook.database import Connection, fetch_all, fetch_one
from claw_webhook.looks import CLOCK
from claw_webhook.stripe_objects import Event

_RETRY = Backoff(first=1, longest=60)
_MOST_ATTEMPTS = 4320
"""Three days at a minute each: as long as Stripe itself would have tried."""
_GIVEN_UP = timedelta(days=1)
"""What was refused or given up is looked at again after that time, in case that its reason went away by itself."""
_NO_LOOK = 0


async def claim_subject(
    connection: Connection, subject: str, *, clock: Callable[[], datetime], random: Callable[[], float]
) -> "Claim | None":
    """The claim on a subject that the caller's transaction has locked; None when somebody has just settled it all."""
    rows = await fetch_all(
        connection,
        """
        SELECT id, type, payload, state, attempts, reason FROM inbox
        WHERE subject = %s AND state IN ('pending', 'refused', 'dead')
        ORDER BY received_at
        FOR UPDATE SKIP LOCKED
        """,
        [subject],
    )
    # Not locked: whoever asks for a look meanwhile must not have to wait for the end of this one.
    look = await fetch_one(
        connection,
        "SELECT asked, why, attempts, reason, due_at <= %s AS due FROM looks WHERE subject = %s",
        [clock(), subject],
    )
    pending = [row for row in rows if row["state"] == "pending"]
    due = look is not None and look["due"]
    if not pending and not due:
        return None
    newest = pending[-1] if pending else None
    why = newest["type"] if newest else look["why"] if look else ""
    return Claim(
        subject=subject,
        events=tuple(Event.parse(row["payload"]) for row in rows),
        actor=f"stripe:{newest['id']}" if newest else why,
        why=why,
        attempts=max([row["attempts"] for row in pending] + ([look["attempts"]] if look and due else [])),
        known_reasons=frozenset(row["reason"] for row in [*rows, *([look] if look else [])] if row["reason"]),
        # A moment that somebody else wished for is not used up by coming by earlier; the clock's is computed anew.
        _asked=look["asked"] if look and (due or look["why"] == CLOCK) else _NO_LOOK,
        _connection=connection,
        _clock=clock,
        _random=random,
    )


@dataclass(frozen=True)
class Claim:
    """Everything that gives a reason to look at one subject now."""

    subject: str
    """sub_… or, for all subscriptions of a customer, cus_…"""
    events: tuple[Event, ...]
    """In the order in which they arrived."""
    actor: str
    """For the billing log: `stripe:evt_…`, or who asked for the look."""
    why: str
    """For the billing log: the newest event's type, or why the look was asked for."""
    attempts: int
    """How often this has failed in a row."""
    known_reasons: frozenset[str]
    """Why it failed or was refused earlier: somebody has been told of these."""
    _asked: int
    _connection: Connection
    _clock: Callable[[], datetime]
    _random: Callable[[], float]

    async def also(self, subject: str) -> bool:
        """Take another subject's lock as well; False when somebody works on it. For two that share an instance."""
        row = await fetch_one(
            self._connection, "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS locked", [subject]
        )
        return row is not None and bool(row["locked"])

    async def done(self, look_again_at: datetime | None = None) -> None:
        """The world is as the subscription wishes, and will be until `look_again_at`."""
        await self._finish("done", None, None)
        if look_again_at is None:
            await self._connection.execute(
                "DELETE FROM looks WHERE subject = %s AND asked = %s", [self.subject, self._asked]
            )
            return
        await self._look_again(look_again_at, attempts=0, reason=None)

    async def refuse(self, reason: str, message: str) -> None:
        """It cannot be served as it is, and trying again at once changes nothing."""
        await self._finish("refused", reason, message)
        await self._look_again(self._clock() + _GIVEN_UP, attempts=0, reason=reason)

    async def postpone(self, reason: str, message: str) -> bool:
        """Something was not there: try again later. False when that was the last attempt."""
        failures = self.attempts + 1
        if failures >= _MOST_ATTEMPTS:
            await self._finish("dead", reason, message)
            await self._look_again(self._clock() + _GIVEN_UP, attempts=failures, reason=reason)
            return False
        due = self._clock() + timedelta(seconds=_RETRY.delay(failures, self._random))
        await self._connection.execute(
            """
            UPDATE inbox SET attempts = %s, due_at = %s, reason = %s, message = %s
            WHERE id = ANY(%s) AND state = 'pending'
            """,
            [failures, due, reason, message, self._ids],
        )
        await self._connection.execute(
            "UPDATE looks SET attempts = %s, due_at = %s, reason = %s WHERE subject = %s AND asked = %s",
            [failures, due, reason, self.subject, self._asked],
        )
        return True

    async def _finish(self, state: str, reason: str | None, message: str | None) -> None:
        await self._connection.execute(
            "UPDATE inbox SET state = %s, reason = %s, message = %s, finished_at = %s WHERE id = ANY(%s)",
            [state, reason, message, self._clock(), self._ids],
        )

    async def _look_again(self, due_at: datetime, *, attempts: int, reason: str | None) -> None:
        await self._connection.execute(
            """
            INSERT INTO looks (subject, due_at, why, attempts, reason)
            VALUES (%(subject)s, %(due_at)s, %(clock)s, %(attempts)s, %(reason)s)
            ON CONFLICT (subject) DO UPDATE
            SET due_at = CASE WHEN looks.asked = %(asked)s THEN excluded.due_at
                    ELSE least(looks.due_at, excluded.due_at) END,
                why = CASE WHEN looks.asked = %(asked)s OR excluded.due_at < looks.due_at THEN excluded.why
                    ELSE looks.why END,
                attempts = excluded.attempts, reason = excluded.reason
            """,
            {
                "subject": self.subject,
                "due_at": due_at,
                "clock": CLOCK,
                "attempts": attempts,
                "reason": reason,
                "asked": self._asked,
            },
        )

    @property
    def _ids(self) -> list[str]:
        return [event.id for event in self.events]
