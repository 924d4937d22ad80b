"""The runtime configuration: whose runtime this is, its limits, skills and keys.

It arrives as one document by `PUT /internal/configuration`. It is first made durable in the instance's own database,
so that a restart needs no operator, and then takes effect at once, by one assignment. A runtime that belongs to one
instance never takes the configuration of another.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from claw_crds.configuration import RuntimeConfiguration, revision_of
from claw_runtime.problems import WRONG_INSTANCE, Problem

if TYPE_CHECKING:
    from claw_runtime.database import Database

log = logging.getLogger(__name__)

Seed = Callable[[RuntimeConfiguration], Awaitable[None]]
"""Writes the files that the workspace lacks."""


@dataclass(frozen=True)
class Active:
    """A configuration in effect."""

    document: RuntimeConfiguration
    revision: str
    source: Mapping[str, Any]
    """The document as it came, with the members that this version of the runtime does not know."""


def activate(document: RuntimeConfiguration, source: Mapping[str, Any]) -> Active:
    """The parsed document together with what it was parsed from."""
    return Active(document, revision_of(source), source)


class Configurations:
    """Holds the configuration in effect. `load` and `put` raise DatabaseAway."""

    def __init__(self, database: "Database", seed: Seed, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._seed = seed
        self._clock = clock
        self._lock = asyncio.Lock()
        self.active: Active | None = None
        """None while the runtime is blank, and until it has read what it was before."""

    async def load(self) -> None:
        """Put the stored configuration into effect, if there is one."""
        async with self._lock:
            async with self._database.connection() as connection:
                cursor = await connection.execute("select document from configuration")
                row = await cursor.fetchone()
            if row is None:
                return
            source = row["document"]
            try:
                stored = activate(RuntimeConfiguration.model_validate(source), source)
            except ValidationError:
                log.error("the stored configuration cannot be read; the operator will send it again")
                return
            await self._seed(stored.document)  # files of a disk that did not survive, and a seeding that was cut short
            self.active = stored

    async def put(self, proposed: Active) -> Active:
        """Make it durable, then put it into effect. The same revision again changes nothing.

        Raises Problem when the runtime belongs to another instance.
        """
        async with self._lock:
            if self.active is not None and self.active.document.instance.uid != proposed.document.instance.uid:
                raise _wrong_instance()
            if self.active is not None and self.active.revision == proposed.revision:
                return self.active
            await self._store(proposed)
            await self._seed(proposed.document)
            self.active = proposed
            return proposed

    async def _store(self, proposed: Active) -> None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """insert into configuration as c (instance_uid, revision, document, updated_at)
                   values (%(uid)s, %(revision)s, %(document)s::json, %(now)s)
                   on conflict (singleton) do update
                      set revision = excluded.revision, document = excluded.document, updated_at = excluded.updated_at
                    where c.instance_uid = excluded.instance_uid
                   returning revision""",
                {
                    "uid": proposed.document.instance.uid,
                    "revision": proposed.revision,
                    "document": json.dumps(proposed.source),
                    "now": self._clock(),
                },
            )
            if await cursor.fetchone() is None:
                raise _wrong_instance()


def _wrong_instance() -> Problem:
    return Problem(
        WRONG_INSTANCE,
        "This runtime holds the data of another instance. Nothing was changed. Give the instance its own compute and "
        "database.",
    )
