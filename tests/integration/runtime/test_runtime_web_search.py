"""A configured search API that does not do what it should."""

import json
import logging
from collections.abc import AsyncIterator

import pytest

from claw_runtime.web import search
from claw_runtime.web.search import MAX_ANSWER, SearchApi, SearchFailed
from tests.integration.runtime.website import Website, answer, redirect, website

ASKED = "/?q=otters&count=3"
FOUND = answer(json.dumps({"web": {"results": [{"url": "https://o.example/", "title": "Otters"}]}}), kind="text/json")


@pytest.fixture
async def site() -> AsyncIterator[Website]:
    async with website() as served:
        yield served


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (answer("{}", status="429 Too Many Requests"), "too often"),
        (answer("{}", status="401 Unauthorized"), "refuses"),
        (answer("oops", status="500 Internal Server Error"), "refuses"),
        (redirect("http://169.254.169.254/"), "refuses"),
        (answer("<html>"), "cannot be understood"),
        (answer("[" * 100_000), "cannot be understood"),
        (answer(b"\xff\xfe\x00"), "cannot be understood"),
        (answer(b'"' + b"a" * (MAX_ANSWER + 10) + b'"'), "cannot be understood"),
        (b"", "does not answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "does not answer"),
    ],
)
async def test_what_goes_wrong_is_told_in_words(site: Website, page: bytes, words: str) -> None:
    site.pages[ASKED] = page

    with pytest.raises(SearchFailed, match=words):
        await SearchApi(site.at("/"), "search-key").search("otters", 3)


async def test_an_api_that_is_not_there_is_told() -> None:
    async with website() as gone:
        url = gone.at("/")

    with pytest.raises(SearchFailed, match="does not answer"):
        await SearchApi(url, None).search("otters", 3)


async def test_a_failure_is_logged_when_it_begins_and_when_it_ends(
    site: Website, caplog: pytest.LogCaptureFixture
) -> None:
    api = SearchApi(site.at("/"), "search-key")
    caplog.set_level(logging.INFO, logger=search.__name__)
    for page in (answer("no"), answer("no"), FOUND, FOUND):
        site.pages[ASKED] = page
        try:
            await api.search("otters", 3)
        except SearchFailed:
            continue

    told = [record.message for record in caplog.records]
    assert told == ["the search API fails", "the search API works again"]
    assert "otters" not in caplog.text
    assert "search-key" not in caplog.text
