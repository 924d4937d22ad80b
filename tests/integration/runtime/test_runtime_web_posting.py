"""Posting documents to addresses that somebody named: the same border as for fetching."""

from collections.abc import AsyncIterator

import pytest

from claw_runtime.web.addresses import Forbidden, Perimeter
from claw_runtime.web.fetching import Fetcher, Unreachable
from tests.eventually import eventually
from tests.integration.runtime.website import Website, pour, redirect, say_nothing, website

METADATA = "http://169.254.169.254/latest/meta-data/"


@pytest.fixture
async def site() -> AsyncIterator[Website]:
    async with website() as served:
        yield served


@pytest.fixture
def fetcher() -> Fetcher:
    """May visit this machine, as if it were public."""
    return Fetcher(Perimeter(inside=("127.0.0.0/8",)))


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
