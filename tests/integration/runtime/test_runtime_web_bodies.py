"""Fetching from servers that lie, dawdle and pour."""

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest

from claw_runtime.web.addresses import Perimeter
from claw_runtime.web.fetching import Fetcher, FetchLimits, Unreachable
from tests.eventually import eventually
from tests.integration.runtime.website import Website, answer, pour, say_nothing, website

SMALL = FetchLimits(received=100_000, unpacked=100_000, seconds=3.0)


@pytest.fixture
async def site() -> AsyncIterator[Website]:
    async with website() as served:
        yield served


@pytest.fixture
def fetcher() -> Fetcher:
    """May visit this machine, as if it were public."""
    return Fetcher(Perimeter(inside=("127.0.0.0/8",)))


async def dawdle(writer: asyncio.StreamWriter) -> None:
    """A letter now and then: no single wait is long, all of them have no end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.02)


async def dawdle_in_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-A: a\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("slow", [dawdle, dawdle_in_headers, say_nothing])
async def test_a_server_that_dawdles_is_left(site: Website, fetcher: Fetcher, slow: object) -> None:
    site.pages["/"] = slow  # type: ignore[assignment]  # one of the functions above

    begun = time.monotonic()
    with pytest.raises(Unreachable):
        await fetcher.get(site.at("/"), limits=FetchLimits(seconds=0.4))

    assert time.monotonic() - begun < 2


async def pour_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"1\r\na\r\n" * 1000)
        await writer.drain()


@pytest.mark.parametrize("endless", [pour, pour_chunks])
async def test_a_body_without_an_end_is_cut(site: Website, fetcher: Fetcher, endless: object) -> None:
    site.pages["/"] = endless  # type: ignore[assignment]  # one of the functions above

    found = await fetcher.get(site.at("/"), limits=SMALL)

    assert not found.complete
    assert len(found.body) == SMALL.unpacked
    await eventually(lambda: site.open == 0)


async def test_headers_without_an_end_are_refused(site: Website, fetcher: Fetcher) -> None:
    async def headers(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X-Long: " + b"a" * 1000 + b"\r\n")
            await writer.drain()

    site.pages["/many"] = headers
    site.pages["/long"] = b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1_000_000 + b"\r\n\r\nhello"
    for path in ("/many", "/long"):
        with pytest.raises(Unreachable):
            await fetcher.get(site.at(path), limits=SMALL)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "x-gzip", "GZip"])
async def test_a_packed_page_is_unpacked(site: Website, fetcher: Fetcher, coding: str) -> None:
    packed = zlib.compress(b"hello " * 99) if coding == "deflate" else gzip.compress(b"hello " * 99)
    site.pages["/"] = answer(packed, f"Content-Encoding: {coding}")

    found = await fetcher.get(site.at("/"))

    assert (found.body, found.complete) == (b"hello " * 99, True)


async def test_deflate_without_its_header_is_unpacked_too(site: Website, fetcher: Fetcher) -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    site.pages["/"] = answer(packer.compress(b"hello") + packer.flush(), "Content-Encoding: deflate")

    assert (await fetcher.get(site.at("/"))).body == b"hello"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_is_unpacked_no_further_than_the_limit(site: Website, fetcher: Fetcher, coding: str) -> None:
    packer = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    site.pages["/"] = answer(bomb, f"Content-Encoding: {coding}")

    tracemalloc.start()
    try:
        found = await fetcher.get(site.at("/"), limits=SMALL)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(bomb) > 200_000
    assert (len(found.body), found.complete) == (SMALL.unpacked, False)
    assert peak < 5 * 2**20


async def test_a_packed_body_that_never_says_anything_is_left(site: Website, fetcher: Fetcher) -> None:
    """Empty blocks of deflate: bytes without end, of which nothing comes."""

    async def nothing(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n")
        writer.write(b"\x78\x9c")
        while not writer.is_closing():
            writer.write(b"\x00\x00\x00\xff\xff" * 1000)
            await writer.drain()

    site.pages["/"] = nothing

    found = await fetcher.get(site.at("/"), limits=SMALL)

    assert (found.body, found.complete) == (b"", False)


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", b"not packed"), ("deflate", b"\xff\xff\xff"), ("br", b"x"), ("zstd", b"x"), ("gzip, gzip", b"x")],
)
async def test_a_body_that_cannot_be_unpacked_is_told(
    site: Website, fetcher: Fetcher, coding: str, body: bytes
) -> None:
    site.pages["/"] = answer(body, f"Content-Encoding: {coding}")

    with pytest.raises(Unreachable, match="unpacked"):
        await fetcher.get(site.at("/"))


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello")[:-8],
    ],
)
async def test_a_body_that_breaks_off_is_kept_and_said_to_be_cut(site: Website, fetcher: Fetcher, sent: bytes) -> None:
    site.pages["/"] = sent

    found = await fetcher.get(site.at("/"))

    assert (found.body, found.complete) == (b"hello", False)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00\x01\x02",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/9.9 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX\x00: y\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_told(site: Website, fetcher: Fetcher, sent: bytes) -> None:
    site.pages["/"] = sent

    with pytest.raises(Unreachable):
        await fetcher.get(site.at("/"), limits=FetchLimits(seconds=2))
