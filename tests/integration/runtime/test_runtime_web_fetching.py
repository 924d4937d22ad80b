"""Fetching from servers that lie, dawdle, pour and point elsewhere."""

import asyncio
import gzip
import ssl
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from claw_dev.certificates import Certificates
from claw_runtime.web.addresses import Forbidden, Perimeter
from claw_runtime.web.fetching import Fetcher, FetchLimits, Unreachable
from tests.eventually import eventually
from tests.integration.runtime.website import Website, answer, redirect, website

SMALL = FetchLimits(received=100_000, unpacked=100_000, seconds=3.0)
METADATA = "http://169.254.169.254/latest/meta-data/"


class Names:
    """A resolver whose answers are scripted: each look-up takes the next one, the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
async def site() -> AsyncIterator[Website]:
    async with website() as served:
        yield served


@pytest.fixture
def fetcher() -> Fetcher:
    """May visit this machine, as if it were public."""
    return Fetcher(Perimeter(inside=("127.0.0.0/8",)))


async def test_a_page_is_fetched_without_saying_more_than_needed(site: Website, fetcher: Fetcher) -> None:
    site.pages["/a?b=1"] = answer("<p>Hello", "Set-Cookie: a=b", kind='Text/HTML; charset="ISO-8859-1"')

    found = await fetcher.get(site.at("/a?b=1#part"))
    await fetcher.get(site.at("/a?b=1"))

    assert (found.url, found.status, found.body, found.complete) == (site.at("/a?b=1"), 200, b"<p>Hello", True)
    assert (found.media_type, found.charset) == ("text/html", "iso-8859-1")
    for request in site.requests:
        assert request.headers["host"] == f"127.0.0.1:{site.port}"
        assert not {"cookie", "referer", "authorization"} & request.headers.keys()
    assert len(site.requests) == 2


async def test_the_proxy_of_the_environment_is_not_used(
    site: Website, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.pages["/"] = answer("direct")

    assert (await fetcher.get(site.at("/"))).body == b"direct"


async def test_a_status_of_failure_is_told_with_its_page(site: Website, fetcher: Fetcher) -> None:
    found = await fetcher.get(site.at("/nowhere"))

    assert (found.status, found.body) == (404, b"not here")


async def test_redirects_are_followed_to_where_they_lead(site: Website, fetcher: Fetcher) -> None:
    site.pages["/1"] = redirect("2?x=ü", "301 Moved Permanently")
    site.pages["/2?x=%C3%BC"] = redirect(f"//127.0.0.1:{site.port}/3", "308 Permanent Redirect")
    site.pages["/3"] = answer("there")

    found = await fetcher.get(site.at("/1"))

    assert (found.url, found.body) == (site.at("/3"), b"there")


@pytest.mark.parametrize(
    "to",
    [
        METADATA,
        "http://[::ffff:169.254.169.254]/",
        "http://0xa9fea9fe/",
        "http://10.0.0.1/",
        "http://localhost/",
        "http://db.railway.internal/",
        "//169.254.169.254/",
        "file:///etc/passwd",
        "data:text/html,hi",
        "http://user:password@example.com/",
        "http://example.com\\@169.254.169.254/",
    ],
)
async def test_a_redirect_inside_is_refused(site: Website, fetcher: Fetcher, to: str) -> None:
    site.pages["/"] = redirect("/again")
    site.pages["/again"] = redirect(to)

    with pytest.raises(Forbidden):
        await fetcher.get(site.at("/"))


@pytest.mark.parametrize("to", ["http://[", "http://[::1", "//["])
async def test_a_redirect_to_nothing_is_told(site: Website, fetcher: Fetcher, to: str) -> None:
    site.pages["/"] = redirect(to)

    with pytest.raises((Forbidden, Unreachable)):
        await fetcher.get(site.at("/"))


async def test_a_redirect_without_an_end_ends(site: Website, fetcher: Fetcher) -> None:
    site.pages["/"] = redirect("/")

    with pytest.raises(Unreachable, match="again and again"):
        await fetcher.get(site.at("/"))

    assert len(site.requests) == 6


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.5"],
        ["169.254.169.254"],
        ["::1"],
        ["fd12::1"],
        ["fe80::1%eth0"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["93.184.215.14", "127.0.0.1"],
        ["127.0.0.1", "93.184.215.14"],
        ["nonsense"],
    ],
)
async def test_a_public_name_of_an_address_inside_is_refused(site: Website, addresses: list[str]) -> None:
    fetcher = Fetcher(Perimeter(), Names(addresses))

    with pytest.raises(Forbidden, match="public internet"):
        await fetcher.get("http://rebound.example.com/")

    assert site.requests == []


async def test_a_name_that_changes_its_mind_is_asked_once(site: Website) -> None:
    """Rebinding: the first answer passes the check, the second one would lead to somebody else."""
    names = Names(["127.0.0.1"], ["127.0.0.2"], ["10.0.0.1"])
    site.pages["/"] = answer("the one that was checked")

    found = await Fetcher(Perimeter(inside=("127.0.0.1/32",)), names).get(site.at("/", "rebound.example.com"))

    assert found.body == b"the one that was checked"
    assert names.asked == 1
    assert site.requests[0].headers["host"] == f"rebound.example.com:{site.port}"


async def test_a_name_that_changes_its_mind_between_redirects_is_refused(site: Website) -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    site.pages["/"] = redirect("/secrets")

    with pytest.raises(Forbidden):
        await Fetcher(Perimeter(inside=("127.0.0.1/32",)), names).get(site.at("/", "rebound.example.com"))


async def test_the_socket_itself_asks_where_it_goes(site: Website) -> None:
    """Should all that comes before be deceived, here by a border that moves meanwhile, there is still no connection."""

    class Forgetful(Perimeter):
        asked = 0

        def admits(self, ip: object) -> bool:
            self.asked += 1
            return self.asked == 1

    with pytest.raises(Forbidden):
        await Fetcher(Forgetful(inside=("127.0.0.0/8",)), Names(["127.0.0.1"])).get(site.at("/", "a.example.com"))

    assert site.requests == []


async def test_a_name_that_does_not_exist_is_told() -> None:
    async def nobody(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(Unreachable, match="no host of this name"):
        await Fetcher(Perimeter(), nobody).get("http://nowhere.example.com/")


async def test_a_name_without_addresses_is_told() -> None:
    with pytest.raises(Unreachable, match="no host of this name"):
        await Fetcher(Perimeter(), Names([])).get("http://nowhere.example.com/")


async def test_a_name_server_that_hangs_costs_no_more_than_the_limit() -> None:
    async def hangs(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    begun = time.monotonic()
    with pytest.raises(Unreachable, match="within"):
        await Fetcher(Perimeter(), hangs).get("http://slow.example.com/", limits=FetchLimits(seconds=0.2))

    assert time.monotonic() - begun < 2


async def test_a_closed_port_is_told(fetcher: Fetcher) -> None:
    async with website() as gone:
        url = gone.at("/")

    with pytest.raises(Unreachable, match="does not take connections"):
        await fetcher.get(url)


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


async def say_nothing(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("slow", [dawdle, dawdle_in_headers, say_nothing])
async def test_a_server_that_dawdles_is_left(site: Website, fetcher: Fetcher, slow: object) -> None:
    site.pages["/"] = slow  # type: ignore[assignment]  # one of the functions above

    begun = time.monotonic()
    with pytest.raises(Unreachable):
        await fetcher.get(site.at("/"), limits=FetchLimits(seconds=0.4))

    assert time.monotonic() - begun < 2


async def pour(writer: asyncio.StreamWriter) -> None:
    """A body without an end, as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"<p>more</p>" * 1000)
        await writer.drain()


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


