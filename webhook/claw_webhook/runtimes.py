"""The customers' runtimes: which one it is, and what it says.

Which one: by the UID of its instance, by its customer's subscription, or by a mailbox that it reads. What it says is
read as if a stranger had said it: a runtime does what its customer tells it to.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from claw_crds.keys import sha256
from claw_templates import line
from claw_webhook.database import Pool, fetch_one
from claw_webhook.instances import Instances

_PATIENCE_SECONDS = 25
"""A runtime that sleeps, and its database, need some of it to wake."""
_LARGEST_ANSWER = 64 * 1024


class RuntimeAway(Exception):
    """The runtime does not answer, or not as it should. The text is for the log."""


class RuntimeRefuses(Exception):
    """The runtime does not do it. The text is its own, for its customer."""


@dataclass(frozen=True)
class Runtime:
    """Where an instance answers, and whose it is."""

    instance: str
    uid: str
    url: str
    secret_name: str
    subscription: str
    customer: str


class Runtimes:
    """The instances that can be spoken to. Every method raises psycopg.OperationalError while the database is away."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._clock = clock

    async def with_uid(self, uid: str) -> Runtime | None:
        """The instance with this UID."""
        return await self._find("uid", uid)

    async def of_subscription(self, subscription: str) -> Runtime | None:
        """The instance that this subscription pays for."""
        return await self._find("subscription", subscription)

    async def of_mailbox(self, address: str) -> Runtime | None:
        """The instance that reads the mailbox of this address."""
        return await self._find("mailbox", mailbox_key(address))

    async def connected(self, runtime: Runtime, address: str) -> None:
        """From now on it reads that mailbox, and no other."""
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM mailboxes WHERE instance = %s", [runtime.instance])
            await connection.execute(
                """
                INSERT INTO mailboxes (address_sha256, instance, connected_at) VALUES (%s, %s, %s)
                ON CONFLICT (address_sha256) DO UPDATE
                SET instance = excluded.instance, connected_at = excluded.connected_at
                """,
                [mailbox_key(address), runtime.instance, self._clock()],
            )

    async def disconnected(self, runtime: Runtime) -> None:
        """It reads no mailbox any more."""
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM mailboxes WHERE instance = %s", [runtime.instance])

    async def _find(self, by: str, value: str) -> Runtime | None:
        async with self._pool.connection() as connection:
            row = await fetch_one(
                connection,
                """
                SELECT instances.name AS instance, uid, url, secret_name, subscription, payer AS customer
                FROM instances JOIN subscriptions ON subscriptions.id = instances.subscription
                WHERE deleted_at IS NULL AND url IS NOT NULL AND secret_name IS NOT NULL AND payer IS NOT NULL
                    AND CASE %(by)s
                        WHEN 'uid' THEN uid = %(value)s
                        WHEN 'subscription' THEN subscription = %(value)s
                        ELSE instances.name = (SELECT instance FROM mailboxes WHERE address_sha256 = %(value)s)
                    END
                """,
                {"by": by, "value": value},
            )
        return Runtime(**row) if row is not None else None


class RuntimeApi:
    """Speaks to runtimes. Raises RuntimeAway."""

    def __init__(self, session: aiohttp.ClientSession, instances: Instances) -> None:
        self._session = session
        self._instances = instances

    async def call(self, runtime: Runtime, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What its API answers its customer; None for an empty answer. Raises RuntimeRefuses, ClusterUnavailable."""
        key = await self._instances.api_key(runtime.secret_name)
        if key is None:
            raise RuntimeAway(f"Secret {runtime.secret_name} is not there")
        status, content = await self._send(
            runtime, method, path, {"Authorization": f"Bearer {key}"}, json.dumps(body).encode() if body else None
        )
        answer = _parsed(content) if content else None
        if status < 300:
            return answer
        if status < 500 and isinstance(answer, dict) and isinstance(answer.get("detail"), str):
            raise RuntimeRefuses(line(answer["detail"], 500))
        raise RuntimeAway(f"the runtime of {runtime.instance} answered {status}")

    async def forward(self, runtime: Runtime, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Hand a request on as it came; the status of the answer."""
        status, _ = await self._send(runtime, "POST", path, headers, body)
        return status

    async def _send(
        self, runtime: Runtime, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        given = {"Content-Type": "application/json", **headers} if body is not None else headers
        try:
            async with (
                asyncio.timeout(_PATIENCE_SECONDS),
                self._session.request(
                    method, runtime.url.rstrip("/") + path, headers=given, data=body, allow_redirects=False
                ) as response,
            ):
                content = bytearray()
                async for piece in response.content.iter_chunked(_LARGEST_ANSWER):
                    content += piece
                    if len(content) > _LARGEST_ANSWER:
                        raise RuntimeAway(f"the runtime of {runtime.instance} answered too much")
                return response.status, bytes(content)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise RuntimeAway(f"the runtime of {runtime.instance} cannot be reached: {type(error).__name__}") from error


def mailbox_key(address: str) -> str:
    """What is kept of an address: enough to know it again."""
    return sha256(address.strip().lower())


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
