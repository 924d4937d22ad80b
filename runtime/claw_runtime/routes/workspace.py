"""`/api/workspace`: the files that make the assistant itself. An ETag keeps two writers from undoing each other.

A write without a precondition is taken: what it replaces is in the file's history. A deletion has to say what it means.
"""

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field, StringConstraints

from claw_crds.resource import Model, Timestamp
from claw_runtime.endpoint import json_answer
from claw_runtime.problems import (
    INVALID_REQUEST,
    NOT_FOUND,
    PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
    WORKSPACE_FULL,
    not_found,
)
from claw_runtime.routes import Access, Call, Nothing, Route
from claw_runtime.text import Text
from claw_runtime.workspace.content import MAX_CHARACTERS
from claw_runtime.workspace.rows import Author, Ended, WorkspaceEntry

NO_FILE = "file of this name in the workspace"

VersionId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class FileEntry(Model):
    """A file, without what is in it."""

    path: str
    etag: str
    size: int = Field(description="In bytes of UTF-8.")
    author: Author = Field(
        description="The customer, the assistant (`agent`), a program on the disk, or the system (`seed`)."
    )
    updated_at: Timestamp


class FileList(Model):
    """Files of the workspace, by path."""

    files: tuple[FileEntry, ...]


class File(FileEntry):
    """A file."""

    content: str


class FileVersion(Model):
    """What a file held before, without the text."""

    id: int
    etag: str
    size: int
    author: Author
    written_at: Timestamp
    ended: Ended = Field(
        description="`replaced` by another content, `deleted`, or `lost`: a change on the disk that came too late."
    )
    ended_by: Author
    ended_at: Timestamp


class FileHistory(Model):
    """What a file held before, the latest first."""

    versions: tuple[FileVersion, ...]


class PrefixQuery(Model):
    """Which files."""

    prefix: Text = Field(default="", description="Only files whose path begins like this: `memory/`.")


class VersionQuery(Model):
    """Which version of a file."""

    version: VersionId | None = Field(default=None, description="Of the file's history; the current one without it.")


class NewContent(Model):
    """What a file is to hold."""

    content: Annotated[Text, StringConstraints(max_length=MAX_CHARACTERS)] = Field(
        description="Of a long file, the assistant reads the first 20,000 characters."
    )


class Restoration(Model):
    """Which version a file is to hold again."""

    version: VersionId


async def listing(call: Call[Nothing, PrefixQuery]) -> FileList:
    """The files of the workspace."""
    entries = await call.services.workspace.list(call.query.prefix)
    return FileList(files=tuple(FileEntry(**vars(entry)) for entry in entries))


async def read(call: Call[Nothing, VersionQuery]) -> web.Response:
    """One file, as it is or as it was."""
    path, version = call.name("path", NO_FILE), call.query.version
    workspace = call.services.workspace
    entry = await (workspace.read(path) if version is None else workspace.version(path, version))
    if entry is None:
        raise not_found(NO_FILE if version is None else "such version of this file")
    return _answer(entry)


async def write(call: Call[NewContent, Nothing]) -> web.Response:
    """Write a file, new or old.

    With If-Match only when it is still as it was read, with `If-None-Match: *` only when there is none yet.
    """
    create = call.request.headers.get("If-None-Match") == "*"
    return _answer(
        await call.services.workspace.write(
            call.name("path", NO_FILE), call.body.content, _if_match(call.request), create=create
        )
    )


async def delete(call: Call[Nothing, Nothing]) -> None:
    """Delete a file that is still as If-Match says; `*` is any. Its history stays."""
    await call.services.workspace.delete(call.name("path", NO_FILE), _if_match(call.request))


async def history(call: Call[Nothing, Nothing]) -> FileHistory:
    """What a file held before."""
    versions = await call.services.workspace.history(call.name("path", NO_FILE))
    return FileHistory(versions=tuple(FileVersion(**vars(version)) for version in versions))


async def restore(call: Call[Restoration, Nothing]) -> web.Response:
    """Let a file, or one that was deleted, hold again what it held in a version."""
    return _answer(await call.services.workspace.restore(call.name("path", NO_FILE), call.body.version))


def _if_match(request: web.Request) -> str | None:
    """The etag without its marks: a proxy that compresses makes a strong one weak."""
    given = request.headers.get("If-Match")
    return given.strip().removeprefix("W/").strip('"') if given is not None else None


def _answer(entry: WorkspaceEntry) -> web.Response:
    return json_answer(File(**vars(entry)), headers={"ETag": f'"{entry.etag}"'})


ROUTES: tuple[Route[Any, Any], ...] = (
    Route("GET", "/api/workspace", listing, Access.CUSTOMER, Nothing, PrefixQuery, FileList),
    Route(
        "GET",
        "/api/workspace/history/{path}",
        history,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        FileHistory,
        problems=(NOT_FOUND,),
    ),
    Route(
        "POST",
        "/api/workspace/history/{path}",
        restore,
        Access.CUSTOMER,
        Restoration,
        Nothing,
        File,
        problems=(NOT_FOUND, WORKSPACE_FULL),
    ),
    Route("GET", "/api/workspace/{path}", read, Access.CUSTOMER, Nothing, VersionQuery, File, problems=(NOT_FOUND,)),
    Route(
        "PUT",
        "/api/workspace/{path}",
        write,
        Access.CUSTOMER,
        NewContent,
        Nothing,
        File,
        problems=(NOT_FOUND, PRECONDITION_FAILED, WORKSPACE_FULL),
        headers=("If-Match", "If-None-Match"),
    ),
    Route(
        "DELETE",
        "/api/workspace/{path}",
        delete,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        None,
        problems=(NOT_FOUND, PRECONDITION_FAILED, INVALID_REQUEST, PRECONDITION_REQUIRED),
        headers=("If-Match",),
    ),
)
