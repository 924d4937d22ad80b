"""A web server that answers exactly the bytes it is told to, at the pace it is told to, and remembers who asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """What somebody asked."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Website:
    """Pages by their path: whole bytes of an HTTP answer, or a function that writes them."""

    port: int = 0
    pages: dict[str, bytes | Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    open: int = 0
    """Connections that are."""

    def at(self, path: str, host: str = "127.0.0.1") -> str:
        """The URL of a page."""
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, of which one request is answered."""
        self.open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                request = await _request(reader)
                self.requests.append(request)
                page = self.pages.get(request.target, answer(b"not here", status="404 Not Found"))
                if isinstance(page, bytes):
                    writer.write(page)
                    await writer.drain()
                else:
                    await page(writer)
        finally:
            self.open -= 1
            writer.close()


def answer(body: bytes | str, *headers: str, status: str = "200 OK", kind: str | None = "text/html") -> bytes:
    """A proper answer."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def redirect(to: str, status: str = "302 Found") -> bytes:
    """Somewhere else."""
    return answer(b"", f"Location: {to}", status=status)


async def say_nothing(writer: asyncio.StreamWriter) -> None:
    """No answer, for ever."""
    await asyncio.Event().wait()


async def pour(writer: asyncio.StreamWriter) -> None:
    """A body without an end, as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"<p>more</p>" * 1000)
        await writer.drain()


@asynccontextmanager
async def website(tls: ssl.SSLContext | None = None) -> AsyncIterator[Website]:
    """One on a free port of this machine."""
    site = Website()
    serving: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        task.add_done_callback(serving.discard)
        with suppress(asyncio.CancelledError):
            await site.serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Request(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