async def test_tls_that_is_none_is_told(site: Website, fetcher: Fetcher) -> None:
    with pytest.raises(Unreachable):
        await fetcher.get(site.at("/").replace("http:", "https:"), limits=FetchLimits(seconds=2))


async def test_a_host_that_cannot_prove_its_name_is_not_believed(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "tls")
    certificates.write(datetime.now(UTC))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.server, certificates.server_key)
    asked: list[str | None] = []
    tls.sni_callback = lambda connection, name, context: asked.append(name)

    async with website(tls) as site:
        fetcher = Fetcher(Perimeter(inside=("127.0.0.0/8",)), Names(["127.0.0.1"]))
        with pytest.raises(Unreachable, match="certificate is not valid"):
            await fetcher.get(f"https://bank.example.com:{site.port}/")

    assert asked == ["bank.example.com"]
    assert site.requests == []


async def test_the_answer_to_a_posted_document_is_not_read(site: Website, fetcher: Fetcher) -> None:
    site.pages["/"] = pour

    assert await fetcher.post(site.at("/"), {}, {}) == 200
    await eventually(lambda: site.open == 0)


async def test_a_document_is_posted_and_redirects_are_not_followed(site: Website, fetcher: Fetcher) -> None:
    site.pages["/hook"] = redirect(METADATA, "307 Temporary Redirect")

    status = await fetcher.post(site.at("/hook"), {"text": "Hi"}, {"X-Signature": "abc"})

    (request,) = site.requests
    assert status == 307
    assert (request.method, request.body, request.headers["x-signature"]) == ("POST", b'{"text": "Hi"}', "abc")
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("url", [METADATA, "http://localhost/hook", "file:///hook", "http://10.0.0.1/"])
async def test_nothing_is_posted_inside(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(Forbidden):
        await fetcher.post(url, {}, {})


async def test_a_hook_that_does_not_answer_is_left(site: Website, fetcher: Fetcher) -> None:
    site.pages["/"] = say_nothing

    with pytest.raises(Unreachable):
        await fetcher.post(site.at("/"), {}, {}, seconds=0.3)
