"""Fetching: where it goes, and where it does not go, whatever names and servers say."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from claw_dev.certificates import Certificates
from claw_runtime.web.addresses import Forbidden, Perimeter
from claw_runtime.web.fetching import Fetcher, FetchLimits, Unreachable
from tests.integration.runtime.website import Website, answer, redirect, website

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
