"""Visits: pages that are open, so that a long one can be read on where it was left."""

import time
from collections import OrderedDict
from collections.abc import Callable

from claw_runtime.web.fetching import Fetcher
from claw_runtime.web.reading import Page, Reader

KEPT_PAGES = 4
"""At most 400,000 characters each. Those that are old are let go with the next visit: an idle runtime does nothing."""
KEPT_SECONDS = 600.0


class Visits:
    """Opens pages. Raises Forbidden, Unreachable and Unreadable."""

    def __init__(self, fetcher: Fetcher, reader: Reader, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._reader = reader
        self._monotonic = monotonic
        self._kept: OrderedDict[str, tuple[float, Page]] = OrderedDict()

    async def open(self, url: str, *, again: bool = False) -> Page:
        """The page; `again` takes the one that was opened before, if that is not long ago."""
        self._forget()
        if again and url in self._kept:
            return self._kept[url][1]
        page = await self._reader.read(await self._fetcher.get(url))
        self._kept.pop(url, None)
        self._kept[url] = (self._monotonic(), page)
        while len(self._kept) > KEPT_PAGES:
            self._kept.popitem(last=False)
        return page

    def _forget(self) -> None:
        since = self._monotonic() - KEPT_SECONDS
        for url in [url for url, (opened, _) in self._kept.items() if opened < since]:
            del self._kept[url]
