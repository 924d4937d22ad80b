"""Searching the web: by the model's provider, which does it without us, or by a search API that somebody configured.

The API is one that is shaped like Brave's: `GET {url}?q=…&count=…` with the key in the header `X-Subscription-Token`
answers `{"web": {"results": [{"title", "url", "description"}]}}`. Without `web` around the results, and with `content`
or `snippet` for what a page says, it is understood too: SearXNG and others answer so.
"""

import asyncio
import html
import json
import logging
import re
from typing import TYPE_CHECKING, Annotated, Any

import aiohttp
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from claw_runtime.turns.messages import ServerTool
from claw_runtime.web.extraction import cleaned

if TYPE_CHECKING:
    from claw_runtime.settings import Settings

log = logging.getLogger(__name__)

PROVIDER_SEARCH = ServerTool("web_search_20250305", "web_search", {"max_uses": 5})
"""The provider's own search. It is billed by use, so the uses of one call of the model are bounded."""

SEARCH_SECONDS = 10.0
MAX_ANSWER = 2**20
"""Bytes."""
_NO_ANSWER = "The search answered something that cannot be understood."
_MARKUP = re.compile(r"</?(?:strong|b|em|mark)>")


class SearchFailed(Exception):
    """The search API does not help. Its text is for the model."""


def _plain(text: str) -> str:
    """Names and snippets come with what was looked for in bold."""
    return " ".join(cleaned(html.unescape(_MARKUP.sub("", text))).split())[:600]


_Plain = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else ""), AfterValidator(_plain)]


class Found(BaseModel):
    """One page that was found."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: Annotated[str, Field(pattern=r"^https?://", max_length=2048)]
    title: _Plain = ""
    description: _Plain = Field(default="", validation_alias=AliasChoices("description", "content", "snippet"))
    age: _Plain = Field(default="", validation_alias=AliasChoices("age", "page_age", "publishedDate"))


def search_of(settings: "Settings") -> "SearchApi | None":
    """The search API that is configured, if any."""
    if settings.search_url is None:
        return None
    key = settings.search_api_key.get_secret_value() if settings.search_api_key is not None else None
    return SearchApi(str(settings.search_url), key)


def results_in(answer: Any, count: int) -> tuple[Found, ...]:
    """What an answer holds, without entries that are none. Raises SearchFailed. Pure."""
    inner = answer.get("web", answer) if isinstance(answer, dict) else None
    entries = inner.get("results", []) if isinstance(inner, dict) else None
    if not isinstance(entries, list):
        raise SearchFailed(_NO_ANSWER)
    found = []
    for entry in entries:
        try:
            found.append(Found.model_validate(entry))
        except ValidationError:
            continue
    return tuple(found[:count])


class SearchApi:
    """A search API. Its address is ours, not a stranger's: it may be inside."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url
        self._key = key
        self._failing = False

    async def search(self, query: str, count: int) -> tuple[Found, ...]:
        """What is found, the best first. Raises SearchFailed."""
        try:
            found = results_in(await self._answer(query, count), count)
        except SearchFailed:
            if not self._failing:
                log.warning("the search API fails")
            self._failing = True
            raise
        if self._failing:
            log.info("the search API works again")
        self._failing = False
        return found

    async def _answer(self, query: str, count: int) -> Any:
        headers = {"Accept": "application/json"} | ({"X-Subscription-Token": self._key} if self._key else {})
        asked = {"q": query, "count": str(count)}
        try:
            async with (
                asyncio.timeout(SEARCH_SECONDS),
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(self._url, params=asked, headers=headers, allow_redirects=False) as response,
            ):
                status, body = response.status, await _at_most(response.content, MAX_ANSWER)
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            log.info("a search got no answer", extra={"cause": type(error).__name__})
            raise SearchFailed("The search does not answer at the moment.") from None
        if status != 200:
            log.info("a search was refused", extra={"status": status})
            raise SearchFailed(_refused(status))
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise SearchFailed(_NO_ANSWER) from None


async def _at_most(content: aiohttp.StreamReader, size: int) -> bytes:
    body = bytearray()
    async for piece in content.iter_chunked(size):
        body += piece
        if len(body) >= size:
            break
    return bytes(body)


def _refused(status: int) -> str:
    if status == 429:
        return "The search has been asked too often. Try again in a few minutes."
    return "The search refuses to answer. The people who run this service have to look at it."
