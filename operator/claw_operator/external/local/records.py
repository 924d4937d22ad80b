"""The directories of the local driver, and the record in each. Plain files; everything here blocks.

    <directory>/<external name>/
        compute.json    whose it is, its port, what was deployed last, the process; never a secret
        runtime.log     what the process says
        workspace/      the runtime's mirror of the workspace

A half-written record never exists: files are replaced, a new directory gets its name when its record is in it, and
the record is the last thing that is removed. So an empty directory of our name is nobody's, and one that holds
anything but a record with our mark is a stranger's.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from claw_crds import naming
from claw_operator.external import NameTaken, Owner, Rejected
from claw_operator.external.local.detached import ProcessId

RECORD = "compute.json"
LOG = "runtime.log"
WORKSPACE = "workspace"

_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


class Record(BaseModel):
    """What compute.json holds."""

    model_config = ConfigDict(frozen=True)

    mark: str
    port: int
    deployment_id: str | None = None
    fingerprint: str | None = None
    pid: int | None = None
    started: float = 0.0
    started_after_boot: float = 0.0
    log_start: int = 0
    """Where in the log this deployment's part begins, in bytes."""
    stopped: bool = False
    """The process was ended on purpose, or is about to be."""
    domain: str | None = None
    """The customer's own."""

    @property
    def process_id(self) -> ProcessId | None:
        """The process of the last deployment, whether it still runs or not."""
        return None if self.pid is None else ProcessId(self.pid, self.started, self.started_after_boot)


class Records:
    """The records below one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()

    def folder(self, owner: Owner) -> Path:
        """The owner's directory, whether it exists or not."""
        return self.directory / owner.external_name

    def read(self, owner: Owner) -> Record | None:
        """The owner's record; None when there is no directory, or a stranger's. Raises Rejected when it is broken."""
        record = _read(self.folder(owner))
        return record if record is not None and record.mark == owner.mark else None

    def make(self, owner: Owner, port: int) -> Record:
        """The record of a new directory, or of the one that is there. Raises NameTaken."""
        folder = self.folder(owner)
        self.directory.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=self.directory))
        (draft / WORKSPACE).mkdir()
        _write(draft, Record(mark=owner.mark, port=port))
        try:
            draft.rename(folder)  # takes the place of an empty directory, and of nothing else
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
            shutil.rmtree(draft)
        record = self.read(owner)
        if record is None:
            raise NameTaken(f"{folder} exists and does not belong to {owner.namespace}/{owner.name}; move it away")
        return record

    def write(self, owner: Owner, record: Record) -> None:
        """Replace the owner's record."""
        _write(self.folder(owner), record)

    def remove(self, owner: Owner) -> None:
        """Remove the owner's directory; a stranger's stays. Gone already is success."""
        folder = self.folder(owner)
        for draft in self.directory.glob(f".{folder.name}.*"):
            shutil.rmtree(draft)
        if self.read(owner) is not None:
            for entry in folder.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.name != RECORD:
                    entry.unlink()
            (folder / RECORD).unlink()
        with contextlib.suppress(OSError):  # not there, or not empty and so a stranger's
            folder.rmdir()

    def everyone(self) -> list[tuple[Owner, Record]]:
        """Owner and record of every directory of ours. Raises Rejected when a record is broken."""
        return [found for folder in self._folders() if (found := _owned(folder)) is not None]

    def readable(self) -> list[tuple[Owner, Record]]:
        """As `everyone`, without the broken ones."""
        found = []
        for folder in self._folders():
            with contextlib.suppress(Rejected):
                found.append(_owned(folder))
        return [entry for entry in found if entry is not None]

    def _folders(self) -> list[Path]:
        with contextlib.suppress(FileNotFoundError):
            return sorted(folder for folder in self.directory.iterdir() if naming.uid_of(folder.name) is not None)
        return []


def _owned(folder: Path) -> tuple[Owner, Record] | None:
    """A record whose mark is that of another folder was copied by hand, and is not ours."""
    record = _read(folder)
    owner = Owner.of_mark(record.mark) if record is not None else None
    if record is None or owner is None or owner.external_name != folder.name:
        return None
    return owner, record


def _read(folder: Path) -> Record | None:
    try:
        return Record.model_validate_json((folder / RECORD).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        raise Rejected(
            f"{folder / RECORD} cannot be read: it is no record of a compute; repair or remove it"
        ) from error


def _write(folder: Path, record: Record) -> None:
    draft = folder / f"{RECORD}.draft"
    with draft.open("w") as file:
        file.write(record.model_dump_json(indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / RECORD)
