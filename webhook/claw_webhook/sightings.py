"""The instances as the cluster shows them: the last known state of each, and the welcome of a new one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from claw_crds import naming
from claw_crds.retention import retention
from claw_webhook import looks
from claw_webhook.database import Connection, Pool, fetch_all, fetch_one
from claw_webhook.looks import CLOCK
from claw_webhook.mails import outbox

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_FOR_GOOD = datetime.max.replace(tzinfo=UTC)


def keep_until(annotations: Mapping[str, str]) -> datetime | None:
    """Until when a person wants the instance kept, read as the operator reads it; for good where it is no moment."""
    kept = retention(_LONG_AGO, annotations)
    if kept.unreadable is not None:
        return _FOR_GOOD
    return kept.deletion_time if naming.KEEP_UNTIL in annotations else None


@dataclass(frozen=True)
class SeenInstance:
    """A ClawInstance as the cluster shows it."""

    name: str
    uid: str
    available: bool
    """Ready is True, and address and Secret are known."""
    url: str | None = None
    secret_name: str | None = None
    ready_reason: str | None = None
    """The STATUS column."""
    keep_until: datetime | None = None
    """By annotation, in UTC; `datetime.max` where that cannot be read."""
    usage: Mapping[str, Any] | None = None
    """`status.usage` as it is."""


class Sightings:
    """What the cluster tells of the table `instances`. Instances that no subscription asked for are not in it."""

    def __init__(self, pool: Pool, *, namespace: str, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._namespace = namespace
        self._clock = clock

    async def seen(self, instance: SeenInstance) -> float | None:
        """Remember what the cluster shows. Seconds from the wish to now when it became available with this call.

        The welcome mail is put into the outbox in the same transaction, so neither is ever there without the other.
        """
        values = {
            "name": instance.name,
            "namespace": self._namespace,
            "uid": instance.uid,
            "url": instance.url,
            "secret": instance.secret_name,
            "reason": instance.ready_reason,
            "keep_until": instance.keep_until,
            "usage": None if instance.usage is None else json.dumps(instance.usage, sort_keys=True),
            "now": self._clock(),
        }
        async with self._pool.connection() as connection:
            await _look_if_kept_longer(connection, values)
            # Another uid is another object with another key, made after somebody had deleted the first one.
            await connection.execute(
                """
                UPDATE instances
                SET uid = %(uid)s, url = NULL, secret_name = NULL, available_at = NULL, available_seconds = NULL,
                    deleted_at = NULL
                WHERE name = %(name)s AND namespace = %(namespace)s AND uid IS DISTINCT FROM %(uid)s
                """,
                values,
            )
            await connection.execute(
                """
                UPDATE instances SET ready_reason = %(reason)s, keep_until = %(keep_until)s, usage = %(usage)s
                WHERE name = %(name)s AND namespace = %(namespace)s
                    AND (ready_reason, keep_until, usage)
                        IS DISTINCT FROM (%(reason)s::text, %(keep_until)s::timestamptz, %(usage)s::text)
                """,
                values,
            )
            return await _welcome(connection, values) if instance.available else None

    async def gone(self, name: str) -> None:
        """The cluster no longer has it, or was told to delete it."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE instances SET deleted_at = %s WHERE name = %s AND namespace = %s AND deleted_at IS NULL",
                [self._clock(), name, self._namespace],
            )

    async def seen_before(self) -> set[str]:
        """Names of the instances that the cluster has shown and that were not seen to go."""
        async with self._pool.connection() as connection:
            rows = await fetch_all(
                connection,
                "SELECT name FROM instances WHERE namespace = %s AND uid IS NOT NULL AND deleted_at IS NULL",
                [self._namespace],
            )
        return {row["name"] for row in rows}


async def _look_if_kept_longer(connection: Connection, values: Mapping[str, Any]) -> None:
    """A person's annotation moves the deletion, so the subscription is looked at once more."""
    row = await fetch_one(
        connection,
        """
        SELECT subscription FROM instances
        WHERE name = %(name)s AND namespace = %(namespace)s AND subscription IS NOT NULL AND deleted_at IS NULL
            AND keep_until IS DISTINCT FROM %(keep_until)s::timestamptz
        """,
        values,
    )
    if row is not None:
        await looks.ask(connection, row["subscription"], why=CLOCK, due_at=values["now"])


async def _welcome(connection: Connection, values: Mapping[str, Any]) -> float | None:
    row = await fetch_one(
        connection,
        """
        UPDATE instances
        SET url = %(url)s, secret_name = %(secret)s,
            available_at = coalesce(available_at, %(now)s),
            available_seconds = coalesce(available_seconds, extract(epoch FROM %(now)s - requested_at))
        WHERE name = %(name)s AND namespace = %(namespace)s
            AND (url, secret_name) IS DISTINCT FROM (%(url)s, %(secret)s)
        RETURNING available_at = %(now)s AS first, available_seconds AS seconds,
            (SELECT customer FROM subscriptions WHERE id = instances.subscription) AS customer
        """,
        values,
    )
    if row is None or not row["first"] or row["customer"] is None:
        return None
    await outbox.put(
        connection,
        outbox.WELCOME,
        occasion=values["uid"],
        customer=row["customer"],
        instance=values["name"],
        instance_uid=values["uid"],
        now=values["now"],
    )
    return float(row["seconds"])
