"""Reading in a process of its own, which may hang, fail or lie without anybody else noticing."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from claw_runtime.web.addresses import Perimeter
from claw_runtime.web.extraction import MAX_TEXT
from claw_runtime.web.fetching import LIMITS, Fetched, Fetcher
from claw_runtime.web.reading import Reader, Unreadable
from claw_runtime.web.visits import KEPT_PAGES, KEPT_SECONDS, Visits
from tests.eventually import eventually
from tests.integration.runtime.website import answer, website


def page(html: str) -> Fetched:
    return Fetched("https://example.com/", 200, "text/html", None, html.encode(), complete=True)


def program(script: str) -> tuple[str, ...]:
    """A reading process that is another one."""
    return (sys.executable, "-I", "-c", script)


@pytest.fixture
def processes() -> Callable[[], set[int]]:
    """The processes that this test has started and that still are."""
    before = {child.pid for child in psutil.Process().children()}
    return lambda: {child.pid for child in psutil.Process().children()} - before


async def test_many_pages_are_read_and_no_process_stays(processes: Callable[[], set[int]]) -> None:
    reader = Reader()

    pages = await asyncio.gather(*(reader.read(page(f"<title>{number}</title><p>Hi")) for number in range(6)))

    assert [found.title for found in pages] == [str(number) for number in range(6)]
    assert [found.text for found in pages] == ["Hi"] * 6
    assert await eventually(lambda: not processes())


async def test_a_page_of_the_largest_size_is_read_within_the_limits() -> None:
    paragraph = "<div class=text><p>Otters hold <b>hands</b> when they <a href=/sleep>sleep</a>.</p></div>"
    html = paragraph * (LIMITS.unpacked // len(paragraph))

    found = await Reader().read(page(html))

    assert found.text.startswith("Otters hold hands when they sleep.")
    assert len(found.text) == MAX_TEXT
    assert not found.complete


async def test_the_reading_process_knows_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    script = "import json, os; print(json.dumps({'text': str(sorted(os.environ))}))"

    found = await Reader(program(script)).read(page("<p>"))

    assert "ANTHROPIC_API_KEY" not in found.text


@pytest.mark.parametrize(
    "script", ["", "print('{')", "print('[]')", "print('{\"links\": 5}')", "import os; os.abort()"]
)
async def test_an_answer_that_is_none_is_told(script: str) -> None:
    with pytest.raises(Unreadable, match="cannot be read"):
        await Reader(program(script)).read(page("<p>"))


async def test_a_process_that_hangs_is_ended(processes: Callable[[], set[int]]) -> None:
    begun = time.monotonic()
    with pytest.raises(Unreadable):
        await Reader(program("import time; time.sleep(60)"), seconds=0.5).read(page("<p>" * 100_000))

    assert time.monotonic() - begun < 5
    assert not processes()


async def test_nobody_waits_for_a_page_that_nobody_wants_any_more(processes: Callable[[], set[int]]) -> None:
    reading = asyncio.create_task(Reader(program("import time; time.sleep(60)")).read(page("<p>")))
    await eventually(processes)

    reading.cancel()
    await asyncio.wait({reading}, timeout=5)

    assert reading.cancelled()
    assert not processes()


async def test_a_process_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="at the moment"):
        await Reader((os.fspath(tmp_path / "nothing"),)).read(page("<p>"))


async def test_the_runtime_goes_on_while_a_hostile_page_is_read() -> None:
    """A single element with very many attributes: the parser's time grows with their square."""
    hostile = "<p " + " ".join(f"a{number}=1" for number in range(150_000)) + ">"
    reading = asyncio.create_task(Reader(seconds=2.0).read(page(hostile)))

    longest = 0.0
    while not reading.done():
        begun = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - begun)

    assert isinstance(reading.exception(), Unreadable)
    assert longest < 1.0


async def test_pages_that_were_open_lately_are_read_on_without_being_fetched_again() -> None:
    now = 0.0
    visits = Visits(Fetcher(Perimeter(inside=("127.0.0.0/8",))), Reader(), monotonic=lambda: now)
    async with website() as site:
        site.pages |= {f"/{number}": answer(f"{number}", kind="text/plain") for number in range(KEPT_PAGES + 1)}

        async def fetched(number: int, *, again: bool = True) -> bool:
            before = len(site.requests)
            assert (await visits.open(site.at(f"/{number}"), again=again)).text == str(number)
            return len(site.requests) > before

        for number in range(KEPT_PAGES):
            assert await fetched(number)
        assert not any([await fetched(number) for number in range(KEPT_PAGES)])
        assert await fetched(0, again=False)
        assert await fetched(KEPT_PAGES), "one more: the one that was fetched first goes"
        assert await fetched(1)
        assert not await fetched(0)
        now += KEPT_SECONDS + 1
        assert await fetched(0)
