"""HTTP by hand, for load: a client library would use more of the machine than the service that is measured."""

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Wire:
    """Connections to one server, each kept for the next request. Use as an async context manager."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> "Wire":
        return self

    async def __aexit__(self, *_: object) -> None:
        for _reader, writer in self._idle:
            writer.close()
            await writer.wait_closed()

    def prepared(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """A POST of the body, ready to be sent."""
        fields = {"Host": self._url.netloc, "Content-Length": str(len(body)), **headers}
        lines = [f"POST {self._url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def send(self, request: bytes) -> None:
        """Send what was prepared and read the answer. Raises RuntimeError unless that is 200."""
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        answer = await reader.readexactly(int(length[1]) if length else 0)
        if not head.startswith(b"HTTP/1.1 200 "):
            status, _, _ = head.partition(b"\r\n")
            raise RuntimeError(f"{status.decode()}: {answer[:300].decode(errors='replace')}")
        self._idle.append((reader, writer))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._url.hostname, self._url.port)
