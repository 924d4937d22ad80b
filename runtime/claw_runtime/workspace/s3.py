"""A folder in S3, or in anything that speaks its protocol. The library is imported when it is first used."""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from claw_runtime.settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

log = logging.getLogger(__name__)

REQUEST_SECONDS = 30.0
RETRIES = 2
"""Of a request that failed for no fault of its own, with backoff and jitter, by the library."""
RETRY_SECONDS = 20.0
MAX_OBJECT_BYTES = 64_000_000

_REGION = re.compile(r"\bs3[.-](?P<region>[a-z]{2}(-[a-z0-9]+)+)\.")
_ANYWHERE = "us-east-1"
"""What services that know no regions sign with as well."""


class PlaceFailed(Exception):
    """The place did not do what it was asked. The text is a kind of failure, without names and keys."""


@dataclass(frozen=True)
class Address:
    """Where, and with which credentials."""

    bucket: str
    prefix: str
    endpoint: str | None
    access_key_id: str
    secret_access_key: str = field(repr=False)

    @property
    def region(self) -> str:
        """As the endpoint's name says it."""
        found = _REGION.search(self.endpoint or "")
        return found["region"] if found is not None else _ANYWHERE


@dataclass(frozen=True)
class Stored:
    """An object, without what is in it."""

    name: str
    size: int


def address_of(settings: Settings) -> Address | None:
    """Where snapshots go; None when nobody said so, or not completely."""
    secret = settings.snapshot_secret_access_key
    if settings.snapshot_url is None:
        return None
    if settings.snapshot_access_key_id is None or secret is None:
        log.warning("there are no snapshots: the place for them is known, but not the keys to it")
        return None
    url = urlsplit(settings.snapshot_url)
    return Address(
        bucket=url.netloc,
        prefix=url.path.strip("/"),
        endpoint=str(settings.snapshot_endpoint).rstrip("/") if settings.snapshot_endpoint is not None else None,
        access_key_id=settings.snapshot_access_key_id,
        secret_access_key=secret.get_secret_value(),
    )


class S3Folder:
    """One folder below the address. Methods raise PlaceFailed."""

    def __init__(self, address: Address, folder: str) -> None:
        self._address = address
        self._prefix = "/".join(part for part in (address.prefix, folder) if part)
        self._opened: S3Store | None = None

    async def put(self, name: str, content: bytes) -> None:
        """Store an object."""
        await self._do(lambda obstore, store: obstore.put_async(store, name, content, use_multipart=False))

    async def get(self, name: str) -> bytes | None:
        """An object of at most MAX_OBJECT_BYTES; None when there is none."""

        async def read(obstore: Any, store: "S3Store") -> bytes | None:
            try:
                answer = await obstore.get_async(store, name)
            except FileNotFoundError:
                return None
            if answer.meta["size"] > MAX_OBJECT_BYTES:
                raise PlaceFailed("the object is too large")
            return bytes(await answer.bytes_async())

        found: bytes | None = await self._do(read)
        return found

    async def list(self) -> "list[Stored]":
        """All objects, by name."""

        async def collect(obstore: Any, store: "S3Store") -> list[Stored]:
            return [Stored(entry["path"], entry["size"]) async for page in obstore.list(store) for entry in page]

        found: list[Stored] = await self._do(collect)
        return sorted(found, key=lambda stored: stored.name)

    async def delete(self, name: str) -> None:
        """Delete an object, if there is one."""
        await self._do(lambda obstore, store: obstore.delete_async(store, name))

    async def _do(self, work: Callable[[Any, "S3Store"], Any]) -> Any:
        obstore = await asyncio.to_thread(import_module, "obstore")
        failures = await asyncio.to_thread(import_module, "obstore.exceptions")
        if self._opened is None:
            self._opened = _open(self._address, self._prefix)
        try:
            async with asyncio.timeout(REQUEST_SECONDS + RETRY_SECONDS):
                return await work(obstore, self._opened)
        except (failures.BaseError, OSError, TimeoutError) as error:
            # Its text has the address, and sometimes the answer: no more of it than what kind of failure it was.
            raise PlaceFailed(type(error).__name__) from None


def _open(address: Address, prefix: str) -> "S3Store":
    from obstore.store import S3Store

    config: S3Config = {
        "region": address.region,
        "access_key_id": address.access_key_id,
        "secret_access_key": address.secret_access_key,
        "disable_bulk_delete": True,  # not every service that is like S3 has it
    }
    if address.endpoint is not None:
        config["endpoint"] = address.endpoint
    return S3Store(
        address.bucket,
        prefix=prefix,
        config=config,
        client_options={
            "allow_http": (address.endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=REQUEST_SECONDS),
            # A proxy that no host goes through: without one of our own, the environment's would be asked.
            "proxy_url": "http://127.0.0.1:9",
            "proxy_excludes": "*,0.0.0.0/0,::/0",
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
    )
