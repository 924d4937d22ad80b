"""The whole state of one simulated Railway, and what of it can be seen already. No I/O, no HTTP."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from random import Random
from typing import Any, TypeVar, cast
from uuid import UUID

from claw_dev.simulators.railway.pace import Pace, Quirks
from claw_dev.simulators.railway.records import (
    CustomDomain,
    Deployment,
    Environment,
    Instance,
    Project,
    Record,
    Service,
    ServiceDomain,
)
from claw_dev.simulators.serving import wall_clock

R = TypeVar("R", bound=Record)

OWNED = (ServiceDomain, CustomDomain, Deployment)

WORKSPACE_NAME = "Simulated workspace"


class World:
    """Everything in one workspace. Records stay after their deletion: lists still show them for a while."""

    def __init__(
        self,
        *,
        pace: Pace,
        quirks: Quirks | None = None,
        random: Random,
        clock: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pace = pace
        self.quirks = quirks or Quirks()
        self.random = random
        self.clock = clock
        self.monotonic = monotonic
        self.workspace_id = self.new_id()
        self.created: Counter[str] = Counter()
        self.deleted: Counter[str] = Counter()
        self._records: dict[type[Record], dict[str, Record]] = {}
        self._owned: dict[tuple[type[Record], str, str], list[Record]] = {}
        self._sequence = 0
        self._changes: Counter[str] = Counter()

    def new_id(self) -> str:
        """A new id. The same seed gives the same ids in the same order."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def make(self, kind: type[R], *, id: str | None = None, **facts: Any) -> R:  # noqa: A002 - the field's name
        """Make a record now, under a new id if none is given, and keep it."""
        self._sequence += 1
        record = kind(
            id=id or self.new_id(), sequence=self._sequence, created_at=self.clock(), born=self.monotonic(), **facts
        )
        self._records.setdefault(kind, {})[record.id] = record
        if isinstance(record, OWNED):
            self._owned.setdefault((kind, record.service_id, record.environment_id), []).append(record)
        self.created[kind.__name__] += 1
        return record

    def delete(self, record: Record) -> None:
        """Delete it. A second time changes nothing."""
        if not record.exists:
            return
        record.died = self.monotonic()
        record.deleted_at = self.clock()
        self.deleted[type(record).__name__] += 1

    def find(self, kind: type[R], identifier: str) -> R | None:
        """The record, also one that was deleted or is too new to be seen."""
        return cast("R | None", self._records.get(kind, {}).get(identifier))

    def all(self, kind: type[R]) -> list[R]:
        """All that exist, in the order in which they were made."""
        return [record for record in self.ever(kind) if record.exists]

    def ever(self, kind: type[R]) -> list[R]:
        """All that exist or did."""
        return [cast(R, record) for record in self._records.get(kind, {}).values()]

    def is_seen(self, record: Record) -> bool:
        """Whether a list or a read shows it: a little later than it is made, and a little longer than it exists."""
        return self.monotonic() - record.born >= self.pace.lag and not self.is_forgotten(record)

    def is_forgotten(self, record: Record) -> bool:
        """Whether it is gone, and no list can show it any more."""
        return record.died is not None and self.monotonic() - record.died >= self.pace.lag

    def seen(self, kind: type[R]) -> list[R]:
        """What a list shows."""
        return [record for record in self.ever(kind) if self.is_seen(record)]

    def instance(self, service_id: str, environment_id: str) -> Instance | None:
        """The service in the environment, whether or not it was deleted; the newest if there were several."""
        found = (one for one in self.ever(Instance) if one.service.id == service_id)
        return max(
            (one for one in found if one.environment_id == environment_id), key=lambda one: one.sequence, default=None
        )

    def instances_of(self, service: Service) -> list[Instance]:
        """The service in all environments where it exists."""
        return [instance for instance in self.all(Instance) if instance.service is service]

    def of(self, kind: type[R], instance: Instance) -> Iterable[R]:
        """Domains or deployments of the instance that exist, in the order in which they were made."""
        owned = self._owned.get((kind, instance.service.id, instance.environment_id), ())
        return (cast(R, record) for record in owned if record.exists)

    def environments_of(self, project: Project) -> list[Environment]:
        """All that exist."""
        return [one for one in self.all(Environment) if one.project_id == project.id]

    @contextmanager
    def changing(self, environment_id: str) -> Iterator[Callable[[], bool]]:
        """A change of the environment's configuration is under way. Yields whether another one is, too."""
        self._changes[environment_id] += 1
        found_another = self._changes[environment_id] > 1
        try:
            yield lambda: found_another or self._changes[environment_id] > 1
        finally:
            self._changes[environment_id] -= 1
