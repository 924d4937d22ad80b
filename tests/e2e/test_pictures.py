"""How every mail and every page looks, taken by a real browser: on a telephone, on a desk, by day and by night.

The pictures are under pytest's temporary path, or in the folder that CLAW_PICTURES names. A person looks at them; what
a test can see of a picture is that it is not blank, and that nothing sticks out to the right.
"""

import os
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

import claw_templates
from claw_dev.browser import Browser, browser, find_chromium
from claw_dev.errors import StackError
from claw_dev.simulators.serving import serving
from claw_webhook.front.pages import Pages
from tests.e2e.pictured import MAILS, PAGES, mail

LOOKS = {"telephone": (360, False), "desk": (600, False), "night": (600, True)}


@pytest.fixture(scope="module")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    try:
        program = await find_chromium(os.environ, lambda line: print(line, file=sys.stderr), is_root=os.geteuid() == 0)
    except StackError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{error}; {error.hint}")
    async with browser(program, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[str]:
    """Mails and pages as a browser gets them: the pages with their policy, which must allow their own style."""
    pages = Pages(contact="hello@claw.example")

    async def show(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if request.match_info["kind"] == "mail":
            return web.Response(text=mail(name), content_type="text/html")
        return pages.render(200, f"pages/{name.partition(' ')[0]}.html.j2", **PAGES[name])

    app = web.Application()
    app.router.add_get("/{kind}/{name}", show)
    async with serving(app) as url:
        yield url


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = os.environ.get("CLAW_PICTURES")
    path = Path(chosen) if chosen else tmp_path_factory.mktemp("pictures")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("thing", [*(f"mail/{name}" for name in MAILS), *(f"page/{name}" for name in PAGES)])
async def test_it_can_be_read(chromium: Browser, site: str, folder: Path, thing: str, look: str) -> None:
    width, dark = LOOKS[look]
    taken = await chromium.picture(f"{site}/{thing}", width=width, dark=dark)
    (folder / f"{thing.replace('/', '-').replace(' ', '-')}-{look}.png").write_bytes(taken.png)
    assert taken.overflow <= 0
    assert shades(taken.png) > 16


def test_every_mail_and_page_has_its_picture() -> None:
    mails = {name.split("/")[1].partition(".")[0] for name in claw_templates.names("email", ".html.j2")}
    pages = {name.split("/")[1].partition(".")[0] for name in claw_templates.names("pages", ".html.j2")}
    assert mails - {"base", "parts"} == {name.partition(" ")[0] for name in MAILS}
    assert pages - {"base"} == {name.partition(" ")[0] for name in PAGES}


def shades(png: bytes) -> int:
    """How many values the bytes of a picture take: a handful in a blank one."""
    data, position = b"", 8
    while position < len(png):
        size = int.from_bytes(png[position : position + 4])
        if png[position + 4 : position + 8] == b"IDAT":
            data += png[position + 8 : position + 8 + size]
        position += size + 12
    return len(set(zlib.decompress(data)))
