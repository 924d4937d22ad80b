"""The workspace's copy on the disk. A disk that refuses costs the copy, and nothing else."""

import asyncio
import errno
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

log = logging.getLogger(__name__)


class Mirror:
    """Files below one directory, which programs of the instance may read, and may have tampered with."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._works = True

    async def copy(self, files: Sequence[tuple[str, str]]) -> None:
        """Write the files, given as path and content, as far as the disk lets us."""
        refusal = await asyncio.to_thread(self._write_all, files)
        if refusal is not None and self._works:
            log.warning("the workspace cannot be copied to the disk", extra={"reason": refusal.strerror})
        if refusal is None and not self._works:
            log.info("the workspace is copied to the disk again")
        self._works = refusal is None

    async def follow(self, changed: Mapping[str, str | None]) -> None:
        """Write the files that have a content, and remove the others."""
        await self.copy([(path, content) for path, content in changed.items() if content is not None])
        for path in (path for path, content in changed.items() if content is None):
            await asyncio.to_thread((self._directory / path).unlink, missing_ok=True)

    def _write_all(self, files: Sequence[tuple[str, str]]) -> OSError | None:
        """Write every file that can be written; the first refusal, if there was one."""
        refusal = None
        for path, content in files:
            try:
                self._write(path, content)
            except OSError as error:
                refusal = refusal or error
        return refusal

    def _write(self, path: str, content: str) -> None:
        target = self._directory / path
        # A link that a program of the instance left there must not lead us out.
        if not target.parent.resolve().is_relative_to(self._directory.resolve()):
            raise OSError(errno.ELOOP, f"{path} leads out of the workspace")
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".", dir=target.parent)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(content)
            Path(draft).replace(target)
        except OSError:
            Path(draft).unlink()
            raise
