"""The folders with a SKILL.md: those that are bundled, and those of the workspace.

A SKILL.md is parsed once for each version of it, in a thread. A broken one is a folder with a problem: the customer
sees what is wrong with it, and the others go on working.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from claw_runtime.skills.catalogue import ABILITIES
from claw_runtime.skills.front_matter import BrokenSkill, FrontMatter, parse
from claw_runtime.skills.rules import Folder, Source

if TYPE_CHECKING:
    from claw_runtime.workspace.files import Workspace
    from claw_runtime.workspace.rows import WorkspaceListing

ROOT = "skills"
SKILL = "SKILL.md"
KEPT_SECONDS = 60.0
"""What another process writes, while one takes over from the other, is seen after so long."""
MAX_FOLDERS = 100
"""Of the workspace. What is beyond is not looked at."""

Parsed = tuple[FrontMatter | None, str | None]
"""The front matter, or what is wrong."""


class Folders:
    """Every folder that a runtime knows. The methods raise DatabaseAway."""

    def __init__(self, workspace: "Workspace", monotonic: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._monotonic = monotonic
        self._bundled: tuple[Folder, ...] | None = None
        self._parsed: dict[tuple[str, str], Parsed] = {}
        """By name and etag."""
        self._kept: list[_Kept] = []
        """At most one. Another list when something has changed, so that who is reading meanwhile fills the old one."""
        workspace.subscribe(self._forget)

    async def all(self) -> tuple[Folder, ...]:
        """The bundled ones, then those of the workspace. Every question asks for them, so they are kept for a while."""
        kept = self._kept
        if kept and self._monotonic() < kept[0].until:
            return kept[0].folders
        folders = await self._look()
        kept[:] = [_Kept(folders, self._monotonic() + KEPT_SECONDS)]
        return folders

    async def _look(self) -> tuple[Folder, ...]:
        if self._bundled is None:
            self._bundled = await asyncio.to_thread(_bundled)
        files = await self._workspace.list(f"{ROOT}/")
        heads = [file for file in files if _is_head(file.path)][:MAX_FOLDERS]
        parsed = {(_name(file.path), file.etag): await self._parse(file) for file in heads}
        self._parsed = parsed
        return (
            *self._bundled,
            *(Folder(name, "workspace", *found) for (name, _), found in parsed.items()),
        )

    async def read(self, name: str, source: Source, path: str) -> str | None:
        """A file of a folder, by its path within; None when there is none."""
        if source == "bundled":
            return await asyncio.to_thread(_bundled_text, f"{ROOT}/{name}/{path}")
        entry = await self._workspace.read(f"{ROOT}/{name}/{path}")
        return entry.content if entry is not None else None

    async def paths(self, name: str, source: Source) -> tuple[str, ...]:
        """What is in a folder, by paths within."""
        folder = f"{ROOT}/{name}/"
        if source == "bundled":
            return await asyncio.to_thread(_bundled_paths, folder)
        return tuple(file.path.removeprefix(folder) for file in await self._workspace.list(folder))

    def _forget(self, paths: frozenset[str]) -> None:
        if any(path.startswith(f"{ROOT}/") for path in paths):
            self._kept = []

    async def _parse(self, file: "WorkspaceListing") -> Parsed:
        name = _name(file.path)
        if (known := self._parsed.get((name, file.etag))) is not None:
            return known
        entry = await self._workspace.read(file.path)
        return await asyncio.to_thread(examined, name, entry.content if entry is not None else "")


@dataclass(frozen=True)
class _Kept:
    folders: tuple[Folder, ...]
    until: float


def examined(name: str, text: str) -> Parsed:
    """The front matter of a folder's SKILL.md, or what is wrong with it."""
    try:
        front = parse(text)
    except BrokenSkill as broken:
        return None, str(broken)
    if front.name != name:
        return None, f"Its name is {front.name}, so its folder must be called {front.name}, too, and not {name}."
    if name in ABILITIES:
        return None, f"The name {name} is that of something the assistant does by itself. Choose another one."
    return front, None


def _is_head(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 3 and parts[2] == SKILL


def _name(path: str) -> str:
    return path.split("/")[1]


def _bundled() -> tuple[Folder, ...]:
    names = [path.rpartition("/")[2] for path in import_module("claw_templates").names(ROOT)]
    return tuple(
        Folder(name, "bundled", *examined(name, _bundled_text(f"{ROOT}/{name}/{SKILL}") or "")) for name in names
    )


def _bundled_text(place: str) -> str | None:
    try:
        return str(import_module("claw_templates").text(place))
    except FileNotFoundError:
        return None


def _bundled_paths(folder: str) -> tuple[str, ...]:
    return tuple(path.removeprefix(folder) for path in import_module("claw_templates").names(folder.rstrip("/")))
