"""A real PostgreSQL behind a wire that can be cut at an exact statement.

It relays PostgreSQL's protocol (version 3) and knows just enough of it to count statements. A cut is what a crash of
the operator, or of the network, looks like from the server: before a statement arrives, or after it was carried out
and before its answer came back.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import StrEnum

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CANCEL_REQUEST = (80877102).to_bytes(4)
_BEGINS_STATEMENT = (b"Q", b"B")  # Query, and Bind: a statement without and with parameters
_READY_FOR_QUERY = b"Z"
_BROKEN = (ConnectionError, asyncio.IncompleteReadError)


class Cut(StrEnum):
    """Where the wire breaks."""

    BEFORE = "before the statement"
    AFTER = "after the statement, its answer lost"


class Wire:
    """The relay. `url` leads through it to the server."""

    def __init__(self, server_url: str) -> None:
        self._server = conninfo_to_dict(server_url)
        self._cut_at: tuple[int, Cut] | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self.url = ""
        self.statements = 0
        self.was_cut = False
        self.sent = bytearray()
        """Every byte that clients sent."""

    def cut(self, at: int, how: Cut) -> None:
        """Break at this statement, counted from 1 and from now."""
        self.statements, self.was_cut, self._cut_at = 0, False, (at, how)

    def hang_up(self) -> None:
        """Break every connection there is."""
        for line in self._lines:
            line.transport.abort()

    async def relay(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Serve one client until either side ends."""
        answers, server = await asyncio.open_connection(str(self._server["host"]), int(str(self._server["port"])))
        lines = {client, server}
        self._lines |= lines
        lost = asyncio.Event()
        ways = {
            asyncio.create_task(self._requests(reader, server, lost)),
            asyncio.create_task(self._answers(answers, client, lost)),
        }
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for line in lines:
            line.transport.abort()
        await asyncio.gather(*ways)
        self._lines -= lines

    async def _requests(self, client: asyncio.StreamReader, server: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        with contextlib.suppress(*_BROKEN):
            length = await client.readexactly(4)
            startup = await client.readexactly(int.from_bytes(length) - 4)
            server.write(length + startup)
            if startup.startswith(_CANCEL_REQUEST):
                await client.read()
                return
            while True:
                kind, message = await _message(client)
                self.sent += message
                if kind in _BEGINS_STATEMENT:
                    self.statements += 1
                    if self._cut_at == (self.statements, Cut.BEFORE):
                        self.was_cut = True
                        return
                    if self._cut_at == (self.statements, Cut.AFTER):
                        self.was_cut = True
                        lost.set()
                server.write(message)

    async def _answers(self, server: asyncio.StreamReader, client: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        with contextlib.suppress(*_BROKEN):
            while True:
                kind, message = await _message(server)
                if not lost.is_set():
                    client.write(message)
                elif kind == _READY_FOR_QUERY:
                    return


@contextlib.asynccontextmanager
async def wire(server_url: str) -> AsyncIterator[Wire]:
    """A wire to the server for as long as the context lasts."""
    relay = Wire(server_url)
    server = await asyncio.start_server(relay.relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # No encryption: the relay reads along.
    own = {"host": "127.0.0.1", "port": port, "sslmode": "disable", "gssencmode": "disable"}
    relay.url = make_conninfo(server_url, **own)
    async with server:
        try:
            yield relay
        finally:
            relay.hang_up()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(int.from_bytes(head[1:]) - 4)
