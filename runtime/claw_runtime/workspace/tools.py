"""What the assistant does with files: list, read, write, edit, delete, each within its own folder.

Everybody has these tools. What they may change without asking is in `steering.py`; what they cannot do is forget: every
content that they replace or delete is kept in the file's history, and the customer can restore it.
"""

import asyncio
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from claw_runtime.text import Text
from claw_runtime.tools import Proposal, Tool, ToolContext, ToolInput, ToolRefused, ToolResult
from claw_runtime.workspace.content import MAX_CHARACTERS
from claw_runtime.workspace.files import Workspace
from claw_runtime.workspace.folders import SHARED, confined, folder_of, own_name
from claw_runtime.workspace.rows import WorkspaceEntry
from claw_runtime.workspace.steering import steers, summary

MAX_LISTED = 300
MAX_LINES = 500

Path = Annotated[Text, StringConstraints(min_length=1, max_length=300), Field(description="As list_files names it.")]
Content = Annotated[Text, StringConstraints(max_length=MAX_CHARACTERS)]


class ListFiles(ToolInput):
    """Which files."""

    folder: Text = Field(default="", max_length=300, description="Only files below it, for example memory")


class ReadFile(ToolInput):
    """Which lines of which file."""

    path: Path
    first_line: int = Field(default=1, ge=1)
    lines: int = Field(default=MAX_LINES, ge=1, le=MAX_LINES)


class WriteFile(ToolInput):
    """What a file is to hold from now on."""

    path: Path
    content: Content


class EditFile(ToolInput):
    """Which passage becomes what."""

    path: Path
    old: Content = Field(min_length=1, description="Exactly as in the file, long enough to be there only once.")
    new: Content


class DeleteFile(ToolInput):
    """Which file."""

    path: Path


def tools(workspace: Workspace) -> tuple[Tool[Any], ...]:
    """The tools for the files of this workspace."""
    files = _Files(workspace)
    return (
        Tool("list_files", "The files of your workspace, with their size.", "chat", ListFiles, files.list),
        Tool("read_file", "Read a file of your workspace, or some of its lines.", "chat", ReadFile, files.read),
        Tool("write_file", f"Write a whole file. {_ASKS}", "chat", WriteFile, files.write),
        Tool("edit_file", f"Replace one passage of a file. {_ASKS}", "chat", EditFile, files.edit),
        Tool(
            "delete_file", f"Delete a file; it can be restored by its owner. {_ASKS}", "chat", DeleteFile, files.delete
        ),
    )


_ASKS = (
    "Files that steer you (AGENTS.md, SOUL.md, HEARTBEAT.md, skills/ and the like) change when the owner confirms it."
)


class _Files:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def list(self, context: ToolContext, given: ListFiles) -> ToolResult:
        folder = given.folder.strip("/")
        prefix = confined(context.agent_id, f"{folder}/") if folder else folder_of(context.agent_id)
        found = await self._workspace.list(prefix)
        named = [(name, file) for file in found if (name := own_name(context.agent_id, file.path)) is not None]
        lines = [f"{name} ({file.size:,} bytes, {file.updated_at:%Y-%m-%d})" for name, file in named[:MAX_LISTED]]
        if len(named) > MAX_LISTED:
            lines.append(f"({len(named) - MAX_LISTED:,} more. Ask for one folder.)")
        return ToolResult("\n".join(lines) or "(no files)")

    async def read(self, context: ToolContext, given: ReadFile) -> ToolResult:
        name, entry = await self._find(context, given.path)
        if entry is None and name in SHARED:
            entry = await self._workspace.read(name)
        if entry is None:
            raise _missing(name)
        lines = entry.content.splitlines()
        first = given.first_line - 1
        shown = lines[first : first + given.lines]
        text = "\n".join(shown)
        if first or len(shown) < len(lines):
            text += f"\n(Lines {first + 1} to {first + len(shown)} of {len(lines)}.)"
        # Others' words get into notes: only what the customer has confirmed may give orders.
        return ToolResult(text or "(empty)", untrusted=not steers(name))

    async def write(self, context: ToolContext, given: WriteFile) -> ToolResult:
        name, entry = await self._find(context, given.path)
        before = entry.content if entry is not None else None
        if (proposed := await _proposed(context, "write_file", name, given, before, given.content)) is not None:
            return proposed
        await self._workspace.write(confined(context.agent_id, name), given.content, author="agent")
        return ToolResult(f"{name} is written.")

    async def edit(self, context: ToolContext, given: EditFile) -> ToolResult:
        name, entry = await self._find(context, given.path)
        if entry is None:
            raise _missing(name)
        places = entry.content.count(given.old)
        if places != 1:
            many = "is not in the file" if places == 0 else f"is there {places} times; give more of what is around it"
            raise ToolRefused(f"The passage {many}. Nothing was changed. Read {name} and copy the passage exactly.")
        content = entry.content.replace(given.old, given.new)
        if (proposed := await _proposed(context, "edit_file", name, given, entry.content, content)) is not None:
            return proposed
        await self._workspace.write(entry.path, content, entry.etag, "agent")
        return ToolResult(f"{name} is changed.")

    async def delete(self, context: ToolContext, given: DeleteFile) -> ToolResult:
        name, entry = await self._find(context, given.path)
        if entry is None:
            raise _missing(name)
        if (proposed := await _proposed(context, "delete_file", name, given, entry.content, None)) is not None:
            return proposed
        await self._workspace.delete(entry.path, entry.etag, "agent")
        return ToolResult(f"{name} is deleted.")

    async def _find(self, context: ToolContext, path: str) -> tuple[str, WorkspaceEntry | None]:
        """What the agent calls the file, and the file. Raises ToolRefused when it is not the agent's."""
        within = confined(context.agent_id, path)
        return within.removeprefix(folder_of(context.agent_id)), await self._workspace.read(within)


async def _proposed(
    context: ToolContext, tool: str, name: str, given: ToolInput, before: str | None, after: str | None
) -> ToolResult | None:
    """What to answer when the customer has to confirm the change first; None when it can be made."""
    if not steers(name) or context.confirmed or before == after:
        return None
    if context.source != "chat":
        raise ToolRefused(f"{name} steers you: it only changes in a conversation, when its owner confirms it.")
    text = await asyncio.to_thread(summary, name, before, after)
    return ToolResult(
        f"Nothing was changed yet: {name} steers you. Its owner is asked to confirm the change.",
        proposal=Proposal(tool, given.model_dump(), text),
    )


def _missing(name: str) -> ToolRefused:
    return ToolRefused(f"There is no file {name}. Look with list_files.")
