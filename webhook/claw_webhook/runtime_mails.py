"""`POST /runtime/mails`: a runtime asks for a mail to its customer.

It says what, and never to whom: the mail goes to the address of the subscription, and only once its owner has signed in
by a mail to it, because anybody can subscribe with somebody else's. The text is quoted, as the assistant's.

A runtime proves itself with the SHA-256 of its configuration token, the one secret that it shares with the operator; it
knows no more of it than that. Whoever is not let in does not learn whether the instance is known.
"""

import hmac
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import uuid4

import psycopg
from aiohttp import web
from pydantic import Field, StringConstraints, ValidationError

from claw_crds.keys import sha256
from claw_crds.resource import Model
from claw_webhook.cleaning import clean_line
from claw_webhook.database import Connection, Pool, fetch_one
from claw_webhook.front.visitors import Throttle, address_of
from claw_webhook.instances import ClusterUnavailable, Instances
from claw_webhook.mails import outbox
from claw_webhook.mails.outbox import Outbox
from claw_webhook.notices import Cause
from claw_webhook.problems import problem
from claw_webhook.runtimes import Runtime, Runtimes

PATH = "/runtime/mails"
MAILS_A_DAY = 24
LARGEST_BODY = 64 * 1024
SUBJECT_LENGTH, TEXT_LENGTH = 150, 10_000

_BEARER = re.compile(r"Bearer (?P<proof>[0-9a-f]{64})", re.IGNORECASE)
_UID = re.compile(r"[0-9a-f-]{36}")
_KEY = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

logger = logging.getLogger(__name__)


class MailWish(Model):
    """What a runtime wants to be mailed."""

    subject: Annotated[str, StringConstraints(min_length=1, max_length=SUBJECT_LENGTH)]
    text: Annotated[str, StringConstraints(min_length=1, max_length=TEXT_LENGTH)] = Field(description="Plain text.")


class RuntimeMails:
    """The handler."""

    def __init__(
        self,
        pool: Pool,
        *,
        runtimes: Runtimes,
        instances: Instances,
        outbox: Outbox,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._runtimes = runtimes
        self._instances = instances
        self._outbox = outbox
        self._clock = clock
        self._throttle = Throttle(burst=30, per_second=1 / 30)

    async def take(self, request: web.Request) -> web.Response:
        """Put one mail into the outbox."""
        if not self._throttle.allows(address_of(request)):
            return problem(429, "Too many", "Come again later.", self._throttle.retry_after)
        try:
            runtime = await self._who(request)
            if runtime is None:
                return problem(
                    401, "Unauthorized", "The instance or its proof is wrong.", {"WWW-Authenticate": "Bearer"}
                )
            wish = await _wish(request)
            if isinstance(wish, web.Response):
                return wish
            key = request.headers.get("Idempotency-Key", "")
            occasion = f"{runtime.uid}:{key if _KEY.fullmatch(key) else uuid4()}"
            async with self._pool.connection() as connection:
                refusal = await self._put(connection, runtime, occasion, wish)
        except (psycopg.OperationalError, ClusterUnavailable) as error:
            logger.warning("a mail of a runtime could not be taken: %s", type(error).__name__)
            return problem(503, "Not right now", "Come again later.", {"Retry-After": "30"})
        if refusal is not None:
            return refusal
        self._outbox.arrived.set()
        return web.json_response({"accepted": True}, status=202)

    async def _who(self, request: web.Request) -> Runtime | None:
        """The runtime that has proved itself."""
        uid = request.headers.get("X-Claw-Instance", "")
        proof = _BEARER.fullmatch(request.headers.get("Authorization", ""))
        if proof is None or not _UID.fullmatch(uid):
            return None
        runtime = await self._runtimes.with_uid(uid)
        token = await self._instances.configuration_token(runtime.secret_name) if runtime is not None else None
        expected = sha256(token) if token is not None else ""
        return runtime if hmac.compare_digest(expected, proof["proof"].lower()) else None

    async def _put(
        self, connection: Connection, runtime: Runtime, occasion: str, wish: MailWish
    ) -> web.Response | None:
        """Ask for the mail, and count it; a repetition is neither. Returns the refusal, if it is one."""
        now = self._clock()
        # One after the other for each instance: a repetition must see what it repeats.
        await connection.execute("SELECT FROM instances WHERE name = %s FOR NO KEY UPDATE", [runtime.instance])
        known = await fetch_one(
            connection, "SELECT id FROM outbox WHERE cause = %s AND occasion = %s", [Cause.MESSAGE, occasion]
        )
        if known is not None:
            return None
        proven = await fetch_one(
            connection, "SELECT id FROM customers WHERE id = %s AND proven_email = email", [runtime.customer]
        )
        if proven is None:
            detail = "The customer has to sign in to their account by mail first: then it is known whose address it is."
            return problem(403, "The address is not proven", detail)
        today = now.astimezone(UTC).date()
        await connection.execute(
            "DELETE FROM runtime_mails WHERE instance = %s AND day < %s", [runtime.instance, today]
        )
        counted = await fetch_one(
            connection,
            """
            INSERT INTO runtime_mails AS counted (instance, day, mails) VALUES (%s, %s, 1)
            ON CONFLICT (instance, day) DO UPDATE SET mails = counted.mails + 1 WHERE counted.mails < %s
            RETURNING mails
            """,
            [runtime.instance, today, MAILS_A_DAY],
        )
        if counted is None:
            seconds = _until_midnight(now)
            detail = f"An assistant may send {MAILS_A_DAY} mails in a day (UTC)."
            return problem(429, "Enough mails for today", detail, {"Retry-After": str(seconds)})
        await outbox.put(
            connection,
            Cause.MESSAGE,
            occasion=occasion,
            customer=runtime.customer,
            instance=runtime.instance,
            instance_uid=runtime.uid,
            details={"subject": clean_line(wish.subject, SUBJECT_LENGTH) or "", "text": _NOT_TEXT.sub(" ", wish.text)},
            now=now,
        )
        return None


async def _wish(request: web.Request) -> MailWish | web.Response:
    """What is to be mailed, or why that cannot be."""
    too_large = problem(413, "Payload too large", f"A mail has at most {LARGEST_BODY} bytes.")
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return too_large
    if len(body) > LARGEST_BODY:
        return too_large
    try:
        return MailWish.model_validate_json(body)
    except ValidationError:
        detail = f"A subject (at most {SUBJECT_LENGTH} characters) and a text (at most {TEXT_LENGTH:,}) are needed."
        return problem(422, "Not a mail", detail)


def _until_midnight(now: datetime) -> int:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return max(1, int((midnight - now).total_seconds()))
