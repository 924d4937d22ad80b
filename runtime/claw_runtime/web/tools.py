"""The tools of the web: `fetch_page` behind the skill `browser`, `web_search` behind the skill of that name."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints

from claw_runtime.text import Text
from claw_runtime.tools import Tool, ToolContext, ToolInput, ToolRefused, ToolResult
from claw_runtime.turns.messages import ServerTool
from claw_runtime.web.addresses import LONGEST_URL, Forbidden
from claw_runtime.web.fetching import Unreachable
from claw_runtime.web.reading import Page, Unreadable, piece
from claw_runtime.web.search import PROVIDER_SEARCH, Found, SearchApi, SearchFailed

if TYPE_CHECKING:
    from claw_runtime.web.visits import Visits

PIECE = 12_000
"""Characters of a page in one answer: about 3,000 tokens."""
MOST_LINKS = 60
FETCH_SECONDS = 40.0
"""Twenty for the network, twelve for the reading, and the waiting for other pages."""

_FETCH = (
    "Opens a public web page and returns its readable text: HTML without menus and scripts, plain text, JSON. It "
    "cannot log in, run scripts, fill in forms, or read PDFs and pictures. A long page comes in pieces: go on with "
    "`offset`. With `links`, the addresses that the page links to are listed as well."
)
_SEARCH = "Searches the web. Returns titles, addresses and short extracts; open a page to read more of it."
_SILENT = (
    "(The page shows hardly any text. It probably builds itself by scripts, which are not run here, or asks its "
    "visitors to log in.)"
)


class FetchPage(ToolInput):
    """What `fetch_page` takes."""

    url: Annotated[Text, StringConstraints(min_length=1, max_length=LONGEST_URL)] = Field(
        description="The whole address, beginning with https:// or http://."
    )
    offset: int = Field(default=0, ge=0, le=10_000_000, description="Where to go on in a long page.")
    links: bool = Field(default=False, description="Also list the page's links.")


class WebSearch(ToolInput):
    """What `web_search` takes."""

    query: Annotated[Text, StringConstraints(min_length=1, max_length=400)]
    count: int = Field(default=8, ge=1, le=20, description="How many results.")


def tools(visits: "Visits", search: SearchApi | None) -> tuple[Tool[Any], ...]:
    """The tools that the runtime runs itself."""

    async def fetch_page(_: ToolContext, given: FetchPage) -> ToolResult:
        try:
            page = await visits.open(given.url, again=given.offset > 0)
        except (Forbidden, Unreachable, Unreadable) as error:
            raise ToolRefused(str(error)) from None
        return ToolResult(told(page, given.offset, links=given.links), untrusted=True)

    opening = Tool("fetch_page", _FETCH, "browser", FetchPage, fetch_page, seconds=FETCH_SECONDS, leaves=True)
    if search is None:
        return (opening,)

    async def web_search(_: ToolContext, given: WebSearch) -> ToolResult:
        try:
            found = await search.search(given.query, given.count)
        except SearchFailed as error:
            raise ToolRefused(str(error)) from None
        return ToolResult("\n\n".join(map(_entry, found)) or "Nothing was found.", untrusted=True)

    return (opening, Tool("web_search", _SEARCH, "web_search", WebSearch, web_search, leaves=True))


def server_tools(search: SearchApi | None) -> dict[str, ServerTool]:
    """The tools that the model's provider runs, by skill: its search, unless another one is configured."""
    return {} if search is not None else {"web_search": PROVIDER_SEARCH}


def told(page: Page, offset: int, *, links: bool) -> str:
    """A piece of a page as the model reads it. Pure."""
    part = piece(page.text, offset, PIECE)
    return "\n\n".join(filter(None, [_head(page, part.start), part.text, _foot(page, part.end), _links(page, links)]))


def _head(page: Page, start: int) -> str:
    """What the page is. Told once."""
    if start > 0:
        return ""
    status = "" if page.status < 400 else f"(The host answers with status {page.status}.)"
    about = page.description if len(page.text) < PIECE else ""
    return "\n".join(filter(None, [page.title, page.url, about, status]))


def _foot(page: Page, end: int) -> str:
    if len(page.text) < 40:
        return _SILENT
    if end < len(page.text):
        return f"({len(page.text) - end:,} more characters follow. Go on with offset {end}.)"
    return "" if page.complete else "(The page is longer than what was read of it: the rest is missing.)"


def _links(page: Page, wanted: bool) -> str:
    if not wanted:
        return ""
    if not page.links:
        return "The page links to nothing."
    shown = [f"- {name}: {url}" for name, url in page.links[:MOST_LINKS]]
    return "\n".join(["Links:", *shown])


def _entry(found: Found) -> str:
    age = f" ({found.age})" if found.age else ""
    return "\n".join(filter(None, [f"{found.title or found.url}{age}", found.url, found.description]))
