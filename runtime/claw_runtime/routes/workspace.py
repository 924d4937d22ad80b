"""`/api/workspace`: the files that make the assistant itself. An ETag keeps two writers from undoing each other."""

from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from claw_crds.resource import Model, Timestamp
from claw_runtime.endpoint import json_answer
from claw_runtime.problems import not_found
from claw_runtime.routes import Call, Nothing
from claw_runtime.text import Text
from claw_runtime.workspace.rows import WorkspaceEntry
from claw_runtime.workspace.writing import MAX_CHARACTERS

NO_FILE = "file of this name in the workspace"


class FileEntry(Model):
    """A file, without what is in it."""

    path: str
    etag: str
    updated_at: Timestamp


class FileList(Model):
    """Every file of the workspace."""

    files: tuple[FileEntry, ...]


class File(FileEntry):
    """A file."""

    content: str


class NewContent(Model):
    """What a file is to hold."""

    content: Annotated[Text, StringConstraints(max_length=MAX_CHARACTERS)] = Field(
        description="Of a long file, the assistant reads the first 20,000 characters."
    )


async def listing(call: Call[Nothing, Nothing]) -> FileList:
    """Every file of the workspace."""
    entries = await call.services.workspace.list()
    return FileList(
        files=tuple(FileEntry(path=entry.path, etag=entry.etag, updated_at=entry.updated_at) for entry in entries)
    )


async def read(call: Call[Nothing, Nothing]) -> web.Response:
    """One file."""
    entry = await call.services.workspace.read(call.name("path", NO_FILE))
    if entry is None:
        raise not_found(NO_FILE)
    return _answer(entry)


async def write(call: Call[NewContent, Nothing]) -> web.Response:
    """Write a file, new or old. With If-Match, only when it is still as it was read."""
    if_match = call.request.headers.get("If-Match")
    expected = if_match.removeprefix("W/").strip('"') if if_match is not None else None
    return _answer(await call.services.workspace.write(call.name("path", NO_FILE), call.body.content, expected))


def _answer(entry: WorkspaceEntry) -> web.Response:
    file = File(path=entry.path, content=entry.content, etag=entry.etag, updated_at=entry.updated_at)
    return json_answer(file, headers={"ETag": f'"{entry.etag}"'})
