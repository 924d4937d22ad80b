"""Keeps records by id, and how they were a moment ago."""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


RecordT = TypeVar("RecordT", bound=_HasId)


class Shelf(Generic[RecordT]):
    """Records as they are now, for writes, and as they were `lag` seconds ago, for reads."""

    def __init__(self, monotonic: Callable[[], float], lag: float) -> None:
        self._monotonic = monotonic
        self._lag = lag
        self._versions: dict[str, list[tuple[float, RecordT | None]]] = {}

    def put(self, record: RecordT) -> RecordT:
        """Add or replace it."""
        self._change(record.id, record)
        return record

    def remove(self, identifier: str) -> None:
        """It is gone. Reads may still show it for a while."""
        self._change(identifier, None)

    def catch_up(self) -> None:
        """Let reads see everything as it is now."""
        for versions in self._versions.values():
            versions[:] = [(float("-inf"), versions[-1][1])]

    def now(self, identifier: str) -> RecordT | None:
        """As it is."""
        versions = self._versions.get(identifier)
        return versions[-1][1] if versions else None

    def all_now(self) -> list[RecordT]:
        """Everything as it is, the oldest first."""
        return _present(versions[-1][1] for versions in self._versions.values())

    def read(self, identifier: str) -> RecordT | None:
        """As reads see it."""
        return self._as_read(self._versions.get(identifier, []))

    def read_all(self) -> list[RecordT]:
        """Everything as reads see it, the oldest first."""
        return _present(self._as_read(versions) for versions in self._versions.values())

    def _as_read(self, versions: list[tuple[float, RecordT | None]]) -> RecordT | None:
        horizon = self._monotonic() - self._lag
        return next((record for since, record in reversed(versions) if since <= horizon), None)

    def _change(self, identifier: str, record: RecordT | None) -> None:
        now = self._monotonic()
        versions = self._versions.setdefault(identifier, [])
        versions.append((now, record))
        # The newest version that every read may see makes all older ones unreachable.
        while len(versions) > 1 and versions[1][0] <= now - self._lag:
            del versions[0]


def _present(records: "Iterable[RecordT | None]") -> list[RecordT]:
    return [record for record in records if record is not None]
