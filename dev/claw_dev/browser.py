"""A headless Chromium that takes pictures: how the mails and pages look to the person who gets them.

It is driven over the DevTools protocol, because a command line cannot ask for a width as narrow as a telephone's, nor
for the dark look, nor tell whether anything sticks out to the right.
"""

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from claw_dev.errors import StackError
from claw_dev.execution import execute

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_HINT = "install Chromium: on Debian and Ubuntu `apt-get install chromium`; any Chrome in the PATH will do, too"
_INSTALL_SECONDS = 600
_START_SECONDS = 30
_ANSWER_SECONDS = 20
_FIRST_HEIGHT = 800


async def find_chromium(environment: Mapping[str, str], report: Callable[[str], None], *, is_root: bool) -> Path:
    """The machine's Chromium; where there is none, root gets Debian's package installed.

    `report` takes one line of what is being done. Raises StackError.
    """
    if found := _installed(environment):
        return found
    apt = shutil.which("apt-get", path=environment.get("PATH"))
    if apt is None or not is_root:
        raise StackError("there is no Chromium here to take pictures with", _HINT)
    report("installing Debian's chromium")
    quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (("update",), ("install", "--yes", "--no-install-recommends", "chromium", "fonts-dejavu-core")):
        done = await execute(apt, *arguments, deadline=_INSTALL_SECONDS, environment=quiet)
    found = _installed(environment)
    if found is None:
        raise StackError("Debian's chromium could not be installed", f"{_HINT}\n{done.errors[-1000:]}")
    return found


def _installed(environment: Mapping[str, str]) -> Path | None:
    candidates = (shutil.which(name, path=environment.get("PATH")) for name in _NAMES)
    return next((Path(found) for found in candidates if found), None)


@dataclass(frozen=True)
class Picture:
    """How a page looks, all of it from top to bottom."""

    png: bytes
    overflow: int
    """Pixels by which something sticks out to the right of the window."""


class Browser:
    """One tab of a running Chromium."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def picture(self, url: str, *, width: int, dark: bool = False) -> Picture:
        """The page at that URL in a window so many pixels wide. Raises StackError."""
        await self._resize(width, _FIRST_HEIGHT)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._call("Emulation.setEmulatedMedia", features=[scheme])
        await self.open(url)
        overflow = int(await self.run("document.documentElement.scrollWidth - innerWidth"))
        height = int(await self.run("document.documentElement.scrollHeight"))
        await self._resize(width, max(_FIRST_HEIGHT, height))
        shot = await self._call("Page.captureScreenshot", format="png")
        return Picture(base64.b64decode(shot["data"]), overflow)

    async def _resize(self, width: int, height: int) -> None:
        await self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def open(self, url: str) -> None:
        """Go to that URL, and wait until the page is there. Raises StackError."""
        await self._call("Page.enable")
        gone_to = await self._call("Page.navigate", url=url)
        if problem := gone_to.get("errorText"):
            raise StackError(f"Chromium could not open {url}: {problem}")
        await self._event("Page.loadEventFired")

    async def run(self, script: str) -> Any:
        """What the script comes to in the page: JSON, or None. The page's own policy does not bind it."""
        answer = await self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        answer = await self._receive(lambda message: message.get("id") == number)
        if "error" in answer:
            raise StackError(f"Chromium refuses {method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def _event(self, method: str) -> None:
        await self._receive(lambda message: message.get("method") == method)

    async def _receive(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                async for frame in self._socket:
                    message: dict[str, Any] = json.loads(frame.data)
                    if wanted(message):
                        return message
        except TimeoutError:
            raise StackError(f"Chromium did not answer within {_ANSWER_SECONDS} s") from None
        raise StackError("Chromium ended while it was asked")


@asynccontextmanager
async def browser(program: Path, profile: Path) -> AsyncIterator[Browser]:
    """A Chromium that knows nobody, until the block ends. `profile` is an empty directory of its own."""
    # Its sandbox does not work for root, and what it opens here are our own pages.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    log = profile / "chromium.log"
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            str(program),
            *("--headless", "--remote-debugging-port=0", f"--user-data-dir={profile}", *sandbox),
            *("--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "about:blank"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        port = await _port(child, profile / "DevToolsActivePort", log)
        async with aiohttp.ClientSession() as session:
            async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as response:
                tab = (await response.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(tab, max_msg_size=2**26) as socket:
                yield Browser(socket)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # its helpers, too: they would outlive it for a moment
        await child.wait()


async def _port(child: asyncio.subprocess.Process, told: Path, log: Path) -> str:
    """Where it listens, from the file that it writes when it does."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and child.returncode is None:
        # The port is the first line; the second one is written with it.
        if len(lines := _text(told).splitlines()) > 1:
            return lines[0]
        await asyncio.sleep(0.05)
    raise StackError(f"Chromium did not start within {_START_SECONDS} s", _text(log)[-1000:])


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
