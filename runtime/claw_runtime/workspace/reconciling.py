"""Who is right about a file: the database or the disk? Pure.

Three etags tell: what the disk held when both were last in step, what it holds now, and what the database holds now.
None is a file that is not there.

    known = disk, database differs      the database has moved on: write it to the disk
    known = database, disk differs      a program has changed the file: take it in, a deletion too
    all three differ                    both have changed it: the database wins, and what the disk held is not thrown
                                        away but goes into the file's history, as `lost`, where the customer can
                                        restore it. (A copy beside the file would be read, indexed and mirrored as if
                                        it were one more file.)

A disk of which nothing is known yet, because it is new, deletes nothing: there every missing file is written.
"""

from enum import Enum

from claw_runtime.workspace.paths import FOLLOW_THE_CONFIGURATION


class Step(Enum):
    """What to do about one file."""

    NOTHING = "nothing"
    TO_DISK = "to disk"
    TAKE_IN = "take in"
    KEEP_BOTH = "keep both"
    """The database's content to the disk, the disk's into the history."""


def step(path: str, *, known: str | None, disk: str | None, database: str | None) -> Step:
    """The step for a file with these etags."""
    if disk == database:
        return Step.NOTHING
    if disk == known or path in FOLLOW_THE_CONFIGURATION:
        return Step.TO_DISK
    if database == known:
        return Step.TAKE_IN
    return Step.KEEP_BOTH if disk is not None else Step.TO_DISK
