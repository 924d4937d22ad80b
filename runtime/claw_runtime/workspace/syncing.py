"""Bringing database and disk back into step, by the rule of `reconciling.py`, within one transaction."""

from claw_runtime.problems import Problem
from claw_runtime.workspace import rows
from claw_runtime.workspace.disk import Look, Stamp
from claw_runtime.workspace.mirror import Mirror
from claw_runtime.workspace.reconciling import Step, step
from claw_runtime.workspace.writing import Writing


async def bring_into_step(writing: Writing, mirror: Mirror, look: Look, *, everything: bool) -> dict[str, Stamp]:
    """Take in what the disk has changed, and note in `writing.stale` what it lacks.

    With `everything` all files are compared, and not only those that have changed on the disk. Returns what cannot be
    taken in: it stays on the disk as it is, until somebody writes the file.
    """
    stored = {entry.path: entry.etag for entry in await rows.listings(writing.connection)}
    refused = dict(look.unreadable)
    for path in sorted(look.changed.keys() | (stored.keys() | mirror.known_paths if everything else set())):
        found, known = look.changed.get(path), mirror.known(path)
        if found is None and known is None and path in look.present:
            continue  # what is there is no file that could be compared
        text = found.text if found is not None else None
        seen = found.seen if found is not None else None
        disk = known if found is None else seen.etag if seen is not None else None
        what = step(path, known=known, disk=disk, database=stored.get(path))
        if what is Step.TAKE_IN and not await _taken_in(writing, path, text):
            if seen is not None:
                refused[path] = seen.stamp
            continue
        if what is Step.KEEP_BOTH and text is not None:
            await writing.lose(path, text, "disk")
        if what in (Step.TO_DISK, Step.KEEP_BOTH):
            entry = await rows.entry(writing.connection, path)
            writing.stale[path] = entry.content if entry is not None else None
        elif found is not None:
            writing.taken[path] = seen
    return refused


async def _taken_in(writing: Writing, path: str, text: str | None) -> bool:
    """Let the file hold what the disk does; False when the rules of writing forbid it."""
    try:
        if text is not None:
            await writing.put(path, text, "disk")
        elif (entry := await rows.entry(writing.connection, path)) is not None:
            await writing.remove(entry, "disk")
    except Problem:  # raised before anything is written: the transaction goes on
        return False
    return True
