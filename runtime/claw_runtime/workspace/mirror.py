"""The workspace's copy on the disk, and what was last known of it. A disk that refuses costs the copy, nothing else.

What is known lies in a manifest on the same disk, so a restart can tell what programs changed meanwhile from what the
database did, and a new disk is known to be new.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from claw_runtime.workspace.content import etag_of
from claw_runtime.workspace.disk import Disk, Look, Seen, Stamp
from claw_runtime.workspace.paths import FOLLOW_THE_CONFIGURATION

log = logging.getLogger(__name__)


class Mirror:
    """Files below one directory. Its methods are called one at a time; the workspace's lock sees to it."""

    def __init__(self, directory: Path) -> None:
        self._disk = Disk(directory)
        self._known: dict[str, Seen] = {}
        self._refused: dict[str, Stamp] = {}
        self._works = True
        self._readable = True

    def known(self, path: str) -> str | None:
        """The etag of what the disk held when it was last in step."""
        return seen.etag if (seen := self._known.get(path)) is not None else None

    @property
    def known_paths(self) -> frozenset[str]:
        """Of all files that the disk held when it was last in step."""
        return frozenset(self._known)

    async def look(self) -> tuple[Look, bool]:
        """What programs changed on the disk, and whether anything is known about the disk at all."""
        return await asyncio.to_thread(self._look)

    async def overtaken(self, paths: Iterable[str]) -> dict[str, str]:
        """The texts at these paths that programs have written and nobody has taken in yet."""
        return await asyncio.to_thread(self._overtaken, list(paths))

    async def follow(self, wanted: Mapping[str, str | None], taken: Mapping[str, Seen | None] | None = None) -> None:
        """Write the files that have a content and remove the others; `taken` is how the disk already is."""
        if not wanted and not taken:
            return
        refusal = await asyncio.to_thread(self._follow, wanted, taken or {})
        if refusal is not None and self._works:
            log.warning("the workspace cannot be copied to the disk", extra={"reason": refusal.strerror})
        if refusal is None and not self._works:
            log.info("the workspace is copied to the disk again")
        self._works = refusal is None

    def refuse(self, refused: Mapping[str, Stamp]) -> None:
        """Do not look again, until they change, at the files that cannot be taken in."""
        if refused and not self._refused:
            log.warning("some files on the disk cannot be taken in", extra={"files": len(refused)})
        self._refused = dict(refused)

    def _look(self) -> tuple[Look, bool]:
        is_known = self._recall()
        try:
            look = self._disk.look(self._known, self._refused)
        except FileNotFoundError:
            return Look(), False
        except OSError as error:
            if self._readable:
                log.warning("what changes on the disk is not taken in", extra={"reason": error.strerror})
            self._readable = False
            return Look(present=set(self._known)), is_known
        if not self._readable:
            log.info("what changes on the disk is taken in again")
        self._readable = True
        return look, is_known

    def _recall(self) -> bool:
        """Read the manifest; False when there is none.

        Each time anew: to go on believing in files that vanished together with their disk is to see them all deleted.
        """
        try:
            manifest = self._disk.manifest()
        except OSError:
            manifest = None
        self._known = manifest or {}
        return manifest is not None

    def _overtaken(self, paths: list[str]) -> dict[str, str]:
        self._recall()
        texts = {}
        for path in paths:
            if path in FOLLOW_THE_CONFIGURATION:
                continue
            try:
                text = self._disk.read_if_changed(path, self._known.get(path))
            except OSError:  # nothing that could be read is nothing that could be lost
                continue
            if text is not None:
                texts[path] = text
        return texts

    def _follow(self, wanted: Mapping[str, str | None], taken: Mapping[str, Seen | None]) -> OSError | None:
        """Do what can be done; the first refusal, if there was one."""
        self._recall()
        before, refusal = dict(self._known), None
        for path, seen in taken.items():
            self._note(path, seen)
        for path, content in wanted.items():
            if path in taken and self.known(path) == (etag_of(content) if content is not None else None):
                continue
            try:
                if content is None:
                    self._disk.remove(path)
                    self._note(path, None)
                else:
                    self._note(path, self._disk.write(path, content))
            except OSError as error:
                refusal = refusal or error
        try:
            if self._known != before:
                self._disk.remember(self._known)
        except OSError as error:
            refusal = refusal or error
        return refusal

    def _note(self, path: str, seen: Seen | None) -> None:
        if seen is None:
            self._known.pop(path, None)
        else:
            self._known[path] = seen
